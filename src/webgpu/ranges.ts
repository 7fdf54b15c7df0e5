/**
 * Callers' buffers, checked before anything is bound: usage, offset, size, and
 * that none is used twice in a way that WebGPU forbids. One clear error on the
 * host instead of one on the device, later, that names neither buffer nor wish.
 *
 * @module
 */
import { checkOptions, outOfRange, show, wrongKind } from "../checks.ts";
import type { Range } from "./heap.ts";

/** A buffer of the caller's, or a range of one. */
export type DeviceArray = GPUBuffer | {
  /** The buffer; its usage includes `STORAGE`. */
  buffer: GPUBuffer;
  /** Where the values start, in bytes: a multiple of 256 (0 unless said). */
  offset?: number;
  /** How many bytes may be used; to the end unless said. */
  size?: number;
};

const ACTION = "compute loss";
const KEYS: ReadonlySet<string> = new Set(["buffer", "offset", "size"]);

/** GPUBufferUsage.STORAGE, which is not there before a GPU is. */
const STORAGE = 0x80;

/** Whether a value is a GPUBuffer, by its shape: it may be another realm's. */
export function isBuffer(value: unknown): value is GPUBuffer {
  if (typeof value !== "object" || value === null) return false;
  const { size, usage } = value as { size?: unknown; usage?: unknown };
  return typeof size === "number" && typeof usage === "number" &&
    "mapState" in value;
}

/** Whether a value is a buffer or a range of one. */
export function isDeviceArray(value: unknown): value is DeviceArray {
  return isBuffer(value) ||
    (typeof value === "object" && value !== null &&
      isBuffer((value as { buffer?: unknown }).buffer));
}

/** At least `bytes` of a caller's buffer. */
export function readRange(
  name: string,
  given: unknown,
  bytes: number,
  limits: GPUSupportedLimits,
): Range {
  if (!isDeviceArray(given)) {
    wrongKind(
      ACTION,
      `${name} must be a GPUBuffer or { buffer, offset, size }`,
      given,
    );
  }
  if (!isBuffer(given)) checkOptions(ACTION, name, given, KEYS);
  const { buffer, offset = 0, size } = isBuffer(given)
    ? { buffer: given }
    : given;
  if ((buffer.usage & STORAGE) === 0) {
    outOfRange(
      ACTION,
      `the usage of ${name} must include GPUBufferUsage.STORAGE (${STORAGE})`,
      buffer.usage,
    );
  }
  const step = limits.minStorageBufferOffsetAlignment;
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % step !== 0) {
    outOfRange(
      ACTION,
      `the offset of ${name} must be a multiple of ${step} bytes`,
      offset,
    );
  }
  const room = Math.min(size ?? Infinity, buffer.size - offset);
  const needed = Math.ceil(bytes / 4) * 4;
  if (!(room >= needed)) {
    outOfRange(
      ACTION,
      `${name} must have ${needed} bytes from offset ${offset} on`,
      room,
    );
  }
  if (buffer.mapState !== "unmapped") {
    outOfRange(ACTION, `${name} must be unmapped`, buffer.mapState);
  }
  return { buffer, offset, size: needed };
}

/** Throws if one buffer is both written and used as something else: WebGPU forbids that even where the ranges are apart. */
export function checkApart(
  written: Readonly<Record<string, Range | null>>,
  read: Readonly<Record<string, Range | null>>,
): void {
  const names = new Map<GPUBuffer, string>();
  for (const [name, range] of Object.entries(written)) {
    if (range === null) continue;
    const other = names.get(range.buffer);
    if (other !== undefined) sharedBuffer(name, other);
    names.set(range.buffer, name);
  }
  for (const [name, range] of Object.entries(read)) {
    const other = range === null ? undefined : names.get(range.buffer);
    if (other !== undefined) sharedBuffer(name, other);
  }
}

function sharedBuffer(name: string, other: string): never {
  throw new RangeError(
    `Cannot ${ACTION} as ${name} and ${other} must not lie in one GPUBuffer: current value is ${
      show("the same buffer")
    }`,
  );
}

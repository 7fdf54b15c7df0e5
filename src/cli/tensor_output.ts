/**
 * Padded rows as tensors on disk, written row by row: the shape is known before
 * the first value is, so memory holds one row. The bytes are those that
 * `encodeNpy` and `encodeSafetensors` would make of the whole.
 *
 * @module
 */
import type { Tensor, TensorType } from "../formats/mod.ts";
import { AtomicFile } from "./atomic_write.ts";
import type { CliIo } from "./io.ts";

/** A tensor that is to be written. */
export interface TensorPlan {
  readonly name: string;
  readonly dtype: TensorType;
  readonly shape: readonly number[];
}

/** Tensors that are being written. */
export interface TensorFile {
  /** Writes values behind those of the tensor that are there. */
  append(name: string, data: Tensor["data"]): void;
  /** Gives the file, or the files, their names. */
  commit(): void;
  /** Takes away what has no name yet. */
  discard(): void;
}

/** Every type that rows have. */
const TYPES = {
  i32: { bytes: 4, npy: "<i4", safetensors: "I32" },
  f32: { bytes: 4, npy: "<f4", safetensors: "F32" },
} as const;

function typeOf(dtype: TensorType): (typeof TYPES)["i32" | "f32"] {
  if (dtype === "i32" || dtype === "f32") return TYPES[dtype];
  throw new Error(`no column is of type ${dtype}`);
}

function sizeOf({ dtype, shape }: TensorPlan): number {
  return typeOf(dtype).bytes * shape.reduce((count, size) => count * size, 1);
}

function bytesOf(data: Tensor["data"]): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** One safetensors file; its tensors stand in the order of their names. */
export function createSafetensors(
  path: string,
  plans: readonly TensorPlan[],
  io: CliIo,
): TensorFile {
  const sorted = [...plans].sort((a, b) => a.name < b.name ? -1 : 1);
  let end = 0;
  const header = Object.fromEntries(sorted.map((plan) => [plan.name, {
    dtype: typeOf(plan.dtype).safetensors,
    shape: plan.shape,
    data_offsets: [end, end += sizeOf(plan)] as const,
  }]));

  // 8 bytes of length, then the header in JSON with spaces up to 8 bytes
  const json = new TextEncoder().encode(JSON.stringify(header));
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(start).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(start - 8), true);
  head.set(json, 8);

  const file = new AtomicFile(path, io);
  file.writeAt(head, 0);
  const next = new Map(
    sorted.map(({ name }) => [name, start + header[name]!.data_offsets[0]]),
  );
  return {
    append: (name, data) => {
      const at = next.get(name)!;
      file.writeAt(bytesOf(data), at);
      next.set(name, at + data.byteLength);
    },
    commit: () => file.commit(),
    discard: () => file.discard(),
  };
}

/** One .npy file for each tensor: `rows.npy` becomes `rows.input_ids.npy` and so on. */
export function createNpys(
  path: string,
  plans: readonly TensorPlan[],
  io: CliIo,
): TensorFile {
  const files = new Map<string, AtomicFile>();
  const discard = () => files.forEach((file) => file.discard());
  try {
    for (const plan of plans) {
      const file = new AtomicFile(npyPath(path, plan.name), io);
      files.set(plan.name, file);
      file.append(npyHeader(plan));
    }
  } catch (error) {
    discard();
    throw error;
  }
  return {
    append: (name, data) => files.get(name)!.append(bytesOf(data)),
    commit: () => files.forEach((file) => file.commit()),
    discard,
  };
}

/** Where a column goes. */
export function npyPath(path: string, name: string): string {
  return path.replace(/npy$/i, `${name}.npy`);
}

/** Version 1.0, as NEP 1 has it: a dict padded with spaces to a multiple of 64 bytes. */
function npyHeader({ dtype, shape }: TensorPlan): Uint8Array {
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dict = `{'descr': '${
    typeOf(dtype).npy
  }', 'fortran_order': False, 'shape': (${tuple}), }`;
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64;
  const text = `\x93NUMPY\x01\x00  ${dict.padEnd(length - 11)}\n`;
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  new DataView(bytes.buffer).setUint16(8, length - 10, true);
  return bytes;
}

/**
 * A GPU device: found and owned, or borrowed from the caller and left alive.
 * Nothing is asked for before `openDevice` is called.
 *
 * @module
 */
import { checkOptions, wrongKind } from "../checks.ts";

/**
 * There is no GPU to be had; the message is one line that says why.
 *
 * @example Go on without one
 * ```ts
 * import { GpuUnavailableError, openGpu } from "@sft/loss/webgpu";
 * import { assert } from "@std/assert";
 *
 * const gpu = await openGpu().catch((error) => {
 *   assert(error instanceof GpuUnavailableError);
 *   return null;
 * });
 * gpu?.dispose();
 * ```
 */
export class GpuUnavailableError extends Error {
  /** `"GpuUnavailableError"`. */
  override readonly name = "GpuUnavailableError";
}

/**
 * The device is gone, or was disposed of; what lived on it is lost. Open another
 * and begin again from what the host has.
 *
 * @example What a GPU says that was disposed of
 * ```ts
 * import { GpuLostError, openGpu } from "@sft/loss/webgpu";
 * import { assertRejects } from "@std/assert";
 *
 * const gpu = await openGpu().catch(() => null);
 * if (gpu !== null) {
 *   gpu.dispose();
 *   const plan = () => gpu.crossEntropy({ rows: 1, vocabSize: 2 });
 *   await assertRejects(plan, GpuLostError, "disposed");
 * }
 * ```
 */
export class GpuLostError extends Error {
  /** `"GpuLostError"`. */
  override readonly name = "GpuLostError";
}

/** Where a device comes from. */
export interface OpenGpuOptions {
  /** A device to work on; it is left alive. Without one, one is asked for and owned. */
  device?: GPUDevice;
  /** Gives up waiting for a device. */
  signal?: AbortSignal;
}

/** A device and what is known of it. */
export interface OpenedDevice {
  device: GPUDevice;
  /** Whether it is destroyed with us. */
  owned: boolean;
  /** The adapter as the system names it. */
  name: string;
  /** Whether the adapter is software; null where that is not known. */
  fallback: boolean | null;
}

const ACTION = "open a GPU";
const KEYS: ReadonlySet<string> = new Set(["device", "signal"]);

/** Limits that are asked for as high as the adapter goes. */
const LIMITS = ["maxBufferSize", "maxStorageBufferBindingSize"] as const;

/** `navigator.gpu` where there is one. */
function findGpu(): GPU | null {
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } };
  return navigator?.gpu ?? null;
}

/** The adapter as one line. */
function nameOf(info: GPUAdapterInfo | undefined): string {
  return info?.description || info?.device || info?.vendor ||
    "an unnamed adapter";
}

/** Whether an adapter says that it is software. */
function isFallback(
  info: GPUAdapterInfo | undefined,
  adapter?: GPUAdapter,
): boolean | null {
  type Said = { isFallbackAdapter?: boolean } | undefined;
  // it moved from the adapter to its info
  return (info as Said)?.isFallbackAdapter ??
    (adapter as Said)?.isFallbackAdapter ?? null;
}

/** Rejects as soon as the signal does. */
async function within<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const stop = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The adapter that there is. Rejects with {@link GpuUnavailableError}. */
export async function findAdapter(
  signal?: AbortSignal,
): Promise<{ adapter: GPUAdapter; name: string; fallback: boolean | null }> {
  const gpu = findGpu();
  if (gpu === null) {
    throw new GpuUnavailableError("No GPU: this runtime has no navigator.gpu");
  }
  const adapter = await within(
    gpu.requestAdapter({ powerPreference: "high-performance" }),
    signal,
  );
  if (adapter === null) {
    throw new GpuUnavailableError(
      "No GPU: the system has no adapter that WebGPU can use (is a driver installed?)",
    );
  }
  const { info } = adapter;
  return { adapter, name: nameOf(info), fallback: isFallback(info, adapter) };
}

/** The device of the options, or a new one. Rejects with {@link GpuUnavailableError}. */
export async function openDevice(
  options: OpenGpuOptions = {},
): Promise<OpenedDevice> {
  checkOptions(ACTION, "options", options, KEYS);
  const { device, signal } = options;
  if (signal !== undefined && !("throwIfAborted" in Object(signal))) {
    wrongKind(ACTION, "signal must be an AbortSignal", signal);
  }
  if (
    device !== undefined && !("createComputePipelineAsync" in Object(device))
  ) {
    wrongKind(ACTION, "device must be a GPUDevice", device);
  }
  signal?.throwIfAborted();
  if (device !== undefined) {
    const info = (device as { adapterInfo?: GPUAdapterInfo }).adapterInfo;
    return {
      device,
      owned: false,
      name: nameOf(info),
      fallback: isFallback(info),
    };
  }
  const { adapter, name, fallback } = await findAdapter(signal);
  const requiredLimits: Record<string, number> = {};
  for (const limit of LIMITS) requiredLimits[limit] = adapter.limits[limit];
  const requiredFeatures: GPUFeatureName[] =
    adapter.features.has("timestamp-query") ? ["timestamp-query"] : [];
  const asked = adapter.requestDevice({ requiredLimits, requiredFeatures });
  try {
    const opened = await within(asked, signal);
    return { device: opened, owned: true, name, fallback };
  } catch (cause) {
    // a device that comes too late has no owner
    asked.then((late) => late.destroy()).catch(() => undefined);
    if (signal?.aborted) throw signal.reason;
    throw new GpuUnavailableError(
      `No GPU: ${name} gave no device (${
        cause instanceof Error ? cause.message : cause
      })`,
      { cause },
    );
  }
}

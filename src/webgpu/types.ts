/**
 * What callers of `./webgpu` pass and get back.
 *
 * @module
 */
import type {
  Logits,
  LogitsArray,
  LossOptions,
  LossResult,
  TokenIds,
} from "../contract.ts";
import type { DeviceArray } from "./ranges.ts";
import type { Into } from "./spec.ts";

export type { DeviceArray, Into };

/**
 * What a plan is made for. The options of the loss functions that are the same
 * for every batch stand here; those that change stand in {@link GpuBatch}.
 */
export interface CrossEntropyOptions
  extends Omit<LossOptions, "tokenWeights" | "deterministic" | "vocabSize"> {
  /** N, the rows of each batch. */
  rows: number;
  /** V. */
  vocabSize: number;
  /** Where the gradient goes: nowhere (default), over the logits, or into `gradLogits`, dense float32 [N, V]. */
  into?: Into;
  /** The most bytes of logits that one binding may hold; the device's limit unless said. */
  bindingLimit?: number;
}

/** One batch on the device. Arrays of the host are checked and uploaded; buffers of the device are used where they are. */
export interface GpuBatch {
  /** [N · rowStride] logits of the plan's dtype, in whole words of 4 bytes; overwritten by a gradient in place. */
  logits: DeviceArray;
  /** [N] labels: int32 on the device, any whole numbers on the host. */
  labels: DeviceArray | TokenIds;
  /**
   * [N] weights aligned with the labels: float32 on the device. Where labels,
   * weights or upstream live on the device, the sums that a gradient is divided
   * by are made there, in float32: weights of both signs that cancel are not
   * summed as exactly as the loss is. Those of the host go along as float32.
   */
  tokenWeights?: DeviceArray | ArrayLike<number>;
  /**
   * What the gradient is multiplied by: a number, or one for each row (float32 on
   * the device). Beside labels on the device its numbers may be anything, as which
   * rows are scored is not known.
   */
  upstream?: number | DeviceArray | ArrayLike<number>;
  /** Divides the sum of this batch; goes before the plan's. */
  denominator?: number;
  /** Sequence borders of this batch; goes before the plan's. */
  cuSeqlens?: ArrayLike<number>;
  /** [N · V] float32, for a plan with `into: "new"`. */
  gradLogits?: DeviceArray;
}

/** One batch on the host, for {@link CrossEntropyPlan.run}. */
export interface HostBatch extends
  Omit<
    GpuBatch,
    "logits" | "labels" | "tokenWeights" | "upstream" | "gradLogits"
  > {
  /** [N · rowStride] logits; overwritten by a gradient in place. */
  logits: Logits;
  /** [N] labels. */
  labels: TokenIds;
  /** [N] weights aligned with the labels. */
  tokenWeights?: ArrayLike<number>;
  /** What the gradient is multiplied by: a number, or one for each row. */
  upstream?: number | ArrayLike<number>;
}

/** A loss from the device. */
export interface GpuLossResult extends LossResult {
  /** Active rows whose label on the device is neither a class nor ignoreIndex; each is NaN (0 where its token weight is 0), counted in `nonFiniteRows` too, and weighs as a class of weight 1. */
  invalidLabelRows: number;
  /** With `run()` and a gradient: a new Float32Array [N, V], or the logits that were passed, overwritten. */
  gradLogits?: LogitsArray;
}

/** A batch that was put into a pass. */
export interface LossHandle {
  /**
   * The numbers of the batch, once its commands were submitted; the only wait.
   * Calling it again gives the same promise; after an error because the commands
   * were not run, it reads again.
   *
   * @throws {RangeError} The weights, on the device, sum to less than 0 under a mean; a gradient in place has been written by then.
   * @throws {GpuLostError} The device was lost.
   * @throws {Error} The commands were not submitted, or WebGPU refused them.
   */
  read(): Promise<GpuLossResult>;
  /** Says that the numbers will not be read; call it after the commands were submitted. What the handle holds is used again. */
  release(): void;
}

/** Masked cross-entropy of one shape and one set of options on one device. */
export interface CrossEntropyPlan {
  /**
   * Bytes on the device for each batch in flight: 48·N; for few rows of a large
   * vocabulary 32·N more for each 4096 columns; 8·N more for a gradient over half
   * types of an odd stride. Not in it: 96 bytes and 12 for each sequence where
   * labels, weights or upstream live on the device, and the host arrays that go
   * along with them.
   */
  readonly workspaceBytes: number;
  /**
   * Puts a batch into a compute pass, or into a pass of its own in an encoder.
   * Synchronous: nothing is submitted, nothing is read back. The gradient is
   * divided on the device. A batch in flight has buffers of its own, so any
   * number may be encoded before a submit; up to 64 handles may be neither read
   * nor released. A pass is left with our pipeline and our bind group 0 set.
   *
   * @param target A compute pass, or an encoder without an open pass.
   * @param batch The buffers of the batch.
   * @returns The handle that gives the numbers.
   * @throws {RangeError} A buffer, a label of the host or an option is out of range; nothing was put into the pass.
   * @throws {TypeError} An argument is of the wrong kind.
   */
  encode(
    target: GPUComputePassEncoder | GPUCommandEncoder,
    batch: GpuBatch,
  ): LossHandle;
  /**
   * Uploads a batch from the host, runs it, waits, and reads everything back. Its
   * arrays have been read when this returns, so calls need not wait for each
   * other; up to 64 may be on their way. A gradient in place comes at the end.
   *
   * @throws {RangeError} An argument is out of range, or the logits lost their buffer on the way.
   * @throws {TypeError} An argument is of the wrong kind.
   * @throws {GpuLostError} The device was lost.
   */
  run(batch: HostBatch): Promise<GpuLossResult>;
  /**
   * Destroys the plan's buffers. Handles that were not read are lost, and so are
   * commands that were not submitted: WebGPU refuses the whole command buffer.
   */
  dispose(): void;
  /** Same as `dispose`, for `using`. */
  [Symbol.dispose](): void;
}

/**
 * Masked cross-entropy on a GPU, on the caller's own buffers: the same numbers,
 * options and edges as `maskedCrossEntropy`, encoded into the caller's own
 * passes, with nothing read back between forward and gradient.
 *
 * Two things differ from the other engines. Labels that live on the device
 * cannot throw: one that is neither a class nor ignoreIndex makes its row NaN and
 * is counted in `invalidLabelRows`. And values beyond float32 are beyond it here.
 * A gradient is computed in float32: within 5e-6 of float64 by the measure of the
 * tests, 1e-5 under a factor or a softcap up to 34, 3e-5 under a larger one, and so
 * is the loss of a label that is sure; where labelSmoothing or zLoss makes it a
 * difference of two nearly equal numbers, within 5e-6 of the larger. So is a loss
 * whose class weights have both signs under labelSmoothing. Under a softcap logits
 * tie, for `metrics.correct`, if float64 can hardly tell their u apart.
 *
 * A row's bits depend on that row, the device and its driver: not on other rows,
 * on how large buffers are bound in pieces, nor on the run.
 *
 * This module is browser-compatible. It asks for no device before `openGpu`.
 *
 * @example A loss on the GPU, where there is one
 * ```ts
 * import { GpuUnavailableError, openGpu } from "@sft/loss/webgpu";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * try {
 *   using gpu = await openGpu();
 *   using plan = await gpu.crossEntropy({ rows: 2, vocabSize: 4 });
 *   const logits = new Float32Array(8); // a model that knows nothing
 *   const { loss } = await plan.run({ logits, labels: [1, -100] });
 *   assertAlmostEquals(loss, Math.log(4), 1e-6);
 * } catch (error) {
 *   if (!(error instanceof GpuUnavailableError)) throw error;
 * }
 * ```
 *
 * @module
 */
import type { Logits, LossOptions, TokenIds } from "../contract.ts";
import type { Prepared, RowScores } from "../engine.ts";
import { readUpstream } from "../loss/masked_cross_entropy.ts";
import { prepare } from "../loss/problem.ts";
import { assemble, weighRows } from "../loss/result.ts";
import { referenceEngine } from "../reference/engine.ts";
import type { Weighing } from "../reference/normalize.ts";
import type { LossRules } from "./rules.ts";
import { openDevice, type OpenGpuOptions } from "./device.ts";
import { Gpu } from "./gpu.ts";

export {
  GpuLostError,
  GpuUnavailableError,
  type OpenGpuOptions,
} from "./device.ts";
export type { Gpu } from "./gpu.ts";
export type * from "./types.ts";
export type * from "../contract.ts";

const RULES: LossRules = {
  prepare: (logits: Logits, labels: TokenIds, options: LossOptions) =>
    prepare(logits, labels, options),
  weighRows,
  readUpstream,
  assemble: (batch: Prepared, weighing: Weighing, scores: RowScores) =>
    assemble(referenceEngine, batch, weighing, scores),
};

/**
 * Opens a GPU. With `device` it is borrowed: `dispose()` destroys what is ours on
 * it and leaves it alive. Without, a device is asked for, with the largest buffers
 * that its adapter allows, and destroyed in the end.
 *
 * @param options `device`, and `signal` to give up waiting.
 * @returns The GPU; `using` disposes of it.
 * @throws {GpuUnavailableError} There is none; one line says why.
 * @throws {TypeError} An option is of the wrong kind.
 *
 * @example On a device of your own
 * ```ts
 * import { openGpu } from "@sft/loss/webgpu";
 * import { assertEquals } from "@std/assert";
 *
 * const adapter = await navigator.gpu?.requestAdapter();
 * if (adapter) {
 *   const device = await adapter.requestDevice();
 *   const gpu = await openGpu({ device });
 *   gpu.dispose();
 *   assertEquals(gpu.buffers.count, 0);
 *   device.destroy(); // it was left alive
 * }
 * ```
 */
export async function openGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  return new Gpu(await openDevice(options), RULES);
}

/**
 * The supervised fine-tuning loss of a chat model, exactly, in any JavaScript
 * runtime: which tokens are trained (labels), and what they cost (masked
 * cross-entropy and its gradient). The core is AssemblyScript compiled to WASM
 * SIMD; there are no dependencies. This module is browser-compatible.
 *
 * Labels are always aligned with inputIds; only the loss shifts.
 *
 * @example From ids to a loss
 * ```ts
 * import { causalLoss, findSpans, maskLabels } from "@sft/loss";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * // <user> hi <end> <assistant> hello there <end>
 * const inputIds = [1, 5, 0, 2, 6, 7, 0];
 * const roles = {
 *   user: { start: [1], end: [0] },
 *   assistant: { start: [2], end: [0] },
 * };
 * const labels = maskLabels(
 *   inputIds,
 *   findSpans(inputIds, { roles, train: ["assistant"] }),
 * );
 * assertEquals([...labels], [-100, -100, -100, -100, 6, 7, 0]);
 *
 * const logits = new Float32Array(7 * 8); // a model that knows nothing
 * const { loss, activeTokens } = causalLoss(logits, { labels });
 * assertEquals(activeTokens, 3);
 * assertAlmostEquals(loss, Math.log(8), 1e-6);
 * ```
 *
 * @module
 */
import type { InitOptions } from "./src/contract.ts";
import { initEngines } from "./src/wasm/workspace.ts";

export * from "./src/contract.ts";
export { findSpans } from "./src/labels/find_spans.ts";
export { causalLoss, causalLossGrad } from "./src/loss/causal_loss.ts";
export { labelsFromMask, maskLabels } from "./src/loss/labels.ts";
export {
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
} from "./src/loss/masked_cross_entropy.ts";
export { mergeLoss } from "./src/loss/merge_loss.ts";
export { collate } from "./src/packing/collate.ts";
export type {
  Layout,
  LayoutFields,
  PaddedBatch,
} from "./src/packing/layouts.ts";
export { packSequences, unpack } from "./src/packing/pack.ts";
export type {
  FlatBatch,
  FlatFields,
  Pack,
  PackedBatch,
} from "./src/packing/packed.ts";
export { planPacks } from "./src/packing/plan.ts";
export { packStream } from "./src/packing/stream.ts";
export type * from "./src/packing/types.ts";
export type { Sample } from "./src/row.ts";
export { createLossWorkspace } from "./src/wasm/workspace.ts";

/**
 * Hands in modules compiled elsewhere, for runtimes that forbid compiling while
 * a request runs (Cloudflare Workers, Vercel Edge). Nowhere else is it needed:
 * the kernels are inlined and compiled on first use.
 *
 * If only `simd` is given, it serves every call. Workspaces made earlier keep
 * the module they were made with.
 *
 * @param modules `kernels.wasm` and `kernels_relaxed.wasm`, compiled.
 * @throws {TypeError} Something is not a module, or not one of these.
 *
 * @example On a worker
 * ```ts ignore
 * import simd from "@sft/loss/kernels.wasm";
 * import { init } from "@sft/loss";
 *
 * init({ simd });
 * ```
 */
export function init(modules: InitOptions = {}): void {
  initEngines(modules);
}

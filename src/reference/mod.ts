/**
 * The float64 reference: the functions of the root module, with the same
 * arguments, checks and results, computed in plain scalar TypeScript and never
 * rounded to float32, the gradient included. It is what the kernels are held
 * against, and what you can hold your own against. It is 25 to 90 times slower
 * (gradient, loss), and reads in an afternoon: each formula is derived at the head of its file in
 * src/reference.
 *
 * This module is browser-compatible.
 *
 * @example How far float32 is from it
 * ```ts
 * import { maskedCrossEntropy } from "@sft/loss";
 * import * as reference from "@sft/loss/reference";
 * import { assert } from "@std/assert";
 *
 * const logits = Float32Array.from({ length: 3 * 100 }, (_, i) => Math.sin(i));
 * const labels = [7, -100, 42];
 * const { loss } = maskedCrossEntropy(logits, labels);
 * const exact = reference.maskedCrossEntropy(logits, labels).loss;
 * assert(Math.abs(loss - exact) < 1e-7);
 * ```
 *
 * @module
 */
import { outOfRange, readWord } from "../checks.ts";
import type {
  CausalBatch,
  GradOptions,
  Logits,
  LossOptions,
  LossResult,
  TokenIds,
} from "../contract.ts";
import { readBatch } from "../loss/causal_loss.ts";
import { readUpstream } from "../loss/masked_cross_entropy.ts";
import { prepare } from "../loss/problem.ts";
import { assemble, weighRows } from "../loss/result.ts";
import { referenceEngine } from "./engine.ts";
import { coefficients } from "./normalize.ts";

export type * from "../contract.ts";

const ACTION = "compute loss";

/** A loss with its gradient in float64. */
export interface ExactGradResult extends LossResult {
  /** [N, V] ∂loss/∂logits, never rounded to float32. */
  gradLogits: Float64Array<ArrayBuffer>;
}

/**
 * `maskedCrossEntropy` of the root module, in float64.
 *
 * @param logits [N, V] row-major: Float32Array, Float16Array, Uint16Array with `dtype`, or `{ data, dims }`.
 * @param labels [N] a class in [0, V) or ignoreIndex (-100) for each row.
 * @param options See {@link LossOptions}; `deterministic` changes nothing here.
 * @returns The loss, what it was divided by, and the exact sums behind it.
 * @throws {RangeError} A shape, a label or an option is out of range.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example
 * ```ts
 * import { maskedCrossEntropy } from "@sft/loss/reference";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const { loss } = maskedCrossEntropy(new Float32Array(2 * 3), [1, -100]);
 * assertAlmostEquals(loss, Math.log(3), 1e-15);
 * ```
 */
export function maskedCrossEntropy(
  logits: Logits,
  labels: TokenIds,
  options?: LossOptions,
): LossResult {
  const prepared = prepare(logits, labels, options);
  const scores = referenceEngine.score(prepared.problem);
  return assemble(referenceEngine, prepared, weighRows(prepared), scores);
}

/**
 * `maskedCrossEntropyGrad` of the root module, in float64. The logits are left
 * as they are.
 *
 * @param logits [N, V] row-major.
 * @param labels [N] a class or ignoreIndex for each row.
 * @param options See {@link GradOptions}; `into` can be `"new"` only.
 * @returns The loss and `gradLogits`, a Float64Array [N, V].
 * @throws {RangeError} A shape, a label or an option is out of range.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example
 * ```ts
 * import { maskedCrossEntropyGrad } from "@sft/loss/reference";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const { gradLogits } = maskedCrossEntropyGrad(new Float32Array(3), [1]);
 * assertAlmostEquals(gradLogits[0]!, 1 / 3, 1e-15);
 * assertAlmostEquals(gradLogits[1]!, -2 / 3, 1e-15);
 * ```
 */
export function maskedCrossEntropyGrad(
  logits: Logits,
  labels: TokenIds,
  options: GradOptions = {},
): ExactGradResult {
  const prepared = prepare(logits, labels, options);
  const { problem, borders, reduction, denominator, totalTokens } = prepared;
  const into = readWord(ACTION, "into", options.into, ["new", "in-place"]);
  if (into !== "new") {
    outOfRange(ACTION, `into must be "new", as float64 is wider`, into);
  }
  const weighing = weighRows(prepared);
  const factors = coefficients(
    problem,
    borders,
    reduction,
    denominator,
    weighing,
    totalTokens,
    readUpstream(prepared, options.upstream),
  );
  const { rows, vocabSize } = problem;
  const gradLogits = new Float64Array(rows * vocabSize);
  const target = {
    array: gradLogits,
    dtype: "f64",
    rowStride: vocabSize,
  } as const;
  const scores = referenceEngine.differentiate(problem, factors, target);
  const result = assemble(referenceEngine, prepared, weighing, scores);
  return Object.assign(result, { gradLogits });
}

/**
 * `causalLoss` of the root module, in float64.
 *
 * @param logits [N, V] or a tensor [B, T, V]; row t belongs to position t of the batch.
 * @param batch Labels, or a batch with `labels` and where its sequences end.
 * @param options As for `maskedCrossEntropy`; `shift` is implied.
 * @returns The loss; perToken is aligned with the logits' rows.
 * @throws {RangeError} A shape, a label or an option is out of range.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example
 * ```ts
 * import { causalLoss } from "@sft/loss/reference";
 * import { assertEquals } from "@std/assert";
 *
 * const { activeTokens } = causalLoss(new Float32Array(3 * 4), [1, 2, 3]);
 * assertEquals(activeTokens, 2);
 * ```
 */
export function causalLoss(
  logits: Logits,
  batch: CausalBatch | TokenIds,
  options?: LossOptions,
): LossResult {
  const { labels, merged } = readBatch(batch, options);
  return maskedCrossEntropy(logits, labels, merged);
}

/**
 * `causalLossGrad` of the root module, in float64.
 *
 * @param logits [N, V] or a tensor [B, T, V].
 * @param batch Labels, or a batch with `labels` and where its sequences end.
 * @param options As for `maskedCrossEntropyGrad`; `shift` is implied.
 * @returns The loss and `gradLogits` [N, V]; the last row of each sequence gets 0.
 * @throws {RangeError} A shape, a label or an option is out of range.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example
 * ```ts
 * import { causalLossGrad } from "@sft/loss/reference";
 * import { assertEquals } from "@std/assert";
 *
 * const { gradLogits } = causalLossGrad(new Float32Array(2 * 2), [-100, 1]);
 * assertEquals(gradLogits, Float64Array.of(0.5, -0.5, 0, 0));
 * ```
 */
export function causalLossGrad(
  logits: Logits,
  batch: CausalBatch | TokenIds,
  options?: GradOptions,
): ExactGradResult {
  const { labels, merged } = readBatch(batch, options);
  return maskedCrossEntropyGrad(logits, labels, merged);
}

/**
 * The loss in a language model's meaning: logits at t predict token t + 1.
 *
 * @module
 */
import {
  checkObject,
  isListLike,
  outOfRange,
  readFlag,
  readIds,
  readList,
  wrongKind,
} from "../checks.ts";
import type {
  CausalBatch,
  GradOptions,
  Logits,
  LogitsArray,
  LogitsTensor,
  LossGradResult,
  LossOptions,
  LossResult,
  TokenIds,
} from "../contract.ts";
import {
  differentiatePrepared,
  scorePrepared,
} from "./masked_cross_entropy.ts";
import { prepare } from "./problem.ts";
import { ACTION } from "./shape.ts";

/**
 * The next-token loss of a causal language model.
 *
 * Labels stay aligned with inputIds, as `maskLabels` makes them; row t of the
 * logits is scored against labels[t + 1] of its own sequence, so the first label
 * of every sequence is never used and no token is trained across a border. Do
 * not shift the labels yourself.
 *
 * @param logits [N, V] or a tensor [B, T, V]; row t belongs to position t of the batch.
 * @param batch Labels, or a batch with `labels` and where its sequences end.
 * @param options As for `maskedCrossEntropy`; `shift` is implied.
 * @returns The loss; perToken is aligned with the logits' rows.
 * @throws {RangeError} A shape, a label or an option is out of range.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example One sequence of three tokens, the last two trained
 * ```ts
 * import { causalLoss } from "@sft/loss";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * const logits = new Float32Array(3 * 4); // every next token equally likely
 * const result = causalLoss(logits, { labels: [-100, 2, 3] });
 * assertAlmostEquals(result.loss, Math.log(4), 1e-6);
 * assertEquals(result.activeTokens, 2);
 * ```
 */
export function causalLoss(
  logits: Logits,
  batch: CausalBatch | TokenIds,
  options?: LossOptions,
): LossResult {
  const { labels, merged } = readBatch(batch, options);
  return scorePrepared(prepare(logits, labels, merged));
}

/**
 * {@link causalLoss} with its gradient.
 *
 * @param logits [N, V]; overwritten by `into: "in-place"`.
 * @param batch Labels, or a batch with `labels` and where its sequences end.
 * @param options As for `maskedCrossEntropyGrad`; `shift` is implied.
 * @returns The loss and `gradLogits` [N, V]; the last row of each sequence gets 0.
 * @throws {RangeError} A shape, a label or an option is out of range; nothing has been written.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example The last position predicts nothing and gets no gradient
 * ```ts
 * import { causalLossGrad } from "@sft/loss";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * const logits = new Float32Array([0, 0, 7, 7]);
 * const { gradLogits } = causalLossGrad(logits, { labels: [-100, 1] });
 * assertAlmostEquals(gradLogits[0]!, 0.5, 1e-6);
 * assertAlmostEquals(gradLogits[1]!, -0.5, 1e-6);
 * assertEquals(gradLogits.slice(2), new Float32Array(2));
 * ```
 */
export function causalLossGrad(
  logits: Logits,
  batch: CausalBatch | TokenIds,
  options?: GradOptions & { into?: "new" },
): LossGradResult<Float32Array>;
/** With `into: "in-place"`: `gradLogits` is the array that was passed, overwritten. */
export function causalLossGrad<T extends LogitsArray>(
  logits: T | LogitsTensor<T>,
  batch: CausalBatch | TokenIds,
  options?: GradOptions,
): LossGradResult<T | Float32Array>;
export function causalLossGrad(
  logits: Logits,
  batch: CausalBatch | TokenIds,
  options?: GradOptions,
): LossGradResult {
  const { labels, merged } = readBatch(batch, options);
  return differentiatePrepared(prepare(logits, labels, merged), merged);
}

/** Labels and options of a batch; what options say of its layout goes before what the batch says. */
export function readBatch(
  batch: CausalBatch | TokenIds,
  options: GradOptions = {},
): { labels: TokenIds; merged: GradOptions } {
  if (typeof batch !== "object" || batch === null) {
    wrongKind(
      ACTION,
      "batch must be labels or an object with labels",
      batch,
    );
  }
  checkObject(ACTION, "options", options);
  const merged: GradOptions = {};
  // each is read once; inherited ones count, as they do without a batch
  for (const name in options) {
    (merged as Record<string, unknown>)[name] =
      options[name as keyof GradOptions];
  }
  if (!readFlag(ACTION, "shift", merged.shift ?? true)) {
    outOfRange(
      ACTION,
      "shift must be true where the loss is causal",
      merged.shift,
    );
  }
  merged.shift = true;
  if (isListLike(batch)) return { labels: batch as TokenIds, merged };
  const { ignoreIndex, cuSeqlens, sequenceLength, tokenWeights } = batch;
  const labels = readList<number | bigint>(
    ACTION,
    "batch.labels",
    "an array of whole numbers",
    batch.labels,
  ) as TokenIds;
  if (merged.cuSeqlens === undefined && merged.sequenceLength === undefined) {
    if (cuSeqlens !== undefined) {
      merged.cuSeqlens = coverPadding(cuSeqlens, labels.length);
    } else if (sequenceLength !== undefined) {
      merged.sequenceLength = sequenceLength;
    }
  }
  if (ignoreIndex !== undefined) merged.ignoreIndex ??= ignoreIndex;
  if (tokenWeights !== undefined) merged.tokenWeights ??= tokenWeights;
  return { labels, merged };
}

/** Borders up to the last row: what lies behind the last document is padding, one more sequence. */
function coverPadding(
  cuSeqlens: ArrayLike<number>,
  rows: number,
): ArrayLike<number> {
  const borders = readIds(ACTION, "cuSeqlens", cuSeqlens as TokenIds);
  const last = borders.at(-1);
  if (last === undefined || last >= rows) return borders;
  return Int32Array.from([...borders, rows]);
}

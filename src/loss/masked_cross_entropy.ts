/**
 * The loss in F.cross_entropy's meaning: row i is scored against labels[i].
 *
 * @module
 */
import { isListLike, readNumber, readWeights, readWord } from "../checks.ts";
import type {
  GradOptions,
  Logits,
  LogitsArray,
  LogitsTensor,
  LossGradResult,
  LossOptions,
  LossResult,
  TokenIds,
} from "../contract.ts";
import type { Engine, GradTarget, Prepared } from "../engine.ts";
import { coefficients } from "../reference/normalize.ts";
import { engineFor } from "../wasm/workspace.ts";
import { plainLoss } from "./plain.ts";
import { checkUnchanged, prepare } from "./problem.ts";
import { assemble, weighRows } from "./result.ts";
import { ACTION } from "./shape.ts";

const TARGETS = ["new", "in-place"] as const;

/**
 * Masked cross-entropy over logits [N, V].
 *
 * loss = Σ_i w_i · (logSumExp(u_i) - u_i[y_i]) / denominator, over the rows whose
 * label is not ignoreIndex. Ignored rows never influence anything. Natural logarithms.
 *
 * @param logits [N, V] row-major: Float32Array, Float16Array, Uint16Array with `dtype`, or `{ data, dims }`.
 * @param labels [N] a class in [0, V) or ignoreIndex (-100) for each row.
 * @param options See {@link LossOptions}.
 * @returns The loss, what it was divided by, and the exact sums behind it.
 * @throws {RangeError} A shape, a label or an option is out of range; nothing has been written.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example Two rows, one of them ignored
 * ```ts
 * import { maskedCrossEntropy } from "@sft/loss";
 * import { assertAlmostEquals, assertEquals } from "@std/assert";
 *
 * const logits = new Float32Array([0, Math.log(3), 5, 5]);
 * const result = maskedCrossEntropy(logits, [1, -100]);
 * assertAlmostEquals(result.loss, Math.log(4 / 3), 1e-6);
 * assertEquals(result.activeTokens, 1);
 * ```
 */
export function maskedCrossEntropy(
  logits: Logits,
  labels: TokenIds,
  options?: LossOptions,
): LossResult {
  return plainLoss(logits, labels, options) ??
    scorePrepared(prepare(logits, labels, options));
}

/** The loss of a checked problem, by the engine it belongs to or by a given one. */
export function scorePrepared(
  prepared: Prepared,
  engine: Engine = engineFor(prepared.problem, prepared.deterministic, true),
): LossResult {
  checkUnchanged(prepared);
  const weighing = weighRows(prepared);
  return assemble(engine, prepared, weighing, engine.score(prepared.problem));
}

/**
 * {@link maskedCrossEntropy} with its gradient, ∂loss/∂logits.
 *
 * gradLogits[i, k] = upstream_i · w_i · (p_ik - [k = y_i]) / denominator; exactly 0
 * in ignored rows. `into: "in-place"` overwrites the logits, rounding once to
 * their type, and writes 0 into padding columns.
 *
 * @param logits [N, V] as in {@link maskedCrossEntropy}; overwritten by `into: "in-place"`.
 * @param labels [N] a class or ignoreIndex for each row.
 * @param options See {@link GradOptions}.
 * @returns The loss and `gradLogits`: a new Float32Array [N, V], or the array passed in.
 * @throws {RangeError} A shape, a label or an option is out of range; nothing has been written.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example The gradient is softmax minus one-hot
 * ```ts
 * import { maskedCrossEntropyGrad } from "@sft/loss";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const logits = new Float32Array([0, Math.log(3)]);
 * const { gradLogits } = maskedCrossEntropyGrad(logits, [1]);
 * assertAlmostEquals(gradLogits[0]!, 0.25, 1e-6);
 * assertAlmostEquals(gradLogits[1]!, -0.25, 1e-6);
 * ```
 */
export function maskedCrossEntropyGrad(
  logits: Logits,
  labels: TokenIds,
  options?: GradOptions & { into?: "new" },
): LossGradResult<Float32Array>;
/** With `into: "in-place"`: `gradLogits` is the array that was passed, overwritten. */
export function maskedCrossEntropyGrad<T extends LogitsArray>(
  logits: T | LogitsTensor<T>,
  labels: TokenIds,
  options?: GradOptions,
): LossGradResult<T | Float32Array>;
export function maskedCrossEntropyGrad(
  logits: Logits,
  labels: TokenIds,
  options?: GradOptions,
): LossGradResult {
  return differentiatePrepared(prepare(logits, labels, options), options);
}

/**
 * The loss and gradient of a checked problem; checks what only gradients have.
 * `engineOf` is asked last, when no more code of the caller's can run: for another
 * engine than the problem's own, or to throw where there is none any more.
 */
export function differentiatePrepared(
  prepared: Prepared,
  options: GradOptions = {},
  engineOf?: (prepared: Prepared) => Engine | undefined,
): LossGradResult {
  const { problem, borders, reduction, denominator, totalTokens } = prepared;
  const into = readWord(ACTION, "into", options.into, TARGETS);
  const upstream = readUpstream(prepared, options.upstream);
  const weighing = weighRows(prepared);
  const factors = coefficients(
    problem,
    borders,
    reduction,
    denominator,
    weighing,
    totalTokens,
    upstream,
  );
  checkUnchanged(prepared);
  const inPlace = into === "in-place";
  const target: GradTarget = inPlace
    ? {
      array: problem.logits,
      dtype: problem.dtype,
      rowStride: problem.rowStride,
    }
    : {
      array: allocate(problem.rows, problem.vocabSize),
      dtype: "f32",
      rowStride: problem.vocabSize,
    };
  const engine = engineOf?.(prepared) ??
    engineFor(problem, prepared.deterministic, inPlace);
  const scores = engine.differentiate(problem, factors, target);
  const result = assemble(engine, prepared, weighing, scores);
  const gradLogits = inPlace ? prepared.data : target.array as Float32Array;
  return Object.assign(result, { gradLogits });
}

function allocate(rows: number, vocabSize: number): Float32Array {
  try {
    return new Float32Array(rows * vocabSize);
  } catch (cause) {
    throw new RangeError(
      `Cannot compute loss as a gradient of ${rows} x ${vocabSize} float32 does not fit: use fewer rows at a time, or into: "in-place"`,
      { cause },
    );
  }
}

/** A finite number, or one for each row; those of rows that are not scored may be anything. */
export function readUpstream(
  { problem }: Prepared,
  upstream: GradOptions["upstream"],
): number | Float64Array {
  if (typeof upstream === "number" || !isListLike(upstream)) {
    return readNumber(
      ACTION,
      "upstream",
      upstream,
      1,
      "finite",
      Number.isFinite,
    );
  }
  const { rows, targets, ignoreIndex } = problem;
  const isRead = (i: number) => targets[i] !== ignoreIndex;
  return readWeights(ACTION, "upstream", upstream, rows, isRead)!;
}

/**
 * The float64 reference as an engine: the specification every other engine is
 * judged by. Scalar, one row after the other, no blocks, no online rescaling,
 * nothing shared between rows. It is slow and meant to be: what it refuses to
 * be is clever.
 *
 * Steps for each row that is scored: transform, scan, split the mass at the
 * label, nll, the row's loss, and if asked its gradient. A row that is not
 * scored is gathered from (see gather.ts) and otherwise left alone.
 *
 * @module
 */
import {
  CORRECT,
  type Engine,
  type GradTarget,
  type LossProblem,
  NON_FINITE,
  type RowScores,
} from "../engine.ts";
import { encodeBf16, encodeF16, halfBits } from "../half.ts";
import { exp } from "./exp.ts";
import { gatherLogits } from "./gather.ts";
import { gradientRow } from "./gradient.ts";
import {
  entropyOf,
  negativeLogLikelihood,
  scanRow,
  splitMass,
} from "./log_sum_exp.ts";
import { maskLabels } from "./mask.ts";
import { sumClassWeights, tokenLoss } from "./normalize.ts";
import { reader, slopeRow, transformRow } from "./transform.ts";

/** Takes one row's gradient, `null` for all zeros. */
type RowSink = (row: number, gradient: Float64Array | null) => void;

/** The scores of every row; with coefficients [N], also its gradient, handed to `sink` row by row. */
function run(
  problem: LossProblem,
  coefficients: Float64Array | null,
  sink: RowSink,
): RowScores {
  const { rows, vocabSize, targets, ignoreIndex, metrics } = problem;
  const scores: RowScores = {
    perToken: new Float64Array(rows),
    logSumExp: new Float64Array(rows),
    nll: new Float64Array(rows),
    entropy: new Float64Array(rows),
    flags: new Int32Array(rows),
  };

  const read = reader(problem.logits, problem.dtype);
  const labelLogits = gatherLogits(problem, read);
  const classWeightSum = sumClassWeights(problem);
  const u = new Float64Array(vocabSize);
  const slopes = new Float64Array(vocabSize);
  const gradient = new Float64Array(vocabSize);

  for (let i = 0; i < rows; i++) {
    const label = targets[i]!;
    if (label === ignoreIndex) {
      sink(i, null);
      continue;
    }

    // The scores.
    const labelLogit = labelLogits[i]!;
    transformRow(problem, read, i, u);
    const scan = scanRow(u);
    const mass = splitMass(u, scan.rowMax, label, labelLogit);
    const nll = negativeLogLikelihood(scan, mass, labelLogit);
    scores.logSumExp[i] = scan.logSumExp;
    scores.nll[i] = nll;
    scores.perToken[i] = tokenLoss(problem, i, label, u, scan, nll);

    // What the row is like.
    let flags = scan.nonFinite ? NON_FINITE : 0;
    if (metrics) {
      scores.entropy[i] = entropyOf(u, scan);
      if (!scan.nonFinite && scan.argmax === label) flags |= CORRECT;
    }
    scores.flags[i] = flags;

    // The gradient. All of the row is read before any of it may be overwritten.
    if (coefficients === null) continue;
    slopeRow(problem, read, i, slopes);
    const coefficient = coefficients[i]!;
    gradientRow(problem, {
      row: i,
      label,
      u,
      slopes,
      scan,
      mass,
      coefficient,
      classWeightSum,
    }, gradient);
    sink(i, gradient);
  }
  return scores;
}

/** Writes one row of float64 gradient, rounded once to the target's type; padding lanes become 0. */
function writer(target: GradTarget, vocabSize: number): RowSink {
  const { array, dtype, rowStride } = target;
  const half = dtype === "bf16" || dtype === "f16";
  const out = half
    ? halfBits(array as Uint16Array)
    : array as Float32Array | Float64Array;
  const encode = dtype === "bf16" ? encodeBf16 : encodeF16;
  return (row: number, gradient: Float64Array | null): void => {
    const start = row * rowStride;
    // The code of 0 is 0 in every type.
    out.fill(0, start, start + rowStride);
    if (gradient === null) return;
    for (let k = 0; k < vocabSize; k++) {
      const value = gradient[k]!;
      out[start + k] = half ? encode(value) : value;
    }
  };
}

/** The engine that defines what the others must compute. */
export const referenceEngine: Engine = {
  name: "reference",
  maskLabels,
  score: (problem: LossProblem): RowScores =>
    run(problem, null, () => undefined),
  differentiate: (
    problem: LossProblem,
    coefficients: Float64Array,
    target: GradTarget,
  ): RowScores => run(problem, coefficients, writer(target, problem.vocabSize)),
  exp,
};

/**
 * From the records of a GPU to scores, in float64: the device finds the largest
 * logit, the label's, and the others' mass, each exact or to float32; every
 * logarithm and every subtraction is done here.
 *
 * @module
 */
import {
  CORRECT,
  type LossProblem,
  NON_FINITE,
  type RowScores,
} from "../engine.ts";
import { negativeLogLikelihood } from "../reference/log_sum_exp.ts";
import {
  classWeight,
  isSilent,
  rowWeight,
  smoothingOf,
  sumClassWeights,
} from "../reference/normalize.ts";
import { transform } from "../reference/transform.ts";
import { FAR } from "./log_sum_exp_wgsl.ts";
import { isShaped } from "./spec.ts";
import {
  BAD,
  BEATEN,
  MINUS_INF,
  MINUS_INF_NEGATIVE,
  RECORD_WORDS,
  STAMP_SHIFT,
  UNKNOWN,
} from "./storage_wgsl.ts";

/** One row as the device found it. */
interface Found {
  /** R, near the largest logit. */
  reference: number;
  /** u_y. */
  labelLogit: number;
  /** Σ_{j≠y} e^{u_j - R}. */
  others: number;
  /** Σ_{j≠y} e^{u_j - R}·(R - u_j). */
  heat: number;
  /** Σ_{j≠y} c_j·(R - u_j). */
  slack: number;
  flags: number;
}

/** The scores of every row of a problem whose records are given. */
export function scoresOf(
  problem: LossProblem,
  records: ArrayBuffer,
): RowScores {
  const { rows, targets, ignoreIndex, metrics } = problem;
  const scores: RowScores = {
    perToken: new Float64Array(rows),
    logSumExp: new Float64Array(rows),
    nll: new Float64Array(rows),
    entropy: new Float64Array(rows),
    flags: new Int32Array(rows),
  };
  const classWeightSum = sumClassWeights(problem);
  const smoothing = smoothingOf(problem);
  const read = reader(problem, records);
  for (let i = 0; i < rows; i++) {
    const label = targets[i]!;
    if (label === ignoreIndex) continue;
    const found = read(i);
    const { reference: rowMax, labelLogit, others } = found;
    const own = Math.exp(labelLogit - rowMax);
    const mass = { own, others };
    // [LSE 8] not finite ⇔ not (-inf < m < +inf)
    const nonFinite = (found.flags & BAD) !== 0 || !(own + others > 0);
    // [LSE 7] log S = log1p(...), here with the label's own term apart: (u_y - R) + log1p(others / own)
    const logSum = nonFinite
      ? NaN
      : own > others
      ? (labelLogit - rowMax) + Math.log1p(others / own)
      : Math.log(own + others);
    // [LSE 2] logSumExp = R + log Σ_j e^{u_j - R}
    const logSumExp = nonFinite
      ? NaN
      : own > others
      ? labelLogit + Math.log1p(others / own)
      : rowMax + logSum;
    const scan = { rowMax, argmax: -1, nonFinite, logSum, logSumExp };
    const nll = negativeLogLikelihood(scan, mass, labelLogit);
    scores.logSumExp[i] = logSumExp;
    scores.nll[i] = nll;
    scores.flags[i] = nonFinite ? NON_FINITE : 0;
    if (metrics) {
      // [LSE 6] entropy = Σ_j p_j·(-log p_j), the label's own term apart
      const ownHeat = own > 0 ? own * nll : 0;
      const heat = found.heat + others * logSum;
      scores.entropy[i] = nonFinite ? NaN : (ownHeat + heat) / (own + others);
      if (!nonFinite && (found.flags & BEATEN) === 0) {
        scores.flags[i]! |= CORRECT;
      }
    }

    // a label that is no class has no class weight that could silence it
    const unknown = (found.flags & UNKNOWN) !== 0;
    const silent = unknown
      ? rowWeight(problem, i) === 0
      : isSilent(problem, i, label);
    if (silent) continue;
    if (nonFinite) {
      scores.perToken[i] = NaN;
      continue;
    }
    // [NORM 1] perToken = w·[ (1 - ε)·c_y·nll + ε·smoothed + z·logSumExp² ]
    const c = classWeight(problem, label);
    const ofLabel = (1 - problem.labelSmoothing) * c;
    let loss = 0;
    if (ofLabel !== 0) loss += ofLabel * nll;
    if (smoothing !== 0) {
      // [NORM 2] Σ_j c_j·(-log p_j) = c_y·nll + Σ_{j≠y} c_j·(R - u_j) + log S·(C - c_y)
      let sum = found.slack + logSum * (classWeightSum - c);
      if ((found.flags & MINUS_INF) !== 0) sum = Infinity;
      if ((found.flags & MINUS_INF_NEGATIVE) !== 0) {
        sum = sum === Infinity ? NaN : -Infinity;
      }
      if (c !== 0) sum += c * nll;
      loss += smoothing * sum / problem.vocabSize;
    }
    if (problem.zLoss !== 0) loss += problem.zLoss * (logSumExp * logSumExp);
    // + 0 turns -0 into 0
    scores.perToken[i] = rowWeight(problem, i) * loss + 0;
  }
  return scores;
}

/** How to read a record: its logits transformed in float64. */
function reader(
  problem: LossProblem,
  records: ArrayBuffer,
): (row: number) => Found {
  const { logitScale, softcap } = problem;
  const words = new Uint32Array(records);
  const floats = new Float32Array(records);
  // the sign of logitScale was taken into the logits
  const scale = Math.abs(logitScale);
  const u = (g: number) => transform(g, scale, softcap);
  const far = isShaped(problem);
  return (row) => {
    const at = RECORD_WORDS * row;
    const top = floats[at]!;
    // what log_sum_exp_wgsl.ts calls the origin
    const origin = far || !(Math.abs(top) < FAR) ? u(top) : 0;
    return {
      reference: origin + floats[at + 1]! * Math.LN2,
      labelLogit: u(floats[at + 6]!),
      others: floats[at + 2]!,
      heat: floats[at + 3]!,
      slack: floats[at + 4]!,
      flags: words[at + 7]!,
    };
  };
}

/** Whether the row kernels wrote all of these records for the batch of this stamp. */
export function wasWritten(
  records: ArrayBuffer,
  rows: number,
  stamp: number,
): boolean {
  const words = new Uint32Array(records);
  for (let i = 0; i < rows; i++) {
    if (words[RECORD_WORDS * i + 7]! >>> STAMP_SHIFT !== stamp) return false;
  }
  return true;
}

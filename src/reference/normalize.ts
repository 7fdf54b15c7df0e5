/**
 * From a row's nll to its loss, and from the rows' losses to one number.
 *
 * The target distribution is (1 - ε)·onehot(y) + ε/V: the label, smoothed. Cross
 * entropy against it, Σ_j target_j·c_j·(-log p_j), each class weighted by c_j and
 * the token by w, plus the z-loss that keeps logSumExp near 0:
 * [NORM 1] perToken = w·[ (1 - ε)·c_y·nll + ε·smoothed + z·logSumExp² ]
 * [NORM 2] smoothed = 1/V·Σ_j c_j·(-log p_j), which without class weights is logSumExp - 1/V·Σ_j u_j
 * with -log p_j = (R - u_j) + log S for j ≠ y and the nll itself for y ([LSE 5], [LSE 4]).
 *
 * Zero factors. A factor of 0 means "this term is not there", so the product is
 * 0 also where the other factor is infinite or NaN:
 * [NORM 3] a term is on if its factor ≠ 0: w·(1 - ε)·c_y, w·ε·c_j, w·z; a row with none on is silent
 * A silent row has loss 0 and gradient 0, whatever it holds.
 *
 * The reductions, over the active rows i (those with a label):
 * [NORM 4] weightSum = Σ_i w_i·c_{y_i}, and by reduction
 *   token      loss = Σ_i perToken_i / weightSum
 *   sample     loss = Σ_i perToken_i / totalTokens
 *   sequence   loss = 1/n·Σ_s (Σ_{i in s} perToken_i / weightSum_s), n the sequences with an active row
 *   sum        loss = Σ_i perToken_i
 *   given d    loss = Σ_i perToken_i / d, whatever the reduction
 * 0/0 has no limit here; it is 0 by law: where weightSum (of all, or of the
 * sequence) is 0 the quotient is 0 and so is its gradient. That holds for
 * "sample" too: nothing was weighted, so nothing is learnt.
 *
 * The loss is linear in the perToken_i, so its gradient needs one number a row:
 * [NORM 5] coefficient_i = ∂loss/∂perToken_i·upstream_i = upstream_i / D_i
 *   with D_i = weightSum, totalTokens, n·weightSum_s, 1, or d; 0 where D_i = 0,
 *   and for rows that are not scored, whose upstream is not read
 *
 * Sums are exact and rounded once ([SUM 4]): they do not depend on the order.
 * Without weights they are counts, and no sum is taken. This file runs on nearly
 * every public call, so it allocates little.
 *
 * @module
 */
import type { Reduction } from "../contract.ts";
import type { LossProblem } from "../engine.ts";
import { exactTerms, roundedSum } from "./exact_sum.ts";
import type { RowScan } from "./log_sum_exp.ts";

/** The token weight w of a row. */
export function rowWeight(problem: LossProblem, row: number): number {
  return problem.rowWeights === null ? 1 : problem.rowWeights[row]!;
}

/** The weight c_j of a class. */
export function classWeight(problem: LossProblem, column: number): number {
  return problem.classWeights === null ? 1 : problem.classWeights[column]!;
}

/** C = Σ_j c_j, correctly rounded; V without class weights. */
export function sumClassWeights(
  problem: Pick<LossProblem, "classWeights" | "vocabSize">,
): number {
  if (problem.classWeights === null) return problem.vocabSize;
  return roundedSum(exactTerms(problem.classWeights, problem.vocabSize));
}

/** ε; with no class weight at all the term is off, [NORM 3]. */
export function smoothingOf(
  { labelSmoothing, classWeights }: Pick<
    LossProblem,
    "labelSmoothing" | "classWeights"
  >,
): number {
  return classWeights?.every((c) => c === 0) ? 0 : labelSmoothing;
}

/** Whether row `row`, with label `label`, is 0 whatever it holds. */
export function isSilent(
  problem: LossProblem,
  row: number,
  label: number,
): boolean {
  // [NORM 3] a term is on if its factor ≠ 0: w·(1 - ε)·c_y, w·ε·c_j, w·z
  const { labelSmoothing, zLoss } = problem;
  if (rowWeight(problem, row) === 0) return true;
  if (zLoss !== 0) return false;
  if (labelSmoothing !== 1 && classWeight(problem, label) !== 0) return false;
  return smoothingOf(problem) === 0;
}

/** perToken of row `row` with label `label`, from its transformed logits u [V]. */
export function tokenLoss(
  problem: LossProblem,
  row: number,
  label: number,
  u: Float64Array,
  scan: RowScan,
  nll: number,
): number {
  if (isSilent(problem, row, label)) return 0;
  if (scan.nonFinite) return NaN;

  // [NORM 1] perToken = w·[ (1 - ε)·c_y·nll + ε·smoothed + z·logSumExp² ]
  const { labelSmoothing, zLoss } = problem;
  const ofLabel = (1 - labelSmoothing) * classWeight(problem, label);
  let loss = 0;
  if (ofLabel !== 0) loss += ofLabel * nll;
  if (labelSmoothing !== 0) {
    loss += labelSmoothing * smoothedLoss(problem, label, u, scan, nll);
  }
  if (zLoss !== 0) loss += zLoss * (scan.logSumExp * scan.logSumExp);
  // + 0 turns -0 (a negative w, a loss of 0) into 0
  return rowWeight(problem, row) * loss + 0;
}

/** 1/V·Σ_j c_j·(-log p_j) of a finite row u [V]. */
function smoothedLoss(
  problem: LossProblem,
  label: number,
  u: Float64Array,
  scan: RowScan,
  nll: number,
): number {
  // [NORM 2] smoothed = 1/V·Σ_j c_j·(-log p_j)
  let sum = 0;
  for (let j = 0; j < problem.vocabSize; j++) {
    const c = classWeight(problem, j);
    if (c === 0) continue;
    sum += c * (j === label ? nll : (scan.rowMax - u[j]!) + scan.logSum);
  }
  return sum / problem.vocabSize;
}

/** Sums over the active rows, S sequences. */
export interface Weighing {
  /** weightSum as the terms of an exact sum. */
  weightSumTerms: number[];
  /** Σ w·c_y. */
  weightSum: number;
  /** How many rows are active. */
  activeTokens: number;
  /** [S] each, by sequence; null where no borders were given. */
  perSequence: { weightSum: Float64Array; activeTokens: Int32Array } | null;
  /** How many sequences have an active row; without borders all rows are one sequence. */
  activeSequences: number;
}

/** How many of the rows [start, end) are active, and Σ w·c_y over them as the terms of an exact sum. */
function weighRows(
  problem: LossProblem,
  start: number,
  end: number,
): { active: number; terms: number[] } {
  const { targets, ignoreIndex, rowWeights, classWeights } = problem;
  // without weights each active row counts 1
  const weights = rowWeights === null && classWeights === null
    ? null
    : new Float64Array(end - start);
  let active = 0;
  for (let i = start; i < end; i++) {
    const label = targets[i]!;
    if (label === ignoreIndex) continue;
    active++;
    if (weights === null) continue;
    // [NORM 4] weightSum = Σ_i w_i·c_{y_i}
    weights[i - start] = rowWeight(problem, i) * classWeight(problem, label);
  }
  return { active, terms: exactTerms(weights ?? [active]) };
}

/** The sums of weights and counts over the active rows; `borders` is [S + 1], null for no sequences. */
export function weigh(
  problem: LossProblem,
  borders: Int32Array | null,
): Weighing {
  const { active, terms } = weighRows(problem, 0, problem.rows);
  const weighing: Weighing = {
    weightSumTerms: terms,
    weightSum: roundedSum(terms),
    activeTokens: active,
    perSequence: null,
    activeSequences: active > 0 ? 1 : 0,
  };
  if (borders === null) return weighing;

  const count = Math.max(0, borders.length - 1);
  const weightSum = new Float64Array(count);
  const activeTokens = new Int32Array(count);
  weighing.perSequence = { weightSum, activeTokens };
  weighing.activeSequences = 0;
  for (let s = 0; s < count; s++) {
    const { active, terms } = weighRows(problem, borders[s]!, borders[s + 1]!);
    activeTokens[s] = active;
    weightSum[s] = roundedSum(terms);
    if (active > 0) weighing.activeSequences++;
  }
  return weighing;
}

/** What a result reports as its denominator. */
export function denominatorOf(
  reduction: Reduction,
  given: number | undefined,
  weighing: Weighing,
  totalTokens: number,
): number {
  if (given !== undefined) return given;
  if (reduction === "sum") return 1;
  if (weighing.activeTokens === 0) return 0;
  if (reduction === "token") return weighing.weightSum;
  return reduction === "sample" ? totalTokens : weighing.activeSequences;
}

/** D of every row alike, 0 where the loss is 0 by law; "sequence" as if all rows were one. */
function commonDivisor(
  reduction: Reduction,
  given: number | undefined,
  weighing: Weighing,
  totalTokens: number,
): number {
  if (given !== undefined) return given;
  if (reduction === "sum") return 1;
  if (reduction === "sample" && weighing.weightSum !== 0) return totalTokens;
  return weighing.weightSum;
}

/** ∂loss/∂perToken of every row times its upstream, [N]; 0 for rows that are not scored. */
export function coefficients(
  problem: LossProblem,
  borders: Int32Array | null,
  reduction: Reduction,
  given: number | undefined,
  weighing: Weighing,
  totalTokens: number,
  upstream: number | ArrayLike<number>,
): Float64Array {
  const { rows, targets, ignoreIndex } = problem;
  const out = new Float64Array(rows);
  const { perSequence, activeSequences } = weighing;
  const bySequence = reduction === "sequence" && given === undefined &&
    borders !== null && perSequence !== null;
  const count = bySequence ? borders.length - 1 : 1;
  for (let s = 0; s < count; s++) {
    const start = bySequence ? borders[s]! : 0;
    const end = bySequence ? borders[s + 1]! : rows;
    // [NORM 5] D_i = weightSum, totalTokens, n·weightSum_s, 1, or d
    const divisor = bySequence
      ? activeSequences * perSequence.weightSum[s]!
      : commonDivisor(reduction, given, weighing, totalTokens);
    if (divisor === 0) continue;
    for (let i = start; i < end; i++) {
      if (targets[i] === ignoreIndex) continue;
      // [NORM 5] coefficient_i = upstream_i / D_i
      out[i] = (typeof upstream === "number" ? upstream : upstream[i]!) /
        divisor;
    }
  }
  return out;
}

/** The loss, from Σ perToken and, for "sequence" with borders, the same by sequence, [S]. */
export function reduceLoss(
  reduction: Reduction,
  given: number | undefined,
  weighing: Weighing,
  totalTokens: number,
  sum: number,
  sequenceSums: Float64Array | null,
): number {
  const { perSequence, activeSequences } = weighing;
  if (
    given !== undefined || reduction !== "sequence" ||
    sequenceSums === null || perSequence === null
  ) {
    // [NORM 4] loss = Σ_i perToken_i / D, and 0 where D is 0 by law
    const divisor = commonDivisor(reduction, given, weighing, totalTokens);
    return divisor === 0 ? 0 : sum / divisor;
  }

  // [NORM 4] loss = 1/n·Σ_s (Σ_{i in s} perToken_i / weightSum_s)
  if (activeSequences === 0) return 0;
  const means = new Float64Array(sequenceSums.length);
  for (let s = 0; s < means.length; s++) {
    const weightSum = perSequence.weightSum[s]!;
    if (perSequence.activeTokens[s]! === 0 || weightSum === 0) continue;
    means[s] = sequenceSums[s]! / weightSum;
  }
  return roundedSum(exactTerms(means)) / activeSequences;
}

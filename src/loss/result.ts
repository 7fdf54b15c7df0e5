/**
 * From the rows' scores to a result. All sums are exact, so the order of rows,
 * chunks and shards changes no bit.
 *
 * @module
 */
import { type Action, outOfRange } from "../checks.ts";
import type {
  LossResult,
  Metrics,
  PerSequence,
  Reduction,
} from "../contract.ts";
import {
  CORRECT,
  type Engine,
  NON_FINITE,
  type Prepared,
  type RowScores,
} from "../engine.ts";
import { exactTerms, roundedSum } from "../reference/exact_sum.ts";
import {
  denominatorOf,
  reduceLoss,
  weigh,
  type Weighing,
} from "../reference/normalize.ts";
import { ACTION } from "./shape.ts";

/** Weighs the rows, and refuses what has no mean. */
export function weighRows(prepared: Prepared): Weighing {
  const { problem, reduction, denominator } = prepared;
  const borders = prepared.borders === null && reduction === "sequence"
    ? Int32Array.of(0, problem.rows)
    : prepared.borders;
  const weighing = weigh(problem, borders);
  const check = (sum: number, whose: string) =>
    checkWeightSum(ACTION, whose, sum, reduction, denominator);
  check(weighing.weightSum, ALL);
  if (reduction === "sequence") {
    weighing.perSequence?.weightSum.forEach((sum, s) =>
      check(sum, `sequence ${s}`)
    );
  }
  return weighing;
}

/** Whose weights a whole batch's are. */
export const ALL = "the active tokens";

/** Throws where a mean would be divided by a negative sum of weights, which would turn its sign. */
export function checkWeightSum(
  action: Action,
  whose: string,
  sum: number,
  reduction: Reduction,
  given: number | undefined,
): void {
  if (!(sum < 0) || given !== undefined || reduction === "sum") return;
  outOfRange(
    action,
    `the weights of ${whose} must not sum to less than 0 under reduction "${reduction}" (give a denominator, or use "sum")`,
    sum,
  );
}

/** The result without its gradient. */
export function assemble(
  engine: Engine,
  prepared: Prepared,
  weighing: Weighing,
  scores: RowScores,
): LossResult {
  const { problem } = prepared, { rows } = problem;
  const result = reduced(
    prepared,
    exactTerms(scores.perToken, rows),
    weighing,
    countFlags(scores, rows, NON_FINITE),
    sequenceSums(prepared, weighing, scores),
  );
  if (prepared.perToken) result.perToken = scores.perToken.slice(0, rows);
  if (prepared.logSumExp) result.logSumExp = scores.logSumExp.slice(0, rows);
  if (problem.metrics) {
    result.metrics = metricsOf(
      engine,
      exactTerms(scores.nll, rows),
      exactTerms(scores.entropy, rows),
      countFlags(scores, rows, CORRECT),
      weighing.activeTokens,
    );
  }
  return result;
}

/** What one call or many have in common: how their sums become one loss. */
export type Reducing = Pick<
  Prepared,
  "reduction" | "denominator" | "totalTokens"
>;

/** The one place that divides. */
export function reduced(
  { reduction, denominator: given, totalTokens }: Reducing,
  sumTerms: number[],
  weighing: Weighing,
  nonFiniteRows: number,
  perSequence: PerSequence | null,
): LossResult {
  const sum = roundedSum(sumTerms);
  const { weightSum, weightSumTerms, activeTokens } = weighing;
  return {
    loss: reduceLoss(
      reduction,
      given,
      weighing,
      totalTokens,
      sum,
      perSequence === null ? null : perSequence.sum,
    ),
    reduction,
    sum,
    sumTerms,
    weightSum,
    weightSumTerms,
    denominator: denominatorOf(reduction, given, weighing, totalTokens),
    denominatorGiven: given !== undefined,
    activeTokens,
    totalTokens,
    nonFiniteRows,
    ...(perSequence && { perSequence }),
  };
}

function sequenceSums(
  prepared: Prepared,
  weighing: Weighing,
  scores: RowScores,
): PerSequence | null {
  if (weighing.perSequence === null) return null;
  const borders = prepared.borders ?? [0, prepared.problem.rows];
  const sum = new Float64Array(borders.length - 1);
  for (let s = 0; s < sum.length; s++) {
    sum[s] = roundedSum(
      exactTerms(scores.perToken.subarray(borders[s]!, borders[s + 1]!)),
    );
  }
  return { sum, ...weighing.perSequence };
}

/** How many of the rows have a flag. */
export function countFlags(
  { flags }: RowScores,
  rows: number,
  flag: number,
): number {
  let count = 0;
  for (let i = 0; i < rows; i++) if ((flags[i]! & flag) !== 0) count++;
  return count;
}

/** Means from sums; all 0 (and perplexity 1) where no token is active. */
export function metricsOf(
  engine: Engine,
  nllTerms: number[],
  entropyTerms: number[],
  correct: number,
  active: number,
): Metrics {
  const mean = (total: number) => active === 0 ? 0 : total / active;
  const nll = mean(roundedSum(nllTerms));
  return {
    nll,
    correct,
    accuracy: mean(correct),
    entropy: mean(roundedSum(entropyTerms)),
    perplexity: engine.exp(nll),
    nllTerms,
    entropyTerms,
  };
}

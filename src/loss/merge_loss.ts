/**
 * One result from many: shards, workers, micro-batches. Divides once, at the end,
 * from exact sums, so it has the same bits as one call over all rows.
 *
 * @module
 */
import {
  checkIterable,
  outOfRange,
  readIds,
  readView,
  wrongKind,
} from "../checks.ts";
import type { LossResult, PerSequence } from "../contract.ts";
import { exactTerms, roundedSum } from "../reference/exact_sum.ts";
import { kindOf } from "../typed_arrays.ts";
import { sharedEngine } from "../wasm/workspace.ts";
import { ALL, checkWeightSum, metricsOf, reduced } from "./result.ts";

const ACTION = "merge losses";

/**
 * Merges the results of disjoint parts of one batch.
 *
 * The parts must have been reduced alike; under `"sequence"` each sequence must
 * lie within one part. `perToken`, `logSumExp` and `perSequence` are joined in the
 * order given, where every part has them; gradients are not merged: give every
 * part the whole batch's `denominator` if you want theirs to fit together.
 *
 * @param partials At least one result.
 * @returns The result of the whole, the same bits as one call.
 * @throws {RangeError} No partials, mixed reductions or denominators.
 * @throws {TypeError} Something in the list is not a result.
 *
 * @example Two micro-batches
 * ```ts
 * import { maskedCrossEntropy, mergeLoss } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const logits = new Float32Array([1, 2, 3, 4, 5, 9]);
 * const whole = maskedCrossEntropy(logits, [0, 1, 0]);
 * const parts = [
 *   maskedCrossEntropy(logits.subarray(0, 2), [0]),
 *   maskedCrossEntropy(logits.subarray(2), [1, 0]),
 * ];
 * assertEquals(mergeLoss(parts), whole);
 * ```
 */
export function mergeLoss(partials: Iterable<LossResult>): LossResult {
  checkIterable(ACTION, "they must come in a list", partials);
  const parts = Array.from(partials);
  parts.forEach((part, i) => checkPart(part, i, parts[0]!));
  if (parts.length === 0) {
    outOfRange(ACTION, "there must be at least one", parts);
  }
  const { reduction, denominator, denominatorGiven } = parts[0]!;
  const add = (pick: (part: LossResult) => number) =>
    parts.reduce((total, part) => total + pick(part), 0);
  const addTerms = (pick: (part: LossResult) => number[]) =>
    exactTerms(parts.flatMap(pick));
  const weightSumTerms = addTerms((part) =>
    part.weightSumTerms ?? [part.weightSum]
  );
  const perSequence = joinSequences(parts);
  const weighing = {
    weightSumTerms,
    weightSum: roundedSum(weightSumTerms),
    activeTokens: add((part) => part.activeTokens),
    perSequence,
    activeSequences: perSequence?.activeTokens.filter((n) => n > 0).length ?? 0,
  };
  const given = denominatorGiven ? denominator : undefined;
  checkWeightSum(ACTION, ALL, weighing.weightSum, reduction, given);
  const totalTokens = add((part) => part.totalTokens);
  const merged = reduced(
    { reduction, denominator: given, totalTokens },
    addTerms((part) => part.sumTerms),
    weighing,
    add((part) => part.nonFiniteRows),
    perSequence,
  );
  for (const name of ["perToken", "logSumExp"] as const) {
    const joined = join(name, parts.map((part) => part[name]));
    if (joined !== null) merged[name] = joined;
  }
  if (parts.every((part) => part.metrics !== undefined)) {
    merged.metrics = metricsOf(
      sharedEngine(true),
      addTerms((part) => part.metrics!.nllTerms),
      addTerms((part) => part.metrics!.entropyTerms),
      add((part) => part.metrics!.correct),
      weighing.activeTokens,
    );
  }
  return merged;
}

function checkPart(part: LossResult, i: number, first: LossResult): void {
  if (
    !Array.isArray(part?.sumTerms) ||
    (part.reduction === "sequence" && !part.perSequence)
  ) {
    wrongKind(ACTION, `partial ${i} must be a loss result`, part);
  }
  const { reduction } = first;
  if (part.reduction !== reduction) {
    const wish =
      `partial ${i} must have the reduction of the first, ${reduction}`;
    outOfRange(ACTION, wish, part.reduction);
  }
  const given = ({ denominatorGiven, denominator }: LossResult) =>
    denominatorGiven ? denominator : "none";
  if (given(part) !== given(first)) {
    const wish = `partial ${i} must have the given denominator of the first, ${
      given(first)
    }`;
    outOfRange(ACTION, wish, given(part));
  }
}

/** Arrays of the same name end to end, or null if one is missing. */
function join(
  name: string,
  given: (Float64Array | undefined)[],
): Float64Array | null {
  const odd = given.find((a) =>
    a !== undefined && kindOf(a) !== "Float64Array"
  );
  if (odd !== undefined) {
    wrongKind(
      ACTION,
      `${name} must be a Float64Array, which JSON does not keep`,
      odd,
    );
  }
  if (!given.every((array) => array !== undefined)) return null;
  const arrays = given.map((array) => readView(ACTION, name, array));
  const joined = new Float64Array(arrays.reduce((n, a) => n + a.length, 0));
  let at = 0;
  for (const array of arrays) {
    joined.set(array, at);
    at += array.length;
  }
  return joined;
}

function joinSequences(parts: LossResult[]): PerSequence | null {
  const column = (name: "sum" | "weightSum") =>
    join(`perSequence.${name}`, parts.map((part) => part.perSequence?.[name]));
  const sum = column("sum"), weightSum = column("weightSum");
  if (sum === null || weightSum === null) return null;
  const name = "perSequence.activeTokens";
  const activeTokens = Int32Array.from(
    parts.flatMap(({ perSequence }) =>
      Array.from(readIds(ACTION, name, perSequence!.activeTokens))
    ),
  );
  return { sum, weightSum, activeTokens };
}

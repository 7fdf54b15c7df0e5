/**
 * One result from many: shards, workers, micro-batches. Divides once, at the end,
 * from exact sums, so it has the same bits as one call over all rows.
 *
 * @module
 */
import { readIds, readView } from "../checks.ts";
import type { LossResult, PerSequence } from "../contract.ts";
import { exactTerms, roundedSum } from "../reference/exact_sum.ts";
import { kindOf } from "../typed_arrays.ts";
import { sharedEngine } from "../wasm/workspace.ts";
import { metricsOf, reduced } from "./result.ts";

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
  if (
    typeof partials !== "object" || partials === null ||
    typeof partials[Symbol.iterator] !== "function"
  ) {
    throw new TypeError(
      `Cannot merge losses as they must come in a list: current value is ${
        String(partials)
      }`,
    );
  }
  const parts = Array.from(partials);
  const first = check(parts);
  const { reduction, denominatorGiven } = first;
  const given = denominatorGiven ? first.denominator : undefined;
  const add = (pick: (part: LossResult) => number) =>
    parts.reduce((total, part) => total + pick(part), 0);
  const sumTerms = exactTerms(parts.flatMap((part) => part.sumTerms));
  const weightSumTerms = exactTerms(
    parts.flatMap((part) => part.weightSumTerms),
  );
  const perSequence = joinSequences(parts);
  const totalTokens = add((part) => part.totalTokens);
  const weighing = {
    weightSumTerms,
    weightSum: roundedSum(weightSumTerms),
    activeTokens: add((part) => part.activeTokens),
    perSequence,
    activeSequences: perSequence === null
      ? 0
      : perSequence.activeTokens.filter((n) => n > 0).length,
  };
  const { weightSum, activeTokens } = weighing;
  if (weightSum < 0 && given === undefined && reduction !== "sum") {
    throw new RangeError(
      `Cannot merge losses as the weights of the active tokens must not sum to less than 0 under reduction "${reduction}": current value is ${weightSum}`,
    );
  }
  const merged = reduced({
    reduction,
    given,
    sumTerms,
    weighing,
    totalTokens,
    nonFiniteRows: add((part) => part.nonFiniteRows),
    perSequence,
  });
  const perToken = join("perToken", parts.map((part) => part.perToken));
  if (perToken !== null) merged.perToken = perToken;
  const logSumExp = join("logSumExp", parts.map((part) => part.logSumExp));
  if (logSumExp !== null) merged.logSumExp = logSumExp;
  const metrics = parts.map((part) => part.metrics);
  if (metrics.every((m) => m !== undefined)) {
    merged.metrics = metricsOf(
      sharedEngine(true),
      exactTerms(metrics.flatMap((m) => m.nllTerms)),
      exactTerms(metrics.flatMap((m) => m.entropyTerms)),
      metrics.reduce((total, m) => total + m.correct, 0),
      activeTokens,
    );
  }
  return merged;
}

function check(parts: LossResult[]): LossResult {
  const first = parts[0]!;
  if (parts.length === 0) {
    throw new RangeError(
      "Cannot merge losses as there must be at least one: current value is []",
    );
  }
  for (const [i, part] of parts.entries()) {
    if (
      typeof part !== "object" || part === null || !Array.isArray(part.sumTerms)
    ) {
      throw new TypeError(
        `Cannot merge losses as partial ${i} must be a loss result: current value is ${
          String(part)
        }`,
      );
    }
    if (part.reduction !== first.reduction) {
      throw new RangeError(
        `Cannot merge losses as all must have the reduction of the first, "${first.reduction}": partial ${i} has "${part.reduction}"`,
      );
    }
    if (
      part.denominatorGiven !== first.denominatorGiven ||
      (first.denominatorGiven && part.denominator !== first.denominator)
    ) {
      throw new RangeError(
        `Cannot merge losses as all must have the same given denominator, or none: partial 0 has ${
          first.denominatorGiven ? first.denominator : "none"
        }, partial ${i} has ${
          part.denominatorGiven ? part.denominator : "none"
        }`,
      );
    }
  }
  return first;
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
    throw new TypeError(
      "Cannot merge losses as their arrays must be Float64Arrays (JSON does not keep those; structuredClone does): current value is an object",
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
  const activeTokens = Int32Array.from(
    parts.flatMap(({ perSequence }) =>
      Array.from(
        readIds(
          ACTION,
          "perSequence.activeTokens",
          perSequence!.activeTokens,
        ),
      )
    ),
  );
  return { sum, weightSum, activeTokens };
}

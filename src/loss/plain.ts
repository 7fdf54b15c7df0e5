/**
 * The plain case, for callers who score a few rows at a time: float32 logits, no
 * options. Same kernels, same numbers as the general way, with little ceremony
 * around them: for one row of 100 logits the ceremony would be the larger part.
 *
 * @module
 */
import {
  IGNORE_INDEX,
  type Logits,
  type LossOptions,
  type LossResult,
  type TokenIds,
} from "../contract.ts";
import { NON_FINITE } from "../engine.ts";
import { exactTerms, roundedSum } from "../reference/exact_sum.ts";
import { isPlain } from "../typed_arrays.ts";
import { checkLength } from "./problem.ts";
import { countFlags } from "./result.ts";
import { inWorkspace, sharedEngine } from "../wasm/workspace.ts";

/** Logits above this many are worth the general way. */
const SMALL = 16384;

/** The loss, or null where the general way has to look at it (errors are its own, too). */
export function plainLoss(
  logits: Logits,
  labels: TokenIds,
  options: LossOptions | undefined,
): LossResult | null {
  if (options !== undefined || !isPlain(logits, Float32Array)) return null;
  const narrow = isPlain(labels, Int32Array);
  if (!narrow && !Array.isArray(labels)) return null;
  const rows = labels.length, vocabSize = logits.length / rows;
  // whole, positive, and not the NaN or Infinity of no labels
  if (logits.length > SMALL || (vocabSize | 0) !== vocabSize || vocabSize < 1) {
    return null;
  }
  if (inWorkspace(logits)) return null;
  // each label is read once: reading an array may run code of the caller's
  const ids = narrow ? labels : new Int32Array(rows);
  let active = 0;
  for (let i = 0; i < rows; i++) {
    const label = labels[i]!;
    if (typeof label !== "number" || (label | 0) !== label) return null;
    if (!narrow) ids[i] = label;
    if (label === IGNORE_INDEX) continue;
    if (label < 0 || label >= vocabSize) return null;
    active++;
  }
  checkLength(logits.length, rows * vocabSize);
  const engine = sharedEngine(false);
  const scores = engine.scorePlain(logits, ids, vocabSize, IGNORE_INDEX);
  if (scores === null) return null;
  const sumTerms = exactTerms(scores.perToken, rows);
  const sum = roundedSum(sumTerms);
  return {
    loss: active === 0 ? 0 : sum / active,
    reduction: "token",
    sum,
    sumTerms,
    weightSum: active,
    weightSumTerms: active === 0 ? [] : [active],
    denominator: active,
    denominatorGiven: false,
    activeTokens: active,
    totalTokens: rows,
    nonFiniteRows: countFlags(scores, rows, NON_FINITE),
  };
}

/**
 * What the benches share: seeded logits and labels, and the loss as a competent
 * user would write it in plain TypeScript, which every kernel is measured
 * against. Float32 logits, float64 arithmetic, no tricks.
 *
 * @module
 */
import { normalLogits, seeded } from "../tests/engines.ts";

/** The label of a row that is not trained. */
export const IGNORE = -100;

/** Rows of normal logits (standard deviation 2.5) with labels, a share of them ignored. */
export interface Batch {
  logits: Float32Array;
  labels: Int32Array;
  rows: number;
  vocabSize: number;
}

/** A seeded batch; `ignored` is the share of rows without a label. */
export function makeBatch(
  rows: number,
  vocabSize: number,
  ignored = 0,
  seed = 1,
): Batch {
  return {
    logits: normalLogits(rows * vocabSize, seed),
    labels: makeLabels(rows, vocabSize, ignored, seed),
    rows,
    vocabSize,
  };
}

/** Seeded labels of which exactly ⌊ignored · rows⌋, evenly spread, are ignored. */
export function makeLabels(
  rows: number,
  vocabSize: number,
  ignored = 0,
  seed = 1,
): Int32Array {
  const random = seeded(seed + 1);
  return Int32Array.from({ length: rows }, (_, i) => {
    const label = Math.floor(random() * vocabSize);
    const skip = Math.floor((i + 1) * ignored) > Math.floor(i * ignored);
    return skip ? IGNORE : label;
  });
}

/** Mean cross-entropy over the rows that have a label. */
export function plainLoss(
  logits: Float32Array,
  labels: Int32Array,
  vocabSize: number,
): number {
  let sum = 0, active = 0;
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label === IGNORE) continue;
    const start = i * vocabSize, end = start + vocabSize;
    let max = -Infinity;
    for (let k = start; k < end; k++) {
      if (logits[k]! > max) max = logits[k]!;
    }
    let total = 0;
    for (let k = start; k < end; k++) total += Math.exp(logits[k]! - max);
    sum += max + Math.log(total) - logits[start + label]!;
    active++;
  }
  return active === 0 ? 0 : sum / active;
}

/** The same, and its gradient by every logit, written to `gradLogits`. */
export function plainLossGrad(
  logits: Float32Array,
  labels: Int32Array,
  vocabSize: number,
  gradLogits: Float32Array,
): number {
  let active = 0;
  for (const label of labels) if (label !== IGNORE) active++;
  let sum = 0;
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    const start = i * vocabSize, end = start + vocabSize;
    if (label === IGNORE) {
      gradLogits.fill(0, start, end);
      continue;
    }
    const own = logits[start + label]!;
    let max = -Infinity;
    for (let k = start; k < end; k++) {
      if (logits[k]! > max) max = logits[k]!;
    }
    let total = 0;
    for (let k = start; k < end; k++) {
      const e = Math.exp(logits[k]! - max);
      gradLogits[k] = e;
      total += e;
    }
    const scale = 1 / (total * active);
    for (let k = start; k < end; k++) gradLogits[k]! *= scale;
    gradLogits[start + label]! -= 1 / active;
    sum += max + Math.log(total) - own;
  }
  return active === 0 ? 0 : sum / active;
}

/** Throws unless the two numbers agree to the relative error given: verify, then time. */
export function verify(
  what: string,
  actual: number,
  expected: number,
  tolerance = 1e-6,
): void {
  const error = Math.abs(actual - expected) / Math.max(1, Math.abs(expected));
  if (!(error <= tolerance)) {
    throw new Error(`Cannot time ${what}: it gives ${actual}, not ${expected}`);
  }
}

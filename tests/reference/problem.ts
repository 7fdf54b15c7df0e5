/** Small problems for the reference's tests. */
import type { LossProblem } from "../../src/engine.ts";

/** Numbers in [0, 1) from a seed (a linear congruence modulo 2^32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A problem of one row per list of logits, without options but `more`. */
export function problemOf(
  rows: number[][],
  targets: number[],
  more: Partial<LossProblem> = {},
): LossProblem {
  const logits = Float32Array.from(rows.flat());
  const vocabSize = rows[0]?.length ?? 1;
  return flatProblem(logits, Int32Array.from(targets), { vocabSize, ...more });
}

/** A problem of one row per target, its logits given as they are stored. */
export function flatProblem(
  logits: LossProblem["logits"],
  targets: Int32Array,
  more: Partial<LossProblem> = {},
): LossProblem {
  const rows = targets.length;
  const rowStride = more.rowStride ?? more.vocabSize ?? logits.length / rows;
  return {
    logits,
    dtype: "f32",
    rows,
    vocabSize: rowStride,
    rowStride,
    targets,
    ignoreIndex: -100,
    rowWeights: null,
    classWeights: null,
    labelSmoothing: 0,
    zLoss: 0,
    softcap: 0,
    logitScale: 1,
    metrics: false,
    ...more,
  };
}

/**
 * From a checked problem to jobs: the label of each row, whether it is scored,
 * and the one factor of its gradient, computed in float64 and rounded once.
 *
 * @module
 */
import type { LossProblem } from "../engine.ts";
import { classWeight, isSilent, rowWeight } from "../reference/normalize.ts";
import {
  ACTIVE,
  INVALID,
  JOB_WORDS,
  SILENT,
  STAMP_SHIFT,
} from "./storage_wgsl.ts";

/** The jobs of a problem, [N · JOB_WORDS]; `coefficients` [N] are ∂loss/∂perToken, and `stamp` is the number of the batch. */
export function jobsOf(
  problem: LossProblem,
  coefficients: Float64Array | null,
  stamp = 0,
): ArrayBuffer {
  const { rows, targets, ignoreIndex } = problem;
  const bytes = new ArrayBuffer(4 * JOB_WORDS * rows);
  const words = new Uint32Array(bytes);
  const floats = new Float32Array(bytes);
  for (let i = 0; i < rows; i++) {
    const label = targets[i]!;
    const at = JOB_WORDS * i;
    words[at + 1] = stamp << STAMP_SHIFT;
    if (label === ignoreIndex) continue;
    const weight = rowWeight(problem, i);
    words[at] = label;
    words[at + 1]! |= isSilent(problem, i, label) ? ACTIVE | SILENT : ACTIVE;
    floats[at + 2] = weight;
    floats[at + 3] = coefficients === null ? 0 : coefficients[i]! * weight;
  }
  return bytes;
}

/** A problem whose labels the device knew, as it is told afterwards. */
export interface FoundLabels {
  /** The problem with its targets: a class, the nearest one where a label is none, or its own ignoreIndex. */
  problem: LossProblem;
  /** The problem to weigh the rows of: there a label that is no class weighs 1. */
  weighed: LossProblem;
  /** How many labels are neither a class nor ignoreIndex. */
  invalidLabelRows: number;
}

/** Targets that are not scored: no class, whatever the caller's ignoreIndex is. */
const NOT_SCORED = -1;

/** Reads the jobs that the device made of a problem. */
export function readJobs(bytes: ArrayBuffer, given: LossProblem): FoundLabels {
  const { rows } = given;
  const words = new Uint32Array(bytes);
  const floats = new Float32Array(bytes);
  const targets = new Int32Array(rows).fill(NOT_SCORED);
  const rowWeights = new Float64Array(rows);
  const weights = new Float64Array(rows);
  let invalidLabelRows = 0;
  for (let i = 0; i < rows; i++) {
    const at = JOB_WORDS * i;
    const flags = words[at + 1]!;
    if ((flags & ACTIVE) === 0) continue;
    const label = words[at]!;
    targets[i] = label;
    rowWeights[i] = floats[at + 2]!;
    const invalid = (flags & INVALID) !== 0;
    if (invalid) invalidLabelRows++;
    weights[i] = rowWeights[i]! * (invalid ? 1 : classWeight(given, label));
  }
  const problem: LossProblem = {
    ...given,
    targets,
    ignoreIndex: NOT_SCORED,
    // weights of 1 are none: then sums are counts
    rowWeights: given.rowWeights === null ? null : rowWeights,
  };
  const weighed = given.classWeights === null
    ? problem
    : { ...problem, rowWeights: weights, classWeights: null };
  return { problem, weighed, invalidLabelRows };
}

/**
 * From a checked problem to jobs: the label of each row, whether it is scored,
 * and the one factor of its gradient, computed in float64 and rounded once.
 *
 * @module
 */
import type { LossProblem } from "../engine.ts";
import { isSilent, rowWeight } from "../reference/normalize.ts";
import { ACTIVE, INVALID, JOB_WORDS, SILENT } from "./storage_wgsl.ts";

/** The jobs of a problem, [N · JOB_WORDS]; `coefficients` [N] are ∂loss/∂perToken. */
export function jobsOf(
  problem: LossProblem,
  coefficients: Float64Array | null,
): ArrayBuffer {
  const { rows, targets, ignoreIndex } = problem;
  const bytes = new ArrayBuffer(4 * JOB_WORDS * rows);
  const words = new Uint32Array(bytes);
  const floats = new Float32Array(bytes);
  for (let i = 0; i < rows; i++) {
    const label = targets[i]!;
    if (label === ignoreIndex) continue;
    const weight = rowWeight(problem, i);
    const at = JOB_WORDS * i;
    words[at] = label;
    words[at + 1] = isSilent(problem, i, label) ? ACTIVE | SILENT : ACTIVE;
    floats[at + 2] = weight;
    floats[at + 3] = coefficients === null ? 0 : coefficients[i]! * weight;
  }
  return bytes;
}

/** What the device made of labels that live there. */
export interface FoundLabels {
  /** [N] The label of each row, or ignoreIndex; one that is out of range is the nearest class. */
  targets: Int32Array;
  /** [N] The weight of each row. */
  rowWeights: Float64Array;
  /** How many labels are neither a class nor ignoreIndex. */
  invalidLabelRows: number;
}

/** Reads jobs that the device made. */
export function readJobs(
  bytes: ArrayBuffer,
  rows: number,
  ignoreIndex: number,
): FoundLabels {
  const words = new Uint32Array(bytes);
  const floats = new Float32Array(bytes);
  const targets = new Int32Array(rows).fill(ignoreIndex);
  const rowWeights = new Float64Array(rows);
  let invalidLabelRows = 0;
  for (let i = 0; i < rows; i++) {
    const at = JOB_WORDS * i;
    const flags = words[at + 1]!;
    if ((flags & ACTIVE) === 0) continue;
    targets[i] = words[at]!;
    rowWeights[i] = floats[at + 2]!;
    if ((flags & INVALID) !== 0) invalidLabelRows++;
  }
  return { targets, rowWeights, invalidLabelRows };
}

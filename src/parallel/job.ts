/**
 * A job as it lies in memory, written by the host and read by every thread:
 * the host's half of assembly/job.ts, which has the same places in the same
 * order.
 *
 * @module
 */

/** Bytes from a job's address: what threads tell each other, each in a cache line of its own. */
export const NEXT = 0, READY = 64, DONE = 128, HELD = 192, FIELDS = 448;

/** Bytes of a job with all of that. */
export const JOB_BYTES = 640;

/** The most threads there can be: those that HELD has room for. */
export const MAX_THREADS: number = (FIELDS - HELD) / 4;

/** The whole numbers of a job, in their order: counts, and addresses in bytes. */
const INTEGERS = [
  "first",
  "pieceRows",
  "rows",
  "vocabSize",
  "logits",
  "rowBytes",
  "places",
  "order",
  "dtype",
  "ignoreIndex",
  "targets",
  "weights",
  "factors",
  "apart",
  "outBytes",
  "outType",
  "perToken",
  "logSumExp",
  "nll",
  "entropy",
  "flags",
  "classWeights",
  "scratch",
  "scratchBytes",
  "metrics",
  "phase",
] as const;

/** The float64 numbers behind them. */
const NUMBERS = [
  "smoothing",
  "zLoss",
  "logitScale",
  "softcap",
  "classTotal",
] as const;

/** What threads are to do: see the fields of the same names in assembly/job.ts. */
export type Job = Record<
  (typeof INTEGERS)[number] | (typeof NUMBERS)[number],
  number
>;

/** A job before it is begun. */
export type Plan = Omit<Job, "first">;

/** Writes a job to its address. Nobody may hold a piece of the last one. */
export function writeJob(buffer: ArrayBufferLike, at: number, job: Job): void {
  const integers = new Int32Array(buffer, at + FIELDS, INTEGERS.length);
  INTEGERS.forEach((name, i) => integers[i] = job[name]);
  const behind = integers.byteOffset + integers.byteLength;
  const numbers = new Float64Array(buffer, behind, NUMBERS.length);
  NUMBERS.forEach((name, i) => numbers[i] = job[name]);
}

// A job for many threads, as it lies in memory, and what threads tell each other
// about it. In the builds for threads only; the host's half is src/parallel/job.ts.
import { configure } from "./options";

/** This thread's number. */
// @ts-ignore: decorator
@external("thread", "index")
export declare const INDEX: usize;

/** Where the job is. */
// @ts-ignore: decorator
@external("thread", "job")
export declare const JOB: usize;

// In front of the job, each in a cache line of its own, what threads tell each other:
/** i32: the number of the next piece to take. */
export const NEXT: usize = 0;
/** i32: the first number that is not to be taken yet. */
export const READY: usize = 64;
/** i32: how many pieces are done, of all jobs. The host sleeps on it. */
export const DONE: usize = 128;
/** i32[64]: 1 while a thread is at a piece. */
export const HELD: usize = 192;
/** The job itself. */
export const FIELDS: usize = 448;

/** A job; src/parallel/job.ts has the same fields in the same order. Addresses are bytes from 0. */
@unmanaged
export class Job {
  /** The number of its first piece. */
  first: i32;
  /** Rows of a piece; columns of one, of the one row there is, in a phase of tiles.ts. */
  pieceRows: i32;
  rows: i32;
  vocabSize: i32;
  /** The first row, and from one to the next. */
  logits: i32;
  rowBytes: i32;
  /** i32[pieces], or 0: where each piece's rows are, if not one behind the other; 0 once it is done. */
  places: i32;
  /** i32[pieces], or 0: which pieces are given out, if not all in their order. */
  order: i32;
  dtype: i32;
  ignoreIndex: i32;
  /** i32[rows], f64[rows] */
  targets: i32;
  weights: i32;
  /** f64[rows], or 0 where no gradient is wanted. */
  factors: i32;
  /** From a piece's rows to its gradient, 0 for in place. */
  apart: i32;
  outBytes: i32;
  outType: i32;
  /** f64[rows] each, flags i32[rows]. */
  perToken: i32;
  logSumExp: i32;
  nll: i32;
  entropy: i32;
  flags: i32;
  /** f64[V], or 0. */
  classWeights: i32;
  /** Thread 0's scratch row, and from one thread's to the next. */
  scratch: i32;
  scratchBytes: i32;
  metrics: i32;
  /** 0 for whole rows, or a phase of tiles.ts. */
  phase: i32;
  smoothing: f64;
  zLoss: f64;
  logitScale: f64;
  softcap: f64;
  classTotal: f64;
}

/** Sets what the caller asked for, with the scratch row of the thread of that number. */
export function configure_for(job: Job, thread: usize): void {
  configure(
    job.smoothing,
    job.zLoss,
    job.logitScale,
    job.softcap,
    job.classWeights,
    job.classTotal,
    <usize>job.scratch + thread * <usize>job.scratchBytes,
    job.metrics,
  );
}

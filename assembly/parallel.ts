// Many threads over one memory: a job is cut into pieces of whole rows, and every
// thread takes the next piece until none is left. In the builds for threads only;
// the host's half is src/parallel/.
//
// A row's result depends on that row alone, so who computes it, and beside what,
// changes no bit. The host writes a job while nothing is LEFT, then stores LEFT
// and wakes the threads. A piece is taken by lowering LEFT, and only then is the
// rest of the job read: while a piece is out its job cannot end, so nobody ever
// reads one that is being written.
//
// A thread has an instance of each build over the same memory. Their constants lie
// in different places (asconfig.json, memoryBase) and each has a job of its own;
// the tables are the thread's, whichever build it runs.
import {
  BACKUP, ENTROPY, FACTORS, FLAGS, LABELS, LSE, NLL, PER_TOKEN, ROWS, WEIGHTS,
} from "./memory";
import { configure } from "./options";
import { differentiate, score } from "./rows";

/** This thread's number. */
// @ts-ignore: decorator
@external("thread", "index")
declare const INDEX: usize;

/** Where the job is. */
// @ts-ignore: decorator
@external("thread", "job")
declare const JOB: usize;

// In front of the job, each in a cache line of its own, what threads tell each other:
/** i32: pieces that nobody has taken; -1 tells the threads to end. */
const LEFT: usize = 0;
/** i32: pieces that are finished. The host sleeps on it. */
const DONE: usize = 64;
/** i32[64]: 1 + the piece each thread is at, 0 for none. */
const HELD: usize = 128;
/** The job itself. */
const FIELDS: usize = 384;

/** A job; src/parallel/job.ts has the same fields in the same order. Addresses are bytes from 0. */
@unmanaged
class Job {
  pieces: i32;
  pieceRows: i32;
  rows: i32;
  vocabSize: i32;
  /** The first row, and from one to the next. */
  logits: i32;
  rowBytes: i32;
  dtype: i32;
  ignoreIndex: i32;
  /** i32[rows], f64[rows] */
  targets: i32;
  weights: i32;
  /** f64[rows], or 0 where no gradient is wanted. */
  factors: i32;
  out: i32;
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
  unused: i32;
  smoothing: f64;
  zLoss: f64;
  logitScale: f64;
  softcap: f64;
  classTotal: f64;
}

/** LEFT before this thread took one of it; what it is where there was none. */
function take(): i32 {
  while (true) {
    const left = atomic.load<i32>(JOB + LEFT);
    if (left <= 0) return left;
    if (atomic.cmpxchg<i32>(JOB + LEFT, left, left - 1) == left) return left;
  }
}

function run(job: Job, piece: i32): void {
  const from = <usize>piece * <usize>job.pieceRows;
  const count = min(<usize>job.pieceRows, <usize>job.rows - from);
  const words = count << 2, doubles = count << 3;
  memory.copy(LABELS, <usize>job.targets + (from << 2), words);
  memory.copy(WEIGHTS, <usize>job.weights + (from << 3), doubles);
  configure(
    job.smoothing,
    job.zLoss,
    job.logitScale,
    job.softcap,
    job.classWeights,
    job.classTotal,
    <usize>job.scratch + INDEX * <usize>job.scratchBytes,
    job.metrics,
  );
  const rowBytes = <usize>job.rowBytes, vocabSize = <usize>job.vocabSize;
  const logits = <usize>job.logits + from * rowBytes;
  if (job.factors == 0) {
    score(logits, count, vocabSize, rowBytes, job.dtype, job.ignoreIndex);
  } else {
    memory.copy(FACTORS, <usize>job.factors + (from << 3), doubles);
    const out = <usize>job.out + from * <usize>job.outBytes;
    differentiate(
      logits, count, vocabSize, rowBytes, job.dtype, job.ignoreIndex,
      out, job.outBytes, job.outType,
    );
  }
  memory.copy(<usize>job.perToken + (from << 3), PER_TOKEN, doubles);
  memory.copy(<usize>job.logSumExp + (from << 3), LSE, doubles);
  memory.copy(<usize>job.nll + (from << 3), NLL, doubles);
  memory.copy(<usize>job.entropy + (from << 3), ENTROPY, doubles);
  memory.copy(<usize>job.flags + (from << 2), FLAGS, words);
}

/** Takes pieces until none is left, and returns LEFT: 0, or -1 where the thread is to end. */
export function work(): i32 {
  const job = changetype<Job>(JOB + FIELDS);
  while (true) {
    const left = take();
    if (left <= 0) return left;
    const piece = job.pieces - left;
    atomic.store<i32>(JOB + HELD + (INDEX << 2), piece + 1);
    run(job, piece);
    atomic.store<i32>(JOB + HELD + (INDEX << 2), 0);
    if (atomic.add<i32>(JOB + DONE, 1) + 1 == job.pieces) atomic.notify(JOB + DONE);
  }
}

/** Bytes of one thread's tables. */
export function table_bytes(): usize {
  return FLAGS + (ROWS << 2) - BACKUP;
}

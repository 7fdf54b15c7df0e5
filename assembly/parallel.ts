// Many threads over one memory: a job is cut into pieces of whole rows, and every
// thread takes the next piece until none is left. In the builds for threads only;
// the host's half is src/parallel/.
//
// A row's result depends on that row alone, so who computes it, and beside what,
// changes no bit. Pieces are numbered through all jobs. The host writes a job while
// no piece is out, then raises READY, at once or little by little; who raises NEXT
// from n to n + 1 has taken piece n, and only then reads the job: it cannot end
// before that piece is done, so nobody ever reads one that is being written.
//
// A thread has an instance of each build over the same memory. Their constants lie
// in different places (asconfig.json, memoryBase) and each has a job of its own;
// the tables are the thread's, whichever build it runs.
import {
  BACKUP, ENTROPY, FACTORS, FLAGS, LABELS, LSE, NLL, PER_TOKEN, ROWS, WEIGHTS,
} from "./memory";
import { configure } from "./options";
import { score } from "./rows";

/** This thread's number. */
// @ts-ignore: decorator
@external("thread", "index")
declare const INDEX: usize;

/** Where the job is. */
// @ts-ignore: decorator
@external("thread", "job")
declare const JOB: usize;

// In front of the job, each in a cache line of its own, what threads tell each other:
/** i32: the number of the next piece to take. */
const NEXT: usize = 0;
/** i32: the first number that is not to be taken yet. */
const READY: usize = 64;
/** i32: how many pieces are done, of all jobs. The host sleeps on it. */
const DONE: usize = 128;
/** i32[64]: 1 while a thread is at a piece. */
const HELD: usize = 192;
/** The job itself. */
const FIELDS: usize = 448;

/** A job; src/parallel/job.ts has the same fields in the same order. Addresses are bytes from 0. */
@unmanaged
class Job {
  /** The number of its first piece. */
  first: i32;
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
  unused: i32;
  smoothing: f64;
  zLoss: f64;
  logitScale: f64;
  softcap: f64;
  classTotal: f64;
}

function run(job: Job, piece: usize): void {
  const from = piece * <usize>job.pieceRows;
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
  const place = <usize>job.places + (piece << 2);
  const logits = job.places == 0
    ? <usize>job.logits + from * rowBytes
    : <usize>load<u32>(place);
  if (job.factors != 0) {
    memory.copy(FACTORS, <usize>job.factors + (from << 3), doubles);
  }
  score(
    logits, count, vocabSize, rowBytes, job.dtype, job.ignoreIndex,
    job.factors == 0 ? 0 : logits + <usize>job.apart, job.outBytes, job.outType,
  );
  memory.copy(<usize>job.perToken + (from << 3), PER_TOKEN, doubles);
  memory.copy(<usize>job.logSumExp + (from << 3), LSE, doubles);
  memory.copy(<usize>job.nll + (from << 3), NLL, doubles);
  memory.copy(<usize>job.entropy + (from << 3), ENTROPY, doubles);
  memory.copy(<usize>job.flags + (from << 2), FLAGS, words);
  if (job.places != 0) atomic.store<i32>(place, 0);
}

/** Does a piece that was not, and will not be, given out. The job has begun. */
export function own(piece: i32): void {
  run(changetype<Job>(JOB + FIELDS), <usize>piece);
}

/** Takes one piece and does it; 0 where there was none. */
export function step(): i32 {
  let next = 0;
  do {
    next = atomic.load<i32>(JOB + NEXT);
    if (next == atomic.load<i32>(JOB + READY)) return 0;
  } while (atomic.cmpxchg<i32>(JOB + NEXT, next, next + 1) != next);
  const job = changetype<Job>(JOB + FIELDS);
  let piece = <usize>(next - job.first);
  if (job.order != 0) piece = <usize>load<u32>(<usize>job.order + (piece << 2));
  const held = JOB + HELD + (INDEX << 2);
  atomic.store<i32>(held, 1);
  run(job, piece);
  atomic.store<i32>(held, 0);
  atomic.add<i32>(JOB + DONE, 1);
  atomic.notify(JOB + DONE);
  return 1;
}

/** Bytes of one thread's tables. */
export function table_bytes(): usize {
  return FLAGS + (ROWS << 2) - BACKUP;
}

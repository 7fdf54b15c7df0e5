// Many threads over one memory: a job is cut into pieces of whole rows, or its one
// row into tiles of columns, and every thread takes the next piece until none is
// left. In the builds for threads only; the host's half is src/parallel/.
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
import { DONE, FIELDS, HELD, INDEX, JOB, Job, NEXT, READY, configure_for } from "./job";
import {
  BACKUP, ENTROPY, FACTORS, FLAGS, LABELS, LSE, NLL, PER_TOKEN, ROWS, WEIGHTS,
} from "./memory";
import { score } from "./rows";
import { tile } from "./tiles";

export { after } from "./tiles";

function run(job: Job, piece: usize): void {
  if (job.phase != 0) {
    tile(job, piece);
    return;
  }
  const from = piece * <usize>job.pieceRows;
  const count = min(<usize>job.pieceRows, <usize>job.rows - from);
  const words = count << 2, doubles = count << 3;
  memory.copy(LABELS, <usize>job.targets + (from << 2), words);
  memory.copy(WEIGHTS, <usize>job.weights + (from << 3), doubles);
  configure_for(job, INDEX);
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

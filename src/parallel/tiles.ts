/**
 * Rows that are fewer than the threads, cut into tiles of columns: the host's half
 * of assembly/tiles.ts. A phase is a job of its own; behind it the caller's thread
 * alone adds up what all have found.
 *
 * A row of the float32 path is never cut: one of 151,936 logits takes 44 µs, about
 * what it can take to wake a thread for half of it. With options it takes 1 to 4 ms.
 *
 * @module
 */
import type { GradTarget, LossProblem } from "../engine.ts";
import type { Build } from "../wasm/loader.ts";
import { align } from "../wasm/memory.ts";
import type { Crew } from "./crew.ts";
import { copyIn, copyOut } from "./elsewhere.ts";
import type { Plan } from "./job.ts";

/** The first phase of a row. */
const TRANSFORM = 1;

/** Columns of a tile, a multiple of this: whole vectors of every type. */
const STEP = 1024;

/** Columns from which on the float64 path of a row outweighs waking a thread for each of its phases. */
export const WIDE: number = 16 * STEP;

/** Tiles for each thread, so that at the end none waits long for another. */
const SHARES = 4;

/** The part of all threads' time that whole rows must keep busy, or else they are cut: what tiles keep busy. */
const BUSY = 0.8;

/** Whether to cut rows: they are long and on the float64 path, and whole they would leave threads without any. */
export function isForTiles(
  crew: Crew,
  { targets, ignoreIndex, vocabSize }: LossProblem,
  { metrics, softcap, logitScale, smoothing }: Plan,
  wide: number,
): boolean {
  const { threads } = crew;
  if (threads === 1 || vocabSize < wide) return false;
  if (!metrics && softcap === 0 && logitScale === 1 && smoothing === 0) {
    return false;
  }
  const scored = targets.filter((label) => label !== ignoreIndex).length;
  return scored < BUSY * threads * Math.ceil(scored / threads);
}

/** Runs a job, of one row to a piece, row by row; outside the shared memory the rows are `stride` elements long. */
export function runInTiles(
  crew: Crew,
  build: Build,
  problem: LossProblem,
  job: Plan,
  target: GradTarget | null,
  stride: number,
): void {
  const { memory, rooms, threads } = crew;
  const { rows, vocabSize, targets, ignoreIndex } = problem;
  const isOwn = job.places === 0;
  const at = isOwn ? job.logits : rooms.copies.reserve(
    align(job.rowBytes) + (job.apart === 0 ? 0 : align(job.outBytes)),
  );
  const columns = Math.ceil(vocabSize / (SHARES * threads * STEP)) * STEP;
  const tiles = Math.ceil(vocabSize / columns);
  const bytes = new Uint8Array(memory.memory.buffer);
  for (let row = 0; row < rows; row++) {
    const logits = isOwn ? at + row * job.rowBytes : at;
    const isScored = targets[row] !== ignoreIndex;
    if (isScored) {
      if (!isOwn) copyIn(memory, problem, job, row, stride, at);
      const one = { ...rowOf(job, row), logits, pieceRows: columns };
      for (let phase = TRANSFORM; phase !== 0;) {
        crew.begin(build, { ...one, phase });
        // without a cap that one is over before a thread has woken
        crew.publish(build, tiles, phase === TRANSFORM && job.softcap === 0);
        crew.finish(build);
        phase = crew.after(build);
      }
    } else {
      nothing(crew, job, row);
      if (target !== null) {
        bytes.fill(0, logits + job.apart, logits + job.apart + job.outBytes);
      }
    }
    if (target !== null && !isOwn) {
      copyOut(memory, target, job, row, at + job.apart);
    }
  }
}

/** The job of one of its rows, which is one value after the other. */
function rowOf(job: Plan, row: number): Plan {
  return {
    ...job,
    rows: 1,
    rowBytes: 4,
    places: 0,
    order: 0,
    targets: job.targets + 4 * row,
    weights: job.weights + 8 * row,
    factors: job.factors === 0 ? 0 : job.factors + 8 * row,
    perToken: job.perToken + 8 * row,
    logSumExp: job.logSumExp + 8 * row,
    nll: job.nll + 8 * row,
    entropy: job.entropy + 8 * row,
    flags: job.flags + 4 * row,
  };
}

/** What is said of a row that is not scored. */
function nothing({ memory }: Crew, job: Plan, row: number): void {
  for (const part of ["perToken", "logSumExp", "nll", "entropy"] as const) {
    memory.f64[(job[part] >>> 3) + row] = 0;
  }
  memory.i32[(job.flags >>> 2) + row] = 0;
}

/**
 * Rows so few that whole ones would leave most threads idle, cut into tiles of
 * columns: the host's half of assembly/tiles.ts. A phase is a job of its own; behind
 * it the caller's thread alone adds up what all have found.
 *
 * It is for rows of the float64 path alone, a long one of which takes 0.7 to 4 ms.
 * On the float32 path one of 151,936 takes 44 µs, about what it can take to wake a
 * thread for half of it (under zLoss alone 0.7 ms, but there each block's reference
 * waits for the one before).
 *
 * @module
 */
import type { GradTarget, LossProblem } from "../engine.ts";
import { smoothingOf } from "../reference/normalize.ts";
import type { Build } from "../wasm/loader.ts";
import type { Crew } from "./crew.ts";
import { bytesOfCopy, copyIn, copyOut } from "./elsewhere.ts";
import type { Plan } from "./job.ts";

/** The first phase of a row. */
const TRANSFORM = 1;

/** Columns of a tile, a multiple of this: whole vectors of every type. */
const STEP = 1024;

/** Columns from which on a row is worth waking threads: it takes 0.15 to 0.3 ms. */
export const WIDE: number = 32 * STEP;

/** Tiles for each thread, so that at the end none waits long for another. */
const SHARES = 4;

/** Scratch rows of a row in tiles: one of u, one of terms. */
export const TILE_SLOTS = 2;

/** The part of a row that the caller's thread does alone, beside waking others: 0.04 (softcap) to 0.26 (labelSmoothing) measured. */
const ALONE = 0.3;

/** How much of the time of whole rows is to be saved at least. */
const WORTH = 0.1;

/** Whether to cut rows: they are long, on the float64 path, and whole they would take longer. */
export function isForTiles(
  threads: number,
  problem: LossProblem,
  wide: number,
): boolean {
  const { targets, ignoreIndex, vocabSize } = problem;
  const { metrics, softcap, logitScale } = problem;
  if (threads === 1 || vocabSize < wide) return false;
  if (
    !metrics && softcap === 0 && logitScale === 1 && smoothingOf(problem) === 0
  ) return false;
  const scored = targets.filter((label) => label !== ignoreIndex).length;
  const whole = Math.ceil(scored / threads);
  const helpers = Math.min(threads, Math.ceil(vocabSize / STEP));
  const cut = scored * (ALONE + (1 - ALONE) / helpers);
  return cut < (1 - WORTH) * whole;
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
  const at = isOwn ? job.logits : rooms.copies.reserve(bytesOfCopy(job));
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
        crew.publish(build, tiles, false);
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

/**
 * Rows that lie outside the shared memory pass through it a piece at a time. The
 * caller's thread alone can copy them: it fills pieces for others as long as there
 * is room and it is worth it, and does the rest itself.
 *
 * @module
 */
import type { GradTarget, LossProblem } from "../engine.ts";
import { CODE } from "../wasm/engine.ts";
import type { Build } from "../wasm/loader.ts";
import { align } from "../wasm/memory.ts";
import type { Crew } from "./crew.ts";
import type { Plan } from "./job.ts";
import type { SharedMemory } from "./memory.ts";

type Stored = Float32Array | Uint16Array;

/** Copies for each other thread: one it is at, one that waits for it, one being made or brought back. */
const COPIES = 3;

/**
 * Bytes of copies for each other thread, and for all of them. A copy is used again
 * when as much has passed through the others, so that it has left the cache of who
 * read it: of 1.5 to 12 MB, 6 and more were fastest beside caches of 1 MB.
 */
const PASSING = 6 * 1024 * 1024, MOST = 32 * 1024 * 1024;

/** A piece that others may take. */
interface Given {
  piece: number;
  /** Where its copy is. */
  at: number;
  /** Milliseconds that it took to make it. */
  time: number;
}

/** Runs a job over rows `stride` elements long, and brings the gradient back to the target. */
export function passThrough(
  crew: Crew,
  build: Build,
  problem: LossProblem,
  job: Plan,
  target: GradTarget | null,
  stride: number,
): void {
  const { memory, threads, trade } = crew;
  const { pieceRows, places, order } = job;
  const pieces = Math.ceil(problem.rows / pieceRows);
  const bytes = bytesOfCopy(job);
  // one copy is the caller's own, and stays in its cache
  const others = threads === 1
    ? 0
    : Math.min(pieces - 1, copiesFor(threads - 1, bytes));
  const mine = crew.rooms.copies.reserve((1 + others) * bytes);
  const free = Array.from({ length: others }, (_, i) => mine + (i + 1) * bytes);
  let given: Given[] = [];
  let published = 0;
  const fetch = (piece: number, at: number) => {
    copyIn(memory, problem, job, piece, stride, at);
    Atomics.store(memory.i32, (places >>> 2) + piece, at);
  };
  const bring = (piece: number, at: number) => {
    if (target !== null) copyOut(memory, target, job, piece, at + job.apart);
  };
  crew.begin(build, job);
  trade.begin();
  for (let next = 0; next < pieces || given.length > 0;) {
    const seen = crew.progress(build);
    given = given.filter(({ piece, at, time }) => {
      if (Atomics.load(memory.i32, (places >>> 2) + piece) !== 0) return true;
      const start = performance.now();
      bring(piece, at);
      trade.give(time + performance.now() - start, bytes);
      free.push(at);
      return false;
    });
    const start = performance.now();
    const at = next < pieces && trade.gives() ? free.shift() : undefined;
    if (at !== undefined) {
      fetch(next, at);
      memory.i32[(order >>> 2) + published++] = next;
      crew.publish(build, 1, false);
      given.push({ piece: next++, at, time: performance.now() - start });
    } else if (next < pieces) {
      fetch(next, mine);
      crew.own(build, next);
      bring(next++, mine);
      trade.keep(performance.now() - start, bytes);
    } else if (!crew.step(build) && given.length > 0) {
      crew.pause(build, seen);
    }
  }
}

/** Bytes of a piece's copy, and of its gradient where that is not in place. */
export function bytesOfCopy(
  { pieceRows, rowBytes, apart, outBytes }: Plan,
): number {
  return align(pieceRows * rowBytes) +
    (apart === 0 ? 0 : align(pieceRows * outBytes));
}

function copiesFor(threads: number, bytes: number): number {
  const passing = Math.min(PASSING * threads, MOST);
  return Math.max(COPIES * threads, Math.ceil(passing / bytes));
}

/** Rows of a piece into the shared memory. */
export function copyIn(
  memory: SharedMemory,
  { dtype, logits, rowStride, rows }: LossProblem,
  { pieceRows }: Plan,
  piece: number,
  stride: number,
  at: number,
): void {
  const heap = dtype === "f32" ? memory.f32 : memory.u16;
  const to = at / heap.BYTES_PER_ELEMENT;
  const from = piece * pieceRows, end = Math.min(from + pieceRows, rows);
  const source = logits as Stored;
  if (stride === rowStride) {
    heap.set(source.subarray(from * rowStride, end * rowStride), to);
    return;
  }
  for (let row = from; row < end; row++) {
    const start = row * rowStride;
    const one = source.subarray(start, start + stride);
    heap.set(one, to + (row - from) * stride);
  }
}

/** Their gradient to where it was wanted. */
export function copyOut(
  memory: SharedMemory,
  { array, rowStride }: GradTarget,
  { outType, pieceRows, rows }: Plan,
  piece: number,
  at: number,
): void {
  const heap = outType === CODE.f32 ? memory.f32 : memory.u16;
  const from = piece * pieceRows;
  const count = Math.min(pieceRows, rows - from);
  const start = at / heap.BYTES_PER_ELEMENT;
  const out = heap.subarray(start, start + count * rowStride);
  (array as Stored).set(out, from * rowStride);
}

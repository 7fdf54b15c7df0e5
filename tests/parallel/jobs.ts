/**
 * Jobs made by hand, for what the engine never does: begin one and look.
 *
 * @module
 */
import { Crew, type CrewOptions } from "../../src/parallel/crew.ts";
import { DONE, HELD, NEXT, type Plan, READY } from "../../src/parallel/job.ts";

/** A job of `pieces` rows, each a piece, of V equal logits with label 0; `logits` says where they are. */
export function flatJob(
  crew: Crew,
  pieces: number,
  V: number,
  change: Partial<Plan> = {},
): Plan {
  const { memory } = crew;
  const row = 4 * V + 64;
  const logits = memory.allocate(pieces * row);
  const rows = change.rows ?? pieces;
  const doubles = memory.allocate(8 * 6 * rows);
  const words = memory.allocate(8 * rows);
  const scratchBytes = 8 * (V + 2) + 4 * (V + 8) + 64;
  const scratch = memory.allocate(crew.threads * scratchBytes);
  new Float64Array(memory.memory.buffer, doubles, rows).fill(1);
  return {
    pieceRows: 1,
    rows,
    vocabSize: V,
    logits,
    rowBytes: row,
    places: 0,
    order: 0,
    dtype: 0,
    ignoreIndex: -100,
    targets: words,
    weights: doubles,
    factors: 0,
    apart: 0,
    outBytes: 0,
    outType: 0,
    perToken: doubles + 16 * rows,
    logSumExp: doubles + 24 * rows,
    nll: doubles + 32 * rows,
    entropy: doubles + 40 * rows,
    flags: words + 4 * rows,
    classWeights: 0,
    scratch,
    scratchBytes,
    metrics: 0,
    phase: 0,
    smoothing: 0,
    zLoss: 0,
    logitScale: 1,
    softcap: 0,
    classTotal: V,
    ...change,
  };
}

/** The losses that a job found. */
export function lossesOf(crew: Crew, job: Plan): Float64Array {
  const { buffer } = crew.memory.memory;
  return new Float64Array(buffer, job.perToken, job.rows);
}

/** What threads tell each other about a job. */
export interface Board {
  /** How many pieces nobody has taken, and how many were ever done. */
  left(): number;
  done(): number;
  held(thread: number): number;
  /** Makes it look as if a thread had taken the next piece. */
  pretend(thread: number): void;
  /** Makes it look as if a piece was taken and never done. */
  lose(): void;
}

/** The board of a crew's fastest build. */
export function board(crew: Crew): Board {
  const at = crew.jobAt(crew.builds[0]!) >> 2, { i32 } = crew.memory;
  const read = (word: number) => Atomics.load(i32, at + (word >> 2));
  return {
    left: () => read(READY) - read(NEXT),
    done: () => read(DONE),
    held: (thread) => read(HELD + 4 * thread),
    pretend(thread): void {
      Atomics.add(i32, at + (NEXT >> 2), 1);
      Atomics.store(i32, at + ((HELD + 4 * thread) >> 2), 1);
    },
    lose: () => void Atomics.sub(i32, at + (DONE >> 2), 1),
  };
}

/** Waits until something holds, with this thread asleep in between; fails after 20 s. */
export function until(holds: () => boolean): void {
  const word = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < 20_000; i++) {
    if (holds()) return;
    Atomics.wait(word, 0, 0, 1);
  }
  throw new Error("It never came true");
}

/** A crew of web workers, and those workers, for a test to end. */
export async function openWatched(
  options: CrewOptions,
): Promise<{ crew: Crew; made: Worker[] }> {
  const made: Worker[] = [];
  const { Worker: original } = globalThis;
  globalThis.Worker = class extends original {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      made.push(this);
    }
  };
  try {
    return { crew: await Crew.open({ ...options, host: "web" }), made };
  } finally {
    globalThis.Worker = original;
  }
}

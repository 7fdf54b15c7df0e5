/**
 * The threads at work: the caller's own, which is number 0 and takes its share,
 * and those that were started. A job is begun, everyone takes pieces of it, and
 * it is over when all are done; nobody waits for a thread, only for the pieces
 * that are out.
 *
 * @module
 */
import { type Build, fastestBuild } from "../wasm/loader.ts";
import { align } from "../wasm/memory.ts";
import {
  DONE,
  HELD,
  JOB_BYTES,
  NEXT,
  type Plan,
  READY,
  writeJob,
} from "./job.ts";
import {
  instantiateThread,
  type ThreadKernels,
  threadModule,
} from "./kernels.ts";
import { Rooms, SharedMemory } from "./memory.ts";
import { mayWait, startThread, type Thread } from "./threads.ts";
import { Trade } from "./trade.ts";

/** How a crew works; tests ask for other than the usual. */
export interface CrewOptions {
  /** How many threads, the caller's included. */
  threads: number;
  /** Milliseconds without any progress after which a thread counts as lost, beside {@link SLOWEST} (default 10 s). */
  patience?: number;
  /** Bytes of float32 logits in a piece, at most (default 1 MB; 64 KB to 2 MB were measured, and the fewer begin with cold caches the better). */
  pieceBytes?: number;
  /** What kind of threads, where the host has both (default those of Node). */
  host?: "node" | "web";
}

/** Milliseconds of one wait; between waits the host looks whether a thread has failed. */
const TICK = 50;

/** Milliseconds that a logit may take: 1 µs, some twenty times what the slowest path takes. */
const SLOWEST = 1e-3;

/** Looks at a counter before sleeping on it: some 10 µs, less than a sleep costs. */
const LOOKS = 2000;

/** Threads over one memory, with everything they share. */
export class Crew {
  readonly memory: SharedMemory = new SharedMemory();
  readonly pieceBytes: number;
  /** How many scratch rows there must be: one for each thread that was started, lost or not. */
  readonly slots: number;
  /** Whether rows that lie elsewhere are worth giving away. */
  readonly trade: Trade = new Trade();
  /** Where the parts of a problem lie. */
  rooms: Rooms = new Rooms(this.memory);
  /** The builds there are, the fastest first. */
  readonly builds: readonly Build[];
  readonly #kernels: Record<string, ThreadKernels> = {};
  readonly #jobs: Record<string, number> = {};
  readonly #threads = new Map<number, Thread>();
  readonly #patience: number;
  readonly #mayWait: boolean;
  /** Where the caller's own tables are. */
  readonly #tables: number;
  #wake = 0;
  /** Milliseconds without progress that the job may have. */
  #limit = 0;
  #reason: string | null = null;

  private constructor(options: CrewOptions) {
    this.#patience = options.patience ?? 10_000;
    this.slots = options.threads;
    this.pieceBytes = options.pieceBytes ?? 1024 * 1024;
    this.builds = fastestBuild() === "relaxed" ? ["relaxed", "simd"] : ["simd"];
    const places = this.#lay(options.threads);
    this.#tables = places[0]!;
    this.#station();
    this.#mayWait = mayWait(this.memory.i32, this.#wake);
    for (let index = 1; index < options.threads; index++) {
      const thread = startThread(
        {
          memory: this.memory.memory,
          index,
          wake: this.#wake,
          builds: this.builds.map((build) => {
            const job = this.#jobs[build]!;
            return {
              module: threadModule(build),
              tables: places[index]!,
              job,
              held: job + HELD + 4 * index,
              done: job + DONE,
            };
          }),
        },
        (reason) => this.#lose(`thread ${index} is gone: ${reason}`, index),
        options.host,
      );
      this.#threads.set(index, thread);
    }
  }

  /** Starts the threads, and waits until all are there; rejects, with none left over, if one cannot be. */
  static async open(options: CrewOptions): Promise<Crew> {
    const crew = new Crew(options);
    const starts = [...crew.#threads.values()].map((thread) => thread.ready);
    for (const start of await Promise.allSettled(starts)) {
      if (start.status === "fulfilled") continue;
      crew.close();
      throw start.reason;
    }
    return crew;
  }

  /** How many threads there are, the caller's included. */
  get threads(): number {
    return 1 + this.#threads.size;
  }

  /** Why there are fewer threads than at first; null where there are not. */
  get reason(): string | null {
    return this.#reason;
  }

  /** The caller's own instance of a build. */
  kernels(build: Build): ThreadKernels {
    return this.#kernels[build]!;
  }

  /** Where the job of a build is, and what stands before it. */
  jobAt(build: Build): number {
    return this.#jobs[build]!;
  }

  /** Begins a job, of which nothing is to be taken yet. The one before is finished. */
  begin(build: Build, job: Plan): void {
    const { i32 } = this.memory, at = this.#jobs[build]!;
    const first = Atomics.load(i32, (at + NEXT) >>> 2);
    writeJob(i32.buffer, at, { ...job, first });
    this.#expect(job.phase);
    this.#limit = this.#patience + SLOWEST * job.pieceRows * job.rowBytes / 4;
  }

  /** Lets so many more pieces be taken; `alone` if the caller's thread is about to take them all. */
  publish(build: Build, pieces: number, alone: boolean): void {
    const { i32 } = this.memory;
    Atomics.add(i32, (this.#jobs[build]! + READY) >>> 2, pieces);
    if (alone || this.#threads.size === 0) return;
    Atomics.add(i32, this.#wake >>> 2, 1);
    Atomics.notify(i32, this.#wake >>> 2);
  }

  /** Takes a piece and does it; false where there is none to take. */
  step(build: Build): boolean {
    return this.#guard(() => this.#kernels[build]!.step() !== 0);
  }

  /** Does a piece of the job that is never published. */
  own(build: Build, piece: number): void {
    this.#guard(() => this.#kernels[build]!.own(piece));
  }

  /** Does what comes behind a phase of a row in tiles; the next phase, or 0. */
  after(build: Build): number {
    const phase = this.#guard(() => this.#kernels[build]!.after());
    this.#expect(phase);
    return phase;
  }

  /** Tells threads whether another phase is near, which is not worth a sleep. */
  #expect(phase: number): void {
    Atomics.store(this.memory.i32, (this.#wake >>> 2) + 2, phase);
  }

  /** Runs the caller's own kernels; if they fail, nobody finishes the job. */
  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      this.#lose("the caller's own thread has failed");
      throw error;
    }
  }

  /** A number that changes with every piece that is done. */
  progress(build: Build): number {
    return Atomics.load(this.memory.i32, (this.#jobs[build]! + DONE) >>> 2);
  }

  /** Waits until the progress is not `seen`; throws if that is not to be expected any more. */
  pause(build: Build, seen: number): void {
    for (let look = 0; look < LOOKS; look++) {
      if (this.progress(build) !== seen) return;
    }
    const done = (this.#jobs[build]! + DONE) >>> 2;
    for (let still = 0; this.progress(build) === seen; still += TICK) {
      this.#checkHeld(build, still > this.#limit);
      this.#wait(done, seen);
    }
  }

  /** Takes all that may be taken, and waits for what others have taken. */
  finish(build: Build): void {
    while (this.step(build));
    const ready = (this.#jobs[build]! + READY) >>> 2;
    while (true) {
      const seen = this.progress(build);
      if (seen === Atomics.load(this.memory.i32, ready)) return;
      this.pause(build, seen);
    }
  }

  /** Ends all threads. The memory, and this thread's own kernels, can still be used. */
  close(): void {
    const { i32 } = this.memory;
    Atomics.store(i32, (this.#wake >>> 2) + 1, 1);
    Atomics.add(i32, this.#wake >>> 2, 1);
    Atomics.notify(i32, this.#wake >>> 2);
    for (const thread of this.#threads.values()) thread.stop();
    this.#threads.clear();
  }

  /** Lays out what is fixed: constants, the word to sleep on, tables. Where each thread's tables are. */
  #lay(threads: number): number[] {
    const nowhere = { index: 0, tables: 0, job: 0 };
    let base = 0, bytes = 0;
    for (const build of this.builds) {
      const probe = instantiateThread(build, this.memory.memory, nowhere);
      base = Math.max(base, align(probe.heap_base()));
      bytes = align(probe.table_bytes());
    }
    this.#wake = base;
    // the first block begins at 0, below the constants
    this.memory.allocate(base + 64 + bytes * threads);
    return Array.from({ length: threads }, (_, i) => base + 64 + bytes * i);
  }

  /** Makes a job for each build, and the caller's own instances. */
  #station(): void {
    for (const build of this.builds) {
      const job = this.memory.allocate(JOB_BYTES);
      new Uint8Array(this.memory.i32.buffer, job, JOB_BYTES).fill(0);
      this.#jobs[build] = job;
      const place = { index: 0, tables: this.#tables, job };
      const { memory } = this.memory;
      this.#kernels[build] = instantiateThread(build, memory, place);
    }
  }

  /** Throws if a thread has failed at a piece, or, when patience is over, if one is still out. */
  #checkHeld(build: Build, over: boolean): void {
    const { i32 } = this.memory;
    const held = (this.#jobs[build]! + HELD) >>> 2;
    for (const index of [...this.#threads.keys()]) {
      const state = Atomics.load(i32, held + index);
      if (state >= 0 && !(over && state > 0)) continue;
      const what = state < 0
        ? `thread ${index} has failed`
        : `thread ${index} has not answered for ${this.#limit / 1000} s`;
      this.#lose(what);
      throw new Error(
        `Cannot compute loss as ${what}: nothing that this call was to write may be used, and the engine goes on with one thread`,
      );
    }
    if (!over) return;
    this.#lose("a thread is gone");
    throw new Error(
      "Cannot compute loss as a thread is gone: nothing that this call was to write may be used, and the engine goes on with one thread",
    );
  }

  #wait(word: number, seen: number): void {
    const { i32 } = this.memory;
    if (this.#mayWait) {
      Atomics.wait(i32, word, seen, TICK);
      return;
    }
    const until = performance.now() + TICK;
    while (Atomics.load(i32, word) === seen && performance.now() < until);
  }

  /** One thread is lost while nothing is to do, or all must go because one failed at work. */
  #lose(reason: string, index?: number): void {
    this.#reason ??= reason;
    if (index !== undefined) {
      this.#threads.delete(index);
      return;
    }
    this.close();
    // one that does not end at once is left with the old job, and writes to what
    // nobody will read
    this.#station();
    this.rooms = new Rooms(this.memory);
  }
}

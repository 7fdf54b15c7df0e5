/**
 * One thread that encodes, and what is heard of it: its answer, its error, or
 * that it is no longer at work. V8 ends a thread that needs more memory than it
 * may have, and not every runtime says so (Deno 2.9 is silent where it happens
 * while a message is taken), so a thread that has nothing to do says that, and
 * one that says so while it owes an answer has lost it.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import { DataError, UsageError } from "./errors.ts";
import { workerUrl } from "./worker.ts";
import type {
  WorkerAnswer,
  WorkerSettings,
  WorkerTask,
} from "./worker_messages.ts";

/**
 * How often in a row a thread says that it has nothing to do before what it owes
 * is given up. Tasks that wait are begun between two of these, so one would do.
 */
const LOST_AFTER = 5;

/** Nor do they count that come sooner, in milliseconds: they waited while this thread was busy. */
const APART = 250;

/** A thread that is gone, and with it what it was doing; nearly always for want of memory. */
export class ThreadDied extends Error {
  /** `"ThreadDied"`. */
  override readonly name: string = "ThreadDied";
}

/** One thread, which answers each message with one. */
export class Thread {
  readonly #worker: Worker;
  #waiting: {
    resolve(answer: WorkerAnswer): void;
    reject(error: Error): void;
  } | null = null;
  #failure: Error | null = null;
  #idle = 0;
  #heard = 0;

  /** Starts a thread that may keep so many MiB; the first answer is that it is ready. */
  constructor(settings: Omit<WorkerSettings, "role">, mebibytes: number) {
    const role = "encode chats for sft-loss";
    this.#worker = new Worker(workerUrl(), {
      workerData: { ...settings, role } satisfies WorkerSettings,
      resourceLimits: {
        maxOldGenerationSizeMb: mebibytes,
        maxYoungGenerationSizeMb: 8,
      },
      env: {}, // a copy of this one's is more than Deno lets one have
    });
    this.#worker.on("message", (answer: WorkerAnswer) => this.#hear(answer));
    this.#worker.on("error", (error: Error & { code?: unknown }) => {
      const isMemory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
      this.#fail(
        isMemory ? new ThreadDied("a worker is out of memory") : error,
      );
    });
    this.#worker.on("exit", () => {
      this.#fail(new ThreadDied("a worker ended before its work was done"));
    });
  }

  /** The next answer, to `task` if there is one. */
  ask(task?: WorkerTask): Promise<WorkerAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure);
      this.#waiting = { resolve, reject };
      this.#idle = 0;
      this.#heard = performance.now();
      if (task !== undefined) this.#worker.postMessage(task);
    });
  }

  /** Ends the thread; who waits for it hears that. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #hear(answer: WorkerAnswer): void {
    if (answer.kind === "idle") return this.#hearIdle();
    if (answer.kind === "error") return this.#fail(errorOf(answer));
    this.#waiting?.resolve(answer);
    this.#waiting = null;
  }

  #hearIdle(): void {
    const now = performance.now();
    if (this.#waiting === null || now - this.#heard < APART) return;
    this.#heard = now;
    if (++this.#idle < LOST_AFTER) return;
    this.#fail(new ThreadDied("a worker lost what it was doing"));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#waiting = null;
  }
}

function errorOf(
  { name, message }: WorkerAnswer & { kind: "error" },
): Error {
  if (name === "UsageError") return new UsageError(message);
  if (name === "DataError") return new DataError(message);
  return new Error(message);
}

/**
 * Threads that encode. Each loads the tokenizer once, takes the next chunk when
 * it is free, and sends back records; what goes wrong comes back as words and
 * never as a stack on the terminal.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import type { ConversationResult } from "../formats/mod.ts";
import type { Chunk } from "./encode_chunk.ts";
import { DataError, UsageError } from "./errors.ts";
import { workerUrl } from "./worker.ts";
import type {
  WorkerAnswer,
  WorkerSettings,
  WorkerTask,
} from "./worker_messages.ts";

/**
 * What a thread may keep, in MiB. A tokenizer of 256,000 tokens takes a quarter of
 * it; without a limit V8 lets garbage lie until there is twice as much as here.
 */
const LIMITS = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 8 };

/** Threads that encode. */
export interface WorkerPool {
  /** The id that padding may have. */
  readonly padId: number;
  /** Encodes conversations as soon as a thread is free; batches are begun in the order they come. */
  encode(batch: readonly ConversationResult[]): Promise<Chunk>;
  /** Ends the threads. */
  stop(): Promise<void>;
}

/** One thread, which answers each message with one. */
class Thread {
  readonly #worker: Worker;
  #waiting: {
    resolve(answer: WorkerAnswer): void;
    reject(error: Error): void;
  } | null = null;
  #failure: Error | null = null;

  constructor(settings: Omit<WorkerSettings, "role">) {
    const role = "encode chats for sft-loss";
    this.#worker = new Worker(workerUrl(), {
      workerData: { ...settings, role } satisfies WorkerSettings,
      resourceLimits: LIMITS,
      env: {}, // a copy of this one's is more than Deno lets one have
    });
    const fail = (error: Error & { code?: unknown }) => {
      this.#failure ??= error.code === "ERR_WORKER_OUT_OF_MEMORY"
        ? new DataError(
          "a chat takes more memory than a thread may have: --workers 0 sets no limit",
        )
        : error;
      this.#waiting?.reject(this.#failure);
      this.#waiting = null;
    };
    this.#worker.on("message", (answer: WorkerAnswer) => {
      if (answer.kind === "error") fail(errorOf(answer));
      else {
        this.#waiting?.resolve(answer);
        this.#waiting = null;
      }
    });
    this.#worker.on("error", fail);
    this.#worker.on(
      "exit",
      () => fail(new Error("a worker ended before its work was done")),
    );
  }

  /** The next answer, to `task` if there is one. */
  ask(task?: WorkerTask): Promise<WorkerAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure);
      this.#waiting = { resolve, reject };
      if (task !== undefined) this.#worker.postMessage(task);
    });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

function errorOf(
  { name, message }: WorkerAnswer & { kind: "error" },
): Error {
  if (name === "UsageError") return new UsageError(message);
  if (name === "DataError") return new DataError(message);
  return new Error(message);
}

/** Starts threads, and waits until each is ready. */
export async function startWorkers(
  count: number,
  settings: Omit<WorkerSettings, "role">,
): Promise<WorkerPool> {
  const threads = Array.from({ length: count }, () => new Thread(settings));
  const stop = async () => {
    await Promise.all(threads.map((thread) => thread.stop()));
  };
  let padId = 0;
  try {
    const ready = await Promise.all(threads.map((thread) => thread.ask()));
    for (const answer of ready) {
      if (answer.kind === "ready") padId = answer.padId;
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const free = [...threads];
  const queue: ((thread: Thread) => void)[] = [];
  const take = () =>
    new Promise<Thread>((resolve) => {
      const thread = free.shift();
      if (thread === undefined) queue.push(resolve);
      else resolve(thread);
    });
  const giveBack = (thread: Thread) => {
    const next = queue.shift();
    if (next === undefined) free.push(thread);
    else next(thread);
  };
  return {
    padId,
    async encode(batch) {
      const thread = await take();
      try {
        const answer = await thread.ask({ batch });
        if (answer.kind === "chunk") return answer.chunk;
        throw new Error("a worker answered something else than a chunk");
      } finally {
        giveBack(thread);
      }
    },
    stop,
  };
}

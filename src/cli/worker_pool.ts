/**
 * Threads that encode. Each loads the tokenizer once, takes the next chunk when
 * it is free, and sends back records; what goes wrong comes back as words and
 * never as a stack on the terminal. Chats that are too large for a thread are
 * encoded by one that may have more, one such at a time.
 *
 * @module
 */
import type { ConversationResult } from "../formats/mod.ts";
import type { Chunk } from "./encode_chunk.ts";
import { DataError } from "./errors.ts";
import type { WorkerSettings } from "./worker_messages.ts";
import { Thread, ThreadDied } from "./worker_thread.ts";

/** What a thread may keep, in MiB. */
export interface ThreadMemory {
  /**
   * As a rule. A tokenizer of 256,000 tokens takes 256; without a limit V8 lets
   * garbage lie until there is twice as much as here.
   */
  readonly usual: number;
  /** For what does not fit: 120 bytes for each character of a chat are needed. */
  readonly most: number;
}

const MEMORY: ThreadMemory = { usual: 1024, most: 16_384 };

/** Threads that encode. */
export interface WorkerPool {
  /** The id that padding may have. */
  readonly padId: number;
  /** Encodes conversations as soon as a thread is free; batches are begun in the order they come. */
  encode(batch: readonly ConversationResult[]): Promise<Chunk>;
  /** Ends the threads. */
  stop(): Promise<void>;
}

/** Starts threads, and waits until each is ready. */
export async function startWorkers(
  count: number,
  settings: Omit<WorkerSettings, "role">,
  memory: ThreadMemory = MEMORY,
): Promise<WorkerPool> {
  const threads = new Set<Thread>();
  let padId = 0;
  let isStopped = false;
  const start = async (mebibytes: number): Promise<Thread> => {
    if (isStopped) throw new Error("the workers are stopped");
    const thread = new Thread(settings, mebibytes);
    threads.add(thread);
    const answer = await thread.ask();
    if (answer.kind === "ready") padId = answer.padId;
    return thread;
  };
  const end = async (thread: Thread): Promise<void> => {
    threads.delete(thread);
    await thread.stop();
  };
  const stop = async (): Promise<void> => {
    isStopped = true;
    await Promise.all([...threads].map(end));
  };

  const free: Thread[] = [];
  try {
    const started = Array.from({ length: count }, () => start(memory.usual));
    free.push(...await Promise.all(started));
  } catch (error) {
    await stop();
    if (!(error instanceof ThreadDied)) throw error;
    throw new DataError(
      `the tokenizer takes more than the ${memory.usual} MiB of a thread: --workers 0 sets no limit`,
    );
  }
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

  // large ones wait for each other, as two would need twice the memory
  let large: Promise<unknown> = Promise.resolve();
  const encodeLarge = (
    batch: readonly ConversationResult[],
  ): Promise<Chunk> => {
    const encoded = large.then(async () => {
      const thread = await start(memory.most);
      try {
        return await chunkOf(thread, batch);
      } catch (error) {
        if (!(error instanceof ThreadDied) || isStopped) throw error;
        throw new DataError(
          `${
            linesOf(batch)
          }: a chat takes more than ${memory.most} MiB of memory`,
        );
      } finally {
        await end(thread);
      }
    });
    large = encoded.catch(() => {});
    return encoded;
  };
  return {
    padId,
    async encode(batch) {
      let thread = await take();
      try {
        return await chunkOf(thread, batch);
      } catch (error) {
        if (!(error instanceof ThreadDied) || isStopped) throw error;
        await end(thread);
        const chunk = await encodeLarge(batch);
        thread = await start(memory.usual);
        return chunk;
      } finally {
        giveBack(thread);
      }
    },
    stop,
  };
}

/** What a thread makes of a batch. */
async function chunkOf(
  thread: Thread,
  batch: readonly ConversationResult[],
): Promise<Chunk> {
  const answer = await thread.ask({ batch });
  if (answer.kind === "chunk") return answer.chunk;
  throw new Error("a worker answered something else than a chunk");
}

/** The lines of a batch, for a message. */
function linesOf(batch: readonly ConversationResult[]): string {
  const [first, last] = [batch[0], batch.at(-1)].map((result) =>
    result?.conversation?.line ?? result?.error?.line
  );
  return first === last ? `line ${first}` : `lines ${first} to ${last}`;
}

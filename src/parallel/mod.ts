/**
 * The loss on many threads: the functions of the root module, with the same
 * arguments and the same results to the last bit, over one memory that threads
 * share. Creating an engine is asynchronous, since threads have to start; its
 * functions are not: the caller's own thread takes its share of the rows, so
 * that at the end it waits for the few rows that others are still at. This is
 * one shape for every host, also for the main thread of a page, which may not
 * sleep and looks again and again for that moment. Who must not block at all
 * creates the engine in a worker.
 *
 * @example Two threads, or one with the reason
 * ```ts
 * import { maskedCrossEntropy } from "@sft/loss";
 * import { createParallelEngine } from "@sft/loss/parallel";
 * import { assertEquals } from "@std/assert";
 *
 * const engine = await createParallelEngine({ threads: 2 });
 * if (engine.reason !== null) console.log(engine.reason);
 *
 * const logits = new Float32Array(4 * 1000); // 4 rows of 1000
 * const labels = [1, 2, -100, 3];
 * const { loss } = engine.maskedCrossEntropy(logits, labels);
 * assertEquals(loss, maskedCrossEntropy(logits, labels).loss); // the same bits
 *
 * engine.dispose();
 * ```
 *
 * @module
 */
import { checkOptions, readCount } from "../checks.ts";
import { openEngine, type ParallelEngine } from "./parallel_engine.ts";
import { MAX_THREADS } from "./job.ts";
import { nodeModule } from "./threads.ts";

export type { ParallelEngine };

const ACTION = "create parallel engine";
const OPTIONS: ReadonlySet<string> = new Set(["threads"]);

/** Options of {@link createParallelEngine}. */
export interface ParallelOptions {
  /** How many threads, the caller's included, at most 64 (default: as many as the machine runs at once). */
  threads?: number;
}

/**
 * Starts threads that compute losses together with the caller's.
 *
 * Where there can be none (a page that is not cross-origin isolated has no shared
 * memory, some hosts have no workers, a Content-Security-Policy may refuse
 * them) it resolves to an engine that works on the caller's thread alone and says
 * in `reason` why. Rows are handed out whole, a few at a time. One or two that are
 * long (32,768 logits and more) and take long (with metrics, labelSmoothing, softcap
 * or logitScale) are cut into tiles of columns where whole ones would leave most
 * threads idle. Without those options one of 151,936 takes 44 µs, as long as waking
 * a thread.
 *
 * It pays where logits lie in a workspace of the engine, `createWorkspace`: all
 * threads read them where they are. Others must be copied by the caller's thread,
 * which takes about half as long as scoring them, or twice as long where
 * processors are far apart; they are given to other threads only while that is
 * found to be faster. Calls of less than half a megabyte of logits, or with those
 * options or zLoss a tenth of that, stay with the caller's thread, too. The memory
 * grows with what is asked of it, and goes back when the engine is dropped.
 *
 * @param options `threads`, at least 1.
 * @returns The engine. Dispose of it, or the threads stay until the process ends.
 * @throws {RangeError} `threads` is no whole number from 1 to 64.
 * @throws {TypeError} An option is unknown or of the wrong kind.
 *
 * @example Logits where all threads see them
 * ```ts
 * import { createParallelEngine } from "@sft/loss/parallel";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const engine = await createParallelEngine({ threads: 2 });
 * const workspace = engine.createWorkspace({ rows: 8, vocabSize: 100 });
 * workspace.logits.fill(0); // your model's
 * const { loss } = engine.causalLoss(workspace.logits, [5, 6, 7, 8, 9, 1, 2, 3]);
 * assertAlmostEquals(loss, Math.log(100), 1e-6);
 * engine.dispose();
 * ```
 */
export async function createParallelEngine(
  options: ParallelOptions = {},
): Promise<ParallelEngine> {
  checkOptions(ACTION, "options", options, OPTIONS);
  const threads = readCount(ACTION, "threads", options.threads, 1) ??
    Math.min(MAX_THREADS, processors());
  if (threads > MAX_THREADS) {
    throw new RangeError(
      `Cannot create parallel engine as threads must be at most ${MAX_THREADS}: current value is ${threads}`,
    );
  }
  return await openEngine({ threads });
}

/** How many threads the machine runs at once. */
function processors(): number {
  const host = globalThis as { navigator?: { hardwareConcurrency?: number } };
  const os = nodeModule<{ availableParallelism(): number }>("node:os");
  return host.navigator?.hardwareConcurrency ?? os?.availableParallelism() ?? 1;
}

/**
 * The thread that encodes: what `worker_thread.ts` starts. Whoever imports this
 * file gets its address, and in a thread of ours it begins to serve; being
 * imported, it is part of every package and bundle that has the pool.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { encodeChunk } from "./encode_chunk.ts";
import { createEncoder, padIdOf } from "./encoding.ts";
import type {
  WorkerAnswer,
  WorkerSettings,
  WorkerTask,
} from "./worker_messages.ts";

/** The address of this file for a new thread, which takes only what is on disk or is said in full. */
export function workerUrl(): URL {
  const url = new URL(import.meta.url);
  if (url.protocol === "file:") return url;
  const code = `import ${JSON.stringify(url.href)}`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

/** Milliseconds after which a thread that has nothing to do says so again. */
const IDLE_EVERY = 500;

type Port = NonNullable<typeof parentPort>;

function serve(port: Port, { encoding, chunk }: WorkerSettings): void {
  const answer = (say: () => WorkerAnswer) => {
    let said: WorkerAnswer;
    try {
      said = say();
    } catch (error) {
      const { name, message } = error as Error;
      said = { kind: "error", name, message };
    }
    port.postMessage(
      said,
      said.kind === "chunk" ? [said.chunk.records.bytes.buffer] : [],
    );
  };
  setInterval(() => port.postMessage({ kind: "idle" }), IDLE_EVERY);
  answer(() => {
    const encoder = createEncoder(encoding);
    port.on("message", ({ batch }: WorkerTask) => {
      // Deno hears of a thread's end in a timer, but not while it takes a message
      setTimeout(() => {
        answer(() => ({
          kind: "chunk",
          chunk: encodeChunk(encoder, batch, chunk),
        }));
      }, 0);
    });
    return { kind: "ready", padId: padIdOf(encoder.tokenizer) };
  });
}

const settings = workerData as Partial<WorkerSettings> | null;
if (parentPort !== null && settings?.role === "encode chats for sft-loss") {
  serve(parentPort, settings as WorkerSettings);
}

/**
 * The thread that encodes: what `worker_pool.ts` starts. It does nothing where
 * it is no thread.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { encodeChunk } from "./encode_chunk.ts";
import { createEncoder } from "./encoding.ts";
import {
  padIdOf,
  type WorkerAnswer,
  type WorkerSettings,
  type WorkerTask,
} from "./worker_pool.ts";

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
  answer(() => {
    const encoder = createEncoder(encoding);
    port.on("message", ({ batch }: WorkerTask) => {
      answer(() => ({
        kind: "chunk",
        chunk: encodeChunk(encoder, batch, chunk),
      }));
    });
    return { kind: "ready", padId: padIdOf(encoder.tokenizer) };
  });
}

if (parentPort !== null) serve(parentPort, workerData as WorkerSettings);

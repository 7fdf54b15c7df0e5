/**
 * A file of conversations as chunks of records, in the order of the file. Several
 * threads encode at the same time, and what they make is handed on in order; a
 * reader that is ahead waits. One thread is worth its while too: its memory is
 * gone when the rows are written.
 *
 * @module
 */
import {
  type ConversationOptions,
  type ConversationResult,
  readConversations,
} from "../formats/mod.ts";
import { type Chunk, type ChunkSettings, encodeChunk } from "./encode_chunk.ts";
import { createEncoder, type EncodingSettings, padIdOf } from "./encoding.ts";
import { createBreath } from "./io.ts";
import type { Input } from "./read_input.ts";
import { startWorkers } from "./worker_pool.ts";

/** What a file is encoded with. */
export interface FileSettings {
  readonly reading: ConversationOptions;
  readonly encoding: EncodingSettings;
  readonly chunk: ChunkSettings;
  /** How many threads encode; 0: this one, which holds what it made until V8 tidies up. */
  readonly workers: number;
}

/** A file that is being encoded. */
export interface EncodedFile {
  /** The id that padding may have. */
  readonly padId: number;
  /** The chunks, in the order of the file; they can be had once. */
  readonly chunks: AsyncIterable<Chunk>;
}

/** At most so many conversations a chunk; progress moves by chunks. */
const MOST_CONVERSATIONS = 64;

/** Nor many more bytes of the file than this. */
const MOST_BYTES = 1 << 20;

/** Begins to encode a file. */
export async function encodeFile(
  input: Input,
  { reading, encoding, chunk, workers }: FileSettings,
): Promise<EncodedFile> {
  const batches = () => batchesOf(input, reading);
  if (workers === 0) {
    const encoder = createEncoder(encoding);
    const breathe = createBreath();
    const chunks = async function* (): AsyncGenerator<Chunk, void, void> {
      for await (const batch of batches()) {
        yield encodeChunk(encoder, batch, chunk);
        await breathe();
      }
    };
    return { padId: padIdOf(encoder.tokenizer), chunks: chunks() };
  }
  const pool = await startWorkers(workers, { encoding, chunk });
  async function* chunks(): AsyncGenerator<Chunk, void, void> {
    const pending: Promise<Chunk>[] = [];
    try {
      for await (const batch of batches()) {
        const encoded = pool.encode(batch);
        encoded.catch(() => {}); // it is heard when its turn comes
        pending.push(encoded);
        if (pending.length >= 2 * workers) yield await pending.shift()!;
      }
      while (pending.length > 0) yield await pending.shift()!;
    } finally {
      await pool.stop();
    }
  }
  return { padId: pool.padId, chunks: chunks() };
}

async function* batchesOf(
  input: Input,
  reading: ConversationOptions,
): AsyncGenerator<ConversationResult[], void, void> {
  let batch: ConversationResult[] = [];
  let start = input.position;
  for await (const result of readConversations(input.records, reading)) {
    batch.push(result);
    const isFull = batch.length >= MOST_CONVERSATIONS ||
      input.position - start >= MOST_BYTES;
    if (!isFull) continue;
    yield batch;
    batch = [];
    start = input.position;
  }
  if (batch.length > 0) yield batch;
}

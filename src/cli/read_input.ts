/**
 * The file that a command reads, or standard input: opened, looked at, handed
 * on in pieces. What is no text of JSON and no parquet is refused here, by its
 * first bytes, before a reader makes a thousand errors of it.
 *
 * @module
 */
import {
  closeSync,
  createReadStream,
  openSync,
  readSync,
  statSync,
} from "node:fs";
import {
  readConversations,
  readParquetRows,
  splitLines,
} from "../formats/mod.ts";
import { IS_TOKENIZED } from "../formats/conversations.ts";
import { DataError, fileReason, oneLine, UsageError } from "./errors.ts";
import type { CliIo } from "./io.ts";

/** A line of text as bytes, or a row of parquet. */
export type InputRecord = string | Uint8Array | object;

/** An open file. */
export interface Input {
  /** What it is called in messages. */
  readonly name: string;
  /** How many bytes it has, where that is known. */
  readonly size: number | undefined;
  /** How many of them have been taken. */
  readonly position: number;
  /** Its lines or rows; they can be had once. */
  readonly records: AsyncIterable<InputRecord>;
  /** Whether its rows are tokenised already. */
  readonly isTokenized: boolean;
}

/** How much is read at once, in bytes. */
const CHUNK = 1 << 18;

/** How many records are looked at to tell what they are. */
const LOOKED_AT = 16;

/** Opens a file, or standard input for `-`. */
export async function openInput(path: string, io: CliIo): Promise<Input> {
  const name = path === "-" ? "standard input" : oneLine(path);
  const size = path === "-" ? undefined : sizeOf(path, name);
  const state = { position: 0 };
  let chunks: AsyncIterable<Uint8Array> = path === "-"
    ? io.stdin
    : createReadStream(path, { highWaterMark: CHUNK });
  const { first, rest } = await peek(counted(chunks, state), name);
  checkBytes(first, name);
  let records: AsyncIterable<InputRecord>;
  if (startsWith(first, [0x50, 0x41, 0x52, 0x31])) {
    if (size === undefined) {
      throw new UsageError(
        `cannot read parquet from ${name}: it is read in pieces, so give a file`,
      );
    }
    await rest.return?.();
    records = readParquet(path, name, size, state);
  } else {
    chunks = chain(first, rest);
    records = splitLines(chunks);
  }
  const { isTokenized, all } = await recognise(records, name);
  return {
    name,
    size,
    get position() {
      return state.position;
    },
    records: readable(all, name),
    isTokenized,
  };
}

/** The size of an ordinary file; undefined for a pipe or a device. */
function sizeOf(path: string, name: string): number | undefined {
  let stat;
  try {
    stat = statSync(path);
  } catch (error) {
    throw new UsageError(`cannot read ${name}: ${fileReason(error)}`);
  }
  if (stat.isDirectory()) {
    throw new UsageError(`cannot read ${name}: it is a folder`);
  }
  return stat.isFile() ? stat.size : undefined;
}

/** Counts bytes as they pass. */
async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  state: { position: number },
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    state.position += chunk.length;
    yield chunk;
  }
}

/** The first bytes, at least four where there are so many, and what follows. */
async function peek(
  chunks: AsyncGenerator<Uint8Array, void, void>,
  name: string,
): Promise<
  { first: Uint8Array; rest: AsyncGenerator<Uint8Array, void, void> }
> {
  let first = new Uint8Array(0);
  try {
    while (first.length < 4) {
      const { value, done } = await chunks.next();
      if (done) break;
      const longer = new Uint8Array(first.length + value.length);
      longer.set(first);
      longer.set(value, first.length);
      first = longer;
    }
  } catch (error) {
    throw new UsageError(`cannot read ${name}: ${fileReason(error)}`);
  }
  if (first.length === 0) throw new DataError(`${name} is empty`);
  return { first, rest: chunks };
}

/** Bytes that are the beginning of something else, and what to do about it. */
const OTHERS: readonly (readonly [bytes: readonly number[], words: string])[] =
  [
    [[0x1f, 0x8b], "it is packed with gzip: unpack it first, as in gzip -dc"],
    [[0x28, 0xb5, 0x2f, 0xfd], "it is packed with zstd: unpack it first"],
    [[0x42, 0x5a, 0x68], "it is packed with bzip2: unpack it first"],
    [[0x50, 0x4b, 0x03, 0x04], "it is a zip archive: unpack it first"],
    [
      [0x93, 0x4e, 0x55, 0x4d],
      "it is a .npy array, which has no rows of chats",
    ],
    [
      [0x41, 0x52, 0x52, 0x4f],
      "it is an Arrow file: save it as parquet or JSONL",
    ],
    [[0xff, 0xfe], "it is UTF-16: save it as UTF-8"],
    [[0xfe, 0xff], "it is UTF-16: save it as UTF-8"],
  ];

function checkBytes(first: Uint8Array, name: string): void {
  for (const [bytes, words] of OTHERS) {
    if (startsWith(first, bytes)) throw new DataError(`${name}: ${words}`);
  }
  const isParquet = startsWith(first, [0x50, 0x41, 0x52, 0x31]);
  if (!isParquet && first.subarray(0, 4096).includes(0)) {
    throw new DataError(`${name}: it is binary, and no parquet`);
  }
}

function startsWith(bytes: Uint8Array, head: readonly number[]): boolean {
  return head.every((byte, i) => bytes[i] === byte);
}

async function* chain<T>(
  first: T,
  rest: AsyncIterable<T>,
): AsyncGenerator<T, void, void> {
  yield first;
  yield* rest;
}

/** The rows of a parquet file, read a row group at a time. */
async function* readParquet(
  path: string,
  name: string,
  size: number,
  state: { position: number },
): AsyncGenerator<object, void, void> {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    throw new UsageError(`cannot read ${name}: ${fileReason(error)}`);
  }
  state.position = 0;
  try {
    const slice = (start: number, end: number = size): ArrayBuffer => {
      const bytes = new Uint8Array(end - start);
      for (let at = 0; at < bytes.length;) {
        const count = readSync(
          descriptor,
          bytes,
          at,
          bytes.length - at,
          start + at,
        );
        if (count === 0) throw new DataError(`${name} is shorter than it was`);
        at += count;
      }
      state.position = Math.min(size, state.position + bytes.length);
      return bytes.buffer;
    };
    yield* readParquetRows({ byteLength: size, slice });
  } finally {
    closeSync(descriptor);
  }
}

/** Looks at the first records to tell chats from rows that are tokenised; none is lost. */
async function recognise(
  records: AsyncIterable<InputRecord>,
  name: string,
): Promise<{ isTokenized: boolean; all: AsyncIterable<InputRecord> }> {
  const source = records[Symbol.asyncIterator]();
  const seen: InputRecord[] = [];
  const look: AsyncIterable<InputRecord> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const step = await source.next();
        if (!step.done) seen.push(step.value);
        return step;
      },
    }),
  };
  let isTokenized = false;
  let count = 0;
  try {
    for await (const { conversation, error } of readConversations(look)) {
      isTokenized = error?.message.includes(IS_TOKENIZED) ?? false;
      if (isTokenized || conversation || ++count === LOOKED_AT) break;
    }
  } catch (error) {
    throw refused(error, name);
  }
  const rest: AsyncIterable<InputRecord> = {
    [Symbol.asyncIterator]: () => source,
  };
  async function* all(): AsyncGenerator<InputRecord, void, void> {
    yield* seen.splice(0);
    yield* rest;
  }
  return { isTokenized, all: all() };
}

/** What is wrong with a file as a whole is said with its name. */
async function* readable(
  records: AsyncIterable<InputRecord>,
  name: string,
): AsyncGenerator<InputRecord, void, void> {
  try {
    yield* records;
  } catch (error) {
    throw refused(error, name);
  }
}

function refused(error: unknown, name: string): Error {
  if (error instanceof DataError || error instanceof UsageError) return error;
  return new DataError(`cannot read ${name}: ${fileReason(error)}`);
}

/**
 * Parquet read as rows, one row group in memory at a time, through hyparquet,
 * which is loaded when it is first needed. It hands out plain values; what they
 * mean is for the readers of conversations and of tokenised rows.
 *
 * @module
 */
import { checkOptions, readView, wrongKind } from "../checks.ts";
import { kindOf } from "../typed_arrays.ts";
import { absent } from "./parquet.ts";

/** A file that is read in pieces: an ArrayBuffer, or anything that can cut itself like one. */
export interface ByteSource {
  /** How many bytes it has. */
  readonly byteLength: number;
  /** The bytes from `start` to before `end`. */
  slice(start: number, end?: number): ArrayBuffer | Promise<ArrayBuffer>;
}

/** How parquet is read. */
export interface ParquetRowsOptions {
  /** The columns to read; all of them unless said. */
  columns?: readonly string[];
  /** Decoders by the name of their codec (`"ZSTD"`, `"GZIP"`, ...); Snappy and plain files need none. */
  compressors?: Readonly<
    Record<string, (input: Uint8Array, outputLength: number) => Uint8Array>
  >;
}

const OPTIONS: ReadonlySet<string> = new Set(["columns", "compressors"]);

/**
 * Reads the rows of a parquet file, in order. 64-bit integers become numbers
 * where a number holds them. {@link readConversations} and
 * {@link readTokenizedRows} take what it returns; a single row goes to
 * {@link parseConversation} or {@link readTokenized}.
 *
 * @param source The whole file, or something that reads pieces of it.
 * @param options Which columns, and decoders of rarer codecs.
 * @returns The rows as objects.
 * @throws {SyntaxError} When the bytes are no parquet file, or one that cannot be decoded.
 * @throws {TypeError} When the source or an option is of the wrong kind.
 * @throws {Error} When hyparquet is not installed.
 *
 * @example
 * ```ts
 * import { assertRejects } from "@std/assert";
 * import { readParquetRows } from "@sft/loss/formats";
 *
 * await assertRejects(
 *   () => readParquetRows(new Uint8Array(100)).next(),
 *   SyntaxError,
 *   "not a parquet file that can be read",
 * );
 * ```
 */
export function readParquetRows(
  source: Uint8Array | ByteSource,
  options: ParquetRowsOptions = {},
): AsyncGenerator<Record<string, unknown>, void, void> {
  checkOptions("read rows", "options", options, OPTIONS);
  if (
    typeof source !== "object" || source === null ||
    typeof source.byteLength !== "number" || typeof source.slice !== "function"
  ) {
    wrongKind("read rows", "source must be bytes or a file", source);
  }
  const isBytes = kindOf(source) === "Uint8Array";
  return rowsOf(
    // the slice of Node's Buffer does not copy
    isBytes ? readView("read rows", "source", source) : source,
    options,
  );
}

async function* rowsOf(
  source: Uint8Array | ByteSource,
  { columns, compressors }: ParquetRowsOptions,
): AsyncGenerator<Record<string, unknown>, void, void> {
  const { parquetMetadataAsync, parquetReadObjects } = await import("hyparquet")
    .catch((cause) => absent("hyparquet", cause));

  // what the source itself says when it fails is handed on as it is
  let failure: { readonly error: unknown } | null = null;
  const file = {
    byteLength: source.byteLength,
    async slice(start: number, end?: number): Promise<ArrayBuffer> {
      try {
        const piece = await source.slice(start, end);
        return "buffer" in piece ? piece.buffer as ArrayBuffer : piece;
      } catch (error) {
        failure = { error };
        throw error;
      }
    },
  };
  const decode = async <T>(read: () => Promise<T>): Promise<T> => {
    try {
      return await read();
    } catch (cause) {
      if (failure !== null) throw failure.error;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SyntaxError(`not a parquet file that can be read: ${reason}`, {
        cause,
      });
    }
  };

  const metadata = await decode(() => parquetMetadataAsync(file));
  let rowStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rowEnd = rowStart + Number(num_rows);
    const rows = await decode(() =>
      parquetReadObjects({
        file,
        metadata,
        rowStart,
        rowEnd,
        ...(columns === undefined ? {} : { columns: [...columns] }),
        ...(compressors === undefined ? {} : { compressors }),
      })
    );
    if (rows.length !== rowEnd - rowStart) {
      throw new SyntaxError(
        `not a parquet file that can be read: ${rows.length} rows of ${num_rows}`,
      );
    }
    for (const row of rows) yield narrow(row) as Record<string, unknown>;
    rowStart = rowEnd;
  }
}

/** The same value with bigints as numbers, where these are exact. */
function narrow(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (value instanceof BigInt64Array || value instanceof BigUint64Array) {
    return Array.from(value as ArrayLike<bigint>, narrow);
  }
  if (Array.isArray(value)) return value.map(narrow);
  if (
    typeof value !== "object" || value === null ||
    Object.getPrototypeOf(value) !== Object.prototype
  ) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, narrow(child)]),
  );
}

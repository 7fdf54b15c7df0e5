/**
 * Parquet, read and written one row group at a time through hyparquet and
 * hyparquet-writer, which are loaded when they are first needed: whoever stays
 * with JSONL, npy and safetensors needs neither.
 *
 * A list column is written as the format's own rules want it, so that pyarrow,
 * DuckDB and datasets read a list and no struct:
 *
 *     optional group NAME (LIST) { repeated group list { optional int32 element } }
 *
 * @module
 */
import type { SchemaElement } from "hyparquet";
import {
  checkObject,
  checkOptions,
  outOfRange,
  readIds,
  readList,
  readWeights,
  show,
  wrongKind,
} from "../checks.ts";
import type { TokenIds } from "../contract.ts";
import type { TrainerColumns } from "./columns.ts";

/** What a column may be. */
export type ParquetColumn = "list<int32>" | "list<double>" | "string";

/** Where a parquet file is written. */
export interface ParquetSinkOptions {
  /** The columns in order, and what each is. */
  columns: Readonly<Record<string, ParquetColumn>>;
  /** Takes the file's bytes, piece after piece; the pieces are its own to keep. */
  write: (bytes: Uint8Array) => void | Promise<void>;
  /** Strings for the file's key-value metadata. */
  metadata?: Readonly<Record<string, string>>;
}

/** A parquet file that is being written. */
export interface ParquetSink {
  /**
   * Writes rows as one row group, and waits until they are taken. Some thousand
   * rows are a good group: readers skip and decode by groups.
   *
   * @throws {TypeError} A row is not what the columns say; nothing of the group is written.
   * @throws {RangeError} A value does not fit its column, or the file is finished.
   */
  add(rows: readonly object[]): Promise<void>;
  /**
   * Writes the footer, without which the bytes are no file.
   *
   * @throws {RangeError} The file is finished already.
   */
  finish(): Promise<void>;
}

const OPTIONS: ReadonlySet<string> = new Set(["columns", "write", "metadata"]);
const COLUMNS: ReadonlySet<unknown> = new Set([
  "list<int32>",
  "list<double>",
  "string",
]);

/**
 * The parquet columns of rows as {@link columnsOf} makes them.
 *
 * @param row The first of them.
 * @returns The columns, for {@link createParquetSink}.
 * @throws {TypeError} When the row is no object.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { columnsOf, parquetColumnsOf } from "@sft/loss/formats";
 *
 * const row = columnsOf({ inputIds: [5], labels: [5], weights: [0.5] });
 * assertEquals(parquetColumnsOf(row).loss_weights, "list<double>");
 * ```
 */
export function parquetColumnsOf(
  row: TrainerColumns,
): Record<string, ParquetColumn> {
  checkObject(ACTION, "row", row);
  const columns: Record<string, ParquetColumn> = {};
  for (const [name, value] of Object.entries(row)) {
    if (typeof value === "string") columns[name] = "string";
    else if (value instanceof Float64Array) columns[name] = "list<double>";
    else if (value !== undefined) columns[name] = "list<int32>";
  }
  return columns;
}

/**
 * Opens a parquet file for writing. Memory holds one row group (and a few
 * hundred bytes of footer for each one written), compressed with Snappy.
 *
 * @param options The columns, and where the bytes go.
 * @returns The file.
 * @throws {Error} When hyparquet-writer is not installed.
 * @throws {TypeError} When an option is of the wrong kind.
 * @throws {RangeError} When there are no columns, or one is of no known type.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { columnsOf, createParquetSink, parquetColumnsOf, readParquetRows, readTokenized } from "@sft/loss/formats";
 *
 * const row = columnsOf({ inputIds: [5, 6], labels: [-100, 6] });
 * const pieces: Uint8Array<ArrayBuffer>[] = [];
 * const sink = await createParquetSink({
 *   columns: parquetColumnsOf(row),
 *   write: (bytes) => void pieces.push(bytes.slice()),
 * });
 * await sink.add([row]);
 * await sink.finish();
 *
 * const file = await new Blob(pieces).arrayBuffer();
 * for await (const value of readParquetRows(new Uint8Array(file))) {
 *   assertEquals(readTokenized(value).labels, Int32Array.of(-100, 6));
 * }
 * ```
 */
export async function createParquetSink(
  options: ParquetSinkOptions,
): Promise<ParquetSink> {
  checkOptions(ACTION, "options", options, OPTIONS);
  const { columns, write, metadata = {} } = options;
  if (typeof write !== "function") {
    wrongKind(ACTION, "write must be a function", write);
  }
  checkObject(ACTION, "columns", columns);
  const names = Object.keys(columns);
  if (names.length === 0) outOfRange(ACTION, "columns must have one", columns);
  for (const name of names) {
    if (COLUMNS.has(columns[name])) continue;
    const wish = `columns.${name} must be one of ${[...COLUMNS].join(", ")}`;
    outOfRange(ACTION, wish, columns[name]);
  }

  const { ByteWriter, ParquetWriter } = await import("hyparquet-writer")
    .catch((cause) => absent("hyparquet-writer", cause));
  const bytes = new ByteWriter();
  const flush = async () => {
    const piece = bytes.getBytes().slice();
    bytes.index = 0; // offset goes on counting: it is the place in the file
    if (piece.length > 0) await write(piece);
  };
  const writer = new ParquetWriter({
    writer: Object.assign(bytes, { flush }),
    schema: schemaOf(columns),
    kvMetadata: Object.entries(metadata).map(([key, value]) => ({
      key,
      value,
    })),
    createdBy: "@sft/loss",
  });

  // one write after the other, whether or not the caller waits; after a failed
  // one no more
  let last: Promise<void> = Promise.resolve();
  let isFinished = false;
  const checkOpen = () => {
    if (isFinished) outOfRange(ACTION, "the file must be open", "finished");
  };
  return {
    // deno-lint-ignore require-await -- so that what it throws is a rejection
    async add(rows: readonly object[]): Promise<void> {
      checkOpen();
      const columnData = names.map((name) => ({
        name,
        data: rows.map((row, i) => readCell(row, i, name, columns)),
      }));
      rows.forEach((row, i) => checkNames(row, i, columns));
      if (rows.length === 0) return last;
      return last = last.then(async () => {
        await writer.write({ columnData, rowGroupSize: rows.length });
      });
    },
    // deno-lint-ignore require-await -- as above
    async finish(): Promise<void> {
      checkOpen();
      isFinished = true;
      return last = last.then(async () => {
        await writer.finish();
        await flush();
      });
    },
  };
}

const ACTION = "write parquet";

/** The schema: a root, then for each column its elements, parents first. */
function schemaOf(
  columns: Readonly<Record<string, ParquetColumn>>,
): SchemaElement[] {
  const entries = Object.entries(columns);
  const elements = entries.flatMap(([name, column]): SchemaElement[] => {
    const optional = { repetition_type: "OPTIONAL" } as const;
    if (column === "string") {
      return [{
        ...optional,
        name,
        type: "BYTE_ARRAY",
        converted_type: "UTF8",
        logical_type: { type: "STRING" },
      }];
    }
    return [
      {
        ...optional,
        name,
        num_children: 1,
        converted_type: "LIST",
        logical_type: { type: "LIST" },
      },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      {
        ...optional,
        name: "element",
        type: column === "list<int32>" ? "INT32" : "DOUBLE",
      },
    ];
  });
  return [{ name: "schema", num_children: entries.length }, ...elements];
}

/** A column's value of one row, as the writer takes it. */
function readCell(
  row: object,
  index: number,
  name: string,
  columns: Readonly<Record<string, ParquetColumn>>,
): unknown {
  const value = Object.hasOwn(row, name)
    ? (row as Record<string, unknown>)[name]
    : undefined;
  const place = `rows[${index}].${name}`;
  if (columns[name] === "string") {
    if (value === undefined || value === null) return null;
    if (typeof value === "string") return value;
    wrongKind(ACTION, `${place} must be a string`, value);
  }
  if (typeof value !== "object" || value === null) {
    wrongKind(ACTION, `${place} must be a list`, value);
  }
  if (columns[name] === "list<int32>") {
    return Array.from(readIds(ACTION, place, value as TokenIds));
  }
  const weights = readList(
    ACTION,
    place,
    "an array of numbers",
    value as ArrayLike<number>,
  );
  return Array.from(readWeights(ACTION, place, weights, weights.length)!);
}

/** A column that the file does not have would be lost without a word. */
function checkNames(
  row: object,
  index: number,
  columns: Readonly<Record<string, ParquetColumn>>,
): void {
  for (const [name, value] of Object.entries(row)) {
    if (Object.hasOwn(columns, name) || value === undefined) continue;
    wrongKind(
      ACTION,
      `rows[${index}] must have the columns ${show(Object.keys(columns))}`,
      name,
    );
  }
}

/** An optional dependency is not there. */
export function absent(name: string, cause: unknown): never {
  throw new Error(
    `Parquet needs the package ${name}, which could not be loaded: add npm:${name} to your project`,
    { cause },
  );
}

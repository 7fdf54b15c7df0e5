/**
 * Where prepared rows go, by the name's ending: `.jsonl`, `.parquet`,
 * `.safetensors`, `.npy`. Rows come some at a time; the file has its name when
 * all of them are there, and not before.
 *
 * @module
 */
import {
  columnsOf,
  type ColumnsOptions,
  createParquetSink,
  parquetColumnsOf,
  type ParquetSink,
  type StorableRow,
  tensorsOf,
  toJsonl,
} from "../formats/mod.ts";
import type { NamedShape } from "../formats/tensor.ts";
import type { PaddedBatch } from "../packing/layouts.ts";
import { AtomicFile } from "./atomic_write.ts";
import { oneLine, UsageError } from "./errors.ts";
import type { CliIo } from "./io.ts";
import {
  createNpys,
  createSafetensors,
  npyPath,
  type TensorFile,
} from "./tensor_output.ts";

/** A row that is ready. */
export interface PreparedRow {
  /** As it is. */
  storable(): StorableRow;
  /** [1, length], padded. */
  padded(padTokenId: number, length: number): PaddedBatch;
}

/** Where rows go. */
export interface RowSink {
  /** Takes rows. */
  add(rows: readonly PreparedRow[]): Promise<void>;
  /** Gives the file its name. */
  finish(): Promise<void>;
  /** Takes away what has no name yet. */
  discard(): void;
}

/** Endings of names, and whether rows of one length are stored under them. */
export const ENDINGS = {
  jsonl: "ragged",
  parquet: "ragged",
  safetensors: "padded",
  npy: "padded",
} as const;

/** An ending that is known. */
export type Ending = keyof typeof ENDINGS;

/** The ending of a path, or an error that names those there are. */
export function endingOf(path: string): Ending {
  const ending = /\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase();
  if (ending !== undefined && Object.hasOwn(ENDINGS, ending)) {
    return ending as Ending;
  }
  throw new UsageError(
    `--output must end in ${
      Object.keys(ENDINGS).map((one) => `.${one}`).join(", ")
    }: got ${oneLine(path)}`,
  );
}

/** What all rows of a file have in common, known before the first is written. */
export interface SinkSettings {
  /** Columns beside ids and labels. */
  readonly columns: ColumnsOptions;
  /** How many rows there will be. */
  readonly rows: number;
  /** The length of padded rows. */
  readonly length: number;
  /** The id of padding. */
  readonly padTokenId: number;
  /** Borders of the documents over all padded rows, where they are stored. */
  readonly cuSeqlens: Int32Array | null;
}

/** Makes the sink of a path. */
export function createSink(
  path: string,
  settings: SinkSettings,
  io: CliIo,
): RowSink {
  switch (endingOf(path)) {
    case "jsonl":
      return createJsonl(path, settings, io);
    case "parquet":
      return createParquet(path, settings, io);
    case "safetensors":
      return createTensors(
        (plans) => createSafetensors(path, plans, io),
        settings,
      );
    case "npy":
      return createTensors((plans) => createNpys(path, plans, io), settings);
  }
}

/** The files that a path stands for, as a message names them. */
export function filesOf(path: string): string {
  return oneLine(endingOf(path) === "npy" ? npyPath(path, "*") : path);
}

function createJsonl(
  path: string,
  { columns }: SinkSettings,
  io: CliIo,
): RowSink {
  const file = new AtomicFile(path, io);
  const encoder = new TextEncoder();
  return {
    add: (rows) => {
      for (const row of rows) {
        const line = toJsonl(columnsOf(row.storable(), columns));
        file.append(encoder.encode(line));
      }
      return Promise.resolve();
    },
    finish: () => Promise.resolve(file.commit()),
    discard: () => file.discard(),
  };
}

function createParquet(
  path: string,
  { columns }: SinkSettings,
  io: CliIo,
): RowSink {
  const file = new AtomicFile(path, io);
  let sink: ParquetSink | null = null;
  return {
    add: async (rows) => {
      const group = rows.map((row) => columnsOf(row.storable(), columns));
      sink ??= await createParquetSink({
        columns: parquetColumnsOf(group[0]!),
        write: (bytes) => file.append(bytes),
      });
      await sink.add(group);
    },
    finish: async () => {
      await sink!.finish();
      file.commit();
    },
    discard: () => file.discard(),
  };
}

function createTensors(
  create: (plans: readonly NamedShape[]) => TensorFile,
  { rows: count, length, padTokenId, cuSeqlens }: SinkSettings,
): RowSink {
  let file: TensorFile | null = null;
  return {
    add: (rows) => {
      for (const row of rows) {
        const tensors = tensorsOf(row.padded(padTokenId, length));
        tensors.delete("cu_seqlens"); // this row's alone
        if (file === null) {
          const plans = [...tensors].map(([name, { dtype }]): NamedShape => ({
            name,
            dtype,
            shape: [count, length],
          }));
          if (cuSeqlens !== null) {
            const shape = [cuSeqlens.length];
            plans.push({ name: "cu_seqlens", dtype: "i32", shape });
          }
          file = create(plans);
          if (cuSeqlens !== null) file.append("cu_seqlens", cuSeqlens);
        }
        for (const [name, { data }] of tensors) file.append(name, data);
      }
      return Promise.resolve();
    },
    finish: () => Promise.resolve(file!.commit()),
    discard: () => file?.discard(),
  };
}

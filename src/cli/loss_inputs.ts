/**
 * The arrays of `loss`, opened and found to fit each other before anything is
 * computed.
 *
 * @module
 */
import { readBorders, readIds, readLabels } from "../checks.ts";
import type { LogitsType, TokenIds } from "../contract.ts";
import { equalBorders } from "../labels/sequences.ts";
import { DataError, oneLine, UsageError } from "./errors.ts";
import type { LossJob } from "./loss_options.ts";
import { NpyRows } from "./npy_rows.ts";

/** Arrays that fit each other. */
export interface LossInputs {
  /** [N, V], row by row. */
  readonly logits: NpyRows;
  /** How they are read. */
  readonly dtype: LogitsType;
  /** Columns that count. */
  readonly vocabSize: number;
  /** [N] labels. */
  readonly labels: Int32Array;
  /** [S + 1] borders of the sequences; null where all rows are one. */
  readonly borders: Int32Array | null;
  /** Rows behind this are padding, which no sequence holds. */
  readonly end: number;
  /** [N] the ids of the tokens, where they are given. */
  readonly inputIds: Int32Array | null;
}

/** Opens the files. */
export function openLossInputs(job: LossJob): LossInputs {
  const logits = new NpyRows(job.logits);
  const { shape, name, columns, rows } = logits;
  if (shape.length !== 2 && shape.length !== 3) {
    throw new DataError(
      `${name} must be logits [N, V] or [B, T, V]: it is [${shape.join(", ")}]`,
    );
  }
  const dtype = typeOf(logits, job.dtype);
  const vocabSize = job.vocabSize ?? columns;
  if (vocabSize > columns || vocabSize === 0) {
    throw new UsageError(
      `--vocab-size must be within the ${columns} columns of ${name}: got ${vocabSize}`,
    );
  }
  const { values, shape: labelShape } = readArray(
    job.labels,
    logits,
    shape.slice(0, -1),
  );
  const labels = judge(
    job.labels,
    () =>
      readLabels(
        "compute loss",
        values,
        values.length,
        vocabSize,
        job.ignoreIndex,
      ),
  );
  // [B, T] as the logits say it, or else the labels
  const dims = shape.length === 3 ? shape.slice(0, -1) : labelShape;
  return {
    logits,
    dtype,
    vocabSize,
    labels,
    ...bordersOf(job, rows, dims[1]),
    inputIds: job.inputIds === undefined
      ? null
      : idsOf(job.inputIds, readArray(job.inputIds, logits, dims).values),
  };
}

function typeOf(
  { dtype, name }: NpyRows,
  said: "bf16" | "f16" | undefined,
): LogitsType {
  if (dtype === "u16") {
    if (said !== undefined) return said;
    throw new UsageError(`${name} holds <u2: say --dtype bf16 or --dtype f16`);
  }
  if (said !== undefined && said !== dtype) {
    throw new UsageError(`--dtype ${said} is for <u2: ${name} holds ${dtype}`);
  }
  if (dtype === "f32" || dtype === "f16") return dtype;
  throw new DataError(
    `${name} holds ${dtype}: logits must be <f4, <f2, or <u2 with --dtype bf16`,
  );
}

/**
 * An array of whole numbers, one for each row of the logits: flat, or in this
 * shape of theirs. As many in another shape are those of other rows.
 */
function readArray(
  path: string,
  { rows, name: logits }: NpyRows,
  wanted: readonly number[],
): { values: TokenIds; shape: readonly number[] } {
  const file = new NpyRows(path);
  try {
    const { shape, name, dtype } = file;
    if (["f32", "f64", "f16"].includes(dtype)) {
      throw new DataError(
        `${name} holds ${dtype}: it must hold whole numbers, as <i4 or <i8`,
      );
    }
    const count = shape.reduce((product, n) => product * n, 1);
    const isOther = wanted.length === 2 && shape.length === 2 &&
      shape[0] !== wanted[0];
    if (count !== rows || shape.length > 2 || isOther) {
      const either = wanted.length === 2 ? `[${wanted.join(", ")}] or ` : "";
      throw new DataError(
        `${name} must have a value for each of the ${rows} rows of ${logits}, as ${either}[${rows}]: it is [${
          shape.join(", ")
        }]`,
      );
    }
    return { values: file.read(0, file.rows) as TokenIds, shape };
  } finally {
    file.close();
  }
}

function idsOf(path: string, values: TokenIds): Int32Array {
  return judge(path, () => readIds("compute loss", "inputIds", values));
}

/** What a check says, with the file's name. */
function judge<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw new DataError(
      `${oneLine(path)}: ${oneLine((error as Error).message)}`,
    );
  }
}

function bordersOf(
  { cuSeqlens, sequenceLength }: LossJob,
  rows: number,
  implied: number | undefined,
): { borders: Int32Array | null; end: number } {
  if (cuSeqlens !== undefined) {
    const file = new NpyRows(cuSeqlens);
    const values = file.read(0, file.rows) as TokenIds;
    file.close();
    const given = idsOf(cuSeqlens, values);
    const end = given.at(-1) ?? 0;
    const covered = end < rows ? Int32Array.of(...given, rows) : given;
    const borders = judge(
      cuSeqlens,
      () => readBorders("compute loss", covered, rows),
    );
    return { borders, end };
  }
  const length = sequenceLength ?? implied;
  if (length === undefined || length === 0) return { borders: null, end: rows };
  if (rows % length !== 0) {
    throw new UsageError(
      `--sequence-length must divide the ${rows} rows: got ${length}`,
    );
  }
  return { borders: equalBorders(rows, length), end: rows };
}

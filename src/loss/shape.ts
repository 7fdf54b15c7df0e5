/**
 * N, V, the row stride and the sequences: from dims, from options, or from the
 * lengths of what was passed.
 *
 * @module
 */
import { outOfRange, readBorders, readList } from "../checks.ts";
import type { Logits, LogitsTensor, LossOptions } from "../contract.ts";
import { equalBorders } from "../labels/sequences.ts";

/** What callers of a loss are doing, in its errors. */
export const ACTION = "compute loss";

/** The shape of a batch of logits. */
export interface Shape {
  /** N. */
  rows: number;
  /** V. */
  vocabSize: number;
  /** Elements from one row to the next. */
  rowStride: number;
  /** The sequence length that rank-3 dims imply. */
  sequenceLength: number | undefined;
}

/** What options say of it, each number at least 1. */
export type ShapeOptions = Pick<
  LossOptions,
  "rowStride" | "vocabSize" | "sequenceLength" | "cuSeqlens" | "classWeights"
>;

/** Whether logits came as `{ data, dims }`. */
export function isTensor(logits: Logits): logits is LogitsTensor {
  return typeof logits === "object" && logits !== null && "data" in logits &&
    "dims" in logits;
}

/** N, V and the row stride: from dims, from options, or from the lengths. */
export function readShape(
  logits: Logits,
  length: number,
  rows: number,
  options: ShapeOptions,
): Shape {
  let { rowStride: stride, vocabSize } = options;
  let sequenceLength: number | undefined;
  if (isTensor(logits)) {
    const dims = Array.from(
      readList(ACTION, "dims", "an array of whole numbers", logits.dims),
      Number,
    );
    const columns = dims[dims.length - 1]!;
    const count = dims.slice(0, -1).reduce((product, d) => product * d, 1);
    if (
      (dims.length !== 2 && dims.length !== 3) || count * columns !== length ||
      !dims.every((d) => Number.isSafeInteger(d) && d >= 0)
    ) {
      outOfRange(
        ACTION,
        `dims must be [N, V] or [B, T, V] with ${length} elements in all`,
        dims,
      );
    }
    if (count !== rows) {
      outOfRange(
        ACTION,
        `labels.length must equal the ${count} rows of dims [${
          dims.join(", ")
        }]`,
        rows,
      );
    }
    if (rows > 0 && stride !== undefined && stride !== columns) {
      outOfRange(
        ACTION,
        `rowStride must equal the last of dims, ${columns}`,
        stride,
      );
    }
    if (columns > 0) {
      stride = columns;
      vocabSize ??= columns;
    }
    if (dims.length === 3 && rows > 0) sequenceLength = dims[1]!;
  }
  if (stride === undefined && vocabSize === undefined && rows > 0) {
    vocabSize = length / rows;
    if (vocabSize < 1 || !Number.isInteger(vocabSize)) {
      outOfRange(
        ACTION,
        `logits.length must be a multiple of the ${rows} labels`,
        length,
      );
    }
  }
  vocabSize ??= stride ?? options.classWeights?.length ?? 1;
  stride ??= vocabSize;
  if (stride < vocabSize) {
    outOfRange(
      ACTION,
      `rowStride must be at least vocabSize, ${vocabSize}`,
      stride,
    );
  }
  if (length !== rows * stride) {
    outOfRange(
      ACTION,
      `logits.length must equal ${rows} rows of ${stride}, ${rows * stride}`,
      length,
    );
  }
  if (vocabSize > 0x7fffffff) {
    outOfRange(ACTION, "vocabSize must be below 2³¹", vocabSize);
  }
  return { rows, vocabSize, rowStride: stride, sequenceLength };
}

/** Borders from cuSeqlens, else from sequenceLength, else from rank-3 dims. */
export function readSequences(
  shape: Shape,
  options: ShapeOptions,
): Int32Array | null {
  const { cuSeqlens, sequenceLength: given } = options;
  if (cuSeqlens !== undefined) {
    if (given !== undefined) {
      outOfRange(
        ACTION,
        "only one of cuSeqlens and sequenceLength must be given",
        cuSeqlens,
      );
    }
    return readBorders(ACTION, cuSeqlens, shape.rows);
  }
  const length = given ?? shape.sequenceLength;
  if (length === undefined) return null;
  if (shape.rows % length !== 0) {
    outOfRange(ACTION, `sequenceLength must divide ${shape.rows} rows`, length);
  }
  return equalBorders(shape.rows, length);
}

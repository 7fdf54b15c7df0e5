/**
 * From what a caller passes to a checked problem: shapes, sequences, targets,
 * weights. After this nothing can be wrong with the input.
 *
 * @module
 */
import {
  isListLike,
  outOfRange,
  readBorders,
  readCount,
  readFlag,
  readIgnoreIndex,
  readLabels,
  readNumber,
  readStorage,
  readWeights,
  readWord,
  wrongKind,
} from "../checks.ts";
import {
  IGNORE_INDEX,
  type Logits,
  type LogitsArray,
  type LogitsTensor,
  type LogitsType,
  type LossOptions,
  type Reduction,
  type TokenIds,
} from "../contract.ts";
import type { LossProblem } from "../engine.ts";
import { countTargets, equalBorders } from "../labels/sequences.ts";
import { shiftLeft } from "../labels/shift.ts";

const ACTION = "compute loss";
const NONE: LossOptions = Object.freeze({});

const REDUCTIONS = ["token", "sample", "sequence", "sum"] as const;
const DTYPES = ["f32", "bf16", "f16"] as const;

/** Every option there is, so that a misspelt one is an error and not a default. */
const OPTIONS: ReadonlySet<string> = new Set([
  "ignoreIndex",
  "reduction",
  "denominator",
  "shift",
  "sequenceLength",
  "cuSeqlens",
  "vocabSize",
  "rowStride",
  "dtype",
  "perToken",
  "logSumExp",
  "metrics",
  "labelSmoothing",
  "zLoss",
  "softcap",
  "logitScale",
  "tokenWeights",
  "classWeights",
  "deterministic",
  "into",
  "upstream",
  "bias",
]);

/** A checked problem and how its rows become one loss. */
export interface Prepared {
  problem: LossProblem;
  /** The array the caller passed, to hand back after a gradient in place. */
  data: LogitsArray;
  /** [S + 1], or null where all rows are one sequence. */
  borders: Int32Array | null;
  reduction: Reduction;
  denominator: number | undefined;
  totalTokens: number;
  perToken: boolean;
  logSumExp: boolean;
  deterministic: boolean;
}

interface Shape {
  rows: number;
  vocabSize: number;
  rowStride: number;
  /** The sequence length that rank-3 dims imply. */
  sequenceLength: number | undefined;
}

const positive = (n: number) => n > 0 && n < Infinity;
const finite = (n: number) => Number.isFinite(n);

/** Checks everything and narrows it. */
export function prepare(
  logits: Logits,
  labels: TokenIds,
  options: LossOptions = NONE,
): Prepared {
  if (typeof options !== "object" || options === null) {
    wrongKind(ACTION, "options must be an object", options);
  }
  for (const name in options) {
    if (!OPTIONS.has(name)) {
      wrongKind(
        ACTION,
        `every option must be one that exists`,
        name,
      );
    }
  }
  const data = isTensor(logits) ? logits.data : logits as LogitsArray;
  const storage = readStorage(
    ACTION,
    data,
    options.dtype === undefined
      ? undefined
      : readWord<LogitsType>(ACTION, "dtype", options.dtype, DTYPES),
  );
  if (!isListLike(labels)) {
    wrongKind(ACTION, "labels must be an array of whole numbers", labels);
  }
  const shape = readShape(logits, storage.array.length, labels.length, options);
  const { rows, vocabSize } = shape;
  const ignoreIndex = readIgnoreIndex(
    ACTION,
    options.ignoreIndex,
    IGNORE_INDEX,
  );
  const targets = readLabels(ACTION, labels, vocabSize, ignoreIndex);
  const borders = readSequences(shape, options);
  const shift = readFlag(ACTION, "shift", options.shift);
  const weights = readWeights(
    ACTION,
    "tokenWeights",
    options.tokenWeights,
    rows,
  );
  return {
    problem: {
      logits: storage.array,
      dtype: storage.dtype,
      rows,
      vocabSize,
      rowStride: shape.rowStride,
      targets: shift ? shiftLeft(targets, borders, ignoreIndex) : targets,
      ignoreIndex,
      rowWeights: weights !== null && shift
        ? shiftLeft(weights, borders, 0)
        : weights,
      classWeights: readWeights(
        ACTION,
        "classWeights",
        options.classWeights,
        vocabSize,
      ),
      labelSmoothing: readNumber(
        ACTION,
        "labelSmoothing",
        options.labelSmoothing,
        0,
        "in [0, 1]",
        (n) => n >= 0 && n <= 1,
      ),
      zLoss: readNumber(
        ACTION,
        "zLoss",
        options.zLoss,
        0,
        "finite and at least 0",
        (n) => n >= 0 && n < Infinity,
      ),
      softcap: readNumber(
        ACTION,
        "softcap",
        options.softcap,
        0,
        "finite and more than 0",
        positive,
      ),
      logitScale: readNumber(
        ACTION,
        "logitScale",
        options.logitScale,
        1,
        "finite and not 0",
        (n) => finite(n) && n !== 0,
      ),
      metrics: readFlag(ACTION, "metrics", options.metrics),
    },
    data,
    borders,
    reduction: readWord<Reduction>(
      ACTION,
      "reduction",
      options.reduction,
      REDUCTIONS,
    ),
    denominator: options.denominator === undefined ? undefined : readNumber(
      ACTION,
      "denominator",
      options.denominator,
      1,
      "finite and more than 0",
      positive,
    ),
    totalTokens: countTargets(rows, borders, shift),
    perToken: readFlag(ACTION, "perToken", options.perToken),
    logSumExp: readFlag(ACTION, "logSumExp", options.logSumExp),
    deterministic: readFlag(ACTION, "deterministic", options.deterministic),
  };
}

function isTensor(logits: Logits): logits is LogitsTensor {
  return typeof logits === "object" && logits !== null && "data" in logits &&
    "dims" in logits;
}

/** N, V and the row stride: from dims, from options, or from the lengths. */
function readShape(
  logits: Logits,
  length: number,
  rows: number,
  options: LossOptions,
): Shape {
  let stride = readCount(ACTION, "rowStride", options.rowStride, 1);
  let vocabSize = readCount(ACTION, "vocabSize", options.vocabSize, 1);
  let sequenceLength: number | undefined;
  if (isTensor(logits)) {
    const dims = Array.from(logits.dims, Number);
    const size = dims.reduce((product, d) => product * d, 1);
    if (
      (dims.length !== 2 && dims.length !== 3) || size !== length ||
      !dims.every((d) => Number.isSafeInteger(d) && d >= 0)
    ) {
      outOfRange(
        ACTION,
        `dims must be [N, V] or [B, T, V] with ${length} elements in all`,
        dims,
      );
    }
    const columns = dims[dims.length - 1]!;
    const count = dims.slice(0, -1).reduce((product, d) => product * d, 1);
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
    if (rows > 0) {
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
  vocabSize ??= stride ?? 1;
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
function readSequences(shape: Shape, options: LossOptions): Int32Array | null {
  const { cuSeqlens } = options;
  const given = readCount(ACTION, "sequenceLength", options.sequenceLength, 1);
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

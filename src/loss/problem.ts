/**
 * From what a caller passes to a checked problem: shapes, sequences, targets,
 * weights. After this nothing can be wrong with the input.
 *
 * @module
 */
import {
  checkOptions,
  outOfRange,
  readFlag,
  readIgnoreIndex,
  readLabels,
  readList,
  readNumber,
  readWeights,
  readWord,
} from "../checks.ts";
import {
  IGNORE_INDEX,
  type Logits,
  type LogitsArray,
  type LogitsType,
  type LossOptions,
  type Reduction,
  type TokenIds,
} from "../contract.ts";
import type { Prepared } from "../engine.ts";
import { countTargets } from "../labels/sequences.ts";
import { shiftLeft } from "../labels/shift.ts";
import { isTensor, readSequences, readShape } from "./shape.ts";
import { readStorage } from "./storage.ts";

const ACTION = "compute loss";
const NONE: LossOptions = Object.freeze({});

const REDUCTIONS = ["token", "sample", "sequence", "sum"] as const;
const DTYPES = ["f32", "bf16", "f16"] as const;

/** Every option there is. Those of gradients are let pass everywhere, so that one object serves a loss and its gradient. */
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
]);

const positive = (n: number) => n > 0 && n < Infinity;

/**
 * Throws if the logits have another length than when they were checked: to read
 * labels, weights and upstream can run code of the caller's, which may shrink
 * their buffer.
 */
export function checkUnchanged({ problem }: Prepared): void {
  const { logits, rows, rowStride } = problem;
  checkLength(logits.length, rows * rowStride);
}

/** The same of a length. */
export function checkLength(length: number, wanted: number): void {
  if (length === wanted) return;
  outOfRange(
    ACTION,
    `logits.length must stay ${wanted} while labels and options are read`,
    length,
  );
}

/** Checks everything and narrows it. */
export function prepare(
  logits: Logits,
  labels: TokenIds,
  options: LossOptions = NONE,
): Prepared {
  checkOptions(ACTION, "options", options, OPTIONS);
  const data = isTensor(logits) ? logits.data : logits as LogitsArray;
  const storage = readStorage(
    ACTION,
    data,
    options.dtype === undefined
      ? undefined
      : readWord<LogitsType>(ACTION, "dtype", options.dtype, DTYPES),
  );
  const list = readList<number | bigint>(
    ACTION,
    "labels",
    "an array of whole numbers",
    labels,
  ) as TokenIds;
  const shape = readShape(logits, storage.array.length, list.length, options);
  const { rows, vocabSize } = shape;
  const ignoreIndex = readIgnoreIndex(
    ACTION,
    options.ignoreIndex,
    IGNORE_INDEX,
  );
  const targets = readLabels(ACTION, list, rows, vocabSize, ignoreIndex);
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
        (n) => Number.isFinite(n) && n !== 0,
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

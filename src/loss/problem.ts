/**
 * From what a caller passes to a checked problem: shapes, sequences, targets,
 * weights. After this nothing can be wrong with the input.
 *
 * @module
 */
import {
  asGiven,
  count,
  flag,
  int32,
  number,
  optional,
  optionsReader,
  outOfRange,
  readLabels,
  readList,
  readWeights,
  word,
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
import { ACTION, isTensor, readSequences, readShape } from "./shape.ts";
import { readStorage } from "./storage.ts";

const positive = (n: number) => n > 0 && n < Infinity;

/** Every option there is. Those of gradients are let pass everywhere, so that one object serves a loss and its gradient. */
const readOptions = optionsReader({
  ignoreIndex: int32(IGNORE_INDEX),
  reduction: word<Reduction>(["token", "sample", "sequence", "sum"]),
  denominator: optional(number(1, "finite and more than 0", positive)),
  shift: flag,
  sequenceLength: count(1),
  cuSeqlens: asGiven<LossOptions["cuSeqlens"]>,
  vocabSize: count(1),
  rowStride: count(1),
  dtype: optional(word<LogitsType>(["f32", "bf16", "f16"])),
  perToken: flag,
  logSumExp: flag,
  metrics: flag,
  labelSmoothing: number(0, "in [0, 1]", (n) => n >= 0 && n <= 1),
  zLoss: number(0, "finite and at least 0", (n) => n >= 0 && n < Infinity),
  softcap: number(0, "finite and more than 0", positive),
  logitScale: number(
    1,
    "finite and not 0",
    (n) => Number.isFinite(n) && n !== 0,
  ),
  tokenWeights: asGiven<LossOptions["tokenWeights"]>,
  classWeights: asGiven<LossOptions["classWeights"]>,
  deterministic: flag,
}, ["into", "upstream"]);

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
  options: LossOptions = {},
): Prepared {
  const values = readOptions(ACTION, options);
  const { ignoreIndex, shift } = values;
  const data = isTensor(logits) ? logits.data : logits as LogitsArray;
  const { array, dtype } = readStorage(ACTION, data, values.dtype);
  const list = readList<number | bigint>(
    ACTION,
    "labels",
    "an array of whole numbers",
    labels,
  ) as TokenIds;
  const shape = readShape(logits, array.length, list.length, values);
  const { rows, vocabSize, rowStride } = shape;
  const targets = readLabels(ACTION, list, rows, vocabSize, ignoreIndex);
  const borders = readSequences(shape, values);
  const weights = readWeights(
    ACTION,
    "tokenWeights",
    values.tokenWeights,
    rows,
  );
  return {
    problem: {
      logits: array,
      dtype,
      rows,
      vocabSize,
      rowStride,
      targets: shift ? shiftLeft(targets, borders, ignoreIndex) : targets,
      ignoreIndex,
      rowWeights: weights !== null && shift
        ? shiftLeft(weights, borders, 0)
        : weights,
      classWeights: readWeights(
        ACTION,
        "classWeights",
        values.classWeights,
        vocabSize,
      ),
      labelSmoothing: values.labelSmoothing,
      zLoss: values.zLoss,
      softcap: values.softcap,
      logitScale: values.logitScale,
      metrics: values.metrics,
    },
    data,
    borders,
    reduction: values.reduction,
    denominator: values.denominator,
    totalTokens: countTargets(rows, borders, shift),
    perToken: values.perToken,
    logSumExp: values.logSumExp,
    deterministic: values.deterministic,
  };
}

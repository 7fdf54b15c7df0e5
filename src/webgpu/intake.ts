/**
 * A batch as a caller brings it, checked: after this nothing of it can be wrong,
 * and nothing has been put into a pass. If labels, weights or upstream live on
 * the device, the host cannot look into them, and what it has goes along.
 *
 * @module
 */
import {
  checkOptions,
  isListLike,
  outOfRange,
  readBorders,
  readLabels,
  readList,
  readNumber,
  readWeights,
  wrongKind,
} from "../checks.ts";
import type { Prepared } from "../engine.ts";
import { countTargets } from "../labels/sequences.ts";
import { shiftLeft } from "../labels/shift.ts";
import type { Range } from "./heap.ts";
import {
  checkApart,
  type DeviceArray,
  isDeviceArray,
  readRange,
} from "./ranges.ts";
import type { LossRules } from "./rules.ts";
import { bytesOfRows, type RowSpec } from "./spec.ts";
import type { GpuBatch } from "./types.ts";

const ACTION = "compute loss";

/** The least normal float32; a device may take what is smaller for 0. */
const LEAST = 2 ** -126;

/** What a batch of the host may have. */
export const HOST_KEYS: ReadonlySet<string> = new Set([
  "logits",
  "labels",
  "tokenWeights",
  "upstream",
  "denominator",
  "cuSeqlens",
]);

const KEYS: ReadonlySet<string> = new Set([...HOST_KEYS, "gradLogits"]);

/** What a batch is checked against. */
export interface Expected {
  spec: RowSpec;
  /** The options, checked, around a problem without rows. */
  template: Prepared;
  /** The borders of a batch that brings none. */
  borders: Int32Array | null;
  shift: boolean;
  limits: GPUSupportedLimits;
  rules: LossRules;
}

/** Values of a batch on the device, or of the host and to be sent there. */
export type Sent<T> = { range: Range } | { values: T };

/** A checked batch. */
export interface Intake {
  batch: Prepared;
  logits: Range;
  /** The new gradient. */
  made: Range | null;
  /** What the gradient is multiplied by, where the host knows it. */
  upstream: number | Float64Array;
  /** What the weigher is to read; null where the host knows all. */
  device: {
    labels: Sent<Int32Array>;
    tokenWeights: Sent<Float32Array> | null;
    upstream: Sent<Float32Array> | number;
  } | null;
}

/** Checks a batch. */
export function takeIn(given: GpuBatch, expected: Expected): Intake {
  checkOptions(ACTION, "batch", given, KEYS);
  const { spec, template, shift, limits, rules } = expected;
  const { rows, vocabSize, into } = spec;
  const [rowBytes = 0, madeBytes = 0] = bytesOfRows(spec);
  const logits = readRange("logits", given.logits, rows * rowBytes, limits);
  let made: Range | null = null;
  if (into === "new") {
    made = readRange("gradLogits", given.gradLogits, rows * madeBytes, limits);
  } else if (given.gradLogits !== undefined) {
    wrongKind(
      ACTION,
      `gradLogits must not be given where the plan has into: "${into}"`,
      given.gradLogits,
    );
  }

  const borders = given.cuSeqlens === undefined
    ? expected.borders
    : readBorders(ACTION, given.cuSeqlens, rows);
  const { ignoreIndex } = template.problem;
  const { labels, tokenWeights, upstream } = given;
  const targets = isDeviceArray(labels)
    ? new Int32Array(0)
    : readHostLabels(labels, rows, vocabSize, ignoreIndex);
  const rowWeights = isDeviceArray(tokenWeights)
    ? new Float64Array(0)
    : readWeights(ACTION, "tokenWeights", tokenWeights, rows);
  const denominator = given.denominator === undefined
    ? template.denominator
    : given.denominator;
  readNumber(
    ACTION,
    "denominator",
    denominator,
    1,
    "finite and more than 0",
    (n) => n > 0 && n < Infinity,
  );

  const known = !isDeviceArray(labels);
  const problem = { ...template.problem, rows, targets, rowWeights };
  const batch: Prepared = {
    ...template,
    problem,
    borders,
    denominator,
    totalTokens: countTargets(rows, borders, shift),
  };
  // which rows are scored is not known of labels on the device
  const targetOf = !known
    ? new Int32Array(rows).fill(ignoreIndex)
    : shift
    ? shiftLeft(targets, borders, ignoreIndex)
    : targets;
  const scored = { ...batch, problem: { ...problem, targets: targetOf } };
  const factors = isDeviceArray(upstream)
    ? 1
    : known || !isListLike(upstream)
    ? rules.readUpstream(scored, upstream)
    : readNumbers(upstream, rows);
  if (![labels, tokenWeights, upstream].some(isDeviceArray)) {
    scored.problem.rowWeights = shift && rowWeights !== null
      ? shiftLeft(rowWeights, borders, 0)
      : rowWeights;
    checkApart({ logits, gradLogits: made }, {});
    return { batch: scored, logits, made, upstream: factors, device: null };
  }

  if (denominator !== undefined) checkSingle("denominator", denominator);
  if (!isDeviceArray(tokenWeights)) {
    rowWeights?.forEach((w, i) => checkSingle(`tokenWeights[${i}]`, w));
  }
  const range = (name: string, array: DeviceArray) =>
    readRange(name, array, 4 * rows, limits);
  const device = {
    labels: isDeviceArray(labels)
      ? { range: range("labels", labels) }
      : { values: targets },
    tokenWeights: isDeviceArray(tokenWeights)
      ? { range: range("tokenWeights", tokenWeights) }
      : rowWeights && { values: Float32Array.from(rowWeights) },
    upstream: isDeviceArray(upstream)
      ? { range: range("upstream", upstream) }
      : typeof factors === "number"
      ? factors
      : { values: Float32Array.from(factors) },
  };
  return { batch, logits, made, upstream: factors, device };
}

function readHostLabels(
  labels: unknown,
  rows: number,
  vocabSize: number,
  ignoreIndex: number,
): Int32Array {
  const list = readList(
    ACTION,
    "labels",
    "an array of whole numbers or a GPUBuffer",
    labels as ArrayLike<number>,
  );
  const count = list.length;
  if (count !== rows) {
    outOfRange(
      ACTION,
      `labels.length must equal the ${rows} rows of the plan`,
      count,
    );
  }
  return readLabels(ACTION, list, rows, vocabSize, ignoreIndex);
}

/** Upstream of rows of which only the device knows whether they are scored: numbers, finite or not. */
function readNumbers(upstream: ArrayLike<unknown>, rows: number): Float64Array {
  const list = readList(ACTION, "upstream", "an array of numbers", upstream);
  const numbers = Float64Array.from(list, (value, i) => {
    if (typeof value === "number") return value;
    wrongKind(ACTION, `upstream[${i}] must be a number`, value);
  });
  if (numbers.length === rows) return numbers;
  outOfRange(
    ACTION,
    `upstream.length must equal the ${rows} rows`,
    numbers.length,
  );
}

/** Throws for a factor that float32 does not hold, and that the device would take for 0 or infinity; 0 means none. */
export function checkSingle(name: string, value: number): void {
  const held = Math.abs(Math.fround(value));
  if (value === 0 || held >= LEAST && held < Infinity) return;
  outOfRange(ACTION, `${name} must be within float32 on a GPU`, value);
}

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
  readNumber,
  readWeights,
  wrongKind,
} from "../checks.ts";
import { countTargets } from "../labels/sequences.ts";
import { shiftLeft } from "../labels/shift.ts";
import type { Batch } from "./batch.ts";
import type { Range } from "./heap.ts";
import {
  checkApart,
  type DeviceArray,
  isDeviceArray,
  readRange,
} from "./ranges.ts";
import { bytesOfRows, type RowSpec } from "./spec.ts";
import type { GpuBatch } from "./types.ts";

const ACTION = "compute loss";

const KEYS: ReadonlySet<string> = new Set([
  "logits",
  "labels",
  "tokenWeights",
  "upstream",
  "denominator",
  "cuSeqlens",
  "gradLogits",
]);

/** What a batch is checked against. */
export interface Expected {
  spec: RowSpec;
  /** The options, checked, around a problem without rows. */
  template: Batch;
  /** The borders of a batch that brings none. */
  borders: Int32Array | null;
  shift: boolean;
  limits: GPUSupportedLimits;
}

/** Values of a batch on the device, or of the host and to be sent there. */
export type Sent<T> = { range: Range } | { values: T };

/** A checked batch. */
export interface Intake {
  batch: Batch;
  logits: Range;
  /** The new gradient. */
  made: Range | null;
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
  const { spec, template, shift, limits } = expected;
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
    : readBorders(ACTION, given.cuSeqlens, rows).slice(); // read again later
  const { ignoreIndex } = template.problem;
  const { labels, tokenWeights, upstream } = given;
  const targets = isDeviceArray(labels)
    ? new Int32Array(0)
    : readHostLabels(labels, rows, vocabSize, ignoreIndex);
  const rowWeights = isDeviceArray(tokenWeights)
    ? new Float64Array(0)
    : readWeights(ACTION, "tokenWeights", tokenWeights, rows);
  const denominator = given.denominator ?? template.denominator;
  readNumber(
    ACTION,
    "denominator",
    denominator,
    1,
    "finite and more than 0",
    (n) => n > 0 && n < Infinity,
  );

  const problem = { ...template.problem, rows, targets, rowWeights };
  const batch: Batch = {
    ...template,
    problem,
    borders,
    denominator,
    totalTokens: countTargets(rows, borders, shift),
  };
  if (![labels, tokenWeights, upstream].some(isDeviceArray)) {
    if (shift) {
      problem.targets = shiftLeft(targets, borders, ignoreIndex);
      problem.rowWeights = rowWeights && shiftLeft(rowWeights, borders, 0);
    }
    checkApart({ logits, gradLogits: made }, {});
    return { batch, logits, made, device: null };
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
      : readHostUpstream(upstream, rows),
  };
  return { batch, logits, made, device };
}

function readHostLabels(
  labels: unknown,
  rows: number,
  vocabSize: number,
  ignoreIndex: number,
): Int32Array {
  if (!isListLike(labels)) {
    wrongKind(
      ACTION,
      "labels must be an array of whole numbers or a GPUBuffer",
      labels,
    );
  }
  if (labels.length !== rows) {
    outOfRange(
      ACTION,
      `labels.length must equal the ${rows} rows of the plan`,
      labels.length,
    );
  }
  // a copy: the caller's array may change before the handle is read
  return readLabels(ACTION, labels as number[], vocabSize, ignoreIndex).slice();
}

/** A number, or one for each row; those of rows that are not scored may be anything, and which those are the device knows. */
function readHostUpstream(
  upstream: unknown,
  rows: number,
): number | { values: Float32Array } {
  if (!isListLike(upstream)) {
    return readNumber(
      ACTION,
      "upstream",
      upstream,
      1,
      "finite",
      Number.isFinite,
    );
  }
  if (upstream.length !== rows) {
    outOfRange(
      ACTION,
      `upstream.length must equal the ${rows} rows`,
      upstream.length,
    );
  }
  return { values: Float32Array.from(upstream as ArrayLike<number>) };
}

/**
 * Lists of numbers: ids, labels, weights, the borders of sequences. Each element
 * is checked before it is narrowed.
 *
 * @module
 */
import type { Action } from "../actions.ts";
import type { TokenIds } from "../contract.ts";
import { kindOf, plainView } from "../typed_arrays.ts";
import { outOfRange, wrongKind } from "./errors.ts";

/** Whether a value can be indexed like an array of numbers. */
export function isListLike(value: unknown): value is ArrayLike<unknown> {
  if (
    typeof value !== "object" || value === null || value instanceof DataView
  ) {
    return false;
  }
  const length = (value as { length?: unknown }).length;
  return typeof length === "number" && Number.isSafeInteger(length) &&
    length >= 0;
}

/** One element as a whole int32, or an error that names it. */
function readInteger(
  action: Action,
  name: string,
  index: number,
  value: unknown,
): number {
  if (typeof value !== "number" && typeof value !== "bigint") {
    wrongKind(action, `${name}[${index}] must be a whole number`, value);
  }
  const number = Number(value);
  if ((number | 0) !== number) {
    outOfRange(
      action,
      `${name}[${index}] must be a whole number within int32`,
      value,
    );
  }
  return number;
}

/** Ids as int32, each checked before it is narrowed. An Int32Array is returned as it is. */
export function readIds(
  action: Action,
  name: string,
  ids: TokenIds,
): Int32Array {
  if (kindOf(ids) === "Int32Array") {
    return plainView(ids as Int32Array, Int32Array);
  }
  if (!isListLike(ids)) {
    wrongKind(action, `${name} must be an array of whole numbers`, ids);
  }
  const out = new Int32Array(ids.length);
  for (let i = 0; i < out.length; i++) {
    const id = ids[i];
    out[i] = typeof id === "number" && (id | 0) === id
      ? id
      : readInteger(action, name, i, id);
  }
  return out;
}

/**
 * Labels as int32: ignoreIndex or a class, row by row. Always a copy, each label
 * read once: it becomes an address, and the caller's array may be another thread's,
 * or change while options are read.
 */
export function readLabels(
  action: Action,
  labels: TokenIds,
  vocabSize: number,
  ignoreIndex: number,
): Int32Array {
  const out = new Int32Array(labels.length);
  for (let i = 0; i < out.length; i++) {
    const given = labels[i];
    if (typeof given !== "number" && typeof given !== "bigint") {
      wrongKind(action, `labels[${i}] must be a whole number`, given);
    }
    const label = Number(given);
    const known = label >= 0 && label < vocabSize || label === ignoreIndex;
    if (!known || (label | 0) !== label) {
      outOfRange(
        action,
        `labels[${i}] must be ${ignoreIndex} (ignored) or a class in [0, ${vocabSize})`,
        given,
      );
    }
    out[i] = label;
  }
  return out;
}

/** Finite weights, `length` of them, as float64; null where there are none. */
export function readWeights(
  action: Action,
  name: string,
  weights: ArrayLike<number> | undefined,
  length: number,
): Float64Array | null {
  if (weights === undefined) return null;
  if (!isListLike(weights)) {
    wrongKind(action, `${name} must be an array of numbers`, weights);
  }
  if (weights.length !== length) {
    outOfRange(action, `${name}.length must equal ${length}`, weights.length);
  }
  const out = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const weight = weights[i]!;
    if (typeof weight !== "number") {
      wrongKind(action, `${name}[${i}] must be a number`, weight);
    }
    if (!Number.isFinite(weight)) {
      outOfRange(action, `${name}[${i}] must be finite`, weight);
    }
    out[i] = weight;
  }
  return out;
}

/** Sequence borders: 0 = b_0 <= b_1 <= ... <= b_S = rows. */
export function readBorders(
  action: Action,
  cuSeqlens: ArrayLike<number>,
  rows: number,
): Int32Array {
  const borders = readIds(action, "cuSeqlens", cuSeqlens);
  const last = borders.length - 1;
  if (borders[0] !== 0) {
    outOfRange(action, "cuSeqlens must start at 0", cuSeqlens);
  }
  for (let s = 1; s <= last; s++) {
    if (borders[s]! < borders[s - 1]!) {
      outOfRange(
        action,
        `cuSeqlens must never fall, as it does at index ${s}`,
        cuSeqlens,
      );
    }
  }
  if (borders[last] !== rows) {
    outOfRange(action, `cuSeqlens must end at ${rows}`, cuSeqlens);
  }
  return borders;
}

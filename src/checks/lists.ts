/**
 * Lists of numbers: ids, labels, weights, the borders of sequences. Each element
 * is checked before it is narrowed.
 *
 * @module
 */
import type { Action } from "../actions.ts";
import type { TokenIds } from "../contract.ts";
import { isLost, kindOf, plainView } from "../typed_arrays.ts";
import { lost, outOfRange, wrongKind } from "./errors.ts";

/** Positions are int32. */
const LONGEST = 0x7fffffff;

/** Whether a value can be indexed like an array of numbers. */
export function isListLike(value: unknown): value is ArrayLike<unknown> {
  if (kindOf(value) !== undefined) return true;
  if (
    typeof value !== "object" || value === null || value instanceof DataView
  ) {
    return false;
  }
  const length = (value as { length?: unknown }).length;
  return typeof length === "number" && Number.isSafeInteger(length) &&
    length >= 0;
}

/** Throws unless a value gives one element after another; `wish` is what must be. */
export function checkIterable(
  action: Action,
  wish: string,
  value: unknown,
): asserts value is Iterable<unknown> {
  if (
    typeof value !== "object" || value === null ||
    typeof (value as Iterable<unknown>)[Symbol.iterator] !== "function"
  ) {
    wrongKind(action, wish, value);
  }
}

/**
 * A list; of a typed array a plain one over the same memory, whose `length` can be
 * relied on. Any other may say another length each time it is asked: ask once.
 */
export function readList<T>(
  action: Action,
  name: string,
  wish: string,
  value: ArrayLike<T>,
): ArrayLike<T> {
  if (kindOf(value) !== undefined) return readView(action, name, value);
  if (!isListLike(value)) wrongKind(action, `${name} must be ${wish}`, value);
  return value;
}

/** A typed array as one of the plain class over the same memory. */
export function readView<T>(action: Action, name: string, array: T): T {
  const view = array as ArrayBufferView & T;
  if (isLost(view)) lost(action, name, view);
  return plainView(view);
}

/** Throws if an array has lost its elements since there were `length`: what is read later may be code of the caller's. */
export function checkHeld(
  action: Action,
  name: string,
  array: Int32Array,
  length: number,
): void {
  if (array.length < length) lost(action, name, array);
}

/** Room for a list that says how long it is. */
export function makeRoom<T>(
  action: Action,
  name: string,
  kind: new (length: number) => T,
  length: number,
): T {
  if (length > LONGEST) {
    outOfRange(action, `${name}.length must be below 2³¹`, length);
  }
  try {
    return new kind(length);
  } catch {
    outOfRange(action, `${name}.length must fit into memory`, length);
  }
}

/** One element as a number, whole or not, or an error that names it. */
function readElement(
  action: Action,
  name: string,
  index: number,
  value: unknown,
): number {
  if (typeof value !== "number" && typeof value !== "bigint") {
    wrongKind(action, `${name}[${index}] must be a whole number`, value);
  }
  return Number(value);
}

/** Ids as int32, each checked before it is narrowed. An Int32Array is returned as it is. */
export function readIds(
  action: Action,
  name: string,
  ids: TokenIds,
): Int32Array {
  if (kindOf(ids) === "Int32Array") {
    return readView(action, name, ids as Int32Array);
  }
  const list = readList<number | bigint>(
    action,
    name,
    "an array of whole numbers",
    ids,
  );
  const out = makeRoom(action, name, Int32Array, list.length);
  for (let i = 0; i < out.length; i++) {
    const given = list[i], id = readElement(action, name, i, given);
    if ((id | 0) !== id) {
      const wish = `${name}[${i}] must be a whole number within int32`;
      outOfRange(action, wish, given);
    }
    out[i] = id;
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
  rows: number,
  vocabSize: number,
  ignoreIndex: number,
): Int32Array {
  const out = makeRoom(action, "labels", Int32Array, rows);
  for (let i = 0; i < rows; i++) {
    const given = labels[i];
    const label = readElement(action, "labels", i, given);
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

/** Finite weights, `length` of them, as float64; null where there are none. Those that need not be read are 0. */
export function readWeights(
  action: Action,
  name: string,
  weights: ArrayLike<number> | undefined,
  length: number,
  isRead: (index: number) => boolean = () => true,
): Float64Array | null {
  if (weights === undefined) return null;
  const list = readList(action, name, "an array of numbers", weights);
  const given = list.length;
  if (given !== length) {
    outOfRange(action, `${name}.length must equal ${length}`, given);
  }
  const out = makeRoom(action, name, Float64Array, length);
  for (let i = 0; i < length; i++) {
    if (!isRead(i)) continue;
    const weight = list[i]!;
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
  const borders = readIds(action, "cuSeqlens", cuSeqlens).slice(); // read again later
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

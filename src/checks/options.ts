/**
 * Options: an object of known keys, and the single values in it.
 *
 * @module
 */
import type { Action } from "../actions.ts";
import { outOfRange, wrongKind } from "./errors.ts";

/** Throws unless a value is an object of named fields: a list is none, though it may have no keys to be wrong. */
export function checkObject(
  action: Action,
  name: string,
  value: unknown,
): asserts value is object {
  if (
    typeof value !== "object" || value === null || Array.isArray(value) ||
    ArrayBuffer.isView(value)
  ) {
    wrongKind(action, `${name} must be an object`, value);
  }
}

/** Throws unless `options` is an object whose every key is known, so that a misspelt one is an error and not a default. */
export function checkOptions(
  action: Action,
  name: string,
  options: unknown,
  known: ReadonlySet<string>,
): void {
  checkObject(action, name, options);
  for (const key in options) {
    if (!known.has(key)) {
      wrongKind(
        action,
        `every key of ${name} must be one of ${[...known].join(", ")}`,
        key,
      );
    }
  }
}

/** A number for which `accept` holds, or `fallback` where there is none. */
export function readNumber(
  action: Action,
  name: string,
  value: unknown,
  fallback: number,
  wish: string,
  accept: (value: number) => boolean,
): number {
  if (value === undefined) return fallback;
  if (typeof value !== "number") {
    wrongKind(action, `${name} must be a number`, value);
  }
  if (!accept(value)) outOfRange(action, `${name} must be ${wish}`, value);
  return value;
}

/** A whole number of at least `least`, or undefined. */
export function readCount(
  action: Action,
  name: string,
  value: unknown,
  least: number,
): number | undefined {
  if (value === undefined) return undefined;
  return readNumber(
    action,
    name,
    value,
    0,
    `a whole number of at least ${least}`,
    (n) => Number.isSafeInteger(n) && n >= least,
  );
}

/** A boolean, false where there is none. */
export function readFlag(
  action: Action,
  name: string,
  value: unknown,
): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") {
    wrongKind(action, `${name} must be true or false`, value);
  }
  return value;
}

/** One of some words, the first where there is none. */
export function readWord<T extends string>(
  action: Action,
  name: string,
  value: unknown,
  words: readonly [T, ...T[]],
): T {
  if (value === undefined) return words[0];
  if (typeof value !== "string") {
    wrongKind(action, `${name} must be one of ${words.join(", ")}`, value);
  }
  if (!words.includes(value as T)) {
    outOfRange(action, `${name} must be one of ${words.join(", ")}`, value);
  }
  return value as T;
}

/** An int32 ignoreIndex. */
export function readIgnoreIndex(
  action: Action,
  value: unknown,
  fallback: number,
): number {
  return readNumber(
    action,
    "ignoreIndex",
    value,
    fallback,
    "a whole number within int32",
    (n) => (n | 0) === n,
  );
}

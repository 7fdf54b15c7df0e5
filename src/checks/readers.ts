/**
 * A call's options as a table: one reader for each option there is. `optionsReader`
 * refuses what is not in the table, reads every option once, and hands out their
 * values.
 *
 * @module
 */
import type { Action } from "../actions.ts";
import { wrongKind } from "./errors.ts";
import {
  checkOptions,
  readCount,
  readFlag,
  readNumber,
  readWord,
} from "./options.ts";

/** Reads one option, undefined where it was not given: its value, or an error that names it. */
export type Reader<T> = (action: Action, name: string, value: unknown) => T;

/** A table of readers, for these values. */
export type Readers<T> = { [K in keyof T]: Reader<T[K]> };

/** What a table of readers reads. */
export type Values<R extends Record<string, Reader<unknown>>> = {
  [K in keyof R]: ReturnType<R[K]>;
};

/**
 * A function that reads options by a table, and refuses what is neither in it nor
 * in `others`, which are read elsewhere; `name` is what messages call the object.
 * To be made once, not in each call.
 */
export function optionsReader<R extends Record<string, Reader<unknown>>>(
  readers: R,
  others: readonly string[] = [],
): (action: Action, options: object, name?: string) => Values<R> {
  const keys = Object.keys(readers);
  const known = new Set([...keys, ...others]);
  // what options are that were not given, once somebody asks
  let defaults: Record<string, unknown> | null | undefined;
  return (action, options, name = "options") => {
    checkOptions(action, name, options, known);
    const inside = name === "options" ? "" : `${name}.`;
    const given = options as Record<string, unknown>;
    if (defaults === undefined) defaults = defaultsOf(readers);
    // a copy has the shape of the table, which so many new keys would cost it
    const values: Record<string, unknown> = { ...(defaults ?? readers) };
    // most calls give few options; those of a class may stand in its prototype
    const few = defaults !== null &&
      Object.getPrototypeOf(options) === Object.prototype;
    for (const key of few ? Object.getOwnPropertyNames(options) : keys) {
      const read = readers[key];
      if (read) values[key] = read(action, inside + key, given[key]);
    }
    return values as Values<R>;
  };
}

/** What is read where nothing was given; null where something must be. */
function defaultsOf(
  readers: Record<string, Reader<unknown>>,
): Record<string, unknown> | null {
  const defaults: Record<string, unknown> = { ...readers };
  try {
    for (const key in readers) {
      defaults[key] = readers[key]!("compute loss", key, undefined);
    }
    return defaults;
  } catch {
    return null;
  }
}

/** Whatever it is, to be read elsewhere. */
export function asGiven<T>(_: Action, __: string, value: unknown): T {
  return value as T;
}

/** True or false, false unless given. */
export const flag: Reader<boolean> = readFlag;

/** What `reader` reads, undefined unless given. */
export function optional<T>(reader: Reader<T>): Reader<T | undefined> {
  return (action, name, value) =>
    value === undefined ? undefined : reader(action, name, value);
}

/** What `reader` reads; that nothing was given is an error. */
export function required<T>(reader: Reader<T>): Reader<NonNullable<T>> {
  return (action, name, value) => {
    if (value === undefined) wrongKind(action, `${name} must be given`, value);
    return reader(action, name, value)!;
  };
}

/** A number for which `accept` holds, else an error with the wish; `fallback` unless given. */
export function number(
  fallback: number,
  wish: string,
  accept: (value: number) => boolean,
): Reader<number> {
  return (action, name, value) =>
    readNumber(action, name, value, fallback, wish, accept);
}

/** A whole number within int32. */
export function int32(fallback: number): Reader<number> {
  return number(
    fallback,
    "a whole number within int32",
    (n) => (n | 0) === n,
  );
}

/** A whole number of at least `least`, undefined unless given. */
export function count(least: number): Reader<number | undefined> {
  return (action, name, value) => readCount(action, name, value, least);
}

/** One of the words, the first unless given. */
export function word<T extends string>(
  words: readonly [T, ...T[]],
): Reader<T> {
  return (action, name, value) => readWord(action, name, value, words);
}

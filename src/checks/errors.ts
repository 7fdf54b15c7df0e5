/**
 * How an error of the border is said: what was being done, what was wanted and
 * what came.
 *
 * @module
 */
import type { Action } from "../actions.ts";

/** A value as an error message shows it: short, and telling strings from numbers. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (ArrayBuffer.isView(value) || Array.isArray(value)) {
    const list = value as unknown as ArrayLike<unknown>;
    const head = Array.from(
      { length: Math.min(list.length, 8) },
      (_, i) => String(list[i]),
    ).join(", ");
    const name = Array.isArray(value) ? "" : value.constructor.name;
    return `${name}[${head}${
      list.length > 8 ? `, ... ${list.length} in all` : ""
    }]`;
  }
  if (typeof value === "object" && value !== null) {
    return `an object with ${Object.keys(value).join(", ") || "no keys"}`;
  }
  return String(value);
}

/** Throws a RangeError; the kind being right, a bigint is shown as the number it is. */
export function outOfRange(
  action: Action,
  wish: string,
  value: unknown,
): never {
  const shown = typeof value === "bigint" ? String(value) : show(value);
  throw new RangeError(
    `Cannot ${action} as ${wish}: current value is ${shown}`,
  );
}

/** Throws a TypeError. */
export function wrongKind(action: Action, wish: string, value: unknown): never {
  throw new TypeError(
    `Cannot ${action} as ${wish}: current value is ${show(value)}`,
  );
}

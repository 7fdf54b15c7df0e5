/**
 * How an error of the border is said: what was being done, what was wanted and
 * what came.
 *
 * @module
 */
import type { Action } from "../actions.ts";
import { kindOf, lengthOf } from "../typed_arrays.ts";

/** A value as an error message shows it: short, and telling strings from numbers. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  const kind = kindOf(value);
  if (kind !== undefined || Array.isArray(value)) {
    const list = value as unknown as ArrayLike<unknown>;
    const length = kind === undefined
      ? list.length
      : lengthOf(value as ArrayBufferView);
    const head = Array.from(
      { length: Math.min(length, 8) },
      (_, i) => element(list[i]),
    ).join(", ");
    return `${kind ?? ""}[${head}${
      length > 8 ? `, ... ${length} in all` : ""
    }]`;
  }
  if (typeof value === "object" && value !== null) {
    const keys = Object.keys(value).join(", ");
    const { name } = Object(value.constructor) as { name?: unknown };
    // what the system gives has no keys of its own, but a class
    return keys === "" && typeof name === "string" && name !== "Object"
      ? `a ${name}`
      : `an object with ${keys || "no keys"}`;
  }
  return String(value);
}

/** An element, which may be what has no text: an object without a prototype. */
function element(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "an object";
  }
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

/** Throws the TypeError of an array whose buffer was taken away. */
export function lost(action: Action, name: string, value: unknown): never {
  wrongKind(
    action,
    `${name} must not have lost their buffer (it was transferred, or shrunk under them)`,
    value,
  );
}

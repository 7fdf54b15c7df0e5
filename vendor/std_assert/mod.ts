/**
 * A small stand-in for `@std/assert`, for machines that reach npm but not JSR.
 *
 * Same names, same signatures, written anew. Take the "links" line out of the
 * root deno.json and the real package is used instead.
 *
 * @module
 */
import { differences, show } from "./differences.ts";

/** What a failed assertion throws. */
export class AssertionError extends Error {
  /** Makes the error; `options` may carry a `cause`. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}

// deno-lint-ignore no-explicit-any
type Class<T> = abstract new (...args: any[]) => T;

/** The values that count as false. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** Throws, always. */
export function fail(msg?: string): never {
  throw new AssertionError(msg ? `Failed: ${msg}` : "Failed");
}

/** Throws unless `expr` counts as true. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg || "Expected a truthy value");
}

/** Throws unless `expr` counts as false. */
export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) raise(`Expected a falsy value, got ${show(expr)}`, msg);
}

/** Throws unless both are deeply equal; NaN equals NaN, and 0 equals -0. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  const shown: string[] = [];
  let count = 0;
  for (const line of differences(actual, expected)) {
    if (count++ < 8) shown.push(`  ${line}`);
  }
  if (count === 0) return;
  if (count > shown.length) shown.push(`  … and ${count - shown.length} more`);
  const places = count === 1 ? "1 place" : `${count} places`;
  raise(`Values are not equal in ${places}`, msg, `\n${shown.join("\n")}`);
}

/** Throws if both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!differences(actual, expected).next().done) return;
  raise(`Expected values that differ, both are ${show(actual)}`, msg);
}

/** Throws unless both are the same by `Object.is`: NaN is NaN, and 0 is not -0. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  raise(`Expected ${show(expected)} itself, got ${show(actual)}`, msg);
}

/**
 * Throws unless `|expected - actual| <= tolerance`. Unless given, the tolerance
 * is 1e-7 of the expected value.
 */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const scale = Number.isFinite(expected) ? Math.abs(expected) : 1;
  const allowed = tolerance ?? 1e-7 * scale;
  const delta = Math.abs(expected - actual);
  if (delta <= allowed) return;
  raise(
    `Expected ${expected} within ${allowed}, got ${actual}, off by ${delta}`,
    msg,
  );
}

/** Throws if the value is null or undefined. */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual === null || actual === undefined) {
    raise(`Expected a value, got ${actual}`, msg);
  }
}

/** Throws unless the value is an instance of the class. */
// deno-lint-ignore no-explicit-any
export function assertInstanceOf<T extends Class<any>>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  raise(
    `Expected an instance of ${expectedType.name}, got ${show(actual)}`,
    msg,
  );
}

/** Throws unless the text matches. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (expected.test(actual)) return;
  raise(`Expected a match of ${expected}, got ${show(actual)}`, msg);
}

/** Throws unless the text contains the other. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  raise(
    `Expected a text with ${show(expected)} in it, got ${show(actual)}`,
    msg,
  );
}

/** Throws unless `actualValue > expectedValue`. */
export function assertGreater<T>(
  actualValue: T,
  expectedValue: T,
  msg?: string,
): void {
  if (actualValue > expectedValue) return;
  raise(`Expected ${show(actualValue)} > ${show(expectedValue)}`, msg);
}

/** Throws unless `actualValue >= expectedValue`. */
export function assertGreaterOrEqual<T>(
  actualValue: T,
  expectedValue: T,
  msg?: string,
): void {
  if (actualValue >= expectedValue) return;
  raise(`Expected ${show(actualValue)} >= ${show(expectedValue)}`, msg);
}

/** Throws unless `actualValue < expectedValue`. */
export function assertLess<T>(
  actualValue: T,
  expectedValue: T,
  msg?: string,
): void {
  if (actualValue < expectedValue) return;
  raise(`Expected ${show(actualValue)} < ${show(expectedValue)}`, msg);
}

/** Throws unless `actualValue <= expectedValue`. */
export function assertLessOrEqual<T>(
  actualValue: T,
  expectedValue: T,
  msg?: string,
): void {
  if (actualValue <= expectedValue) return;
  raise(`Expected ${show(actualValue)} <= ${show(expectedValue)}`, msg);
}

/** Throws unless `fn` throws. @returns What it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Throws unless `fn` throws such an error. @returns The error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  ...wanted: Wanted
): unknown {
  try {
    fn();
  } catch (error) {
    return checkThrown(error, wanted);
  }
  raise("Expected the function to throw", messageOf(wanted));
}

/** Rejects unless the promise of `fn` rejects. @returns What it rejected with. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/** Rejects unless the promise of `fn` rejects with such an error. @returns The error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  ...wanted: Wanted
): Promise<unknown> {
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (cause) {
    throw new AssertionError("Expected a rejection, but the call threw", {
      cause,
    });
  }
  try {
    await promise;
  } catch (error) {
    return checkThrown(error, wanted);
  }
  raise("Expected the promise to reject", messageOf(wanted));
}

/** The arguments after `fn`: a message alone, or a class, a part of its message, and a message. */
type Wanted = [
  classOrMsg?: Class<Error> | string,
  msgIncludes?: string,
  msg?: string,
];

function messageOf([classOrMsg, , msg]: Wanted): string | undefined {
  return typeof classOrMsg === "string" ? classOrMsg : msg;
}

function checkThrown(error: unknown, wanted: Wanted): unknown {
  const [classOrMsg, msgIncludes] = wanted;
  if (typeof classOrMsg !== "function") return error;
  const msg = messageOf(wanted);
  if (!(error instanceof classOrMsg)) {
    raise(`Expected ${classOrMsg.name} to be thrown, got ${show(error)}`, msg);
  }
  if (msgIncludes !== undefined && !error.message.includes(msgIncludes)) {
    raise(
      `Expected an error message with ${JSON.stringify(msgIncludes)} in it, ` +
        `got ${JSON.stringify(error.message)}`,
      msg,
    );
  }
  return error;
}

/** Throws the AssertionError `what: msg`, and the details after it. */
function raise(what: string, msg?: string, details = ""): never {
  throw new AssertionError((msg ? `${what}: ${msg}` : what) + details);
}

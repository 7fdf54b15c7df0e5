/**
 * Comparisons to the last bit, which `assertEquals` is too kind for (it takes 0
 * for -0), and the ways through an engine that must agree.
 *
 * @module
 */
import { fail } from "@std/assert";
import type { LossOptions } from "../../src/contract.ts";

/** Fails at the first place where two arrays of numbers differ in any bit; all NaNs are one. */
export function assertBits(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what = "bits",
): void {
  if (actual.length !== expected.length) {
    fail(`${what}: ${actual.length} values, expected ${expected.length}`);
  }
  for (let i = 0; i < expected.length; i++) {
    if (Object.is(actual[i], expected[i])) continue;
    fail(`${what}[${i}]: ${show(actual[i]!)}, expected ${show(expected[i]!)}`);
  }
}

/** Fails unless every value is 0 and not -0. */
export function assertZeros(values: ArrayLike<number>, what = "value"): void {
  assertBits(values, new Uint8Array(values.length), what);
}

function show(x: number): string {
  return Object.is(x, -0) ? "-0" : String(x);
}

/** Options that change no number but send a row the float32 and the float64 way. */
export const WAYS: readonly LossOptions[] = [{}, { metrics: true }];

/** `count` numbers from `start`. */
export function range(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

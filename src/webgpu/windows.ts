/**
 * How many rows a binding can hold, and how workgroups are laid out. Offsets are
 * computed here, in numbers that are exact to 2^53; inside a binding of less
 * than 2^31 bytes a 32-bit index of words cannot wrap.
 *
 * @module
 */
import { outOfRange } from "../checks.ts";

/** Workgroups in one dimension of a dispatch, the least that every device allows. */
export const MAX_WORKGROUPS = 65535;

/** Rows [first, first + rows) of the logits. */
export interface Window {
  first: number;
  rows: number;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/**
 * Rows in windows that fit a binding and begin at a legal offset, for arrays
 * whose rows have the given sizes in bytes (fractions of a word included).
 */
export function windowsOf(
  rows: number,
  rowBytes: readonly number[],
  limit: number,
  alignment: number,
): Window[] {
  let step = 1;
  let most = rows;
  for (const bytes of rowBytes) {
    step = Math.max(step, alignment / gcd(bytes, alignment));
    // a window is bound in whole words
    most = Math.min(most, Math.floor(Math.floor(limit / 4) * 4 / bytes));
  }
  // one window needs no legal offset but its own
  if (most < rows) most = Math.floor(most / step) * step;
  if (most < 1 && rows > 0) {
    const row = Math.max(...rowBytes);
    const fitting = Math.floor(limit / row);
    const advice = fitting < 1
      ? "use fewer columns"
      : `use at most ${fitting} rows at a time, or rows whose bytes are a multiple of ${alignment}`;
    outOfRange(
      "compute loss",
      `${step} rows of ${row} bytes must fit into one binding of ${limit} bytes (${advice})`,
      step * row,
    );
  }
  const windows: Window[] = [];
  for (let first = 0; first < rows; first += most) {
    windows.push({ first, rows: Math.min(most, rows - first) });
  }
  return windows;
}

/** A grid of at least `count` workgroups, as square as needed and no more. */
export function gridOf(count: number): [x: number, y: number] {
  if (count <= MAX_WORKGROUPS) return [count, 1];
  const y = Math.ceil(count / MAX_WORKGROUPS);
  return [Math.ceil(count / y), y];
}

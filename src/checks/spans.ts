/**
 * Spans of positions: half-open, within what they are spans of.
 *
 * @module
 */
import type { Action } from "../actions.ts";
import type { TokenSpan } from "../contract.ts";
import { outOfRange, wrongKind } from "./errors.ts";
import { isListLike } from "./lists.ts";

/** A pair of whole numbers with 0 <= start <= end <= length. */
export function readSpan(
  action: Action,
  name: string,
  span: TokenSpan,
  length: number,
): [start: number, end: number] {
  if (!isListLike(span) || span.length !== 2) {
    wrongKind(action, `${name} must be a pair [start, end)`, span);
  }
  const { 0: start, 1: end } = span;
  const whole = `${name} must be two whole numbers`;
  if (typeof start !== "number" || typeof end !== "number") {
    wrongKind(action, whole, span);
  }
  if (!Number.isInteger(start) || !Number.isInteger(end)) {
    outOfRange(action, whole, [start, end]);
  }
  const rule = start < 0
    ? "start at 0 or later,"
    : end < start
    ? "not end before it starts,"
    : end > length
    ? "end"
    : null;
  if (rule !== null) {
    const wish = `${name} must ${rule} within ${length} tokens`;
    outOfRange(action, wish, [start, end]);
  }
  return [start, end];
}

/**
 * Byte offsets beside those of the native tokenizers, which count in code
 * points and give each piece of a split character the whole character.
 *
 * @module
 */
import type { TokenSpan } from "../../../src/contract.ts";

/**
 * Ranges as short as they can be written: a number is a length, from where the
 * range before ends; a pair is how far from there it begins, and its length.
 */
export type PackedSpans = readonly (number | readonly [number, number])[];

/** Writes ranges short. */
export function packSpans(spans: readonly TokenSpan[]): PackedSpans {
  let at = 0;
  return spans.map(([start, end]) => {
    const gap = start - at;
    at = end;
    return gap === 0 ? end - start : [gap, end - start] as const;
  });
}

/** Reads what {@link packSpans} wrote. */
export function unpackSpans(packed: PackedSpans): TokenSpan[] {
  let at = 0;
  return packed.map((one) => {
    const [gap, length] = typeof one === "number" ? [0, one] : one;
    const start = at + gap;
    return [start, at = start + length];
  });
}

/** The byte at which each code point of a text begins, and its end. */
export function codePointStarts(text: string): number[] {
  const starts = [0];
  for (const character of text) {
    starts.push(starts.at(-1)! + new TextEncoder().encode(character).length);
  }
  return starts;
}

/**
 * How byte ranges differ from those of a native tokenizer; null where they do
 * not. Ours must cover the text from end to end without a gap, and each, made
 * wider to whole characters, must be the native one: so ranges of tokens that
 * split no character are equal, and pieces of one tile it. A space that was put
 * before the text has no bytes here, and there the first character's.
 */
export function differs(
  text: string,
  ours: readonly TokenSpan[],
  native: readonly TokenSpan[],
): string | null {
  if (ours.length !== native.length) {
    return `${ours.length} ranges, not ${native.length}`;
  }
  const starts = codePointStarts(text);
  let c = 0;
  let at = 0;
  for (const [t, [start, end]] of ours.entries()) {
    if (start !== at) return `range ${t} begins at ${start}, not at ${at}`;
    at = end;
    while (starts[c + 1]! <= start) c++;
    let last = c;
    while (starts[last]! < end) last++;
    const whole = start === end
      ? [starts[c], starts[c + 1] ?? starts[c]]
      : [starts[c], starts[last]];
    const [from, to] = native[t]!;
    if (whole[0] !== from || whole[1] !== to) {
      return `range ${t} is ${start} to ${end}, of ${from} to ${to}`;
    }
  }
  const length = starts.at(-1)!;
  return at === length ? null : `they end at ${at}, not at ${length}`;
}

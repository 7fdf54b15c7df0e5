/**
 * What carries a mark: the characters of a conversation's texts that are
 * replaced before it is rendered again, by how much of them must be left alone.
 *
 * @module
 */
import { isPythonSpace } from "./python.ts";
import type { Slot } from "./slots.ts";

/** From strong to weak: what of a text is replaced by marks. */
export const STRENGTHS = [
  "every character", // and whitespace by whitespace
  "letters, digits and whitespace", // tags stay; a text without letters is marked whole
  "letters and digits",
  "letters and digits outside the template's own words",
] as const;

/** One of {@link STRENGTHS}. */
export type Strength = typeof STRENGTHS[number];

/** The first of the private-use characters of the basic plane, U+E000 to U+F8FF. */
export const FIRST_MARK = 0xe000;
/** How many there are. */
export const MARKS = 6400;
/** The first of U+2000 to U+2005: whitespace to Python and JavaScript, rare in text. */
export const FIRST_SPACE = 0x2000;
/** How many there are. */
export const SPACES = 6;

const LETTER = /[\p{L}\p{N}]/u;

/** What to do with each character of the source. */
export const KEEP = 0, MARK = 1, SPACE = 2;

/** What is marked of each character of the texts, at a strength. */
export function chooseMarks(
  slots: readonly Slot[],
  source: string,
  strength: Strength,
  literals: readonly string[],
): Uint8Array {
  const marks = new Uint8Array(source.length);
  const level = STRENGTHS.indexOf(strength);
  for (const { field, text, base } of slots) {
    // JSON escapes quotes, backslashes and control characters: in a tool call
    // only letters and digits keep their length whatever they are replaced by
    const isCall = field === "tool_calls";
    const whole = level === 0 || (level < 3 && !isCall && !LETTER.test(text));
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      const character = text.charAt(i);
      if (isPythonSpace(character)) {
        if (level < 2 && !isCall) marks[base + i] = SPACE;
      } else if (unit >= FIRST_MARK && unit < FIRST_MARK + MARKS) continue;
      else if (isCall ? isPlainLetter(character) : whole) {
        marks[base + i] = MARK;
      } else if (isPlainLetter(character)) marks[base + i] = MARK;
    }
    if (level === 3) spareLiterals(marks, text, base, literals);
  }
  return marks;
}

function isPlainLetter(character: string): boolean {
  const unit = character.charCodeAt(0);
  if (unit < 0x80) {
    return unit >= 0x30 && unit <= 0x39 || unit >= 0x41 && unit <= 0x5a ||
      unit >= 0x61 && unit <= 0x7a;
  }
  // half of a pair is a letter's, a sign's or an emoji's: no template looks for one
  return unit >= 0xd800 && unit <= 0xdfff || LETTER.test(character);
}

function spareLiterals(
  marks: Uint8Array,
  text: string,
  base: number,
  literals: readonly string[],
): void {
  for (const literal of literals) {
    for (
      let at = text.indexOf(literal);
      at >= 0;
      at = text.indexOf(literal, at + 1)
    ) marks.fill(KEEP, base + at, base + at + literal.length);
  }
}

/** Whitespace other than a given one, for its n-th character. */
export function otherSpace(unit: number, n: number): string {
  const mark = FIRST_SPACE + n % SPACES;
  return String.fromCharCode(
    mark === unit ? FIRST_SPACE + (n + 1) % SPACES : mark,
  );
}

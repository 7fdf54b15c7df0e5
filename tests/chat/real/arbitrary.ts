/**
 * Random texts out of what breaks tokenisers: control tokens, spaces, pieces of
 * the written texts cut anywhere, any character.
 *
 * Three things are left out, in which JavaScript itself differs from the native
 * tokenizers: U+FEFF and U+0085, which it counts as whitespace and does not, and
 * characters beyond the emoji, some of which joined in newer versions of Unicode.
 *
 * @module
 */
import fc from "fast-check";
import { TEXTS } from "./texts.ts";

const PIECES = [
  ...["<|im_start|>", "<|im_end|>", "<think>", "<s>", "</s>", "<bos>"],
  ...["<|eot_id|>", "<end_of_turn>", "<｜User｜>", "<｜end▁of▁sentence｜>"],
  ...["<|user|>", "<|end|>", "<|mid|>", "<|norm|>", "<|word|>"],
  ...[" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u3000", "▁"],
  ...["\u0301", "\u0338", "e", "é", "🥳", "👩🏽‍🚀", "'s", "7", "."],
];

const LONG = Object.values(TEXTS).filter((text) => text.length > 1);

/** Some stretch of a written text; cut anywhere, so also inside a character. */
const stretches = fc.record({
  text: fc.constantFrom(...LONG),
  from: fc.nat(200),
  length: fc.integer({ min: 1, max: 30 }),
}).map(({ text, from, length }) => {
  const start = from % text.length;
  return text.slice(start, start + length);
});

const characters = fc.oneof(
  fc.integer({ min: 0, max: 0x2ff }),
  fc.integer({ min: 0, max: 0xffff }),
  fc.integer({ min: 0x1f300, max: 0x1faff }),
).map((code) => String.fromCodePoint(code));

/** Any text, well-formed. */
export const arbitraryText: fc.Arbitrary<string> = fc.array(
  fc.oneof(
    { arbitrary: fc.constantFrom(...PIECES), weight: 2 },
    { arbitrary: stretches, weight: 1 },
    { arbitrary: characters, weight: 2 },
  ),
  { maxLength: 12 },
).map((pieces) =>
  pieces.join("").toWellFormed().replaceAll(/[\ufeff\x85]/g, "")
);

/** Text as it can be seen: marks, names, columns. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  clip,
  cutColumns,
  displayWidth,
  hexBytes,
  inline,
  reveal,
  visible,
  wrapWords,
} from "../../src/report/visible.ts";
import { anyText } from "./rows.ts";

const RUNS = { seed: 20250301, numRuns: 300 };

/** What a terminal obeys, a browser hides, or Unicode calls no character. */
const HIDDEN =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e0fff}]/u;

Deno.test("visible() marks whitespace and names what cannot be seen", () => {
  assertEquals(visible(" a\tb\n\r\n"), "·a→b↵⟨CR⟩↵");
  assertEquals(visible("\x1b[31m\0\x7f\x9b"), "⟨ESC⟩[31m⟨NUL⟩⟨DEL⟩⟨U+009B⟩");
  assertEquals(visible("\u202Eabc"), "⟨U+202E⟩abc");
  assertEquals(visible("a\u00a0b\u3000c"), "a⟨NBSP⟩b⟨U+3000⟩c");
  assertEquals(visible("\u200b\ufeff\u{e0041}"), "⟨ZWSP⟩⟨BOM⟩⟨U+E0041⟩");
  assertEquals(visible("\ud800x"), "⟨U+D800⟩x");
  assertEquals(visible("\u3164\u115f"), "⟨U+3164⟩⟨U+115F⟩");
});

Deno.test("visible() leaves what can be seen as it is", () => {
  for (
    const text of ["héllo", "中文，。", "👩‍👩‍👧", "❤️", "1️⃣", "👍🏽", "नमस्ते", "مرحبا"]
  ) {
    assertEquals(visible(text), text);
  }
});

Deno.test("visible() gives a mark without a letter a place of its own", () => {
  assertEquals(visible("\u0301a"), "◌\u0301a");
  assertEquals(visible("\ufe0f"), "⟨U+FE0F⟩");
  assertEquals(visible("a\ufe0f\ufe0f"), "a\ufe0f⟨U+FE0F⟩");
});

Deno.test("visible(), reveal() and inline() let nothing hidden through", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      assert(!HIDDEN.test(visible(text)), JSON.stringify(visible(text)));
      assert(!HIDDEN.test(inline(text)));
      assert(!HIDDEN.test(reveal(text).replace(/[\n\t]/g, "")));
      assertEquals(reveal(reveal(text)), reveal(text));
    }),
    RUNS,
  );
});

Deno.test("hexBytes() writes two digits a byte", () => {
  assertEquals(hexBytes(Uint8Array.of(0xf0, 0x9f, 0x01)), "⟨F0 9F 01⟩");
});

Deno.test("displayWidth() counts East Asian characters and emoji twice", () => {
  assertEquals(displayWidth("abc·↵"), 5);
  assertEquals(displayWidth("中文，"), 6);
  assertEquals(displayWidth("한글ｱ"), 5);
  assertEquals(displayWidth("👩‍👩‍👧"), 2);
  assertEquals(displayWidth("e\u0301"), 1);
});

Deno.test("cutColumns() loses nothing and keeps to its columns", () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 2, max: 30 }), (text, columns) => {
      const shown = visible(text);
      const pieces = cutColumns(shown, columns);
      assertEquals(pieces.join(""), shown);
      for (const piece of pieces) assert(displayWidth(piece) <= columns);
      assert(displayWidth(clip(shown, columns)) <= columns);
    }),
    RUNS,
  );
});

Deno.test("wrapWords() breaks between words where it can", () => {
  assertEquals(wrapWords("the cat sat on the mat", 8), [
    "the cat",
    "sat on",
    "the mat",
  ]);
  assertEquals(wrapWords("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
  fc.assert(
    fc.property(anyText, fc.integer({ min: 2, max: 30 }), (text, columns) => {
      const lines = wrapWords(inline(text), columns);
      for (const line of lines) assert(displayWidth(line) <= columns);
      assertEquals(
        lines.join("").replaceAll(" ", ""),
        inline(text).replaceAll(" ", ""),
      );
    }),
    RUNS,
  );
});

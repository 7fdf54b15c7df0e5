/**
 * Text as it can be seen. Whitespace gets a mark, and whatever a terminal or a
 * browser would obey or hide (control characters, direction overrides, invisible
 * letters) is written by name. Nothing is lost, and nothing of a chat is ever
 * sent raw to where it could act.
 *
 * @module
 */

// An emoji joined of several: its joiners are no riddle.
const JOINED =
  /\p{Extended_Pictographic}[\u{FE0F}\p{Emoji_Modifier}]?(?:\u{200D}\p{Extended_Pictographic}[\u{FE0F}\p{Emoji_Modifier}]?)+/u;

// A variation selector behind what it varies.
const VARIED = /(?<=[^\u{FE00}-\u{FE0F}])[\u{FE00}-\u{FE0F}]/u;

// Control, format, private, surrogate and unassigned characters; separators
// other than the space; letters that have no shape (Unicode UAX #44).
const HIDDEN =
  /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/u;

// The first group is what stays as it is.
const ODD = new RegExp(
  `(${JOINED.source}|${VARIED.source}|[\n\t])|${HIDDEN.source}`,
  "gu",
);

/** ASCII's controls by the names of ISO 646; Unicode has pictures of them, but few fonts. */
const CONTROLS =
  ("NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 " +
    "DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US").split(" ");

/** Characters that are better known by a short name. */
const NAMES: Readonly<Record<number, string>> = {
  ...CONTROLS,
  0x7f: "DEL",
  0xa0: "NBSP",
  0x200b: "ZWSP",
  0x200c: "ZWNJ",
  0x200d: "ZWJ",
  0xfeff: "BOM",
};

/**
 * Writes what cannot be seen by name, but leaves space, newline and tab as they
 * are: `⟨ESC⟩`, `⟨ZWJ⟩`, `⟨U+202E⟩`.
 */
export function reveal(text: string): string {
  const shown = text.replace(ODD, (odd: string, fine?: string) => {
    if (fine !== undefined) return odd;
    const code = odd.codePointAt(0)!;
    const hex = code.toString(16).toUpperCase().padStart(4, "0");
    return `⟨${NAMES[code] ?? `U+${hex}`}⟩`;
  });
  // a mark that would sit on what stands before it gets a place of its own
  return /^\p{M}/u.test(shown) ? `◌${shown}` : shown;
}

/** {@link reveal}, with whitespace marked too: a space is `·`, a newline `↵`, a tab `→`. */
export function visible(text: string): string {
  return reveal(text)
    .replaceAll(" ", "·").replaceAll("\n", "↵").replaceAll("\t", "→");
}

/** {@link reveal} on one line, its spaces still spaces: for words in a sentence. */
export function inline(text: string): string {
  return reveal(text).replaceAll("\n", "↵").replaceAll("\t", "→");
}

/** Bytes in hexadecimal: `⟨F0 9F⟩`. */
export function hexBytes(bytes: Uint8Array): string {
  const digits = Array.from(
    bytes,
    (byte) => byte.toString(16).toUpperCase().padStart(2, "0"),
  );
  return `⟨${digits.join(" ")}⟩`;
}

const GRAPHEMES = new Intl.Segmenter("en");

/** East Asian Wide and Fullwidth blocks (Unicode UAX #11), as pairs of first and last. */
// deno-fmt-ignore
const WIDE = [
  0x1100, 0x115f, 0x2e80, 0x303e, 0x3041, 0x33ff, 0x3400, 0x4dbf, 0x4e00, 0x9fff,
  0xa000, 0xa4cf, 0xa960, 0xa97f, 0xac00, 0xd7a3, 0xf900, 0xfaff, 0xfe30, 0xfe6f,
  0xff00, 0xff60, 0xffe0, 0xffe6, 0x16fe0, 0x18d08, 0x1b000, 0x1b2fb, 0x20000, 0x3fffd,
];

const PLAIN = /^[\x20-\x7e·↵→│⟦⟧⟨⟩█░…]*$/;

/** How many columns visible text takes: 2 for a CJK character or an emoji, 0 for a mark on another. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) {
    if (/^[\p{Mn}\p{Me}]/u.test(segment)) continue;
    width += isWide(segment) ? 2 : 1;
  }
  return width;
}

function isWide(grapheme: string): boolean {
  if (/\p{Emoji_Presentation}|\u{FE0F}/u.test(grapheme)) return true;
  const code = grapheme.codePointAt(0)!;
  for (let i = 0; i < WIDE.length; i += 2) {
    if (code >= WIDE[i]! && code <= WIDE[i + 1]!) return true;
  }
  return false;
}

/** Visible text in pieces of at most so many columns, cut between characters. */
export function cutColumns(text: string, columns: number): string[] {
  if (displayWidth(text) <= columns) return [text];
  const pieces: string[] = [];
  let piece = "";
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) {
    const more = displayWidth(segment);
    if (width + more > columns && piece !== "") {
      pieces.push(piece);
      piece = "";
      width = 0;
    }
    piece += segment;
    width += more;
  }
  return [...pieces, piece];
}

/** As much of a visible text as fits into so many columns, `…` for the rest. */
export function clip(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  const [head = ""] = cutColumns(text, columns - 1);
  return displayWidth(head) < columns ? `${head}…` : "…";
}

/** A sentence in lines of at most so many columns, cut between words where it can be. */
export function wrapWords(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    for (const [i, piece] of cutColumns(word, columns).entries()) {
      const joined = line === "" || i > 0 ? line + piece : `${line} ${piece}`;
      if (line !== "" && displayWidth(joined) > columns) {
        lines.push(line);
        line = piece;
      } else line = joined;
    }
  }
  return [...lines, line];
}

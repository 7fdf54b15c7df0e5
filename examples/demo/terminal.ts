/**
 * What the demo needs of a terminal: colour where it is wanted, columns that
 * line up with wide characters in them, and a line of progress.
 *
 * @module
 */

/** How a piece of text looks, by what it means. */
export type Look = "heading" | "trained" | "quiet" | "first" | "second";

// Never a hue alone: trained text is bold and underlined too, and the curves
// are solid and dotted. SGR codes of ECMA-48.
const CODES: Record<Look, string> = {
  heading: "1",
  trained: "1;4;32",
  quiet: "2",
  first: "32",
  second: "35",
};

/** Where the demo writes. */
export interface Terminal {
  /** Whether looks are shown. */
  colour: boolean;
  /** Columns of a line. */
  columns: number;
}

/** Standard output; as a file it has no colour and 80 columns. */
export function openTerminal(forceColour: boolean): Terminal {
  const isTerminal = Deno.stdout.isTerminal();
  return {
    colour: forceColour || isTerminal && !Deno.noColor,
    // The tables need 80; a long line is hard to read, however wide the window.
    columns: isTerminal
      ? Math.min(Math.max(Deno.consoleSize().columns, 80), 110)
      : 80,
  };
}

/** The text in its look, or as it is. */
export function paint(terminal: Terminal, look: Look, text: string): string {
  return terminal.colour ? `\x1b[${CODES[look]}m${text}\x1b[0m` : text;
}

const GRAPHEMES = new Intl.Segmenter("en");

/** East Asian Wide and Fullwidth blocks (Unicode UAX #11), as pairs of first and last. */
// deno-fmt-ignore
const WIDE = [
  0x1100, 0x115f, 0x2e80, 0x303e, 0x3041, 0x33ff, 0x3400, 0x4dbf, 0x4e00, 0x9fff,
  0xa000, 0xa4cf, 0xac00, 0xd7a3, 0xf900, 0xfaff, 0xfe30, 0xfe6f, 0xff00, 0xff60,
  0xffe0, 0xffe6, 0x20000, 0x3fffd,
];

/** How many columns a text takes: 2 for a CJK character or an emoji, 0 for a mark on another. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) {
    const code = segment.codePointAt(0)!;
    if (/^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u.test(segment)) continue;
    const wide = /\p{Emoji_Presentation}|\uFE0F/u.test(segment) ||
      WIDE.some((first, i) =>
        i % 2 === 0 && code >= first && code <= WIDE[i + 1]!
      );
    width += wide ? 2 : 1;
  }
  return width;
}

/** As much of the text as fits into so many columns. */
export function clip(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let kept = "";
  for (const { segment } of GRAPHEMES.segment(text)) {
    if (displayWidth(kept + segment) > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** A table; columns named in `right` are aligned to the right. */
export function table(
  terminal: Terminal,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[],
): string[] {
  const widths = head.map((name, i) =>
    Math.max(...[name, ...rows.map((row) => row[i]!)].map(displayWidth))
  );
  const line = (cells: readonly string[]) =>
    "  " + cells.map((cell, i) => {
      const room = " ".repeat(widths[i]! - displayWidth(cell));
      return right.includes(head[i]!) ? room + cell : cell + room;
    }).join("  ").trimEnd();
  return [paint(terminal, "quiet", line(head)), ...rows.map(line)];
}

/** A bar of eighths: `share` of `columns` is filled. */
export function bar(share: number, columns: number): string {
  const filled = Math.round(share * columns);
  return "█".repeat(filled) + "░".repeat(columns - filled);
}

/** Says on standard error what is going on. */
export class Progress {
  readonly #encoder = new TextEncoder();
  readonly #inPlace: boolean = Deno.stderr.isTerminal();

  /** A new stage: replaces the line on a terminal, else a line of its own. */
  stage(text: string): void {
    this.#write(this.#inPlace ? `\r\x1b[K${text}` : `${text}\n`);
  }

  /** How far a stage is; on a terminal only. */
  tick(text: string): void {
    if (this.#inPlace) this.stage(text);
  }

  /** Leaves the line empty for what comes next. */
  clear(): void {
    this.tick("");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(this.#encoder.encode(text));
  }
}

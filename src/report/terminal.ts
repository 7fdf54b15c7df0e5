/**
 * A row for a terminal: each token between bars, with who says it and why it is
 * or is not trained. Colour helps where there is colour; without it everything
 * is still said. Nothing of a chat reaches the terminal as a control character.
 *
 * @module
 */
import { checkOptions, readCount, readFlag, readNumber } from "../checks.ts";
import type { Certificate, EncodedChat, Finding } from "../row.ts";
import { type Cell, cells, isEncodedChat, type ReportRow } from "./cells.ts";
import {
  count,
  counted,
  paint,
  paintTrained,
  percent,
  plain,
  type Screen,
} from "./paint.ts";
import { showCells, showTurns } from "./terminal_tokens.ts";
import { clip, displayWidth, inline, visible, wrapWords } from "./visible.ts";
import { findingWords, LEVEL_MARKS } from "./words.ts";

/** Options of {@link showRow}. */
export interface ShowRowOptions {
  /** Whether to use ANSI colours (default false). */
  color?: boolean;
  /** Columns of a line, at least 40 (default 80). */
  width?: number;
  /** The row's line in its file, for the heading. */
  line?: number;
  /** Give each token a line of its own, with id, bytes, role, field and weight (default false). */
  detail?: boolean;
  /** Show at most so many tokens (default all); the rest is counted. */
  maxTokens?: number;
}

const ACTION = "show row";
const OPTIONS: ReadonlySet<string> = new Set([
  "color",
  "width",
  "line",
  "detail",
  "maxTokens",
]);

/** Reads the options that every view in a terminal has. */
export function readScreen(
  { color, width }: { color?: boolean; width?: number },
): Screen {
  return {
    color: readFlag(ACTION, "color", color),
    width: readNumber(
      ACTION,
      "width",
      width,
      80,
      "a whole number of at least 40",
      (n) => Number.isSafeInteger(n) && n >= 40,
    ),
  };
}

/**
 * A row as lines of text: its turns token by token, what was found, and the
 * certificate. A space is `·`, a newline `↵`, a tab `→`; trained tokens stand in
 * `⟦ ⟧`, or bold and underlined where there is colour, behind a `▌`.
 *
 * @param row A chat that was encoded here, or ids and labels from elsewhere.
 * @param options Colour, width, and how much is shown.
 * @returns Lines without newlines, each at most `width` columns where a terminal shows it.
 * @throws {RangeError} The row's arrays are not aligned, or an option is out of range.
 * @throws {TypeError} Something is of the wrong kind.
 *
 * @example
 * ```ts
 * import { showRow } from "@sft/loss/report";
 * import { assertEquals } from "@std/assert";
 *
 * const lines = showRow({
 *   inputIds: [17, 21, 2],
 *   labels: [-100, 21, 2],
 *   pieces: ["Why? ", "So.", "\n"],
 * });
 * assertEquals(lines.slice(2, 4), [
 *   "    ignored  Why?·",
 *   "  ▌ trained  ⟦So.│↵⟧",
 * ]);
 * ```
 */
export function showRow(
  row: ReportRow,
  options: ShowRowOptions = {},
): string[] {
  checkOptions(ACTION, "options", options, OPTIONS);
  const screen = readScreen(options);
  const most = readCount(ACTION, "maxTokens", options.maxTokens, 1) ?? Infinity;
  const detail = readFlag(ACTION, "detail", options.detail);
  const line = readCount(ACTION, "line", options.line, 0);
  const all = cells(row);
  const shown = all.slice(0, most);
  const chat = isEncodedChat(row) ? row : null;
  return [
    ...heading(screen, all, line),
    "",
    ...detail ? showCells(screen, shown) : showTurns(screen, shown),
    ...rest(screen, all.slice(most)),
    "",
    ...legend(screen, shown),
    ...chat === null ? [] : showFindings(screen, chat.findings),
    ...chat === null ? [] : showCertificate(screen, chat),
  ];
}

function heading(
  screen: Screen,
  all: readonly Cell[],
  line: number | undefined,
): string[] {
  const trained = all.filter((cell) => cell.trained).length;
  const share = all.length === 0 ? 0 : trained / all.length;
  const words = `${count(trained)} of ${counted(all.length, "token")} trained` +
    ` (${percent(share)})`;
  const name = line === undefined ? "" : `line ${line}: `;
  return [paint(screen, "heading", name + words)];
}

function rest(screen: Screen, cut: readonly Cell[]): string[] {
  if (cut.length === 0) return [];
  const trained = cut.filter((cell) => cell.trained).length;
  const words = `… ${counted(cut.length, "more token")}, ${count(trained)} ` +
    "of them trained";
  return [paint(screen, "quiet", `  ${words}`)];
}

function legend(screen: Screen, shown: readonly Cell[]): string[] {
  const trained = screen.color
    ? `▌${paintTrained(screen, "assistant", "trained")}`
    : "▌⟦trained⟧";
  const marks = "│ parts tokens · a space, ↵ a newline, → a tab" +
    (shown.some(({ partOf }) => partOf !== "") ? ", ⟨E4⟩ a byte" : "");
  const indent = " ".repeat(displayWidth(plain(trained)) + 4);
  return wrapWords(marks, screen.width - indent.length).map((words, i) =>
    (i === 0 ? `  ${trained}  ` : indent) + paint(screen, "quiet", words)
  );
}

function showFindings(screen: Screen, findings: readonly Finding[]): string[] {
  if (findings.length === 0) return [];
  const lines = ["", paint(screen, "heading", "findings")];
  for (const { code, message, tokens, detail } of findings) {
    const { level, title } = findingWords(code);
    const where = [
      ...message === undefined ? [] : [`message ${message}`],
      ...tokens === undefined ? [] : [`tokens ${tokens[0]} to ${tokens[1]}`],
    ].join(", ");
    const name = paint(screen, level, `${LEVEL_MARKS[level]} ${title}`);
    lines.push(`  ${name}${where === "" ? "" : `  ${where}`}`);
    for (const words of wrapWords(inline(detail), screen.width - 4)) {
      lines.push(`    ${words}`);
    }
  }
  return lines;
}

function showCertificate(screen: Screen, row: EncodedChat): string[] {
  const { runs, trainedTokens, trainedBytes, proof, checked }: Certificate =
    row.certificate;
  const sum = `${counted(runs.length, "run")}, ` +
    `${counted(trainedTokens, "token")}, ${counted(trainedBytes, "byte")}`;
  const lines = ["", paint(screen, "heading", "certificate")];
  const say = (text: string, indent: string) => {
    const room = screen.width - indent.length;
    lines.push(...wrapWords(text, room).map((words) => indent + words));
  };
  say(`${sum}; proved by ${inline(proof)}`, "  ");
  for (const { tokens, bytes, message, fields, text } of runs) {
    say(
      `tokens ${tokens[0]} to ${tokens[1]}, bytes ${bytes[0]} to ${
        bytes[1]
      }, ` +
        `message ${message}: ${fields.join(", ")}`,
      "  ",
    );
    lines.push(
      "    " + paint(screen, "quiet", clip(visible(text), screen.width - 4)),
    );
  }
  for (const one of checked) say(`✓ ${inline(one)}`, "  ");
  return lines;
}

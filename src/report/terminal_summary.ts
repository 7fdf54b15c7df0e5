/**
 * A whole file for a terminal: how much is trained, of whom and why, what was
 * found, and which lines to look at.
 *
 * @module
 */
import { checkOptions } from "../checks.ts";
import {
  bar,
  count,
  counted,
  paint,
  paintRole,
  percent,
  type Screen,
  table,
  type TableCell,
} from "./paint.ts";
import type { LineNote, Summary } from "./summary.ts";
import { readScreen } from "./terminal.ts";
import { clip, inline, wrapWords } from "./visible.ts";
import {
  findingWords,
  kindOfRole,
  LEVEL_MARKS,
  reasonWords,
  refusalWords,
  type RoleKind,
} from "./words.ts";

/** Options of {@link showSummary}. */
export interface ShowSummaryOptions {
  /** Whether to use ANSI colours (default false). */
  color?: boolean;
  /** Columns of a line, at least 40 (default 80). */
  width?: number;
}

const OPTIONS: ReadonlySet<string> = new Set(["color", "width"]);

/**
 * A file's summary as lines of text, what is wrong with it first.
 *
 * @param summary What an `Audit` made.
 * @param options Colour and width.
 * @returns Lines without newlines.
 * @throws {RangeError} The width is out of range.
 * @throws {TypeError} An option is of the wrong kind.
 *
 * @example
 * ```ts
 * import { Audit, showSummary } from "@sft/loss/report";
 * import { assertEquals } from "@std/assert";
 *
 * const audit = new Audit();
 * audit.add({ inputIds: [5, 6, 7, 8], labels: [-100, 6, 7, 8] }, 1);
 * const [head] = showSummary(audit.summary());
 * assertEquals(head, "1 row, 4 tokens, 3 of them trained (75 %)");
 * ```
 */
export function showSummary(
  summary: Summary,
  options: ShowSummaryOptions = {},
): string[] {
  checkOptions("show row", "options", options, OPTIONS);
  const screen = readScreen(options);
  const { rows, tokens, trainedTokens, share } = summary;
  return [
    paint(
      screen,
      "heading",
      `${counted(rows, "row")}, ${counted(tokens, "token")}, ` +
        `${count(trainedTokens)} of them trained (${percent(share.overall)})`,
    ),
    ...shareOfRows(summary),
    ...section(screen, "findings", findings(screen, summary)),
    ...section(screen, "refused", refusals(screen, summary)),
    ...section(screen, "trained by role", roles(screen, summary)),
    ...section(screen, "tokens by reason", reasons(screen, summary)),
    ...section(screen, "rows", others(screen, summary)),
  ];
}

function section(screen: Screen, name: string, lines: string[]): string[] {
  return lines.length === 0
    ? []
    : ["", paint(screen, "heading", name), ...lines];
}

/** The blocks of a histogram, an eighth to eight eighths of a line. */
const BLOCKS = "▁▂▃▄▅▆▇█";

function shareOfRows({ share, rows }: Summary): string[] {
  if (rows === 0 || share.min === null) return [];
  const most = Math.max(...share.histogram);
  const bars = share.histogram.map((n) =>
    n === 0 ? " " : BLOCKS[Math.ceil(n / most * 8) - 1]
  ).join("");
  return [
    `trained per row: ${percent(share.mean)} on average, ` +
    `${percent(share.min.share)} at least (line ${share.min.line})`,
    `rows by share: 0 % ▕${bars}▏ 100 %`,
  ];
}

function findings(
  screen: Screen,
  { findings, stops, nothingTrained, rows }: Summary,
): string[] {
  const lines: string[] = [];
  for (const { code, rows, examples } of findings) {
    const { level, title, meaning } = findingWords(code);
    const name = `${LEVEL_MARKS[level]} ${title}`;
    lines.push(
      `  ${paint(screen, level, name)}  ${counted(rows, "row")}` +
        linesOf(examples.map(({ line }) => line), rows),
    );
    lines.push(...say(screen, meaning, "    "));
  }
  if (findings.length === 0 && rows > 0) lines.push("  nothing was found");
  if (stops.rowsWithout > 0) {
    const words = `the stop is trained in ${count(stops.trained)} of ` +
      `${counted(stops.turns, "trained turn")}`;
    lines.push(`  ${words}${linesOf(stops.lines, stops.rowsWithout)}`);
  }
  if (nothingTrained.rows > 0) {
    lines.push(
      `  ${counted(nothingTrained.rows, "row")} without a trained token` +
        linesOf(nothingTrained.lines, nothingTrained.rows),
    );
  }
  return lines;
}

/** `: lines 3, 7 and others`, as far as they are known. */
function linesOf(lines: readonly number[], all: number): string {
  if (lines.length === 0) return "";
  const list = lines.join(", ");
  const more = all > lines.length ? " and others" : "";
  return `: line${all === 1 ? "" : "s"} ${list}${more}`;
}

/** Whether a row that cannot be read would have been a chat, nobody knows. */
function unit(reason: string): "chat" | "row" {
  return reason === "not readable" ? "row" : "chat";
}

function refusals(screen: Screen, { refusals }: Summary): string[] {
  return refusals.flatMap(({ reason, chats, examples }) => [
    "  " + paint(screen, "serious", `■ ${inline(refusalWords(reason))}`) +
    `  ${counted(chats, unit(reason))}`,
    ...examples.flatMap((note) => noteLines(screen, note)),
  ]);
}

function noteLines(screen: Screen, { line, detail }: LineNote): string[] {
  return say(screen, `line ${line}: ${inline(detail)}`, "    ");
}

function say(screen: Screen, text: string, indent: string): string[] {
  return wrapWords(text, screen.width - indent.length)
    .map((words) => indent + words);
}

function roles(screen: Screen, { roles, tokens }: Summary): string[] {
  const rows = roles.map((share) =>
    shareRow(
      screen,
      share.role === null ? "(nobody)" : inline(share.role),
      kindOfRole(share.role),
      share.tokens,
      share.trained,
      tokens,
    )
  );
  return shareTable(screen, rows);
}

function reasons(screen: Screen, { reasons, tokens }: Summary): string[] {
  const rows = reasons.map((share) => [
    ...shareRow(
      screen,
      share.reason,
      share.trained > 0 ? "assistant" : "nobody",
      share.tokens,
      share.trained,
      tokens,
    ),
    ...screen.width < 120 ? [] : [reasonWords(share.reason)],
  ]);
  return shareTable(screen, rows);
}

function shareRow(
  screen: Screen,
  name: string,
  kind: RoleKind,
  tokens: number,
  trained: number,
  all: number,
): (string | TableCell)[] {
  return [
    {
      text: clip(name, 22),
      paint: (text) => paintRole(screen, kind, text),
    },
    count(tokens),
    count(trained),
    percent(trained / tokens),
    {
      text: bar(trained / all, (tokens - trained) / all, 20),
      paint: (text) => paintRole(screen, kind, text),
    },
  ];
}

function shareTable(
  screen: Screen,
  rows: (string | TableCell)[][],
): string[] {
  if (rows.length === 0) return [];
  const head = ["", "tokens", "trained", "share", "█ trained ░ not"].map((
    text,
  ): TableCell => ({ text, paint: (plain) => paint(screen, "quiet", plain) }));
  return table([head, ...rows], [1, 2, 3]);
}

function others(
  screen: Screen,
  { duplicates, longest, overlong, rows }: Summary,
): string[] {
  const lines: string[] = [];
  if (duplicates.rows > 0) {
    const some = duplicates.examples
      .map(({ line, first }) => `line ${line} repeats ${first}`);
    const more = duplicates.rows > some.length ? " and others" : "";
    const all = counted(duplicates.rows, "duplicate") +
      (duplicates.compared < rows
        ? `, among the first ${count(duplicates.compared)}`
        : "");
    lines.push(...say(screen, `${all}: ${some.join(", ")}${more}`, "  "));
  }
  if (overlong !== null && overlong.rows > 0) {
    const { maxLength, answersCut, answersLost, trainedTokensCut } = overlong;
    const words = `${counted(overlong.rows, "row")} longer than ` +
      `${counted(maxLength, "token")}: a cut there takes ` +
      `${counted(trainedTokensCut, "trained token")} off ` +
      counted(answersCut, "row") +
      (answersLost === 0 ? "" : `, and all of them off ${count(answersLost)}`);
    lines.push(
      ...say(screen, words + linesOf(overlong.lines, answersCut), "  "),
    );
  }
  const [first] = longest;
  if (first !== undefined) {
    const list = longest.map(({ line, tokens }) =>
      `${count(tokens)} (line ${line})`
    );
    const words = `longest, in tokens: ${list.join(", ")}`;
    lines.push(...say(screen, words, "  "));
  }
  return lines;
}

/**
 * The tokens of a row for a terminal: run together turn by turn, or each on a
 * line of its own.
 *
 * @module
 */
import type { Cell } from "./cells.ts";
import {
  count,
  paint,
  paintRole,
  paintTrained,
  plain,
  type Screen,
  table,
  type TableCell,
} from "./paint.ts";
import { type Stretch, type Turn, turnsOf } from "./stretches.ts";
import { clip, cutColumns, displayWidth, inline, visible } from "./visible.ts";
import { FIELD_WORDS, kindOfRole, reasonWords } from "./words.ts";

/** A row's turns: a line for each that speaks, then its stretches behind their reasons. */
export function showTurns(screen: Screen, shown: readonly Cell[]): string[] {
  const turns = turnsOf(shown);
  const gutter = Math.max(
    0,
    ...turns.flatMap(({ stretches }) =>
      stretches.map((stretch) => labelOf(stretch).length)
    ),
  );
  const lines: string[] = [];
  for (const turn of turns) {
    if (turn.role !== null) {
      if (lines.length > 0) lines.push("");
      lines.push(turnHeading(screen, turn));
    }
    for (const stretch of joined(turn.stretches)) {
      lines.push(...showStretch(screen, turn, stretch, gutter));
    }
  }
  return lines;
}

/** Who speaks, how much of it is trained with what weight, or why nothing is. */
function turnHeading(
  screen: Screen,
  { message, role, tokens, trained, weights, why }: Turn,
): string {
  const name = clip(inline(role ?? ""), 24);
  const weight = weights === null
    ? ""
    : weights[0] === weights[1]
    ? ` · weight ${weights[0]}`
    : ` · weights ${weights[0]} to ${weights[1]}`;
  const reason = why === null ? "" : ` · ${reasonWords(why)}`;
  const words = ` · ${count(trained)} of ${count(tokens)} trained` +
    weight + reason;
  const head = `[${message}] ${name}`;
  return paint(screen, "heading", paintRole(screen, kindOfRole(role), head)) +
    clip(words, screen.width - displayWidth(head));
}

/** The tokens of a stretch behind its reason, with `│` between them. */
function showStretch(
  screen: Screen,
  { role }: Turn,
  stretch: Stretch,
  gutter: number,
): string[] {
  const { trained, cells } = stretch;
  const kind = kindOfRole(role);
  const bars = trained && !screen.color; // ⟦ ⟧ stand for the look
  const room = screen.width - gutter - 6 - (bars ? 2 : 0);
  const rows: string[] = [];
  let row = "";
  let width = 0;
  const end = () => {
    rows.push(row);
    row = "";
    width = 0;
  };
  for (const cell of cells) {
    const shown = cellText(cell);
    for (const [i, piece] of cutColumns(shown, room).entries()) {
      const wide = displayWidth(piece);
      const joint = width > 0 && i === 0 ? 1 : 0;
      if (width + joint + wide > room) end();
      if (width > 0 && i === 0) {
        row += paint(screen, "quiet", "│");
        width++;
      }
      row += trained
        ? paintTrained(screen, kind, piece)
        : paintRole(screen, kind, piece);
      width += wide;
    }
    if (cell.text.endsWith("\n")) end();
  }
  if (width > 0) end();
  if (bars) {
    rows[0] = `⟦${rows[0]}`;
    rows[rows.length - 1] += "⟧";
  }
  const mark = trained ? paintRole(screen, kind, "▌") : " ";
  return rows.map((text, i) => {
    const label = (i === 0 ? labelOf(stretch) : "").padEnd(gutter);
    return `  ${mark} ${paint(screen, "quiet", label)}  ${text}`.trimEnd();
  });
}

/** Stretches that are not trained for one reason, whatever their field, as one. */
function joined(stretches: readonly Stretch[]): Stretch[] {
  const out: Stretch[] = [];
  for (const stretch of stretches) {
    const last = out.at(-1);
    const isSame = last !== undefined && !last.trained && !stretch.trained &&
      last.reason === stretch.reason;
    if (isSame) last.cells.push(...stretch.cells);
    else out.push({ ...stretch, cells: [...stretch.cells] });
  }
  return out;
}

/** A stretch's reason, and of what it says whether it is thought or called. */
function labelOf({ reason, field, trained }: Stretch): string {
  const isSpecial = field === "reasoning_content" || field === "tool_calls";
  return trained && isSpecial ? `${reason}, ${FIELD_WORDS[field]}` : reason;
}

const BYTES = /⟨[0-9A-F]{2}(?:·[0-9A-F]{2})*⟩/g;

/** What a token says, visibly; a character that it completes is named behind it. */
function cellText({ text, partOf, completes }: Cell): string {
  if (text === "") return "∅";
  const shown = visible(text);
  if (partOf === "") return shown;
  const bytes = shown.replace(BYTES, (group) => group.replaceAll("·", " "));
  return completes ? `${bytes}=${visible(partOf)}` : bytes;
}

/** A line for each token; its field only where there is room. */
export function showCells(screen: Screen, shown: readonly Cell[]): string[] {
  const wide = screen.width >= 100;
  const facts = shown.map((cell): (string | TableCell)[] => [
    `${cell.index}`,
    `${cell.id}`,
    cell.bytes === null ? "" : cell.bytes.join("-"),
    {
      text: clip(inline(cell.role ?? "-"), 12),
      paint: (text) => paintRole(screen, kindOfRole(cell.role), text),
    },
    ...wide ? [cell.field ?? "-"] : [],
    cell.reason,
    cell.trained ? `${cell.weight}` : "-",
  ]);
  const names = ["", "id", "bytes", "role", ...wide ? ["field"] : []];
  const head = [...names, "reason", "weight"].map((text): TableCell => ({
    text,
    paint: (plain) => paint(screen, "quiet", plain),
  }));
  const lines = table([head, ...facts], [0, 1, 2, head.length - 1], false);
  const room = Math.max(6, screen.width - displayWidth(plain(lines[0]!)) - 4);
  return lines.map((line, i) => {
    const cell = shown[i - 1];
    if (cell === undefined) {
      return `${line}  ${paint(screen, "quiet", "token")}`;
    }
    const kind = kindOfRole(cell.role);
    const text = clip(cellText(cell), room);
    if (!cell.trained) return `${line}  ${paintRole(screen, kind, text)}`;
    return `${line}  ` +
      (screen.color ? paintTrained(screen, kind, text) : `⟦${text}⟧`);
  });
}

/**
 * How things look in a terminal: SGR codes of ECMA-48, and tables that line up.
 * It never writes; it makes lines.
 *
 * @module
 */
import { displayWidth } from "./visible.ts";
import type { Level, RoleKind } from "./words.ts";

/** What a piece of text is. */
export type Look = "heading" | "quiet" | Level;

/** Where lines will be shown. */
export interface Screen {
  /** Whether looks are shown; without them the text alone says everything. */
  readonly color: boolean;
  /** Columns of a line. */
  readonly width: number;
}

const LOOKS: Readonly<Record<Look, string>> = {
  heading: "1",
  quiet: "2",
  serious: "1;31",
  look: "33",
  note: "36",
};

const ROLES: Readonly<Record<RoleKind, string>> = {
  nobody: "37",
  system: "35",
  user: "36",
  assistant: "32",
  tool: "33",
  other: "94",
};

const sgr = ({ color }: Screen, codes: string, text: string): string =>
  color && text !== "" ? `\x1b[${codes}m${text}\x1b[0m` : text;

/** A painted text without its looks. */
export function plain(text: string): string {
  // deno-lint-ignore no-control-regex -- ESC begins every look
  return text.replace(/\x1b\[[\d;]*m/g, "");
}

/** A text in its look, or as it is. */
export function paint(screen: Screen, look: Look, text: string): string {
  return sgr(screen, LOOKS[look], text);
}

/** A role's name, or a token that is not trained, in the role's colour. */
export function paintRole(
  screen: Screen,
  kind: RoleKind,
  text: string,
): string {
  return sgr(screen, ROLES[kind], text);
}

/** A trained token: never a hue alone, so bold and underlined too. */
export function paintTrained(
  screen: Screen,
  kind: RoleKind,
  text: string,
): string {
  return sgr(screen, `1;4;${ROLES[kind]}`, text);
}

/** One cell of a table: what it says, and how it is painted. */
export interface TableCell {
  /** Visible text, without looks. */
  readonly text: string;
  /** Puts the look on. */
  readonly paint?: (text: string) => string;
}

/**
 * The lines of a table, two spaces before and between columns.
 *
 * @param right Columns that are aligned to the right.
 * @param trim Whether spaces at the end are left out.
 */
export function table(
  rows: readonly (readonly (string | TableCell)[])[],
  right: readonly number[],
  trim = true,
): string[] {
  const full = rows.map((row) =>
    row.map((cell): TableCell =>
      typeof cell === "string" ? { text: cell } : cell
    )
  );
  const widths: number[] = [];
  for (const row of full) {
    row.forEach(({ text }, i) => {
      widths[i] = Math.max(widths[i] ?? 0, displayWidth(text));
    });
  }
  return full.map((row) => {
    let line = "  ";
    row.forEach(({ text, paint = (plain) => plain }, i) => {
      const room = " ".repeat(widths[i]! - displayWidth(text));
      if (i > 0) line += "  ";
      if (right.includes(i)) line += room + paint(text);
      else line += paint(text) + room;
    });
    return trim ? line.trimEnd() : line;
  });
}

/** A bar of whole columns: the first share solid, the second light, the rest empty. */
export function bar(solid: number, light: number, columns: number): string {
  const a = Math.round(solid * columns);
  const b = Math.min(columns, Math.round((solid + light) * columns)) - a;
  return "█".repeat(a) + "░".repeat(Math.max(0, b));
}

/** A whole number with commas between thousands. */
export function count(n: number): string {
  return n.toLocaleString("en");
}

/** A number and what it counts: `1 row`, `2 rows`. */
export function counted(
  n: number,
  one: string,
  many: string = `${one}s`,
): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** A share in per cent; nothing that is not 0 or 1 is rounded to it. */
export function percent(share: number): string {
  const rounded = Math.round(1000 * share) / 10;
  if (share > 0 && rounded === 0) return "< 0.1 %";
  if (share < 1 && rounded === 100) return "> 99.9 %";
  return `${rounded} %`;
}

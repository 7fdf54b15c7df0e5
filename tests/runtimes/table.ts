/**
 * The matrix as text: what each runtime was found to do, in the table that the
 * READMEs show and in a terminal.
 *
 * @module
 */
import type { Probes } from "./hosts.ts";

/** One runtime of the matrix. */
export interface Column {
  /** Its name and version. */
  title: string;
  probes: Probes;
  /** How the kernels get in: compiled when first used, while it starts, or handed in. */
  kernels: string;
  /** How many of two threads started. */
  threads: number;
}

type Flag = "relaxedSimd" | "float16" | "webgpu";

/** The facts of the table: a title, and what a runtime says to it. */
function factsOf(
  seen: ReadonlySet<string>,
): [string, (column: Column) => string][] {
  const entry = (name: string) => ({ title }: Column) =>
    seen.has(`${title} ${name}`) ? "yes" : "—";
  const flag = (name: Flag) => ({ probes }: Column) =>
    probes[name] ? "yes" : "no";
  return [
    ["kernels", ({ kernels }) => kernels],
    ["`./chat`", entry("chat")],
    ["`./formats`", entry("formats")],
    ["`./cli`", entry("cli")],
    ["`./parallel`", ({ threads }) => threads > 1 ? "threads" : "one thread"],
    ["relaxed SIMD", flag("relaxedSimd")],
    ["`Float16Array`", flag("float16")],
    ["`./webgpu`", flag("webgpu")],
  ];
}

/**
 * The matrix in Markdown, one runtime a line, as `deno fmt` leaves it; `seen` has
 * a runtime's title and an entry where the entry was seen to work.
 */
export function toMarkdown(
  columns: readonly Column[],
  seen: ReadonlySet<string>,
): string {
  const facts = factsOf(seen);
  const rows = [
    ["", ...facts.map(([title]) => title)],
    ...columns.map((column) => [
      column.title,
      ...facts.map(([, say]) => say(column)),
    ]),
  ];
  const widths = rows[0]!.map((_, i) =>
    Math.max(3, ...rows.map((row) => [...row[i]!].length))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, i) => cell + " ".repeat(widths[i]! - [...cell].length))
        .join(" | ")
    } |`;
  return [
    line(rows[0]!),
    line(widths.map((width) => "-".repeat(width))),
    ...rows.slice(1).map(line),
  ].join("\n");
}

/** The first table of a README that has a column `relaxed SIMD`. */
export function tableIn(readme: string): string | null {
  const tables = readme.match(/(^\|.*\|$\n?)+/gm) ?? [];
  return tables.find((table) => table.includes("relaxed SIMD"))?.trim() ?? null;
}

/**
 * One row in HTML: a line that tells it at a glance, and its tokens as data, of
 * which the script makes elements when the row is opened.
 *
 * @module
 */
import { type Cell, cells, isEncodedChat, type ReportRow } from "./cells.ts";
import { escapeHtml, jsonText, safe } from "./html_text.ts";
import { count, percent } from "./paint.ts";
import { type Turn, turnsOf } from "./stretches.ts";
import { clip, inline, reveal } from "./visible.ts";
import {
  findingWords,
  kindOfRole,
  LEVEL_MARKS,
  ROLE_KINDS,
  type RoleKind,
} from "./words.ts";

/** A row and where it came from. */
export interface ReportLine {
  /** The line in its file; several rows may come of one. */
  readonly line: number;
  /** The row. */
  readonly row: ReportRow;
}

/** A role's kind as the number in its style's name. */
export function kindNumber(kind: RoleKind): number {
  return ROLE_KINDS.indexOf(kind);
}

/**
 * The block of one row.
 *
 * @param id The element's id, `line-12`.
 * @param isOpen Whether it is shown open.
 */
export function rowBlock(
  { line, row }: ReportLine,
  id: string,
  isOpen: boolean,
): string {
  const all = cells(row);
  const turns = turnsOf(all);
  const trained = turns.reduce((sum, turn) => sum + turn.trained, 0);
  const share = all.length === 0 ? 0 : trained / all.length;
  const codes = codesOf(row, trained);
  const reasons = new Set(all.map(({ reason }) => reason));
  const roles = new Set(turns.map(({ role }) => role && inline(role)));
  const badges = codes.map((code) => {
    const { level, title } = findingWords(code);
    return `<span class="badge ${level}"><b aria-hidden="true">` +
      `${LEVEL_MARKS[level]}</b> ${safe(title)}</span>`;
  });
  return `<details class="row" id="${id}" data-line="${line}"` +
    ` data-roles="${escapeHtml(JSON.stringify([...roles]))}"` +
    ` data-reasons="${[...reasons].map(safe).join(" ")}"` +
    ` data-found="${codes.map(safe).join(" ")}"${
      isOpen ? " open" : ""
    }><summary>` +
    `<span class="line">line ${line}</span>` +
    strip(all) +
    `<span class="share"><b>${percent(share)}</b> ${count(trained)} of ` +
    `${count(all.length)}</span>` +
    `<span class="preview">${preview(row, turns)}</span>` +
    (badges.length > 0
      ? `<span class="badges">${badges.join("")}</span>`
      : "") +
    `</summary><script type="application/json">` +
    jsonText(rowData(row, all, turns)) +
    `</script><div class="body"></div></details>\n`;
}

/** What was found in a row, each code once. */
export function codesOf(row: ReportRow, trained: number): string[] {
  const codes = new Set<string>();
  if (isEncodedChat(row)) row.findings.forEach(({ code }) => codes.add(code));
  if (trained === 0) codes.add("nothing-trained");
  return [...codes];
}

/** How many tokens a preview reads at most. */
const PREVIEW = 60;

/** What the user says first, or else whoever says something. */
function preview(row: ReportRow, turns: readonly Turn[]): string {
  const said = (turn: Turn | undefined): string => {
    const own =
      turn?.stretches.filter(({ field }) =>
        field === "content" || field === null
      ).flatMap(({ cells }) => cells).slice(0, PREVIEW) ?? [];
    const text = own.map(({ text }) => text).join("").trim();
    if (!isEncodedChat(row) || own.every((cell) => cell.partOf === "")) {
      return text;
    }
    // characters, not the bytes of their parts
    const bytes = new TextEncoder().encode(row.text)
      .subarray(own[0]!.bytes![0], own.at(-1)!.bytes![1]);
    return new TextDecoder().decode(bytes).trim();
  };
  const kinds = (turn: Turn) => kindOfRole(turn.role);
  const user = turns.find((turn) => kinds(turn) === "user");
  const text = said(user) || said(turns.find((turn) => said(turn) !== ""));
  return escapeHtml(clip(inline(text), 120));
}

/** How many columns a strip has at most. */
const COLUMNS = 120;

/** A row in small: the role of each stretch, high where it is trained and low where not. */
function strip(all: readonly Cell[]): string {
  const columns = Math.min(COLUMNS, all.length);
  const paths = new Map<string, string>();
  let last = "";
  for (let c = 0, from = 0; c <= columns; c++) {
    // a column is the token in its middle
    const cell = all[Math.floor((c + 0.5) * all.length / columns)];
    const kind = cell === undefined ? 0 : kindNumber(kindOfRole(cell.role));
    const name = c === columns ? "" : `k${kind}${cell?.trained ? " on" : ""}`;
    if (name === last) continue;
    if (last !== "") {
      const top = last.endsWith(" on") ? 0 : 7;
      const wide = c - from;
      const path = `M${from} ${top}h${wide}V10h-${wide}z`;
      paths.set(last, (paths.get(last) ?? "") + path);
    }
    last = name;
    from = c;
  }
  const shapes = [...paths].map(([name, path]) =>
    `<path class="${name}" d="${path}"/>`
  );
  return `<svg class="strip" viewBox="0 0 ${columns || 1} 10"` +
    ` preserveAspectRatio="none" aria-hidden="true">${shapes.join("")}</svg>`;
}

/** A row as the script reads it; short keys, as there may be a million tokens. */
function rowData(
  row: ReportRow,
  all: readonly Cell[],
  turns: readonly Turn[],
): unknown {
  const gaps: Record<number, number> = {};
  const parts: Record<number, [whole: string, completes: number]> = {};
  let end = 0;
  for (const { index, bytes, partOf, completes } of all) {
    if (bytes === null) continue;
    if (bytes[0] !== end) gaps[index] = bytes[0] - end;
    end = bytes[1];
    if (partOf !== "") parts[index] = [reveal(partOf), completes ? 1 : 0];
  }
  const chat = isEncodedChat(row) ? row : null;
  return {
    ids: all.map(({ id }) => id),
    // a thin space in ⟨E4 BD⟩, which is no space of the text
    pieces: all.map(({ text, partOf }) =>
      partOf === "" ? reveal(text) : reveal(text).replace(
        /⟨[0-9A-F]{2}(?: [0-9A-F]{2})*⟩/g,
        (bytes) => bytes.replaceAll(" ", "\u2009"),
      )
    ),
    // [N] how many bytes; and, where a token does not begin where the last one
    // ended, how far from there
    bytes: chat && all.map(({ bytes }) => bytes![1] - bytes![0]),
    gaps,
    parts,
    turns: turns.map((turn) => ({
      message: turn.message,
      role: turn.role && inline(turn.role),
      kind: kindNumber(kindOfRole(turn.role)),
      trained: turn.trained,
      weights: turn.weights,
      why: turn.why,
      runs: turn.stretches.map((run) => [
        run.cells.length,
        run.field,
        run.reason,
        run.trained ? 1 : 0,
        run.weight,
      ]),
    })),
    findings: chat?.findings.map(({ code, message, detail, tokens }) => ({
      code,
      message,
      detail: inline(detail),
      tokens,
    })),
    certificate: chat && {
      proof: inline(chat.certificate.proof),
      checked: chat.certificate.checked.map(inline),
      tokens: chat.certificate.trainedTokens,
      bytes: chat.certificate.trainedBytes,
      runs: chat.certificate.runs.map(({ tokens, bytes, message, fields }) => ({
        tokens,
        bytes,
        message,
        fields,
      })),
    },
  };
}

/**
 * Rows as people look at them: in a terminal, or as one HTML file. Each token
 * with who says it and why it is or is not trained, what is odd about a row, and
 * a file in numbers.
 *
 * Text goes out; where it is written is the caller's affair. Nothing of a chat is
 * ever sent raw to where it could act: control characters are shown by name, and
 * markup stays text.
 *
 * | to see | with |
 * |---|---|
 * | a row in a terminal | {@link showRow} |
 * | a file in a terminal | {@link Audit}, then {@link showSummary} |
 * | a file in a browser | {@link Audit}, then {@link htmlReport}, {@link htmlParts} or {@link HtmlReport} |
 * | a row's tokens as data | {@link cells} |
 *
 * @example A row that was tokenised elsewhere
 * ```ts
 * import { showRow } from "@sft/loss/report";
 * import { assertEquals } from "@std/assert";
 *
 * const [head] = showRow({ inputIds: [5, 6, 7], labels: [-100, 6, 7] });
 * assertEquals(head, "2 of 3 tokens trained (66.7 %)");
 * ```
 *
 * @module
 */
export * from "../row.ts";
export type { TokenIds, TokenSpan } from "../contract.ts";
export { type Cell, cells, type PlainRow, type ReportRow } from "./cells.ts";
export { Audit, type AuditOptions } from "./findings.ts";
export {
  htmlParts,
  HtmlReport,
  htmlReport,
  type HtmlReportInput,
  type ReportLimits,
} from "./html.ts";
export type { ReportFront } from "./html_page.ts";
export type { ReportPacks, ShownDocument, ShownPacks } from "./html_packs.ts";
export type { ReportLine } from "./html_row.ts";
export type {
  FindingCount,
  LineNote,
  ReasonShare,
  RefusalCount,
  RoleShare,
  RowLength,
  Summary,
} from "./summary.ts";
export { showRow, type ShowRowOptions } from "./terminal.ts";
export { showSummary, type ShowSummaryOptions } from "./terminal_summary.ts";
export {
  type CellReason,
  FINDING_WORDS,
  type FindingWords,
  type Level,
  REASON_WORDS,
} from "./words.ts";

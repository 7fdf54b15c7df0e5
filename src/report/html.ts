/**
 * A report as one HTML file: nothing is fetched, nothing is sent, and it opens
 * from a disk. It refuses to be a page of everything: rows beyond a limit are
 * counted and not shown, and tokens become elements only where a row is opened.
 *
 * @module
 */
import { checkOptions, readCount, wrongKind } from "../checks.ts";
import { IGNORE_INDEX } from "../contract.ts";
import { checkRow } from "./cells.ts";
import type { ReportPacks } from "./html_packs.ts";
import { pageEnd, pageStart, type ReportFront } from "./html_page.ts";
import { codesOf, type ReportLine, rowBlock } from "./html_row.ts";
import { counted } from "./paint.ts";
import type { Summary } from "./summary.ts";

/** How much of a file a report shows. */
export interface ReportLimits {
  /** How many rows (default 1,000); of each kind of finding the first ten rows are shown beyond them. */
  readonly maxRows?: number;
  /** How many tokens in all (default 2,000,000, some 50 MB of HTML); rows that do not fit are left out. */
  readonly maxTokens?: number;
}

/** What a report is made of. */
export interface HtmlReportInput extends ReportLimits {
  /** What the report is of; a file's name, say. */
  readonly title: string;
  /** The rows. All are read; those beyond the limits are counted. */
  readonly rows: Iterable<ReportLine>;
  /** What an `Audit` made of the file; or a function, called when all rows are read. */
  readonly summary: Summary | (() => Summary);
  /** The file's packs, if it was packed; or a function, called when all rows are read. */
  readonly packs?: ReportPacks | (() => ReportPacks);
}

const ACTION = "write report";
const OPTIONS: ReadonlySet<string> = new Set([
  "title",
  "rows",
  "summary",
  "packs",
  "maxRows",
  "maxTokens",
]);

/** Rows of one kind of finding that are shown beyond the limit. */
const BEYOND = 10;

/**
 * A report that is written as rows come, for rows that are read asynchronously.
 * `begin`, then `add` for each row, then `end`; what they return is written to
 * the file in that order. Memory holds no row.
 *
 * @example
 * ```ts
 * import { Audit, HtmlReport } from "@sft/loss/report";
 * import { assert } from "@std/assert";
 *
 * const audit = new Audit();
 * const report = new HtmlReport("chats.jsonl");
 * let html = report.begin();
 * const row = { inputIds: [5, 6], labels: [-100, 6], pieces: ["Hi", "Ho"] };
 * audit.add(row, 1);
 * html += report.add({ line: 1, row });
 * html += report.end({ summary: audit.summary() });
 * assert(html.includes("line 1"));
 * ```
 */
export class HtmlReport {
  readonly #title: string;
  readonly #maxRows: number;
  readonly #maxTokens: number;
  readonly #ids = new Map<number, number>();
  readonly #beyond = new Map<string, number>();
  #rows = 0;
  #tokens = 0;
  #left = 0;
  #hasFront = false;

  /**
   * A report of no rows yet.
   *
   * @param title What it is of.
   * @throws {RangeError} A limit is out of range.
   * @throws {TypeError} Something is of the wrong kind.
   */
  constructor(title: string, limits: ReportLimits = {}) {
    if (typeof title !== "string") {
      wrongKind(ACTION, "title must be a string", title);
    }
    this.#title = title;
    const { maxRows, maxTokens } = limits;
    this.#maxRows = readCount(ACTION, "maxRows", maxRows, 0) ?? 1000;
    this.#maxTokens = readCount(ACTION, "maxTokens", maxTokens, 0) ?? 2e6;
  }

  /** The page up to its first row; what is not yet known can wait for `end`. */
  begin(front?: ReportFront): string {
    this.#hasFront = front !== undefined;
    return pageStart(this.#title, front);
  }

  /**
   * The block of a row, or nothing where a limit is reached. The first row is
   * shown open.
   *
   * @throws {RangeError} The row's arrays are not aligned.
   * @throws {TypeError} Something is of the wrong kind.
   */
  add(line: ReportLine): string {
    checkRow(line.row);
    const { inputIds, labels } = line.row;
    let trained = 0;
    for (let t = 0; t < inputIds.length; t++) {
      if (Number(labels[t]) !== IGNORE_INDEX) trained++;
    }
    const codes = codesOf(line.row, trained);
    const fits = this.#tokens + inputIds.length <= this.#maxTokens &&
      (this.#rows < this.#maxRows ||
        codes.some((code) => (this.#beyond.get(code) ?? 0) < BEYOND));
    if (!fits) {
      this.#left++;
      return "";
    }
    for (const code of codes) {
      this.#beyond.set(code, (this.#beyond.get(code) ?? 0) + 1);
    }
    const seen = (this.#ids.get(line.line) ?? 0) + 1;
    this.#ids.set(line.line, seen);
    const id = `line-${line.line}${seen === 1 ? "" : `.${seen}`}`;
    const isFirst = this.#rows === 0;
    this.#rows++;
    this.#tokens += inputIds.length;
    return rowBlock(line, id, isFirst);
  }

  /** The rest of the page, with what `begin` did not get. */
  end(front?: ReportFront): string {
    const left = this.#left === 0
      ? ""
      : `${counted(this.#left, "more row")} not shown: a report has the first ${
        counted(this.#maxRows, "row")
      }, of each finding the first ${BEYOND}, and at most ${
        counted(this.#maxTokens, "token")
      }.`;
    const late = this.#hasFront ? undefined : front;
    return pageEnd(this.#rows, left, late);
  }
}

/**
 * A report in parts, in order. Where `summary` is a function, one pass over the
 * rows is enough: it is called behind the last one.
 *
 * @param input Title, rows, summary and packs.
 * @throws {RangeError} A row's arrays are not aligned, or a limit is out of range.
 * @throws {TypeError} Something is of the wrong kind.
 *
 * @example One pass over rows that are made as they are needed
 * ```ts
 * import { Audit, htmlParts } from "@sft/loss/report";
 * import { assertEquals } from "@std/assert";
 *
 * const audit = new Audit();
 * function* rows() {
 *   for (let line = 1; line <= 3; line++) {
 *     const row = { inputIds: [line, 6], labels: [-100, 6] };
 *     audit.add(row, line);
 *     yield { line, row };
 *   }
 * }
 * const title = "rows.jsonl";
 * const parts = htmlParts({ title, rows: rows(), summary: () => audit.summary() });
 * assertEquals([...parts].join("").match(/<details class="row"/g)?.length, 3);
 * ```
 */
export function* htmlParts(input: HtmlReportInput): Generator<string> {
  checkOptions(ACTION, "the input", input, OPTIONS);
  const { title, rows, summary, packs } = input;
  const report = new HtmlReport(title, input);
  const isLate = typeof summary === "function" || typeof packs === "function";
  const front = (): ReportFront => {
    const laid = typeof packs === "function" ? packs() : packs;
    return {
      summary: typeof summary === "function" ? summary() : summary,
      ...laid === undefined ? {} : { packs: laid },
    };
  };
  yield report.begin(isLate ? undefined : front());
  for (const line of rows) {
    const block = report.add(line);
    if (block !== "") yield block;
  }
  yield report.end(isLate ? front() : undefined);
}

/**
 * A report as one string; for files that are longer than memory, `htmlParts`.
 *
 * @param input Title, rows, summary and packs.
 * @returns A whole HTML file.
 * @throws {RangeError} A row's arrays are not aligned, or a limit is out of range.
 * @throws {TypeError} Something is of the wrong kind.
 *
 * @example What a chat says is text, whatever it says
 * ```ts
 * import { Audit, htmlReport } from "@sft/loss/report";
 * import { assert } from "@std/assert";
 *
 * const audit = new Audit();
 * const row = {
 *   inputIds: [5],
 *   labels: [5],
 *   pieces: ["</script><script>alert(1)</script>"],
 * };
 * audit.add(row, 1);
 * const html = htmlReport({
 *   title: "<b>chats</b>",
 *   rows: [{ line: 1, row }],
 *   summary: audit.summary(),
 * });
 * assert(!html.includes("alert(1)</script>"));
 * assert(html.includes("<title>&lt;b&gt;chats&lt;/b&gt;</title>"));
 * ```
 */
export function htmlReport(input: HtmlReportInput): string {
  return [...htmlParts(input)].join("");
}

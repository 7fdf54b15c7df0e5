/**
 * An audit of a file: rows go in one by one, and what is known of all of them
 * comes out. Nothing of a row is kept but counts, a few example lines and one
 * number to recognise it by, so a file may be longer than memory.
 *
 * @module
 */
import { checkOptions, readCount, readIds, wrongKind } from "../checks.ts";
import { IGNORE_INDEX } from "../contract.ts";
import type { EncodedChat, FindingCode } from "../row.ts";
import { checkRow, isEncodedChat, type ReportRow } from "./cells.ts";
import { fingerprint } from "./fingerprint.ts";
import type {
  FindingCount,
  ReasonShare,
  RefusalCount,
  RoleShare,
  RowLength,
  Summary,
} from "./summary.ts";
import { countChat, emptySummary, entry, gravity, short } from "./tallies.ts";

/** Options of an {@link Audit}. */
export interface AuditOptions {
  /** Count what a cut at so many tokens would take. */
  maxLength?: number;
  /** How many example lines are kept of each kind (default 5). */
  examples?: number;
}

const ACTION = "summarise rows";
const OPTIONS: ReadonlySet<string> = new Set(["maxLength", "examples"]);

/** A Map holds 2²⁴ entries at most in V8; of later rows duplicates are not looked for. */
const MAX_REMEMBERED = 16_000_000;

/** How many roles are told apart; a file may invent one for every row. */
const MAX_ROLES = 100;

/** The role of all the others. */
const OTHERS = "…";

/**
 * Counts over a file: how much is trained, of whom and why, what was found, what
 * was refused, what occurs twice.
 *
 * @example Two rows that are the same, and a chat that was refused
 * ```ts
 * import { Audit } from "@sft/loss/report";
 * import { assertEquals } from "@std/assert";
 *
 * const audit = new Audit({ maxLength: 2 });
 * const row = { inputIds: [5, 6, 7], labels: [-100, 6, 7] };
 * audit.add(row, 1);
 * audit.add(row, 2);
 * audit.addRefusal(3, "refused", "Conversation roles must alternate");
 *
 * const summary = audit.summary();
 * assertEquals(summary.trainedTokens, 4);
 * assertEquals(summary.duplicates.examples, [{ line: 2, first: 1 }]);
 * assertEquals(summary.overlong?.answersCut, 2);
 * assertEquals(summary.refusals[0]?.chats, 1);
 * ```
 */
export class Audit {
  readonly #examples: number;
  readonly #summary: Summary;
  readonly #seen = new Map<number, number>();
  readonly #findings = new Map<FindingCode, FindingCount>();
  readonly #refusals = new Map<string, RefusalCount>();
  readonly #roles = new Map<string | null, RoleShare>();
  readonly #reasons = new Map<string, ReasonShare>();
  #shares = 0;

  /**
   * An audit of no rows yet.
   *
   * @throws {RangeError} An option is out of range.
   * @throws {TypeError} An option is of the wrong kind.
   */
  constructor(options: AuditOptions = {}) {
    checkOptions(ACTION, "options", options, OPTIONS);
    this.#examples = readCount(ACTION, "examples", options.examples, 0) ?? 5;
    const maxLength = readCount(ACTION, "maxLength", options.maxLength, 1);
    this.#summary = emptySummary(maxLength);
  }

  /**
   * Adds a row.
   *
   * @param row A chat that was encoded here, or ids and labels from elsewhere.
   * @param line Where it stands in its file, the first being 1; several rows may come of one line.
   * @throws {RangeError} The row's arrays are not aligned.
   * @throws {TypeError} Something is of the wrong kind.
   */
  add(row: ReportRow, line: number): void {
    checkRow(row);
    this.#checkLine(line);
    const ids = readIds(ACTION, "inputIds", row.inputIds);
    const labels = readIds(ACTION, "labels", row.labels);
    const tokens = ids.length;
    let trained = 0;
    for (let t = 0; t < tokens; t++) if (labels[t] !== IGNORE_INDEX) trained++;

    const summary = this.#summary;
    summary.rows++;
    summary.tokens += tokens;
    summary.trainedTokens += trained;
    this.#addShare(tokens === 0 ? 0 : trained / tokens, line);
    if (trained === 0) {
      summary.nothingTrained.rows++;
      this.#keep(summary.nothingTrained.lines, line);
    }
    this.#addLength({ line, tokens, trained });
    this.#addCut(labels, trained, line);
    this.#compare(fingerprint(ids, labels), line);
    if (isEncodedChat(row)) this.#addChat(row, line);
    else this.#addPlain(tokens, trained);
  }

  /**
   * Adds a chat that did not become a row, or a row that could not be read.
   *
   * @param line Where it stands in its file.
   * @param reason The kind of refusal, as `ChatTemplateError.reason` has it, or `"not readable"`.
   * @param message The error's words.
   */
  addRefusal(line: number, reason: string, message: string): void {
    this.#checkLine(line);
    this.#summary.refused++;
    const count = entry(this.#refusals, reason, () => ({
      reason,
      chats: 0,
      examples: [],
    }));
    count.chats++;
    this.#keep(count.examples, { line, detail: short(message) });
  }

  /** What is known so far; a copy that later rows do not change. */
  summary(): Summary {
    const { rows, tokens, trainedTokens, share } = this.#summary;
    const most = <T extends { tokens: number }>(all: Iterable<T>) =>
      [...all].sort((a, b) => b.tokens - a.tokens);
    return structuredClone({
      ...this.#summary,
      share: {
        ...share,
        overall: tokens === 0 ? 0 : trainedTokens / tokens,
        mean: rows === 0 ? 0 : this.#shares / rows,
      },
      findings: [...this.#findings.values()].sort((a, b) =>
        gravity(a.code) - gravity(b.code) || b.rows - a.rows
      ),
      refusals: [...this.#refusals.values()].sort((a, b) => b.chats - a.chats),
      roles: most(this.#roles.values()),
      reasons: most(this.#reasons.values()),
    });
  }

  #checkLine(line: number): void {
    if (!Number.isSafeInteger(line)) {
      wrongKind(ACTION, "line must be a whole number", line);
    }
  }

  #keep<T>(list: T[], example: T): void {
    if (list.length < this.#examples) list.push(example);
  }

  #addShare(value: number, line: number): void {
    const { share } = this.#summary;
    const { histogram } = share;
    this.#shares += value;
    const bar = Math.floor(value * histogram.length);
    histogram[Math.min(histogram.length - 1, bar)]!++;
    if (share.min === null || value < share.min.share) {
      share.min = { line, share: value };
    }
  }

  #addLength(length: RowLength): void {
    const { longest } = this.#summary;
    const at = longest.findIndex(({ tokens }) => tokens < length.tokens);
    longest.splice(at < 0 ? longest.length : at, 0, length);
    if (longest.length > this.#examples) longest.pop();
  }

  /** Counts what a cut at the longest length would take. */
  #addCut(labels: Int32Array, trained: number, line: number): void {
    const { overlong } = this.#summary;
    if (overlong === null || labels.length <= overlong.maxLength) return;
    let lost = 0;
    for (let t = overlong.maxLength; t < labels.length; t++) {
      if (labels[t] !== IGNORE_INDEX) lost++;
    }
    overlong.rows++;
    overlong.trainedTokensCut += lost;
    if (lost === 0) return;
    overlong.answersCut++;
    if (lost === trained) overlong.answersLost++;
    this.#keep(overlong.lines, line);
  }

  #compare(print: number, line: number): void {
    const { duplicates } = this.#summary;
    const first = this.#seen.get(print);
    if (first !== undefined) {
      duplicates.rows++;
      this.#keep(duplicates.examples, { line, first });
    } else if (this.#seen.size < MAX_REMEMBERED) this.#seen.set(print, line);
    else return;
    duplicates.compared++;
  }

  #addPlain(tokens: number, trained: number): void {
    const ignored = tokens - trained;
    if (trained > 0) {
      this.#addReason({ reason: "trained", tokens: trained, trained });
    }
    if (ignored > 0) {
      this.#addReason({ reason: "ignored", tokens: ignored, trained: 0 });
    }
    if (tokens > 0) this.#addRole({ role: null, messages: 0, tokens, trained });
  }

  #addChat(row: EncodedChat, line: number): void {
    const { messages, reasons } = countChat(row);
    for (const share of reasons) this.#addReason(share);
    for (const share of messages) {
      this.#addRole({ ...share, messages: share.message < 0 ? 0 : 1 });
    }
    this.#addStops(messages, line);
    this.#addFindings(row, line);
  }

  #addStops(
    messages: readonly { answers: boolean; stops: boolean }[],
    line: number,
  ): void {
    const { stops } = this.#summary;
    const turns = messages.filter(({ answers }) => answers);
    const trained = turns.filter((turn) => turn.stops).length;
    stops.turns += turns.length;
    stops.trained += trained;
    if (trained === turns.length) return;
    stops.rowsWithout++;
    this.#keep(stops.lines, line);
  }

  #addFindings({ findings }: EncodedChat, line: number): void {
    const here = new Set<FindingCode>();
    for (const { code, detail, tokens } of findings) {
      const count = entry(this.#findings, code, () => ({
        code,
        findings: 0,
        rows: 0,
        examples: [],
      }));
      count.findings++;
      const { straddling } = this.#summary;
      if (code === "straddling-token") {
        straddling.tokens += tokens ? tokens[1] - tokens[0] : 1;
      }
      if (here.has(code)) continue;
      here.add(code);
      count.rows++;
      if (code === "straddling-token") straddling.rows++;
      this.#keep(count.examples, { line, detail: short(detail) });
    }
  }

  #addRole({ role, messages, tokens, trained }: RoleShare): void {
    const roles = this.#roles;
    const known = roles.has(role) || roles.size < MAX_ROLES ? role : OTHERS;
    const share = entry(roles, known, () => ({
      role: known,
      messages: 0,
      tokens: 0,
      trained: 0,
    }));
    share.messages += messages;
    share.tokens += tokens;
    share.trained += trained;
  }

  #addReason({ reason, tokens, trained }: ReasonShare): void {
    const share = entry(this.#reasons, reason, () => ({
      reason,
      tokens: 0,
      trained: 0,
    }));
    share.tokens += tokens;
    share.trained += trained;
  }
}

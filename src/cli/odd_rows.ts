/**
 * Counts what is odd about rows that were tokenised elsewhere, for a summary
 * that does not know them.
 *
 * @module
 */
import type { FindingCode } from "../chat/mod.ts";
import type { FindingCount, Summary } from "../report/mod.ts";
import { findingWords, LEVEL_MARKS } from "../report/words.ts";
import type { FoundRows } from "./fail_on.ts";

/** Something odd, in words. */
export interface OddThing {
  /** What it is. */
  readonly code: FindingCode;
  /** What was seen. */
  readonly detail: string;
}

/** What is odd about one row. */
export interface OddRow {
  /** The kinds of it, with words. */
  readonly findings: readonly OddThing[];
  /** What is odd too if the file's other rows show no answers either; else the row is the middle of one. */
  readonly ifForeign: readonly OddThing[];
  /** Whether the header of an answer was seen. */
  readonly hasAnswers: boolean;
  /** Answers of which something is trained; where no header is known, runs of trained tokens. */
  readonly runs: number;
  /** Those that end with a trained stop. */
  readonly stopped: number;
}

/** How many lines are named of each. */
const EXAMPLES = 5;

/** How many rows without answers are looked at before it is settled that the file has none. */
const MOST_HELD = 10_000;

/** Counts what is odd about rows, for a summary that does not know them, and for limits. */
export class OddRows {
  readonly #found: FoundRows;
  readonly #counts = new Map<FindingCode, FindingCount>();
  readonly #stops: Summary["stops"] = {
    turns: 0,
    trained: 0,
    rowsWithout: 0,
    lines: [],
  };
  /** Rows of which it depends on the others what they are. */
  #held: { row: OddRow; line: number }[] = [];
  #hasAnswers = false;

  /** Counts into `found` as well. */
  constructor(found: FoundRows) {
    this.#found = found;
  }

  /** Adds a row. */
  add(row: OddRow, line: number): void {
    if (row.hasAnswers && !this.#hasAnswers) {
      this.#hasAnswers = true;
      this.#settle();
    }
    if (this.#hasAnswers || row.ifForeign.length === 0) {
      this.#count(row, row.findings, line);
    } else {
      this.#held.push({ row, line });
      if (this.#held.length > MOST_HELD) this.#settle();
    }
  }

  /** Counts the rows that wait. */
  #settle(): void {
    for (const { row, line } of this.#held) {
      const { findings, ifForeign } = row;
      const all = this.#hasAnswers ? findings : [...findings, ...ifForeign];
      this.#count(row, all, line);
    }
    this.#held = [];
  }

  #count(
    { runs, stopped }: OddRow,
    findings: OddRow["findings"],
    line: number,
  ): void {
    this.#found.add(findings.map(({ code }) => code));
    const seen = new Set<FindingCode>();
    for (const { code, detail } of findings) {
      let count = this.#counts.get(code);
      if (count === undefined) {
        count = { code, findings: 0, rows: 0, examples: [] };
        this.#counts.set(code, count);
      }
      count.findings++;
      if (seen.has(code)) continue;
      seen.add(code);
      count.rows++;
      if (count.examples.length < EXAMPLES) {
        count.examples.push({ line, detail });
      }
    }
    const stops = this.#stops;
    stops.turns += runs;
    stops.trained += stopped;
    if (stopped === runs) return;
    stops.rowsWithout++;
    if (stops.lines.length < EXAMPLES) stops.lines.push(line);
  }

  /** The summary with what was counted here. */
  complete(summary: Summary): Summary {
    this.#settle();
    const levels = Object.keys(LEVEL_MARKS);
    const gravity = ({ code }: FindingCount) =>
      levels.indexOf(findingWords(code).level);
    return {
      ...summary,
      stops: this.#stops,
      findings: [...this.#counts.values()].sort((a, b) =>
        gravity(a) - gravity(b) || b.rows - a.rows
      ),
    };
  }
}

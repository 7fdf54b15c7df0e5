/**
 * Counts what is odd about rows that were tokenised elsewhere, for a summary
 * that does not know them.
 *
 * @module
 */
import type { FindingCode } from "../chat/mod.ts";
import type { FindingCount, Summary } from "../report/mod.ts";
import { findingWords, LEVEL_MARKS } from "../report/words.ts";
import type { OddRow } from "./elsewhere.ts";

/** How many lines are named of each. */
const EXAMPLES = 5;

/** Counts what is odd about rows, for a summary that does not know them. */
export class OddRows {
  readonly #counts = new Map<FindingCode, FindingCount>();
  readonly #stops: Summary["stops"] = {
    turns: 0,
    trained: 0,
    rowsWithout: 0,
    lines: [],
  };

  /** Adds a row. */
  add({ findings, runs, stopped }: OddRow, line: number): void {
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

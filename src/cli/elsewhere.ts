/**
 * What is odd about rows that were tokenised elsewhere. Nobody knows who says
 * what in them, but a run of trained tokens should end with a stop, and a row
 * should train something and begin once.
 *
 * @module
 */
import {
  type ChatTokenizer,
  type FindingCode,
  renderChat,
} from "../chat/mod.ts";
import { IGNORE_INDEX } from "../contract.ts";
import type { FindingCount, Summary } from "../report/mod.ts";
import { findingWords, LEVEL_MARKS } from "../report/words.ts";
import { UsageError } from "./errors.ts";
import { quote } from "./options.ts";
import type { ElsewhereRow } from "./report_rows.ts";

/** Tokens behind a stop that may be trained with it: a newline, an end-of-text. */
const BEHIND_STOP = 2;

/** How many lines are named of each. */
const EXAMPLES = 5;

/** What rows from elsewhere are judged by. */
export interface ElsewhereRules {
  /** The ids by which a turn may end; none where nobody knows. */
  readonly ends: ReadonlySet<number>;
  /** The id that begins a row, where the tokenizer has one. */
  readonly bos: number | undefined;
  /** The length at which rows were cut, if they were. */
  readonly maxLength: number | undefined;
}

/** Reads `--end-ids`, or finds the stops in the tokenizer's files. */
export function readEnds(
  text: string | undefined,
  tokenizer: ChatTokenizer | null,
): Set<number> {
  if (text !== undefined) {
    const ids = text.split(",").map((id) => id.trim());
    const wrong = ids.find((id) => !/^\d{1,9}$/.test(id));
    if (wrong !== undefined) {
      throw new UsageError(
        `--end-ids must be ids with commas between: got ${quote(wrong)}`,
      );
    }
    return new Set(ids.map(Number));
  }
  const ends = new Set<number>();
  if (tokenizer === null) return ends;
  const eos = tokenizer.addedId(tokenizer.eosToken);
  if (eos !== undefined) ends.add(eos);
  for (const id of stopOfTemplate(tokenizer)) ends.add(id);
  return ends;
}

/** The special tokens with which the chat template ends an answer. */
function stopOfTemplate(tokenizer: ChatTokenizer): number[] {
  const { chatTemplate, bosToken, eosToken } = tokenizer;
  if (chatTemplate === undefined) return [];
  const messages = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Ho" },
  ];
  try {
    const options = { chatTemplate, bosToken, eosToken, date: new Date(0) };
    const { text, turns } = renderChat(messages, options);
    const [start, end] = turns.at(-1)?.endOfTurn ?? [0, 0];
    const { inputIds } = tokenizer.encode(text.slice(start, end));
    return [...inputIds].filter((id) => tokenizer.isSpecial(id));
  } catch {
    return []; // a template that wants other messages
  }
}

/** What is odd about one row. */
export interface OddRow {
  /** The kinds of it, with words. */
  readonly findings: readonly { code: FindingCode; detail: string }[];
  /** Runs of trained tokens. */
  readonly runs: number;
  /** Those that end with a trained stop. */
  readonly stopped: number;
}

/** Looks at one row. */
export function judge(
  { inputIds, labels, cuSeqlens }: ElsewhereRow,
  { ends, bos, maxLength }: ElsewhereRules,
): OddRow {
  const findings: { code: FindingCode; detail: string }[] = [];
  const length = inputIds.length;
  if (bos !== undefined && inputIds[0] === bos && inputIds[1] === bos) {
    findings.push({
      code: "double-bos",
      detail: `The row begins with ${bos} twice`,
    });
  }
  let runs = 0;
  let stopped = 0;
  let isTrained = false;
  let start = 0; // of the run
  const borders = new Set(cuSeqlens ?? []);
  for (let t = 0; t < length; t++) {
    if (borders.has(t)) start = t;
    if (labels[t] === IGNORE_INDEX) {
      start = t + 1;
      continue;
    }
    isTrained = true;
    const isLast = t + 1 === length || labels[t + 1] === IGNORE_INDEX ||
      borders.has(t + 1);
    if (!isLast || ends.size === 0) continue;
    runs++;
    if (endsIn(inputIds.subarray(start, t + 1), ends)) stopped++;
    else {
      const isCut = t + 1 === length && length === maxLength;
      const next = borders.has(t + 1) ? undefined : inputIds[t + 1];
      findings.push(
        isCut
          ? {
            code: "truncated-in-answer",
            detail: `What is trained runs into the end at ${length} tokens`,
          }
          : {
            code: "stop-not-trained",
            detail: next !== undefined && ends.has(next)
              ? `The stop ${next} at ${t + 1} is not trained`
              : `What is trained ends at ${t + 1} without a stop`,
          },
      );
    }
  }
  if (!isTrained) {
    findings.push({ code: "nothing-trained", detail: "No token is trained" });
  }
  return { findings, runs, stopped };
}

/** Whether a run ends with a stop, or with a stop and little behind it. */
function endsIn(run: Int32Array, ends: ReadonlySet<number>): boolean {
  return run.subarray(-1 - BEHIND_STOP).some((id) => ends.has(id));
}

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

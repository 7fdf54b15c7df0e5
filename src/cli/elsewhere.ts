/**
 * What is odd about rows that were tokenised elsewhere. Nobody knows the
 * messages, but where the header that opens an answer is known, each answer can
 * be found, and what is trained compared with it: all of it, its stop, and
 * nothing else. Without one, each run of trained tokens should end with a stop.
 *
 * @module
 */
import type { FindingCode } from "../chat/mod.ts";
import { IGNORE_INDEX } from "../contract.ts";
import { type Answer, findAnswers } from "./answers.ts";
import type { ElsewhereRow } from "./report_rows.ts";
import type { TurnMarks } from "./turn_marks.ts";

/** Tokens behind a stop that may be trained with it: a newline, an end-of-text. */
const BEHIND_STOP = 2;

/** What rows from elsewhere are judged by. */
export interface ElsewhereRules extends TurnMarks {
  /** The length at which rows were cut, if they were. */
  readonly maxLength: number | undefined;
}

/** What is odd about one row. */
export interface OddRow {
  /** The kinds of it, with words. */
  readonly findings: readonly { code: FindingCode; detail: string }[];
  /** Answers of which something is trained; where no header is known, runs of trained tokens. */
  readonly runs: number;
  /** Those that end with a trained stop. */
  readonly stopped: number;
}

/** Looks at one row. */
export function judge(row: ElsewhereRow, rules: ElsewhereRules): OddRow {
  return new Judge(row, rules).judge();
}

class Judge {
  readonly #rules: ElsewhereRules;
  readonly #ids: Int32Array;
  readonly #labels: Int32Array;
  /** Where documents begin, and the row's end. */
  readonly #borders: readonly number[];
  readonly #findings: { code: FindingCode; detail: string }[] = [];
  #runs = 0;
  #stopped = 0;

  constructor(
    { inputIds, labels, cuSeqlens }: ElsewhereRow,
    rules: ElsewhereRules,
  ) {
    this.#rules = rules;
    this.#ids = inputIds;
    this.#labels = labels;
    this.#borders = cuSeqlens === undefined
      ? [0, inputIds.length]
      : [...new Set(cuSeqlens)];
  }

  judge(): OddRow {
    const { bos, headers, ends } = this.#rules;
    const ids = this.#ids;
    if (bos !== undefined && ids[0] === bos && ids[1] === bos) {
      this.#find("double-bos", `The row begins with ${bos} twice`);
    }
    const trained = this.#count(0, ids.length);
    if (trained === 0) this.#find("nothing-trained", "No token is trained");
    const answers = findAnswers(ids, this.#borders, this.#rules);
    const allTrained = this.#trainsAll(trained);
    if (allTrained && (answers.length > 0 || !this.#mayGoOn())) {
      this.#find(
        "everything-trained",
        `All ${ids.length} tokens are trained, the prompt's too`,
      );
    }
    if (answers.length > 0) {
      for (const answer of answers) this.#judgeAnswer(answer);
      if (!allTrained) this.#judgeRest(answers);
    } else {
      if (headers.length > 0 && trained > 0) {
        this.#find(
          "marker-absent",
          `The ids that open an answer, [${
            headers.map(({ ids }) => ids.join(", ")).join("] or [")
          }], are not in the row`,
        );
      }
      if (ends.size > 0) this.#judgeRuns();
    }
    return {
      findings: this.#findings,
      runs: this.#runs,
      stopped: this.#stopped,
    };
  }

  #find(code: FindingCode, detail: string): void {
    this.#findings.push({ code, detail });
  }

  #isTrained(t: number): boolean {
    return this.#labels[t] !== IGNORE_INDEX;
  }

  #count(start: number, end: number): number {
    let count = 0;
    for (let t = start; t < end; t++) if (this.#isTrained(t)) count++;
    return count;
  }

  /** Whether all is trained but, perhaps, the first token of each document, which nothing predicts. */
  #trainsAll(trained: number): boolean {
    const { length } = this.#ids;
    if (length < 2 || trained === 0) return false;
    const firsts = this.#borders.filter((at) =>
      at < length && !this.#isTrained(at)
    );
    return trained + firsts.length === length;
  }

  /** Compares what is trained of an answer with the whole of it. */
  #judgeAnswer({ start, end, hasStop }: Answer): void {
    const trained = this.#count(start, end);
    if (trained === 0) return; // a turn that is left out
    this.#runs++;
    let words = hasStop ? end - 1 : end;
    // without a stop nobody knows where it ends: what is trained says so
    while (!hasStop && !this.#isTrained(words - 1)) words--;
    const missing = this.#missing(start, words);
    if (missing.count > 0) {
      this.#find(
        "answer-partly-trained",
        `Of the answer at ${start} to ${words}, ${missing.count} tokens are not trained, the first at ${missing.first}`,
      );
    }
    if (hasStop && this.#isTrained(words)) this.#stopped++;
    else this.#findStop(words, hasStop ? words : undefined);
  }

  /**
   * Tokens of an answer that are not trained while others are. A part that ends
   * with an added token is left out as a whole, as thoughts and calls are, and
   * is none of them; nor is whitespace that merged with the header's.
   */
  #missing(start: number, end: number): { count: number; first: number } {
    const { isAdded, isBlank } = this.#rules;
    let count = 0;
    let first = -1;
    for (let t = start; t < end; t++) {
      if (this.#isTrained(t)) continue;
      const from = t;
      while (t < end && !this.#isTrained(t)) t++;
      let last = t - 1;
      while (last >= from && isBlank?.(this.#ids[last]!)) last--;
      if (last < from || isAdded(this.#ids[last]!)) continue;
      count += t - from;
      if (first < 0) first = from;
    }
    return { count, first };
  }

  /** What is trained that is no answer's. */
  #judgeRest(answers: readonly Answer[]): void {
    let [outside, first, headers, firstHeader] = [0, -1, 0, -1];
    const add = (from: number, to: number) => {
      for (let t = from; t < to; t++) {
        if (!this.#isTrained(t)) continue;
        outside++;
        if (first < 0) first = t;
      }
    };
    let done = 0;
    for (const { header, start, end } of answers) {
      add(this.#behindStop(done, header), header);
      const trained = this.#count(header, start);
      headers += trained;
      if (trained > 0 && firstHeader < 0) firstHeader = header;
      done = end;
    }
    add(this.#behindStop(done, this.#ids.length), this.#ids.length);
    if (outside > 0) {
      this.#find(
        "prompt-trained",
        `${outside} tokens outside the answers are trained, the first at ${first}`,
      );
    }
    if (headers > 0) {
      this.#find(
        "header-trained",
        `${headers} tokens of headers that open answers are trained, the first at ${firstHeader}`,
      );
    }
  }

  /**
   * Where what may be trained with an answer ends: behind its stop a newline
   * and an end-of-text, at a row's start an answer that goes on from a row before.
   */
  #behindStop(from: number, to: number): number {
    if (from === 0) return this.#goesOn(to);
    const most = Math.min(to, from + BEHIND_STOP);
    let at = from;
    while (at < most && this.#mayFollow(this.#ids[at]!)) at++;
    return at;
  }

  #mayFollow(id: number): boolean {
    const { ends, isBlank } = this.#rules;
    return ends.has(id) || isBlank === null || isBlank(id);
  }

  /** Whether the row may go on with what a wrapped pack cut. */
  #mayGoOn(): boolean {
    const { headers, isBlank, starts } = this.#rules;
    return headers.length > 0 && isBlank !== null && !starts.has(this.#ids[0]!);
  }

  /** The end of an answer that a wrapped pack cut; 0 where the row begins with a turn of its own. */
  #goesOn(to: number): number {
    if (to === 0 || !this.#mayGoOn()) return 0;
    const { ends } = this.#rules;
    const ids = this.#ids;
    let at = this.#isTrained(0) ? 0 : 1; // a row's first label may be ignored
    while (at < to && this.#isTrained(at) && !ends.has(ids[at]!)) at++;
    return at < to && this.#isTrained(at) ? this.#behindStop(at + 1, to) : 0;
  }

  /** Runs of trained tokens, each of which should end with a stop. */
  #judgeRuns(): void {
    for (let d = 0; d + 1 < this.#borders.length; d++) {
      const border = this.#borders[d + 1]!;
      for (let t = this.#borders[d]!; t < border; t++) {
        if (!this.#isTrained(t)) continue;
        const start = t;
        while (t < border && this.#isTrained(t)) t++;
        this.#runs++;
        if (this.#endsStopped(start, t)) this.#stopped++;
        else {
          const isStop = t < border && this.#rules.ends.has(this.#ids[t]!);
          this.#findStop(t, isStop ? t : undefined);
        }
      }
    }
  }

  /** Whether a run ends with a stop, or with a stop and little behind it. */
  #endsStopped(start: number, end: number): boolean {
    const { ends } = this.#rules;
    for (let at = end - 1; at >= Math.max(start, end - 1 - BEHIND_STOP); at--) {
      if (ends.has(this.#ids[at]!)) return true;
      if (!this.#mayFollow(this.#ids[at]!)) return false;
    }
    return false;
  }

  /** Says that what is trained up to `end` has no trained stop; where there is one, it stands at `stop`. */
  #findStop(end: number, stop: number | undefined): void {
    const { length } = this.#ids;
    if (
      stop === undefined && end === length && length === this.#rules.maxLength
    ) {
      this.#find(
        "truncated-in-answer",
        `What is trained runs into the end at ${length} tokens`,
      );
    } else {
      this.#find(
        "stop-not-trained",
        stop === undefined
          ? `What is trained ends at ${end} without a stop`
          : `The stop ${this.#ids[stop]} at ${stop} is not trained`,
      );
    }
  }
}

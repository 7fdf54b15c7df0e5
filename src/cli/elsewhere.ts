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
import { type Answer, findParts, mayGoOn, type Part } from "./answers.ts";
import type { OddRow, OddThing } from "./odd_rows.ts";
import type { ElsewhereRow } from "./report_rows.ts";
import type { TurnMarks } from "./turn_marks.ts";

/** Tokens behind a stop that may be trained with it: a newline, an end-of-text. */
const BEHIND_STOP = 2;

/** What rows from elsewhere are judged by. */
export interface ElsewhereRules extends TurnMarks {
  /** The length at which rows were cut, if they were. */
  readonly maxLength: number | undefined;
}

/** Looks at one row. */
export function judge(row: ElsewhereRow, rules: ElsewhereRules): OddRow {
  return new Judge(row, rules).judge();
}

class Judge {
  readonly #rules: ElsewhereRules;
  readonly #ids: Int32Array;
  readonly #labels: Int32Array;
  readonly #parts: readonly Part[];
  readonly #findings: OddThing[] = [];
  readonly #ifForeign: OddThing[] = [];
  #runs = 0;
  #stopped = 0;

  constructor(row: ElsewhereRow, rules: ElsewhereRules) {
    this.#rules = rules;
    this.#ids = row.inputIds;
    this.#labels = row.labels;
    this.#parts = findParts(row, rules);
  }

  judge(): OddRow {
    const { headers, ends } = this.#rules;
    const trained = this.#count(0, this.#ids.length);
    if (trained === 0) this.#find("nothing-trained", "No token is trained");
    const { length } = this.#ids;
    const padding = this.#count(0, this.#parts[0]?.from ?? 0) +
      this.#count(this.#parts.at(-1)?.to ?? length, length);
    if (padding > 0) {
      this.#find("prompt-trained", `${padding} tokens of padding are trained`);
    }
    this.#judgeBeginnings();
    const whole = this.#judgeWhole();
    const answers = this.#parts.flatMap((part) => part.answers);
    const hasAnswers = answers.some(({ isRest }) => !isRest);
    if (answers.length > 0) {
      this.#judgeAnswers(answers);
      this.#judgeRest(this.#parts.filter((part) => !whole.includes(part)));
    }
    if (!hasAnswers && headers.length > 0 && trained > 0) {
      const marks = headers.map(({ ids }) => `[${ids.join(", ")}]`);
      const detail = `The ids that open an answer, ${
        marks.join(" or ")
      }, are not in the row`;
      const isMiddle = this.#parts.every((part) => this.#mayBeRest(part));
      (isMiddle ? this.#ifForeign : this.#findings)
        .push({ code: "marker-absent", detail });
    }
    for (const part of this.#parts) {
      const isAlone = answers.length === 0 || this.#mayBeRest(part);
      if (ends.size > 0 && part.answers.length === 0 && isAlone) {
        this.#judgeRuns(part);
      }
    }
    return {
      findings: this.#findings,
      ifForeign: this.#ifForeign,
      hasAnswers,
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

  #isBlank(t: number): boolean {
    return this.#rules.isBlank?.(this.#ids[t]!) ?? false;
  }

  #count(start: number, end: number): number {
    let count = 0;
    for (let t = start; t < end; t++) if (this.#isTrained(t)) count++;
    return count;
  }

  #mayBeRest({ from }: Part): boolean {
    return mayGoOn(this.#ids, from, this.#rules);
  }

  #judgeBeginnings(): void {
    const { bos } = this.#rules;
    const ids = this.#ids;
    for (const { from, to } of this.#parts) {
      if (bos === undefined || from + 1 >= to) continue;
      if (ids[from] !== bos || ids[from + 1] !== bos) continue;
      const where = from === 0 ? "The row" : `The document at ${from}`;
      this.#find("double-bos", `${where} begins with ${bos} twice`);
    }
  }

  /** Documents of which all is trained but, perhaps, the first token, which nothing predicts. */
  #judgeWhole(): Part[] {
    const { headers } = this.#rules;
    return this.#parts.filter((part) => {
      const { from, to } = part;
      const length = to - from;
      if (length < 2 || this.#count(from + 1, to) < length - 1) return false;
      const [first] = part.answers;
      // a cut right before an answer leaves no prompt
      if (first !== undefined && first.header === from && !first.isRest) {
        return false;
      }
      const detail = length === this.#ids.length
        ? `All ${length} tokens are trained, the prompt's too`
        : `All ${length} tokens from ${from} to ${to} are trained, the prompt's too`;
      const isKnown = headers.length === 0 || !this.#mayBeRest(part) ||
        part.answers.some(({ isRest }) => !isRest);
      (isKnown ? this.#findings : this.#ifForeign)
        .push({ code: "everything-trained", detail });
      return isKnown;
    });
  }

  #judgeAnswers(answers: readonly Answer[]): void {
    const left: Answer[] = []; // none of it trained
    for (const answer of answers) {
      const isLeft = this.#count(answer.start, answer.end) === 0;
      if (!isLeft) this.#judgeAnswer(answer);
      else if (!answer.isRest && answer.end > answer.start) left.push(answer);
    }
    if (left.length === 0 || left.length === answers.length) return;
    this.#find(
      "answer-not-trained",
      `${left.length} of ${answers.length} answers are not trained, the first at ${
        left[0]!.start
      }`,
    );
  }

  /** Compares what is trained of an answer with the whole of it. */
  #judgeAnswer({ start, end, hasStop, isRest }: Answer): void {
    let words = hasStop ? end - 1 : end;
    // without a stop nobody knows where it ends: what is trained says so
    while (!hasStop && !this.#isTrained(words - 1)) words--;
    let from = start;
    // of the rest of an answer, the first token has no target
    while (isRest && from < words && !this.#isTrained(from)) from++;
    const missing = this.#missing(from, words);
    if (missing.count > 0) {
      this.#find(
        "answer-partly-trained",
        `Of the answer at ${start} to ${words}, ${missing.count} tokens are not trained, the first at ${missing.first}`,
      );
    }
    if (this.#rules.ends.size === 0) return; // nobody knows a stop
    this.#runs++;
    if (hasStop && this.#isTrained(words)) this.#stopped++;
    else this.#findStop(words, hasStop ? words : undefined);
  }

  /**
   * Tokens of an answer that are not trained while others are. A part between
   * added tokens is left out as a whole, as calls are, and so is a beginning
   * that ends with one, as thoughts are; nor does whitespace count that merged
   * with the header's.
   */
  #missing(start: number, end: number): { count: number; first: number } {
    const { isAdded } = this.#rules;
    let count = 0;
    let first = -1;
    for (let t = start; t < end; t++) {
      if (this.#isTrained(t)) continue;
      let [from, last] = [t, t];
      while (t < end && !this.#isTrained(t)) last = t++;
      const begins = from === start;
      while (last >= from && this.#isBlank(last)) last--;
      while (from < last && this.#isBlank(from)) from++;
      const isPart = last >= from && isAdded(this.#ids[last]!) &&
        (begins ? t < end : isAdded(this.#ids[from]!));
      if (isPart || (begins && last < from && t < end)) continue;
      count += Math.max(last + 1, t) - from;
      if (first < 0) first = from;
    }
    return { count, first };
  }

  /** What is trained that is no answer's. */
  #judgeRest(parts: readonly Part[]): void {
    let [outside, first, headers, firstHeader] = [0, -1, 0, -1];
    const add = (from: number, to: number) => {
      for (let t = from; t < to; t++) {
        if (!this.#isTrained(t)) continue;
        outside++;
        if (first < 0) first = t;
      }
    };
    for (const part of parts) {
      const { from, to, answers } = part;
      if (answers.length === 0 && this.#mayBeRest(part)) continue;
      let done = from;
      for (const { header, start, end } of answers) {
        add(done, header);
        const trained = this.#count(header, start);
        headers += trained;
        if (trained > 0 && firstHeader < 0) firstHeader = header;
        done = this.#behindStop(end, to);
      }
      add(done, to);
    }
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

  /** Where what may be trained with an answer ends: behind its stop a newline and an end-of-text. */
  #behindStop(from: number, to: number): number {
    const most = Math.min(to, from + BEHIND_STOP);
    let at = from;
    while (at < most && this.#mayFollow(this.#ids[at]!)) at++;
    return at;
  }

  #mayFollow(id: number): boolean {
    const { ends, isBlank } = this.#rules;
    return ends.has(id) || isBlank === null || isBlank(id);
  }

  /** Runs of trained tokens, each of which should end with a stop. */
  #judgeRuns({ from, to }: Part): void {
    for (let t = from; t < to; t++) {
      if (!this.#isTrained(t)) continue;
      const start = t;
      while (t < to && this.#isTrained(t)) t++;
      this.#runs++;
      if (this.#endsStopped(start, t)) this.#stopped++;
      else {
        const isStop = t < to && this.#rules.ends.has(this.#ids[t]!);
        this.#findStop(t, isStop ? t : undefined);
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
    const isCut = stop === undefined && end === length &&
      length === this.#rules.maxLength;
    this.#find(
      isCut ? "truncated-in-answer" : "stop-not-trained",
      isCut
        ? `What is trained runs into the end at ${length} tokens`
        : stop === undefined
        ? `What is trained ends at ${end} without a stop`
        : `The stop ${this.#ids[stop]} at ${stop} is not trained`,
    );
  }
}

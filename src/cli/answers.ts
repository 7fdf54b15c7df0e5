/**
 * The answers of a row that was tokenised elsewhere: from the header that opens
 * one to the stop that ends it. Some have no header of their own: one right
 * behind another's stop, and one with which a conversation begins, or what a cut
 * left of one.
 *
 * @module
 */
import type { ElsewhereRow } from "./report_rows.ts";
import type { Header, TurnMarks } from "./turn_marks.ts";

/** A document of a row. */
export interface Part {
  /** Where it begins. */
  readonly from: number;
  /** Where it ends. */
  readonly to: number;
  /** Its answers; none where no header is known. */
  readonly answers: readonly Answer[];
}

/** One answer. */
export interface Answer {
  /** Where its header begins; its words, where it has none. */
  readonly header: number;
  /** Where its words begin. */
  readonly start: number;
  /** Behind its stop; where it has none, where another turn begins or the document ends. */
  readonly end: number;
  /** Whether a stop ends it. */
  readonly hasStop: boolean;
  /** Whether it may be the rest of one, or nobody's: its document begins so, before any header. */
  readonly isRest: boolean;
}

/** The documents of a row, padding at its ends apart, each with its answers. */
export function findParts(row: ElsewhereRow, marks: TurnMarks): Part[] {
  return bordersOf(row).map(([from, to]) => ({
    from,
    to,
    answers: findAnswers(row.inputIds, from, to, marks),
  }));
}

/** Where documents begin and end; positions that begin anew part them where nothing else does. */
function bordersOf(
  { inputIds, cuSeqlens, attentionMask, positionIds }: ElsewhereRow,
): [from: number, to: number][] {
  let [from, to] = [0, inputIds.length];
  while (from < to && attentionMask?.[from] === 0) from++;
  while (to > from && attentionMask?.[to - 1] === 0) to--;
  const borders = new Set([from, to]);
  for (const at of cuSeqlens ?? []) if (at > from && at < to) borders.add(at);
  for (let t = from + 1; cuSeqlens === undefined && t < to; t++) {
    if (positionIds?.[t] === 0 && positionIds[t - 1]! > 0) borders.add(t);
  }
  const sorted = [...borders].sort((a, b) => a - b);
  return sorted.slice(1).map((end, i) => [sorted[i]!, end]);
}

function findAnswers(
  ids: Int32Array,
  from: number,
  to: number,
  marks: TurnMarks,
): Answer[] {
  const { headers, openers, ends } = marks;
  const answers: Answer[] = [];
  if (headers.length === 0) return answers;
  const isBlank = (at: number) => marks.isBlank?.(ids[at]!) ?? false;

  /** The answer whose words begin at `start`. */
  const answerAt = (header: number, start: number, isRest: boolean): Answer => {
    let end = start;
    while (
      end < to && !ends.has(ids[end]!) && !openers.has(ids[end]!) &&
      behindHeader(ids, end, to, headers) < 0
    ) end++;
    if (end < to && ends.has(ids[end]!)) {
      return { header, start, end: end + 1, hasStop: true, isRest };
    }
    // a stop that the small conversations do not show, before another turn
    let last = end;
    while (last > start && isBlank(last - 1)) last--;
    const hasStop = end < to && last > start && marks.isAdded(ids[last - 1]!);
    return { header, start, end: hasStop ? last : end, hasStop, isRest };
  };
  /** Whether words stand there that no opener is before, which only an answer's are. */
  const isBare = (at: number) =>
    openers.size > 0 && at < to && !marks.isAdded(ids[at]!);

  let at = from;
  while (at < to && ids[at] === marks.bos) at++;
  const cut = behindCutHeader(ids, at, to, headers);
  if (cut >= 0) {
    const answer = answerAt(from, cut, false);
    answers.push(answer);
    at = answer.end;
  } else if (at > from ? isBare(at) : mayGoOn(ids, from, marks)) {
    const answer = answerAt(at, at, true);
    if (answer.hasStop) {
      answers.push(answer);
      at = answer.end;
    }
  }
  while (at < to) {
    const start = behindHeader(ids, at, to, headers);
    let answer: Answer | null = null;
    if (start >= 0) answer = answerAt(at, start, false);
    else if (answers.at(-1)?.end === at && answers.at(-1)!.hasStop) {
      let words = at;
      while (words < to && (isBlank(words) || ends.has(ids[words]!))) words++;
      if (isBare(words) && behindHeader(ids, words, to, headers) < 0) {
        answer = answerAt(words, words, answers.at(-1)!.isRest);
        if (!answer.hasStop) answer = null;
      }
    }
    if (answer === null) at++;
    else {
      answers.push(answer);
      at = Math.max(answer.end, at + 1);
    }
  }
  return answers;
}

/** Whether what begins there may be what a cut left: conversations and turns begin otherwise. */
export function mayGoOn(
  ids: Int32Array,
  from: number,
  { headers, isBlank, starts }: TurnMarks,
): boolean {
  return headers.length > 0 && isBlank !== null && !starts.has(ids[from]!);
}

/** The place behind the header that begins at `at`; -1 where none does. */
function behindHeader(
  ids: Int32Array,
  at: number,
  to: number,
  headers: readonly Header[],
): number {
  for (const header of headers) {
    if (!isAt(ids, at, to, header.ids)) continue;
    const end = at + header.ids.length;
    return isAt(ids, end, to, header.space) ? end + header.space.length : end;
  }
  return -1;
}

/** The same of a header through which a cut went: the document begins within it. */
function behindCutHeader(
  ids: Int32Array,
  at: number,
  to: number,
  headers: readonly Header[],
): number {
  for (const header of headers) {
    for (let from = 1; from < header.ids.length; from++) {
      const rest = { ...header, ids: header.ids.slice(from) };
      const end = behindHeader(ids, at, to, [rest]);
      if (end >= 0) return end;
    }
  }
  return -1;
}

/** Whether ids stand at a place, all of them. */
function isAt(
  ids: Int32Array,
  at: number,
  to: number,
  wanted: readonly number[],
): boolean {
  if (at + wanted.length > to) return false;
  for (let i = 0; i < wanted.length; i++) {
    if (ids[at + i] !== wanted[i]) return false;
  }
  return true;
}

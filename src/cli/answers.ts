/**
 * The answers of a row that was tokenised elsewhere: from the header that opens
 * one to the stop that ends it.
 *
 * @module
 */
import type { Header, TurnMarks } from "./turn_marks.ts";

/** One answer. */
export interface Answer {
  /** Where its header begins. */
  readonly header: number;
  /** Where its words begin. */
  readonly start: number;
  /** Behind its stop; where it has none, the next header or the document's end. */
  readonly end: number;
  /** Whether a stop ends it. */
  readonly hasStop: boolean;
}

/**
 * Every answer, document by document; none where no header is known.
 *
 * @param ids [N] token ids.
 * @param borders Where documents begin, and N.
 */
export function findAnswers(
  ids: Int32Array,
  borders: readonly number[],
  { headers, ends }: TurnMarks,
): Answer[] {
  const answers: Answer[] = [];
  for (let d = 0; headers.length > 0 && d + 1 < borders.length; d++) {
    const border = borders[d + 1]!;
    for (let at = borders[d]!; at < border; at++) {
      let start = behindHeader(ids, at, headers);
      if (start < 0 && at === 0) start = behindCutHeader(ids, headers);
      if (start < 0) continue;
      let end = start;
      while (
        end < border && !ends.has(ids[end]!) &&
        behindHeader(ids, end, headers) < 0
      ) end++;
      const hasStop = end < border && ends.has(ids[end]!);
      if (hasStop) end++;
      answers.push({ header: at, start, end, hasStop });
      at = end - 1;
    }
  }
  return answers;
}

/** The place behind the header that begins at `at`; -1 where none does. */
function behindHeader(
  ids: Int32Array,
  at: number,
  headers: readonly Header[],
): number {
  for (const header of headers) {
    if (!isAt(ids, at, header.ids)) continue;
    const end = at + header.ids.length;
    return isAt(ids, end, header.space) ? end + header.space.length : end;
  }
  return -1;
}

/** The same of a header through which a wrapped pack cut: the row begins within it. */
function behindCutHeader(
  ids: Int32Array,
  headers: readonly Header[],
): number {
  for (const header of headers) {
    for (let from = 1; from < header.ids.length; from++) {
      const rest = { ...header, ids: header.ids.slice(from) };
      const end = behindHeader(ids, 0, [rest]);
      if (end >= 0) return end;
    }
  }
  return -1;
}

/** Whether ids stand at a place, all of them. */
function isAt(
  ids: Int32Array,
  at: number,
  wanted: readonly number[],
): boolean {
  if (at + wanted.length > ids.length) return false;
  for (let i = 0; i < wanted.length; i++) {
    if (ids[at + i] !== wanted[i]) return false;
  }
  return true;
}

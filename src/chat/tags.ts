/**
 * The template's own word on what is trained: `{% generation %}` tags. They are
 * used as they are; where they mark something else than a turn from header to
 * stop, that is said.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import type { Finding } from "../row.ts";
import { TAG_CLOSE, TAG_OPEN } from "./outputs.ts";
import { isPythonSpace } from "./python.ts";

import type { Chat, Turn } from "./understood.ts";

/** The turns as the tags cut them. Turns that they leave out stay, with nothing in them to train. */
export function readTags(
  { text }: Chat,
  tagged: string,
  found: readonly Turn[],
  findings: Finding[],
): Turn[] {
  const ranges = readRanges(tagged, text);
  if (ranges === null) {
    findings.push({
      code: "tags-differ",
      detail: "The template's generation tags change its text, so they are " +
        "not used",
    });
    return [...found];
  }
  return found.map((turn) => {
    const { message, headerStart, start, end, endOfTurn } = turn;
    const stopped = endOfTurn?.[1] ?? end;
    const inside = ranges.filter(([from, to]) =>
      from < Math.max(stopped, start + 1) && to > headerStart
    );
    const [range, second] = inside;
    if (range === undefined || second !== undefined) {
      findings.push({
        code: "tags-differ",
        message,
        detail: range === undefined
          ? "The template's generation tags leave this answer out"
          : "The template's generation tags cut this answer in pieces: from " +
            "header to stop it is trained whole",
      });
      return range === undefined
        ? { ...turn, start: end, openingStart: end, endOfTurn: null }
        : turn;
    }
    const [from, to] = range;
    const stop: TokenSpan | null = endOfTurn !== null && to >= endOfTurn[1]
      ? [endOfTurn[0], to]
      : null;
    const cut: Turn = {
      ...turn,
      openingStart: from,
      start: from,
      end: stop?.[0] ?? Math.min(to, end),
      endOfTurn: stop,
    };
    const spaces = [...text.slice(stopped, to)].every(isPythonSpace);
    if (from !== start || (to !== stopped && !(to > stopped && spaces))) {
      findings.push({
        code: "tags-differ",
        message,
        detail: `The template's generation tags train ${
          JSON.stringify(shorten(text.slice(from, to)))
        }; from header to stop it is ${
          JSON.stringify(shorten(text.slice(start, stopped)))
        }`,
      });
    }
    return cut;
  });
}

/** What the tags enclose, in offsets of the text without them; null where it is another text. */
function readRanges(tagged: string, text: string): TokenSpan[] | null {
  const ranges: TokenSpan[] = [];
  let plain = "";
  let open = -1;
  for (const part of tagged.split(/([\ufdd0\ufdd1])/)) {
    if (part === TAG_OPEN) {
      if (open >= 0) return null;
      open = plain.length;
    } else if (part === TAG_CLOSE) {
      if (open < 0) return null;
      if (plain.length > open) ranges.push([open, plain.length]);
      open = -1;
    } else plain += part;
  }
  return plain === text && open < 0 ? ranges : null;
}

/** The two ends of a text. */
export function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 30)}…${text.slice(-28)}`;
}

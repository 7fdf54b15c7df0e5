/**
 * Where an assistant's turn begins and ends in a rendered chat.
 *
 * A turn begins where the generation prompt ends: behind exactly those
 * characters that inference would have shown before the answer. It ends with
 * the stop by which the model learns to end. Both come from renderings of the
 * template itself, of the chat cut before and after the turn, or from small
 * chats of the same shape, and are used only where the text agrees.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import type { ChatMessage } from "../row.ts";
import { type Calibration, commonPrefix } from "./calibration.ts";
import { ChatTemplateError } from "./errors.ts";
import { anchorOf, findEnd, tailBehind, tryRender } from "./turn_ends.ts";
import type { Run } from "./marking.ts";
import { rstrip, strip } from "./python.ts";
import type { Chat, Turn } from "./understood.ts";

/** Finds the turns of the roles that answer. Messages without one are left out. */
export function findTurns(
  chat: Chat,
  answers: (message: ChatMessage) => boolean,
  isTrained: (index: number) => boolean,
): Turn[] {
  const said = extents(chat);
  const turns: Turn[] = [];
  let floor = 0; // no turn begins before the last one's end
  for (const [index, message] of chat.messages.entries()) {
    if (!answers(message)) continue;
    let turn: Turn | null = null;
    try {
      turn = findTurn(chat, said, index, floor);
    } catch (error) {
      // where it lies does not matter of an answer that is not trained
      if (!(error instanceof ChatTemplateError) || isTrained(index)) {
        throw error;
      }
    }
    if (turn === null) continue;
    turns.push(turn);
    floor = turn.endOfTurn?.[1] ?? turn.end;
    said[index] ??= [turn.start, turn.end];
  }
  return turns;
}

/** From the first to the last character that each message says; undefined where it says none. */
function extents({ messages, owned }: Chat): (TokenSpan | undefined)[] {
  const said: (TokenSpan | undefined)[] = messages.map(() => undefined);
  for (const { slot, start, end } of owned.runs) {
    const known = said[slot.message];
    said[slot.message] = known === undefined
      ? [start, end]
      : [Math.min(known[0], start), Math.max(known[1], end)];
  }
  return said;
}

function findTurn(
  chat: Chat,
  said: readonly (TokenSpan | undefined)[],
  index: number,
  floor: number,
): Turn | null {
  const { text, owned } = chat;
  const own = said[index];
  const [low, high] = own === undefined
    ? neighbours(said, index, text.length)
    : surroundings(owned.runs, index, own, text.length);
  const before = said[index - 1];
  const first = own?.[0] ?? high;
  const isSaid = own !== undefined;
  const start = findStart(chat, index, low, first, floor, before, isSaid);
  if (start === null) {
    if (own === undefined) return null; // nothing of the message is in the text
    throw new ChatTemplateError(
      "unproved",
      `Cannot tell where the answer of message ${index} begins: the text before it is not what the generation prompt shows`,
    );
  }
  const saidEnd = Math.max(
    own?.[1] ?? Math.min(saidAt(chat, index, start.start), high),
    start.start,
  );
  const anchor = anchorOf(text, saidEnd, own);
  const { end, endOfTurn } = findEnd(chat, index, saidEnd, high, anchor);
  return { message: index, saidEnd, end, endOfTurn, ...start };
}

/** Where the texts of other messages around this one's end and begin. */
function surroundings(
  runs: readonly Run[],
  index: number,
  [first, last]: TokenSpan,
  length: number,
): TokenSpan {
  let low = 0;
  let high = length;
  for (const { slot, start, end } of runs) {
    if (slot.message === index) continue;
    if (end <= first) low = Math.max(low, end);
    else if (start >= last) high = Math.min(high, start);
    else {
      throw new ChatTemplateError(
        "unproved",
        `Cannot tell which text is message ${index}'s: the template writes message ${slot.message} inside it`,
      );
    }
  }
  return [low, high];
}

/** The same for a message that says nothing: between those before and after it. */
function neighbours(
  said: readonly (TokenSpan | undefined)[],
  index: number,
  length: number,
): TokenSpan {
  let low = 0;
  let high = length;
  for (const [other, extent] of said.entries()) {
    if (extent === undefined) continue;
    if (other < index) low = Math.max(low, extent[1]);
    if (other > index) high = Math.min(high, extent[0]);
  }
  return [low, high];
}

/**
 * Where a text ends that carries no mark and stands where the answer begins:
 * the content, or what of it the template kept before the stop.
 */
function saidAt(
  { messages, text, calibration }: Chat,
  index: number,
  start: number,
): number {
  const { content } = messages[index]!;
  if (typeof content !== "string") return start;
  const known = [content, content.trim()].find((one) =>
    text.startsWith(one, start)
  );
  if (known !== undefined) return start + known.length;
  const ends = calibration.stops.map((stop) => text.indexOf(stop, start))
    .filter((at) => at >= 0);
  const kept = text.slice(start, Math.min(...ends, text.length));
  return kept.trim() !== "" && content.includes(kept.trim())
    ? start + kept.length
    : start;
}

type Start = Pick<
  Turn,
  "headerStart" | "openingStart" | "start" | "prefixShown"
>;

function findStart(
  chat: Chat,
  index: number,
  low: number,
  first: number,
  floor: number,
  before: TokenSpan | undefined,
  said: boolean,
): Start | null {
  const { messages, text, calibration, tails } = chat;
  const previous = messages[index - 1];
  const key = previous === undefined
    ? "first"
    : `${previous.role} ${previous.tool_calls?.length ? "calls" : ""}`;
  const known = tails.get(key) ??
    (previous?.role === "user" ? calibration.promptTail : undefined);
  // as calibrated, to the letter, and nothing beside it: behind the message
  // before, or a turn that says nothing would be taken for the header
  const follows = previous === undefined ? low === 0 : before?.[1] === low;
  const { promptTail, opening } = calibration;
  const opened = promptTail.slice(promptTail.length - opening);
  const unopened = known?.endsWith(opened)
    ? known.slice(0, known.length - opening)
    : known;
  // all of it, or all but the think opening
  for (const shown of follows ? [known, unopened] : []) {
    if (shown && text.startsWith(shown, low)) {
      return startAt(chat, low, low + shown.length, floor, null);
    }
  }
  const prompt = tryRender(chat, index, true);
  if (prompt !== null) {
    const shared = commonPrefix(prompt, text);
    // history may be shown otherwise, and the prompt say more than the text
    const tail = shared >= low
      ? prompt.slice(low)
      : tailBehind(anchorOf(text, low, before), prompt);
    const agreed = tail === null ? 0 : agreedLength(chat, tail, low);
    const whole = agreed === tail?.length;
    // after a tool's result a prompt may name nobody, and some templates
    // write nothing between messages at all
    const shown = text.slice(low, low + agreed);
    const bare = calibration.known && calibration.promptTail === "";
    const named = headerWithin(shown, calibration) ||
      (whole && index > 0 && (bare || rstrip(shown) !== ""));
    if (tail !== null && low + agreed >= floor && named) {
      if (whole && shared >= low && follows) tails.set(key, tail);
      return startAt(chat, low, low + agreed, floor, shared >= low);
    }
  }
  // the assistant speaks first, or twice, where no prompt can be rendered
  const { header } = calibration;
  const at = header === "" ? -1 : text.slice(low, first).lastIndexOf(header);
  if (at >= 0) {
    return startAt(chat, low + at, low + at + header.length, floor, false);
  }
  // where questions carry the header, an answer without one has none: it
  // begins with its own first character
  const from = Math.max(low, floor);
  const bare = from <= first &&
    strip(text.slice(from, first).replace(chat.bosToken, "")) === "";
  return said && bare ? startAt(chat, first, first, floor, false) : null;
}

/**
 * How much of a prompt's tail stands in the text: all of it, or all but the
 * think opening, or as far as they agree, but no part of a tag.
 */
function agreedLength({ text, calibration }: Chat, tail: string, low: number) {
  const agreed = commonPrefix(tail, text.slice(low, low + tail.length));
  if (agreed === tail.length) return agreed;
  const unopened = tail.length - calibration.opening;
  if (agreed >= unopened && calibration.opening > 0) return unopened;
  const open = tail.lastIndexOf("<", agreed - 1);
  const close = tail.lastIndexOf(">", agreed - 1);
  return open > close ? open : agreed;
}

/** Whether what prompt and text share names the assistant. */
function headerWithin(shared: string, { header, promptTail }: Calibration) {
  return header !== "" ? shared.includes(header) : promptTail !== "" &&
    rstrip(shared).endsWith(rstrip(promptTail)) && rstrip(shared) !== "";
}

function startAt(
  { calibration, text }: Chat,
  from: number,
  start: number,
  floor: number,
  prefixShown: boolean | null,
): Start {
  const { promptTail, opening } = calibration;
  const opened = promptTail.slice(promptTail.length - opening);
  const headerStart = Math.max(from, floor);
  const isOpened = text.slice(headerStart, start).endsWith(opened);
  const openingStart = isOpened ? start - opening : start;
  return { headerStart, openingStart, start, prefixShown };
}

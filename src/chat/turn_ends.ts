/**
 * Where an answer ends, and how a place in one rendering is found in another.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import { closeTags, commonPrefix } from "./calibration.ts";
import { ChatTemplateError } from "./errors.ts";
import { rstrip } from "./python.ts";
import { replaceTexts } from "./slots.ts";
import type { Chat, Turn } from "./understood.ts";

/** How much of the end of a text finds its place again in another rendering. */
const ANCHOR = 200;

/** How many ways to close a call are remembered of one template; real ones have one or two. */
const MOST_CLOSINGS = 32;

/** The end of what a message says, by which its place is found in another rendering. */
export function anchorOf(
  text: string,
  end: number,
  said: TokenSpan | undefined,
): string {
  return text.slice(Math.max(said?.[0] ?? end, end - ANCHOR), end);
}

/** What follows the last place of `anchor` in `other`. */
export function tailBehind(anchor: string, other: string): string | null {
  const at = anchor === "" ? -1 : other.lastIndexOf(anchor);
  return at < 0 ? null : other.slice(at + anchor.length);
}

/** The chat cut before (with the prompt) or after a message; null where the template refuses that. */
export function tryRender(
  { messages, render }: Pick<Chat, "messages" | "render">,
  count: number,
  addGenerationPrompt: boolean,
): string | null {
  try {
    const cut = replaceTexts(messages.slice(0, count), (text) => text);
    return render(cut, addGenerationPrompt);
  } catch (error) {
    if (error instanceof ChatTemplateError) return null;
    throw error;
  }
}

/** Where what a message says ends, and its stop. */
export function findEnd(
  chat: Chat,
  index: number,
  saidEnd: number,
  high: number,
  anchor: string,
): Pick<Turn, "end" | "endOfTurn"> {
  const { text, calibration } = chat;
  const stopAt = (start: number) =>
    calibration.stops.find((stop) =>
      text.startsWith(stop, start) && start + stop.length <= high
    );
  const direct = stopAt(saidEnd);
  if (direct !== undefined) {
    return { end: saidEnd, endOfTurn: [saidEnd, saidEnd + direct.length] };
  }
  // a call is closed by the template's own text, words by their stop
  const calls = chat.owned.runs.some(({ slot }) =>
    slot.message === index && slot.field === "tool_calls"
  );
  const stops = [...calibration.stops, chat.eosToken].filter(Boolean);
  const behind = text.slice(saidEnd, high);
  if (!calls && !stops.some((stop) => behind.includes(stop))) {
    return { end: saidEnd, endOfTurn: null };
  }
  for (const [closing, stop] of calls ? chat.closings : []) {
    if (!behind.startsWith(closing + stop)) continue;
    const end = saidEnd + closing.length;
    return { end, endOfTurn: [end, end + stop.length] };
  }
  // what the chat and the chat cut behind this message share belongs to it
  const cut = index === chat.messages.length - 1
    ? text
    : tryRender(chat, index + 1, false);
  let tail = cut === null
    ? ""
    : commonPrefix(cut, text) >= saidEnd
    ? cut.slice(saidEnd)
    : tailBehind(anchor, cut) ?? "";
  if (calibration.alwaysPrompts) {
    const prompt = tail.lastIndexOf(calibration.header);
    if (prompt >= 0) tail = tail.slice(0, prompt);
  }
  const rest = text.slice(
    saidEnd,
    Math.min(high, saidEnd + commonPrefix(text.slice(saidEnd, high), tail)),
  );
  for (const stop of stops) {
    const at = rest.indexOf(stop);
    // the end of a sequence, where no answer was seen to end so, must follow
    // at once: it may stand anywhere behind
    const seen = calibration.stops.includes(stop);
    if (at < 0 || (!seen && !calls && rstrip(rest.slice(0, at)) !== "")) {
      continue;
    }
    if (calls && chat.closings.size < MOST_CLOSINGS) {
      chat.closings.set(rest.slice(0, at), stop);
    }
    const end = saidEnd + at;
    return { end, endOfTurn: [end, end + stop.length] };
  }
  if (!calls) return { end: saidEnd, endOfTurn: null };
  return { end: saidEnd + closeTags(rest).length, endOfTurn: null };
}

/**
 * The texts of a conversation: every string a template may print, as a list of
 * slots, and the conversation again with each of them replaced.
 *
 * @module
 */
import type { ChatMessage, Field } from "../row.ts";
import { ChatTemplateError } from "./errors.ts";

/** One text of one message. */
export interface Slot {
  /** The message's index. */
  readonly message: number;
  /** Which of its fields; names and arguments of calls are all `"tool_calls"`. */
  readonly field: Field;
  /** What it says. */
  readonly text: string;
  /** Where its first character stands in all texts joined. */
  readonly base: number;
}

type Replace = (
  text: string,
  field: Field,
  message: number,
  isKey: boolean,
) => string;

/** Deeper than any honest arguments of a tool, and shallow enough for every stack. */
const MOST_DEPTH = 200;

/** The texts of a conversation in the order in which {@link replaceTexts} meets them. */
export function readSlots(messages: readonly ChatMessage[]): Slot[] {
  const slots: Slot[] = [];
  let base = 0;
  replaceTexts(messages, (text, field, message) => {
    slots.push({ message, field, text, base });
    base += text.length;
    return text;
  });
  return slots;
}

/**
 * The conversation as a template sees it, each text replaced: contents, text
 * parts, reasoning, names and arguments of tool calls. `train` and `weight` are
 * not the template's business and are left out.
 */
export function replaceTexts(
  messages: readonly ChatMessage[],
  replace: Replace,
): Record<string, unknown>[] {
  return messages.map((message, index) => {
    const { train: _, weight: __, ...seen } = message;
    const copy: Record<string, unknown> = { ...seen };
    const say = (field: Field) => (text: string, isKey = false) =>
      replace(text, field, index, isKey);
    for (const field of ["reasoning_content", "content"] as const) {
      const value = message[field];
      if (typeof value === "string") copy[field] = say(field)(value);
      else if (Array.isArray(value)) {
        copy[field] = value.map((part) =>
          typeof part?.text === "string"
            ? { ...part, text: say(field)(part.text) }
            : part
        );
      }
    }
    if (Array.isArray(message.tool_calls)) {
      copy.tool_calls = message.tool_calls.map((call) => {
        const called = call?.function;
        if (typeof called !== "object" || called === null) return call;
        return {
          ...call,
          function: {
            ...called,
            name: typeof called.name === "string"
              ? say("tool_calls")(called.name)
              : called.name,
            ...("arguments" in called
              ? { arguments: deep(called.arguments, say("tool_calls"), 0) }
              : {}),
          },
        };
      });
    }
    return copy;
  });
}

/** Every string inside a value of JSON, keys included. */
function deep(
  value: unknown,
  say: (text: string, isKey?: boolean) => string,
  depth: number,
): unknown {
  if (depth > MOST_DEPTH) {
    throw new ChatTemplateError(
      "conversation",
      `Cannot render chat as arguments of a tool call must nest at most ${MOST_DEPTH} deep`,
    );
  }
  if (typeof value === "string") return say(value);
  if (Array.isArray(value)) {
    return value.map((one) => deep(one, say, depth + 1));
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) =>
    [say(key, true), deep(one, say, depth + 1)] as const
  );
  return Object.fromEntries(entries);
}

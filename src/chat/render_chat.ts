/**
 * A chat as text, with the places of what is trained.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import type { ChatMessage, Finding } from "../row.ts";
import { TRAINED_REASONS } from "../row.ts";
import { type RenderOptions, understandChat } from "./rendering.ts";
import type { Rendering } from "./understood.ts";

/** One trained message in a rendered chat, in UTF-16 offsets of the text. */
export interface RenderedTurn {
  /** The message's index. */
  readonly message: number;
  /** Where what it says begins. */
  readonly start: number;
  /** Where what it says ends. */
  readonly end: number;
  /** The stop that is trained with it, or null where none is. */
  readonly endOfTurn: TokenSpan | null;
}

/** A chat as text. */
export interface RenderedChat {
  /** What the template makes of the conversation, to the letter. */
  readonly text: string;
  /** One for each trained message that is in the text, in order. */
  readonly turns: readonly RenderedTurn[];
  /** What is odd about it. */
  readonly findings: readonly Finding[];
}

/**
 * Renders a chat as its model's template does and says where what is trained
 * stands. No tokenizer is needed.
 *
 * @param messages The conversation; `train` and `weight` of a message are read, and kept from the template.
 * @param options The template, its variables, and the policy.
 * @returns The text and the turns, in UTF-16 offsets.
 * @throws {ChatTemplateError} The template refuses the chat, or a turn's place cannot be proved.
 * @throws {TypeError} An argument is of the wrong kind.
 * @throws {RangeError} An argument is out of range.
 *
 * @example ChatML
 * ```ts
 * import { renderChat } from "@sft/loss/chat";
 * import { assertEquals } from "@std/assert";
 *
 * const chatTemplate = "{% for message in messages %}" +
 *   "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n" +
 *   "{% endfor %}" +
 *   "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
 * const { text, turns } = renderChat([
 *   { role: "user", content: "2 + 2?" },
 *   { role: "assistant", content: "4" },
 * ], { chatTemplate });
 * const { start, end, endOfTurn } = turns[0]!;
 * assertEquals(text.slice(start, end), "4");
 * assertEquals(text.slice(...endOfTurn!), "<|im_end|>");
 * ```
 */
export function renderChat(
  messages: readonly ChatMessage[],
  options: RenderOptions,
): RenderedChat {
  const rendering = understandChat(messages, options);
  const { text, findings } = rendering;
  return { text, findings, turns: trainedTurns(rendering) };
}

/** The first and last trained character of each trained message, its stop apart. */
function trainedTurns(rendering: Rendering): RenderedTurn[] {
  const { owned, turns, trained, owners, reasons, policy } = rendering;
  const isTrained = (i: number) =>
    i < reasons.length && reasons[i]! < TRAINED_REASONS;
  const list: RenderedTurn[] = [];
  for (const [message, wanted] of trained.entries()) {
    if (!wanted) continue;
    const turn = turns.find((one) => one.message === message);
    if (turn === undefined) {
      const own = owned.runs.filter(({ slot }) => slot.message === message);
      if (own.length === 0) continue;
      const start = own[0]!.start;
      list.push({ message, start, end: own.at(-1)!.end, endOfTurn: null });
      continue;
    }
    const start = policy.thinkOpening ? turn.openingStart : turn.start;
    let end = turn.end;
    while (end > start && !isTrained(end - 1)) end--;
    let stop = turn.endOfTurn;
    if (stop !== null && !isTrained(stop[0])) stop = null;
    if (stop !== null) {
      let last = stop[1];
      while (isTrained(last) && owners[last] === message) last++;
      stop = [stop[0], last];
    }
    list.push({ message, start, end, endOfTurn: stop });
  }
  return list;
}

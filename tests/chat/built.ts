/**
 * Chats put together by hand: for six templates, the text of a chat and of what
 * is trained of it, from how it is built. Nothing of the code under test is used.
 *
 * @module
 */
import type { ChatMessage, ChatPolicy } from "../../src/chat/mod.ts";
import * as made from "./made_up.ts";

/** A message in pieces. */
interface Pieces {
  readonly header: string;
  readonly content: string;
  readonly stop: string;
  readonly space: string;
}

/** One family: its template, and how it writes a message. */
export interface Family {
  readonly template: string;
  readonly special: readonly string[];
  readonly bos: string;
  readonly eos: string;
  /** Whether questions and answers must alternate. */
  readonly alternates: boolean;
  readonly write: (role: string, content: string) => Pieces;
  /** What stands behind the last message. */
  readonly tail: string;
}

const plain = { bos: "", eos: "", alternates: false, tail: "" };

/** The six families. */
export const FAMILIES: Readonly<Record<string, Family>> = {
  ChatML: {
    ...plain,
    template: made.CHATML,
    special: made.CHATML_SPECIAL,
    write: (role, content) => ({
      header: `<|im_start|>${role}\n`,
      content,
      stop: "<|im_end|>",
      space: "\n",
    }),
  },
  Gemma: {
    ...plain,
    template: made.GEMMA,
    special: made.GEMMA_SPECIAL,
    bos: "<bos>",
    write: (role, content) => ({
      header: `<start_of_turn>${role === "assistant" ? "model" : role}\n`,
      content: trim(content),
      stop: "<end_of_turn>",
      space: "\n",
    }),
  },
  GLM: {
    ...plain,
    template: made.GLM,
    special: made.GLM_SPECIAL,
    write: (role, content) => ({
      header: `<|${role}|>\n`,
      content,
      stop: "",
      space: "",
    }),
  },
  Llama: {
    ...plain,
    template: made.LLAMA,
    special: made.LLAMA_SPECIAL,
    bos: "<s>",
    eos: "</s>",
    alternates: true,
    write: (role, content) =>
      role === "user"
        ? { header: "[INST] ", content, stop: " [/INST]", space: "" }
        : { header: "", content: ` ${content}`, stop: " </s>", space: "" },
  },
  trailer: {
    ...plain,
    template: made.TRAILER,
    special: made.TRAILER_SPECIAL,
    eos: "<|endoftext|>",
    write: (role, content) => ({
      header: `<|${role}|>\n`,
      content,
      stop: "<|end|>",
      space: "\n",
    }),
    tail: "<|endoftext|>",
  },
  prompting: {
    ...plain,
    template: made.PROMPTING,
    special: made.PROMPTING_SPECIAL,
    write: (role, content) => ({
      header: `<|h|>${role}<|/h|>\n\n`,
      content: trim(content),
      stop: "<|eot|>",
      space: "",
    }),
    tail: "<|h|>assistant<|/h|>\n\n",
  },
};

/** Python's `str.strip`, written anew: JavaScript's trim but for five characters, and not U+FEFF. */
function trim(text: string): string {
  const isSpace = (letter: string) =>
    "\x1c\x1d\x1e\x1f\x85".includes(letter) ||
    (letter !== "\ufeff" && letter.trim() === "");
  let [start, end] = [0, text.length];
  while (start < end && isSpace(text[start]!)) start++;
  while (end > start && isSpace(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/** A stretch that is trained, and whose it is. */
export interface Stretch {
  readonly message: number;
  text: string;
}

/** The text of a chat, and what of it a policy trains. */
export function build(
  family: Family,
  messages: readonly ChatMessage[],
  policy: ChatPolicy,
): { text: string; trained: Stretch[] } {
  const roles = policy.roles ?? ["assistant"];
  let chosen = messages.map(({ role, train }) => train ?? roles.includes(role));
  if (policy.lastTurnOnly) {
    const last = chosen.lastIndexOf(true);
    chosen = chosen.map((_, i) => i === last);
  }
  let text = family.bos;
  const trained: Stretch[] = [];
  let open = false; // whether the stretch before goes on
  for (const [message, { role, content, weight }] of messages.entries()) {
    const answers = role === "assistant";
    const pieces = family.write(role, content as string);
    const wanted = chosen[message] && weight !== 0;
    const keep: [string, boolean][] = [
      [pieces.header, answers && policy.roleHeader === true],
      [pieces.content, answers || trim(content as string) !== ""],
      [pieces.stop, answers && policy.endOfTurn !== false],
      [pieces.space, answers && policy.whitespaceAfterEnd === true],
    ];
    open = false;
    for (const [piece, isKept] of keep) {
      text += piece;
      if (piece === "") continue;
      if (!wanted || !isKept) open = false;
      else if (open) trained.at(-1)!.text += piece;
      else {
        trained.push({ message, text: piece });
        open = true;
      }
    }
  }
  return { text: text + family.tail, trained };
}

/**
 * One row or many. A chat is one row where every trained answer stands behind
 * exactly what inference would have shown before it, and is what was said.
 * Where a template rewrites history (drops earlier thoughts, say), one row per
 * answer keeps the promise, at the cost of reading the history again.
 *
 * @module
 */
import { readWord } from "../checks.ts";
import type { ChatMessage, EncodedChat, Finding } from "../row.ts";
import { commonPrefix } from "./calibration.ts";
import {
  encodeChat,
  type EncodeOptions,
  encodeRendering,
  understandOptions,
} from "./encode_chat.ts";
import { isAnswer } from "./policy.ts";
import { type Rendering, understandChat } from "./rendering.ts";
import { tryRender } from "./turn_ends.ts";

/** What a chat is encoded with where it may become several rows. */
export interface SplitOptions extends EncodeOptions {
  /** `"auto"` (default): one row per answer where one row would not show what inference shows. `"never"`: one row. `"always"`: one row per trained answer. */
  split?: "auto" | "never" | "always";
}

/**
 * Encodes a chat as one row, or as one row for each trained answer.
 *
 * @param messages The conversation.
 * @param options As for `encodeChat`, and `split`.
 * @returns The rows in order; where they are several, each says what that costs.
 * @throws {ChatTemplateError} The template refuses the chat, or a span cannot be proved.
 * @throws {TypeError} An argument is of the wrong kind.
 * @throws {RangeError} An argument is out of range.
 *
 * @example A template that keeps only the last thought
 * ```ts
 * import { encodeChatRows, loadTokenizer } from "@sft/loss/chat";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = loadTokenizer({
 *   tokenizerJson: {
 *     pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
 *     decoder: { type: "ByteLevel" },
 *     model: {
 *       type: "BPE",
 *       vocab: { q: 0, t: 1, a: 2, ">": 3, "!": 4 },
 *       merges: [],
 *     },
 *   },
 *   tokenizerConfig: {},
 * });
 * const chatTemplate = "{% for m in messages %}" +
 *   "{% if m.role == 'user' %}{{ m.content }}>{% else %}" +
 *   "{% if loop.last %}{{ m.reasoning_content }}{% endif %}{{ m.content }}!" +
 *   "{% endif %}{% endfor %}";
 * const answer = { role: "assistant", reasoning_content: "t", content: "a" };
 * const rows = encodeChatRows(
 *   [{ role: "user", content: "q" }, answer, { role: "user", content: "q" }, answer],
 *   { tokenizer, chatTemplate },
 * );
 * assertEquals(rows.map((row) => row.text), ["q>ta!", "q>a!q>ta!"]);
 * assertEquals(
 *   rows.map((row) => row.certificate.runs.map((run) => run.text)),
 *   [["ta!"], ["ta!"]],
 * );
 * ```
 */
export function encodeChatRows(
  messages: readonly ChatMessage[],
  options: SplitOptions,
): EncodedChat[] {
  const split = readWord("encode chat", "split", options.split, [
    "auto",
    "never",
    "always",
  ]);
  if (split === "never") return [encodeChat(messages, options)];
  const rendering = understandChat(messages, understandOptions(options));
  const { trained } = rendering;
  const answers = messages.flatMap((message, index) =>
    trained[index] && isAnswer(message) ? [index] : []
  );
  const reason = split === "always" ? null : rewritten(rendering);
  const whole = encodeRendering(rendering, options.tokenizer);
  const others = trained.some((one, i) => one && !answers.includes(i));
  if (
    answers.length < 2 || others || (split === "auto" && reason === null)
  ) return [whole];
  const rows = answers.map((index) => {
    const part = messages.slice(0, index + 1).map((message, i) => ({
      ...message,
      train: i === index,
    }));
    return encodeChat(part, options);
  });
  const count = rows.reduce((sum, row) => sum + row.inputIds.length, 0);
  const finding: Finding = {
    code: "history-rewritten",
    detail: `${reason ?? "One row per answer was asked for"}: ${rows.length} ` +
      `rows of ${count} tokens instead of one of ${whole.inputIds.length}`,
  };
  return rows.map((row) => ({ ...row, findings: [...row.findings, finding] }));
}

/** Why one row would not show what inference shows; null where it does. */
function rewritten(
  { chat, turns, trained, findings }: Rendering,
): string | null {
  const last = turns.findLast(({ message }) => trained[message]);
  for (const turn of turns) {
    const { message, headerStart, prefixShown } = turn;
    if (!trained[message]) continue;
    const shown = prefixShown ?? isShown(chat, message, headerStart);
    if (!shown) {
      return `The template shows what comes before message ${message} otherwise when it is answered`;
    }
    const cut = turn !== last &&
      findings.some((finding) =>
        finding.message === message && /dropped/.test(finding.code)
      );
    // is it dropped because the chat goes on?
    if (cut && !isKept(chat, turn)) {
      return `The template drops part of message ${message} once the chat goes on`;
    }
  }
  return null;
}

/** Whether the prompt before a message is, up to its header, the text's own beginning. */
function isShown(
  chat: Rendering["chat"],
  message: number,
  headerStart: number,
): boolean {
  const prompt = tryRender(chat, message, true);
  return prompt === null || commonPrefix(prompt, chat.text) >= headerStart;
}

/** Whether the chat cut behind a turn says nothing more of it than the whole chat does. */
function isKept(
  { text, owned, ...chat }: Rendering["chat"],
  { message, headerStart, end }: Rendering["turns"][number],
): boolean {
  const cut = tryRender(chat, message + 1, false);
  if (cut === null) return true;
  const here = text.slice(headerStart, end);
  const alone = cut.slice(Math.min(headerStart, commonPrefix(cut, text)));
  return owned.slots.every((slot) => {
    const words = slot.text.trim();
    return slot.message !== message || words === "" ||
      !alone.includes(words) || here.includes(words);
  });
}

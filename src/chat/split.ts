/**
 * One row or many. A chat is one row where every trained answer stands behind
 * exactly what inference would have shown before it, and is what was said.
 * Where a template rewrites history (drops earlier thoughts, say), one row per
 * answer keeps the promise, at the cost of reading the history again.
 *
 * @module
 */
import { checkObject, readWord } from "../checks.ts";
import type { ChatMessage, EncodedChat, Finding } from "../row.ts";
import {
  encodeChat,
  type EncodeOptions,
  encodeRendering,
  understandOptions,
} from "./encode_chat.ts";
import { whyRewritten } from "./history.ts";
import { isAnswer } from "./policy.ts";
import { understandChat } from "./rendering.ts";

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
  checkObject("encode chat", "options", options);
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
  const reason = split === "always" ? null : whyRewritten(rendering);
  const whole = encodeRendering(rendering, options.tokenizer);
  const others = trained.some((one, i) => one && !answers.includes(i));
  const isWhole = reason === null && (split === "auto" || answers.length < 2);
  if (answers.length === 0 || isWhole) return [whole];
  if (others) {
    const detail = `${reason ?? "One row per answer was asked for"}: it is ` +
      "one row all the same, as messages are trained that do not answer";
    const finding: Finding = { code: "history-rewritten", detail };
    return [{ ...whole, findings: [...whole.findings, finding] }];
  }
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

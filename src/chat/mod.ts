/**
 * From a chat to exact labels: render the conversation as its model's template
 * does, tokenise it once, and train exactly what the policy names, with a
 * certificate for every row. A chat that cannot be proved is refused with the
 * reason.
 *
 * The template engine and the tokenizer are Hugging Face's own for JavaScript;
 * the rest of the library does without dependencies. This module is
 * browser-compatible, but for `readTokenizerFolder`.
 *
 * @example Which text of a chat is trained
 * ```ts
 * import { renderChat } from "@sft/loss/chat";
 * import { assertEquals } from "@std/assert";
 *
 * const chatTemplate = "{% for m in messages %}<|{{ m.role }}|>" +
 *   "{{ m.content }}<|end|>{% endfor %}" +
 *   "{% if add_generation_prompt %}<|assistant|>{% endif %}";
 * const { text, turns } = renderChat([
 *   { role: "user", content: "Is water wet?" },
 *   { role: "assistant", content: "Ask a fish." },
 * ], { chatTemplate });
 * assertEquals(
 *   turns.map(({ start, endOfTurn }) => text.slice(start, endOfTurn![1])),
 *   ["Ask a fish.<|end|>"],
 * );
 * ```
 *
 * @module
 */
export * from "../row.ts";
export type { RoleMarkers, TokenIds, TokenSpan } from "../contract.ts";
export { checkCertificate, type StoredRow } from "./check_certificate.ts";
export type { CertifiedRow } from "./certificate.ts";
export { encodeChat, type EncodeOptions } from "./encode_chat.ts";
export { ChatTemplateError, type ChatTemplateErrorReason } from "./errors.ts";
export {
  explain,
  explainMarkers,
  type Explanation,
  type MarkerExplanation,
} from "./explain.ts";
export type { ChatPolicy } from "./policy.ts";
export {
  renderChat,
  type RenderedChat,
  type RenderedTurn,
} from "./render_chat.ts";
export type { RenderOptions } from "./rendering.ts";
export { encodeChatRows, type SplitOptions } from "./split.ts";
export { truncateRow } from "./truncate.ts";
export { readTokenizerFolder } from "./tokenizer_folder.ts";
export {
  type ChatTokenizer,
  loadTokenizer,
  type TokenizerFiles,
  type Tokens,
} from "./tokenizer.ts";

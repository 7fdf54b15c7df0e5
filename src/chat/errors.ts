/**
 * The one error of `./chat`.
 *
 * @module
 */

/**
 * Why a chat could not become a row.
 *
 * - `"refused"`: the template raised; its own words are in the message.
 * - `"template"`: the template is not one, or needs what no interpreter here has.
 * - `"limit"`: rendering took more steps, text or depth than any honest template does.
 * - `"unproved"`: it could not be proved which text is whose; nothing is guessed.
 * - `"tokens"`: the ids could not be laid over the text byte for byte.
 * - `"conversation"`: the messages themselves are not well formed.
 */
export type ChatTemplateErrorReason =
  | "refused"
  | "template"
  | "limit"
  | "unproved"
  | "tokens"
  | "conversation";

/**
 * A template refused a conversation, or a span could not be proved.
 *
 * @example
 * ```ts
 * import { ChatTemplateError, renderChat } from "@sft/loss/chat";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const chatTemplate =
 *   "{{ raise_exception('Conversation roles must alternate') }}";
 * const error = assertThrows(
 *   () => renderChat([{ role: "user", content: "Hi" }], { chatTemplate }),
 *   ChatTemplateError,
 *   "Conversation roles must alternate",
 * );
 * assertEquals(error.reason, "refused");
 * ```
 */
export class ChatTemplateError extends Error {
  /** `"ChatTemplateError"`. */
  override readonly name: string = "ChatTemplateError";
  /** Which kind of refusal it is. */
  readonly reason: ChatTemplateErrorReason;

  /** Makes one from a reason and a whole sentence. */
  constructor(
    reason: ChatTemplateErrorReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.reason = reason;
  }
}

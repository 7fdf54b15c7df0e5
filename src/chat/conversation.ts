/**
 * Whether messages are a conversation at all: the border check of `./chat`.
 *
 * @module
 */
import { checkOptions, isListLike, outOfRange, wrongKind } from "../checks.ts";
import type { ChatMessage } from "../row.ts";
import { ChatTemplateError } from "./errors.ts";
import { readSlots } from "./slots.ts";

const ACTION = "render chat";

/** Throws unless `messages` is a list of messages whose texts are whole Unicode. */
export function checkMessages(messages: readonly ChatMessage[]): void {
  if (!Array.isArray(messages)) {
    wrongKind(ACTION, "messages must be a list", messages);
  }
  if (messages.length === 0) {
    outOfRange(ACTION, "messages must hold a message", messages);
  }
  // not forEach, which leaves out what a list lacks
  for (let i = 0; i < messages.length; i++) checkMessage(messages[i]!, i);
  for (const { message, field, text } of readSlots(messages)) {
    const at = loneSurrogate(text);
    if (at >= 0) {
      throw new ChatTemplateError(
        "conversation",
        `Cannot render chat as messages[${message}].${field} must be whole Unicode: it has half a surrogate pair at ${at}`,
      );
    }
  }
}

const KNOWN: ReadonlySet<string> = new Set([
  "chatTemplate",
  "bosToken",
  "eosToken",
  "tools",
  "date",
  "templateOptions",
  "policy",
]);

/** Throws unless the options of a rendering are of the right kinds and known by name. Template, date and policy are checked where they are read. */
export function checkRenderOptions(options: unknown): void {
  checkOptions(ACTION, "options", options, KNOWN);
  const { bosToken, eosToken, tools, templateOptions } = options as Record<
    string,
    unknown
  >;
  for (const [name, text] of Object.entries({ bosToken, eosToken })) {
    if (text !== undefined && typeof text !== "string") {
      wrongKind(ACTION, `${name} must be a string`, text);
    }
  }
  if (tools != null && !Array.isArray(tools)) {
    wrongKind(ACTION, "tools must be a list", tools);
  }
  const isRecord = typeof templateOptions === "object" &&
    templateOptions !== null && !Array.isArray(templateOptions);
  if (templateOptions !== undefined && !isRecord) {
    wrongKind(ACTION, "templateOptions must be an object", templateOptions);
  }
}

function checkMessage(message: ChatMessage, index: number): void {
  const place = `messages[${index}]`;
  if (
    typeof message !== "object" || message === null || Array.isArray(message)
  ) {
    wrongKind(ACTION, `${place} must be an object`, message);
  }
  const { role, content, reasoning_content, tool_calls, train, weight } =
    message;
  if (typeof role !== "string") {
    wrongKind(ACTION, `${place}.role must be a string`, role);
  }
  if (
    content !== undefined && content !== null && typeof content !== "string" &&
    !isParts(content)
  ) {
    wrongKind(
      ACTION,
      `${place}.content must be a string, a list of parts or null`,
      content,
    );
  }
  if (reasoning_content != null && typeof reasoning_content !== "string") {
    wrongKind(
      ACTION,
      `${place}.reasoning_content must be a string`,
      reasoning_content,
    );
  }
  if (tool_calls != null && !Array.isArray(tool_calls)) {
    wrongKind(ACTION, `${place}.tool_calls must be a list`, tool_calls);
  }
  if (train !== undefined && typeof train !== "boolean") {
    wrongKind(ACTION, `${place}.train must be true or false`, train);
  }
  if (weight === undefined) return;
  if (typeof weight !== "number") {
    wrongKind(ACTION, `${place}.weight must be a number`, weight);
  }
  if (!Number.isFinite(weight)) {
    outOfRange(ACTION, `${place}.weight must be finite`, weight);
  }
}

function isParts(content: unknown): boolean {
  return isListLike(content) && Array.isArray(content) &&
    Array.from(content).every((part) =>
      typeof part === "object" && part !== null
    );
}

/** Where half a surrogate pair stands alone, -1 where none does. */
function loneSurrogate(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return i;
    i++;
  }
  return -1;
}

/**
 * Codes in words: what a reason or a finding means to whoever reads a report.
 * Nothing here decides anything; the codes are made where rows are made.
 *
 * @module
 */
import {
  type Field,
  type FindingCode,
  type Reason,
  REASON_WORDS as WORDS,
} from "../row.ts";

/** Why a token is or is not trained; rows that were tokenised elsewhere know only whether. */
export type CellReason = Reason | "trained" | "ignored";

/** Each reason in a few words, as the end of "trained: ..." or "not trained: ...". */
export const REASON_WORDS: Readonly<Record<CellReason, string>> = {
  ...WORDS,
  trained: "its label is its id",
  ignored: "its label is ignored",
};

/** Each field of a message in words. */
export const FIELD_WORDS: Readonly<Record<Field, string>> = {
  template: "template",
  header: "header",
  content: "content",
  reasoning_content: "thoughts",
  tool_calls: "tool calls",
  end_of_turn: "end of turn",
};

/**
 * How much a finding matters. `"serious"`: the model learns less, or other, than
 * was meant. `"look"`: perhaps. `"note"`: good to know.
 */
export type Level = "serious" | "look" | "note";

/** The levels, the gravest first, each with a mark that needs no colour. */
export const LEVEL_MARKS: Readonly<Record<Level, string>> = {
  serious: "■",
  look: "▲",
  note: "●",
};

/** What a finding is called, how much it matters, and what it means for training. */
export interface FindingWords {
  /** A few words. */
  readonly title: string;
  /** How much it matters. */
  readonly level: Level;
  /** What it means, in a sentence. */
  readonly meaning: string;
}

const words = (
  level: Level,
  title: string,
  meaning: string,
): FindingWords => ({ level, title, meaning });

/** Each finding in words. */
export const FINDING_WORDS: Readonly<Record<FindingCode, FindingWords>> = {
  "nothing-trained": words(
    "serious",
    "nothing trained",
    "No token of the row is trained: it costs time and teaches nothing.",
  ),
  "everything-trained": words(
    "serious",
    "everything trained",
    "Every token of the row is trained: the model learns to write the prompts.",
  ),
  "prompt-trained": words(
    "serious",
    "prompt trained",
    "Tokens that are no answer's are trained: the model learns to write the prompts.",
  ),
  "role-not-trained": words(
    "serious",
    "no trained role",
    "No message is of a role that the policy trains.",
  ),
  "marker-absent": words(
    "serious",
    "marker absent",
    "The header or stop that the policy needs is not in the text.",
  ),
  "truncated-in-prompt": words(
    "serious",
    "cut before the answer",
    "The cut to the longest length left no trained turn.",
  ),
  "truncated-in-answer": words(
    "serious",
    "cut inside an answer",
    "The cut took the end of a trained turn, or all of it: its stop is not learnt.",
  ),
  "no-end-of-turn": words(
    "serious",
    "no end of turn",
    "The template has no stop to train, so the model does not learn to end.",
  ),
  "stop-not-trained": words(
    "serious",
    "stop not trained",
    "A trained turn ends without a trained stop.",
  ),
  "double-bos": words(
    "serious",
    "two beginnings",
    "The row begins with the beginning-of-text token twice.",
  ),
  "control-text": words(
    "serious",
    "control text",
    "Text inside a message is that of a special token.",
  ),
  "answer-partly-trained": words(
    "look",
    "answer partly trained",
    "Words of an answer are not trained while others are.",
  ),
  "header-trained": words(
    "look",
    "header trained",
    "What opens an answer is trained, though every prompt ends with it.",
  ),
  "content-dropped": words(
    "look",
    "content dropped",
    "The template left a message, or part of one, out of the text.",
  ),
  "field-dropped": words(
    "look",
    "field dropped",
    "Tool calls, thoughts or another field are not in the text.",
  ),
  "history-rewritten": words(
    "look",
    "history rewritten",
    "Earlier turns are not what the model would be shown when it answers.",
  ),
  "straddling-token": words(
    "look",
    "straddling token",
    "A token covers an edge of what is trained.",
  ),
  "tags-differ": words(
    "look",
    "generation tags differ",
    "The template's own generation tags mark something else.",
  ),
  "clock-read": words(
    "look",
    "clock read",
    "The text holds the day on which it was made.",
  ),
  "answer-not-trained": words(
    "note",
    "answer not trained",
    "Some answers of the row are trained, others are left out.",
  ),
  "content-trimmed": words(
    "note",
    "content trimmed",
    "The template cut whitespace from the edges of a message.",
  ),
  "text-normalised": words(
    "note",
    "text normalised",
    "The tokenizer's normaliser changed the text.",
  ),
};

/** The words of a finding; a code that is not known here is its own title. */
export function findingWords(code: string): FindingWords {
  return Object.hasOwn(FINDING_WORDS, code)
    ? FINDING_WORDS[code as FindingCode]
    : words("look", code, "");
}

/** The words of a reason; one that is not known here is its own. */
export function reasonWords(reason: string): string {
  return Object.hasOwn(REASON_WORDS, reason)
    ? REASON_WORDS[reason as CellReason]
    : reason;
}

/** Why chats are refused, by the reasons of `ChatTemplateError`, in a few words. */
const REFUSAL_WORDS: Readonly<Record<string, string>> = {
  refused: "refused by the template",
  template: "template not understood",
  limit: "template without end",
  unproved: "ownership not proved",
  tokens: "tokens not laid over the text",
  conversation: "conversation not well formed",
};

/** The words of a refusal; a reason that is not known here is its own. */
export function refusalWords(reason: string): string {
  return Object.hasOwn(REFUSAL_WORDS, reason) ? REFUSAL_WORDS[reason]! : reason;
}

/** The kinds of speakers that have a colour of their own; an index is the number in a style's name. */
export const ROLE_KINDS = [
  "nobody", // the template, or nobody knows
  "system",
  "user",
  "assistant",
  "tool",
  "other",
] as const;

/** One of {@link ROLE_KINDS}. */
export type RoleKind = typeof ROLE_KINDS[number];

/** What templates and files call their speakers; any other name is of the kind `"other"`. */
export const KINDS_OF_ROLES: ReadonlyMap<string, RoleKind> = new Map([
  ["system", "system"],
  ["developer", "system"],
  ["user", "user"],
  ["human", "user"],
  ["assistant", "assistant"],
  ["model", "assistant"],
  ["gpt", "assistant"],
  ["tool", "tool"],
  ["function", "tool"],
  ["ipython", "tool"],
  ["environment", "tool"],
  ["observation", "tool"],
]);

/** The kind of a role; null is nobody. */
export function kindOfRole(role: string | null): RoleKind {
  return role === null ? "nobody" : KINDS_OF_ROLES.get(role) ?? "other";
}

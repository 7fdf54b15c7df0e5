/**
 * The ids by which rows that were tokenised elsewhere show who speaks: what a
 * chat template writes around turns, learnt from two small conversations that
 * are encoded as any chat is.
 *
 * @module
 */
import {
  type ChatMessage,
  ChatTemplateError,
  type ChatTokenizer,
  encodeChat,
  type EncodedChat,
} from "../chat/mod.ts";
import { type Reason, REASONS } from "../row.ts";

/** What opens an answer. */
export interface Header {
  /** Its ids. */
  readonly ids: readonly number[];
  /** Whitespace behind them, apart because it may merge with the answer's. */
  readonly space: readonly number[];
}

/** By what turns are known in a row of ids. */
export interface TurnMarks {
  /** The ids by which a turn may end; none where nobody knows. */
  readonly ends: ReadonlySet<number>;
  /** What opens an answer, behind a question and behind a tool's result; none where nobody knows. */
  readonly headers: readonly Header[];
  /** Added tokens that open the turns of others; none where nobody knows. */
  readonly openers: ReadonlySet<number>;
  /** The ids with which a conversation or a turn begins. */
  readonly starts: ReadonlySet<number>;
  /** The id that begins a row, where the tokenizer has one. */
  readonly bos: number | undefined;
  /** Whether an id is whitespace, or null where no tokenizer says so. */
  readonly isBlank: ((id: number) => boolean) | null;
  /** Whether an id is one of the tokenizer's added tokens; false where there is none. */
  readonly isAdded: (id: number) => boolean;
}

/** The template, where it is not the tokenizer's own, and its variables. */
export interface TemplateChoice {
  /** Its text. */
  readonly chatTemplate?: string | undefined;
  /** Its variables. */
  readonly templateOptions?: Readonly<Record<string, unknown>>;
}

/** Two questions and answers, as every chat template takes them. */
const TWO: readonly ChatMessage[] = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Ho" },
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Ho" },
];

/** A conversation in which the last answer stands behind a tool's result. */
const WITH_RESULT: readonly ChatMessage[] = [
  { role: "user", content: "Hi" },
  {
    role: "assistant",
    content: "",
    tool_calls: [{
      id: "call00001",
      type: "function",
      function: { name: "look", arguments: { at: "it" } },
    }],
  },
  { role: "tool", name: "look", tool_call_id: "call00001", content: "He" },
  { role: "assistant", content: "Ho" },
];

/** What kinds of tokens there are. */
type Kinds = { isBlank(id: number): boolean; isAdded(id: number): boolean };

/** Learns the marks of a tokenizer and its template; without a template only what the tokenizer's files say. */
export function learnMarks(
  tokenizer: ChatTokenizer,
  { chatTemplate = tokenizer.chatTemplate, templateOptions }: TemplateChoice,
): TurnMarks {
  const kinds: Kinds = {
    isBlank: remember((id) => textOf(tokenizer, id)?.trim() === ""),
    isAdded: remember((id) =>
      tokenizer.addedId(textOf(tokenizer, id) ?? "") === id
    ),
  };
  const rows = chatTemplate === undefined ? [] : [TWO, WITH_RESULT].flatMap(
    (chat) =>
      tryEncode(chat, tokenizer, {
        chatTemplate,
        templateOptions,
      }),
  );
  const eos = tokenizer.addedId(tokenizer.eosToken);
  const ends = new Set(eos === undefined ? [] : [eos]);
  const headers = new Map<string, Header>();
  const openers = new Set<number>();
  const starts = new Set<number>();
  let areTexts = false; // stops that are no tokens of their own
  for (const row of rows) {
    starts.add(row.inputIds[0]!);
    const stops = stopsOf(row, kinds);
    for (const id of stops) ends.add(id);
    if (stops.length === 0 && row.reasons.includes(STOP)) areTexts = true;
    for (const id of openersOf(row, ends, kinds)) openers.add(id);
  }
  for (const row of rows) {
    const { ids, space } = headerOf(row, kinds);
    // unmistakable: an added token, or two tokens at least; and no mere stop
    if (!(ids.length > 1 || ids.some(kinds.isAdded))) continue;
    if (ids.every((id) => ends.has(id))) continue;
    headers.set(ids.join(), { ids, space });
    starts.add(ids[0]!);
  }
  for (const id of openers) starts.add(id);
  return {
    ends: areTexts ? new Set() : ends,
    headers: [...headers.values()],
    openers,
    starts,
    bos: tokenizer.addedId(tokenizer.bosToken),
    ...kinds,
  };
}

/** A conversation encoded; none where the template wants another, or the tokenizer lacks its characters. */
function tryEncode(
  chat: readonly ChatMessage[],
  tokenizer: ChatTokenizer,
  choice: TemplateChoice & { chatTemplate: string },
): EncodedChat[] {
  try {
    return [encodeChat(chat, { tokenizer, ...choice, date: new Date(0) })];
  } catch (error) {
    if (error instanceof ChatTemplateError) return [];
    throw error;
  }
}

const STOP = REASONS.indexOf("end_of_turn");
const HEADER = REASONS.indexOf("header");

/** The added tokens among the stops. */
function stopsOf(
  { inputIds, reasons }: EncodedChat,
  { isAdded }: Kinds,
): number[] {
  return [...inputIds].filter((id, t) => reasons[t] === STOP && isAdded(id));
}

/** The first added token before each message that is no answer, behind what ended the turn before. */
function openersOf(
  { inputIds, owners, reasons, roles }: EncodedChat,
  ends: ReadonlySet<number>,
  { isBlank, isAdded }: Kinds,
): number[] {
  return roles.flatMap((role, message) => {
    if (role === "assistant" || message === 0) return [];
    let at = owners.indexOf(message);
    if (at < 0) return [];
    // what the template wrote before it
    while (at > 0 && owners[at - 1] === -1) at--;
    while (
      at < inputIds.length &&
      (isBlank(inputIds[at]!) || ends.has(inputIds[at]!) ||
        reasons[at] === STOP)
    ) at++;
    const id = inputIds[at]!;
    return owners[at] === -1 && isAdded(id) ? [id] : [];
  });
}

/** What stands before the last answer: its header, or, where it has none, all from the last added token. */
function headerOf(
  { inputIds, owners, reasons, roles }: EncodedChat,
  { isBlank, isAdded }: Kinds,
): Header {
  const last = roles.length - 1;
  const is = (t: number, reason: Reason) =>
    owners[t] === last && REASONS[reasons[t]!] === reason;
  const all = [...inputIds.keys()];
  const own = all.filter((t) => owners[t] === last && reasons[t] === HEADER);
  const start = own.length > 0
    ? own.at(-1)! + 1
    : all.findIndex((t) => is(t, "answer") || is(t, "think_opening"));
  let from = own[0] ?? start;
  if (own.length === 0) {
    do from--; while (from >= 0 && !isAdded(inputIds[from]!));
    if (from < 0) from = start;
  }
  // whitespace at its edges merges with what stands beside it
  while (from < start && isBlank(inputIds[from]!)) from++;
  let core = start;
  while (core > from && isBlank(inputIds[core - 1]!)) core--;
  return {
    ids: [...inputIds.subarray(from, core)],
    space: [...inputIds.subarray(core, start)],
  };
}

function textOf(tokenizer: ChatTokenizer, id: number): string | undefined {
  try {
    return new TextDecoder().decode(tokenizer.bytesOf(id));
  } catch {
    return undefined; // it is in no vocabulary of this tokenizer
  }
}

function remember(ask: (id: number) => boolean): (id: number) => boolean {
  const known = new Map<number, boolean>();
  return (id) => {
    let answer = known.get(id);
    if (answer === undefined) known.set(id, answer = ask(id));
    return answer;
  };
}

/**
 * The ids by which rows that were tokenised elsewhere show who speaks: the
 * header that opens an answer and the stops that end one, said by the user or
 * learnt from a small conversation of the tokenizer's own template.
 *
 * @module
 */
import {
  type ChatMessage,
  ChatTemplateError,
  type ChatTokenizer,
  encodeChat,
  type EncodedChat,
  renderChat,
} from "../chat/mod.ts";
import { type Reason, REASONS } from "../row.ts";
import { UsageError } from "./errors.ts";
import { type Args, quote } from "./options.ts";

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
  /** The ids with which a conversation or an answer begins. */
  readonly starts: ReadonlySet<number>;
  /** The id that begins a row, where the tokenizer has one. */
  readonly bos: number | undefined;
  /** Whether an id is whitespace, or null where no tokenizer says so. */
  readonly isBlank: ((id: number) => boolean) | null;
  /** Whether an id is one of the tokenizer's added tokens; false where there is none. */
  readonly isAdded: (id: number) => boolean;
}

/** Reads `--end-ids` and `--header-ids`, and finds what they leave open in the tokenizer's files. */
export function readMarks(
  args: Args,
  tokenizer: ChatTokenizer | null,
): TurnMarks {
  const ends = readIdList(args, "end-ids");
  const header = readIdList(args, "header-ids");
  if (tokenizer === null) {
    return {
      ends: new Set(ends),
      headers: header === undefined ? [] : [{ ids: header, space: [] }],
      starts: new Set(header?.slice(0, 1)),
      bos: undefined,
      isBlank: null,
      isAdded: () => false,
    };
  }
  const { bosToken, eosToken } = tokenizer;
  const isBlank = remember((id) => textOf(tokenizer, id)?.trim() === "");
  const isAdded = remember((id) =>
    tokenizer.addedId(textOf(tokenizer, id) ?? "") === id
  );
  const eos = tokenizer.addedId(eosToken);
  const learnt = headersOfTemplate(tokenizer, isBlank, isAdded);
  const headers = header === undefined
    ? learnt.headers
    : [{ ids: header, space: [] }];
  return {
    ends: new Set(
      ends ??
        [...(eos === undefined ? [] : [eos]), ...stopOfTemplate(tokenizer)],
    ),
    headers,
    starts: new Set([...learnt.starts, ...headers.map(({ ids }) => ids[0]!)]),
    bos: tokenizer.addedId(bosToken),
    isBlank,
    isAdded,
  };
}

function readIdList(args: Args, option: string): number[] | undefined {
  const ids = args.text(option)?.split(",").map((id) => id.trim());
  const wrong = ids?.find((id) => !/^\d{1,9}$/.test(id));
  if (wrong !== undefined) {
    throw new UsageError(
      `--${option} must be ids with commas between: got ${quote(wrong)}`,
    );
  }
  return ids?.map(Number);
}

/** A conversation that every chat template takes. */
const MESSAGES: readonly ChatMessage[] = [
  { role: "user", content: "Hi" },
  { role: "assistant", content: "Ho" },
];

/** One in which the last answer stands behind a tool's result. */
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

/** What a template needs beside the messages. */
function templateOf({ chatTemplate, bosToken, eosToken }: ChatTokenizer) {
  return chatTemplate === undefined
    ? null
    : { chatTemplate, bosToken, eosToken, date: new Date(0) };
}

/** The special tokens with which the chat template ends an answer. */
function stopOfTemplate(tokenizer: ChatTokenizer): number[] {
  const options = templateOf(tokenizer);
  if (options === null) return [];
  try {
    const { text, turns } = renderChat(MESSAGES, options);
    const [start, end] = turns.at(-1)?.endOfTurn ?? [0, 0];
    const { inputIds } = tokenizer.encode(text.slice(start, end));
    return [...inputIds].filter((id) => tokenizer.isSpecial(id));
  } catch (error) {
    // a template that wants other messages
    if (error instanceof ChatTemplateError) return [];
    throw error;
  }
}

/** What opens an answer, where it is unmistakable (an added token, or two tokens at least), and what begins a conversation. */
function headersOfTemplate(
  tokenizer: ChatTokenizer,
  isBlank: (id: number) => boolean,
  isAdded: (id: number) => boolean,
): { headers: Header[]; starts: number[] } {
  const options = templateOf(tokenizer);
  if (options === null) return { headers: [], starts: [] };
  const headers = new Map<string, Header>();
  const starts: number[] = [];
  for (const chat of [[...MESSAGES, ...MESSAGES], WITH_RESULT]) {
    try {
      const row = encodeChat(chat, { ...options, tokenizer });
      starts.push(row.inputIds[0]!);
      const { ids, space } = headerOf(row, chat.length - 1, isBlank, isAdded);
      if (ids.length > 1 || ids.some(isAdded)) {
        headers.set(ids.join(), { ids, space });
      }
    } catch (error) {
      // a template that wants other messages, or a tokenizer without these
      if (!(error instanceof ChatTemplateError)) throw error;
    }
  }
  return { headers: [...headers.values()], starts };
}

/** What stands before an answer: its header, or, where it has none, all from the last added token. */
function headerOf(
  { inputIds, owners, reasons }: EncodedChat,
  message: number,
  isBlank: (id: number) => boolean,
  isAdded: (id: number) => boolean,
): Header {
  const is = (t: number, reason: Reason) =>
    owners[t] === message && REASONS[reasons[t]!] === reason;
  const all = [...inputIds.keys()];
  const own = all.filter((t) => is(t, "header"));
  const start = own.length > 0
    ? own.at(-1)! + 1
    : all.findIndex((t) => is(t, "answer") || is(t, "think_opening"));
  let from = own[0] ?? start;
  if (own.length === 0) {
    do from--; while (from >= 0 && !isAdded(inputIds[from]!));
    if (from < 0) from = start;
  }
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

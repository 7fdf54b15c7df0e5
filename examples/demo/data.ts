/**
 * From conversations to what a model trains on: ids, spans, labels, and packed
 * batches over the ids in use.
 *
 * Qwen3 has 151,936 ids; the chats use some twelve hundred. The demo's model
 * numbers those densely, and gives one more slot to all ids that the training
 * chats never show. Such a token can be read but not scored: nothing could have
 * taught it.
 *
 * @module
 */
import { IGNORE_INDEX, maskLabels, type TokenSpan } from "../../mod.ts";
import {
  type ChatTokenizer,
  type Conversation as Chat,
  encodeChat,
  type EncodedChat,
  FIELDS,
} from "../../src/chat/mod.ts";
import { readConversations } from "../../src/formats/mod.ts";

/** A chat as the tokenizer sees it. */
export interface Conversation {
  /** Where it came from. */
  chat: Chat;
  /** Its row: ids, labels, and what is known of each token. */
  row: EncodedChat;
  /** What each role says; of the assistant also the stop behind it. */
  spans: Record<string, TokenSpan[]>;
}

/** Reads every chat of a JSONL text; a line that is none is an error. */
export async function readChats(text: string): Promise<Chat[]> {
  const chats: Chat[] = [];
  for await (const { conversation, error } of readConversations(text)) {
    if (error !== undefined) throw new SyntaxError(error.message);
    chats.push(conversation);
  }
  return chats;
}

/** Renders, encodes and labels a chat. */
export function readConversation(
  chat: Chat,
  tokenizer: ChatTokenizer,
): Conversation {
  const { messages, tools } = chat;
  const row = encodeChat(messages, {
    tokenizer,
    ...(tools === undefined ? {} : { tools }),
  });
  const spans: Record<string, TokenSpan[]> = { assistant: [...row.spans] };
  for (const role of ["system", "user", "tool"]) {
    spans[role] = saidBy(row, role);
  }
  return { chat, row, spans };
}

/** Where the texts of one role stand, without header and stop. */
function saidBy(
  { owners, fields, roles }: EncodedChat,
  role: string,
): TokenSpan[] {
  const isTheirs = (t: number) =>
    roles[owners[t]!] === role && FIELDS[fields[t]!] === "content";
  const spans: TokenSpan[] = [];
  for (let t = 0; t < owners.length; t++) {
    if (!isTheirs(t)) continue;
    const start = t;
    while (t < owners.length && isTheirs(t)) t++;
    spans.push([start, t]);
  }
  return spans;
}

/** Ids in use, numbered 0, 1, 2, ... */
export interface Vocabulary {
  /** V: the ids in use, and the slot for all others. */
  size: number;
  /** That slot. */
  unseen: number;
  /** The number of an id. */
  slotOf(id: number): number;
}

/** The vocabulary of the chats that are trained on. */
export function readVocabulary(
  conversations: readonly Conversation[],
): Vocabulary {
  const slots = new Map<number, number>();
  for (const { row } of conversations) {
    for (const id of row.inputIds) {
      if (!slots.has(id)) slots.set(id, slots.size);
    }
  }
  const unseen = slots.size;
  return { size: unseen + 1, unseen, slotOf: (id) => slots.get(id) ?? unseen };
}

/** Conversations one after the other, as `causalLoss` takes them. */
export interface Batch {
  /** Slots of the vocabulary. */
  inputIds: Int32Array;
  /** inputIds where trained, -100 elsewhere. */
  labels: Int32Array;
  /** Where each conversation starts, and where the last one ends. */
  cuSeqlens: Int32Array;
}

/** Packs conversations; trains the turns of one role, or every token. */
export function packBatch(
  conversations: readonly Conversation[],
  vocabulary: Vocabulary,
  train: string,
): Batch {
  const ids: number[] = [], spans: TokenSpan[] = [], cuSeqlens = [0];
  for (const conversation of conversations) {
    const first = ids.length;
    for (const id of conversation.row.inputIds) ids.push(vocabulary.slotOf(id));
    for (const [start, end] of conversation.spans[train] ?? []) {
      spans.push([first + start, first + end]);
    }
    cuSeqlens.push(ids.length);
  }
  const inputIds = Int32Array.from(ids);
  const labels = maskLabels(
    inputIds,
    train === "everything" ? [[0, ids.length]] : spans,
  ).map((label) => label === vocabulary.unseen ? IGNORE_INDEX : label);
  return { inputIds, labels, cuSeqlens: Int32Array.from(cuSeqlens) };
}

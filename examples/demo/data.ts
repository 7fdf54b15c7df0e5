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
import {
  findSpans,
  IGNORE_INDEX,
  maskLabels,
  type TokenSpan,
} from "../../mod.ts";
import type { Chat } from "../chats.ts";
import type { Qwen3 } from "../qwen3.ts";

/** A chat as the tokenizer sees it. */
export interface Conversation {
  /** Where it came from. */
  chat: Chat;
  /** The rendered text. */
  text: string;
  /** The ids of the text. */
  inputIds: number[];
  /** What each role says, its closing marker included, without the opening one. */
  spans: Record<string, TokenSpan[]>;
  /** inputIds where the assistant speaks, -100 elsewhere. */
  labels: Int32Array;
}

/** Renders, encodes and labels a chat. */
export function readConversation(chat: Chat, qwen3: Qwen3): Conversation {
  const text = qwen3.render(chat);
  const inputIds = qwen3.encode(text);
  const spans: Record<string, TokenSpan[]> = {};
  for (const role of Object.keys(qwen3.roles)) {
    spans[role] = findSpans(inputIds, { roles: qwen3.roles, train: [role] });
  }
  const labels = maskLabels(inputIds, spans.assistant!);
  return { chat, text, inputIds, spans, labels };
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
  for (const { inputIds } of conversations) {
    for (const id of inputIds) if (!slots.has(id)) slots.set(id, slots.size);
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
    ids.push(...conversation.inputIds.map(vocabulary.slotOf));
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

/**
 * What `prepare` and its threads say to each other.
 *
 * @module
 */
import type { ConversationResult } from "../formats/mod.ts";
import type { Chunk, ChunkSettings } from "./encode_chunk.ts";
import type { EncodingSettings } from "./encoding.ts";

/** What a worker is made with. */
export interface WorkerSettings {
  /** By which a worker knows that it is ours. */
  readonly role: "encode chats for sft-loss";
  readonly encoding: EncodingSettings;
  readonly chunk: ChunkSettings;
}

/** What a worker is sent: conversations to encode. */
export interface WorkerTask {
  readonly batch: readonly ConversationResult[];
}

/** What a worker sends: that it is ready, what it made, what went wrong, or that it has nothing to do. */
export type WorkerAnswer =
  | { readonly kind: "ready"; readonly padId: number }
  | { readonly kind: "idle" }
  | { readonly kind: "chunk"; readonly chunk: Chunk }
  | {
    readonly kind: "error";
    readonly name: string;
    readonly message: string;
  };

/**
 * What a caller can be doing when something is wrong: the second word of every
 * error message.
 *
 * @module
 */

/** What the caller was doing, as in "Cannot compute loss as ...". */
export type Action =
  | "collate samples"
  | "compute loss"
  | "create parallel engine"
  | "create workspace"
  | "decode npy"
  | "decode safetensors"
  | "encode chat"
  | "encode npy"
  | "encode safetensors"
  | "find spans"
  | "initialise"
  | "load tokenizer"
  | "mask labels"
  | "merge losses"
  | "open a GPU"
  | "pack a stream"
  | "pack sequences"
  | "plan packs"
  | "read conversations"
  | "read rows"
  | "read tokens"
  | "render chat"
  | "select an engine"
  | "show row"
  | "split lines"
  | "summarise rows"
  | "unpack"
  | "write columns"
  | "write parquet"
  | "write report";

/**
 * Reading and writing the files of supervised fine-tuning: conversations in the
 * shapes they have in the wild, rows that were tokenised elsewhere, and the
 * columns that trainers read, as JSONL, npy, safetensors and parquet.
 *
 * Text and bytes go in and out; opening and replacing files is the caller's.
 * Everything that is read is checked: a record gives a result or an error that
 * names its line and the place in it, and never spoils the next one. The only
 * dependencies are hyparquet and hyparquet-writer, loaded when parquet is first
 * read or written.
 *
 * | to read | with |
 * |---|---|
 * | conversations, JSONL or one JSON list | {@link readConversations} |
 * | one of them | {@link parseConversation} |
 * | tokenised rows, JSONL or one JSON list | {@link readTokenizedRows} |
 * | one of them | {@link readTokenized} |
 * | either from parquet | the same, on {@link readParquetRows} |
 * | npy, safetensors | {@link decodeNpy}, {@link decodeSafetensors} |
 *
 * | to write | with |
 * |---|---|
 * | a row's columns | {@link columnsOf}, then {@link toJsonl} or {@link createParquetSink} |
 * | a padded batch's | {@link tensorsOf}, then {@link encodeNpy} or {@link encodeSafetensors} |
 *
 * @example From a file of tokenised rows to JSONL for another trainer
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { columnsOf, readTokenizedRows, toJsonl } from "@sft/loss/formats";
 *
 * const file = `{"input_ids": [5, 6, 7], "completion_mask": [0, 1, 1]}
 * {"input_ids": [5, 6, 7], "labels": [5, 6, 8]}`;
 * const lines: string[] = [];
 * for await (const { row, error } of readTokenizedRows(file)) {
 *   lines.push(error ? error.message : toJsonl(columnsOf(row)));
 * }
 * assertEquals(lines, [
 *   `{"input_ids":[5,6,7],"labels":[-100,6,7],"attention_mask":[1,1,1],"position_ids":[0,1,2]}\n`,
 *   "line 2: labels[2] must be -100 or the id at its place, 7: got 8",
 * ]);
 * ```
 *
 * @module
 */
export { type StorableBatch, tensorsOf } from "./batch_tensors.ts";
export type { ToolArguments } from "./calls.ts";
export {
  columnsOf,
  type ColumnsOptions,
  type StorableRow,
  toJsonl,
  type TrainerColumns,
} from "./columns.ts";
export {
  type ConversationOptions,
  parseConversation,
} from "./conversations.ts";
export type { LineError } from "./fault.ts";
export {
  type ConversationResult,
  readConversations,
  readTokenizedRows,
  type RecordSource,
  type RowResult,
} from "./jsonl.ts";
export { splitLines } from "./lines.ts";
export { decodeNpy, encodeNpy } from "./npy.ts";
export {
  createParquetSink,
  type ParquetColumn,
  parquetColumnsOf,
  type ParquetSink,
  type ParquetSinkOptions,
} from "./parquet.ts";
export {
  type ByteSource,
  type ParquetRowsOptions,
  readParquetRows,
} from "./parquet_rows.ts";
export {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsFile,
} from "./safetensors.ts";
export type { Tensor, TensorData, TensorType } from "./tensor.ts";
export { readTokenized, type TokenizedRow } from "./tokenized.ts";
export type { TokenIds, TokenSpan } from "../contract.ts";
export type {
  ChatMessage,
  ContentPart,
  Conversation,
  Sample,
  ToolCall,
} from "../row.ts";

/**
 * The rows of a file for a report: chats encoded here, or rows that were
 * tokenised elsewhere, with the text of their tokens where a tokenizer is at
 * hand. One that is refused is told in its place.
 *
 * @module
 */
import {
  type ChatTokenizer,
  type EncodedChat,
  truncateRow,
} from "../chat/mod.ts";
import {
  type ConversationOptions,
  readConversations,
  readTokenizedRows,
  type TokenizedRow,
} from "../formats/mod.ts";
import { isEncodedChat } from "../report/cells.ts";
import type { PlainRow, ReportRow } from "../report/mod.ts";
import { hexBytes } from "../report/visible.ts";
import { withoutPlace } from "./encode_chunk.ts";
import { type Encoder, type Refusal, tryEncode } from "./encoding.ts";
import type { Input } from "./read_input.ts";

/** What a line became: rows, or a refusal. */
export type LineRows<R extends ReportRow = ReportRow> =
  | { readonly line: number; readonly rows: readonly R[] }
  | { readonly line: number; readonly rows: null; readonly refusal: Refusal };

/** A row that was tokenised elsewhere, with what its file says of it. */
export interface ElsewhereRow
  extends
    PlainRow,
    Pick<TokenizedRow, "attentionMask" | "cuSeqlens" | "positionIds"> {
  readonly inputIds: Int32Array;
  readonly labels: Int32Array;
}

/** Reads and encodes the conversations of a file. */
export async function* chatRows(
  input: Input,
  reading: ConversationOptions,
  encoder: Encoder,
): AsyncGenerator<LineRows<EncodedChat>, void, void> {
  for await (
    const { conversation, error } of readConversations(input.records, reading)
  ) {
    if (conversation === undefined) yield notRead(error);
    else {
      const { line } = conversation;
      const { rows, refusal } = tryEncode(encoder, conversation);
      if (refusal === undefined) yield { line, rows };
      else yield { line, rows: null, refusal };
    }
  }
}

/** Reads the rows of a file that were tokenised elsewhere. */
export async function* tokenizedRows(
  input: Input,
  tokenizer: ChatTokenizer | null,
): AsyncGenerator<LineRows<ElsewhereRow>, void, void> {
  const pieces = new Map<number, string>();
  for await (const { row, error } of readTokenizedRows(input.records)) {
    if (row === undefined) {
      yield notRead(error);
      continue;
    }
    const { line, inputIds } = row;
    yield {
      line,
      rows: [{
        ...row,
        ...(tokenizer === null ? {} : {
          pieces: Array.from(inputIds, (id) => {
            let piece = pieces.get(id);
            if (piece === undefined) {
              pieces.set(id, piece = pieceOf(tokenizer, id));
            }
            return piece;
          }),
        }),
      }],
    };
  }
}

function notRead(
  { line, message }: { line: number; message: string },
): LineRows<never> {
  const words = withoutPlace(message);
  const refusal = { line, reason: "not readable", message: words };
  return { line, rows: null, refusal };
}

/** What a token says; bytes that are no whole characters are written in hexadecimal. */
export function pieceOf(tokenizer: ChatTokenizer, id: number): string {
  let bytes: Uint8Array;
  try {
    bytes = tokenizer.bytesOf(id);
  } catch {
    return `#${id}`; // it is in no vocabulary of this tokenizer
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    return hexBytes(bytes);
  }
}

/** What a row says, as far as that is known. */
export function textOf(row: ReportRow): string {
  if ("text" in row) return row.text;
  return row.pieces?.join("") ?? Array.from(row.inputIds, String).join(" ");
}

/** A row cut to its first tokens. */
export function cutRow(row: ReportRow, maxLength: number): ReportRow {
  if (isEncodedChat(row)) return truncateRow(row, maxLength);
  const { inputIds, labels, weights, pieces } = row;
  const cut = <T>(list: ArrayLike<T>) => Array.from(list).slice(0, maxLength);
  return {
    inputIds: cut(inputIds as ArrayLike<number>),
    labels: cut(labels as ArrayLike<number>),
    ...(weights === undefined ? {} : { weights: cut(weights) }),
    ...(pieces === undefined ? {} : { pieces: cut(pieces) }),
  };
}

/**
 * Files of conversations or of tokenised rows, read record by record: what is
 * wrong with one is told, and the next is read. It takes text, bytes, lines or
 * values, never a path: opening files is not its trade.
 *
 * @module
 */
import { readView, wrongKind } from "../checks.ts";
import type { Conversation } from "../row.ts";
import { kindOf } from "../typed_arrays.ts";
import {
  type ConversationOptions,
  readConversation,
  readSettings,
} from "./conversations.ts";
import { at, type LineError, parseJson } from "./fault.ts";
import {
  decodeLine,
  ListCutter,
  splitLines,
  type TextRecord,
} from "./lines.ts";
import { readRow, type TokenizedRow } from "./tokenized.ts";

/**
 * What readers of many records take. Text or bytes are a whole file: JSON lines,
 * or one JSON list. Items are its lines, as text or bytes ({@link splitLines}
 * makes them), or rows that are already values, as {@link readParquetRows} gives
 * them.
 */
export type RecordSource =
  | string
  | Uint8Array
  | Iterable<string | Uint8Array | object>
  | AsyncIterable<string | Uint8Array | object>;

/** A conversation, or why there is none. */
export type ConversationResult =
  | { readonly conversation: Conversation; readonly error?: undefined }
  | { readonly conversation?: undefined; readonly error: LineError };

/** A tokenised row, or why there is none. */
export type RowResult =
  | { readonly row: TokenizedRow; readonly error?: undefined }
  | { readonly row?: undefined; readonly error: LineError };

/**
 * Reads every conversation of a file. A file whose first character that is not
 * blank is `[` is one JSON list, and its elements' numbers play the lines; any
 * other is JSON lines. Blank lines are skipped, a byte order mark and carriage
 * returns are no matter. A bad line gives an error in its place and the next one
 * is read.
 *
 * @param source The file's text, bytes, lines or values.
 * @param options How to read it.
 * @returns One result per record, in the order of the file.
 * @throws {TypeError} When the source or an option is of the wrong kind.
 * @throws {RangeError} When an option is out of range.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readConversations } from "@sft/loss/formats";
 *
 * const text = `{"prompt": "2 + 2?", "completion": "4"}
 * {"prompt": "3 + 3?", "completion": 6}
 * `;
 * const lines: string[] = [];
 * for await (const { conversation, error } of readConversations(text)) {
 *   lines.push(error ? error.message : `${conversation.messages.length} messages`);
 * }
 * assertEquals(lines, [
 *   "2 messages",
 *   "line 2: completion must be a string: got number",
 * ]);
 * ```
 */
export function readConversations(
  source: RecordSource,
  options: ConversationOptions = {},
): AsyncGenerator<ConversationResult, void, void> {
  const settings = readSettings(options);
  checkSource("read conversations", source);
  return results(
    "read conversations",
    source,
    (value, line) => ({
      conversation: readConversation(value, line, settings),
    }),
  );
}

/**
 * Reads every tokenised row of a file, as {@link readConversations} reads
 * conversations.
 *
 * @param source The file's text, bytes, lines or values.
 * @returns One result per record, in the order of the file.
 * @throws {TypeError} When the source is of the wrong kind.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readTokenizedRows } from "@sft/loss/formats";
 *
 * const text = `{"input_ids": [5, 6, 7], "assistant_masks": [0, 1, 1]}`;
 * for await (const { row } of readTokenizedRows(text)) {
 *   assertEquals(row?.labels, Int32Array.of(-100, 6, 7));
 * }
 * ```
 */
export function readTokenizedRows(
  source: RecordSource,
): AsyncGenerator<RowResult, void, void> {
  checkSource("read rows", source);
  const read = (value: unknown, line: number) => ({
    row: readRow(value, line),
  });
  return results("read rows", source, read);
}

type ReadAction = "read conversations" | "read rows";

function checkSource(
  action: ReadAction,
  source: RecordSource,
): void {
  if (typeof source === "string") return;
  const kind = kindOf(source);
  if (kind === "Uint8Array") return void readView(action, "source", source);
  if (
    kind === undefined && typeof source === "object" && source !== null &&
    (Symbol.iterator in source || Symbol.asyncIterator in source)
  ) return;
  wrongKind(
    action,
    "source must be text, bytes or an iterable of lines",
    source,
  );
}

/** Each record read, or what is wrong with it. */
async function* results<T extends object>(
  action: ReadAction,
  source: RecordSource,
  read: (value: unknown, line: number) => T,
): AsyncGenerator<T | { error: LineError }, void, void> {
  for await (const { unit, number, text } of recordsOf(action, source)) {
    let result: T | { error: LineError };
    try {
      result = at(unit, number, () => {
        if (text instanceof SyntaxError) throw text;
        const value = typeof text === "string" ? parseJson("", text) : text;
        return read(value, number);
      });
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      result = { error: { line: number, message: error.message } };
    }
    yield result;
  }
}

function isBytes(value: unknown): value is Uint8Array {
  return kindOf(value) === "Uint8Array";
}

/** A record of text, or one that is a value already. */
type AnyRecord = Omit<TextRecord, "text"> & { readonly text: string | object };

async function* recordsOf(
  action: ReadAction,
  source: RecordSource,
): AsyncGenerator<AnyRecord, void, void> {
  const items = typeof source === "string" || isBytes(source)
    ? splitLines([source])
    : source;
  let list: ListCutter | null = null;
  let isFirst = true; // no record has come yet
  let number = 0;
  for await (const item of items) {
    number++;
    if (typeof item !== "string" && !isBytes(item)) {
      yield { unit: "line", number, text: item };
      isFirst = false;
      continue;
    }
    let text = decodeLine(
      isBytes(item) ? readView(action, `line ${number}`, item) : item,
    );
    if (typeof text === "string") {
      // some editors put a byte order mark first; JSON forbids it
      if (number === 1) text = text.replace(/^\uFEFF/, "");
      if (text.trim() === "") continue;
      if (isFirst && text.trimStart().startsWith("[")) list = new ListCutter();
    }
    isFirst = false;
    if (list === null) yield { unit: "line", number, text };
    else if (typeof text === "string") yield* list.push(text);
    else yield { unit: "line", number, text };
  }
  if (list !== null) yield* list.end();
}

/**
 * A row as cells, one for each token: what it says, whose it is, and why it is
 * or is not trained. Everything a report shows of a token is in its cell; how it
 * looks is the affair of `terminal` and `html`.
 *
 * @module
 */
import {
  outOfRange,
  readIds,
  readList,
  readWeights,
  wrongKind,
} from "../checks.ts";
import { IGNORE_INDEX, type TokenIds, type TokenSpan } from "../contract.ts";
import { type EncodedChat, type Field, FIELDS, REASONS } from "../row.ts";
import { hexBytes } from "./visible.ts";
import type { CellReason } from "./words.ts";

/** A row that was tokenised elsewhere: nobody knows who says what, only what is trained. */
export interface PlainRow {
  /** [N] token ids. */
  readonly inputIds: TokenIds;
  /** [N] labels aligned with the ids, -100 where nothing is trained. */
  readonly labels: TokenIds;
  /** [N] loss weights; 1 where there are none. */
  readonly weights?: ArrayLike<number>;
  /** [N] the text of each token, where a tokenizer is at hand. */
  readonly pieces?: readonly string[];
}

/** What a report shows: a chat that was encoded here, or a row from elsewhere. */
export type ReportRow = EncodedChat | PlainRow;

/** One token. */
export interface Cell {
  /** Its position in the row. */
  readonly index: number;
  /** Its id. */
  readonly id: number;
  /** Its UTF-8 bytes in the row's text; null where the text is not known. */
  readonly bytes: TokenSpan | null;
  /** What it says; bytes that are a part of a character are written `⟨F0 9F⟩`. Of a row without text, `#` and the id. */
  readonly text: string;
  /** The characters it is a part of, if it is. */
  readonly partOf: string;
  /** Whether it is the last part of the last of them. */
  readonly completes: boolean;
  /** Who says it; null for nobody, or where nobody knows. */
  readonly role: string | null;
  /** The index of the message it belongs to, or -1. */
  readonly message: number;
  /** What it is; null where nobody knows. */
  readonly field: Field | null;
  /** Why it is or is not trained. */
  readonly reason: CellReason;
  /** Whether it is trained. */
  readonly trained: boolean;
  /** Its weight in the loss; 0 where it is not trained. */
  readonly weight: number;
}

/** Whether a row is a chat that was encoded here, with owners and reasons. */
export function isEncodedChat(row: ReportRow): row is EncodedChat {
  return "owners" in row && "reasons" in row && "offsets" in row;
}

/**
 * The cells of a row, in order.
 *
 * @param row [N] a chat that was encoded here, or ids and labels from elsewhere.
 * @returns N cells.
 * @throws {RangeError} The row's arrays are not aligned, or an offset is not in the text.
 * @throws {TypeError} Something is of the wrong kind.
 *
 * @example A row that was tokenised elsewhere
 * ```ts
 * import { cells } from "@sft/loss/report";
 * import { assertEquals } from "@std/assert";
 *
 * const [ask, answer] = cells({
 *   inputIds: [17, 21],
 *   labels: [-100, 21],
 *   pieces: ["Why?", "So."],
 * });
 * assertEquals([ask!.text, ask!.reason, ask!.weight], ["Why?", "ignored", 0]);
 * assertEquals([answer!.text, answer!.reason, answer!.weight], ["So.", "trained", 1]);
 * assertEquals(answer!.role, null);
 * ```
 */
export function cells(row: ReportRow): Cell[] {
  checkRow(row);
  return isEncodedChat(row) ? cellsOfChat(row) : cellsOfPlain(row);
}

/** Throws unless a row's arrays are all of one length. */
export function checkRow(row: ReportRow): void {
  if (typeof row !== "object" || row === null) {
    wrongKind("show row", "the row must be an object", row);
  }
  const aligned: [string, unknown][] = [["labels", row.labels]];
  if (isEncodedChat(row)) {
    const { weights, offsets, owners, fields, reasons } = row;
    aligned.push(...Object.entries({ weights, offsets, owners }));
    aligned.push(...Object.entries({ fields, reasons }));
  } else if (row.pieces !== undefined) aligned.push(["pieces", row.pieces]);
  const count = lengthOf("inputIds", "an array of ids", row.inputIds);
  for (const [name, list] of aligned) {
    const length = lengthOf(name, "an array", list);
    if (length !== count) {
      outOfRange(
        "show row",
        `${name} must have a value for each of ${count} tokens`,
        length,
      );
    }
  }
}

function lengthOf(name: string, wish: string, list: unknown): number {
  return readList("show row", name, wish, list as ArrayLike<unknown>).length;
}

function cellsOfChat(row: EncodedChat): Cell[] {
  const bytes = new TextEncoder().encode(row.text);
  return Array.from(row.inputIds, (id, index): Cell => {
    const [start, end] = row.offsets[index]!;
    if (!(start >= 0 && start <= end && end <= bytes.length)) {
      outOfRange(
        "show row",
        `offsets[${index}] must be within ${bytes.length} bytes`,
        row.offsets[index],
      );
    }
    const message = row.owners[index]!;
    const trained = row.labels[index] !== IGNORE_INDEX;
    return {
      index,
      id,
      bytes: [start, end],
      ...decode(bytes, start, end),
      role: row.roles[message] ?? null,
      message,
      field: FIELDS[row.fields[index]!] ?? null,
      reason: REASONS[row.reasons[index]!] ?? (trained ? "trained" : "ignored"),
      trained,
      weight: trained ? row.weights[index]! : 0,
    };
  });
}

function cellsOfPlain(row: PlainRow): Cell[] {
  const ids = readIds("show row", "inputIds", row.inputIds);
  const labels = readIds("show row", "labels", row.labels);
  const weights = readWeights("show row", "weights", row.weights, ids.length);
  return Array.from(ids, (id, index): Cell => {
    const trained = labels[index] !== IGNORE_INDEX;
    return {
      index,
      id,
      bytes: null,
      text: row.pieces?.[index] ?? `#${id}`,
      partOf: "",
      completes: false,
      role: null,
      message: -1,
      field: null,
      reason: trained ? "trained" : "ignored",
      trained,
      weight: trained ? weights?.[index] ?? 1 : 0,
    };
  });
}

// A byte order mark is a character like any other here.
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Whether a byte continues a character, 10xxxxxx (RFC 3629, section 3). */
function continues(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** What the bytes from `start` to `end` say. */
function decode(
  bytes: Uint8Array,
  start: number,
  end: number,
): Pick<Cell, "text" | "partOf" | "completes"> {
  if (start === end) return { text: "", partOf: "", completes: false };
  const completes = !continues(bytes[end]);
  if (!continues(bytes[start]) && completes) {
    const text = UTF8.decode(bytes.subarray(start, end));
    return { text, partOf: "", completes: false };
  }

  // the first and the last whole character's edges within the token
  let first = start;
  while (first < end && continues(bytes[first])) first++;
  let last = end;
  if (!completes) {
    do last--; while (last > start && continues(bytes[last]));
  }
  // and those of the characters it is a part of
  let from = start;
  while (from > 0 && continues(bytes[from])) from--;
  let to = end;
  while (continues(bytes[to])) to++;

  const part = (a: number, b: number) =>
    a < b ? hexBytes(bytes.subarray(a, b)) : "";
  const whole = (a: number, b: number) =>
    a < b ? UTF8.decode(bytes.subarray(a, b)) : "";
  const inside = first > last; // one character holds all of it
  return {
    text: inside
      ? part(start, end)
      : part(start, first) + whole(first, last) + part(last, end),
    partOf: inside
      ? whole(from, to)
      : whole(from, first) + whole(Math.max(first, last), to),
    completes,
  };
}

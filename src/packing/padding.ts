/**
 * Padding: flat tokens as rows of one length. What is padding is known by where
 * it is, never by its id, so the pad token may be a real one's, as where pad is eos.
 *
 * @module
 */
import {
  type Action,
  outOfRange,
  readCount,
  readNumber,
  readWord,
  wrongKind,
} from "../checks.ts";
import { moveSpan } from "./lay.ts";
import { type Layout, PaddedBatch } from "./layouts.ts";
import type { PadOptions } from "./types.ts";

const SIDES = ["right", "left"] as const;

/** Checked padding of B rows to L tokens. */
export interface Padding {
  padTokenId: number;
  length: number;
  left: boolean;
}

/** Checks how rows with these borders are padded; `nameRow` says what an error calls one. */
export function readPadding(
  action: Action,
  options: PadOptions,
  borders: Int32Array,
  nameRow: (row: number) => string,
): Padding {
  if (options.padTokenId === undefined) {
    wrongKind(action, "padTokenId must be a number", undefined);
  }
  const padTokenId = readNumber(
    action,
    "padTokenId",
    options.padTokenId,
    0,
    "a whole number within int32",
    (n) => (n | 0) === n,
  );
  const multiple = readCount(
    action,
    "padToMultipleOf",
    options.padToMultipleOf,
    1,
  ) ?? 1;
  let longest = 0, row = 0;
  for (let r = 0; r + 1 < borders.length; r++) {
    const length = borders[r + 1]! - borders[r]!;
    if (length > longest) {
      longest = length;
      row = r;
    }
  }
  const given = readCount(action, "length", options.length, 0) ?? longest;
  if (given < longest) {
    outOfRange(
      action,
      `length must be at least the ${longest} tokens of ${nameRow(row)}`,
      given,
    );
  }
  const length = Math.ceil(given / multiple) * multiple;
  const size = (borders.length - 1) * length;
  if (size > 0x7fffffff) {
    outOfRange(action, "rows · length must be below 2³¹", size);
  }
  const left = readWord(action, "side", options.side, SIDES) === "left";
  return { padTokenId, length, left };
}

/**
 * Row r of the result holds the tokens [borders[r], borders[r + 1]) of `from`,
 * and `rowOf` says in which row a document stands. `bordered` asks for cuSeqlens.
 */
export function padRows(
  from: Layout,
  borders: Int32Array,
  rowOf: (document: number) => number,
  { padTokenId, length, left }: Padding,
  bordered: boolean,
): PaddedBatch {
  const rows = borders.length - 1;
  const first = (r: number) =>
    // of a row's tokens
    r * length + (left ? length - (borders[r + 1]! - borders[r]!) : 0);
  const move = <T extends Int32Array | Float64Array>(values: T, out: T): T => {
    for (let r = 0; r < rows; r++) {
      out.set(values.subarray(borders[r]!, borders[r + 1]!), first(r));
    }
    return out;
  };
  const moveInt = (values: Int32Array, pad: number) =>
    move(values, new Int32Array(rows * length).fill(pad));
  const by = (document: number) => { // how far a document moves
    const r = rowOf(document);
    return first(r) - borders[r]!;
  };
  const documents = from.documents.map((document, d) => ({
    ...document,
    pack: rowOf(d),
    start: document.start + by(d),
    end: document.end + by(d),
  }));
  const cuSeqlens = [0];
  for (const { start, end } of documents) {
    if (start > cuSeqlens.at(-1)!) cuSeqlens.push(start);
    cuSeqlens.push(end);
  }
  if (cuSeqlens.at(-1)! < rows * length) cuSeqlens.push(rows * length);
  return new PaddedBatch({
    inputIds: moveInt(from.inputIds, padTokenId),
    labels: moveInt(from.labels, from.ignoreIndex),
    ignoreIndex: from.ignoreIndex,
    ...(from.tokenWeights === undefined ? {} : {
      tokenWeights: move(from.tokenWeights, new Float64Array(rows * length)),
    }),
    attentionMask: moveInt(new Int32Array(from.inputIds.length).fill(1), 0),
    positionIds: moveInt(from.positionIds, 0),
    documentIds: moveInt(from.documentIds, -1),
    documents,
    spans: from.spans.map((span) => moveSpan(span, by(span.document), span)),
    lostTargets: from.lostTargets,
    dims: [rows, length],
    cuSeqlens: bordered ? Int32Array.from(cuSeqlens) : null,
  });
}

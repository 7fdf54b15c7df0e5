/**
 * Padding: flat tokens as rows of one length. What is padding is known by where
 * it is, never by its id, so the pad token may be a real one's, as where pad is eos.
 *
 * @module
 */
import {
  type Action,
  count,
  int32,
  outOfRange,
  type Readers,
  required,
  word,
} from "../checks.ts";
import { moveSpan } from "./lay.ts";
import { type LayoutFields, moveColumns, PaddedBatch } from "./layouts.ts";
import type { PadOptions } from "./types.ts";

/** Options that say how rows are padded, but for the side. */
export const LENGTHS: Readers<Omit<PadOptions, "side">> = {
  padTokenId: required(int32(0)),
  padToMultipleOf: count(1),
  length: count(0),
};

/** The same with the side. */
export const PADDING: Readers<PadOptions> = {
  ...LENGTHS,
  side: word<"right" | "left">(["right", "left"]),
};

/** Checked padding of B rows to L tokens. */
export interface Padding {
  padTokenId: number;
  length: number;
  left: boolean;
}

/** Checks how rows with these borders are padded; `nameRow` says what an error calls one. */
export function paddingOf(
  action: Action,
  options: PadOptions,
  borders: Int32Array,
  nameRow: (row: number) => string,
): Padding {
  const { padTokenId, padToMultipleOf: multiple = 1, side } = options;
  let longest = 0, row = 0;
  for (let r = 0; r + 1 < borders.length; r++) {
    const length = borders[r + 1]! - borders[r]!;
    if (length > longest) {
      longest = length;
      row = r;
    }
  }
  const given = options.length ?? longest;
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
  return { padTokenId, length, left: side === "left" };
}

/**
 * Row r of the result holds the tokens [borders[r], borders[r + 1]) of `from`,
 * and `rowOf` says in which row a document stands.
 */
export function layRows(
  from: LayoutFields,
  borders: Int32Array,
  rowOf: (document: number) => number,
  { padTokenId, length, left }: Padding,
): LayoutFields {
  const rows = borders.length - 1;
  const first = (r: number) =>
    // of a row's tokens
    r * length + (left ? length - (borders[r + 1]! - borders[r]!) : 0);
  const by = (document: number) => { // how far a document moves
    const r = rowOf(document);
    return first(r) - borders[r]!;
  };
  return {
    ...moveColumns(from, padTokenId, (values, pad) => {
      const kind = values.constructor as new (length: number) => typeof values;
      const out = new kind(rows * length).fill(pad);
      for (let r = 0; r < rows; r++) {
        out.set(values.subarray(borders[r], borders[r + 1]), first(r));
      }
      return out as typeof values;
    }),
    documents: from.documents.map((document, d) => ({
      ...document,
      start: document.start + by(d),
      end: document.end + by(d),
    })),
    spans: from.spans.map((span) => moveSpan(span, by(span.document), span)),
    lostTargets: from.lostTargets,
  };
}

/** {@link layRows} as a batch; `bordered` asks for cuSeqlens. */
export function padRows(
  from: LayoutFields,
  borders: Int32Array,
  rowOf: (document: number) => number,
  padding: Padding,
  bordered: boolean,
): PaddedBatch {
  const laid = layRows(from, borders, rowOf, padding);
  laid.documents.forEach((document, d) => document.pack = rowOf(d));
  const { documentIds, documents } = laid;
  const cuSeqlens = [0];
  for (const { start, end } of documents) {
    if (start > cuSeqlens.at(-1)!) cuSeqlens.push(start);
    cuSeqlens.push(end);
  }
  if (cuSeqlens.at(-1)! < documentIds.length) {
    cuSeqlens.push(documentIds.length);
  }
  return new PaddedBatch({
    ...laid,
    attentionMask: documentIds.map((d) => d < 0 ? 0 : 1),
    dims: [borders.length - 1, padding.length],
    ...(bordered && { cuSeqlens: Int32Array.from(cuSeqlens) }),
  });
}

/**
 * Tokens laid out, and what every layout can be asked: whom a token may attend
 * to, the mask as an array, and where a token comes from. A layout is plain data
 * with a few questions: structuredClone keeps the data, and a loss needs no more.
 *
 * @module
 */
import { type Action, outOfRange, readView } from "../checks.ts";
import type { CausalBatch } from "../contract.ts";
import type { PackedDocument, PackedSpan, TokenPlace } from "./types.ts";

const ACTION = "read tokens";

/** The data of a layout of N tokens and D documents. */
export interface LayoutFields {
  /** [N] token ids, the padding's where there is padding. */
  inputIds: Int32Array;
  /** [N] labels aligned with the ids: the id where it is trained, else ignoreIndex. */
  labels: Int32Array;
  /** The label of what is not trained. */
  ignoreIndex: number;
  /** [N] loss weights, 0 wherever the label is ignored. Only where some sample has weights; 1 for trained tokens of the others. */
  tokenWeights?: Float64Array;
  /** [N] the position in the document, from 0; 0 on padding. */
  positionIds: Int32Array;
  /** [N] the index of the document, -1 on padding. */
  documentIds: Int32Array;
  /** [D] the documents, in the order they stand. */
  documents: PackedDocument[];
  /** The spans of the samples, in the positions of this layout. */
  spans: PackedSpan[];
  /** How many trained tokens are no targets here: their documents begin with them. */
  lostTargets: number;
}

/**
 * What flat, packed and padded layouts have in common. Valid where a batch is
 * wanted: `causalLoss(logits, layout)`.
 *
 * @example Who sees whom, and where a token is from
 * ```ts
 * import { type Layout, packSequences } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const samples = [{ inputIds: [11, 12] }, { inputIds: [21] }];
 * const layout: Layout = packSequences(samples, { maxLength: 3 });
 * assertEquals([...layout.positionIds], [0, 1, 0]);
 * assertEquals([layout.attends(1, 0), layout.attends(2, 1)], [true, false]);
 * assertEquals(layout.locate(1), { sample: 0, position: 1, document: 0 });
 * ```
 */
export class Layout implements LayoutFields, CausalBatch {
  /** [N] token ids, the padding's where there is padding. */
  declare readonly inputIds: Int32Array;
  /** [N] labels aligned with the ids: the id where it is trained, else ignoreIndex. */
  declare readonly labels: Int32Array;
  /** The label of what is not trained. */
  declare readonly ignoreIndex: number;
  /** [N] loss weights, 0 wherever the label is ignored. Only where some sample has weights; 1 for trained tokens of the others. */
  declare readonly tokenWeights?: Float64Array;
  /** [N] the position in the document, from 0; 0 on padding. */
  declare readonly positionIds: Int32Array;
  /** [N] the index of the document, -1 on padding. */
  declare readonly documentIds: Int32Array;
  /** [D] the documents, in the order they stand. */
  declare readonly documents: PackedDocument[];
  /** The spans of the samples, in the positions of this layout. */
  declare readonly spans: PackedSpan[];
  /** How many trained tokens are no targets here: their documents begin with them. */
  declare readonly lostTargets: number;

  /** Made by `packSequences` and `collate`. */
  constructor(fields: LayoutFields) {
    Object.assign(this, fields);
  }

  /** [D] How many tokens each document has. */
  get seqLengths(): Int32Array {
    return Int32Array.from(this.documents, ({ start, end }) => end - start);
  }

  /**
   * Whether the token at `query` sees the one at `key`: both in one document,
   * the key not later. Padding sees itself only.
   *
   * @throws {RangeError} A position is not in the layout.
   */
  attends(query: number, key: number): boolean {
    const document = this.#documentAt("query", query);
    const other = this.#documentAt("key", key);
    return query === key ||
      (document === other && document >= 0 && key <= query);
  }

  /**
   * `attends` as an array, [N, N] row-major, 1 where the query (row) sees the key.
   * A padded layout gives [B, L, L], one mask per row.
   *
   * @throws {RangeError} The mask would have 2³¹ elements or more.
   */
  denseMask(): Uint8Array {
    checkLayout(ACTION, this);
    return denseMask(this.documentIds, 1, this.documentIds.length);
  }

  /**
   * Where the token at position `t` comes from; null for padding.
   *
   * @throws {RangeError} The position is not in the layout.
   */
  locate(t: number): TokenPlace | null {
    const document = this.#documentAt("position", t);
    if (document < 0) return null;
    const { sample, sampleStart, start } = this.documents[document]!;
    return { sample, position: sampleStart + t - start, document };
  }

  #documentAt(name: string, t: number): number {
    const document = this.documentIds[t];
    if (document === undefined) {
      const count = this.documentIds.length;
      outOfRange(ACTION, `${name} must be one of ${count} positions`, t);
    }
    return document;
  }
}

/** The data of a padded layout. */
export interface PaddedFields extends LayoutFields {
  /** [N] 1 for tokens, 0 for padding. */
  attentionMask: Int32Array;
  /** [B, L] */
  dims: [rows: number, length: number];
  /** Borders of every document and of every run of padding, where rows hold several documents. */
  cuSeqlens?: Int32Array;
}

/** What has a value per token. */
type Columns = Omit<LayoutFields, "documents" | "spans" | "lostTargets">;

/** Makes an array of another, of this name; `pad` is what stands in the padding. */
type Move = <T extends Int32Array | Float64Array>(
  values: T,
  pad: number,
  name: string,
) => T;

/** The columns of a layout, each of them moved alike. */
export function moveColumns(
  from: LayoutFields,
  padTokenId: number,
  move: Move,
): Columns {
  const { ignoreIndex } = from;
  const pads = {
    inputIds: padTokenId,
    labels: ignoreIndex,
    tokenWeights: 0,
    positionIds: 0,
    documentIds: -1,
  };
  const moved: Record<string, unknown> = { ignoreIndex };
  for (const [name, pad] of Object.entries(pads)) {
    const values = from[name as keyof typeof pads];
    if (values !== undefined) moved[name] = move(values, pad, name);
  }
  return moved as unknown as Columns;
}

/**
 * Rows of one length, row-major: B rows of L tokens, N = B · L.
 *
 * @example
 * ```ts
 * import { collate, type PaddedBatch } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const samples = [{ inputIds: [11, 12] }, { inputIds: [21] }];
 * const batch: PaddedBatch = collate(samples, { padTokenId: 0 });
 * assertEquals(batch.dims, [2, 2]);
 * assertEquals([...batch.inputIds], [11, 12, 21, 0]);
 * assertEquals([...batch.attentionMask], [1, 1, 1, 0]);
 * ```
 */
export class PaddedBatch extends Layout {
  /** [N] 1 for tokens, 0 for padding. */
  declare readonly attentionMask: Int32Array;
  /** [B, L] */
  declare readonly dims: [rows: number, length: number];
  /** L, or 1 where it is 0, as sequences of no length divide nothing. */
  declare readonly sequenceLength: number;
  /** Where rows hold several documents: borders of every document and of every run of padding, over all N tokens. */
  declare readonly cuSeqlens?: Int32Array;

  /** Made by `padded()` and `collate`. */
  constructor(fields: PaddedFields) {
    super(fields);
    this.sequenceLength = Math.max(fields.dims[1], 1);
  }

  /** [B, L, L], one block-causal mask per row. */
  override denseMask(): Uint8Array {
    checkLayout(ACTION, this);
    return denseMask(this.documentIds, ...this.dims);
  }
}

/** Throws if arrays of a layout were given away, to a worker perhaps, so that nothing can be made of it any more. */
export function checkLayout(action: Action, layout: LayoutFields): void {
  moveColumns(layout, 0, (values, _, name) => readView(action, name, values));
}

/** [rows, length, length], filled one run of ones per query: from where its document begins in the row to itself. */
function denseMask(
  documentIds: Int32Array,
  rows: number,
  length: number,
): Uint8Array {
  const size = rows * length * length;
  if (size > 0x7fffffff) {
    outOfRange(
      ACTION,
      "a dense mask must have fewer than 2³¹ elements (take one pack's, or attends)",
      size,
    );
  }
  const mask = new Uint8Array(size);
  for (let row = 0; row < rows; row++) {
    let first = 0; // of the query's document, within the row
    for (let q = 0; q < length; q++) {
      const at = row * length + q;
      const document = documentIds[at]!;
      // no document stands in two rows
      if (document < 0 || document !== documentIds[at - 1]) first = q;
      mask.fill(1, at * length + first, at * length + q + 1);
    }
  }
  return mask;
}

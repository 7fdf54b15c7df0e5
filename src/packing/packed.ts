/**
 * What `packSequences` returns: all tokens flat, the same tokens pack by pack,
 * and every other layout on request.
 *
 * @module
 */
import { checkOptions, readFlag } from "../checks.ts";
import type { Sample } from "../row.ts";
import { moveSpan } from "./lay.ts";
import {
  checkLayout,
  Layout,
  type LayoutFields,
  type PaddedBatch,
} from "./layouts.ts";
import { padRows, readPadding } from "./padding.ts";
import type {
  FlatOptions,
  PackOrigin,
  PadOptions,
  TruncatedSample,
} from "./types.ts";

const ACTION = "pack sequences";

const PAD_OPTIONS: ReadonlySet<string> = new Set([
  "padTokenId",
  "padToMultipleOf",
  "length",
  "side",
]);
const FLAT_OPTIONS: ReadonlySet<string> = new Set([
  "padTokenId",
  "padToMultipleOf",
  "length",
  "coverPadding",
]);

/** The data of documents laid end to end. */
export interface FlatFields extends LayoutFields {
  /** [D + 1] where documents begin and end, a leading 0. */
  cuSeqlens: Int32Array;
}

/**
 * Documents end to end, without padding (but perhaps at the very end).
 *
 * @example
 * ```ts
 * import { type FlatBatch, packSequences } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const samples = [{ inputIds: [11, 12] }, { inputIds: [21] }];
 * const flat: FlatBatch = packSequences(samples, { maxLength: 3 });
 * assertEquals([...flat.cuSeqlens], [0, 2, 3]);
 * assertEquals(flat.maxSeqlen, 2);
 * ```
 */
export class FlatBatch extends Layout implements FlatFields {
  /** [D + 1] where documents begin and end, a leading 0; [D + 2] where padding was to be covered. */
  readonly cuSeqlens: Int32Array;
  /** The longest stretch between two of cuSeqlens, 0 where there is none. */
  readonly maxSeqlen: number;

  /** Made by `packSequences`. */
  constructor(fields: FlatFields) {
    super(fields);
    this.cuSeqlens = fields.cuSeqlens;
    this.maxSeqlen = fields.cuSeqlens.reduce(
      (most, end, d, all) => d === 0 ? 0 : Math.max(most, end - all[d - 1]!),
      0,
    );
  }

  /**
   * One row per pack, all of one length: the longest pack's unless said.
   * Documents keep their borders, so a loss is the flat one's; under reduction
   * `"sample"`, which counts positions, padding shrinks it.
   *
   * @throws {RangeError} `length` is shorter than a pack, or a value is out of range.
   * @throws {TypeError} An option is of the wrong kind.
   */
  padded(options: PadOptions): PaddedBatch {
    checkOptions(ACTION, "options", options, PAD_OPTIONS);
    checkLayout(ACTION, this);
    const { documents } = this;
    const first = documents[0]?.pack ?? 0; // a pack alone is row 0
    const rowOf = (d: number) => documents[d]!.pack - first;
    const borders = [0];
    documents.forEach(({ end }, d) => borders[rowOf(d) + 1] = end);
    const rows = Int32Array.from(borders);
    const name = (row: number) => `packs[${first + row}]`;
    const padding = readPadding(ACTION, options, rows, name);
    return padRows(this, rows, rowOf, padding, true);
  }

  /**
   * The same flat tokens with padding at the end, for kernels that want a round
   * length. cuSeqlens ends with the last document, or covers the padding.
   *
   * @throws {RangeError} `length` is shorter than the tokens, or a value is out of range.
   * @throws {TypeError} An option is of the wrong kind.
   */
  flat(options: FlatOptions): FlatBatch {
    checkOptions(ACTION, "options", options, FLAT_OPTIONS);
    checkLayout(ACTION, this);
    const { coverPadding, ...rest } = options;
    const cover = readFlag(ACTION, "coverPadding", coverPadding);
    const whole = Int32Array.of(0, this.inputIds.length);
    const name = () => "the documents";
    const { padTokenId, length } = readPadding(ACTION, rest, whole, name);
    const fill = (values: Int32Array, pad: number) => {
      const out = new Int32Array(length).fill(pad);
      out.set(values);
      return out;
    };
    const tokenWeights = new Float64Array(length);
    tokenWeights.set(this.tokenWeights ?? []);
    return new FlatBatch({
      ignoreIndex: this.ignoreIndex,
      inputIds: fill(this.inputIds, padTokenId),
      labels: fill(this.labels, this.ignoreIndex),
      ...(this.tokenWeights === undefined ? {} : { tokenWeights }),
      positionIds: fill(this.positionIds, 0),
      documentIds: fill(this.documentIds, -1),
      documents: this.documents.map((document) => ({ ...document })),
      spans: this.spans.map((span) => moveSpan(span, 0, span)),
      lostTargets: this.lostTargets,
      cuSeqlens: cover && this.cuSeqlens.at(-1)! < length
        ? Int32Array.from([...this.cuSeqlens, length])
        : this.cuSeqlens.slice(),
    });
  }
}

/**
 * One pack: at most `maxLength` tokens, positions and documents counted from its
 * own beginning.
 *
 * @example
 * ```ts
 * import { type Pack, packSequences } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const samples = [{ inputIds: [11, 12, 13] }, { inputIds: [21, 22] }];
 * const packs: Pack[] = packSequences(samples, { maxLength: 4 }).packs;
 * assertEquals(packs.map(({ inputIds }) => [...inputIds]), [[11, 12, 13], [21, 22]]);
 * assertEquals([...packs[1]!.documentIds], [0, 0]);
 * ```
 */
export class Pack extends FlatBatch {
  /** Its index among the packs. */
  readonly index: number;

  /** Made by `packSequences`. */
  constructor(fields: FlatFields & { index: number }) {
    super(fields);
    this.index = fields.index;
  }
}

/**
 * Packed samples. The fields are the flat layout over all packs, in the order of
 * the packs; `packs` (and iterating) gives them one by one, as views of the same
 * arrays where the numbers are the same.
 *
 * @example Every layout of one value
 * ```ts
 * import { packSequences } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const packed = packSequences([
 *   { inputIds: [11, 12] },
 *   { inputIds: [21] },
 * ], { maxLength: 8 });
 * const pad = { padTokenId: 0, length: 4 };
 *
 * const rows = packed.padded({ ...pad, side: "left" });
 * assertEquals([...rows.inputIds], [0, 11, 12, 21]);
 * assertEquals([...rows.documentIds], [-1, 0, 0, 1]);
 *
 * const flat = packed.flat({ ...pad, coverPadding: true });
 * assertEquals([...flat.cuSeqlens], [0, 2, 3, 4]);
 *
 * const [pack] = packed.packs;
 * assertEquals(pack!.attends(1, 0), true);
 * assertEquals([...pack!.denseMask()], [1, 0, 0, 1, 1, 0, 0, 0, 1]);
 * assertEquals(pack!.locate(2), { sample: 1, position: 0, document: 1 });
 * ```
 */
export class PackedBatch<S extends Sample = Sample> extends FlatBatch {
  /** The packs. */
  readonly packs: Pack[];
  /** The most tokens a pack may hold. */
  readonly maxLength: number;
  /** Samples that were left out, by index. */
  readonly dropped: number[];
  /** Samples that were cut short. */
  readonly truncated: TruncatedSample[];
  /** What `unpack` needs beside the tokens. */
  readonly origin: PackOrigin<S>;

  /** Made by `packSequences`. */
  constructor(
    fields: FlatFields & {
      maxLength: number;
      dropped: number[];
      truncated: TruncatedSample[];
      origin: PackOrigin<S>;
    },
  ) {
    super(fields);
    this.maxLength = fields.maxLength;
    this.dropped = fields.dropped;
    this.truncated = fields.truncated;
    this.origin = fields.origin;
    this.packs = cutIntoPacks(fields, fields.origin.firstLabels);
  }

  /** The packs, in order. */
  *[Symbol.iterator](): IterableIterator<Pack> {
    yield* this.packs;
  }
}

/** Each pack's part of a batch, counted from the pack's own beginning. */
function cutIntoPacks(
  batch: FlatFields,
  firstLabels: Int32Array,
): Pack[] {
  const { documents, spans, ignoreIndex } = batch;
  const packs: Pack[] = [];
  for (let d = 0, s = 0, until: number; d < documents.length; d = until) {
    const index = packs.length;
    until = d + 1;
    while (documents[until]?.pack === index) until++;
    const start = documents[d]!.start, end = documents[until - 1]!.end;
    const own: typeof spans = [];
    for (; s < spans.length && spans[s]!.document < until; s++) {
      const { sample, document } = spans[s]!;
      own.push(moveSpan(spans[s]!, -start, { sample, document: document - d }));
    }
    const { tokenWeights } = batch;
    packs.push(
      new Pack({
        index,
        ignoreIndex,
        inputIds: batch.inputIds.subarray(start, end),
        labels: batch.labels.subarray(start, end),
        ...(tokenWeights === undefined
          ? {}
          : { tokenWeights: tokenWeights.subarray(start, end) }),
        positionIds: batch.positionIds.subarray(start, end),
        documentIds: batch.documentIds.slice(start, end).map((id) => id - d),
        documents: documents.slice(d, until).map((document) => ({
          ...document,
          start: document.start - start,
          end: document.end - start,
        })),
        spans: own,
        lostTargets: firstLabels.subarray(d, until)
          .reduce((lost, y) => y === ignoreIndex ? lost : lost + 1, 0),
        cuSeqlens: batch.cuSeqlens.slice(d, until + 1).map((at) => at - start),
      }),
    );
  }
  return packs;
}

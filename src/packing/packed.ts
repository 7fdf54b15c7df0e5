/**
 * What `packSequences` returns: all tokens flat, the same tokens pack by pack,
 * and every other layout on request.
 *
 * @module
 */
import { flag, optionsReader } from "../checks.ts";
import type { Sample } from "../row.ts";
import { countTrained, moveSpan } from "./lay.ts";
import {
  checkLayout,
  Layout,
  type LayoutFields,
  moveColumns,
  type PaddedBatch,
} from "./layouts.ts";
import { layRows, LENGTHS, PADDING, paddingOf, padRows } from "./padding.ts";
import type {
  FlatOptions,
  PackOrigin,
  PadOptions,
  TruncatedSample,
} from "./types.ts";

const ACTION = "pack sequences";

const readPadding = optionsReader(PADDING);
const readFlat = optionsReader({ ...LENGTHS, coverPadding: flag });

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
  declare readonly cuSeqlens: Int32Array;
  /** The longest stretch between two of cuSeqlens, 0 where there is none. */
  declare readonly maxSeqlen: number;

  /** Made by `packSequences`. */
  constructor(fields: FlatFields) {
    super(fields);
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
    const given = readPadding(ACTION, options);
    checkLayout(ACTION, this);
    const { documents } = this;
    const first = documents[0]?.pack ?? 0; // a pack alone is row 0
    const rowOf = (d: number) => documents[d]!.pack - first;
    const borders = [0];
    documents.forEach(({ end }, d) => borders[rowOf(d) + 1] = end);
    const rows = Int32Array.from(borders);
    const name = (row: number) => `packs[${first + row}]`;
    const padding = paddingOf(ACTION, given, rows, name);
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
    const { coverPadding, ...rest } = readFlat(ACTION, options);
    checkLayout(ACTION, this);
    const whole = Int32Array.of(0, this.inputIds.length);
    const padding = paddingOf(ACTION, rest, whole, () => "the documents");
    const { cuSeqlens } = this, { length } = padding;
    return new FlatBatch({
      ...layRows(this, whole, () => 0, padding),
      cuSeqlens: coverPadding && cuSeqlens.at(-1)! < length
        ? Int32Array.from([...cuSeqlens, length])
        : cuSeqlens.slice(),
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
  declare readonly index: number;

  /** Made by `packSequences`. */
  constructor(fields: FlatFields & { index: number }) {
    super(fields);
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
  declare readonly packs: Pack[];
  /** The most tokens a pack may hold. */
  declare readonly maxLength: number;
  /** Samples that were left out, by index. */
  declare readonly dropped: number[];
  /** Samples that were cut short. */
  declare readonly truncated: TruncatedSample[];
  /** What `unpack` needs beside the tokens. */
  declare readonly origin: PackOrigin<S>;

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
    packs.push(
      new Pack({
        index,
        ...moveColumns(
          batch,
          0,
          (values) => values.subarray(start, end) as typeof values,
        ),
        documentIds: batch.documentIds.slice(start, end).map((id) => id - d),
        documents: documents.slice(d, until).map((document) => ({
          ...document,
          start: document.start - start,
          end: document.end - start,
        })),
        spans: own,
        lostTargets: countTrained(firstLabels.subarray(d, until), ignoreIndex),
        cuSeqlens: batch.cuSeqlens.slice(d, until + 1).map((at) => at - start),
      }),
    );
  }
  return packs;
}

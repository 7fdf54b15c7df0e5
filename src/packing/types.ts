/**
 * The words of packing and collation: what is asked for, and what is reported
 * beside the tokens. Nothing here computes.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import type { Sample } from "../row.ts";

/**
 * Which document goes where.
 * `"bfd"`: best fit decreasing, the longest first, each into the fullest pack
 * that still has room. `"first-fit"`: in the order they come, each into the
 * first pack that has room. `"wrapped"`: end to end, cut every `maxLength`.
 */
export type PackStrategy = "bfd" | "first-fit" | "wrapped";

/**
 * What becomes of a sample longer than a pack: an error, its beginning, all of
 * it as fragments of at most `maxLength`, or nothing.
 */
export type Overlong = "error" | "truncate" | "split" | "drop";

/** Options of `planPacks`. */
export interface PlanOptions {
  /** The most tokens a pack holds, at least 1. */
  maxLength: number;
  /** How documents find their pack (default `"bfd"`). */
  strategy?: PackStrategy;
  /**
   * What becomes of samples longer than `maxLength` (default `"error"`; under
   * `"wrapped"`, which cuts samples of any length, `"split"`).
   */
  overlong?: Overlong;
}

/** Options of `packSequences`. */
export interface PackOptions extends PlanOptions {
  /** The label of what is not trained (default -100). */
  ignoreIndex?: number;
}

/** Options of `packStream`. */
export interface PackStreamOptions {
  /** The most tokens a pack holds, at least 1. */
  maxLength: number;
  /** How many packs wait for a sample that fits (default 64): memory holds at most so many. */
  openPacks?: number;
  /** What becomes of samples longer than `maxLength` (default `"error"`). */
  overlong?: Exclude<Overlong, "split">;
  /** The label of what is not trained (default -100). */
  ignoreIndex?: number;
}

/** Which stretch of which sample goes into which pack: M pieces, pack by pack. */
export interface PackPlan {
  /** How many packs there are. */
  packCount: number;
  /** [M] the sample each piece is of. */
  sample: Int32Array;
  /** [M] where in its sample the piece begins. */
  start: Int32Array;
  /** [M] how many tokens it has, at least 1. */
  length: Int32Array;
  /** [M] the pack it stands in; never falls. */
  pack: Int32Array;
  /** The samples that were cut short. */
  truncated: Int32Array;
  /** The samples that were left out. */
  dropped: Int32Array;
  /** Σ length. */
  tokens: number;
  /** tokens / (packCount · maxLength), 1 where there is no pack. */
  fill: number;
}

/** How rows are padded. */
export interface PadOptions {
  /** The id written into padding. It may be a real token's: padding is known by where it is. */
  padTokenId: number;
  /** Round the length up to a multiple of this. */
  padToMultipleOf?: number;
  /** The length of each row, at least the longest one's (which is the default). */
  length?: number;
  /** Where the padding goes (default `"right"`). */
  side?: "right" | "left";
}

/** Options of `collate`. */
export interface CollateOptions extends PadOptions {
  /** The label of what is not trained (default -100). */
  ignoreIndex?: number;
}

/** How a flat layout is padded at its end. */
export interface FlatOptions {
  /** The id written into padding. */
  padTokenId: number;
  /** Round the length up to a multiple of this. */
  padToMultipleOf?: number;
  /** The length in all, at least that of the tokens (which is the default). */
  length?: number;
  /** Whether cuSeqlens counts the padding as one more document (default false: it ends with the last one). */
  coverPadding?: boolean;
}

/** One document: a sample, or a fragment of one. */
export interface PackedDocument {
  /** The sample's index in what was packed. */
  sample: number;
  /** Where in the sample the document begins; 0 but for fragments. */
  sampleStart: number;
  /** The index of the pack, or of the row, that holds it. */
  pack: number;
  /** Its first position in this layout. */
  start: number;
  /** The position behind its last. */
  end: number;
}

/**
 * A sample's span in the positions of a layout, cut where a fragment ends. It
 * keeps whatever else the span carried (`message`, `field`).
 */
export type PackedSpan = TokenSpan & {
  /** The sample's index. */
  readonly sample: number;
  /** The index in `documents`. */
  readonly document: number;
};

/** Where a token of a layout comes from. */
export interface TokenPlace {
  /** The sample's index. */
  sample: number;
  /** The token's position in the sample. */
  position: number;
  /** The index in `documents`. */
  document: number;
}

/** A sample of which only the beginning was packed. */
export interface TruncatedSample {
  /** The sample's index. */
  sample: number;
  /** How many tokens were cut off. */
  tokensCut: number;
  /** How many of those were trained. */
  trainedTokensCut: number;
  /** Whether the sample had targets and has none left, so that nothing of its answer is learnt. */
  answerLost: boolean;
}

/** What `unpack` needs beside the tokens. Plain data, of no use elsewhere. */
export interface PackOrigin<S extends Sample = Sample> {
  /** [D] the label of each document's first token as it was given. */
  firstLabels: Int32Array;
  /** Positions whose weight was given but does not count, as their label is ignored. */
  hiddenAt: Int32Array;
  /** The weights given there. */
  hiddenWeights: Float64Array;
  /** What was packed, without its tokens; null for what was dropped. */
  samples: (KeptSample<S> | null)[];
}

/** A sample without its tokens. */
export interface KeptSample<S extends Sample = Sample> {
  /** How many of its tokens were packed. */
  length: number;
  /** The kinds of its arrays: `"Array"`, `"BigInt64Array"` and so on; null for what it has not. */
  kinds: { inputIds: string; labels: string | null; weights: string | null };
  /** Its spans, as far as they were packed. */
  spans: TokenSpan[] | null;
  /** All its fields, with null for those that are rebuilt. */
  fields: { [Field in keyof S]: S[Field] | null };
}

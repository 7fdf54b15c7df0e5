/**
 * Which stretch of which sample goes into which pack. Lengths only: a million
 * samples are planned without one token of theirs, in 16 bytes a piece.
 *
 * @module
 */
import {
  type Action,
  number,
  optional,
  optionsReader,
  outOfRange,
  type Reader,
  type Readers,
  readIds,
  required,
  type Values,
  word,
} from "../checks.ts";
import { bestFitDecreasing, type Bins, firstFit } from "./bins.ts";
import type { Overlong, PackPlan, PackStrategy, PlanOptions } from "./types.ts";

const LONGEST = 0x7fffffff; // positions are int32

/** Checked options of a plan. */
export interface Planning {
  maxLength: number;
  strategy: PackStrategy;
  overlong: Overlong;
}

/** Options that say how packs are filled. */
export const PLANNING: Readers<Omit<Planning, "overlong">> & {
  overlong: Reader<Overlong | undefined>;
} = {
  maxLength: required(
    number(0, "a whole number in [1, 2³¹)", (n) => (n | 0) === n && n > 0),
  ),
  strategy: word(["bfd", "first-fit", "wrapped"]),
  overlong: optional(word(["error", "truncate", "split", "drop"])),
};

const readPlanning = optionsReader(PLANNING);

/**
 * Plans packs from lengths alone, as `packSequences` fills them.
 *
 * Empty samples go nowhere. Under `"bfd"` packs come in the order they were
 * opened, the longest document of each first; under `"first-fit"` and
 * `"wrapped"` in the order of the samples. O(n log n) at most.
 *
 * @param lengths How many tokens each sample has.
 * @param options `maxLength`, and how to fill.
 * @returns The pieces, pack by pack; no pack is empty or longer than `maxLength`.
 * @throws {RangeError} A sample is longer than `maxLength` and `overlong` does not say what to do, or a value is out of range.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example Three samples in two packs
 * ```ts
 * import { planPacks } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const plan = planPacks([3, 4, 1], { maxLength: 4 });
 * assertEquals(plan.packCount, 2);
 * assertEquals([...plan.sample], [1, 0, 2]);
 * assertEquals([...plan.pack], [0, 1, 1]);
 * assertEquals(plan.fill, 1);
 * ```
 */
export function planPacks(
  lengths: ArrayLike<number>,
  options: PlanOptions,
): PackPlan {
  const action = "plan packs";
  const planning = planningOf(readPlanning(action, options));
  const checked = readIds(action, "lengths", lengths);
  checked.forEach((length, i) => {
    if (length >= 0) return;
    outOfRange(
      action,
      `lengths[${i}] must be a whole number of at least 0`,
      length,
    );
  });
  return plan(action, checked, planning);
}

/** What a plan is made by, of options that {@link PLANNING} read. */
export function planningOf(values: Values<typeof PLANNING>): Planning {
  const { maxLength, strategy, overlong } = values;
  // wrapped is to cut samples, long or short
  const usual = strategy === "wrapped" ? "split" : "error";
  return { maxLength, strategy, overlong: overlong ?? usual };
}

/** Refuses a sample that is too long where nobody says what to do with it. */
export function refuseOverlong(
  action: Action,
  sample: number,
  length: number,
  maxLength: number,
  choices: string,
): never {
  outOfRange(
    action,
    `samples[${sample}] must have at most maxLength, ${maxLength}, tokens; overlong: ${choices} or "drop" would say what to do with it`,
    length,
  );
}

/** {@link planPacks} of checked lengths. */
export function plan(
  action: Action,
  lengths: Int32Array,
  { maxLength, strategy, overlong }: Planning,
): PackPlan {
  const truncated: number[] = [], dropped: number[] = [];
  const kept = lengths.slice();
  for (let i = 0; i < kept.length; i++) {
    const length = kept[i]!;
    if (length <= maxLength || overlong === "split") continue;
    if (overlong === "error") {
      refuseOverlong(action, i, length, maxLength, `"truncate", "split"`);
    }
    (overlong === "drop" ? dropped : truncated).push(i);
    kept[i] = overlong === "drop" ? 0 : maxLength;
  }
  let tokens = 0;
  for (const length of kept) tokens += length;
  const pieces = strategy === "wrapped"
    ? cut(action, kept, maxLength, tokens)
    : fit(cut(action, kept, maxLength), maxLength, tokens, strategy);
  const packCount = pieces.length.length === 0 ? 0 : pieces.pack.at(-1)! + 1;
  return {
    packCount,
    ...pieces,
    truncated: Int32Array.from(truncated),
    dropped: Int32Array.from(dropped),
    tokens,
    fill: packCount === 0 ? 1 : tokens / (packCount * maxLength),
  };
}

type Pieces = Pick<PackPlan, "sample" | "start" | "length" | "pack">;

/**
 * Cuts each sample into stretches of at most `maxLength`; given the tokens in
 * all, cuts what they make laid end to end, so that every pack but the last is full.
 */
function cut(
  action: Action,
  lengths: Int32Array,
  maxLength: number,
  wrappedTokens?: number,
): Pieces {
  let most = 0; // pieces
  for (const length of lengths) most += Math.ceil(length / maxLength);
  if (wrappedTokens !== undefined) {
    // an end for each sample that has one, and one for each pack
    most = Math.min(
      wrappedTokens,
      lengths.length + Math.ceil(wrappedTokens / maxLength),
    );
  }
  if (most > LONGEST) {
    outOfRange(action, "maxLength must leave fewer than 2³¹ pieces", maxLength);
  }
  const sample = new Int32Array(most), start = new Int32Array(most);
  const length = new Int32Array(most), pack = new Int32Array(most);
  let count = 0, packs = 0, room = maxLength;
  for (let i = 0; i < lengths.length; i++) {
    for (let at = 0; at < lengths[i]!;) {
      const taken = Math.min(room, lengths[i]! - at);
      sample[count] = i;
      start[count] = at;
      length[count] = taken;
      pack[count] = packs;
      count++;
      at += taken;
      if (wrappedTokens === undefined) continue;
      room -= taken;
      if (room > 0) continue;
      room = maxLength;
      packs++;
    }
  }
  return each(
    { sample, start, length, pack },
    (values) => count === most ? values : values.slice(0, count),
  );
}

/** Puts pieces into packs, and in the order of the packs. */
function fit(
  pieces: Pieces,
  maxLength: number,
  tokens: number,
  strategy: "bfd" | "first-fit",
): Pieces {
  const search = strategy === "bfd" ? bestFitDecreasing : firstFit;
  const bins = search(pieces.length, Math.min(maxLength, tokens));
  const order = binByBin(bins);
  return each({ ...pieces, pack: bins.bin }, (values) => {
    const out = new Int32Array(order.length);
    for (let i = 0; i < out.length; i++) out[i] = values[order[i]!]!;
    return out;
  });
}

/** Pieces of which every array is made anew. */
function each(
  { sample, start, length, pack }: Pieces,
  make: (values: Int32Array) => Int32Array,
): Pieces {
  return {
    sample: make(sample),
    start: make(start),
    length: make(length),
    pack: make(pack),
  };
}

/** The pieces of bin 0 in the order they were placed, then those of bin 1, ...: a counting sort. */
function binByBin({ order, bin, count }: Bins): Int32Array {
  const from = new Int32Array(count + 1);
  for (const b of bin) from[b + 1]!++;
  for (let b = 0; b < count; b++) from[b + 1]! += from[b]!;
  const sorted = new Int32Array(bin.length);
  for (let i = 0; i < sorted.length; i++) {
    const piece = order === null ? i : order[i]!;
    sorted[from[bin[piece]!]!++] = piece;
  }
  return sorted;
}

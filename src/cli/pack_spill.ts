/**
 * Spilled rows laid out: one by one, or as packs. The plan is made from lengths
 * alone; the tokens of some packs at a time are read back and laid by the
 * library's own packer.
 *
 * @module
 */
import {
  collate,
  IGNORE_INDEX,
  type PackPlan,
  packSequences,
  type PackStrategy,
  planPacks,
} from "../../mod.ts";
import type { PreparedRow } from "./outputs.ts";
import type { Spill, SpilledRow } from "./spill.ts";

/**
 * Tokens that are laid out at a time, and stand in a row group of parquet, whose
 * writer takes some 400 bytes of memory a token.
 */
const TOKENS_AT_ONCE = 1 << 16;

/** Nor more rows than this. */
const ROWS_AT_ONCE = 4096;

/** How rows are laid out. */
export interface LayoutPlan {
  /** How many rows there will be. */
  readonly rows: number;
  /** The tokens of the longest. */
  readonly longest: number;
  /** Tokens per place in the packs; null where nothing is packed. */
  readonly fill: number | null;
  /** Which stretches stand in which row; null where nothing is packed. */
  readonly packs: PackPlan | null;
}

/** Plans packs of at most `maxLength` tokens, or none. */
export function planLayout(
  lengths: Int32Array,
  strategy: PackStrategy | "none",
  maxLength: number,
): LayoutPlan {
  if (strategy === "none") {
    const longest = lengths.reduce((most, n) => Math.max(most, n), 0);
    return { rows: lengths.length, longest, fill: null, packs: null };
  }
  const packs = planPacks(lengths, { maxLength, strategy });
  let longest = 0;
  let length = 0;
  for (let piece = 0; piece < packs.pack.length; piece++) {
    if (packs.pack[piece] !== packs.pack[piece - 1]) length = 0;
    length += packs.length[piece]!;
    longest = Math.max(longest, length);
  }
  return { rows: packs.packCount, longest, fill: packs.fill, packs };
}

/** Borders of every document, and of every run of padding, over rows padded to `length`. */
export function bordersOf(
  { sample, length, pack }: PackPlan,
  padded: number,
): Int32Array {
  const borders = [0];
  for (let piece = 0; piece < sample.length; piece++) {
    const start = pack[piece]! * padded;
    if (borders.at(-1)! < start) borders.push(start); // the row before ends in padding
    borders.push(borders.at(-1)! + length[piece]!);
  }
  const end = (pack.at(-1)! + 1) * padded;
  if (borders.at(-1)! < end) borders.push(end);
  return Int32Array.from(borders);
}

/** What rows are laid out with. */
export interface LayOptions {
  /** Whether every row has weights, because one has. */
  readonly weights: boolean;
  /** Whether rows carry their certificates. */
  readonly certificates: boolean;
}

/** Rows that are ready, and what laying them out cost. */
export interface LaidRows {
  readonly rows: PreparedRow[];
  /** Trained tokens that are no targets: their documents begin with them. */
  readonly lostTargets: number;
}

/** Lays rows out, some at a time. */
export function* layRows(
  spill: Spill,
  { packs, rows }: LayoutPlan,
  options: LayOptions,
): Generator<LaidRows, void, void> {
  let laid: PreparedRow[] = [];
  let tokens = 0;
  let lostTargets = 0;
  let piece = 0;
  for (let row = 0; row < rows; row++) {
    let length = 0;
    if (packs === null) {
      const { prepared, lost } = alone(spill, row, options);
      laid.push(prepared);
      lostTargets += lost;
      length = spill.lengths[row]!;
    } else {
      const start = piece;
      while (packs.pack[piece] === row) length += packs.length[piece++]!;
      const { prepared, lost } = pack(spill, packs, start, piece, options);
      laid.push(prepared);
      lostTargets += lost;
    }
    tokens += length;
    const isFull = tokens >= TOKENS_AT_ONCE || laid.length >= ROWS_AT_ONCE;
    if (!isFull && row < rows - 1) continue;
    yield { rows: laid, lostTargets };
    laid = [];
    tokens = 0;
    lostTargets = 0;
  }
}

/** A row, and how many of its trained tokens are no targets. */
interface PreparedWithLoss {
  readonly prepared: PreparedRow;
  readonly lost: number;
}

/** A row that is not packed. Its first label stays, as nothing stands before it, and is no target all the same. */
function alone(
  spill: Spill,
  row: number,
  { weights, certificates }: LayOptions,
): PreparedWithLoss {
  const sample = read(spill, row, 0, spill.lengths[row]!, weights);
  const proof = certificates
    ? { certificate: JSON.parse(spill.certificate(row)) as unknown }
    : {};
  return {
    lost: sample.labels[0] === IGNORE_INDEX ? 0 : 1,
    prepared: {
      storable: () => ({ ...sample, ...proof }),
      padded: (padTokenId, length) => collate([sample], { padTokenId, length }),
    },
  };
}

/** Pieces `start` to `end` of a plan as one row. */
function pack(
  spill: Spill,
  packs: PackPlan,
  start: number,
  end: number,
  { weights, certificates }: LayOptions,
): PreparedWithLoss {
  const samples: SpilledRow[] = [];
  const proofs: unknown[] = [];
  let total = 0;
  for (let piece = start; piece < end; piece++) {
    const [row, from] = [packs.sample[piece]!, packs.start[piece]!];
    const length = packs.length[piece]!;
    samples.push(read(spill, row, from, length, weights));
    total += length;
    if (certificates) {
      const { start = 0, ...proof } = JSON.parse(spill.certificate(row));
      proofs.push({ start: start + from, length, ...proof });
    }
  }
  // wrapped lays end to end; what is no longer than a pack is not cut
  const packed = packSequences(samples, {
    maxLength: total,
    strategy: "wrapped",
  });
  const { inputIds, labels, tokenWeights, positionIds, cuSeqlens } = packed;
  return {
    lost: packed.lostTargets,
    prepared: {
      storable: () => ({
        inputIds,
        labels,
        positionIds,
        cuSeqlens,
        ...(tokenWeights === undefined ? {} : { tokenWeights }),
        ...(certificates ? { certificate: proofs } : {}),
      }),
      padded: (padTokenId, length) => packed.padded({ padTokenId, length }),
    },
  };
}

function read(
  spill: Spill,
  row: number,
  start: number,
  length: number,
  weights: boolean,
): SpilledRow {
  const sample = spill.read(row, start, length);
  if (!weights || sample.weights !== undefined) return sample;
  const ones = Float64Array.from(
    sample.labels,
    (label) => label === IGNORE_INDEX ? 0 : 1,
  );
  return { ...sample, weights: ones };
}

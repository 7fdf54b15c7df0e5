/**
 * Random losses, each made from one number: shapes, storage, layouts, options,
 * values at every edge. Who has a seed has the case.
 *
 * @module
 */
import type { GradOptions } from "../../src/contract.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import { seeded } from "../engines.ts";

/** How logits are stored. */
export type Storage = "f32" | "bf16" | "f16";
/** The arrays for it. */
export type Stored = Float32Array | Uint16Array;

/** A loss to compute. */
export interface Case {
  seed: number;
  rows: number;
  vocabSize: number;
  rowStride: number;
  storage: Storage;
  logits: Stored;
  labels: number[];
  options: GradOptions;
  /** Whether the logits travel as { data, dims }, and with which dims. */
  dims: number[] | null;
}

const EDGES = [0, -0, 1e-40, 1, -1, 30, 60, 90, -60, -120, 700, -700, 1e4, -1e4]
  .concat([5e6, -1e9, -3e38, -Infinity, -Infinity, -Infinity, NaN, Infinity]);
/** Rare, since a row in which one is the largest logit holds nothing else. */
const HUGE = [1e9, 3e10, -3e10, 1e15, 3e38];

/** Dice of one case. */
function dice(seed: number) {
  const random = seeded(seed);
  const chance = (p: number) => random() < p;
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const between = (low: number, high: number) => low + (high - low) * random();
  const normal = () =>
    Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return { chance, below, pick, between, normal };
}
type Dice = ReturnType<typeof dice>;

/** One row of logits: a kind of model, then edges. */
function makeRow(d: Dice, vocabSize: number, label: number): number[] {
  const spread = d.pick([2.5, 2.5, 2.5, 0, 0.1, 20, 300]);
  const centre = d.pick([0, 0, 0, 40, -3000, 1e3, 2e4, -1e5, 1e6]);
  const row = Array.from(
    { length: vocabSize },
    () => centre + spread * d.normal(),
  );
  if (d.chance(0.2) && label >= 0) row[label]! += d.between(-100, 100);
  if (d.chance(0.15)) row.fill(-Infinity, 0, d.below(vocabSize + 1));
  if (d.chance(0.3)) {
    for (let n = d.below(4); n >= 0; n--) {
      row[d.below(vocabSize)] = d.pick(EDGES);
    }
  }
  if (d.chance(0.02)) row[d.below(vocabSize)] = d.pick(HUGE);
  return row;
}

function makeOptions(d: Dice, rows: number, vocabSize: number): GradOptions {
  const options: GradOptions = {};
  if (d.chance(0.25)) return options;
  const weights = (count: number, low: number) =>
    Array.from({ length: count }, () => d.chance(0.2) ? 0 : d.between(low, 3));
  if (d.chance(0.2)) options.labelSmoothing = d.pick([0.1, 0.01, 0.9, 1]);
  if (d.chance(0.2)) options.zLoss = d.pick([1e-4, 1e-2]);
  if (d.chance(0.2)) options.softcap = d.pick([30, 50, 5, 0.5]);
  if (d.chance(0.2)) options.logitScale = d.pick([0.5, 2, -1, 1 / 3]);
  if (d.chance(0.2)) options.tokenWeights = weights(rows, 0);
  if (d.chance(0.15)) options.classWeights = weights(vocabSize, 0);
  if (d.chance(0.3)) {
    options.reduction = d.pick(["token", "sample", "sequence", "sum"]);
  }
  if (d.chance(0.1)) {
    // weights of any sign need a denominator of their own
    options.tokenWeights = weights(rows, -3);
    options.denominator = Math.max(1, rows);
  } else if (d.chance(0.2)) options.denominator = d.between(0.5, 20);
  if (d.chance(0.2)) options.upstream = d.pick([2, -1, 1e-3, 0]);
  else if (d.chance(0.1)) options.upstream = weights(rows, -2);
  if (d.chance(0.2)) options.metrics = true;
  if (d.chance(0.3)) options.shift = true;
  return options;
}

/** The case of a seed. */
export function makeCase(seed: number): Case {
  const d = dice(seed);
  const sizes = [d.below(20), 56 + d.below(20), 1000 + d.below(60)];
  const vocabSize = 1 + d.pick([...sizes, sizes[0]!, d.below(4000)]);
  const most = Math.min(12, Math.ceil(6000 / vocabSize));
  const rows = d.chance(0.03) ? 0 : 1 + d.below(most);
  const padding = d.chance(0.25) ? 1 + d.below(9) : 0;
  const rowStride = vocabSize + padding;
  const options = makeOptions(d, rows, vocabSize);
  const ignoreIndex = d.chance(0.2) ? d.pick([-1, 0, 7, 2 ** 31 - 1]) : -100;
  if (ignoreIndex !== -100) options.ignoreIndex = ignoreIndex;
  const ignored = d.pick([0, 0.1, 0.6, 1]);
  const labels = Array.from(
    { length: rows },
    () => d.chance(ignored) ? ignoreIndex : d.below(vocabSize),
  );
  if (padding > 0 || rows === 0) Object.assign(options, { vocabSize });
  if (padding > 0 && d.chance(0.5)) options.rowStride = rowStride;
  let dims: number[] | null = [rows, rowStride];
  if (rows % 2 === 0 && d.chance(0.4)) dims = [2, rows / 2, rowStride];
  if (d.chance(0.6) || rows === 0) dims = null;
  if (dims === null && padding > 0) options.rowStride = rowStride;
  if (d.chance(0.2) && rows > 0) options.sequenceLength = rows;
  else if (d.chance(0.3)) {
    const cut = d.below(rows + 1);
    options.cuSeqlens = [0, cut, cut, rows];
  }
  const values: number[] = [];
  labels.forEach((label) => {
    values.push(...makeRow(d, vocabSize, label < vocabSize ? label : -1));
    for (let k = 0; k < padding; k++) {
      values.push(d.pick([NaN, Infinity, 1e30]));
    }
  });
  const storage = d.pick(["f32", "f32", "bf16", "f16"] as const);
  if (storage !== "f32") options.dtype = storage;
  const logits = storage === "f32"
    ? Float32Array.from(values)
    : Uint16Array.from(values, storage === "bf16" ? encodeBf16 : encodeF16);
  return {
    seed,
    rows,
    vocabSize,
    rowStride,
    storage,
    logits,
    labels,
    options,
    dims,
  };
}

/** One line that says what a case is. */
export function describe(c: Case): string {
  const { seed, rows, vocabSize, rowStride, storage, dims, options } = c;
  const short = JSON.stringify(
    options,
    (_, value) =>
      Array.isArray(value) && value.length > 12
        ? `${value.length} numbers`
        : value,
  );
  const layout = dims ? `dims [${dims}]` : `stride ${rowStride}`;
  return `seed ${seed}: ${rows} x ${vocabSize} ${storage}, ${layout}, ${short}`;
}

/**
 * Random losses, each made from one number: shapes, storage, layouts, options,
 * values at every edge, and what must hold of each on every engine. Who finds a
 * broken one has its seed, which is all it takes to see it again.
 *
 * @module
 */
import { maskedCrossEntropy, maskedCrossEntropyGrad } from "../../mod.ts";
import type { GradOptions, Logits, LossWorkspace } from "../../src/contract.ts";
import type { Engine } from "../../src/engine.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { fastestBuild } from "../../src/wasm/loader.ts";
import { createLossWorkspace } from "../../src/wasm/workspace.ts";
import {
  exactGrad,
  fastEngines,
  loss,
  lossError,
  lossGrad,
  seeded,
} from "../engines.ts";

/** Bounds of DESIGN 2.2 and the figures: loss, gradient. */
const LOSS_BOUND = 1e-6, GRAD_BOUND = 2e-6;

type Storage = "f32" | "bf16" | "f16";
type Stored = Float32Array | Uint16Array;

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

const workspaces: Partial<Record<Storage, LossWorkspace>> = {};

/** A copy of the logits inside a workspace, at one of several places. */
function inWorkspace({ storage, logits, seed }: Case): Stored {
  const size = { rows: 16, vocabSize: 4096, dtype: storage };
  const workspace = workspaces[storage] ??= createLossWorkspace(size);
  const view = workspace.logits.subarray(seed % 7, seed % 7 + logits.length);
  view.set(logits);
  return view;
}

/** Whether two arrays hold the same numbers, NaN being one of them and 0 two. */
function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/** The worst of the rows by DESIGN's measure, but for half a place of the smallest float32. */
function gradientError(
  actual: ArrayLike<number>,
  exact: Float64Array,
  vocabSize: number,
): number {
  let worst = 0;
  for (let row = 0; row < exact.length; row += vocabSize) {
    let top = 0;
    for (let k = row; k < row + vocabSize; k++) {
      top = Math.max(top, Math.abs(exact[k]!));
    }
    for (let k = row; k < row + vocabSize; k++) {
      const a = actual[k]!, e = exact[k]!;
      if (Object.is(a, e) || Math.abs(a - e) <= 2 ** -149) continue;
      const error = Math.abs(a - e) / (Math.abs(e) + 1e-4 * top);
      if (!(error <= worst)) worst = error;
      if (worst !== worst) return Infinity;
    }
  }
  return worst;
}

/** What is wrong with a case: nothing, one hopes. */
export function check(c: Case): string[] {
  const { logits, labels, options, vocabSize, dims } = c;
  const faults: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) faults.push(what);
  };
  const asked = (data: Stored): Logits => dims ? { data, dims } : data;
  const all = { ...options, perToken: true, logSumExp: true };
  const { upstream: _, ...plain } = all;
  const truth = loss(referenceEngine, asked(logits), labels, plain);
  const exact = exactGrad(asked(logits), labels, options);
  const signed = [options.tokenWeights, options.classWeights].some((weights) =>
    weights !== undefined && Array.from(weights).some((w) => w < 0)
  );

  for (const engine of fastEngines) {
    const { name } = engine;
    const found = loss(engine, asked(logits), labels, plain);
    const error = lossError(found.loss, truth.loss);
    expect(
      error <= LOSS_BOUND,
      `${name}: loss ${found.loss}, not ${truth.loss}`,
    );
    for (const key of ["perToken", "logSumExp"] as const) {
      truth[key]!.forEach((e, i) => {
        const a = found[key]![i]!;
        expect(
          lossError(a, e) <= LOSS_BOUND,
          `${name}: ${key}[${i}] ${a}, not ${e}`,
        );
      });
    }
    for (const key of ["activeTokens", "nonFiniteRows", "weightSum"] as const) {
      expect(found[key] === truth[key], `${name}: ${key} ${found[key]}`);
    }
    if (found.metrics) {
      const { nll, correct, entropy } = truth.metrics!;
      expect(found.metrics.correct === correct, `${name}: correct`);
      expect(lossError(found.metrics.nll, nll) <= LOSS_BOUND, `${name}: nll`);
      const off = lossError(found.metrics.entropy, entropy);
      expect(off <= LOSS_BOUND, `${name}: entropy is off by ${off}`);
    }
    if (!signed) {
      const low = found.perToken!.find((x) => x < 0);
      expect(low === undefined, `${name}: perToken ${low} is negative`);
    }

    const made = lossGrad(engine, asked(logits), labels, all);
    expect(Object.is(made.loss, found.loss), `${name}: loss beside a gradient`);
    const off = gradientError(made.gradLogits, exact, vocabSize);
    expect(off <= GRAD_BOUND, `${name}: gradient is off by ${off}`);
    checkInPlace(c, engine, made.gradLogits as Float32Array, expect);
  }
  checkPublic(c, asked, expect);
  return faults;
}

type Expect = (holds: boolean, what: string) => void;

/** A gradient with padding, as it is stored in place: `made` rounded once. */
function asStored(c: Case, made: Float32Array): Stored {
  const { storage, rows, vocabSize, rowStride, logits } = c;
  const want = logits.slice().fill(0) as Stored;
  for (let i = 0; i < rows; i++) {
    const row = made.subarray(i * vocabSize, (i + 1) * vocabSize);
    if (storage === "f32") want.set(row, i * rowStride);
    else {
      const encode = storage === "bf16" ? encodeBf16 : encodeF16;
      want.set(Uint16Array.from(row, encode), i * rowStride);
    }
  }
  return want;
}

/** In place: the bits of the new gradient, rounded once; zeros in the padding. */
function checkInPlace(
  c: Case,
  engine: Engine,
  made: Float32Array,
  expect: Expect,
): void {
  const data = c.logits.slice() as Stored;
  const asked = c.dims ? { data, dims: c.dims } : data;
  const options = { ...c.options, into: "in-place" } as const;
  const found = lossGrad(engine, asked, c.labels, options);
  expect(found.gradLogits === data, `${engine.name}: another array`);
  expect(same(data, asStored(c, made)), `${engine.name}: gradient in place`);
}

/** The public functions, foreign and on a workspace: the bits of the engine they choose. */
function checkPublic(
  c: Case,
  asked: (data: Stored) => Logits,
  expect: Expect,
): void {
  const { logits, labels, options } = c;
  const deterministic = c.seed % 3 === 0;
  const build = deterministic ? "simd" : fastestBuild();
  const engine = fastEngines.find(({ name }) => name === `wasm-${build}`)!;
  const want = lossGrad(engine, asked(logits), labels, options);
  const { upstream: _, ...plain } = options;
  const none = Object.keys(plain).length === 0 && !deterministic;
  const chosen = none ? undefined : { ...plain, deterministic };
  const view = inWorkspace(c);
  for (
    const [where, data] of [["foreign", logits], ["workspace", view]] as const
  ) {
    const found = maskedCrossEntropy(asked(data), labels, chosen);
    expect(Object.is(found.loss, want.loss), `${where}: loss ${found.loss}`);
  }
  const { gradLogits } = maskedCrossEntropyGrad(asked(view) as Stored, labels, {
    ...options,
    deterministic,
    into: "in-place",
  });
  expect((gradLogits as Stored) === view, "workspace: another array");
  const stored = asStored(c, want.gradLogits as Float32Array);
  expect(same(view, stored), "workspace: gradient in place");
}

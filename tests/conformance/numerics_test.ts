/**
 * The WASM engines against the float64 reference, on sizes below, at, between
 * and above the lane width (4), the group (8), the guess (32) and the block
 * (1024), with logits chosen for a reason, in every storage type and down every
 * way a row can go.
 *
 * @module
 */
import { assert } from "@std/assert";
import type {
  GradOptions,
  LogitsArray,
  LogitsType,
} from "../../src/contract.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import {
  exactGrad,
  fastEngines,
  gradBound,
  gradError,
  gradShare,
  loss,
  lossError,
  lossGrad,
  normalLogits,
  seeded,
  sweep,
} from "../engines.ts";
import { range } from "./bits.ts";

const LOSS_BOUND = 1e-6;

/** log₂e; x·log₂e is what the float32 path counts in. */
const LOG2E = Math.LOG2E;

/** Rows of V by what they are for. */
const INPUTS: Record<string, (V: number, seed: number) => Float32Array> = {
  "like a model's": (V, seed) => normalLogits(V, seed),
  "deviation 20": (V, seed) => normalLogits(V, seed, 20),
  "deviation 100": (V, seed) => normalLogits(V, seed, 100),
  "all equal": (V) => new Float32Array(V).fill(1.5),
  "all 0": (V) => new Float32Array(V),
  "subnormal": (V, seed) => normalLogits(V, seed, 1e-39),
  "a late spike": (V, seed) => with_(normalLogits(V, seed), V - 2, 500),
  "an early spike": (V, seed) => with_(normalLogits(V, seed), 1, 5000),
  "a spike after the guess": (V, seed) => with_(normalLogits(V, seed), 70, 120),
  "a padded vocabulary's tail": (V, seed) =>
    normalLogits(V, seed).fill(-1e9, Math.ceil(V * 0.9)),
  // these have bits that a bare OR of t's bits would take for a count in range
  "-2.9e6": (V, seed) => with_(normalLogits(V, seed), V >> 1, -2.9e6),
  "-2^23 / log₂e": (V, seed) =>
    with_(normalLogits(V, seed), V >> 1, -(2 ** 23) / LOG2E),
  "-8.7e6": (V, seed) => with_(normalLogits(V, seed), V >> 1, -8.7e6),
  "1e30": (V, seed) => with_(normalLogits(V, seed), V - 1, 1e30),
  "-1e30": (V, seed) => with_(normalLogits(V, seed), 0, -1e30),
  "ever higher": (V) => Float32Array.from(range(0, V), (k) => k / 8),
  "ever lower": (V) => Float32Array.from(range(0, V), (k) => -k / 8),
  "steps past the range": (V) =>
    Float32Array.from(range(0, V), (k) => 30 * (k >> 6)),
  ...Object.fromEntries(
    [1000, -1000, 30000, -30000, 1e6].map((offset) => [
      `offset ${offset}`,
      (V: number, seed: number) => normalLogits(V, seed).map((x) => x + offset),
    ]),
  ),
};

function with_(row: Float32Array, at: number, value: number): Float32Array {
  if (at >= 0 && at < row.length) row[at] = value;
  return row;
}

/** Labels at the ends, at block edges, in the tail, and somewhere. */
function labelsFor(V: number, seed: number): number[] {
  const places = [0, 31, 32, V - 1, 1023, 1024, V - (V % 8), V >> 1];
  const some = Math.floor(seeded(seed)() * V);
  return [...new Set([...places, some])].filter((y) => y < V);
}

/** The ways a row can go, and what the gradient's factor is made of. */
const WAYS: Record<string, (V: number, N: number) => GradOptions> = {
  plain: () => ({}),
  metrics: () => ({ metrics: true }),
  softcap: () => ({ softcap: 30, logitScale: 0.5 }),
  smoothing: () => ({ labelSmoothing: 0.1 }),
  zLoss: () => ({ zLoss: 1e-4 }),
  weights: (V, N) => ({
    classWeights: range(0, V).map((k) => 0.25 + (k % 5)),
    tokenWeights: range(0, N).map((i) => 0.5 + (i % 3)),
  }),
  everything: (V, N) => ({
    metrics: true,
    softcap: 40,
    logitScale: -1.5,
    labelSmoothing: 0.2,
    zLoss: 1e-3,
    classWeights: range(0, V).map((k) => 1 + (k % 3)),
    tokenWeights: range(0, N).map((i) => 1 - (i % 2) / 2),
  }),
};

function store(values: Float32Array, dtype: LogitsType): LogitsArray {
  if (dtype === "f32") return values;
  return Uint16Array.from(values, dtype === "bf16" ? encodeBf16 : encodeF16);
}

/** Every input with every label, as one problem of one vocabulary. */
function problem(V: number, names: string[]) {
  const rows: Float32Array[] = [];
  const labels: number[] = [];
  const titles: string[] = [];
  for (const [i, name] of names.entries()) {
    for (const label of labelsFor(V, V + i)) {
      rows.push(INPUTS[name]!(V, 31 * V + i + rows.length));
      labels.push(label);
      titles.push(`${name}, label ${label}`);
    }
  }
  const values = new Float32Array(rows.length * V);
  rows.forEach((row, i) => values.set(row, i * V));
  return { values, labels, titles };
}

/**
 * DESIGN's measure of one row. What float32 cannot hold is no error: differences
 * up to 1e-36, a millionth of the smallest mass that DESIGN asks for.
 */
function rowError(
  actual: Float32Array,
  expected: Float64Array,
  share: number,
): number {
  const wanted = expected.map((e, k) =>
    Math.abs(actual[k]! - e) <= 1e-36 ? actual[k]! : e
  );
  return gradError(actual, wanted, wanted.length, share);
}

/** Checks one size, type and way, on every engine, row by row. */
function check(V: number, dtype: LogitsType, way: string, names: string[]) {
  const { values, labels, titles } = problem(V, names);
  const logits = store(values, dtype);
  const options: GradOptions = {
    ...WAYS[way]!(V, labels.length),
    ...(dtype === "f32" ? {} : { dtype }),
    reduction: "sum",
    perToken: true,
    logSumExp: true,
  };
  const expected = loss(referenceEngine, logits, labels, options);
  const exact = exactGrad(logits, labels, options);
  for (const engine of fastEngines) {
    const result = lossGrad(engine, logits, labels, options);
    const alone = loss(engine, logits, labels, options);
    titles.forEach((title, i) => {
      const what = `${engine.name} V = ${V}, ${dtype}, ${way}: ${title}`;
      for (const key of ["perToken", "logSumExp"] as const) {
        const a = result[key]![i]!, e = expected[key]![i]!;
        const error = lossError(a, e);
        assert(error <= LOSS_BOUND, `${what}: ${key} ${a}, not ${e}`);
        assert(Object.is(a, alone[key]![i]), `${what}: ${key} without grad`);
      }
      const error = rowError(
        (result.gradLogits as Float32Array).subarray(i * V, (i + 1) * V),
        exact.subarray(i * V, (i + 1) * V),
        gradShare(engine, options),
      );
      assert(
        error <= gradBound(engine, options),
        `${what}: gradient is off by ${error}`,
      );
    });
    const { metrics } = result;
    // float16 ends at 65504: some of these inputs are infinite there
    const finite = result.nonFiniteRows === 0;
    assert(finite || dtype === "f16", "these inputs are finite");
    if (metrics === undefined || !finite) continue;
    const what = `${engine.name} V = ${V}, ${dtype}, ${way}`;
    // a saturated softcap makes ties out of roundings
    if (options.softcap === undefined) {
      assert(metrics.correct === expected.metrics!.correct, `${what}: correct`);
    }
    for (const key of ["nll", "entropy"] as const) {
      const error = lossError(metrics[key], expected.metrics![key]);
      assert(error <= LOSS_BOUND, `${what}: ${key} is off by ${error}`);
    }
  }
}

/** Far beyond where float64 can tell e^{x - R} from a reference R that is not exact. */
const EXTREME = ["1e30", "-1e30"];
const ALL = Object.keys(INPUTS).filter((name) => !EXTREME.includes(name));
// a GPU's widths are the group (256) and the block (4096)
const isGpu = sweep.every > 1;
const SMALL = isGpu
  ? [1, 2, 3, 64, 65]
  : [...range(1, 17), 31, 32, 33, 63, 64, 65, 127, 128, 129];
const LARGE = isGpu
  ? [255, 256, 257, 4096, 4097]
  : [1023, 1024, 1025, 2047, 2048, 2049];

for (const dtype of ["f32", "bf16", "f16"] as const) {
  // a GPU reads the types differently, and after that all is the same
  const isFew = isGpu && dtype !== "f32";
  const small = isFew ? [1, 3, 64, 65] : SMALL;
  const large = isFew ? [257, 4097] : LARGE;
  for (const way of Object.keys(WAYS)) {
    Deno.test(`WASM is the reference within bounds: ${dtype}, ${way}`, () => {
      for (const V of small) check(V, dtype, way, ALL);
    });
  }
  Deno.test(`WASM is the reference within bounds: ${dtype}, extreme logits`, () => {
    for (const way of ["plain", "metrics", "smoothing", "weights"]) {
      for (const V of [...small, 1025]) check(V, dtype, way, EXTREME);
    }
  });
  Deno.test(`WASM is the reference within bounds: ${dtype}, beyond a block`, () => {
    for (const V of large) check(V, dtype, "plain", ALL);
    check(1025, dtype, "everything", ALL);
    check(2047, dtype, "metrics", ALL.slice(0, 9));
  });
}

Deno.test("WASM is the reference within bounds: f32, V = 5000 and 32001", () => {
  check(5000, "f32", "plain", ALL);
  check(32001, "f32", "plain", ["like a model's", "a late spike", "-8.7e6"]);
});

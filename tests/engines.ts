/**
 * The engines under test, and one way to run any of them: the public checks and
 * reductions around an engine that is handed in. Whatever a test says of one
 * engine it says of all.
 *
 * @module
 */
import type {
  GradOptions,
  Logits,
  LossOptions,
  LossResult,
  TokenIds,
} from "../src/contract.ts";
import type { Engine } from "../src/engine.ts";
import { scorePrepared } from "../src/loss/masked_cross_entropy.ts";
import { differentiatePrepared } from "../src/loss/masked_cross_entropy.ts";
import { prepare } from "../src/loss/problem.ts";
import { weighRows } from "../src/loss/result.ts";
import { Crew } from "../src/parallel/crew.ts";
import { CrewEngine } from "../src/parallel/engine.ts";
import { referenceEngine } from "../src/reference/engine.ts";
import { coefficients } from "../src/reference/normalize.ts";
import { WasmEngine } from "../src/wasm/engine.ts";
import { fastestBuild } from "../src/wasm/loader.ts";

/** Three threads that take a row at a time and are given all there is room for, so that small tests keep them at work. */
const crew = await Crew.open({ threads: 3, pieceBytes: 1 });
crew.trade.gives = () => true;

const list: Engine[] = [
  referenceEngine,
  new WasmEngine("simd"),
  ...(fastestBuild() === "relaxed" ? [new WasmEngine("relaxed")] : []),
  ...crew.builds.map((build) => new CrewEngine(crew, build)),
];
const fast = list.slice(1);

/** Every engine; the relaxed builds only where this machine would choose them. */
export const engines: readonly Engine[] = list;

/** Every engine but the reference. */
export const fastEngines: readonly Engine[] = fast;

/** Of long sweeps over values, each how many is taken. */
export const sweep = { every: 1 };

/** Puts one engine in the place of all; tests/webgpu does so before it loads the suite. */
export function testOnly(engine: Engine, every: number): void {
  sweep.every = every;
  list.splice(0, list.length, engine);
  fast.splice(0, fast.length, engine);
}

if (fastestBuild() !== "relaxed") {
  Deno.test({
    name: "[wasm-relaxed] is not tested: this machine does not fuse",
    ignore: true,
    fn: () => {},
  });
}

/** One test per engine. */
export function onEngines(
  name: string,
  test: (engine: Engine) => void,
): void {
  for (const engine of engines) {
    Deno.test(`${name} [${engine.name}]`, () => test(engine));
  }
}

/** `maskedCrossEntropy` by this engine. */
export function loss(
  engine: Engine,
  logits: Logits,
  labels: TokenIds,
  options?: LossOptions,
): LossResult {
  return scorePrepared(prepare(logits, labels, options), engine);
}

/** `maskedCrossEntropyGrad` by this engine. */
export function lossGrad(
  engine: Engine,
  logits: Logits,
  labels: TokenIds,
  options?: GradOptions,
): LossResult & { gradLogits: ArrayLike<number> } {
  return differentiatePrepared(
    prepare(logits, labels, options),
    options,
    () => engine,
  ) as LossResult & { gradLogits: ArrayLike<number> };
}

/** The gradient in float64, [N, V], by the reference. */
export function exactGrad(
  logits: Logits,
  labels: TokenIds,
  options: GradOptions = {},
): Float64Array {
  const prepared = prepare(logits, labels, options);
  const { problem, borders, reduction, denominator, totalTokens } = prepared;
  const array = new Float64Array(problem.rows * problem.vocabSize);
  const factors = coefficients(
    problem,
    borders,
    reduction,
    denominator,
    weighRows(prepared),
    totalTokens,
    options.upstream ?? 1,
  );
  referenceEngine.differentiate(problem, factors, {
    array,
    dtype: "f64",
    rowStride: problem.vocabSize,
  });
  return array;
}

/** |a - e| / max(1, |e|), DESIGN's measure of a loss; equal infinities and NaNs are no error. */
export function lossError(actual: number, expected: number): number {
  if (Object.is(actual, expected)) return 0;
  return Math.abs(actual - expected) / Math.max(1, Math.abs(expected));
}

/** max |a - e| / (|e| + share · max |e| of its row); with a share of 1e-4 DESIGN's measure of a gradient. */
export function gradError(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  vocabSize: number,
  share = 1e-4,
): number {
  if (actual.length !== expected.length) return Infinity;
  let worst = 0;
  for (let row = 0; row < expected.length; row += vocabSize) {
    let top = 0;
    for (let k = row; k < row + vocabSize; k++) {
      top = Math.max(top, Math.abs(expected[k]!));
    }
    for (let k = row; k < row + vocabSize; k++) {
      const a = actual[k]!, e = expected[k]!;
      if (a === e || (a !== a && e !== e)) continue;
      const error = Math.abs(a - e) / (Math.abs(e) + share * top);
      worst = error > worst || error !== error ? error : worst;
      if (worst !== worst) return Infinity;
    }
  }
  return worst;
}

/**
 * The most a gradient may be off by. float32 is all that a GPU has: u - logSumExp
 * is rounded where it is computed, under a cap or a factor by 1e-7 of itself, and
 * e^(-60) is off by 60 times that.
 */
export function gradBound(engine: Engine, options: GradOptions): number {
  if (engine.name !== "webgpu") return 2e-6;
  return options.softcap || options.logitScale ? 1e-5 : 5e-6;
}

/**
 * The share of `gradError`. Under smoothing a gradient is A·p - B·c, and under
 * zLoss the label's is a difference too; where the two are nearly equal, float32
 * cannot tell it from what rounding left, so it is judged by more of the row's
 * largest.
 */
export function gradShare(engine: Engine, options: GradOptions): number {
  const cancels = options.labelSmoothing || options.zLoss;
  return engine.name === "webgpu" && cancels ? 5e-2 : 1e-4;
}

/** A seeded generator of floats in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Logits like a model's: normal, with standard deviation `sd`. */
export function normalLogits(
  length: number,
  seed: number,
  sd = 2.5,
): Float32Array {
  const random = seeded(seed);
  return Float32Array.from(
    { length },
    () =>
      sd * Math.sqrt(-2 * Math.log(1 - random())) *
      Math.cos(2 * Math.PI * random()),
  );
}

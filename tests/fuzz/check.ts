/**
 * What must hold of a case on every engine: its numbers within the bounds of the
 * float64 reference, its bits the same whichever way the logits travel.
 *
 * @module
 */
import { maskedCrossEntropy, maskedCrossEntropyGrad } from "../../mod.ts";
import type { Logits, LossWorkspace } from "../../src/contract.ts";
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
} from "../engines.ts";
import type { Case, Storage, Stored } from "./cases.ts";

/** Bounds of DESIGN 2.2 and the figures: loss, gradient. */
const LOSS_BOUND = 1e-6, GRAD_BOUND = 2e-6;

const workspaces: Partial<Record<Storage, LossWorkspace>> = {};

/** A copy of the logits inside a workspace, at one of several places. */
function inWorkspace({ storage, logits, seed }: Case): Stored {
  const size = { rows: 16, vocabSize: 4096, dtype: storage };
  const workspace = workspaces[storage] ??= createLossWorkspace(size);
  const view = workspace.logits.subarray(seed % 7, seed % 7 + logits.length);
  view.set(logits);
  return view;
}

/** Whether two arrays hold the same numbers, 0 and -0 being two, and NaN one whatever its bits. */
function same(a: Stored, b: Stored, storage: Storage): boolean {
  const infinity = storage === "bf16" ? 0x7f80 : 0x7c00;
  const isNaN = (x: number) =>
    storage === "f32" ? x !== x : (x & 0x7fff) > infinity;
  return a.length === b.length &&
    a.every((x, i) => Object.is(x, b[i]) || (isNaN(x) && isNaN(b[i]!)));
}

/** What a gradient may be off by without being wrong. */
interface Leeway {
  /** The part of a row's largest gradient that counts with each of its elements. */
  share: number;
  /** No difference at all. */
  floor: number;
}

/**
 * DESIGN's measure has a share of 1e-4. Under zLoss the label's column is a
 * difference of two numbers that float32 gave, so it is judged by the row's
 * largest. float32 ends at 2^-149; under smoothing A·p - B·c may be 0 but for
 * the rounding of p = e^(u - logSumExp), which grows with the logits, and a
 * softcap's u is off by 1e-16 of the cap, all that zLoss sees where V is 1.
 */
function leewayOf({ options }: Case, logSumExp: Float64Array): Leeway {
  const share = options.zLoss ? 1 : 1e-4;
  const cancels = options.labelSmoothing || (options.zLoss && options.softcap);
  if (!cancels) return { share, floor: 2 ** -149 };
  const sizes = Array.from(logSumExp, (x) => Math.abs(x)).filter(
    Number.isFinite,
  );
  return { share, floor: 1e-14 * Math.max(1, ...sizes) };
}

/** The worst of the rows by DESIGN's measure. */
function gradientError(
  actual: ArrayLike<number>,
  exact: Float64Array,
  vocabSize: number,
  { share, floor }: Leeway,
): number {
  let worst = 0;
  for (let row = 0; row < exact.length; row += vocabSize) {
    let top = 0;
    for (let k = row; k < row + vocabSize; k++) {
      top = Math.max(top, Math.abs(exact[k]!));
    }
    for (let k = row; k < row + vocabSize; k++) {
      const a = actual[k]!, e = exact[k]!;
      if (Object.is(a, e) || Math.abs(a - e) <= floor) continue;
      const error = Math.abs(a - e) / (Math.abs(e) + share * top);
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

  const leeway = leewayOf(c, truth.logSumExp!);
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
    const off = gradientError(made.gradLogits, exact, vocabSize, leeway);
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
  const stored = asStored(c, made);
  expect(same(data, stored, c.storage), `${engine.name}: gradient in place`);
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
  expect(same(view, stored, c.storage), "workspace: gradient in place");
}

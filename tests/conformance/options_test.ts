/**
 * Every pair of options together, loss and gradient, on every engine, against
 * the reference. Two settings that name the same option, or that exclude each
 * other, are not paired.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { GradOptions, LossResult } from "../../src/contract.ts";
import type { Engine } from "../../src/engine.ts";
import {
  decodeBf16,
  decodeF16,
  encodeBf16,
  encodeF16,
} from "../../src/half.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import {
  exactGrad,
  gradBound,
  gradError,
  gradShare,
  loss,
  lossError,
  lossGrad,
  normalLogits,
  onEngines,
  seeded,
} from "../engines.ts";
import { assertBits, assertZeros, range } from "./bits.ts";

const N = 12, V = 37;
const random = seeded(6);

/** Every option with a value that is not its default. */
const SETTINGS: Record<string, GradOptions> = {
  "reduction sample": { reduction: "sample" },
  "reduction sequence": { reduction: "sequence" },
  "reduction sum": { reduction: "sum" },
  "denominator": { denominator: 3.5 },
  "ignoreIndex": { ignoreIndex: 2 },
  "shift": { shift: true },
  "sequenceLength": { sequenceLength: 4 },
  "cuSeqlens": { cuSeqlens: [0, 5, 5, 6, 12] },
  "vocabSize and rowStride": { vocabSize: V, rowStride: V + 6 },
  "dtype bf16": { dtype: "bf16" },
  "dtype f16": { dtype: "f16" },
  "perToken": { perToken: true },
  "logSumExp": { logSumExp: true },
  "metrics": { metrics: true },
  "labelSmoothing": { labelSmoothing: 0.15 },
  "labelSmoothing 1": { labelSmoothing: 1 },
  "zLoss": { zLoss: 0.01 },
  "softcap": { softcap: 3 },
  "logitScale": { logitScale: -0.75 },
  "tokenWeights": {
    tokenWeights: range(0, N).map((i) => i % 4 === 0 ? 0 : 2 * random() - 0.3),
  },
  "classWeights": {
    classWeights: range(0, V).map((k) => k % 5 === 0 ? 0 : 2 * random()),
  },
  "deterministic": { deterministic: true },
  "into in-place": { into: "in-place" },
  "upstream": { upstream: -2.5 },
  "upstream by row": { upstream: range(0, N).map(() => 4 * random() - 2) },
};

const LABELS = [3, -100, 36, 2, 0, 7, -100, 2, 11, 20, -100, 1];

/** The options of two settings, or null where they cannot stand together. */
function pair(a: GradOptions, b: GradOptions): GradOptions | null {
  if (a !== b && Object.keys(a).some((key) => key in b)) return null;
  const both = { ...a, ...b };
  if (both.sequenceLength && both.cuSeqlens) return null;
  return both;
}

/** Logits as the options store them, NaN in padding lanes. */
function logitsFor(options: GradOptions): Float32Array | Uint16Array {
  const stride = options.rowStride ?? V;
  const values = new Float32Array(N * stride).fill(NaN);
  const dense = normalLogits(N * V, 77);
  for (let i = 0; i < N; i++) {
    values.set(dense.subarray(i * V, (i + 1) * V), i * stride);
  }
  if (options.dtype === "bf16") return Uint16Array.from(values, encodeBf16);
  if (options.dtype === "f16") return Uint16Array.from(values, encodeF16);
  return values;
}

function assertResult(actual: LossResult, expected: LossResult, what: string) {
  const close = (a: number, e: number, name: string) =>
    assert(lossError(a, e) <= 1e-6, `${what}: ${name} ${a}, not ${e}`);
  // what is counted is the same to the last bit
  const counts = (r: LossResult) => [
    r.weightSum,
    r.denominator,
    r.activeTokens,
    r.totalTokens,
    r.nonFiniteRows,
    r.metrics?.correct ?? 0,
    ...(r.perSequence?.weightSum ?? []),
    ...(r.perSequence?.activeTokens ?? []),
  ];
  assertBits(counts(actual), counts(expected), `${what}: counts`);
  assertEquals(Object.keys(actual).sort(), Object.keys(expected).sort());
  close(actual.loss, expected.loss, "loss");
  close(actual.sum, expected.sum, "sum");
  for (const [i, e] of (expected.perSequence?.sum ?? []).entries()) {
    close(actual.perSequence!.sum[i]!, e, `perSequence.sum[${i}]`);
  }
  for (const key of ["perToken", "logSumExp"] as const) {
    expected[key]?.forEach((e, i) =>
      close(actual[key]![i]!, e, `${key}[${i}]`)
    );
  }
  for (const key of ["nll", "entropy", "perplexity"] as const) {
    if (expected.metrics === undefined) continue;
    close(actual.metrics![key], expected.metrics[key], key);
  }
}

/** The gradient in place: rounded once to its type, padding 0. */
function assertInPlace(
  grad: Float32Array | Uint16Array,
  exact: Float64Array,
  options: GradOptions,
  engine: Engine,
  what: string,
) {
  const { dtype, rowStride = V } = options;
  const share = gradShare(engine, options);
  const values = dtype === "bf16"
    ? Float64Array.from(grad, decodeBf16)
    : dtype === "f16"
    ? Float64Array.from(grad, decodeF16)
    : Float64Array.from(grad);
  for (let i = 0; i < N; i++) {
    const row = values.subarray(i * rowStride, (i + 1) * rowStride);
    assertZeros(row.subarray(V), `${what}: padding of row ${i}`);
    const wanted = exact.subarray(i * V, (i + 1) * V);
    if (dtype === undefined) {
      const error = gradError(row.subarray(0, V), wanted, V, share);
      assert(
        error <= gradBound(engine, options),
        `${what}: row ${i} is off by ${error}`,
      );
      continue;
    }
    // half a unit in the last place, and what float32 was off by before
    const [unit, least] = dtype === "bf16"
      ? [2 ** -9, 0]
      : [2 ** -12, 2 ** -25];
    const slack = 2e-6 * Math.max(...wanted.map(Math.abs));
    wanted.forEach((e, k) => {
      const error = Math.abs(row[k]! - e);
      const bound = Math.max(2 * unit * Math.abs(e), least) * 1.001 + slack;
      assert(error <= bound, `${what}: [${i}, ${k}] ${row[k]}, not ${e}`);
    });
  }
}

const entries = Object.entries(SETTINGS);

onEngines("no option", (engine) => {
  const logits = logitsFor({});
  const expected = loss(referenceEngine, logits, LABELS);
  assertResult(loss(engine, logits, LABELS), expected, "no option");
});

for (const [i, [name, a]] of entries.entries()) {
  onEngines(`options in pairs: ${name} with each other`, (engine) => {
    let pairs = 0;
    for (const [other, b] of entries.slice(i)) {
      const options = pair(a, b);
      if (options === null) continue;
      pairs++;
      const what = `${name} and ${other}`;
      const logits = logitsFor(options);
      const labels = options.ignoreIndex === undefined
        ? LABELS
        : LABELS.map((y) => y === -100 ? 2 : y);
      const { into: _into, upstream: _upstream, ...plain } = options;
      const expected = loss(referenceEngine, logits, labels, plain);
      assertResult(loss(engine, logits, labels, plain), expected, what);

      const exact = exactGrad(logits, labels, options);
      const copy = logits.slice();
      const result = lossGrad(engine, copy, labels, options);
      const { gradLogits, ...rest } = result;
      assertResult(rest, expected, `${what}, with gradient`);
      if (options.into === "in-place") {
        assert(gradLogits === copy, `${what}: another array came back`);
        assertInPlace(copy, exact, options, engine, what);
      } else {
        assertBits(copy, logits, `${what}: logits`);
        assert(gradLogits instanceof Float32Array, what);
        const share = gradShare(engine, options);
        const error = gradError(gradLogits, exact, V, share);
        assert(
          error <= gradBound(engine, options),
          `${what}: gradient is off by ${error}`,
        );
      }
    }
    assert(pairs > 0);
  });
}

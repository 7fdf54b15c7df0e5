/** referenceEngine: the edge table, the storage types, and the small stems mask, gather, transform. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { CORRECT, NON_FINITE } from "../../src/engine.ts";
import {
  decodeBf16,
  decodeF16,
  encodeBf16,
  encodeF16,
} from "../../src/half.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { clampLabel, gatherLogits } from "../../src/reference/gather.ts";
import { reader, slope, transform } from "../../src/reference/transform.ts";
import { problemOf, random } from "./problem.ts";

const inf = Infinity;

Deno.test("maskLabels() keeps the ids of the spans' union", () => {
  const ids = Int32Array.of(5, 6, 7, 8, 9);
  const spans = Int32Array.of(3, 5, 0, 2, 1, 2, 4, 4);
  assertEquals(
    [...referenceEngine.maskLabels(ids, spans, -100)],
    [5, 6, -100, 8, 9],
  );
  assertEquals([...referenceEngine.maskLabels(ids, new Int32Array(0), -1)], [
    -1,
    -1,
    -1,
    -1,
    -1,
  ]);
});

Deno.test("gatherLogits() clamps, reads, then masks", () => {
  assertEquals([-100, 0, 4, 5, 99].map((y) => clampLabel(y, 5)), [
    0,
    0,
    4,
    4,
    4,
  ]);
  const problem = problemOf([[NaN, 1], [2, 3], [4, 5]], [-100, 0, 1]);
  const read = reader(problem.logits, "f32");
  assertEquals([...gatherLogits(problem, read)], [0, 2, 5]);
});

Deno.test("transform() scales, then caps; slope() is its derivative, also at saturation", () => {
  assertEquals(transform(3, -2, 0), -6);
  assertAlmostEquals(transform(3, 2, 4), 4 * Math.tanh(1.5), 1e-15);
  assertEquals(transform(inf, 1, 30), 30);
  assertEquals(transform(NaN, 1, 30), NaN);
  assertEquals(slope(3, -2, 0), -2);
  assertAlmostEquals(slope(3, 2, 4), 2 * (1 - Math.tanh(1.5) ** 2), 1e-15);
  assert(Math.abs(slope(300, 1, 1) / (4 * Math.exp(-600)) - 1) < 1e-14);
  assertEquals(slope(-inf, 1, 1), 0);
});

Deno.test("score() follows the edge table", () => {
  const scores = referenceEngine.score(problemOf([
    [0, 0, 0], // plain
    [NaN, inf, 0], // ignored
    [-inf, -inf, 1], // masked classes
    [0, 0, -inf], // -inf on the label
    [-inf, -inf, -inf],
    [0, NaN, 0],
    [0, inf, 0],
  ], [1, -100, 2, 2, 0, 0, 1]));
  const ln3 = Math.log(3);
  const ln2 = Math.log(2);
  const close = (actual: Float64Array, expected: number[]) =>
    expected.forEach((e, i) =>
      Number.isFinite(e)
        ? assertAlmostEquals(actual[i]!, e, 1e-15)
        : assertEquals(actual[i], e)
    );
  close(scores.perToken, [ln3, 0, 0, inf, NaN, NaN, NaN]);
  close(scores.nll, [ln3, 0, 0, inf, NaN, NaN, NaN]);
  close(scores.logSumExp, [ln3, 0, 1, ln2, NaN, NaN, NaN]);
  assertEquals([...scores.flags], [0, 0, 0, 0, 1, 1, 1]);
});

Deno.test("score() flags a zero-weight row that is not finite, and adds 0", () => {
  const scores = referenceEngine.score(
    problemOf([[NaN, 0], [0, 0]], [0, 0], {
      rowWeights: new Float64Array(2),
      metrics: true,
    }),
  );
  assertEquals([...scores.perToken], [0, 0]);
  assertEquals([...scores.flags], [NON_FINITE, CORRECT]);
  assertAlmostEquals(scores.nll[1]!, Math.log(2), 1e-15);
});

Deno.test("score() says who is correct, ties to the lowest index, if metrics are wanted", () => {
  const rows = [[1, 1], [1, 1], [0, 2], [0, 2]];
  const targets = [0, 1, 1, -100];
  const of = (metrics: boolean) =>
    referenceEngine.score(problemOf(rows, targets, { metrics }));
  assertEquals([...of(true).flags], [CORRECT, 0, CORRECT, 0]);
  assertAlmostEquals(of(true).entropy[1]!, Math.log(2), 1e-15);
  assertEquals(of(true).entropy[3], 0);
  assertEquals([...of(false).flags], [0, 0, 0, 0]);
  assertEquals([...of(false).entropy], [0, 0, 0, 0]);
});

Deno.test("score() is infinite where smoothing meets a class of -inf, unless its weight is 0", () => {
  const of = (classWeights: Float64Array | null) =>
    referenceEngine.score(
      problemOf([[0, -inf]], [0], { labelSmoothing: 0.1, classWeights }),
    ).perToken[0];
  assertEquals(of(null), inf);
  assertEquals(of(Float64Array.of(1, 0)), 0);
});

Deno.test("score() never reads padding lanes, nor does a softcap turn them into classes", () => {
  const plain = problemOf([[0, 1, 2], [2, 1, 0]], [0, 0], { softcap: 1 });
  const padded = {
    ...plain,
    rowStride: 5,
    logits: Float32Array.of(0, 1, 2, NaN, 99, 2, 1, 0, 99, NaN),
  };
  assertEquals(referenceEngine.score(padded), referenceEngine.score(plain));
});

Deno.test("score() and differentiate() take no rows", () => {
  const problem = problemOf([], []);
  assertEquals(referenceEngine.score(problem).perToken.length, 0);
  referenceEngine.differentiate(problem, new Float64Array(0), {
    array: new Float32Array(0),
    dtype: "f32",
    rowStride: 1,
  });
});

Deno.test("differentiate() rounds once to each storage type, in place too, padding 0", () => {
  const next = random(5);
  const N = 3, V = 5, rowStride = 7;
  const types = [
    { dtype: "bf16", encode: encodeBf16, decode: decodeBf16 },
    { dtype: "f16", encode: encodeF16, decode: decodeF16 },
  ] as const;
  for (const { dtype, encode, decode } of types) {
    const codes = Uint16Array.from(
      { length: N * rowStride },
      () => encode(next() * 8 - 4),
    );
    const half = {
      ...problemOf([], []),
      logits: codes.slice(),
      dtype,
      rows: N,
      vocabSize: V,
      rowStride,
      targets: Int32Array.of(1, -100, 4),
    };
    const exact = new Float64Array(N * V);
    const coefficients = new Float64Array(N).fill(0.5);
    const target = { array: exact, dtype: "f64", rowStride: V } as const;
    const scores = referenceEngine.differentiate(half, coefficients, target);

    // The same logits as float32 make the same numbers.
    const float = {
      ...half,
      logits: Float32Array.from(codes, decode),
      dtype: "f32" as const,
    };
    assertEquals(referenceEngine.score(float), scores);
    const single = new Float32Array(N * rowStride).fill(NaN);
    referenceEngine.differentiate(float, coefficients, {
      array: single,
      dtype: "f32",
      rowStride,
    });

    // In place.
    referenceEngine.differentiate(half, coefficients, {
      array: half.logits,
      dtype,
      rowStride,
    });
    for (let i = 0; i < N * rowStride; i++) {
      const row = Math.floor(i / rowStride);
      const k = i % rowStride;
      const value = k < V ? exact[row * V + k]! : 0;
      assert(Object.is(single[i], Math.fround(value)));
      assertEquals(half.logits[i], encode(value));
    }
  }
});

Deno.test("differentiate() reads and writes a Float16Array, described by its shape", () => {
  const codes = Uint16Array.from([1, 2, 3, 0.5], encodeF16);
  const before = Float32Array.from(codes, decodeF16);
  const shaped = {
    length: 4,
    BYTES_PER_ELEMENT: 2,
    buffer: codes.buffer,
    byteOffset: codes.byteOffset,
    byteLength: 8,
    [Symbol.toStringTag]: "Float16Array",
  };
  const problem = problemOf([[1, 2], [3, 0.5]], [0, 1]);
  const half = { ...problem, logits: shaped, dtype: "f16" as const };
  const expected = new Float64Array(4);
  const ones = Float64Array.of(1, 1);
  const scores = referenceEngine.differentiate(
    { ...problem, logits: before },
    ones,
    { array: expected, dtype: "f64", rowStride: 2 },
  );
  const target = { array: shaped, dtype: "f16", rowStride: 2 } as const;
  assertEquals(referenceEngine.differentiate(half, ones, target), scores);
  assertEquals([...codes], [...expected].map(encodeF16));
});

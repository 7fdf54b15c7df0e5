/**
 * Where a gradient goes: a new dense array, or over the logits; with padding
 * lanes, in every storage type, as array, Float16Array and tensor, on every
 * engine.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { HalfArray, LogitsType } from "../../src/contract.ts";
import {
  decodeBf16,
  decodeF16,
  encodeBf16,
  encodeF16,
} from "../../src/half.ts";
import {
  exactGrad,
  gradError,
  lossGrad,
  normalLogits,
  onEngines,
} from "../engines.ts";
import { assertBits, assertZeros } from "./bits.ts";

const N = 5, V = 131, STRIDE = 136;
const LABELS = [130, -100, 0, 64, -100];

const TYPES: Record<LogitsType, {
  store: (x: Float32Array) => Float32Array | Uint16Array;
  decode: (bits: number) => number;
  /** Half a unit in the last place, relative; and the least there is. */
  half: [number, number];
}> = {
  f32: { store: (x) => x.slice(), decode: (x) => x, half: [0, 0] },
  bf16: {
    store: (x) => Uint16Array.from(x, encodeBf16),
    decode: decodeBf16,
    half: [2 ** -8, 0],
  },
  f16: {
    store: (x) => Uint16Array.from(x, encodeF16),
    decode: decodeF16,
    half: [2 ** -11, 2 ** -25],
  },
};

/** N rows of STRIDE, `padding` behind V. */
function padded(padding: number): Float32Array {
  const out = new Float32Array(N * STRIDE).fill(padding);
  const dense = normalLogits(N * V, 21);
  for (let i = 0; i < N; i++) {
    out.set(dense.subarray(i * V, (i + 1) * V), i * STRIDE);
  }
  return out;
}

for (const dtype of ["f32", "bf16", "f16"] as const) {
  const { store, decode, half } = TYPES[dtype];
  const typed = dtype === "f32" ? {} : { dtype };
  const layout = { vocabSize: V, rowStride: STRIDE };

  onEngines(
    `${dtype}: a gradient in place writes 0 into padding and ignored rows`,
    (engine) => {
      for (const padding of [NaN, Infinity, 7]) {
        const logits = store(padded(padding));
        const exact = exactGrad(logits, LABELS, { ...typed, ...layout });
        const result = lossGrad(engine, logits, LABELS, {
          ...typed,
          ...layout,
          into: "in-place",
        });
        assert(result.gradLogits === logits, "another array came back");
        for (let i = 0; i < N; i++) {
          const row = Array.from(
            logits.subarray(i * STRIDE, (i + 1) * STRIDE),
            (x) => decode(x),
          );
          assertZeros(row.slice(V), `padding of row ${i}`);
          if (LABELS[i] === -100) assertZeros(row, `row ${i}`);
          const wanted = exact.subarray(i * V, (i + 1) * V);
          const slack = 2e-6 * Math.max(...wanted.map(Math.abs));
          wanted.forEach((e, k) => {
            const bound = Math.max(half[0] * Math.abs(e), half[1]) + slack;
            const error = Math.abs(row[k]! - e);
            assert(error <= bound, `[${i}, ${k}]: ${row[k]}, not ${e}`);
          });
        }
      }
    },
  );

  onEngines(
    `${dtype}: a new gradient is dense float32 and leaves the logits alone`,
    (engine) => {
      const logits = store(padded(NaN));
      const copy = logits.slice();
      const { gradLogits } = lossGrad(engine, logits, LABELS, {
        ...typed,
        ...layout,
      });
      assert(gradLogits instanceof Float32Array);
      assertEquals(gradLogits.length, N * V);
      assertBits(logits, copy, "logits");
      const exact = exactGrad(logits, LABELS, { ...typed, ...layout });
      assert(gradError(gradLogits, exact, V) <= 2e-6);
      for (const i of [1, 4]) {
        assertZeros(gradLogits.subarray(i * V, (i + 1) * V));
      }
    },
  );

  onEngines(`${dtype}: a tensor is its data with its dims`, (engine) => {
    const dense = normalLogits(N * V, 21);
    for (const dims of [[N, V], [1, N, V], [N, 1, V]]) {
      const data = store(dense);
      const plain = lossGrad(engine, data, LABELS, typed);
      const tensor = lossGrad(engine, { data, dims }, LABELS, typed);
      assertBits([tensor.loss], [plain.loss]);
      assertBits(tensor.gradLogits, plain.gradLogits);
      const over = lossGrad(engine, { data, dims }, LABELS, {
        ...typed,
        into: "in-place",
      });
      assert(over.gradLogits === data, "another array came back");
    }
    // a padded vocabulary: dims say the stride, vocabSize what counts
    const data = store(padded(NaN));
    const a = lossGrad(engine, { data, dims: [N, STRIDE] }, LABELS, {
      ...typed,
      vocabSize: V,
    });
    const b = lossGrad(engine, data, LABELS, { ...typed, ...layout });
    assertBits(a.gradLogits, b.gradLogits);
  });
}

onEngines(
  "a gradient in place of float32 has the bits of a new one",
  (engine) => {
    const logits = padded(NaN);
    const options = { vocabSize: V, rowStride: STRIDE };
    const { gradLogits } = lossGrad(engine, logits, LABELS, options);
    lossGrad(engine, logits, LABELS, { ...options, into: "in-place" });
    for (let i = 0; i < N; i++) {
      const over = logits.subarray(i * STRIDE, i * STRIDE + V);
      const fresh = (gradLogits as Float32Array).subarray(i * V, (i + 1) * V);
      assertBits(over, fresh, `row ${i}`);
    }
  },
);

onEngines(
  "a subarray of a larger array is read and written where it lies",
  (engine) => {
    const around = new Float32Array(N * V + 20).fill(9);
    const logits = around.subarray(7, 7 + N * V);
    logits.set(normalLogits(N * V, 22));
    const alone = logits.slice();
    const { gradLogits } = lossGrad(engine, alone, LABELS);
    const over = lossGrad(engine, logits, LABELS, { into: "in-place" });
    assert(over.gradLogits === logits);
    assertBits(logits, gradLogits);
    assertBits(around.subarray(0, 7), new Array(7).fill(9), "before");
    assertBits(around.subarray(7 + N * V), new Array(13).fill(9), "behind");
  },
);

const { Float16Array } = globalThis as unknown as {
  Float16Array?: { from(values: ArrayLike<number>): HalfArray };
};

Deno.test({
  name: "this runtime has Float16Array",
  ignore: Float16Array === undefined,
  fn: () => assert(Float16Array),
});

if (Float16Array !== undefined) {
  onEngines(
    "Float16Array: the same bits as its Uint16Array, in place too",
    (engine) => {
      const dense = normalLogits(N * V, 23);
      const bits = Uint16Array.from(dense, encodeF16);
      const half = Float16Array.from(dense);
      const a = lossGrad(engine, half, LABELS);
      const b = lossGrad(engine, bits, LABELS, { dtype: "f16" });
      assertBits([a.loss], [b.loss]);
      assertBits(a.gradLogits, b.gradLogits);
      assert(a.gradLogits instanceof Float32Array);

      const over = lossGrad(engine, half, LABELS, { into: "in-place" });
      lossGrad(engine, bits, LABELS, { dtype: "f16", into: "in-place" });
      assert(over.gradLogits as unknown === half, "another array came back");
      assertBits(half, Array.from(bits, decodeF16));
    },
  );
}

onEngines("what an earlier call left behind changes no bit", (engine) => {
  const small = normalLogits(6, 1);
  const first = lossGrad(engine, small, [2, -100], { perToken: true });
  // fill the engine's memory with NaN, infinite and huge rows
  for (const poison of [NaN, Infinity, -Infinity, 1e38]) {
    const rows = new Float32Array(1200 * 40).fill(poison);
    const options = {
      metrics: true,
      classWeights: new Array(40).fill(1e30),
      tokenWeights: new Array(1200).fill(-1),
      reduction: "sum",
    } as const;
    lossGrad(engine, rows, new Array(1200).fill(39), options);
    const again = lossGrad(engine, small, [2, -100], { perToken: true });
    assertBits([again.loss], [first.loss]);
    assertBits(again.perToken!, first.perToken!);
    assertBits(again.gradLogits, first.gradLogits);
  }
});

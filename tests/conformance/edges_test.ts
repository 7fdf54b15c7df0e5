/**
 * DESIGN's edge table, line by line, on every engine, loss and gradient, down
 * both ways a row can go.
 *
 * @module
 */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import type { GradOptions, Reduction } from "../../src/contract.ts";
import type { Engine } from "../../src/engine.ts";
import {
  exactGrad,
  gradError,
  loss,
  lossGrad,
  normalLogits,
  onEngines,
} from "../engines.ts";
import { assertBits, assertZeros, WAYS } from "./bits.ts";

const I = -100;
const inf = Infinity;
const REDUCTIONS: Reduction[] = ["token", "sample", "sequence", "sum"];

/** One row of V, as a gradient with coefficient 1 and its loss. */
function single(
  engine: Engine,
  row: ArrayLike<number>,
  label: number,
  options: GradOptions = {},
) {
  return lossGrad(engine, Float32Array.from(row), [label], {
    reduction: "sum",
    perToken: true,
    ...options,
  });
}

onEngines(
  "no active token: loss 0, denominator 0 unless given, gradient 0",
  (engine) => {
    const V = 5;
    for (const N of [0, 1, 3]) {
      const logits = new Float32Array(N * V).fill(NaN);
      const labels = new Array(N).fill(I);
      for (const reduction of REDUCTIONS) {
        for (const denominator of [undefined, 7]) {
          const options: GradOptions = {
            reduction,
            ...(denominator === undefined ? {} : { denominator }),
            perToken: true,
            logSumExp: true,
            metrics: true,
            upstream: new Array(N).fill(NaN),
            vocabSize: V,
          };
          for (const shift of [false, true]) {
            const result = lossGrad(engine, logits, labels, {
              ...options,
              shift,
            });
            const divisor = denominator ?? (reduction === "sum" ? 1 : 0);
            assertBits(
              [result.loss, result.sum, result.weightSum, result.denominator],
              [0, 0, 0, divisor],
              `${reduction}, N = ${N}`,
            );
            assertEquals(result.activeTokens, 0);
            assertEquals(result.nonFiniteRows, 0);
            assertEquals(result.sumTerms, []);
            assertEquals(result.perToken!.length, N);
            assertZeros(result.perToken!, "perToken");
            assertZeros(result.logSumExp!, "logSumExp");
            assertEquals(result.gradLogits.length, N * V);
            assertZeros(result.gradLogits, "gradLogits");
            const { nll, accuracy, entropy, perplexity } = result.metrics!;
            assertBits([nll, accuracy, entropy, perplexity], [0, 0, 0, 1]);
          }
        }
      }
    }
  },
);

onEngines("no rows at all still have a vocabulary", (engine) => {
  const options = { classWeights: [1, 2, 3, 4, 5] };
  const none = new Float32Array(0);
  assertEquals(loss(engine, none, [], { ...options, vocabSize: 5 }).loss, 0);
  for (const dims of [[0, 5], [0, 3, 5], [3, 0, 5]]) {
    const result = loss(engine, { data: none, dims }, [], options);
    assertEquals(result.loss, 0, `dims [${dims}]`);
  }
});

onEngines("one token under shift has no target", (engine) => {
  const result = lossGrad(engine, new Float32Array([1, 2]), [1], {
    shift: true,
  });
  assertBits([result.loss, result.activeTokens, result.totalTokens], [0, 0, 0]);
  assertZeros(result.gradLogits);
});

onEngines(
  "a label out of range is refused before anything is written",
  (engine) => {
    const V = 4;
    for (const bad of [V, -1, -101, 2147483647, -2147483648]) {
      const logits = normalLogits(3 * V, 1);
      const before = logits.slice();
      const labels = [0, 3, bad];
      for (const into of ["in-place", "new"] as const) {
        const error = assertThrows(
          () => lossGrad(engine, logits, labels, { into }),
          RangeError,
        );
        for (
          const part of ["labels[2]", `[0, ${V})`, `value is ${bad}`, "-100"]
        ) {
          assert(error.message.includes(part), error.message);
        }
        assertBits(logits, before, "logits");
      }
    }
    // another ignoreIndex makes -100 an error, and shift does not hide label 0
    const logits = new Float32Array(8);
    assertThrows(
      () => loss(engine, logits, [0, I], { ignoreIndex: -1 }),
      RangeError,
      "labels[1]",
    );
    assertThrows(
      () => loss(engine, logits, [9, 1], { shift: true }),
      RangeError,
      "labels[0]",
    );
  },
);

onEngines("-inf on other classes masks them", (engine) => {
  const V = 4000;
  const row = normalLogits(V, 3);
  for (const [from, to] of [[0, 1500], [0, 64], [1000, 1100], [3990, 4000]]) {
    const masked = row.slice().fill(-inf, from, to);
    const label = from === 0 ? 2000 : 5;
    // the classes that are left, alone
    const rest = [...row].filter((_, k) => k < from! || k >= to!);
    const place = from === 0 ? label - to! : label;
    for (const way of WAYS) {
      const result = single(engine, masked, label, way);
      const expected = single(engine, rest, place, way);
      assertAlmostEquals(result.loss, expected.loss, 1e-6);
      assertEquals(result.nonFiniteRows, 0);
      const grad = Array.from(result.gradLogits);
      assertZeros(grad.slice(from, to), "masked class");
      const error = gradError(
        grad,
        exactGrad(masked, [label], { reduction: "sum" }),
        V,
      );
      assert(error <= 2e-6, `gradient is off by ${error}`);
    }
  }
});

onEngines(
  "-inf on all classes but the label leaves nothing to learn",
  (engine) => {
    // also far from 0, where e^u alone would underflow or overflow
    for (const value of [0, 5, -80, -100, -800, -1e30, 100, 800, 1e30]) {
      for (const V of [1, 2, 3, 9, 1030]) {
        for (const label of [0, V - 1]) {
          const row = new Float32Array(V).fill(-inf);
          row[label] = value;
          for (const way of WAYS) {
            const what = `u = ${value}, V = ${V}, ${JSON.stringify(way)}`;
            const result = single(engine, row, label, {
              ...way,
              logSumExp: true,
            });
            assertBits([result.loss], [0], what);
            assertBits(result.logSumExp!, [row[label]!], what);
            assertZeros(result.gradLogits, what);
          }
        }
      }
    }
  },
);

onEngines("-inf on the label: loss Infinity, gradient p - onehot", (engine) => {
  for (const [V, label] of [[3, 1], [1030, 0], [1030, 1029], [2100, 1024]]) {
    const row = normalLogits(V!, 5);
    row[label!] = -inf;
    for (const way of WAYS) {
      const result = single(engine, row, label!, way);
      assertBits([result.loss, result.nonFiniteRows], [inf, 0]);
      assertEquals(result.perToken![0], inf);
      assertBits([result.gradLogits[label!]!], [-1]);
      const exact = exactGrad(row, [label!], { reduction: "sum" });
      assert(gradError(result.gradLogits, exact, V!) <= 2e-6);
    }
  }
});

onEngines(
  "all -inf, NaN and +inf make their row NaN and touch no other",
  (engine) => {
    const V = 2500, label = 1700;
    const logits = normalLogits(3 * V, 9);
    const options = {
      reduction: "sum",
      perToken: true,
      logSumExp: true,
    } as const;
    const bad: [string, (row: Float32Array) => void][] = [
      ["all -inf", (row) => row.fill(-inf)],
      ["all NaN", (row) => row.fill(NaN)],
      ["all +inf", (row) => row.fill(inf)],
      ...[0, 1, 63, 64, 1023, 1024, 1250, label, 2496, V - 1].flatMap((k) =>
        [NaN, inf].map((x): [string, (row: Float32Array) => void] => [
          `${x} at ${k}`,
          (row) => row[k] = x,
        ])
      ),
      ["NaN among -inf", (row) => row.fill(-inf)[V - 2] = NaN],
    ];
    for (const way of WAYS) {
      const labels = [3, label, 4];
      const clean = lossGrad(engine, logits, labels, { ...options, ...way });
      for (const [what, spoil] of bad) {
        const dirty = logits.slice();
        spoil(dirty.subarray(V, 2 * V));
        const result = lossGrad(engine, dirty, labels, { ...options, ...way });
        const grad = Array.from(result.gradLogits);
        assertBits([result.loss, result.nonFiniteRows], [NaN, 1], what);
        const { perToken } = clean;
        assertBits(result.perToken!, [perToken![0]!, NaN, perToken![2]!], what);
        assertEquals(result.logSumExp![1], NaN, what);
        assertBits(grad.slice(V, 2 * V), new Array(V).fill(NaN), what);
        for (const at of [0, 2 * V]) {
          const expected = Array.from(clean.gradLogits).slice(at, at + V);
          assertBits(grad.slice(at, at + V), expected, what);
        }
      }
    }
  },
);

onEngines(
  "smoothing over a class of -inf: loss Infinity, gradient finite",
  (engine) => {
    const row = [1, -inf, 2, 0.5, -inf];
    for (const labelSmoothing of [0.1, 1]) {
      const options = { labelSmoothing, reduction: "sum" } as const;
      const result = single(engine, row, 2, options);
      assertBits([result.loss, result.nonFiniteRows], [inf, 0]);
      const grad = Array.from(result.gradLogits);
      assert(grad.every(Number.isFinite));
      const exact = exactGrad(Float32Array.from(row), [2], options);
      assert(gradError(grad, exact, 5) <= 2e-6);
    }
  },
);

onEngines("a row of weight 0 is active and adds exactly 0", (engine) => {
  const rest = [0.5, -1, 2];
  for (const row of [[1, 2, 3], [NaN, 0, 0], [0, -inf, 0], [inf, 1, 1]]) {
    const logits = Float32Array.from([...rest, ...row]);
    for (const way of WAYS) {
      const result = lossGrad(engine, logits, [0, 1], {
        ...way,
        tokenWeights: [1, 0],
        reduction: "sum",
        perToken: true,
      });
      const other = loss(engine, logits.subarray(0, 3), [0], way);
      assertBits(result.perToken!, [other.loss, 0], `row ${row}`);
      assertBits([result.loss, result.activeTokens], [other.loss, 2]);
      assertZeros(Array.from(result.gradLogits).slice(3), `row ${row}`);
      // a class weight of 0 does the same
      const byClass = lossGrad(engine, logits, [0, 1], {
        ...way,
        classWeights: [1, 0, 1],
        perToken: true,
      });
      assertBits([byClass.perToken![1]!, byClass.weightSum], [0, 1]);
      assertZeros(Array.from(byClass.gradLogits).slice(3), `row ${row}`);
    }
  }
});

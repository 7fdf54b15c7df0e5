/**
 * metrics: nll, accuracy with ties, entropy and perplexity, over active tokens,
 * without weights, smoothing or z-loss, on every engine.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { LossOptions } from "../../src/contract.ts";
import type { Engine } from "../../src/engine.ts";
import { loss, normalLogits, onEngines } from "../engines.ts";
import { assertBits } from "../conformance/bits.ts";

const inf = Infinity;

function metrics(
  engine: Engine,
  rows: number[][],
  labels: number[],
  options: LossOptions = {},
) {
  const logits = Float32Array.from(rows.flat());
  return loss(engine, logits, labels, { ...options, metrics: true }).metrics!;
}

onEngines(
  "metrics come on request only, and change no other number",
  (engine) => {
    const logits = normalLogits(60, 1);
    const labels = [1, 2, -100, 4, 5, 0];
    const { metrics: _, ...rest } = loss(engine, logits, labels, {
      metrics: true,
    });
    const plain = loss(engine, logits, labels);
    assertEquals(plain.metrics, undefined);
    assert("metrics" in plain === false);
    assertAlmostEquals(rest.loss, plain.loss, 1e-6);
    assertEquals(rest.activeTokens, plain.activeTokens);
  },
);

onEngines(
  "correct: the largest logit is the label's, ties to the lowest index",
  (engine) => {
    const cases: [number[], number, number][] = [
      [[1, 2, 3], 2, 1],
      [[1, 2, 3], 1, 0],
      [[3, 3, 1], 0, 1],
      [[3, 3, 1], 1, 0],
      [[1, 3, 3], 1, 1],
      [[1, 3, 3], 2, 0],
      [[0, -0, 0], 0, 1],
      [[0, -0, 0], 1, 0],
      [[5], 0, 1],
      [[-inf, 1, -inf], 1, 1],
      [[-inf, 1, 1], 2, 0],
      [[1, -inf, 0], 1, 0],
      [[-1e30, -1e30], 0, 1],
      [[-1e30, -1e30], 1, 0],
      [[1e-40, 2e-40], 1, 1],
    ];
    for (const [row, label, expected] of cases) {
      const { correct, accuracy } = metrics(engine, [row], [label]);
      assertEquals(
        [correct, accuracy],
        [expected, expected],
        `${row}: ${label}`,
      );
    }
    const rows = cases.filter(([row]) => row.length === 3);
    const labels = rows.map(([, label]) => label);
    const all = metrics(engine, rows.map(([row]) => row), labels);
    const right = rows.reduce((n, [, , c]) => n + c, 0);
    assertEquals([all.correct, all.accuracy], [right, right / rows.length]);
  },
);

onEngines("a tie across blocks goes to the lowest index too", (engine) => {
  const row = new Array(2500).fill(0);
  row[1200] = row[2400] = 7;
  assertEquals(metrics(engine, [row], [1200]).correct, 1);
  assertEquals(metrics(engine, [row], [2400]).correct, 0);
});

onEngines("correct is of the transformed logits", (engine) => {
  assertEquals(metrics(engine, [[1, 2]], [0], { logitScale: -1 }).correct, 1);
  assertEquals(metrics(engine, [[1, 2]], [1], { logitScale: -1 }).correct, 0);
  assertEquals(metrics(engine, [[1, 2]], [1], { softcap: 1 }).correct, 1);
});

onEngines(
  "entropy: ln V where all are equal, 0 where one is certain",
  (engine) => {
    for (const V of [1, 2, 7, 1024, 1025]) {
      const row = new Array(V).fill(3);
      const { entropy } = metrics(engine, [row], [0]);
      assertAlmostEquals(entropy, Math.log(V), 1e-12);
    }
    assertAlmostEquals(metrics(engine, [[0, 1000, 0]], [1]).entropy, 0, 1e-12);
  },
);

onEngines("entropy: classes of -inf count for nothing", (engine) => {
  const { entropy } = metrics(engine, [[0, -inf, 0, -inf, 0]], [0]);
  assertAlmostEquals(entropy, Math.log(3), 1e-12);
  assertBits([metrics(engine, [[-inf, 4, -inf]], [1]).entropy], [0]);
  // also where the label is one of them
  const hopeless = metrics(engine, [[0, -inf, 0]], [1]);
  assertAlmostEquals(hopeless.entropy, Math.LN2, 1e-12);
  assertBits([hopeless.nll, hopeless.perplexity], [inf, inf]);
});

onEngines("entropy is -Σ p log p", (engine) => {
  const row = [0.3, -1.2, 2.5, 0.1, -4];
  const float = Float32Array.from(row);
  const total = float.reduce((s, x) => s + Math.exp(x), 0);
  const expected = float.reduce((s, x) => {
    const p = Math.exp(x) / total;
    return s - p * Math.log(p);
  }, 0);
  assertAlmostEquals(metrics(engine, [row], [0]).entropy, expected, 1e-7);
});

onEngines("nll and perplexity are means over active tokens, bare", (engine) => {
  const rows = [[1, 2, 0], [0, 5, 1], [2, 2, 2], [9, 0, 0]];
  const labels = [0, -100, 2, 1];
  const logits = Float32Array.from(rows.flat());
  const { perToken } = loss(engine, logits, labels, { perToken: true });
  const mean = (perToken![0]! + perToken![2]! + perToken![3]!) / 3;
  for (
    const options of [
      {},
      { labelSmoothing: 0.3, zLoss: 0.1 },
      { tokenWeights: [5, 1, 0, 0.1], classWeights: [3, 0, 2] },
      { reduction: "sum" },
      { denominator: 100 },
    ] as LossOptions[]
  ) {
    const result = metrics(engine, rows, labels, options);
    assertAlmostEquals(result.nll, mean, 1e-6);
    assertAlmostEquals(result.perplexity, Math.exp(result.nll), 1e-12);
    assertEquals(result.accuracy, 0);
  }
});

onEngines("with no active token all are 0, and perplexity 1", (engine) => {
  const result = metrics(engine, [[1, 2], [NaN, 0]], [-100, -100]);
  assertEquals(result, {
    nll: 0,
    correct: 0,
    accuracy: 0,
    entropy: 0,
    perplexity: 1,
    nllTerms: [],
    entropyTerms: [],
  });
});

onEngines(
  "a row that is not finite is not correct, and its nll and entropy are NaN",
  (engine) => {
    for (const row of [[NaN, 5], [5, NaN], [inf, 0], [-inf, -inf]]) {
      const result = metrics(engine, [row, [1, 0]], [0, 0]);
      assertEquals(result.correct, 1, `${row}`);
      assertBits([result.nll, result.perplexity], [NaN, NaN], `nll of ${row}`);
      assertBits([result.entropy], [NaN], `entropy of ${row}`);
    }
  },
);

/**
 * mergeLoss(): shards in any order and partition merge to the bits of one call,
 * on every engine; what does not belong together is refused.
 *
 * @module
 */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { mergeLoss } from "../../mod.ts";
import type { LossOptions, LossResult } from "../../src/contract.ts";
import { loss, normalLogits, onEngines, seeded } from "../engines.ts";
import { assertBits } from "../conformance/bits.ts";

const N = 60, V = 23;

/** Rows whose losses differ by many orders of magnitude, so that order would show. */
function batch() {
  const random = seeded(3);
  const logits = normalLogits(N * V, 3, 8);
  for (let i = 0; i < N; i += 5) logits[i * V + 4] = 1e5 * random();
  const labels = Int32Array.from(
    { length: N },
    () => random() < 0.3 ? -100 : Math.floor(random() * V),
  );
  const tokenWeights = Float64Array.from({ length: N }, () => random() * 3);
  return { logits, labels, tokenWeights };
}

const { logits, labels, tokenWeights } = batch();

/** The numbers that must agree to the last bit. */
function assertMerged(merged: LossResult, whole: LossResult, what: string) {
  const numbers = (r: LossResult) => [
    r.loss,
    r.sum,
    r.weightSum,
    r.denominator,
    r.activeTokens,
    r.totalTokens,
    r.nonFiniteRows,
  ];
  assertBits(numbers(merged), numbers(whole), what);
  assertBits(merged.sumTerms, whole.sumTerms, `${what}: sumTerms`);
  assertBits(merged.weightSumTerms, whole.weightSumTerms, what);
  assertEquals(merged.reduction, whole.reduction);
  assertEquals(merged.denominatorGiven, whole.denominatorGiven);
}

/** A part of the batch: rows [from, to). */
function part(options: LossOptions, from: number, to: number) {
  const { tokenWeights: weights, ...rest } = options;
  return [
    logits.subarray(from * V, to * V),
    labels.subarray(from, to),
    {
      ...rest,
      ...(weights === undefined
        ? {}
        : { tokenWeights: Array.from(weights).slice(from, to) }),
    },
  ] as const;
}

/** Borders of parts of `size` rows. */
function cuts(size: number): number[] {
  const borders = [0];
  while (borders.at(-1)! < N) borders.push(Math.min(borders.at(-1)! + size, N));
  return borders;
}

const classWeights = Array.from({ length: V }, (_, k) => 0.1 + k / 7);

const CASES: Record<string, LossOptions> = {
  token: { reduction: "token" },
  sample: { reduction: "sample" },
  sum: { reduction: "sum" },
  "token weights": { tokenWeights },
  "class weights": { classWeights },
  "both weights, sample": { tokenWeights, classWeights, reduction: "sample" },
  "a denominator": { denominator: 41.7 },
  smoothing: { labelSmoothing: 0.1, zLoss: 1e-4 },
};

for (const [name, options] of Object.entries(CASES)) {
  onEngines(
    `shards of any size and order merge to the bits of one call: ${name}`,
    (engine) => {
      const all = {
        ...options,
        perToken: true,
        logSumExp: true,
        metrics: true,
      };
      const whole = loss(engine, ...part(all, 0, N));
      const random = seeded(8);
      for (const size of [1, 2, 7, 16, 59, 60]) {
        const borders = cuts(size);
        const parts = borders.slice(1).map((to, s) =>
          loss(engine, ...part(all, borders[s]!, to))
        );
        const merged = mergeLoss(parts);
        const what = `parts of ${size}`;
        assertMerged(merged, whole, what);
        assertEquals(merged.metrics, whole.metrics, what);
        assertBits(merged.perToken!, whole.perToken!, what);
        assertBits(merged.logSumExp!, whole.logSumExp!, what);

        // another order; perToken then comes in that order
        const shuffled = parts.slice().sort(() => random() - 0.5);
        assertMerged(mergeLoss(shuffled), whole, `${what}, shuffled`);
        assertEquals(mergeLoss(shuffled).metrics, whole.metrics, what);

        // merges of merges, and parts that went through a worker
        const half = parts.length >> 1;
        const tree = [parts.slice(half), parts.slice(0, half)]
          .filter((list) => list.length > 0).map(mergeLoss);
        assertMerged(
          mergeLoss(structuredClone(tree)),
          whole,
          `${what}, as tree`,
        );
      }
    },
  );
}

onEngines("whole sequences merge to the bits of one call", (engine) => {
  const lengths = [10, 0, 5, 25, 1, 19];
  const borders = [0];
  for (const n of lengths) borders.push(borders.at(-1)! + n);
  for (const shift of [false, true]) {
    for (const weights of [{}, { tokenWeights }]) {
      const options: LossOptions = { ...weights, reduction: "sequence", shift };
      const whole = loss(engine, logits, labels, {
        ...options,
        cuSeqlens: borders,
      });
      const parts = [[0, 1], [1, 4], [4, 6]].map(([s, t]) => {
        const from = borders[s!]!, to = borders[t!]!;
        const cuSeqlens = borders.slice(s, t! + 1).map((b) => b - from);
        return loss(engine, ...part({ ...options, cuSeqlens }, from, to));
      });
      const merged = mergeLoss(parts);
      assertMerged(merged, whole, `shift ${shift}`);
      assertEquals(merged.perSequence, whole.perSequence);
      assertMerged(mergeLoss(parts.toReversed()), whole, "in another order");
    }
  }
});

onEngines("parts that have no more than a result must have merge", (engine) => {
  const bare = (
    { weightSumTerms: _, denominatorGiven: __, ...rest }: LossResult,
  ) => rest as LossResult;
  for (const reduction of ["token", "sample", "sum"] as const) {
    const parts = [[0, 25], [25, 60]].map(([from, to]) =>
      loss(engine, ...part({ reduction }, from!, to!))
    );
    assertMerged(mergeLoss(parts.map(bare)), mergeLoss(parts), reduction);
  }
  const options = { reduction: "sequence", sequenceLength: 5 } as const;
  const { perSequence: _, ...rest } = loss(engine, ...part(options, 0, 25));
  assertThrows(
    () => mergeLoss([rest as LossResult]),
    TypeError,
    "Cannot merge losses as partial 0 must be a loss result",
  );
});

onEngines("one part, and parts without rows, change nothing", (engine) => {
  const whole = loss(engine, logits, labels, { metrics: true });
  assertEquals(mergeLoss([whole]), whole);
  assertEquals(mergeLoss(new Set([whole])), whole);
  const none = loss(engine, logits.subarray(0, 0), [], {
    vocabSize: V,
    metrics: true,
  });
  assertEquals(mergeLoss([none, whole, none]), whole);
  assertEquals(mergeLoss([none, none]), none);
  const ignored = loss(engine, logits, new Int32Array(N).fill(-100));
  assertEquals(mergeLoss([ignored, ignored]).loss, 0);
});

onEngines("what is not finite merges as in one call", (engine) => {
  const rows: Record<string, number[]> = {
    fine: [1, 2],
    hopeless: [0, -Infinity],
    broken: [NaN, 0],
  };
  const names = Object.keys(rows);
  for (const a of names) {
    for (const b of names) {
      const values = Float32Array.from([...rows[a]!, ...rows[b]!]);
      const whole = loss(engine, values, [1, 1]);
      const merged = mergeLoss([
        loss(engine, values.subarray(0, 2), [1]),
        loss(engine, values.subarray(2), [1]),
      ]);
      assertMerged(merged, whole, `${a} and ${b}`);
    }
  }
});

onEngines(
  "metrics merge only where every part has them, as perToken does",
  (engine) => {
    const a = loss(engine, ...part({ metrics: true, perToken: true }, 0, 30));
    const b = loss(engine, ...part({}, 30, 60));
    const merged = mergeLoss([a, b]);
    assertEquals(merged.metrics, undefined);
    assertEquals(merged.perToken, undefined);
    assertAlmostEquals(merged.sum, a.sum + b.sum, 1e-9 * a.sum);
  },
);

onEngines("mixed reductions and denominators are refused", (engine) => {
  const of = (options: LossOptions) => loss(engine, ...part(options, 0, 5));
  const refuse = (parts: LossResult[], text: string) =>
    assertThrows(() => mergeLoss(parts), RangeError, text);
  refuse([], "at least one");
  refuse(
    [of({}), of({ reduction: "sum" })],
    'partial 1 must have the reduction of the first, token: current value is "sum"',
  );
  refuse(
    [of({ denominator: 2 }), of({})],
    'partial 1 must have the given denominator of the first, 2: current value is "none"',
  );
  refuse(
    [of({}), of({}), of({ denominator: 2 })],
    "partial 2 must have the given denominator of the first, none: current value is 2",
  );
  refuse(
    [of({ denominator: 2 }), of({ denominator: 3 })],
    "denominator of the first, 2: current value is 3",
  );
  // a denominator that a part only happens to have is none
  const alike = [of({ denominator: 5 }), of({ denominator: 5 })];
  assertEquals(mergeLoss(alike).denominator, 5);

  // parts that are negative together
  const negative = (reduction: "sum" | "token") =>
    [1, -2].map((w) =>
      loss(engine, Float32Array.of(1, 2), [0], {
        tokenWeights: [w],
        reduction: w < 0 ? "sum" : reduction,
      })
    );
  assertEquals(mergeLoss(negative("sum")).weightSum, -1);
});

Deno.test("mergeLoss() refuses what is no result", () => {
  for (const wrong of [5, null, undefined, {}, { loss: 1 }]) {
    assertThrows(
      () => mergeLoss([wrong as unknown as LossResult]),
      TypeError,
      "must be a loss result",
    );
  }
});

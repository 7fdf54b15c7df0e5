/**
 * How rows become one loss: token, sample, sequence, sum and a given
 * denominator, with and without weights, loss and gradient, on every engine.
 *
 * @module
 */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "@std/assert";
import type {
  GradOptions,
  LossOptions,
  Reduction,
} from "../../src/contract.ts";
import {
  exactGrad,
  gradError,
  loss,
  lossGrad,
  normalLogits,
  onEngines,
} from "../engines.ts";
import { assertBits, assertZeros } from "../conformance/bits.ts";

const I = -100;
const N = 8, V = 5;
const logits = normalLogits(N * V, 10);
const LABELS = [1, I, 4, 0, I, I, 2, 3];
const ACTIVE = [0, 2, 3, 6, 7];
const cuSeqlens = [0, 3, 3, 4, 6, 8];

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

onEngines(
  "every reduction divides the same sum by its own denominator",
  (engine) => {
    const run = (options: LossOptions) =>
      loss(engine, logits, LABELS, { perToken: true, ...options });
    const { perToken, sum: total } = run({});
    const nll = ACTIVE.map((i) => perToken![i]!);
    assertAlmostEquals(total, sum(nll), 1e-12);
    const cases: [LossOptions, number, number][] = [
      [{ reduction: "token" }, total / 5, 5],
      [{ reduction: "sample" }, total / 8, 8],
      [{ reduction: "sequence" }, total / 5, 1],
      [{ reduction: "sum" }, total, 1],
    ];
    for (const [options, expected, denominator] of cases) {
      const result = run(options);
      assertBits([result.loss, result.denominator], [expected, denominator]);
      assertEquals(result.denominatorGiven, false);
      assertEquals(result.reduction, options.reduction!);
      assertBits([result.sum, result.weightSum], [total, 5]);
      assertEquals([result.activeTokens, result.totalTokens], [5, 8]);
      // a given denominator replaces each
      const given = run({ ...options, denominator: 2.5 });
      assertBits([given.loss, given.denominator], [total / 2.5, 2.5]);
      assertEquals(given.denominatorGiven, true);
    }
  },
);

onEngines(
  "sequence is the mean over sequences of their own token means",
  (engine) => {
    const { perToken } = loss(engine, logits, LABELS, { perToken: true });
    const [a, , c, d, , , g, h] = perToken!;
    const means = [(a! + c!) / 2, d!, (g! + h!) / 2];
    const result = loss(engine, logits, LABELS, {
      reduction: "sequence",
      cuSeqlens,
    });
    assertAlmostEquals(result.loss, sum(means) / 3, 1e-14);
    // an empty sequence and one without an active token do not count
    assertEquals(result.denominator, 3);
    const { perSequence } = result;
    assertEquals([...perSequence!.activeTokens], [2, 0, 1, 0, 2]);
    assertEquals([...perSequence!.weightSum], [2, 0, 1, 0, 2]);
    assertAlmostEquals(perSequence!.sum[0]!, a! + c!, 1e-14);
    assertBits([perSequence!.sum[1]!, perSequence!.sum[3]!], [0, 0]);

    // equal sequences: by length, by dims and by borders the same
    const four = [0, 4, 8];
    const options: LossOptions = { reduction: "sequence" };
    const byBorders = loss(engine, logits, LABELS, {
      ...options,
      cuSeqlens: four,
    });
    const byLength = loss(engine, logits, LABELS, {
      ...options,
      sequenceLength: 4,
    });
    const tensor = { data: logits, dims: [2, 4, V] };
    assertEquals(byLength, byBorders);
    assertEquals(loss(engine, tensor, LABELS, options), byBorders);
  },
);

onEngines(
  "perSequence comes with sequences, whatever the reduction",
  (engine) => {
    for (const reduction of ["token", "sample", "sum"] as Reduction[]) {
      const without = loss(engine, logits, LABELS, { reduction });
      assertEquals(without.perSequence, undefined);
      const result = loss(engine, logits, LABELS, { reduction, cuSeqlens });
      assertEquals(result.perSequence!.sum.length, 5);
      assertBits([result.loss], [without.loss]);
    }
  },
);

onEngines("weights weigh the sum, and what token divides by", (engine) => {
  const tokenWeights = [0.5, 9, 2, 1, 9, 9, 0, -0.25];
  const classWeights = [1, 2, 0.5, 4, 3];
  const { perToken: nll } = loss(engine, logits, LABELS, { perToken: true });
  const w = ACTIVE.map((i) => tokenWeights[i]! * classWeights[LABELS[i]!]!);
  const total = sum(ACTIVE.map((i, n) => w[n]! * nll![i]!));
  const options = { tokenWeights, classWeights };
  const expected: Record<Reduction, [number, number]> = {
    token: [total / sum(w), sum(w)],
    sample: [total / 8, 8],
    sequence: [total / sum(w), 1],
    sum: [total, 1],
  };
  for (const [name, [value, denominator]] of Object.entries(expected)) {
    const reduction = name as Reduction;
    const result = loss(engine, logits, LABELS, { ...options, reduction });
    assertAlmostEquals(result.loss, value, 1e-12);
    assertAlmostEquals(result.denominator, denominator, 1e-12);
    assertAlmostEquals(result.weightSum, sum(w), 1e-12);
    assertEquals(result.activeTokens, 5);
  }
});

onEngines("gradients are divided as the loss is", (engine) => {
  const whole = exactGrad(logits, LABELS, { reduction: "sum" });
  const options: GradOptions = { cuSeqlens };
  const factors: Record<Reduction, number[]> = {
    token: new Array(8).fill(1 / 5),
    sample: new Array(8).fill(1 / 8),
    sequence: [1 / 6, 0, 1 / 6, 1 / 3, 0, 0, 1 / 6, 1 / 6],
    sum: new Array(8).fill(1),
  };
  for (const [name, factor] of Object.entries(factors)) {
    const reduction = name as Reduction;
    const { gradLogits } = lossGrad(engine, logits, LABELS, {
      ...options,
      reduction,
    });
    const expected = whole.map((g, k) => g * factor[Math.floor(k / V)]!);
    assert(gradError(gradLogits, expected, V) <= 2e-6, reduction);
    const given = lossGrad(engine, logits, LABELS, {
      ...options,
      reduction,
      denominator: 10,
    });
    const tenth = whole.map((g) => g / 10);
    assert(gradError(given.gradLogits, tenth, V) <= 2e-6, reduction);
  }
});

onEngines("upstream scales gradients, never the loss", (engine) => {
  const plain = loss(engine, logits, LABELS);
  const whole = exactGrad(logits, LABELS);
  const list = [2, NaN, -1, 0, Infinity, NaN, 0.5, 4];
  for (const upstream of [3, -1, 0, list, Float32Array.from(list)]) {
    const result = lossGrad(engine, logits, LABELS, { upstream });
    assertBits([result.loss], [plain.loss]);
    const expected = whole.map((g, k) => {
      const row = Math.floor(k / V);
      const factor = typeof upstream === "number" ? upstream : upstream[row]!;
      return LABELS[row] === I ? 0 : g * factor;
    });
    assert(gradError(result.gradLogits, expected, V) <= 2e-6);
    for (const row of [1, 4, 5]) {
      const zeros = Array.from(result.gradLogits).slice(row * V, (row + 1) * V);
      assertZeros(zeros);
    }
  }
});

onEngines("a sum of weights of 0 gives loss 0 and gradient 0", (engine) => {
  const cancel = [1, 5, -1, 0, 5, 5, 0, 0];
  for (const tokenWeights of [new Array(N).fill(0), cancel]) {
    for (const reduction of ["token", "sample", "sequence"] as Reduction[]) {
      const result = lossGrad(engine, logits, LABELS, {
        tokenWeights,
        reduction,
      });
      assertBits([result.loss, result.weightSum], [0, 0], reduction);
      assertEquals(result.activeTokens, 5);
      assertZeros(result.gradLogits, reduction);
    }
  }
  const sumOf = loss(engine, logits, LABELS, {
    tokenWeights: cancel,
    reduction: "sum",
  });
  assert(sumOf.loss !== 0);
});

onEngines("a negative sum of weights needs sum or a denominator", (engine) => {
  const tokenWeights = new Array(N).fill(-1);
  for (const reduction of ["token", "sample", "sequence"] as Reduction[]) {
    const copy = logits.slice();
    const options: GradOptions = { tokenWeights, reduction, into: "in-place" };
    const error = assertThrows(
      () => lossGrad(engine, copy, LABELS, options),
      RangeError,
      "-5",
    );
    assert(error.message.includes("denominator"), error.message);
    assertBits(copy, logits, "logits");
    const given = { tokenWeights, reduction, denominator: 5 };
    assert(loss(engine, logits, LABELS, given).loss < 0);
  }
  const all = { tokenWeights, reduction: "sum" } as const;
  const plain = loss(engine, logits, LABELS, { reduction: "sum" });
  assertBits([loss(engine, logits, LABELS, all).loss], [-plain.loss]);
  // one sequence alone may not be negative either
  assertThrows(
    () =>
      loss(engine, logits, LABELS, {
        reduction: "sequence",
        cuSeqlens,
        tokenWeights: [9, 9, 9, -1, 9, 9, 9, 9],
      }),
    RangeError,
    "sequence 2",
  );
});

onEngines(
  "under shift, sample counts one position fewer per sequence",
  (engine) => {
    const total = (options: LossOptions) =>
      loss(engine, logits, LABELS, {
        shift: true,
        reduction: "sample",
        ...options,
      })
        .totalTokens;
    assertEquals(total({}), 7);
    assertEquals(total({ sequenceLength: 4 }), 6);
    assertEquals(total({ sequenceLength: 1 }), 0);
    assertEquals(total({ cuSeqlens }), 4);
  },
);

/** normalize.ts: the reductions' law, case by case. */
import { assertEquals } from "@std/assert";
import type { Reduction } from "../../src/contract.ts";
import {
  coefficients,
  denominatorOf,
  reduceLoss,
  sumClassWeights,
  tokenLoss,
  weigh,
} from "../../src/reference/normalize.ts";
import { scanRow } from "../../src/reference/log_sum_exp.ts";
import { problemOf } from "./problem.ts";

const REDUCTIONS: Reduction[] = ["token", "sample", "sequence", "sum"];

/** Six rows, two classes, four sequences: the second has no active row, the third no row. */
const ROWS = [[0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]];
const TARGETS = [0, 1, -100, -100, 1, -100];
const BORDERS = Int32Array.of(0, 2, 4, 4, 6);

Deno.test("weigh() counts active rows where there are no weights", () => {
  const problem = problemOf(ROWS, TARGETS);
  assertEquals(weigh(problem, null), {
    weightSumTerms: [3],
    weightSum: 3,
    activeTokens: 3,
    perSequence: null,
    activeSequences: 1,
  });
  assertEquals(weigh(problem, BORDERS), {
    weightSumTerms: [3],
    weightSum: 3,
    activeTokens: 3,
    perSequence: {
      weightSum: Float64Array.of(2, 0, 0, 1),
      activeTokens: Int32Array.of(2, 0, 0, 1),
    },
    activeSequences: 2,
  });
});

Deno.test("weigh() sums w·c_y exactly, and never reads an ignored row's weight", () => {
  const problem = problemOf(ROWS, TARGETS, {
    rowWeights: Float64Array.of(1e100, 1, NaN, NaN, -1e100, NaN),
    classWeights: Float64Array.of(2, 2),
  });
  const weighing = weigh(problem, BORDERS);
  assertEquals(weighing.weightSumTerms, [2]);
  assertEquals(weighing.weightSum, 2);
  assertEquals(weighing.perSequence?.weightSum[3], -2e100);
  assertEquals(sumClassWeights(problem), 4);
  assertEquals(sumClassWeights(problemOf(ROWS, TARGETS)), 2);
});

Deno.test("denominatorOf() follows the reduction, a given one wins", () => {
  const weighing = weigh(problemOf(ROWS, TARGETS), BORDERS);
  const of = (reduction: Reduction, given?: number) =>
    denominatorOf(reduction, given, weighing, 6);
  assertEquals(REDUCTIONS.map((r) => of(r)), [3, 6, 2, 1]);
  assertEquals(REDUCTIONS.map((r) => of(r, 8)), [8, 8, 8, 8]);
});

Deno.test("reduceLoss() divides as the reduction says", () => {
  const weighing = weigh(problemOf(ROWS, TARGETS), BORDERS);
  const sums = Float64Array.of(3, 0, 0, 5);
  const of = (reduction: Reduction, given?: number) =>
    reduceLoss(reduction, given, weighing, 6, 8, sums);
  // sequence: (3/2 + 5/1) / 2
  assertEquals(REDUCTIONS.map((r) => of(r)), [8 / 3, 8 / 6, 3.25, 8]);
  assertEquals(REDUCTIONS.map((r) => of(r, 16)), [0.5, 0.5, 0.5, 0.5]);
  const one = weigh(problemOf(ROWS, TARGETS), null);
  assertEquals(reduceLoss("sequence", undefined, one, 6, 8, null), 8 / 3);
});

Deno.test("coefficients() are upstream / D, 0 on ignored rows", () => {
  const problem = problemOf(ROWS, TARGETS);
  const weighing = weigh(problem, BORDERS);
  const upstream = [1, 2, NaN, NaN, 4, NaN];
  const of = (reduction: Reduction, given?: number) => [
    ...coefficients(problem, BORDERS, reduction, given, weighing, 6, upstream),
  ];
  assertEquals(of("token"), [1 / 3, 2 / 3, 0, 0, 4 / 3, 0]);
  assertEquals(of("sample"), [1 / 6, 2 / 6, 0, 0, 4 / 6, 0]);
  assertEquals(of("sequence"), [1 / 4, 2 / 4, 0, 0, 4 / 2, 0]);
  assertEquals(of("sum"), [1, 2, 0, 0, 4, 0]);
  assertEquals(of("sequence", 8), [1 / 8, 2 / 8, 0, 0, 4 / 8, 0]);
});

Deno.test("reduceLoss() and coefficients() are 0 where no row is active", () => {
  for (const problem of [problemOf([], []), problemOf([[0, 0]], [-100])]) {
    for (const borders of [null, Int32Array.of(0, problem.rows)]) {
      const weighing = weigh(problem, borders);
      const sums = borders && new Float64Array(1);
      for (const reduction of REDUCTIONS) {
        const total = problem.rows;
        assertEquals(
          reduceLoss(reduction, undefined, weighing, total, 0, sums),
          0,
        );
        assertEquals(
          denominatorOf(reduction, undefined, weighing, total),
          reduction === "sum" ? 1 : 0,
        );
        assertEquals(
          coefficients(problem, borders, reduction, undefined, weighing, 1, 1),
          new Float64Array(problem.rows),
        );
      }
    }
  }
});

Deno.test("reduceLoss() and coefficients() are 0 where weightSum is 0", () => {
  const problem = problemOf([[0, 0], [0, 0], [0, 0]], [0, 1, 0], {
    rowWeights: Float64Array.of(1, -1, 2),
  });
  // the first sequence weighs nothing, the second 2; both count
  const borders = Int32Array.of(0, 2, 3);
  const weighing = weigh(problem, borders);
  const sums = Float64Array.of(5, 6);
  assertEquals(
    reduceLoss("sequence", undefined, weighing, 3, 11, sums),
    6 / 2 / 2,
  );
  assertEquals(
    [...coefficients(problem, borders, "sequence", undefined, weighing, 3, 1)],
    [0, 0, 1 / 4],
  );

  const none = problemOf([[0, 0], [0, 0]], [0, 1], {
    rowWeights: Float64Array.of(1, -1),
  });
  const nothing = weigh(none, null);
  for (const reduction of ["token", "sample", "sequence"] as Reduction[]) {
    assertEquals(reduceLoss(reduction, undefined, nothing, 2, 5, null), 0);
    assertEquals(
      [...coefficients(none, null, reduction, undefined, nothing, 2, 1)],
      [0, 0],
    );
  }
  assertEquals(reduceLoss("sum", undefined, nothing, 2, 5, null), 5);
  assertEquals(reduceLoss("token", 2, nothing, 2, 5, null), 2.5);
});

Deno.test("tokenLoss() switches off a term whose factor is 0, infinite or not", () => {
  const u = Float64Array.of(0, -Infinity);
  const scan = scanRow(u);
  const of = (more: Parameters<typeof problemOf>[2], nll = Infinity) =>
    tokenLoss(problemOf([[0, 0]], [1], more), 0, 1, u, scan, nll);
  assertEquals(of({}), Infinity);
  assertEquals(of({ rowWeights: new Float64Array(1) }), 0);
  assertEquals(of({ rowWeights: Float64Array.of(-1) }, 0), 0);
  assertEquals(of({ classWeights: Float64Array.of(1, 0) }), 0);
  assertEquals(of({ classWeights: Float64Array.of(1, 0), zLoss: 1 }), 0);
  assertEquals(of({ labelSmoothing: 1 }), Infinity);
  const classWeights = Float64Array.of(1, 0);
  assertEquals(of({ labelSmoothing: 0.5, classWeights }), 0);
});

/** gradient.ts against central differences of the losses, and at its edges. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { LossProblem } from "../../src/engine.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { problemOf, random } from "./problem.ts";

/** The float64 gradient of every row, [N·V], with coefficient 1 everywhere. */
function gradientOf(problem: LossProblem, coefficient = 1): Float64Array {
  const array = new Float64Array(problem.rows * problem.vocabSize);
  referenceEngine.differentiate(
    problem,
    new Float64Array(problem.rows).fill(coefficient),
    { array, dtype: "f64", rowStride: problem.vocabSize },
  );
  return array;
}

/** The same as (f(x + h) - f(x - h)) / 2h, from float64 logits. */
function differencesOf(problem: LossProblem): Float64Array {
  const h = 1e-5;
  const logits = Float64Array.from(problem.logits);
  // The reader takes any array of numbers for "f32".
  const moved = {
    ...problem,
    logits: logits as unknown as Float32Array,
  };
  return logits.map((x, i) => {
    const row = Math.floor(i / problem.vocabSize);
    logits[i] = x + h;
    const above = referenceEngine.score(moved).perToken[row]!;
    logits[i] = x - h;
    const below = referenceEngine.score(moved).perToken[row]!;
    logits[i] = x;
    return (above - below) / (2 * h);
  });
}

Deno.test("gradientRow() is the derivative of tokenLoss() under every pair of options", () => {
  const next = random(3);
  const V = 6;
  const rowWeights = Float64Array.of(0.5, -2, 1);
  const classWeights = Float64Array.of(1, 0, 0.25, -0.5, 3, 1);
  for (let choice = 0; choice < 64; choice++) {
    const on = (bit: number) => (choice >> bit) & 1;
    const rows = Array.from(
      { length: 3 },
      () => Array.from({ length: V }, () => 6 * next() - 3),
    );
    const problem = problemOf(rows, [4, 1, 0], {
      rowWeights: on(0) ? rowWeights : null,
      classWeights: on(1) ? classWeights : null,
      labelSmoothing: on(2) ? 0.3 : 0,
      zLoss: on(3) ? 0.2 : 0,
      softcap: on(4) ? 2.5 : 0,
      logitScale: on(5) ? -1.5 : 1,
    });
    const gradient = gradientOf(problem);
    const differences = differencesOf(problem);
    gradient.forEach((g, i) => {
      assertAlmostEquals(g, differences[i]!, 2e-9, `choice ${choice}, ${i}`);
    });
  }
});

Deno.test("gradientRow() keeps relative accuracy for a confident label", () => {
  // others' mass 2·e^-69 = 2.2e-30, where p_y - 1 is 0 in float64
  const gradient = gradientOf(problemOf([[0, 69, 0]], [1]));
  const p = Math.exp(-69);
  assert(Math.abs(gradient[1]! / (-2 * p) - 1) < 1e-15);
  assert(Math.abs(gradient[0]! / p - 1) < 1e-15);
});

Deno.test("gradientRow() is p - onehot where the label is -inf", () => {
  const gradient = gradientOf(problemOf([[0, 0, -Infinity]], [2]));
  assertEquals([...gradient], [0.5, 0.5, -1]);
});

Deno.test("gradientRow() is finite where smoothing meets a class of -inf", () => {
  const gradient = gradientOf(
    problemOf([[0, 0, -Infinity]], [0], { labelSmoothing: 0.3 }),
  );
  [-0.5 * 0.7 + 0.3 / 2 - 0.1, 0.5 * 0.7 + 0.3 / 2 - 0.1, -0.1].forEach(
    (expected, k) => assertAlmostEquals(gradient[k]!, expected, 1e-15),
  );
});

Deno.test("gradientRow() is exactly 0, never -0 or NaN, where nothing is asked", () => {
  const bad = [[NaN, 1, 2], [-Infinity, -Infinity, -Infinity], [0, 1, 2]];
  const zeros = new Array(9).fill(0);
  const isZero = (problem: LossProblem, coefficient = 1) =>
    gradientOf(problem, coefficient).forEach((g, i) =>
      assert(Object.is(g, zeros[i]), `${g} at ${i}`)
    );
  isZero(problemOf(bad, [-100, -100, -100]));
  isZero(problemOf(bad, [0, 1, 2], { rowWeights: new Float64Array(3) }));
  isZero(problemOf(bad, [0, 1, 2]), 0);
  isZero(problemOf(bad, [0, 0, 0], { classWeights: Float64Array.of(0, 1, 1) }));
});

Deno.test("gradientRow() is NaN in each column of a row that is not finite, and only there", () => {
  const gradient = gradientOf(
    problemOf([[0, 0], [NaN, 0], [Infinity, 0], [-Infinity, -Infinity]], [
      0,
      1,
      1,
      0,
    ]),
  );
  assertEquals([...gradient], [-0.5, 0.5, NaN, NaN, NaN, NaN, NaN, NaN]);
});

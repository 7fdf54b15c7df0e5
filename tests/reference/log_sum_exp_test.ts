/** log_sum_exp.ts and exp.ts: accuracy where the plain formulas lose it. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { expByReduction } from "../../src/reference/exp.ts";
import {
  argmaxOf,
  entropyOf,
  negativeLogLikelihood,
  scanRow,
  splitMass,
} from "../../src/reference/log_sum_exp.ts";

function nllOf(logits: number[], label: number): number {
  const u = Float64Array.from(logits);
  const scan = scanRow(u);
  const mass = splitMass(u, scan.rowMax, label, u[label]!);
  return negativeLogLikelihood(scan, mass, u[label]!);
}

Deno.test("scanRow() finds logSumExp at any size of logits", () => {
  assertAlmostEquals(
    scanRow(Float64Array.of(0, 0, 0)).logSumExp,
    Math.log(3),
    1e-15,
  );
  assertEquals(
    scanRow(Float64Array.of(1000, 1000)).logSumExp,
    1000 + Math.log(2),
  );
  assertEquals(scanRow(Float64Array.of(-1e30, -2e30)).logSumExp, -1e30);
  // the largest term does not swallow the rest
  assertEquals(scanRow(Float64Array.of(0, -50)).logSumExp, Math.exp(-50));
  assertEquals(scanRow(Float64Array.of(-Infinity, -Infinity, 4)).logSumExp, 4);
});

Deno.test("scanRow() knows a row that is not finite", () => {
  for (
    const row of [[NaN, 1], [1, NaN], [Infinity, 1], [-Infinity], [
      NaN,
      Infinity,
    ]]
  ) {
    const scan = scanRow(Float64Array.from(row));
    assert(scan.nonFinite);
    assertEquals(scan.logSumExp, NaN);
    assertEquals(nllOf(row, 0), NaN);
    assertEquals(entropyOf(Float64Array.from(row), scan), NaN);
  }
  assert(!scanRow(Float64Array.of(-Infinity, 0)).nonFinite);
});

Deno.test("negativeLogLikelihood() keeps relative accuracy for a confident label", () => {
  for (const gap of [1, 20, 36.5, 69, 300, 700]) {
    const nll = nllOf([5, 5 - gap, 5 - gap], 0);
    // log(1 + q) = q - q²/2 + ..., and from gap 36.5 on q² is below the last bit
    const q = 2 * Math.exp(5 - gap - 5);
    const expected = gap < 30 ? Math.log1p(q) : q;
    assert(Math.abs(nll / expected - 1) < 1e-15, `gap ${gap}: ${nll}`);
  }
});

Deno.test("negativeLogLikelihood() follows a label far below the others", () => {
  assertEquals(nllOf([0, -1000], 1), 1000);
  assertEquals(nllOf([3e38, -3e38], 1), 6e38);
  assertEquals(nllOf([0, -Infinity], 1), Infinity);
  assertEquals(nllOf([-1e30, -1e30], 0), Math.log(2));
  assertEquals(nllOf([7], 0), 0);
});

Deno.test("entropyOf() takes 0·log 0 as 0 and keeps small entropies", () => {
  const of = (...row: number[]) => {
    const u = Float64Array.from(row);
    return entropyOf(u, scanRow(u));
  };
  assertAlmostEquals(of(1, 1, 1, 1), Math.log(4), 1e-15);
  assertEquals(of(0, -Infinity), 0);
  assertAlmostEquals(of(0, 0, -Infinity, -2000), Math.log(2), 1e-15);
  // p = e^-50 beside 1: p·50 + p
  assertAlmostEquals(of(0, -50) / (51 * Math.exp(-50)), 1, 1e-14);
});

Deno.test("argmaxOf() gives a tie to the lowest index", () => {
  assertEquals(argmaxOf(Float64Array.of(1, 3, 3)), 1);
  assertEquals(argmaxOf(Float64Array.of(-Infinity, -Infinity)), 0);
  assertEquals(argmaxOf(Float64Array.of(0, -0)), 0);
});

Deno.test("expByReduction() is within the bound of [EXP 2]", () => {
  let worst = 0;
  for (let x = -700; x <= 700; x += 0.00731) {
    worst = Math.max(worst, Math.abs(expByReduction(x) / Math.exp(x) - 1));
  }
  assert(worst <= 1.3e-7, `${worst}`);
  assert(worst >= 1.2e-7, `${worst}: the bound could be tighter`);
});

Deno.test("[EXP 1] no float32 but a usable one passes the check of bits and sum", () => {
  // every t there is, 2^32 of them in steps that reach every exponent and sign
  const bits = new Uint32Array(1), value = new Float32Array(bits.buffer);
  const passes = (code: number) =>
    ((code | 0x40000000) & 0xffffff80) >>> 0 === 0x40000000;
  for (let code = 0; code < 2 ** 32; code += 61) {
    bits[0] = code;
    const m = (value[0]! - 2) * 2 ** 22;
    const usable = m >= 0 && m <= 127;
    if (passes(code) === usable) continue;
    // what passes without being usable is zero or smaller than any t can be
    assert(Math.abs(value[0]!) < 2 ** -126, `t = ${value[0]}`);
  }
});

Deno.test("[EXP 4] a reference counted in the constant's own unit undoes the drift", () => {
  const LN2 = Math.fround(Math.LN2);
  assertEquals(LN2, 0.693147182464599609375);
  for (const x of [3, 1000.25, 9999.5, -20000.75]) {
    // as a fused float32 twin reduces x, with K far from the row's n by 10
    const n = Math.round(x / Math.LN2);
    const K = n + 10;
    const term = Math.exp(x - n * LN2) * 2 ** (n - K);
    const drift = (n - K) * (LN2 - Math.LN2);
    assertAlmostEquals(K * LN2 + Math.log(term) + drift, x, 1e-11);
  }
});

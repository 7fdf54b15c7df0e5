/** exact_sum.ts against whole numbers of any size, in which every float64 is exact. */
import { assert, assertEquals } from "@std/assert";
import { exactTerms, roundedSum } from "../../src/reference/exact_sum.ts";

/** Numbers in [0, 1) from a seed (a linear congruence modulo 2^32). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A finite float64 as a multiple of 2^-1074, from its code: field e of 11 bits, mantissa f of 52. */
function integerOf(x: number): bigint {
  const code = new BigUint64Array(Float64Array.of(Math.abs(x)).buffer)[0]!;
  const e = code >> 52n, f = code & 0xfffffffffffffn;
  const integer = e === 0n ? f : (f | 1n << 52n) << (e - 1n);
  return x < 0 ? -integer : integer;
}

/** The float64 above (or, for step -1, below) x in size, x > 0. */
function neighbour(x: number, step: bigint): number {
  const bits = new BigUint64Array(Float64Array.of(x).buffer);
  bits[0] = bits[0]! + step;
  return new Float64Array(bits.buffer)[0]!;
}

/** Whether t is the float64 nearest to the sum, ties going to an even last bit. */
function isNearest(t: number, sum: bigint): boolean {
  if (t < 0) return isNearest(-t, -sum);
  if (t === 0) return sum === 0n;
  const far = (x: number) => {
    // beyond the largest number the next one would be 2^1024
    const there = x === Infinity ? 1n << 2098n : integerOf(x);
    return there > sum ? there - sum : sum - there;
  };
  const even = (new BigUint64Array(Float64Array.of(t).buffer)[0]! & 1n) === 0n;
  return [neighbour(t, 1n), neighbour(t, -1n)].every((n) =>
    far(t) < far(n) || (far(t) === far(n) && even)
  );
}

/** Fails unless `terms` are the canonical terms of the values' sum. */
function assertCanonical(terms: number[], values: number[]): void {
  let rest = values.reduce((sum, x) => sum + integerOf(x), 0n);
  for (const t of terms.toReversed()) {
    assert(t !== 0, "a term is 0");
    assert(isNearest(t, rest), `${t} is not the nearest, values ${values}`);
    rest -= integerOf(t);
  }
  assertEquals(rest, 0n);
}

function shuffled(values: number[], next: () => number): number[] {
  const out = [...values];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

Deno.test("exactTerms() gives the canonical terms, in any order, at any size", () => {
  const next = random(1);
  // lowest and highest exponent of the values: losses, wide, subnormal, everything below and around 2^960
  const ranges = [[-3, 5], [-60, 60], [-1074, -1000], [-1074, 959], [900, 980]];
  for (let trial = 0; trial < 1500; trial++) {
    const [low, high] = ranges[trial % ranges.length] as [number, number];
    const count = 2 + Math.floor(next() * 14);
    const values: number[] = [];
    for (let i = 0; i < count; i++) {
      // few bits make ties frequent, and a copy with the other sign cancellation
      const size = next() < 0.5 ? 1 + Math.floor(next() * 4) : 1 + next();
      const exponent = low + Math.floor(next() * (high - low));
      const x = (next() < 0.5 ? -1 : 1) * size * 2 ** exponent;
      values.push(x);
      if (next() < 0.3) values.push(-x);
    }
    const terms = exactTerms(values);
    assertCanonical(terms, values);
    for (let order = 0; order < 3; order++) {
      assertEquals(exactTerms(shuffled(values, next)), terms);
    }
  }
});

Deno.test("exactTerms() rounds ties by what lies below them", () => {
  const half = 2 ** -53;
  assertEquals(exactTerms([1, half]), [half, 1]);
  assertEquals(roundedSum(exactTerms([1, half, 2 ** -200])), 1 + 2 ** -52);
  assertEquals(roundedSum(exactTerms([1, half, -(2 ** -200)])), 1);
  assertEquals(roundedSum(exactTerms([1 + 2 ** -52, half])), 1 + 2 ** -51);
  // where the sum is taken in whole numbers, and what lies below is far below
  const huge = 2 ** 1000, above = huge * (1 + 2 ** -52);
  for (const below of [5e-324, 1, huge * 2 ** -64]) {
    assertEquals(roundedSum(exactTerms([huge, huge * half])), huge);
    assertEquals(roundedSum(exactTerms([huge, huge * half, below])), above);
    assertEquals(roundedSum(exactTerms([huge, huge * half, -below])), huge);
    assertEquals(roundedSum(exactTerms([-huge, huge * -half, -below])), -above);
  }
});

Deno.test("exactTerms() of the parts' terms equals exactTerms() of the whole", () => {
  const next = random(2);
  const values = Array.from({ length: 999 }, () => -Math.log(next() + 1e-12));
  const whole = exactTerms(values);
  for (const size of [1, 7, 100, 998]) {
    const parts: number[] = [];
    for (let i = 0; i < values.length; i += size) {
      parts.push(...exactTerms(values.slice(i, i + size)));
    }
    assertEquals(exactTerms(parts), whole);
  }
});

Deno.test("exactTerms() survives an overflow on the way, and says a true one", () => {
  for (
    const order of [
      [1e308, 1e308, -1e308],
      [1e308, -1e308, 1e308],
      [-1e308, 1e308, 1e308],
    ]
  ) {
    assertEquals(exactTerms(order), [1e308]);
  }
  assertEquals(exactTerms([1e308, 1e308, -1e308, -1e308, 3]), [3]);
  assertEquals(exactTerms([1e308, 1e308]), [Infinity]);
  assertEquals(exactTerms([-1e308, -1e308, 1]), [-Infinity]);
  // the largest number, and half its last place: a tie that goes up to 2^1024
  const most = Number.MAX_VALUE;
  assertEquals(exactTerms([most, 2 ** 970]), [Infinity]);
  assertEquals(exactTerms([most, 2 ** 970, -5e-324]), [
    -5e-324,
    2 ** 970,
    most,
  ]);
  assertEquals(exactTerms([most, 5e-324]), [5e-324, most]);
});

Deno.test("exactTerms() keeps NaN and infinities", () => {
  assertEquals(exactTerms([1, NaN, 2]), [NaN]);
  assertEquals(exactTerms([Infinity, NaN]), [NaN]);
  assertEquals(exactTerms([Infinity, -Infinity]), [NaN]);
  assertEquals(exactTerms([1, Infinity, 1e308, 1e308]), [Infinity]);
  assertEquals(exactTerms([-Infinity]), [-Infinity]);
  assertEquals(exactTerms([NaN]), [NaN]);
});

Deno.test("exactTerms() reads count values, and has no term for 0", () => {
  assertEquals(exactTerms([]), []);
  assertEquals(exactTerms([0]), []);
  assertEquals(exactTerms([-0]), []);
  assertEquals(exactTerms([0, -0, 0]), []);
  assertEquals(exactTerms([3, -3]), []);
  assertEquals(exactTerms([7]), [7]);
  assertEquals(exactTerms(Float64Array.of(1, 2, 4, 8), 3), [7]);
  assertEquals(exactTerms([5, 6], 0), []);
  assertEquals(roundedSum([]), 0);
});

/**
 * The exact sum of float64 numbers, in any order, after J. R. Shewchuk,
 * "Adaptive Precision Floating-Point Arithmetic" (1997), as in Python's
 * math.fsum. It makes merged shards equal to one call, bit for bit.
 *
 * Two numbers, |a| >= |b|. s = fl(a + b) rounds, but what it drops is itself a
 * float64: it is a multiple of b's last place, as a, b and s are, and no larger
 * than b, as a is a float at distance |b| from a + b and s is the nearest one. It
 * is found without error: s - a is exact for the same kind of reason, the part of
 * b that went into s, and b less that part is what did not.
 * [SUM 1] s = fl(a + b), rest = fl(b - fl(s - a)), for |a| >= |b|: s + rest = a + b exactly
 *
 * Many numbers. Keep a list of floats that do not overlap (the lowest bit of
 * each lies above the highest bit of the one before), smallest first, whose
 * exact sum is the sum so far. A new number x passes through the list from the
 * smallest: at each place [SUM 1] splits x and the entry into the new x, which
 * goes on, and a rest, which stays unless it is 0. The last x closes the list.
 * [SUM 2] partials ← (rest_1, ..., rest_n, x): exact, not overlapping
 * In practice the list has 2 or 3 entries.
 *
 * One number. The list's entries are many ways to write one sum. The correctly
 * rounded sum adds them from the largest down until an addition leaves a rest:
 * all that is further down is then below half the last place, and cannot change
 * the rounding, except in a tie. If rest is exactly half an ulp of s, fl() has
 * gone to the even neighbour, and the sign of the next entry says on which side
 * of the tie the sum truly lies. If it has the sign of rest, the sum is beyond
 * the half, and s must go on to the other neighbour:
 * [SUM 3] if rest and the next entry have one sign and s + 2·rest is exact, then s ← s + 2·rest
 * (s + 2·rest is exact only if rest is half an ulp of s, that is, in a tie.)
 *
 * Canonical terms. The rounded sum t depends on the exact sum alone. So does
 * what remains when t is taken away, exactly, and so on until nothing remains:
 * [SUM 4] t_n = round(sum), t_{n-1} = round(sum - t_n), ...; each |t_{i-1}| <= ulp(t_i)/2
 * Two lists are equal, bit for bit, exactly when their sums are. Each term takes
 * 53 of the 2098 bits that float64s reach over, so there are at most 40.
 *
 * Overflow. s in [SUM 1] may overflow on the way to a finite sum, as in
 * 1e308 + 1e308 - 1e308. From 2^960 on (losses do not get there) the sum is
 * taken in whole numbers instead, exact at any size, for a float64 is a multiple of
 * 2^-1074. Doubling is exact, and after k doublings, 1074 at most, x is whole:
 * [SUM 5] integer = (x·2^k)·2^(1074 - k); x = integer·2^-1074
 * Back again, 64 of its bits are kept, more than a float64's 53. The last of them
 * is set if a bit that is cut off is, so that a tie is seen not to be one:
 * [SUM 6] x = round(integer / 2^shift)·2^(shift - 1074), shift = max(0, bits - 64), ties to even
 * A product of 2^1024 or more is infinity. Subnormal numbers lose nothing: of up to
 * 64 bits all are kept, and their multiples of 2^-1074 are float64s.
 * Below 2^960, 2^53 values still sum to less than 2^1013.
 *
 * @module
 */

/** 2^960, where the sum goes over to whole numbers, see above. */
const LARGE = 2 ** 960;

/**
 * Adds x to the floats partials[0..count), which do not overlap, exactly;
 * returns the new count. The list is longer than count only by what is left over.
 */
function grow(partials: number[], count: number, x: number): number {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    let y = partials[i]!;
    if (Math.abs(x) < Math.abs(y)) {
      const larger = y;
      y = x;
      x = larger;
    }
    // [SUM 1] s = fl(a + b), rest = fl(b - fl(s - a))
    const s = x + y;
    const rest = y - (s - x);
    // [SUM 2] partials ← (rest_1, ..., rest_n, x)
    if (rest !== 0) partials[kept++] = rest;
    x = s;
  }
  if (x !== 0) partials[kept++] = x;
  return kept;
}

/** The correctly rounded sum of partials[0..count), which do not overlap, smallest first. */
function round(partials: number[], count: number): number {
  let n = count;
  let s = partials[--n]!;
  let rest = 0;
  while (n > 0 && rest === 0) {
    const x = s;
    const y = partials[--n]!;
    // [SUM 1] s = fl(a + b), rest = fl(b - fl(s - a))
    s = x + y;
    rest = y - (s - x);
  }
  // [SUM 3] if rest and the next entry have one sign and s + 2·rest is exact, then s ← s + 2·rest
  if (n > 0 && rest !== 0 && (rest < 0) === (partials[n - 1]! < 0)) {
    const twice = 2 * rest;
    const beyond = s + twice;
    if (beyond - s === twice) s = beyond;
  }
  return s;
}

/** The canonical terms of the sum of partials[0..count), which is used up. */
function canonical(partials: number[], count: number): number[] {
  // [SUM 4] t_n = round(sum), t_{n-1} = round(sum - t_n), ...
  const terms: number[] = [];
  while (count > 0) {
    const t = round(partials, count);
    terms.unshift(t);
    count = grow(partials, count, -t);
  }
  return terms;
}

/** x as a multiple of 2^-1074. */
function toInteger(x: number): bigint {
  // [SUM 5] integer = (x·2^k)·2^(1074 - k)
  let shift = 1074n;
  for (; !Number.isInteger(x); x *= 2) shift--;
  return BigInt(x) << shift;
}

/** The float64 nearest to integer·2^-1074. */
function toFloat(integer: bigint): number {
  const size = integer < 0n ? -integer : integer;
  // [SUM 6] x = round(integer / 2^shift)·2^(shift - 1074)
  const shift = Math.max(0, size.toString(2).length - 64);
  const high = size >> BigInt(shift);
  const last = high << BigInt(shift) === size ? 0n : 1n;
  const x = Number(high | last) * 2 ** (shift - 1074);
  return integer < 0n ? -x : x;
}

/** The terms of a finite sum of any size, in whole numbers. */
function largeTerms(values: ArrayLike<number>, count: number): number[] {
  let rest = 0n;
  for (let i = 0; i < count; i++) rest += toInteger(values[i]!);
  // [SUM 4] t_n = round(sum), t_{n-1} = round(sum - t_n), ...
  const terms: number[] = [];
  while (rest !== 0n) {
    const t = toFloat(rest);
    if (!Number.isFinite(t)) return [t];
    terms.unshift(t);
    rest -= toInteger(t);
  }
  return terms;
}

/**
 * The exact sum of values[0..count) as floats that do not overlap, smallest
 * first, none of them 0: the last is the correctly rounded sum, the one before
 * the correctly rounded rest, and so on. They depend on the exact sum alone, not
 * on the order. [] stands for 0. One NaN, or infinities of both signs, give
 * [NaN]; infinities of one sign, or a sum beyond the float64s, give [±Infinity].
 */
export function exactTerms(
  values: ArrayLike<number>,
  count: number = values.length,
): number[] {
  if (count === 0) return [];
  if (count === 1) return values[0] === 0 ? [] : [values[0]!];

  const partials: number[] = [];
  let held = 0;
  let large = false;
  // Σ of the values that are not finite: ±Infinity, or NaN as soon as they disagree.
  let special = 0;
  for (let i = 0; i < count; i++) {
    const x = values[i]!;
    if (!(Math.abs(x) < LARGE)) {
      large = true;
      if (!Number.isFinite(x)) special += x;
    } else if (!large && x !== 0) {
      held = grow(partials, held, x);
    }
  }
  if (special !== 0) return [special];
  return large ? largeTerms(values, count) : canonical(partials, held);
}

/** The correctly rounded sum that terms from {@link exactTerms} stand for. */
export function roundedSum(terms: readonly number[]): number {
  return terms.length === 0 ? 0 : terms[terms.length - 1]!;
}

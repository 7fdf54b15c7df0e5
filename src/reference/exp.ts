/**
 * e^x. The truth is Math.exp, within 1 ulp of float64. What is derived here is
 * how the twins compute it in float32 vectors, which have no exponential: by
 * taking out powers of two, which are only bits, until a short polynomial is enough.
 *
 * Reduction. x = n·ln2 + f with n whole gives e^x = 2^n·e^f, and n = round(x/ln2)
 * makes |f| <= ln2/2 = 0.3466. A vector has no cheap rounding to whole numbers
 * that also yields their bits; adding a large number does both. Between 2^23 and
 * 2^24 the float32s are the whole numbers, so with M = 1.5·2^23 = 12582912:
 * [EXP 1] t = x·log₂e + M, n = t - M, f = x - n·ln2
 * t is rounded to a whole number by the addition; t - M is exact. M stands in the
 * middle of its range so that n may be negative: M's bits are 0x4b400000, and t's
 * are 0x4b400000 + n for |n| < 2^22. x·log₂e is off by 1e-7·|n| at most, so f may
 * leave [-ln2/2, ln2/2] by as much; e^f goes on smoothly there. (In float64 the
 * same with M = 1.5·2^52.)
 *
 * To have n - K in t for a reference K ([LSE 2] with R = K·ln2), M - K takes the
 * place of M; so does M + BIAS - K, if the bits are to be counted from BIAS up:
 * n - K >= -BIAS is then the same as "no borrow from the bits of M", and one mask
 * tests the range of all lanes.
 *
 * Polynomial. Taylor's of degree 5 is off by f^6/720 = 2.4e-6 at the ends and by
 * nothing in the middle. The best one spreads its error evenly. With p(0) = 1
 * kept, so that e^0 is exactly 1, there are five coefficients to choose:
 * [EXP 2] p(f) = 1 + f·(c1 + f·(c2 + f·(c3 + f·(c4 + f·c5)))), |p(f)/e^f - 1| <= 9.4e-8
 * That none is much better: p/e^f - 1, divided by f, takes six extremes of
 * alternating sign, the smallest of which is 8.8e-8 (as the error it makes). If
 * another p' of this form stayed below 8.8e-8, (p - p')/f, of degree 4, would
 * have those six signs too, hence five zeros: one too many. Float32 has
 * 2^-24 = 6e-8 of rounding in p's last addition; a higher degree would be lost in it.
 *
 * Reconstruction. p(f) is in [0.70, 1.42], so its exponent field is 126 or 127,
 * and to multiply by 2^n is to add n to the field, at bit 23:
 * [EXP 3] bits(2^n·p) = bits(p) + (n << 23) = bits(p) + (bits(t) << 23)
 * since 0x4b400000 << 23 loses all its bits: t serves as it is. The field must
 * stay in [1, 254], or the result is not a number of that size but nonsense:
 * -125 <= n <= 127. (Coefficients scaled by 2^-BIAS, BIAS = 96, and a count
 * n - K + BIAS in [0, 127] keep the field in [30, 158].)
 *
 * Base drift. The float32 nearest to ln2 is not ln2. A twin that subtracts
 * n·LN2 with a constant LN2 = ln2 + δ gets f = x - n·LN2, and computes
 *   2^n·e^f = e^{n·ln2 + x - n·ln2 - n·δ} = e^{x - n·δ}.
 * Relative to 2^K and with n = K + (n - K):
 *   2^{n-K}·e^f = e^{x - n·δ - K·ln2} = e^{x - K·(ln2 + δ)}·e^{-(n-K)·δ}
 * [EXP 4] 2^{n-K}·e^f = e^{x - R}·e^{-(n-K)·δ}, R = K·LN2, δ = LN2 - ln2
 * So the common part K·δ, which would grow with the logits, is undone exactly by
 * counting the reference R as K·LN2, not K·ln2, in float64 (at most 21 bits times
 * 21, or 36 times 15: no rounding). What is left is (n - K)·δ: for LN2 = 0.693147182464599609375 (the
 * float32) δ = 1.90e-9, at most 5.9e-8 for n - K <= 31, and 1.9e-9 for each halving
 * below K, where the terms matter less by that half. For a constant in two parts,
 * 0.693359375 - 2.1219444170128554e-4, δ = -1.6e-12.
 *
 * Rounding of f. x and n·LN2 are neighbours, their difference is exact if the
 * product is:
 * [EXP 5] n·LN2 must not be rounded: fused multiply-add, or LN2 = HI + LO with n·HI exact
 * A rounded product would be off by 2^-25·|x|, a relative error of e^x that grows
 * with x. HI = 0.693359375 = 355/512 has 9 bits, so n·HI is exact for |n| < 2^15;
 * n·LO is rounded, but it is 3000 times smaller.
 *
 * @module
 */

/** c5 ... c1 and 1 of [EXP 2]: float32 values, fitted by reweighted least squares. */
export const EXP_POLYNOMIAL: readonly number[] = [
  0.008290272206068039,
  0.04189816117286682,
  0.1666763871908188,
  0.4999914765357971,
  0.9999997019767761,
  1,
];

/** 1.5·2^52, which rounds a float64 to a whole number as M does a float32. */
const ROUND_TO_WHOLE = 6755399441055744;

/** e^x, the truth. */
export function exp(x: number): number {
  return Math.exp(x);
}

/**
 * e^x by [EXP 1], [EXP 2] and [EXP 3] in float64, so that what is left is the
 * polynomial's own error. Nothing computes with it; it lets the derivation run.
 * For |x| <= 700.
 */
export function expByReduction(x: number): number {
  // [EXP 1] t = x·log₂e + M, n = t - M, f = x - n·ln2
  const n = (x * Math.LOG2E + ROUND_TO_WHOLE) - ROUND_TO_WHOLE;
  const f = x - n * Math.LN2;
  // [EXP 2] p(f) = 1 + f·(c1 + f·(c2 + f·(c3 + f·(c4 + f·c5))))
  const p = EXP_POLYNOMIAL.reduce((sum, c) => sum * f + c);
  // [EXP 3] 2^n·p
  return p * 2 ** n;
}

/**
 * e^x. The truth is Math.exp, within 1 ulp of float64. What is derived here is
 * how the twins compute it in float32 vectors, which have no exponential: by
 * taking out powers of two, which are only bits, until a short polynomial is enough.
 *
 * Reduction. x = n·ln2 + f with n whole gives e^x = 2^n·e^f, and n = round(x/ln2)
 * makes |f| <= ln2/2 = 0.3466. A vector has no cheap rounding to whole numbers
 * that also yields their bits; adding a large number does both. The float32s in
 * [2, 4) are the multiples of 2^-22, so in units of 2^-22 an addition that ends
 * there rounds to whole numbers. With a reference K, in octaves, from which n is
 * counted downwards:
 * [EXP 1] t = 2 + (K - x·log₂e)·2^-22, bits(t) = 0x40000000 + m, m = K - n, f = x - n·ln2
 * n·2^-22 = (2 + K·2^-22) - t is exact. x·log₂e is off by 1e-7·|n| at most, so f may
 * leave [-ln2/2, ln2/2] by as much; e^f goes on smoothly there. (In float64 the
 * same with 1.5·2^52 + x·log₂e, where no m is wanted.)
 *
 * The range check. m is usable in [0, 127]. Every other t shows in the OR of all
 * t of a block, in the bits above the low seven, which must stay those of 2.0,
 * 0x40000000: a t in (0, 2) has an exponent field of 1 to 127 and with it one of
 * the bits 23 to 29; one of 2 + 128·2^-22 or more has a bit of 7 to 22, or of 23
 * to 30 beside the 30th; negative ones have the sign, infinities and NaNs bit 23.
 * Only t = 0 (no smaller t is possible: x·log₂e and K have no bits that small)
 * would go unseen. Fused, it cannot be: x·L = K·2^-22 + 2 exactly, L's mantissa
 * 12102203 being odd, would need it to divide 2^23 + K, which for |K| <= 2^20 no
 * multiple of it is. Not fused, x near 2^23·ln2 = 5.8e6 gives 0; then m = 0, |f| is
 * below 1, and the exponential is C·e^-1 or more: it takes the block's sum over
 * C/4 = 29, and the sum is checked too. So a block passes only if all of it is
 * usable.
 *
 * Polynomial. Horner's rule for degree 5 costs five multiplications, each waiting
 * for the last. A product of a quadratic and a cubic that share f + A costs four,
 * half of them side by side, and the last multiplication, h·z, merges with the
 * addition to the sum. The leading coefficient of the product is 1; it stands for
 * C·e^f, and C = 116.708 drops out because sums of exponentials are only ever
 * divided by each other, or counted in the reference:
 * [EXP 2] C·e^f = h·z, w = f + A, h = w² + B, z = (w·f + D)·f + E; relative error <= 1.3e-7
 * A, B, D, E and C: five numbers, as many as degree 5 with a value of 1 at 0 has.
 * Found by reweighted least squares on the relative error, then rounded to
 * float32; all are positive, so no step cancels. float32 itself is 6e-8 coarse.
 *
 * Reconstruction. z is in [18, 25], and to multiply it by 2^-m is to take m off its
 * exponent field, at bit 23:
 * [EXP 3] bits(2^-m·z) = bits(z) - (m << 23) = bits(z) - (bits(t) << 23)
 * since 0x40000000 << 23 loses all its bits: t serves as it is. The field of z is
 * 131, and with m <= 127 never falls below 4: no subnormal, no borrow from the sign.
 *
 * Base drift. The float32 nearest to ln2 is not ln2. A twin that subtracts
 * n·LN2 with a constant LN2 = ln2 + δ gets f = x - n·LN2, and computes, with m = K - n,
 *   C·2^-m·e^f = C·e^{(n - K)·ln2 + x - n·LN2} = C·e^{x - K·LN2}·e^{m·δ}.
 * [EXP 4] C·2^-m·e^f = e^{x - R}·e^{m·δ}, R = K·LN2 - ln C, δ = LN2 - ln2
 * So the part K·δ, which would grow with the logits, is undone exactly by counting
 * the reference as K·LN2, not K·ln2, in float64. What is left is m·δ, and where the
 * large terms are expected H octaves below K, taking H·δ into R as well leaves
 * (m - H)·δ, R = (K - H)·LN2 + H·ln2 - ln C: nothing at the largest terms. For the
 * float32 0.693147182464599609375 δ = 1.90e-9, 5.5e-8 on terms 2^-29 = e^-20 of the
 * largest; for the constant in two parts, 0.693359375 - 2.1219443e-4, below 1e-11.
 *
 * Rounding of f. x and n·LN2 are neighbours, their difference is exact if the
 * product is:
 * [EXP 5] n·LN2 must not be rounded: fused multiply-add, or LN2 = HI + LO with n·HI exact
 * A rounded product would be off by 2^-25·|x|, a relative error of e^x that grows
 * with x. HI = 0.693359375 = 355/512 has 9 bits, so n·HI is exact for |n| < 2^15;
 * n·LO is rounded, but it is 3000 times smaller.
 *
 * Series. A twin that takes its maximum first wants e^f itself, 1 at 0, and e^f - 1
 * near 0; it has multiplications to spare, waiting for memory as it does. So
 * Taylor's series, whose coefficients need no fit, ended by Lagrange's remainder:
 * [EXP 6] e^f = 1 + f·q(f), q(f) = Σ_{k <= 6} f^k / (k+1)!; relative error <= e^|f|·|f|^8 / 8! <= 8e-9
 * for |f| <= ln2/2, a tenth of what float32 itself is coarse.
 *
 * @module
 */

/** The constants of [EXP 2], float32 values but for ln C. */
export const EXP_FACTORS = {
  A: 1.6323316097259521,
  B: 2.8326220512390137,
  D: 8.622133255004883,
  E: 21.230756759643555,
  LN_C: 4.759676665265079,
} as const;

/** 1.5·2^52, which rounds a float64 to a whole number. */
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
  const { A, B, D, E, LN_C } = EXP_FACTORS;
  // [EXP 1] n = round(x·log₂e), f = x - n·ln2
  const n = (x * Math.LOG2E + ROUND_TO_WHOLE) - ROUND_TO_WHOLE;
  const f = x - n * Math.LN2;
  // [EXP 2] C·e^f = h·z
  const w = f + A;
  const h = w * w + B;
  const z = (w * f + D) * f + E;
  // [EXP 3] 2^n·e^f
  return h * z * 2 ** n / Math.exp(LN_C);
}

// e^x, twice: four float32 lanes for the hot loop, two float64 lanes for every
// row that the hot loop cannot hold. Derivations: src/reference/exp.ts.
//
// Every constant is loaded from memory, never splat: V8 would rebuild a splat
// constant in each turn of the loop, at half the speed.

/** log₂e to float32. Its error only moves the choice of n, never the value. */
export const LOG2E: f32 = 1.4426950408889634;

/** 1.5·2²³: adding it rounds a float32 to a whole number in its low bits, [EXP 1]. */
export const MAGIC: f32 = 12582912.0;

/** What the low seven bits of t count from: valid t are MAGIC + [0, 127]. */
export const BIAS: f32 = 96.0;

// ln 2. With fused multiply-add one float32 is enough, and x - n·LN2 is exact
// but for one rounding, [EXP 4]. Without, n·LN2_HI must be exact by itself:
// 0.693359375 = 355/512 has 9 bits, so |n| < 2¹⁵ is.
const LN2_F32: f32 = 0.6931471805599453;
const LN2_HI: f32 = 0.693359375;
const LN2_LO: f32 = -2.1219444005469057e-4;

/** What one count of n is worth in this build, exactly as the loop subtracts it. */
export const LN2_STEP: f64 = ASC_FEATURE_RELAXED_SIMD
  ? <f64>LN2_F32
  : <f64>LN2_HI + <f64>LN2_LO;

/** References beyond this go the float64 way: MAGIC - K (or n·LN2_HI) would no longer be exact. */
export const FAST_LIMIT: f64 = ASC_FEATURE_RELAXED_SIMD ? 1048576 : 16384;

// e^f on [-ln2/2, ln2/2], degree 5, relative minimax error 9.2e-8, value at 0
// exactly 1 (fitted by reweighted least squares, rounded to float32: 9.3e-8).
// Scaled by 2^-BIAS, so that adding t's biased count to the exponent bits lands
// on 2^(n - K), [EXP 3].
const S: f32 = 1.262177448353619e-29; // 2^-96
// prettier-ignore
export const EXP_F32: usize = memory.data<f32>([
  LOG2E, ASC_FEATURE_RELAXED_SIMD ? LN2_F32 : LN2_HI, LN2_LO, 0,
  0.008290272206068039 * S, 0.04189816117286682 * S, 0.1666763871908188 * S,
  0.4999914765357971 * S, 0.9999997019767761 * S, S,
], 16);

/** Lane offsets in bytes, of the first and the second vector of a group of eight. */
export const LANES: usize = memory.data<u32>([0, 4, 8, 12, 16, 20, 24, 28], 16);

/** Where t's fixed bits are, and what they must be: the range check of a block. */
export const RANGE: usize = memory.data<u32>([0xffffff80, 0x4b400000], 16);

// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

// @ts-ignore: decorator
@inline
function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

/** [EXP 1] t = x·log₂e + mk, with mk = MAGIC + BIAS - K: n - K + BIAS stands in t's low bits. */
// @ts-ignore: decorator
@inline
export function exp_count(x: v128, log2e: v128, mk: v128): v128 {
  return madd(x, log2e, mk);
}

/** [EXP 1] f = x - n·ln2. */
// @ts-ignore: decorator
@inline
export function exp_rest(x: v128, t: v128, mk: v128, hi: v128, lo: v128): v128 {
  const n = f32x4.sub(t, mk);
  if (ASC_FEATURE_RELAXED_SIMD) return nmadd(n, hi, x);
  return f32x4.sub(f32x4.sub(x, f32x4.mul(n, hi)), f32x4.mul(n, lo));
}

/** [EXP 3] e^x / 2^K = p(f) with n - K added to the exponent bits. */
// @ts-ignore: decorator
@inline
export function exp_scale(p: v128, t: v128): v128 {
  return i32x4.add(p, i32x4.shl(t, 23));
}

// ---- float64 ----------------------------------------------------------------

const PLAIN: usize = memory.data<f64>([1, -2, -0.0, 1e4], 16);

// @ts-ignore: decorator
@inline
export function one(): v128 {
  return v128.load64_splat(PLAIN);
}

// @ts-ignore: decorator
@inline
export function minus_two(): v128 {
  return v128.load64_splat(PLAIN, 8);
}

/** -0: nothing but the sign bit. */
// @ts-ignore: decorator
@inline
export function sign_bit(): v128 {
  return v128.load64_splat(PLAIN, 16);
}

/** 10⁴: e^-10⁴ is 0 in float64. */
// @ts-ignore: decorator
@inline
export function far(): v128 {
  return v128.load64_splat(PLAIN, 24);
}

/** Below this e^x is no normal float64: 0 is written. */
const EXP_LOW: f64 = -708.0;
const EXP_HIGH: f64 = 709.0;

// Constants, then 1/k! for k = 11 ... 0: the Taylor remainder on |f| <= ln2/2 is
// below 0.3466¹²/12! = 6.3e-15, relative. LN2 in two parts, the first of 32 bits,
// so that n·LN2 is exact for every |n| < 2²¹.
// prettier-ignore
const EXP_F64: usize = memory.data<f64>([
  1.4426950408889634, 6755399441055744.0, // log₂e, 1.5·2⁵²
  0.6931471803691238, 1.9082149292705877e-10, // ln2
  EXP_LOW, EXP_HIGH,
  2.505210838544172e-8, 2.755731922398589e-7, 2.7557319223985893e-6,
  2.48015873015873e-5, 1.984126984126984e-4, 1.388888888888889e-3,
  8.333333333333333e-3, 4.1666666666666664e-2, 0.16666666666666666,
  0.5, 1.0, 1.0,
], 16);

// @ts-ignore: decorator
@inline
function constant(index: usize): v128 {
  return v128.load64_splat(EXP_F64 + (index << 3));
}

// @ts-ignore: decorator
@inline
function step(p: v128, f: v128, index: usize): v128 {
  return f64x2.add(f64x2.mul(p, f), constant(index));
}

/**
 * e^x in float64, two lanes, relative error below 7e-15 on [-708, 709]; 0 below,
 * e^709 above, NaN for NaN. The same bits in both builds: no fused operation.
 */
export function exp_f64x2(x: v128): v128 {
  // the operand order of pmax and pmin lets a NaN through
  const low = constant(4);
  const c = f64x2.pmin(f64x2.pmax(x, low), constant(5));
  // [EXP 1] t = x·log₂e + 1.5·2⁵², n = t - 1.5·2⁵², f = x - n·ln2
  const t = f64x2.add(f64x2.mul(c, constant(0)), constant(1));
  const n = f64x2.sub(t, constant(1));
  const f = f64x2.sub(
    f64x2.sub(c, f64x2.mul(n, constant(2))),
    f64x2.mul(n, constant(3)),
  );
  // [EXP 2] Horner
  let p = step(constant(6), f, 7);
  p = step(p, f, 8);
  p = step(p, f, 9);
  p = step(p, f, 10);
  p = step(p, f, 11);
  p = step(p, f, 12);
  p = step(p, f, 13);
  p = step(p, f, 14);
  p = step(p, f, 15);
  p = step(p, f, 16);
  p = step(p, f, 17);
  // [EXP 3] n goes into the exponent bits
  const y = i64x2.add(p, i64x2.shl(t, 52));
  return v128.andnot(y, f64x2.lt(x, low));
}

/** e^x of one float64. */
// @ts-ignore: decorator
@inline
export function exp_f64(x: f64): f64 {
  return f64x2.extract_lane(exp_f64x2(f64x2.splat(x)), 0);
}

/** 1 where relaxed multiply-add really fuses on this machine, and in the plain build, which never asks. */
export function fuses(): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD) return 1;
  // (1 + 2⁻¹²)² - 1 - 2⁻¹¹ = 2⁻²⁴ if the product is not rounded, else 0
  const a = f32x4.splat(load<f32>(FUSE_PROBE));
  const c = f32x4.splat(load<f32>(FUSE_PROBE, 4));
  return i32(f32x4.extract_lane(madd(a, a, c), 0) != 0);
}
const FUSE_PROBE: usize = memory.data<f32>([1.000244140625, -1.00048828125]);

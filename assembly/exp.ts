// e^x, twice: four float32 lanes for the hot loop, two float64 lanes for every
// row that the hot loop cannot hold. Derivations: src/reference/exp.ts.
//
// Every constant is loaded from memory, never splat: V8 would rebuild a splat
// constant in each turn of the loop, at half the speed.

/** Octaves between the guessed maximum of a row and the top of the range: K = maximum + HEADROOM. */
export const HEADROOM: f64 = 40;

/** ln 2, for the headroom. */
export const LN2: f64 = 0.6931471805599453;

/** log₂e, for whole counts of octaves. */
export const LOG2E: f64 = 1.4426950408889634;

/** 2⁻²²: the spacing of float32 in [2, 4), so that whole numbers stand in t's low bits. */
export const UNIT: f32 = 2.384185791015625e-7;

/** C of [EXP 2], which every exponential of the loop carries, and its logarithm. */
export const LN_C: f64 = 4.759676665265079;

// ln2·2²². With fused multiply-add one float32 is enough, and x - n·ln2 is exact
// but for one rounding, [EXP 5]. Without, n·HI must be exact by itself:
// 2908160·2⁻²² = 355/512 has 9 bits, so for |n| < 2¹⁵ it is.
const LN2_F32: f32 = 2907270;
const LN2_HI: f32 = 2908160;
const LN2_LO: f32 = -890.0079956054688;

/** What one octave is worth in this build, exactly as the loop subtracts it, [EXP 4]. */
export const LN2_STEP: f64 = <f64>UNIT * (ASC_FEATURE_RELAXED_SIMD
  ? <f64>LN2_F32
  : <f64>LN2_HI + <f64>LN2_LO);

/** References beyond this go the float64 way: 2 + K·2⁻²², or n·HI, would not be exact. */
export const FAST_LIMIT: f64 = ASC_FEATURE_RELAXED_SIMD ? 1048576 : 16384;

/** A block whose sum reaches this (C/4) has left the range, [EXP 1]; a NaN has too. */
export const BLOCK_LIMIT: f64 = 29;

// prettier-ignore
export const EXP_F32: usize = memory.data<f32>([
  3.4396529713376367e-7, // log₂e·2⁻²²
  ASC_FEATURE_RELAXED_SIMD ? LN2_F32 : LN2_HI, LN2_LO,
  // A, B, D, E of [EXP 2]: relative error 1.3e-7 on [-ln2/2, ln2/2]
  1.6323316097259521, 2.8326220512390137, 8.622133255004883, 21.230756759643555,
], 16);

/** Lane offsets in bytes. */
export const LANES: usize = memory.data<u32>([0, 4, 8, 12], 16);

/** t's fixed bits: those of 2.0, and a mask of where they stand, above the low seven. */
export const FIXED: usize = memory.data<u32>([0x40000000, 0xffffff80], 16);

// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** [EXP 1] t = mk - x·log₂e·2⁻²², mk = 2 + K·2⁻²²: m = K - n stands in t's low bits. */
// @ts-ignore: decorator
@inline
export function exp_count(x: v128, log2e: v128, mk: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(x, log2e, mk);
  return f32x4.sub(mk, f32x4.mul(x, log2e));
}

/** [EXP 1] f = x - n·ln2, with t - mk = -n·2⁻²². */
// @ts-ignore: decorator
@inline
export function exp_rest(x: v128, t: v128, mk: v128, hi: v128, lo: v128): v128 {
  const n = f32x4.sub(t, mk);
  if (ASC_FEATURE_RELAXED_SIMD) return madd(n, hi, x);
  return madd(n, lo, madd(n, hi, x));
}

/** [EXP 2] h = w² + B, w = f + A. */
// @ts-ignore: decorator
@inline
export function exp_left(w: v128, b: v128): v128 {
  return madd(w, w, b);
}

/** [EXP 2], [EXP 3] z = ((w·f + D)·f + E)·2⁻ᵐ, with m taken off the exponent bits. */
// @ts-ignore: decorator
@inline
export function exp_right(w: v128, f: v128, t: v128, d: v128, e: v128): v128 {
  return i32x4.sub(madd(madd(w, f, d), f, e), i32x4.shl(t, 23));
}

// ---- float64 ----------------------------------------------------------------

const PLAIN: usize = memory.data<f64>([1, -2, -0.0, 1e4, 1e-4, -0.3333333333333333], 16);

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

/** 10⁻⁴: below it tanh z = z - z³/3 to 1e-17. */
// @ts-ignore: decorator
@inline
export function near(): v128 {
  return v128.load64_splat(PLAIN, 32);
}

// @ts-ignore: decorator
@inline
export function minus_third(): v128 {
  return v128.load64_splat(PLAIN, 40);
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

// Constants, then 1/k! for k = 0 ... 11: the Taylor remainder on |f| <= ln2/2 is
// below 0.3466¹²/12! = 6.3e-15, relative to e^f 8.9e-15. LN2 in two parts, the first of 32 bits,
// so that n·LN2 is exact for every |n| < 2²¹.
// prettier-ignore
const EXP_F64: usize = memory.data<f64>([
  1.4426950408889634, 6755399441055744.0, // log₂e, 1.5·2⁵²
  0.6931471803691238, 1.9082149292705877e-10, // ln2
  EXP_LOW, EXP_HIGH,
  1.0, 1.0, 0.5, 0.16666666666666666, 4.1666666666666664e-2,
  8.333333333333333e-3, 1.388888888888889e-3, 1.984126984126984e-4,
  2.48015873015873e-5, 2.7557319223985893e-6, 2.755731922398589e-7,
  2.505210838544172e-8,
], 16);

// @ts-ignore: decorator
@inline
function constant(index: usize): v128 {
  return v128.load64_splat(EXP_F64 + (index << 3));
}

/** c_i + c_{i+1}·f of the Taylor series. */
// @ts-ignore: decorator
@inline
function pair(f: v128, i: usize): v128 {
  return f64x2.add(constant(6 + i), f64x2.mul(constant(7 + i), f));
}

/**
 * e^x in float64, two lanes, relative error below 1e-14 on [-708, 709]; 0 below,
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
  // [EXP 2] Σ f^k / k!, in pairs, quads and eights (Estrin): a third of Horner's wait
  const f2 = f64x2.mul(f, f), f4 = f64x2.mul(f2, f2);
  const q0 = f64x2.add(pair(f, 0), f64x2.mul(pair(f, 2), f2));
  const q1 = f64x2.add(pair(f, 4), f64x2.mul(pair(f, 6), f2));
  const q2 = f64x2.add(pair(f, 8), f64x2.mul(pair(f, 10), f2));
  const p = f64x2.add(
    f64x2.add(q0, f64x2.mul(q1, f4)),
    f64x2.mul(q2, f64x2.mul(f4, f4)),
  );
  // [EXP 3] n goes into the exponent bits
  const y = i64x2.add(p, i64x2.shl(t, 52));
  return v128.andnot(y, f64x2.lt(x, low));
}

/** e^x of one float64. */
export function exp_f64(x: f64): f64 {
  return f64x2.extract_lane(exp_f64x2(f64x2.splat(x)), 0);
}

/** 1 in the relaxed build, 0 in the plain one: tells one module from the other. */
export function relaxed(): i32 {
  return i32(ASC_FEATURE_RELAXED_SIMD);
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

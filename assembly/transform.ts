// From stored logits to the numbers that softmax sees: half types to float32,
// then logitScale and softcap in float64. Derivation: src/reference/transform.ts.
import { exp_f64x2, minus_third, minus_two, near, one, sign_bit } from "./exp";

/** How logits are stored; src/wasm/engine.ts counts the same way. */
export const F32: i32 = 0;
export const BF16: i32 = 1;
export const F16: i32 = 2;

// 0x7fff magnitude of a half, 0x80000000 sign of a float, 2¹¹² the difference of
// the exponents' biases, 65504 the largest finite half, infinity's exponent
const HALF: usize = memory.data<u32>([0x7fff, 0x80000000, 0x77800000, 0x477fe000, 0x7f800000], 16);

/**
 * Four float16, one in the low half of each lane, to float32. Exponent and
 * mantissa move up by 13 bits and are multiplied by 2¹¹², which is exact and
 * makes subnormals right too; what then exceeds 65504 was infinity or NaN and
 * gets an exponent of all ones.
 */
// @ts-ignore: decorator
@inline
function widen_f16(v: v128): v128 {
  const shifted = i32x4.shl(v128.and(v, v128.load32_splat(HALF)), 13);
  const value = f32x4.mul(shifted, v128.load32_splat(HALF, 8));
  const special = i32x4.gt_s(value, v128.load32_splat(HALF, 12));
  const sign = v128.and(i32x4.shl(v, 16), v128.load32_splat(HALF, 4));
  return v128.or(
    v128.or(value, sign),
    v128.and(special, v128.load32_splat(HALF, 16)),
  );
}

/** Element `index` of a row in any storage. */
export function load_logit(row: usize, index: usize, dtype: i32): f32 {
  if (dtype == F32) return load<f32>(row + (index << 2));
  const bits = <u32>load<u16>(row + (index << 1));
  if (dtype == BF16) return reinterpret<f32>(bits << 16);
  return f32x4.extract_lane(widen_f16(i32x4.splat(bits)), 0);
}

/** A row of V bf16 or f16 values to float32. The last vector may read past the row, never write past it. */
export function unpack(row: usize, vocabSize: usize, dtype: i32, out: usize): void {
  const whole = vocabSize & ~7;
  const sourceEnd = row + (whole << 1);
  for (let at = row; at < sourceEnd; at += 16, out += 32) {
    const low = v128.load_ext<u16>(at);
    const high = v128.load_ext<u16>(at, 8);
    if (dtype == BF16) {
      v128.store(out, i32x4.shl(low, 16));
      v128.store(out, i32x4.shl(high, 16), 16);
    } else {
      v128.store(out, widen_f16(low));
      v128.store(out, widen_f16(high), 16);
    }
  }
  for (let k = whole; k < vocabSize; k++, out += 4) {
    store<f32>(out, load_logit(row, k, dtype));
  }
}

/** One float32 to the storage type, to nearest, ties to even. */
// @ts-ignore: decorator
@inline
function narrow(value: f32, dtype: i32): u16 {
  const bits = reinterpret<u32>(value);
  const size = bits & 0x7fffffff;
  const sign = <u16>(bits >> 16) & 0x8000;
  if (dtype == BF16) {
    if (size > 0x7f800000) return sign | 0x7fc0;
    return <u16>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  }
  if (size > 0x7f800000) return sign | 0x7e00;
  if (size >= 0x47800000) return sign | 0x7c00;
  // below 2⁻¹⁴ the spacing is 2⁻²⁴, which is the spacing of float32 at 0.5
  if (size < 0x38800000) {
    const moved = reinterpret<u32>(reinterpret<f32>(size) + <f32>0.5);
    return sign | <u16>(moved - 0x3f000000);
  }
  return sign | <u16>((size + 0xfff + ((size >> 13) & 1) - 0x38000000) >> 13);
}

/** A row of V float32 values to `dtype`. */
export function pack(row: usize, vocabSize: usize, dtype: i32, out: usize): void {
  if (dtype == F32) {
    memory.copy(out, row, vocabSize << 2);
    return;
  }
  for (let k: usize = 0; k < vocabSize; k++) {
    store<u16>(out + (k << 1), narrow(load<f32>(row + (k << 2)), dtype));
  }
}

/** e^{-2|z|} with z = scale·x / cap, what tanh and its derivative are made of. */
// @ts-ignore: decorator
@inline
function decay(z: v128): v128 {
  return exp_f64x2(f64x2.mul(f64x2.abs(z), minus_two()));
}

/**
 * u = transform(x) of one row, float32 [V] to float64 [V], and -inf in u[V] where
 * V is odd. cap 0 means no softcap. `x` is read up to 4 bytes past the row.
 */
export function transform(x: usize, vocabSize: usize, scale: f64, cap: f64, u: usize): void {
  const scales = f64x2.splat(scale);
  const caps = f64x2.splat(cap);
  for (let k: usize = 0; k < vocabSize; k += 2) {
    // [TANH 1] scaled = scale·x
    const scaled = f64x2.mul(
      f64x2.promote_low_f32x4(v128.load64_zero(x + (k << 2))),
      scales,
    );
    let value = scaled;
    if (cap != 0) {
      // [TANH 2] tanh z = (1 - e)/(1 + e), e = e^{-2|z|}, with the sign of z
      const z = f64x2.div(scaled, caps), e = decay(z);
      const size = f64x2.div(f64x2.sub(one(), e), f64x2.add(one(), e));
      // where 1 - e has lost its digits, z·(1 - z²/3)
      const small = f64x2.mul(
        z,
        f64x2.add(one(), f64x2.mul(f64x2.mul(z, z), minus_third())),
      );
      const tanh = v128.bitselect(
        small,
        v128.bitselect(scaled, size, sign_bit()),
        f64x2.lt(f64x2.abs(z), near()),
      );
      value = f64x2.mul(tanh, caps);
    }
    v128.store(u + (k << 3), value);
  }
  if (vocabSize & 1) store<f64>(u + (vocabSize << 3), -Infinity);
}

/** ∂u/∂x of two neighbours. */
// @ts-ignore: decorator
@inline
export function slope(x: v128, scale: f64, cap: f64): v128 {
  if (cap == 0) return f64x2.splat(scale);
  // [TANH 3] scale · 4e/(1 + e)²
  const e = decay(f64x2.div(f64x2.mul(x, f64x2.splat(scale)), f64x2.splat(cap)));
  const sum = f64x2.add(one(), e);
  return f64x2.div(
    f64x2.mul(e, f64x2.splat(4 * scale)),
    f64x2.mul(sum, sum),
  );
}

/**
 * The two 16-bit floats in which logits travel, as bit patterns:
 *
 *   bf16   s eeeeeeee mmmmmmm      8 exponent bits, 7 mantissa bits (the upper half of a float32)
 *   f16    s eeeee mmmmmmmmmm      5 exponent bits, 10 mantissa bits (IEEE 754 binary16)
 *
 * Decoding is exact. Encoding rounds a float64 once, to nearest, ties to even:
 * going through float32 would round twice, and half-way cases would go wrong.
 *
 * [HALF 1] ulp(a) = 2^(max(e, eMin) - m), for 2^e <= a < 2^(e+1), m mantissa
 * bits and eMin the exponent of the smallest normal number: below it the
 * spacing no longer shrinks, and those are the subnormals.
 *
 * [HALF 2] code = (max(e, eMin) - eMin)·2^m + r, r = a / ulp(a) rounded.
 * A normal a has r in [2^m, 2^(m+1)]: its leading one adds 1 to the exponent
 * field, which is how the field comes to be e - eMin + 1. A subnormal a has
 * e clamped and r <= 2^m: the field is 0, or 1 when r rounds up to 2^m. Each
 * carry thus lands where it should, and past the largest number it lands on
 * the code of infinity; whatever is beyond is cut to that code.
 *
 * [HALF 3] r = (a / ulp + 2^52) - 2^52: between 2^52 and 2^53 the float64s are
 * the whole numbers, so the addition itself rounds to nearest even. a / ulp is
 * exact (a power of two) and at most 2^(m+1) <= 2^11.
 *
 * @module
 */
import type { HalfArray } from "./contract.ts";

/** 2^52, see [HALF 3]. */
const ROUND_TO_WHOLE = 4503599627370496;

/** Eight bytes to look at a number's bits through. */
const scratch: DataView = new DataView(new ArrayBuffer(8));

/** 2^k for -1022 <= k <= 1023, exactly: k + 1023 in the exponent field, nothing else. */
function powerOfTwo(k: number): number {
  scratch.setUint32(0, (k + 1023) << 20);
  scratch.setUint32(4, 0);
  return scratch.getFloat64(0);
}

/** Bits of `value` in a format of `mantissaBits` whose smallest normal number is 2^eMin; `infinity` is its code. */
function encode(
  value: number,
  mantissaBits: number,
  eMin: number,
  infinity: number,
): number {
  // Any NaN becomes the quiet one: exponent all ones, the mantissa's top bit set.
  if (value !== value) return infinity | (1 << (mantissaBits - 1));

  // The sign and the exponent e, read from the float64's own fields. 0 and
  // subnormal float64s read as e = -1023, far below eMin, where e is clamped.
  scratch.setFloat64(0, value);
  const high = scratch.getUint32(0);
  const sign = (high >>> 31) << 15;
  const e = ((high >>> 20) & 0x7ff) - 1023;
  // Infinity (e = 1024) and all that is far beyond the format.
  if (e > 128) return sign | infinity;

  // [HALF 1] ulp(a) = 2^(max(e, eMin) - m)
  const exponent = Math.max(e, eMin);
  const ulp = powerOfTwo(exponent - mantissaBits);
  // [HALF 3] r = (a / ulp + 2^52) - 2^52
  const r = (Math.abs(value) / ulp + ROUND_TO_WHOLE) - ROUND_TO_WHOLE;
  // [HALF 2] code = (max(e, eMin) - eMin)·2^m + r
  const code = (exponent - eMin) * (1 << mantissaBits) + r;
  return sign | Math.min(code, infinity);
}

/** The number a bf16 bit pattern stands for: it is a float32 without its lower half. */
export function decodeBf16(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** The bf16 bit pattern nearest to a float64, ties to even; NaN gives 0x7fc0. */
export function encodeBf16(value: number): number {
  return encode(value, 7, -126, 0x7f80);
}

/** The number an f16 bit pattern stands for. */
export function decodeF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const field = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (field === 31) return mantissa ? NaN : sign * Infinity;
  // Subnormals count in steps of 2^-24; normals have the leading one, 2^10.
  if (field === 0) return sign * mantissa * powerOfTwo(-24);
  return sign * (1024 + mantissa) * powerOfTwo(field - 25);
}

/** The f16 bit pattern nearest to a float64, ties to even; NaN gives 0x7e00. */
export function encodeF16(value: number): number {
  return encode(value, 10, -14, 0x7c00);
}

/** The bit patterns of a 16-bit array, as a view of the same memory, [array.length]. */
export function halfBits(array: HalfArray | Uint16Array): Uint16Array {
  return new Uint16Array(array.buffer, array.byteOffset, array.length);
}

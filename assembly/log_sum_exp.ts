// One pass over a row of float32 logits: the sum of the exponentials of every
// class but the label's, relative to a reference. Derivation:
// src/reference/log_sum_exp.ts; the exponential's: src/reference/exp.ts.
//
// The reference R = K·LN2_STEP - ln C is lazy: a guess from the first 32 logits,
// not the row's maximum, so that the row is read once. A block whose logits all
// lie within 127 octaves (factors of 2) below K takes the float32 path; any other,
// found by a check of t's fixed bits after the block, takes the float64 path,
// which also moves the reference up where it must. Under z-loss every block takes
// it: there the label's gradient is 2z·logSumExp·p_y less the others' mass, and
// where the two cancel float32's digits of the mass would not be enough.
//
// The label's column stays out of the sum: next to a confident label's e^u the
// others' mass would be rounded away, and that mass is the loss, [LSE 4].
import { block_max, fast_block, scale_row, slow_block } from "./block";
import { FAST_LIMIT, HEADROOM, LN2, LN2_STEP, LN_C, LOG2E, exp_f64 } from "./exp";
import { BACKUP, BLOCK } from "./memory";
import { zLoss } from "./options";

/** Result of `row_sum` and `row_exponentials`: the reference R. */
export let reference: f64 = 0;

/** Result of the same: Σ_{j≠y} e^{x_j - R}; NaN where the row is not finite. */
export let others: f64 = 0;

/** Sets the result, for a row summed elsewhere (general.ts). */
export function set_row(r: f64, sum: f64): void {
  reference = r;
  others = sum;
}

/**
 * How many octaves a block's maximum may be above the guess before the reference
 * follows it. A block of 1024 that reaches BLOCK_LIMIT has a maximum at least 28
 * octaves above, so no row is held on the float64 path by its own size.
 */
const RISE: f64 = 16;

/**
 * [EXP 4] R = K·LN2_STEP - ln C, but with the drift of LN2_STEP counted from the
 * guessed maximum, where the terms are large, not from K. A K beyond the float32
 * path's needs no such care: there R is the maximum itself.
 */
// @ts-ignore: decorator
@inline
function reference_of(k: f64, top: f64): f64 {
  return abs(k) <= FAST_LIMIT
    ? (k - HEADROOM) * LN2_STEP + (HEADROOM * LN2 - LN_C)
    : top;
}

/**
 * K: the largest of the first 32 logits (of whole groups of eight; of the first
 * alone where V < 8) in whole octaves, and HEADROOM. It is only a guess, so the
 * label's need not be kept out, nor a NaN be seen.
 */
function guess(x: usize, vocabSize: usize): f64 {
  const stop = x + ((min(vocabSize, 32) & ~7) << 2);
  let m = v128.load32_splat(x), m1 = m;
  for (let at = x; at < stop; at += 32) {
    m = f32x4.pmax(m, v128.load(at));
    m1 = f32x4.pmax(m1, v128.load(at, 16));
  }
  m = f32x4.pmax(m, m1);
  const low = max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1));
  const high = max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3));
  return octaves(<f64>max(low, high));
}

/** The K of a maximum. */
// @ts-ignore: decorator
@inline
function octaves(top: f64): f64 {
  return nearest(top * LOG2E) + HEADROOM;
}

/**
 * One row: sets `others` and `reference`. `x` is the row's address, `labelAt` its
 * label's. With `keep`, the row becomes e^{x - reference}, the label's column 0.
 */
function pass(x: usize, vocabSize: usize, labelAt: usize, keep: bool): void {
  const end = x + (vocabSize << 2);
  let k = guess(x, vocabSize);
  let r = reference_of(k, 0);
  let sum: f64 = 0;
  for (let from = x; from < end; from += BLOCK << 2) {
    const to = min(from + (BLOCK << 2), end);
    if (abs(k) <= FAST_LIMIT && zLoss == 0) {
      const part = fast_block(from, to, labelAt, k, keep);
      if (part >= 0) {
        sum += part;
        continue;
      }
      if (keep) memory.copy(from, BACKUP, to - from);
    }
    const top = block_max(from, to, labelAt);
    if (!(top < Infinity)) { // +inf or NaN
      others = NaN;
      return;
    }
    if (top == -Infinity) { // e^-inf = 0, exactly
      if (keep) memory.fill(from, 0, to - from);
      continue;
    }
    // [LSE 3] a new reference multiplies all that was summed by e^{R - R'}
    const rise = octaves(top);
    if (sum == 0 || rise > k + RISE) {
      const risen = reference_of(rise, top);
      if (sum != 0) {
        const factor = exp_f64(r - risen);
        sum *= factor;
        if (keep) scale_row(x, from, <f32>factor);
      }
      k = rise;
      r = risen;
    }
    sum += slow_block(from, to, labelAt, r, keep);
  }
  reference = sum == 0 ? 0 : r;
  others = sum;
}

/** `pass` that only reads. */
export function row_sum(x: usize, vocabSize: usize, labelAt: usize): void {
  pass(x, vocabSize, labelAt, false);
}

/** `pass` that leaves the exponentials in the row. */
export function row_exponentials(x: usize, vocabSize: usize, labelAt: usize): void {
  pass(x, vocabSize, labelAt, true);
}

/** 1/3, 1/5, ... 1/19 of [LSE 11]. */
// prettier-ignore
const ATANH: usize = memory.data<f64>([
  1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19,
], 16);

/** The bits of √½, where an octave begins here. */
const SQRT_HALF: i64 = 0x3fe6a09e667f3bcd;

/** log(u + lost), u > 0 a normal number and lost what was rounded off it. Within 5e-16. */
export function log_of(u: f64, lost: f64): f64 {
  const bits = reinterpret<i64>(u);
  // [LSE 10] u = 2^k·m, √½ <= m < √2: log u = k·ln2 + 2·atanh s, s = (m - 1)/(m + 1)
  const k = (bits - SQRT_HALF) >> 52;
  const m = reinterpret<f64>(bits - (k << 52));
  const s = (m - 1) / (m + 1), z = s * s;
  // [LSE 11] atanh s = s + s·Σ_{i >= 1} z^i/(2i + 1)
  let p = load<f64>(ATANH, 64);
  p = p * z + load<f64>(ATANH, 56);
  p = p * z + load<f64>(ATANH, 48);
  p = p * z + load<f64>(ATANH, 40);
  p = p * z + load<f64>(ATANH, 32);
  p = p * z + load<f64>(ATANH, 24);
  p = p * z + load<f64>(ATANH, 16);
  p = p * z + load<f64>(ATANH, 8);
  p = p * z + load<f64>(ATANH);
  // [EXP 5] LN2 = HI + LO with n·HI exact
  const rest = <f64>k * 1.9082149292705877e-10;
  return <f64>k * 0.6931471803691238 + (rest + lost / u + (2 * s + 2 * s * z * p));
}

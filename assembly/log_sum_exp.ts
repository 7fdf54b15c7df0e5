// One pass over a row of float32 logits: the sum of the exponentials of every
// class but the label's, relative to a reference. Derivation:
// src/reference/log_sum_exp.ts; the exponential's: src/reference/exp.ts.
//
// The reference R = K·LN2_STEP is lazy: a guess from the first 64 logits, not the
// row's maximum, so that the row is read once. A block whose logits all lie
// within [K - 96, K + 31] (in units of ln 2) takes the float32 path; the others,
// found by a check of t's fixed bits after the block, take the float64 path,
// which also moves the reference up where it must.
//
// The label's column stays out of the sum: next to a confident label's e^u the
// others' mass would be rounded away, and that mass is the loss, [LSE 4].
import {
  BIAS, EXP_F32, FAST_LIMIT, LANES, LN2_STEP, LOG2E, MAGIC, RANGE,
  exp_count, exp_f64, exp_f64x2, exp_rest, exp_scale, madd,
} from "./exp";
import { BACKUP, BLOCK, GROUP } from "./memory";

/** Result of `row_pass`: the reference R. */
export let reference: f64 = 0;

/** Result of `row_pass`: Σ_{j≠y} e^{x_j - R}; NaN where the row is not finite. */
export let others: f64 = 0;

/** Sets the result, for a row summed elsewhere (general.ts). */
export function set_row(r: f64, sum: f64): void {
  reference = r;
  others = sum;
}

/** How far a block's maximum may be above K before the reference follows it. */
const RISE: f64 = 24;

// @ts-ignore: decorator
@inline
function sum_lanes(v: v128): f64 {
  return (<f64>f32x4.extract_lane(v, 0) + <f64>f32x4.extract_lane(v, 1)) +
    (<f64>f32x4.extract_lane(v, 2) + <f64>f32x4.extract_lane(v, 3));
}

/** All ones in the lanes of the vector at `at` that lie before `end` and are not the label's. */
// @ts-ignore: decorator
@inline
function counted(at: usize, offset: usize, end: usize, labelAt: usize): v128 {
  const address = i32x4.add(i32x4.splat(<i32>at), v128.load(LANES + offset));
  return v128.andnot(
    i32x4.lt_u(address, i32x4.splat(<i32>end)),
    i32x4.eq(address, i32x4.splat(<i32>labelAt)),
  );
}

/** K: the largest of the first 64 logits, the label's apart, in whole units of ln 2. */
function guess(x: usize, end: usize, labelAt: usize): f64 {
  const stop = min(end, x + 256);
  let m = f32x4.splat(-Infinity);
  for (let at = x; at < stop; at += 16) {
    const use = counted(at, 0, end, labelAt);
    // where not counted, all ones: a NaN, which pmax passes over
    m = f32x4.pmax(m, v128.or(v128.load(at), v128.not(use)));
  }
  const top = max(
    max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
    max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3)),
  );
  return <f64>nearest(top * LOG2E);
}

/**
 * Σ e^x / 2^K of a block [from, end) but the label, or -1 where a logit is out of
 * the float32 path's range. With `keep`, each logit is replaced by its
 * exponential (the label's by 0) after the block has been saved in BACKUP.
 */
// @ts-ignore: decorator
@inline
function fast_block(from: usize, end: usize, labelAt: usize, k: f64, keep: bool): f64 {
  const log2e = v128.load32_splat(EXP_F32);
  const hi = v128.load32_splat(EXP_F32, 4);
  const lo = v128.load32_splat(EXP_F32, 8);
  const c5 = v128.load32_splat(EXP_F32, 16);
  const c4 = v128.load32_splat(EXP_F32, 20);
  const c3 = v128.load32_splat(EXP_F32, 24);
  const c2 = v128.load32_splat(EXP_F32, 28);
  const c1 = v128.load32_splat(EXP_F32, 32);
  const c0 = v128.load32_splat(EXP_F32, 36);
  const mk = f32x4.splat(MAGIC + BIAS - <f32>k);
  const fixed = v128.load32_splat(RANGE, 4);
  let any = fixed, all = fixed;
  let s0 = f32x4.splat(0), s1 = s0;
  const save = BACKUP - from;
  const whole = from + ((end - from) & ~31);
  const labelGroup = labelAt - from < end - from
    ? from + ((labelAt - from) & ~31)
    : end;
  let at = from;
  while (true) {
    // whole groups of eight, up to the label's group
    const stop = at <= labelGroup && labelGroup < whole ? labelGroup : whole;
    for (; at < stop; at += 32) {
      const x0 = v128.load(at), x1 = v128.load(at, 16);
      if (keep) {
        v128.store(at + save, x0);
        v128.store(at + save, x1, 16);
      }
      const t0 = exp_count(x0, log2e, mk), t1 = exp_count(x1, log2e, mk);
      any = v128.or(v128.or(any, t0), t1);
      all = v128.and(v128.and(all, t0), t1);
      const f0 = exp_rest(x0, t0, mk, hi, lo), f1 = exp_rest(x1, t1, mk, hi, lo);
      // [EXP 2] Horner, c5 down to c0
      let p0 = madd(c5, f0, c4), p1 = madd(c5, f1, c4);
      p0 = madd(p0, f0, c3), p1 = madd(p1, f1, c3);
      p0 = madd(p0, f0, c2), p1 = madd(p1, f1, c2);
      p0 = madd(p0, f0, c1), p1 = madd(p1, f1, c1);
      p0 = madd(p0, f0, c0), p1 = madd(p1, f1, c0);
      const y0 = exp_scale(p0, t0), y1 = exp_scale(p1, t1);
      if (keep) {
        v128.store(at, y0);
        v128.store(at, y1, 16);
      }
      // [LSE 3] two sums of four lanes, 128 terms each
      s0 = f32x4.add(s0, y0);
      s1 = f32x4.add(s1, y1);
    }
    if (at >= end) break;
    // the label's group, or the last one: lanes that do not count are masked out
    const use0 = counted(at, 0, end, labelAt), use1 = counted(at, 16, end, labelAt);
    const x0 = v128.load(at), x1 = v128.load(at, 16);
    if (keep) {
      v128.store(at + save, x0);
      v128.store(at + save, x1, 16);
    }
    const t0 = v128.bitselect(exp_count(x0, log2e, mk), fixed, use0);
    const t1 = v128.bitselect(exp_count(x1, log2e, mk), fixed, use1);
    any = v128.or(v128.or(any, t0), t1);
    all = v128.and(v128.and(all, t0), t1);
    const f0 = exp_rest(x0, t0, mk, hi, lo), f1 = exp_rest(x1, t1, mk, hi, lo);
    let p0 = madd(c5, f0, c4), p1 = madd(c5, f1, c4);
    p0 = madd(p0, f0, c3), p1 = madd(p1, f1, c3);
    p0 = madd(p0, f0, c2), p1 = madd(p1, f1, c2);
    p0 = madd(p0, f0, c1), p1 = madd(p1, f1, c1);
    p0 = madd(p0, f0, c0), p1 = madd(p1, f1, c0);
    const y0 = v128.and(exp_scale(p0, t0), use0);
    const y1 = v128.and(exp_scale(p1, t1), use1);
    if (keep) {
      const to = at < whole ? at : GROUP;
      v128.store(to, y0);
      v128.store(to, y1, 16);
      if (to == GROUP) memory.copy(at, GROUP, end - at);
    }
    s0 = f32x4.add(s0, y0);
    s1 = f32x4.add(s1, y1);
    at += 32;
  }
  // [EXP 1] in range if and only if every t has MAGIC's fixed bits: none more
  // (any), none less (all)
  const odd = v128.or(v128.xor(any, fixed), v128.xor(all, fixed));
  if (v128.any_true(v128.and(odd, v128.load32_splat(RANGE)))) return -1;
  return sum_lanes(s0) + sum_lanes(s1);
}

/** The largest logit of a block but the label's; NaN if there is one. */
function block_max(from: usize, end: usize, labelAt: usize): f64 {
  let m: f32 = -Infinity;
  for (let at = from; at < end; at += 4) {
    if (at != labelAt) m = max(m, load<f32>(at)); // f32.max hands a NaN on
  }
  return <f64>m;
}

/** Σ e^{x - reference} of a block but the label, in float64, for logits of any size. */
function slow_block(from: usize, end: usize, labelAt: usize, keep: bool): f64 {
  const r = f64x2.splat(reference);
  let sum = f64x2.splat(0);
  for (let at = from; at < end; at += 8) {
    const x = f64x2.promote_low_f32x4(v128.load64_zero(at));
    // [LSE 2] a lane past the end or the label's adds 0
    let y = exp_f64x2(f64x2.sub(x, r));
    const second = at + 4;
    if (at == labelAt) y = f64x2.replace_lane(y, 0, 0);
    if (second == labelAt || second >= end) y = f64x2.replace_lane(y, 1, 0);
    sum = f64x2.add(sum, y);
    if (keep) {
      store<f32>(at, <f32>f64x2.extract_lane(y, 0));
      if (second < end) store<f32>(at, <f32>f64x2.extract_lane(y, 1), 4);
    }
  }
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** row[from, end) *= factor. */
export function scale_row(from: usize, end: usize, factor: f32): void {
  const f = f32x4.splat(factor), zero = f32x4.splat(0);
  let at = from;
  // + 0 turns -0 into 0: a masked class has gradient 0 under negative weights too
  for (; at + 32 <= end; at += 32) {
    v128.store(at, f32x4.add(f32x4.mul(v128.load(at), f), zero));
    v128.store(at, f32x4.add(f32x4.mul(v128.load(at, 16), f), zero), 16);
  }
  for (; at < end; at += 4) store<f32>(at, load<f32>(at) * factor + 0);
}

/**
 * One row: sets `others` and `reference`. `x` is the row's address, `labelAt` its
 * label's. With `keep`, the row becomes e^{x - reference}, the label's column 0.
 */
// @ts-ignore: decorator
@inline
function pass(x: usize, vocabSize: usize, labelAt: usize, keep: bool): void {
  const end = x + (vocabSize << 2);
  let k = guess(x, end, labelAt);
  let sum: f64 = 0;
  for (let from = x; from < end; from += BLOCK << 2) {
    const to = min(from + (BLOCK << 2), end);
    if (abs(k) <= FAST_LIMIT) {
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
    const rise = nearest(top * <f64>LOG2E);
    if (sum == 0 || rise > k + RISE) {
      if (sum != 0) {
        const factor = exp_f64((k - rise) * LN2_STEP);
        sum *= factor;
        if (keep) scale_row(x, from, <f32>factor);
      }
      k = rise;
    }
    reference = k * LN2_STEP;
    sum += slow_block(from, to, labelAt, keep);
  }
  reference = sum == 0 ? 0 : k * LN2_STEP;
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

// One block of a row: up to 1024 float32 logits to the sum of their exponentials,
// and, on request, to the exponentials themselves. Fixed blocks, each summed in
// one order, are what makes a row's result independent of everything around it.
// Derivations: src/reference/exp.ts and log_sum_exp.ts.
import {
  BLOCK_LIMIT, EXP_F32, FIXED, LANES, UNIT,
  exp_count, exp_f64x2, exp_left, exp_rest, exp_right, madd,
} from "./exp";
import { BACKUP, GROUP, RUN_BYTES, STAGE } from "./memory";

/** The sum of four float32 lanes, in float64. */
// @ts-ignore: decorator
@inline
function sum_lanes(v: v128): f64 {
  const sum = f64x2.add(
    f64x2.promote_low_f32x4(v),
    f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0)),
  );
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** All ones in the lanes of the vector at `at` that lie before `end` and are not the label's. */
// @ts-ignore: decorator
@inline
function counted(at: usize, end: usize, labelAt: usize): v128 {
  const address = i32x4.add(i32x4.splat(<i32>at), v128.load(LANES));
  return v128.andnot(
    i32x4.lt_u(address, i32x4.splat(<i32>end)),
    i32x4.eq(address, i32x4.splat(<i32>labelAt)),
  );
}

/**
 * The rest of `fast_block`: what its whole groups of eight add to `sums` and `bits`,
 * up to the label's and behind it, and what the block comes to.
 */
// @ts-ignore: decorator
@inline
function whole_groups(
  sums: v128, bits: v128, from: usize, labelGroup: usize, whole: usize, save: usize, mk: v128,
  log2e: v128, hi: v128, lo: v128, a: v128, b: v128, d: v128, e: v128, keep: bool,
): f64 {
  let s0 = f32x4.splat(0), s1 = s0;
  let at = from, stop = min(labelGroup, whole);
  while (true) {
    while (ASC_FEATURE_RELAXED_SIMD && at < stop) {
      const to = min(at + RUN_BYTES, stop);
      do {
        const x0 = v128.load(at);
        if (keep) v128.store(at + save, x0);
        const t0 = exp_count(x0, log2e, mk);
        bits = v128.or(bits, t0);
        const f0 = exp_rest(x0, t0, mk, hi, lo), w0 = f32x4.add(f0, a);
        const h0 = exp_left(w0, b), z0 = exp_right(w0, f0, t0, d, e);
        if (keep) v128.store(at, f32x4.mul(h0, z0));
        s0 = madd(h0, z0, s0);
        const x1 = v128.load(at, 16);
        if (keep) v128.store(at + save, x1, 16);
        const t1 = exp_count(x1, log2e, mk);
        bits = v128.or(bits, t1);
        const f1 = exp_rest(x1, t1, mk, hi, lo), w1 = f32x4.add(f1, a);
        const h1 = exp_left(w1, b), z1 = exp_right(w1, f1, t1, d, e);
        if (keep) v128.store(at, f32x4.mul(h1, z1), 16);
        s1 = madd(h1, z1, s1);
        at += 32;
      } while (at < to);
      sums = f32x4.add(sums, f32x4.add(s0, s1));
      s0 = s1 = f32x4.splat(0);
    }
    // without fused operations the chain from x to y is too long for a processor
    // to overlap; in two loops, t and f resting in STAGE, it is 9 % faster
    while (!ASC_FEATURE_RELAXED_SIMD && at < stop) {
      const to = min(at + RUN_BYTES, stop), back = STAGE - at;
      const start = at;
      do {
        const x = v128.load(at);
        if (keep) v128.store(at + save, x);
        const t = exp_count(x, log2e, mk);
        bits = v128.or(bits, t);
        v128.store(at + back, t);
        v128.store(at + back + RUN_BYTES, exp_rest(x, t, mk, hi, lo));
        at += 16;
      } while (at < to);
      at = start;
      do {
        const f0 = v128.load(at + back + RUN_BYTES), w0 = f32x4.add(f0, a);
        const h0 = exp_left(w0, b), z0 = exp_right(w0, f0, v128.load(at + back), d, e);
        if (keep) v128.store(at, f32x4.mul(h0, z0));
        s0 = madd(h0, z0, s0);
        const f1 = v128.load(at + back + RUN_BYTES, 16), w1 = f32x4.add(f1, a);
        const h1 = exp_left(w1, b), z1 = exp_right(w1, f1, v128.load(at + back, 16), d, e);
        if (keep) v128.store(at, f32x4.mul(h1, z1), 16);
        s1 = madd(h1, z1, s1);
        at += 32;
      } while (at < to);
      sums = f32x4.add(sums, f32x4.add(s0, s1));
      s0 = s1 = f32x4.splat(0);
    }
    if (stop == whole) break;
    at = labelGroup + 32;
    stop = whole;
  }
  // [EXP 1] in range: no t has a bit beside 2.0's and the low seven, nor is it 0,
  // which would be C or more and reach the limit
  const odd = v128.xor(bits, v128.load32_splat(FIXED));
  const sum = sum_lanes(sums);
  const out = v128.any_true(v128.and(odd, v128.load32_splat(FIXED, 4)));
  return out || !(sum < BLOCK_LIMIT) ? -1 : sum;
}

/**
 * Σ e^{x - R} of a block [from, end) but the label, or -1 where a logit is out of
 * the float32 path's range. With `keep`, each logit is replaced by its
 * exponential (the label's by 0) after the block has been saved in BACKUP.
 */
export function fast_block(from: usize, end: usize, labelAt: usize, k: f64, keep: bool): f64 {
  const log2e = v128.load32_splat(EXP_F32), hi = v128.load32_splat(EXP_F32, 4);
  const lo = v128.load32_splat(EXP_F32, 8), a = v128.load32_splat(EXP_F32, 12);
  const b = v128.load32_splat(EXP_F32, 16), d = v128.load32_splat(EXP_F32, 20);
  const e = v128.load32_splat(EXP_F32, 24);
  const mk = f32x4.splat(2 + <f32>k * UNIT);
  let bits = v128.load32_splat(FIXED);
  // [LSE 3] two runs of 32 terms in each of four lanes, then their sum: float32
  // adds up few enough numbers at a time to lose less than 2⁻²⁰ of equal ones
  let sums = f32x4.splat(0);
  const save = BACKUP - from;
  const whole = from + ((end - from) & ~31);
  const labelGroup = labelAt - from < end - from
    ? from + ((labelAt - from) & ~31)
    : end;
  // the label's group and the last, if not whole: lanes that do not count are
  // turned to x = 0 on the way in and to 0 on the way out. They come first, so
  // that the loop below runs while their long chain of steps finishes
  for (let at = min(labelGroup, whole); at < end; at = at < whole ? whole : end) {
    const to = at < whole ? at : GROUP;
    for (let i: usize = 0; i < 32; i += 16) {
      const use = counted(at + i, end, labelAt);
      const raw = v128.load(at + i), x = v128.and(raw, use);
      if (keep) v128.store(at + save + i, raw);
      const t = exp_count(x, log2e, mk);
      bits = v128.or(bits, v128.and(t, use));
      const f = exp_rest(x, t, mk, hi, lo), w = f32x4.add(f, a);
      const h = exp_left(w, b), z = v128.and(exp_right(w, f, t, d, e), use);
      if (keep) v128.store(to + i, f32x4.mul(h, z));
      sums = madd(h, z, sums);
    }
    if (keep && to == GROUP) memory.copy(at, GROUP, end - at);
  }
  // two loops of one text: a branch inside would cost a twelfth of their speed, and
  // with a conditional expression here the compiler would fold the two into that
  if (keep) return whole_groups(sums, bits, from, labelGroup, whole, save, mk, log2e, hi, lo, a, b, d, e, true);
  return whole_groups(sums, bits, from, labelGroup, whole, save, mk, log2e, hi, lo, a, b, d, e, false);
}

/** The largest logit of a block but the label's; NaN if there is one. */
export function block_max(from: usize, end: usize, labelAt: usize): f64 {
  let m: f32 = -Infinity;
  for (let at = from; at < end; at += 4) {
    if (at != labelAt) m = max(m, load<f32>(at)); // f32.max hands a NaN on
  }
  return <f64>m;
}

/** Σ e^{x - reference} of a block but the label, in float64, for logits of any size. */
export function slow_block(from: usize, end: usize, labelAt: usize, reference: f64, keep: bool): f64 {
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

// @ts-ignore: decorator
@inline
function scaled(v: v128, factor: v128, negative: bool): v128 {
  // + 0 turns -0 into 0: a masked class has gradient 0 under a negative weight too
  const product = f32x4.mul(v, factor);
  return negative ? f32x4.add(product, f32x4.splat(0)) : product;
}

// @ts-ignore: decorator
@inline
function scale_vectors(from: usize, end: usize, factor: f32, negative: bool): void {
  const f = f32x4.splat(factor);
  let at = from;
  for (; at + 64 <= end; at += 64) {
    v128.store(at, scaled(v128.load(at), f, negative));
    v128.store(at, scaled(v128.load(at, 16), f, negative), 16);
    v128.store(at, scaled(v128.load(at, 32), f, negative), 32);
    v128.store(at, scaled(v128.load(at, 48), f, negative), 48);
  }
  for (; at < end; at += 4) store<f32>(at, load<f32>(at) * factor + 0);
}

/** row[from, end) *= factor, for a row of numbers >= 0; never -0. */
export function scale_row(from: usize, end: usize, factor: f32): void {
  if (factor > 0) scale_vectors(from, end, factor, false);
  else scale_vectors(from, end, factor, true);
}

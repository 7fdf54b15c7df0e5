// One row in float64, for what the float32 pass does not do: softcap, scaled
// logits, metrics, and label smoothing, whose gradient A·p - B cancels wherever
// p is near ε/V and would lose float32's last digits. The formulas are those of
// log_sum_exp.ts and gradient.ts, in the open: u is written to a scratch row of
// V values, with -inf behind an odd V so that pairs need no tail.
import { exp_f64x2, far } from "./exp";
import { set_row } from "./log_sum_exp";
import { CORRECT } from "./memory";
import { base, rest } from "./normalize";
import { class_weight, classWeights, logitScale, scratch, softcap } from "./options";
import { slope, transform } from "./transform";

/** CORRECT if the label's logit is the row's first largest, else 0. Set by `general_sum`. */
export let verdict: i32 = 0;

/** u_k of the row in the scratch. */
// @ts-ignore: decorator
@inline
export function logit(k: usize): f64 {
  return load<f64>(scratch + (k << 3));
}

/** The first k whose u_k is `value`, V where there is none. */
function first_of(value: f64, vocabSize: usize): usize {
  let k: usize = 0;
  while (k < vocabSize && logit(k) != value) k++;
  return k;
}

/** The largest u of [at, end), addresses in the scratch; NaN if there is one. */
export function top_of(at: usize, end: usize): f64 {
  let m = f64x2.splat(-Infinity), odd = f64x2.splat(0);
  for (; at < end; at += 16) {
    const u = v128.load(at);
    m = f64x2.pmax(m, u); // passes over NaN, which `odd` collects
    odd = v128.or(odd, f64x2.ne(u, u));
  }
  return v128.any_true(odd) ? NaN : max(f64x2.extract_lane(m, 0), f64x2.extract_lane(m, 1));
}

/** [LSE 9] CORRECT if the label's own logit beats `top`, the others' largest, or ties with it from the left; else 0. */
// @ts-ignore: decorator
@inline
export function verdict_of(own: f64, top: f64, label: usize, vocabSize: usize): i32 {
  return own > top || (own == top && label < first_of(top, vocabSize)) ? CORRECT : 0;
}

/** As `row_sum`: others' mass relative to the others' maximum, of the transformed row. */
export function general_sum(x: usize, vocabSize: usize, label: usize): void {
  transform(x, vocabSize, logitScale, softcap, scratch);
  const own = logit(label), labelAt = scratch + (label << 3);
  const end = scratch + (vocabSize << 3);
  store<f64>(labelAt, -Infinity); // e^-inf = 0: the label's column stays out
  const top = top_of(scratch, end);
  verdict = verdict_of(own, top, label, vocabSize);
  if (!(top < Infinity)) { // +inf or NaN
    set_row(0, NaN);
  } else if (top == -Infinity) {
    set_row(0, 0);
  } else {
    // [LSE 2] Σ_{j≠y} e^{u_j - top}
    const r = f64x2.splat(top);
    let sum = f64x2.splat(0);
    for (let at = scratch; at < end; at += 16) {
      sum = f64x2.add(sum, exp_f64x2(f64x2.sub(v128.load(at), r)));
    }
    set_row(top, f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1));
  }
  store<f64>(labelAt, own);
}

/** [LSE 6] p·(-log p) of two neighbours, from log_sum_exp's two parts. */
// @ts-ignore: decorator
@inline
export function entropy_terms(u: v128, z: v128, r: v128): v128 {
  // beyond far() p is 0 in float64; the limit keeps 0 · inf away
  const d = f64x2.pmin(f64x2.add(f64x2.sub(z, u), r), far());
  return f64x2.mul(d, exp_f64x2(f64x2.neg(d)));
}

/** [LSE 6] -Σ_j p_j log p_j of the row last settled; 0 · log 0 = 0. */
export function entropy(vocabSize: usize): f64 {
  const z = f64x2.splat(base), r = f64x2.splat(rest);
  let sum = f64x2.splat(0);
  for (let k: usize = 0; k < vocabSize; k += 2) {
    sum = f64x2.add(sum, entropy_terms(v128.load(scratch + (k << 3)), z, r));
  }
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** [NORM 2] 1/V · Σ_j c_j (-log p_j) of the row last settled; c_j = 0 switches a class off. */
export function smoothed_loss(vocabSize: usize): f64 {
  let sum: f64 = 0;
  for (let k: usize = 0; k < vocabSize; k++) {
    const c = class_weight(k);
    if (c != 0) sum += c * ((base - logit(k)) + rest);
  }
  return sum / <f64>vocabSize;
}

/**
 * [GRAD 2] x_k becomes (A·p_k - B·c_k) · ∂u_k/∂x_k for every k of [from, end); the
 * caller then writes the label's column. log_sum_exp is z + r, its two parts.
 */
export function general_gradient(
  x: usize, from: usize, end: usize, a: f64, b: f64, z: v128, r: v128,
): void {
  const scale = f64x2.splat(a);
  for (let k = from; k < end; k += 2) {
    const at = x + (k << 2);
    const u = v128.load(scratch + (k << 3));
    const p = exp_f64x2(f64x2.sub(f64x2.sub(u, z), r));
    let g = f64x2.mul(scale, p);
    if (b != 0) {
      const odd = k + 1 < end ? class_weight(k + 1) : 0;
      const c = f64x2.replace_lane(f64x2.splat(class_weight(k)), 1, odd);
      g = f64x2.sub(g, f64x2.mul(f64x2.splat(b), c));
    }
    const dx = slope(f64x2.promote_low_f32x4(v128.load64_zero(at)), logitScale, softcap);
    g = f64x2.mul(g, dx);
    // + 0 turns -0 into 0, also what underflowed to it
    store<f32>(at, <f32>f64x2.extract_lane(g, 0) + 0);
    if (k + 1 < end) store<f32>(at, <f32>f64x2.extract_lane(g, 1) + 0, 4);
  }
}

/** ∂u/∂x at one logit. */
export function slope_at(x: f64): f64 {
  return f64x2.extract_lane(slope(f64x2.splat(x), logitScale, softcap), 0);
}

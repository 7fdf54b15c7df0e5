// The gradient of a row, written over the row. Derivation: src/reference/gradient.ts.
import { scale_row } from "./block";
import { general_gradient, slope_at } from "./general";
import { base, log_sum_exp, mass, rest, total } from "./normalize";
import { classTotal, general, smoothing, zLoss } from "./options";

/** 2¹⁰⁰. */
const SPLIT: f32 = 1.2676506002282294e30;

/** Result of `find_slopes`: what p_k of every class but the label's is multiplied by. */
export let spread: f64 = 0;

/** Result of the same: what c_k is multiplied by and taken off that. */
export let share: f64 = 0;

/** Result of the same: the gradient of the label's own logit. */
export let ofLabel: f64 = 0;

/**
 * [GRAD 1] factor · ∂perToken/∂x of the row last settled, in three numbers;
 * `ownLogit` is the label's.
 */
// @ts-ignore: decorator
@inline
export function find_slopes(
  vocabSize: usize, ownLogit: f64, factor: f64, classWeight: f64,
): void {
  // [GRAD 2] for k ≠ y: A·p_k - B·c_k,
  // A = (1 - ε)·c_y + ε/V·C + 2z·logSumExp, B = ε/V
  const own = (1 - smoothing) * classWeight;
  const b = smoothing / <f64>vocabSize;
  const z = zLoss == 0 ? 0 : 2 * zLoss * log_sum_exp;
  spread = factor * (own + b * classTotal + z);
  share = factor * b;
  // [GRAD 3] for y: -(1 - ε)·c_y·(1 - p_y) + ε/V·(C·p_y - c_y) + 2z·logSumExp·p_y,
  // with 1 - p_y the others' mass
  const p = 1 - mass;
  ofLabel = factor * ((b * classTotal + z) * p - own * mass - b * classWeight);
  if (general) ofLabel *= slope_at(ownLogit);
}

/**
 * The row at x becomes factor · ∂perToken/∂x, from the state `settle` left.
 * On the float32 path the row holds e^{x - reference} and the label's column 0;
 * on the general path it still holds the logits, `ownLogit` the label's.
 */
export function write_gradient(
  x: usize,
  vocabSize: usize,
  label: usize,
  ownLogit: f64,
  factor: f64,
  classWeight: f64,
): void {
  const end = x + (vocabSize << 2);
  if (mass != mass) {
    for (let at = x; at < end; at += 4) store<f32>(at, NaN);
    return;
  }
  find_slopes(vocabSize, ownLogit, factor, classWeight);
  if (general) {
    general_gradient(
      x, 0, vocabSize, spread, share, f64x2.splat(base), f64x2.splat(rest),
    );
  } else {
    let scale = spread / total;
    // R may lie 40 octaves above the row, so the factor may be too large for
    // float32 where every product is not: then in two steps
    if (abs(scale) > <f64>f32.MAX_VALUE) {
      scale_row(x, end, SPLIT);
      scale /= <f64>SPLIT;
    }
    scale_row(x, end, <f32>scale);
  }
  store<f32>(x + (label << 2), <f32>ofLabel + 0); // never -0
}

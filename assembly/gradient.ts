// The gradient of a row, written over the row. Derivation: src/reference/gradient.ts.
import { scale_row } from "./block";
import { general_gradient, slope_at } from "./general";
import { log_sum_exp, mass, total } from "./normalize";
import { classTotal, general, smoothing, zLoss } from "./options";

/** 2¹⁰⁰. */
const SPLIT: f32 = 1.2676506002282294e30;

/**
 * [GRAD 1] The row at x becomes factor · ∂perToken/∂x, from the state `settle` left.
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
  // [GRAD 2] for k ≠ y: A·p_k - B·c_k,
  // A = (1 - ε)·c_y + ε/V·C + 2z·logSumExp, B = ε/V
  const own = (1 - smoothing) * classWeight;
  const share = smoothing / <f64>vocabSize;
  const z = zLoss == 0 ? 0 : 2 * zLoss * log_sum_exp;
  const a = factor * (own + share * classTotal + z);
  // [GRAD 3] for y: -(1 - ε)·c_y·(1 - p_y) + ε/V·(C·p_y - c_y) + 2z·logSumExp·p_y,
  // with 1 - p_y the others' mass
  const p = 1 - mass;
  let ownGradient = factor *
    ((share * classTotal + z) * p - own * mass - share * classWeight);
  if (general) {
    ownGradient *= slope_at(ownLogit);
    general_gradient(x, vocabSize, a, factor * share);
  } else {
    let scale = a / total;
    // R may lie 40 octaves above the row, so a / total may be too large for
    // float32 where every product is not: then in two steps
    if (abs(scale) > <f64>f32.MAX_VALUE) {
      scale_row(x, end, SPLIT);
      scale /= <f64>SPLIT;
    }
    scale_row(x, end, <f32>scale);
  }
  store<f32>(x + (label << 2), <f32>ownGradient + 0); // never -0
}

/**
 * The gradient of one row's loss with respect to its stored logits, [V].
 *
 * Start from [NORM 1]: perToken = w·[ (1 - ε)·c_y·nll + ε/V·Σ_j c_j·(-log p_j)
 * + z·logSumExp² ]. With L = logSumExp = log Σ_j e^{u_j}, the parts have
 *   ∂L/∂u_k = e^{u_k} / Σ_j e^{u_j} = p_k
 *   nll = L - u_y           ⇒  ∂nll/∂u_k = p_k - 1[k = y]
 *   -log p_j = L - u_j      ⇒  ∂(-log p_j)/∂u_k = p_k - 1[k = j]
 *   Σ_j c_j·(-log p_j)      ⇒  Σ_j c_j·(p_k - 1[k = j]) = C·p_k - c_k,  C = Σ_j c_j
 *   L²                      ⇒  2·L·p_k
 * and together
 * [GRAD 1] ∂perToken/∂u_k = w·[ (1 - ε)·c_y·(p_k - 1[k = y]) + ε/V·(C·p_k - c_k) + 2z·L·p_k ]
 *
 * Away from the label all that multiplies p_k is the same for every k:
 * [GRAD 2] for k ≠ y: w·(A·p_k - B·c_k), A = (1 - ε)·c_y + ε/V·C + 2z·L, B = ε/V
 *
 * In the label's own column p_y - 1 cancels as the label grows confident: at an
 * others' mass of 1e-17 it is exactly 0, and the row stops learning. But
 * 1 - p_y is known from [LSE 4] without a subtraction:
 * [GRAD 3] for y: w·( -(1 - ε)·c_y·(1 - p_y) + (ε/V·C + 2z·L)·p_y - B·c_y ), 1 - p_y = others / (own + others)
 *
 * In float32 ε/V·C·p_y - B·c_y cancels too, for C·p_y near c_y. With the c_y of C
 * apart, C·p_y - c_y = (C - c_y)·p_y - c_y·(1 - p_y), hence the same as
 * [GRAD 5] for y: w·( -((1 - ε)·c_y + B·c_y)·(1 - p_y) + (B·(C - c_y) + 2z·L)·p_y )
 * Everywhere p_k = e^{u_k - R} / (own + others), the terms of [LSE 2].
 *
 * Through the transforms and the reduction, by the chain rule, with the row's
 * coefficient ∂loss/∂perToken of [NORM 5] and the slope du/dx of [TANH 3]:
 * [GRAD 4] ∂loss/∂x_k = coefficient·∂perToken/∂u_k·du_k/dx_k
 *
 * What is not finite. A silent row ([NORM 3]), and one whose coefficient is 0,
 * gets 0 whatever it holds. Any other row that [LSE 8] finds not finite is NaN
 * in every column. The infinities that remain are harmless: u_y = -inf gives
 * own = 0, hence p - onehot; a class of -inf has p_k = 0, hence -w·B·c_k, finite
 * although its loss is not.
 *
 * @module
 */
import type { LossProblem } from "../engine.ts";
import { exp } from "./exp.ts";
import type { Mass, RowScan } from "./log_sum_exp.ts";
import { classWeight, isSilent, rowWeight } from "./normalize.ts";

/** What the gradient of one row is made of. */
export interface RowGradient {
  /** The row's number. */
  row: number;
  /** y. */
  label: number;
  /** [V] The transformed logits. */
  u: Float64Array;
  /** [V] du/dx. */
  slopes: Float64Array;
  /** The scan of u. */
  scan: RowScan;
  /** The mass of u, split at y. */
  mass: Mass;
  /** ∂loss/∂perToken. */
  coefficient: number;
  /** C = Σ_j c_j. */
  classWeightSum: number;
}

/** Writes ∂loss/∂x of one row to `gradient` [V], in float64. */
export function gradientRow(
  problem: LossProblem,
  given: RowGradient,
  gradient: Float64Array,
): void {
  const { row, label, u, slopes, scan, mass, coefficient } = given;
  if (coefficient === 0 || isSilent(problem, row, label)) {
    gradient.fill(0);
    return;
  }
  if (scan.nonFinite) {
    gradient.fill(NaN);
    return;
  }

  const { labelSmoothing, zLoss, vocabSize } = problem;
  const factor = coefficient * rowWeight(problem, row);
  const total = mass.own + mass.others;
  const ofLabel = (1 - labelSmoothing) * classWeight(problem, label);
  const share = labelSmoothing / vocabSize;
  const ofAll = share * given.classWeightSum + 2 * zLoss * scan.logSumExp;

  for (let k = 0; k < vocabSize; k++) {
    const p = exp(u[k]! - scan.rowMax) / total;
    const smoothed = share * classWeight(problem, k);
    const slope = k === label
      // [GRAD 3] for y: -(1 - ε)·c_y·(1 - p_y) + (ε/V·C + 2z·L)·p_y - B·c_y
      ? -ofLabel * (mass.others / total) + ofAll * p - smoothed
      // [GRAD 2] for k ≠ y: A·p_k - B·c_k
      : (ofLabel + ofAll) * p - smoothed;
    // [GRAD 4] ∂loss/∂x_k = coefficient·∂perToken/∂u_k·du_k/dx_k; + 0 turns -0 into 0
    gradient[k] = factor * slope * slopes[k]! + 0;
  }
}

/**
 * What one row of logits says of its label: logSumExp, nll, entropy, argmax.
 * u is [V], y the label, p = softmax(u): p_j = e^{u_j} / Σ_k e^{u_k}.
 *
 * The definition is log Σ_j e^{u_j}, and e^{u_j} overflows from u_j = 710 on. So
 * a reference R is taken out of every term, which changes nothing for any R:
 *   log Σ_j e^{u_j} = log(e^R·Σ_j e^{u_j - R}) = R + log Σ_j e^{u_j - R}
 * [LSE 1] R = m = max_j u_j, here; a twin may take another R near it
 * [LSE 2] logSumExp = R + log Σ_j e^{u_j - R}
 * With R = m every exponent is <= 0 and one is 0, so the sum S is in [1, V]:
 * nothing overflows, and what underflows is below 1e-308 of the sum. A logit of
 * -inf is a masked class: e^{-inf - R} = 0 as long as R is finite.
 *
 * A row that is read once does not know m beforehand. It sums relative to a
 * guess, and where a new reference R' is needed, by e^{u - R'} = e^{u - R}·e^{R - R'}:
 * [LSE 3] Σ e^{u_j - R'} = e^{R - R'}·Σ e^{u_j - R}, blocks add up to the row
 * which is exact algebra, and rounds once. (It must not be done while R and R'
 * are both -inf; the reference below needs no second reference at all.)
 *
 * The negative log-likelihood of the label is -log p_y = logSumExp - u_y. For a
 * confident label the two are nearly equal and their difference has no digits
 * left: its error is that of logSumExp, 1e-16·|m|, while the nll may be 1e-30.
 * So the label's own term is kept apart from the others' mass,
 *   own = e^{u_y - R}, others = Σ_{j≠y} e^{u_j - R}, q = others / own,
 *   p_y = own / (own + others) = 1 / (1 + q):
 * [LSE 4] nll = log1p(q), 1 - p_y = q / (1 + q), q = others / own
 * Only terms >= 0 are added and none is subtracted: both keep the relative
 * accuracy of the sum down to the smallest numbers, and none is negative.
 * Where own leaves the normal numbers (u_y < m - 708) it has lost its digits, but
 * there the plain difference is large, hence safe. Taken against R first, it
 * keeps log S even where |R| is so large that R + log S = R:
 * [LSE 5] nll = (R - u_y) + log S
 * That includes u_y = -inf with finite others: nll = +Infinity, 1 - p_y = 1.
 *
 * Entropy, from -log p_j = (R - u_j) + log S, by [LSE 5]:
 * [LSE 6] entropy = Σ_j p_j·(-log p_j), with 0·log 0 = 0
 * Each factor is >= 0, so nothing cancels. p·log p → 0 for p → 0 is why the
 * convention holds; in numbers 0·∞ would be NaN, so p_j = 0 is skipped.
 *
 * The 1 in S is known: it is the largest logit's own term. Kept out of the sum,
 * it cannot swallow the rest (1 + 1e-20 is 1 in float64):
 * [LSE 7] log S = log1p(Σ_{j≠a} e^{u_j - m}), a = argmax
 * so log S, and with it the entropy of a confident row, keeps relative accuracy.
 *
 * A row is unusable exactly where m is not finite: m is NaN if any logit is (the
 * search is made so), +inf if one is, -inf if all are (and -inf - (-inf) would
 * be NaN). One test is enough:
 * [LSE 8] not finite ⇔ not (-inf < m < +inf); then logSumExp = nll = entropy = NaN
 *
 * [LSE 9] argmax = the lowest j with u_j = m
 *
 * A twin that may not ask the host for a logarithm takes out the powers of two,
 * u = 2^k·m, so that m is near 1, and has by log m = log(1 + s) - log(1 - s)
 * [LSE 10] log u = k·ln2 + 2·atanh s, s = (m - 1)/(m + 1), √½ <= m < √2
 * with |s| <= 0.1716. The Taylor series needs no fit, and s² gives it 1.5 digits
 * a term:
 * [LSE 11] atanh s = s + s·Σ_{i >= 1} s^{2i}/(2i + 1), i <= 9; relative error <= s^20/21 = 2.4e-17
 * For log1p(q), u = fl(1 + q), and what that rounded off is made good to first
 * order, q tiny included: log(u + lost) = log u + lost/u, off by lost² at most.
 *
 * @module
 */
import { exp } from "./exp.ts";

/** The smallest normal float64, 2^-1022; below it digits are lost. */
const SMALLEST_NORMAL = 2.2250738585072014e-308;

/** What a row holds apart from its label. */
export interface RowScan {
  /** m, the largest logit; NaN if any is NaN. */
  rowMax: number;
  /** The lowest column that holds m; that of the first NaN if there is one. */
  argmax: number;
  /** Whether m is not finite; the two numbers below are NaN then. */
  nonFinite: boolean;
  /** log Σ_j e^{u_j - m}, in [0, log V]. */
  logSum: number;
  /** log Σ_j e^{u_j}. */
  logSumExp: number;
}

/** The mass of a row, each term relative to e^m, split at the label. */
export interface Mass {
  /** e^{u_y - m}, in [0, 1]. */
  own: number;
  /** Σ_{j≠y} e^{u_j - m}. */
  others: number;
}

/** The column of the largest logit of u [V], the lowest in a tie; of the first NaN if there is one. */
export function argmaxOf(u: Float64Array): number {
  // [LSE 9] argmax = the lowest j with u_j = m
  let best = 0;
  for (let j = 0; j < u.length; j++) {
    if (Number.isNaN(u[j])) return j;
    if (u[j]! > u[best]!) best = j;
  }
  return best;
}

/** Σ_{j≠left} e^{u_j - m} over a row u [V]. */
function massWithout(u: Float64Array, m: number, left: number): number {
  let sum = 0;
  for (let j = 0; j < u.length; j++) {
    if (j !== left) sum += exp(u[j]! - m);
  }
  return sum;
}

/** The scan of a row u [V]. */
export function scanRow(u: Float64Array): RowScan {
  // [LSE 1] R = m = max_j u_j
  const argmax = argmaxOf(u);
  const rowMax = u[argmax] ?? NaN;

  // [LSE 8] not finite ⇔ not (-inf < m < +inf)
  if (!(rowMax > -Infinity && rowMax < Infinity)) {
    return { rowMax, argmax, nonFinite: true, logSum: NaN, logSumExp: NaN };
  }

  // [LSE 7] log S = log1p(Σ_{j≠a} e^{u_j - m})
  const logSum = Math.log1p(massWithout(u, rowMax, argmax));
  // [LSE 2] logSumExp = R + log Σ_j e^{u_j - R}
  const logSumExp = rowMax + logSum;
  return { rowMax, argmax, nonFinite: false, logSum, logSumExp };
}

/** The mass of a row u [V], split at column `label`, whose logit is `labelLogit`. */
export function splitMass(
  u: Float64Array,
  rowMax: number,
  label: number,
  labelLogit: number,
): Mass {
  const own = exp(labelLogit - rowMax);
  const others = massWithout(u, rowMax, label);
  return { own, others };
}

/** -log p_y at relative accuracy; `mass` is the row's, split at y, `labelLogit` is u_y. */
export function negativeLogLikelihood(
  scan: RowScan,
  mass: Mass,
  labelLogit: number,
): number {
  if (scan.nonFinite) return NaN;
  // [LSE 4] nll = log1p(q), q = others / own
  if (mass.own >= SMALLEST_NORMAL) return Math.log1p(mass.others / mass.own);
  // [LSE 5] nll = (R - u_y) + log S
  return (scan.rowMax - labelLogit) + scan.logSum;
}

/** -Σ_j p_j log p_j of a row u [V] whose scan is given. */
export function entropyOf(u: Float64Array, scan: RowScan): number {
  if (scan.nonFinite) return NaN;
  // [LSE 6] entropy = Σ_j p_j·(-log p_j), with 0·log 0 = 0
  let entropy = 0;
  for (let j = 0; j < u.length; j++) {
    const surprise = (scan.rowMax - u[j]!) + scan.logSum;
    const p = exp(-surprise);
    if (p > 0) entropy += p * surprise;
  }
  return entropy;
}

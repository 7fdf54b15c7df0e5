// From a row's sums to its loss. Derivations: src/reference/log_sum_exp.ts and
// normalize.ts.
import { exp_f64, LN2 } from "./exp";
import { log_of, others, reference } from "./log_sum_exp";
import { smoothing, zLoss } from "./options";

/** Results of `settle`, all of the row last seen. */
export let nll: f64 = 0;
export let log_sum_exp: f64 = 0;
/** log_sum_exp = base + rest, base a logit or a reference: (base - u) + rest keeps the digits that a huge log_sum_exp - u would lose. */
export let base: f64 = 0;
export let rest: f64 = 0;
/** The probability of all classes but the label's, 1 - p_y without its cancellation. */
export let mass: f64 = 0;
/** Σ_j e^{u_j - reference}, the label's included. */
export let total: f64 = 0;

/** Below this the label's own exponential is nothing beside the others, and s / e^d would overflow. */
const OWN_LOW: f64 = -600;

/** 2⁶⁴, and its logarithm. */
const LIFT: f64 = 1.8446744073709552e19, LN_LIFT: f64 = 64 * LN2;

/**
 * nll, log_sum_exp, mass and total of a row from `others`, `reference` and the
 * label's own logit u. NaN everywhere if the row is not finite.
 */
export function settle(own: f64): void {
  const s = others, r = reference;
  if (s != s || !(own < Infinity) || (s == 0 && own == -Infinity)) {
    nll = log_sum_exp = mass = total = base = rest = NaN;
    return;
  }
  const d = own - r;
  if (s == 0) { // V = 1, or every other class is -inf
    nll = mass = rest = 0;
    base = own;
    total = Infinity; // every other p is 0
  } else if (d < OWN_LOW) {
    // [LSE 5] own e^d vanishes beside s: nll = (R - u) + log s
    base = r;
    // a subnormal s becomes a normal number first
    rest = s < f64.MIN_NORMAL_VALUE ? log_of(s * LIFT, 0) - LN_LIFT : log_of(s, 0);
    nll = rest - d;
    mass = 1;
    total = s;
  } else {
    // [LSE 4] q = others' mass / own: nll = log1p(q), mass = q / (1 + q)
    const e = exp_f64(d);
    const q = s / e;
    const u = 1 + q;
    nll = rest = log_of(u, q < 1 ? q - (u - 1) : 1 - (u - q));
    base = own;
    mass = q / (1 + q);
    total = s + e;
  }
  log_sum_exp = base + rest;
}

/** [NORM 3] Whether every term of a row is switched off, so that it is 0 whatever it holds. */
// @ts-ignore: decorator
@inline
export function is_silent(weight: f64, classWeight: f64): bool {
  return weight == 0 || (zLoss == 0 && smoothing == 0 && classWeight == 0);
}

/**
 * [NORM 1] w · [ (1 - ε)·c_y·nll + ε·smoothed + z·logSumExp² ] of the row last
 * settled, smoothed = 1/V·Σ_j c_j(-log p_j). A factor of 0 switches its term
 * off, infinite or not.
 */
export function per_token(weight: f64, classWeight: f64, smoothed: f64): f64 {
  if (is_silent(weight, classWeight)) return 0;
  if (nll != nll) return NaN;
  const own = (1 - smoothing) * classWeight;
  let loss: f64 = 0;
  if (own != 0) loss += own * nll;
  if (smoothing != 0) loss += smoothing * smoothed;
  if (zLoss != 0) loss += zLoss * log_sum_exp * log_sum_exp;
  return weight * loss + 0; // never -0
}

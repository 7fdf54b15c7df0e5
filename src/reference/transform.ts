/**
 * From stored logits x to the logits u that enter the softmax, in float64.
 *
 * [TANH 1] scaled = logitScale·x, and without a softcap u = scaled; with one,
 * u = softcap·tanh(z), z = scaled / softcap
 * The factor comes first, so the cap bounds what is scored: |u| <= softcap. An
 * infinite x is then the finite ±softcap; only NaN stays.
 *
 * Math.tanh is the truth here. A twin that has no tanh but has e^x makes it from
 * the definition, dividing numerator and denominator by e^{|z|}:
 *   tanh|z| = (e^{|z|} - e^{-|z|}) / (e^{|z|} + e^{-|z|})
 * [TANH 2] tanh z = (1 - e) / (1 + e) with the sign of z, e = e^{-2|z|}
 * e is in [0, 1]: nothing overflows. 1 - e cancels near z = 0, where its error
 * is 1e-16 in absolute terms: 1e-16·softcap on u, which is what float64 gives to
 * a number of the cap's size, and less than float32 logits can tell.
 *
 * The slope. With z = logitScale·x / softcap, the chain rule gives
 *   du/dx = softcap·tanh'(z)·logitScale/softcap = logitScale·sech²(z).
 * Both usual forms fail at saturation: 1 - tanh²(z) cancels to 0 from |z| = 19.1
 * on, and cosh²(z) overflows from |z| = 356 on. Instead, with e = e^{-2|z|}:
 *   sech(z) = 2 / (e^{|z|} + e^{-|z|}) = 2·e^{-|z|} / (1 + e)
 * [TANH 3] du/dx = logitScale·4e / (1 + e)², e = e^{-2|z|}
 * Nothing is subtracted and nothing overflows: e is in [0, 1], so the relative
 * error is that of e alone, until e itself leaves the normal numbers (|z| > 354).
 *
 * Differences. A twin in float32 gives a u of size 30 an error of 2e-6, and e^u as
 * much. What is wanted there is u_a - u_b = softcap·(tanh a - tanh b), and from
 *   tanh(a - b) = (tanh a - tanh b) / (1 - tanh a·tanh b)
 * [TANH 4] tanh a - tanh b = tanh(a - b)·(1 - tanh a·tanh b)
 * The second factor cancels where both saturate. With e_a = e^{-2|a|} and [TANH 2]:
 *   like signs     1 - (1 - e_a)(1 - e_b) / ((1 + e_a)(1 + e_b)) = 2·(e_a + e_b) / ((1 + e_a)(1 + e_b))
 *   unlike signs   1 + (1 - e_a)(1 - e_b) / ((1 + e_a)(1 + e_b)) = 2·(1 + e_a·e_b) / ((1 + e_a)(1 + e_b))
 * [TANH 5] 1 - tanh a·tanh b = 2·g / ((1 + e_a)(1 + e_b)), g = e_a + e_b for like signs, else 1 + e_a·e_b
 * Only positive terms are added: the difference has the relative accuracy of e^x
 * and of a - b. That is eight roundings, and in e^{u_a - u_b} they count as many
 * times as the difference is large. Far apart, few are made: with the tail
 * q = 2e / (1 + e), tanh|z| = 1 - q, so that
 * [TANH 6] |tanh a - tanh b| = |q_a - q_b| for like signs, else 2 - (q_a + q_b), q = 2e / (1 + e)
 * which is taken where nothing cancels: where the smaller q is less than a quarter
 * of the other, or the two sum to less than 1.
 *
 * Padding lanes (columns from V to rowStride) never enter: they are not read.
 * To load them as -inf and then cap them would make each a class of logit
 * -softcap, and with a small cap that is visible.
 *
 * @module
 */
import type { LogitsArray, LogitsType } from "../contract.ts";
import type { LossProblem } from "../engine.ts";
import { decodeBf16, decodeF16, halfBits } from "../half.ts";
import { exp } from "./exp.ts";

/** Reads the stored logit at an index of the array, as a float64. */
export type ReadLogit = (index: number) => number;

/** How to read an array of logits of the given type; exact for all three. */
export function reader(logits: LogitsArray, dtype: LogitsType): ReadLogit {
  if (dtype === "f32") {
    return (index: number): number => logits[index] ?? NaN;
  }
  const bits = halfBits(logits);
  return dtype === "bf16"
    ? (index: number): number => decodeBf16(bits[index] ?? 0x7fc0)
    : (index: number): number => decodeF16(bits[index] ?? 0x7e00);
}

/** u, the transformed logit of a stored x; softcap 0 means none. */
export function transform(
  x: number,
  logitScale: number,
  softcap: number,
): number {
  // [TANH 1] scaled = logitScale·x; u = softcap·tanh(z), z = scaled / softcap
  const scaled = logitScale * x;
  return softcap === 0 ? scaled : softcap * Math.tanh(scaled / softcap);
}

/** du/dx at a stored x; softcap 0 means none. */
export function slope(x: number, logitScale: number, softcap: number): number {
  if (softcap === 0) return logitScale;
  // [TANH 3] du/dx = logitScale·4e / (1 + e)², e = e^{-2|z|}
  const e = exp(-2 * Math.abs(logitScale * x / softcap));
  return logitScale * 4 * e / ((1 + e) * (1 + e));
}

/** Writes row `row` of the transformed logits to `u`, [V]. */
export function transformRow(
  problem: LossProblem,
  read: ReadLogit,
  row: number,
  u: Float64Array,
): void {
  const start = row * problem.rowStride;
  for (let k = 0; k < problem.vocabSize; k++) {
    u[k] = transform(read(start + k), problem.logitScale, problem.softcap);
  }
}

/** Writes row `row` of du/dx to `slopes`, [V]. */
export function slopeRow(
  problem: LossProblem,
  read: ReadLogit,
  row: number,
  slopes: Float64Array,
): void {
  const start = row * problem.rowStride;
  for (let k = 0; k < problem.vocabSize; k++) {
    slopes[k] = slope(read(start + k), problem.logitScale, problem.softcap);
  }
}

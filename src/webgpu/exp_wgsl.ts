/**
 * e^x and e^x - 1 in float32, four at a time. WGSL's own exp may be off by 2e-5
 * at x = -87, and is by 4e-6 on the drivers at hand; this one is within 2e-7, and
 * 0 where the result would not be a normal float32. The derivation is in
 * src/reference/exp.ts.
 *
 * @module
 */

/** `reduce4`, `lowered4`, `exp4`, `expm14`, `log1`. */
export const EXP_WGSL: string = /* wgsl */ `
// n·HI of [EXP 5] is exact for |n| < 2^15, |x| < 22713; from here down every e^x is 0
const LOWEST = -16384.0;

// the least k with 2^k·e^f normal, whatever f is
const SMALLEST = -125.0;

struct Reduced { n: vec4<f32>, f: vec4<f32> }

// [EXP 1] n = round(x·log₂e), f = x - n·ln2
fn reduce4(x: vec4<f32>) -> Reduced {
  let safe = max(x, vec4(LOWEST));
  let n = round(safe * 1.4426950408889634);
  // [EXP 5] LN2 = HI + LO with n·HI exact
  let f = (safe - n * 0.693359375) - n * -2.1219444005469057e-4;
  return Reduced(n, f);
}

// [EXP 6] e^f = 1 + f·q(f), q(f) = Σ_{k <= 6} f^k / (k+1)!
fn series4(f: vec4<f32>) -> vec4<f32> {
  var q = f * 1.9841269841269841e-4 + 1.3888888888888889e-3;
  q = q * f + 8.3333333333333333e-3;
  q = q * f + 4.1666666666666667e-2;
  q = q * f + 1.6666666666666667e-1;
  q = q * f + 0.5;
  return q * f + 1.0;
}

// 2^k for -126 <= k <= 127: k + 127 in the exponent field; any other k gives something
fn power4(k: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(vec4<i32>(max(k, vec4(SMALLEST))) + 127) << vec4(23u));
}

// [EXP 3] 2^(n - octave)·e^f = e^{x - octave·ln2}
fn lowered4(r: Reduced, octave: f32) -> vec4<f32> {
  let k = r.n - octave;
  let e = (series4(r.f) * r.f + 1.0) * power4(k);
  return select(vec4(0.0), e, k >= vec4(SMALLEST));
}

fn exp4(x: vec4<f32>) -> vec4<f32> { return lowered4(reduce4(x), 0.0); }

// e^x - 1 = 2^n·f·q(f) + (2^n - 1) for x <= 0: nothing cancels near 0
fn expm14(x: vec4<f32>) -> vec4<f32> {
  let r = reduce4(x);
  let two = power4(r.n);
  return select(vec4(-1.0), two * (series4(r.f) * r.f) + (two - 1.0), r.n >= vec4(SMALLEST));
}

// log t for t near 1 or above: one Newton step, y + (t·e^{-y} - 1), leaves half the square of the built-in's
// error; WGSL promises 2^-21 between 1/2 and 2, and 3 ulp elsewhere
fn log1(t: f32) -> f32 {
  let y = log(t);
  return y + (t * exp4(vec4(-y)).x - 1.0);
}
`;

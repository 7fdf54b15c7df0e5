/**
 * From stored logits to differences of transformed ones. What enters an
 * exponential is u - u_top, and a float32 u of size 30 would be off by 2e-6; so
 * the difference itself is computed, to the relative accuracy of float32. The
 * derivation is in src/reference/transform.ts.
 *
 * A logit here is g = sign(logitScale)·x, so that u grows with g.
 *
 * @module
 */

/** `difference4`, `slope4`, `transformed`. */
export const TRANSFORM_WGSL: string = /* wgsl */ `
// beyond this |z| tanh is ±1 and its slope no normal number; infinities come to lie here
const SATURATED = 43.0;

fn clip4(g: vec4<f32>) -> vec4<f32> {
  let edge = min(SATURATED * P.cap / P.scale, -P.low);
  return clamp(g, vec4(-edge), vec4(edge));
}

// u(g) - u(origin)
fn difference4(g: vec4<f32>, origin: f32) -> vec4<f32> {
  if (!CAPPED) { return (g - vec4(origin)) * P.scale; }

  // [TANH 4] tanh a - tanh b = tanh(a - b)·(1 - tanh a·tanh b)
  let per = P.scale / P.cap;
  let logit = clip4(g);
  let edge = clip4(vec4(origin));
  let step = (logit - edge) * per;
  let d = expm14(-2.0 * abs(step));
  let a = exp4(-2.0 * abs(logit * per));
  let b = exp4(-2.0 * abs(edge * per));
  // [TANH 5] 1 - tanh a·tanh b = 2·(e_a + e_b) / ((1 + e_a)·(1 + e_b)) for like signs, else 2·(1 + e_a·e_b) / (...)
  let alike = (logit < vec4(0.0)) == (edge < vec4(0.0));
  let gap = 2.0 * select(1.0 + a * b, a + b, alike) / ((1.0 + a) * (1.0 + b));
  // [TANH 2] tanh z = (1 - e) / (1 + e), e = e^{-2|z|}
  let near = (d / (-2.0 - d)) * gap;
  // [TANH 6] |tanh a - tanh b| = |q_a - q_b| for like signs, else 2 - (q_a + q_b), q = 2e / (1 + e)
  let p = 2.0 * (a / (1.0 + a));
  let q = 2.0 * (b / (1.0 + b));
  let apart = select(2.0 - (p + q), abs(p - q), alike);
  let clear = select(p + q < vec4(1.0), min(p, q) < 0.25 * max(p, q), alike);
  return sign(step) * P.cap * select(near, apart, clear);
}

// du/dx
fn slope4(g: vec4<f32>) -> vec4<f32> {
  if (!CAPPED) { return vec4(P.slopeScale); }
  // [TANH 3] du/dx = logitScale·4e / (1 + e)², e = e^{-2|z|}
  let e = exp4(-2.0 * abs(g * (P.scale / P.cap)));
  return P.slopeScale * 4.0 * e / ((1.0 + e) * (1.0 + e));
}

// u(g)
fn transformed(g: f32) -> f32 {
  // [TANH 1] scaled = logitScale·x; u = softcap·tanh(z), z = scaled / softcap
  if (!CAPPED) { return g * P.scale; }
  let z = clip4(vec4(g)) * (P.scale / P.cap);
  let d = expm14(-2.0 * abs(z));
  return sign(z.x) * P.cap * (d / (-2.0 - d)).x;
}
`;

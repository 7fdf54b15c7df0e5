/**
 * What a row says of its label, found by one workgroup, block by block. A block
 * is read once: its largest logit first, then all sums relative to that. The
 * blocks are merged from left to right, so a row has the same bits whether one
 * workgroup scans all of it or each block has a workgroup of its own. The
 * derivation is in src/reference/log_sum_exp.ts.
 *
 * @module
 */

/** `scanBlock`, `merge`, `total`. */
export const LOG_SUM_EXP_WGSL: string = /* wgsl */ `
var<workgroup> tops: array<f32, GROUP>;
var<workgroup> marks: array<u32, GROUP>;
var<workgroup> sums: array<vec4<f32>, GROUP>;
var<workgroup> topsOf16: array<f32, 16>;
var<workgroup> marksOf16: array<u32, 16>;
var<workgroup> sumsOf16: array<vec4<f32>, 16>;

fn isBad(g: f32) -> bool {
  let bits = bitcast<u32>(g);
  return (bits & 0x7fffffffu) > 0x7f800000u || (bits == 0x7f800000u && !CAPPED);
}

fn isMinusInf(g: f32) -> bool { return bitcast<u32>(g) == 0xff800000u; }

// marks of one logit at a column; a repeat of the last column adds none
fn markOf(g: f32, column: u32, label: u32, labelLogit: f32) -> u32 {
  var mark = select(0u, BAD, isBad(g));
  if (METRICS) {
    // [LSE 9] argmax = the lowest j with u_j = m
    let beats = g > labelLogit || (g == labelLogit && column < label);
    mark |= select(0u, BEATEN, beats);
  }
  if (SMOOTHED && !CAPPED) {
    let c = select(0.0, classWeight(column), column != label && column < P.vocab);
    let missing = isMinusInf(g);
    mark |= select(0u, MINUS_INF, missing && c > 0.0);
    mark |= select(0u, MINUS_INF_NEGATIVE, missing && c < 0.0);
  }
  return mark;
}

fn marksOf(g: vec4<f32>, columns: vec4<u32>, label: u32, labelLogit: f32) -> u32 {
  return markOf(g.x, columns.x, label, labelLogit) |
    markOf(g.y, columns.y, label, labelLogit) |
    markOf(g.z, columns.z, label, labelLogit) |
    markOf(g.w, columns.w, label, labelLogit);
}

// others, heat, slack and weights of four logits
fn sumsOf(g: vec4<f32>, columns: vec4<u32>, label: u32, top: f32) -> vec4<f32> {
  let counts = (columns < vec4(P.vocab)) & (columns != vec4(label));
  let d = difference4(g, top);
  // [LSE 2] Σ e^{u_j - R}; [LSE 4] the label's column stays out
  let e = select(vec4(0.0), exp4(d), counts);
  var sum = vec4((e.x + e.y) + (e.z + e.w), 0.0, 0.0, 0.0);
  if (METRICS) {
    // [LSE 6] entropy = Σ_j p_j·(-log p_j), with 0·log 0 = 0
    let h = select(vec4(0.0), e * -d, e > vec4(0.0));
    sum.y = (h.x + h.y) + (h.z + h.w);
  }
  if (SMOOTHED) {
    // [NORM 2] Σ_j c_j·(R - u_j); a weight of 0 is no term, whatever it weighs
    let c = select(vec4(0.0), vec4(
      classWeight(columns.x), classWeight(columns.y),
      classWeight(columns.z), classWeight(columns.w),
    ), counts);
    let s = select(vec4(0.0), c * -d, c != vec4(0.0));
    sum.z = (s.x + s.y) + (s.z + s.w);
    sum.w = (c.x + c.y) + (c.z + c.w);
  }
  return sum;
}

// the largest top and all marks of the workgroup, for every thread
fn reduceTop(top: f32, mark: u32, t: u32) -> Record {
  tops[t] = top;
  marks[t] = mark;
  workgroupBarrier();
  if (t < 16u) {
    var most = tops[t];
    var all = marks[t];
    for (var k = t + 16u; k < GROUP; k += 16u) {
      most = max(most, tops[k]);
      all |= marks[k];
    }
    topsOf16[t] = most;
    marksOf16[t] = all;
  }
  workgroupBarrier();
  var found = Record(topsOf16[0], 0.0, 0.0, 0.0, 0.0, 0.0, marksOf16[0], 0u);
  for (var k = 1u; k < 16u; k++) {
    found.top = max(found.top, topsOf16[k]);
    found.flags |= marksOf16[k];
  }
  return found;
}

// the sums of the workgroup, for every thread, in an order that never changes
fn reduceSums(sum: vec4<f32>, t: u32) -> vec4<f32> {
  sums[t] = sum;
  workgroupBarrier();
  if (t < 16u) {
    var all = sums[t];
    for (var k = t + 16u; k < GROUP; k += 16u) { all += sums[k]; }
    sumsOf16[t] = all;
  }
  workgroupBarrier();
  var found = sumsOf16[0];
  for (var k = 1u; k < 16u; k++) { found += sumsOf16[k]; }
  return found;
}

// one block of the row at base, by the whole workgroup
fn scanBlock(base: u32, block: u32, label: u32, labelLogit: f32, t: u32) -> Record {
  // 16 logits a thread, read once
  let c0 = vec4(block * BLOCK + t) + vec4(0u, 1u, 2u, 3u) * GROUP;
  let c1 = c0 + 4u * GROUP;
  let c2 = c0 + 8u * GROUP;
  let c3 = c0 + 12u * GROUP;
  let x0 = load4(base, c0);
  let x1 = load4(base, c1);
  let x2 = load4(base, c2);
  let x3 = load4(base, c3);

  // [LSE 1] R = the largest logit of the block
  let most = max(max(x0, x1), max(x2, x3));
  let top = max(max(max(most.x, most.y), max(most.z, most.w)), P.low);
  let mark = marksOf(x0, c0, label, labelLogit) | marksOf(x1, c1, label, labelLogit) |
    marksOf(x2, c2, label, labelLogit) | marksOf(x3, c3, label, labelLogit);
  var found = reduceTop(top, mark, t);

  let sum = reduceSums(
    (sumsOf(x0, c0, label, found.top) + sumsOf(x1, c1, label, found.top)) +
      (sumsOf(x2, c2, label, found.top) + sumsOf(x3, c3, label, found.top)),
    t,
  );
  found.others = sum.x;
  found.heat = sum.y;
  found.slack = sum.z;
  found.weights = sum.w;
  found.labelLogit = labelLogit;
  return found;
}

// [LSE 3] Σ e^{u_j - R'} = e^{R - R'}·Σ e^{u_j - R}, for one of two neighbours
fn moved(part: Record, top: f32) -> Record {
  let d = difference(part.top, top);
  let e = exp1(d);
  var found = part;
  found.top = top;
  found.others = e * part.others;
  // Σ e^{u - R'}·(R' - u) = e^{R - R'}·(Σ e^{u - R}·(R - u) + (R' - R)·Σ e^{u - R}); nothing stays nothing
  if (METRICS) {
    found.heat = select(0.0, e * (part.heat - d * part.others), e * part.others > 0.0);
  }
  // Σ c·(R' - u) = Σ c·(R - u) + (R' - R)·Σ c
  if (SMOOTHED) {
    found.slack = select(part.slack - d * part.weights, part.slack, part.weights == 0.0);
  }
  return found;
}

fn merge(left: Record, right: Record) -> Record {
  let top = max(left.top, right.top);
  let a = moved(left, top);
  let b = moved(right, top);
  return Record(
    top, a.others + b.others, a.heat + b.heat, a.slack + b.slack,
    a.weights + b.weights, a.labelLogit, a.flags | b.flags, 0u,
  );
}

// e^{u_y - top} of the label's own column
fn ownMass(row: Record) -> f32 { return exp1(difference(row.labelLogit, row.top)); }

// [LSE 8] not finite ⇔ not (-inf < m < +inf), where all are -inf no mass is left
fn isNonFinite(row: Record, total: f32) -> bool {
  return (row.flags & BAD) != 0u || !(total > 0.0);
}
`;

/**
 * What a row says of its label, found by one workgroup, block by block. A block
 * is read once: its largest logit first, then all sums relative to that. The
 * blocks are merged from left to right, so a row has the same bits whether one
 * workgroup scans all of it or each block has a workgroup of its own. The
 * derivation is in src/reference/log_sum_exp.ts.
 *
 * @module
 */

/**
 * From this logit on, and under a factor or a cap, the reference is the largest
 * logit itself, `Reference.origin`. Two logits of that size whose difference
 * matters are so near each other that the difference is exact. Below it, a
 * difference would be rounded: at u - R = -60 that is 2e-6 of e^{u - R}. There
 * each logit is reduced by itself, and R is a whole number of octaves, n·ln2.
 */
export const FAR = 8192;

/** `scanBlock`, `merge`, `masses4`, `ownMass`, `isNonFinite`. */
export const LOG_SUM_EXP_WGSL: string = /* wgsl */ `
var<workgroup> tops: array<f32, GROUP>;
var<workgroup> marks: array<u32, GROUP>;
var<workgroup> sums: array<vec4<f32>, GROUP>;
var<workgroup> topsOf16: array<f32, 16>;
var<workgroup> marksOf16: array<u32, 16>;
var<workgroup> sumsOf16: array<vec4<f32>, 16>;

const FAR = ${FAR}.0;
const LN2 = 0.6931471805599453;

// R = u(origin) + octave·ln2
struct Reference { origin: f32, octave: f32 }

fn originOf(top: f32) -> f32 {
  return select(0.0, top, SHAPED || !(abs(top) < FAR));
}

fn octaveOf(top: f32) -> f32 {
  return reduce4(difference4(vec4(top), originOf(top))).n.x;
}

fn referenceOf(row: Record) -> Reference {
  return Reference(originOf(row.top), row.octave);
}

// R as a logit, where float32 is enough
fn levelOf(row: Record) -> f32 {
  return transformed(originOf(row.top)) + row.octave * LN2;
}

// R - u of a logit that lies d above the origin; of reduced parts, since those are small where it matters
fn depth4(d: vec4<f32>, x: Reduced, octave: f32) -> vec4<f32> {
  return select(octave * LN2 - d, (octave - x.n) * LN2 - x.f, d >= vec4(LOWEST));
}

// e^{u - R} of four logits
fn masses4(g: vec4<f32>, r: Reference) -> vec4<f32> {
  return lowered4(reduce4(difference4(g, r.origin)), r.octave);
}

fn isBad(g: f32) -> bool {
  let bits = bitcast<u32>(g);
  return (bits & 0x7fffffffu) > 0x7f800000u || (bits == 0x7f800000u && !CAPPED);
}

fn isMinusInf(g: f32) -> bool { return bitcast<u32>(g) == 0xff800000u; }

// [LSE 9] argmax = the lowest j with u_j = m: which of four columns are before the label's
fn beats4(g: vec4<f32>, columns: vec4<u32>, label: u32, labelLogit: f32) -> vec4<bool> {
  let first = columns < vec4(label);
  if (!CAPPED) { return (g > vec4(labelLogit)) | ((g == vec4(labelLogit)) & first); }
  // a cap makes equals of logits whose u are less apart than float64 tells: half an ulp of 1
  let rise = difference4(g, labelLogit);
  let least = P.cap * 5.5511151231257827e-17;
  return (rise > vec4(least)) | ((abs(rise) <= vec4(least)) & first);
}

// marks of one logit at a column; a repeat of the last column adds none
fn markOf(g: f32, column: u32, label: u32) -> u32 {
  var mark = select(0u, BAD, isBad(g));
  if (SMOOTHED && !CAPPED) {
    let c = select(0.0, classWeight(column), column != label && column < P.vocab);
    let missing = isMinusInf(g);
    mark |= select(0u, MINUS_INF, missing && c > 0.0);
    mark |= select(0u, MINUS_INF_NEGATIVE, missing && c < 0.0);
  }
  return mark;
}

fn marksOf(g: vec4<f32>, columns: vec4<u32>, label: u32, labelLogit: f32) -> u32 {
  var mark = markOf(g.x, columns.x, label) | markOf(g.y, columns.y, label) |
    markOf(g.z, columns.z, label) | markOf(g.w, columns.w, label);
  if (METRICS) {
    mark |= select(0u, BEATEN, any(beats4(g, columns, label, labelLogit)));
  }
  return mark;
}

// others, heat, slack and weights of four logits
fn sumsOf(g: vec4<f32>, columns: vec4<u32>, label: u32, r: Reference) -> vec4<f32> {
  let counts = (columns < vec4(P.vocab)) & (columns != vec4(label));
  let d = difference4(g, r.origin);
  let x = reduce4(d);
  let depth = depth4(d, x, r.octave);
  // [LSE 2] Σ e^{u_j - R}; [LSE 4] the label's column stays out
  let e = select(vec4(0.0), lowered4(x, r.octave), counts);
  var sum = vec4((e.x + e.y) + (e.z + e.w), 0.0, 0.0, 0.0);
  if (METRICS) {
    // [LSE 6] entropy = Σ_j p_j·(-log p_j), with 0·log 0 = 0
    let h = select(vec4(0.0), e * depth, e > vec4(0.0));
    sum.y = (h.x + h.y) + (h.z + h.w);
  }
  if (SMOOTHED) {
    // [NORM 2] Σ_j c_j·(R - u_j); a weight of 0 is no term, whatever it weighs
    let c = select(vec4(0.0), classWeight4(columns), counts);
    let s = select(vec4(0.0), c * depth, c != vec4(0.0));
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
  var found = Record(topsOf16[0], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, marksOf16[0]);
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

  // [LSE 1] R = near the largest logit of the block
  let most = max(max(x0, x1), max(x2, x3));
  let top = max(max(max(most.x, most.y), max(most.z, most.w)), P.low);
  let mark = marksOf(x0, c0, label, labelLogit) | marksOf(x1, c1, label, labelLogit) |
    marksOf(x2, c2, label, labelLogit) | marksOf(x3, c3, label, labelLogit);
  var found = reduceTop(top, mark, t);
  found.octave = octaveOf(found.top);

  let r = referenceOf(found);
  let sum = reduceSums(
    (sumsOf(x0, c0, label, r) + sumsOf(x1, c1, label, r)) +
      (sumsOf(x2, c2, label, r) + sumsOf(x3, c3, label, r)),
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
fn moved(part: Record, to: Record) -> Record {
  let d = difference4(vec4(originOf(part.top)), originOf(to.top));
  let x = reduce4(d);
  let octave = to.octave - part.octave;
  let e = lowered4(x, octave).x;
  let rise = depth4(d, x, octave).x;
  var found = part;
  found.others = e * part.others;
  // Σ e^{u - R'}·(R' - u) = e^{R - R'}·(Σ e^{u - R}·(R - u) + (R' - R)·Σ e^{u - R}); nothing stays nothing
  if (METRICS) {
    found.heat = select(0.0, e * (part.heat + rise * part.others), e * part.others > 0.0);
  }
  // Σ c·(R' - u) = Σ c·(R - u) + (R' - R)·Σ c
  if (SMOOTHED) {
    found.slack = select(part.slack + rise * part.weights, part.slack, part.weights == 0.0);
  }
  return found;
}

fn merge(left: Record, right: Record) -> Record {
  var to = left;
  if (right.top > left.top) { to = right; }
  let a = moved(left, to);
  let b = moved(right, to);
  return Record(
    to.top, to.octave, a.others + b.others, a.heat + b.heat, a.slack + b.slack,
    a.weights + b.weights, left.labelLogit, a.flags | b.flags,
  );
}

// e^{u_y - R} of the label's own column
fn ownMass(row: Record) -> f32 { return masses4(vec4(row.labelLogit), referenceOf(row)).x; }

// [LSE 8] not finite ⇔ not (-inf < m < +inf), where all are -inf no mass is left
fn isNonFinite(row: Record, total: f32) -> bool {
  return (row.flags & BAD) != 0u || !(total > 0.0);
}
`;

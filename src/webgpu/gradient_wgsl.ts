/**
 * The gradient of one row, written word by word: a word is one float32 or two
 * halves, and no thread writes a word that another reads. Where rows of halves
 * have an odd stride, two of them share a word; those halves go to the seams and
 * are put together afterwards. The derivation is in src/reference/gradient.ts.
 *
 * @module
 */

/** `slopeOf`, `writeBlock`, `stitch`. */
export const GRADIENT_WGSL: string = /* wgsl */ `
struct Slope {
  factor: f32,     // coefficient · w; 0 means that all is 0
  nan: bool,
  label: u32,
  reference: Reference,
  perMass: f32,    // 1 / (own + others)
  spread: f32,     // A of [GRAD 2]
  ofLabel: f32,    // what [GRAD 5] has beside p_y
  ofRest: f32,     // what it has before p_y
}

fn slopeOf(row: Record, job: Job) -> Slope {
  let own = ownMass(row);
  let total = own + row.others;
  let nan = isNonFinite(row, total);
  let c = classWeight(job.label);
  let smoothed = P.share * c;
  // [LSE 2] logSumExp = R + log Σ_j e^{u_j - R}
  var twoZL = 0.0;
  if (Z_LOSS) { twoZL = P.twoZ * (levelOf(row) + log1(total)); }
  // [GRAD 2] A = (1 - ε)·c_y + ε/V·C + 2z·L
  let spread = P.keep * c + P.share * P.classSum + twoZL;
  // [GRAD 5] for y: -((1 - ε)·c_y + B·c_y)·(1 - p_y) + (B·(C - c_y) + 2z·L)·p_y
  let ofLabel = -(P.keep * c + smoothed) * (row.others / total);
  let ofRest = P.share * (P.classSum - c) + twoZL;
  return Slope(
    job.factor, nan, job.label, referenceOf(row), 1.0 / total,
    spread, ofLabel, ofRest,
  );
}

// ∂loss/∂x of four columns
fn gradient4(g: vec4<f32>, columns: vec4<u32>, s: Slope) -> vec4<f32> {
  let p = masses4(g, s.reference) * s.perMass;
  var smoothed = vec4(0.0);
  if (SMOOTHED) { smoothed = P.share * classWeight4(columns); }
  let slope = select(
    // [GRAD 2] for k ≠ y: A·p_k - B·c_k
    s.spread * p - smoothed,
    // [GRAD 5] for y: -((1 - ε)·c_y + B·c_y)·(1 - p_y) + (B·(C - c_y) + 2z·L)·p_y
    s.ofLabel + s.ofRest * p,
    columns == vec4(s.label),
  );
  // [GRAD 4] ∂loss/∂x_k = coefficient·∂perToken/∂u_k·du_k/dx_k
  return s.factor * slope * slope4(g);
}

// the codes of four columns; columns from V on are padding
fn codes4(base: u32, columns: vec4<u32>, s: Slope) -> vec4<u32> {
  if (s.factor == 0.0) { return vec4(0u); }
  let inside = columns < vec4(P.vocab);
  let g = gradient4(load4(base, columns), columns, s);
  let nan = select(select(0x7e00u, 0x7fc0u, OUT == 1u), P.nanBits, OUT == 0u);
  let made = vec4(code(g.x), code(g.y), code(g.z), code(g.w));
  return select(vec4(0u), select(made, vec4(nan), vec4(s.nan)), inside);
}

// elements from one row of the gradient to the next
fn outStride() -> u32 {
  if (IN_PLACE) { return P.stride; }
  return P.vocab;
}

// a block of float32
fn writeWide(row: u32, base: u32, block: u32, s: Slope, t: u32) {
  let first = block * BLOCK;
  let width = outStride();
  let end = select(first + BLOCK, width, block + 1u == P.blocks);
  let out = row * width;
  for (var k = first + t; k < end; k += 4u * GROUP) {
    let columns = vec4(k) + vec4(0u, 1u, 2u, 3u) * GROUP;
    let codes = codes4(base, columns, s);
    put(out + columns.x, codes.x);
    if (columns.y < end) { put(out + columns.y, codes.y); }
    if (columns.z < end) { put(out + columns.z, codes.z); }
    if (columns.w < end) { put(out + columns.w, codes.w); }
  }
}

// one word of two halves, at element 2w of the buffer; the last one of a row may be half another's
fn putPair(row: u32, base: u32, word: u32, codes: vec2<u32>) {
  if (2u * word + 1u < base + P.stride) {
    put(word, codes.x | (codes.y << 16u));
  } else {
    seams[P.firstRow + row].y = codes.x;
  }
}

// a block of halves, in place: the words that begin in it, and a first half that is alone
fn writeNarrow(row: u32, base: u32, block: u32, s: Slope, t: u32) {
  let first = base + block * BLOCK;
  let end = select(first + BLOCK, base + P.stride, block + 1u == P.blocks);
  let words = (end + 1u) >> 1u;
  for (var w = ((first + 1u) >> 1u) + t; w < words; w += 2u * GROUP) {
    let column = 2u * w - base;
    let next = column + 2u * GROUP;
    let codes = codes4(base, vec4(column, column + 1u, next, next + 1u), s);
    putPair(row, base, w, codes.xy);
    if (w + GROUP < words) { putPair(row, base, w + GROUP, codes.zw); }
  }
  if (block == 0u && (base & 1u) == 1u && t == 0u) {
    seams[P.firstRow + row].x = codes4(base, vec4(0u), s).x;
  }
}

fn writeBlock(row: u32, base: u32, block: u32, s: Slope, t: u32) {
  if (OUT == 0u) {
    writeWide(row, base, block, s, t);
  } else {
    writeNarrow(row, base, block, s, t);
  }
}

// a row of nothing
fn silence() -> Slope { return Slope(0.0, false, 0u, Reference(0.0, 0.0), 0.0, 0.0, 0.0, 0.0); }

// puts the word together that ends this row and begins the next; behind the last row it is the caller's
fn stitch(row: u32) {
  let last = (row + 1u) * P.stride - 1u;
  if ((last & 1u) == 1u) { return; }
  let at = last >> 1u;
  var high = stored[at] >> 16u;
  if (row + 1u < P.rows) { high = seams[P.firstRow + row + 1u].x; }
  stored[at] = seams[P.firstRow + row].y | (high << 16u);
}
`;

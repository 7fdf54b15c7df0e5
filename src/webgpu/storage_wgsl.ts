/**
 * What all row kernels share: their parameters, their buffers, and how a logit
 * is read and a gradient written. The other texts of this folder are put behind
 * this one to make a shader.
 *
 *   stored    [rows · stride] logits of f32, or two bf16 or f16 to a word, low half first
 *   made      [rows · vocab] the gradient, where it does not go over the logits
 *   jobs      [N] what is to be done with each row
 *   records   [N] what was found in each row
 *   parts     [N · blocks] the same by block of columns, where a row is shared out
 *   seams     [N] the first and last half of rows that share a word with their neighbour
 *
 * Laws of WGSL and its compilers that are obeyed here and in every other text:
 * a `var` in a loop has an initialiser (without one it keeps its value over the
 * iterations); NaN and infinity are told by their bits (`x != x` is folded to
 * false) and come out of the parameters (a constant infinity does not compile);
 * -0 is replaced by its bits (`x + 0` is folded to x); a barrier stands only
 * where the whole workgroup goes.
 *
 * @module
 */

/** Threads of a workgroup, `GROUP` of the shader. */
export const GROUP = 256;

/** Columns of a block, `BLOCK` of the shader: 16 for each thread. The sums of a row are built of blocks, whoever scans them. */
export const BLOCK = 4096;

/** Bits of `Job.flags`: the row is scored. */
export const ACTIVE = 1;

/** Bits of `Job.flags`: its loss and gradient are 0 whatever it holds, [NORM 3]. */
export const SILENT = 2;

/** Bits of `Job.flags`: the label is neither a class nor ignoreIndex. */
export const INVALID = 4;

/** Bits of `Record.flags`: there is a NaN, or a +inf. */
export const BAD = 1;

/** Bits of `Record.flags`: another logit beats the label's, or ties with it from the left. */
export const BEATEN = 2;

/** Bits of `Record.flags`: a class of -inf with a positive weight, under smoothing. */
export const MINUS_INF = 4;

/** Bits of `Record.flags`: a class of -inf with a negative weight, under smoothing. */
export const MINUS_INF_NEGATIVE = 8;

/** Bits of `Record.flags`: the label is neither a class nor ignoreIndex. */
export const UNKNOWN = 16;

/** Bits of `Job.flags` and of `Record.flags`: the number of the batch, so that what an earlier one left is not taken for its numbers. */
export const STAMP = 0xffffff00;

/** The lowest bit of {@link STAMP}. */
export const STAMP_SHIFT = 8;

/** Words of a `Job`. */
export const JOB_WORDS = 4;

/** Words of a `Record`. */
export const RECORD_WORDS = 8;

/** What is to be done with a row. */
export const JOB_WGSL: string = /* wgsl */ `
struct Job { label: u32, flags: u32, weight: f32, factor: f32 }

const GROUP = ${GROUP}u;
const ACTIVE = ${ACTIVE}u;
const SILENT = ${SILENT}u;
const INVALID = ${INVALID}u;
const STAMP = ${STAMP}u;
`;

/** Parameters, buffers, loads and stores; behind {@link JOB_WGSL}. */
export const STORAGE_WGSL: string = /* wgsl */ `
struct Params {
  rows: u32,         // of this window
  firstRow: u32,     // of this window, among all
  gridWidth: u32,    // workgroups in x
  vocab: u32,        // V
  stride: u32,       // elements from one row of logits to the next
  blocks: u32,       // ceil(V / BLOCK)
  flip: u32,         // the sign bit where logitScale < 0
  nanBits: u32,      // those of NaN
  low: f32,          // the smallest finite float32
  scale: f32,        // |logitScale|
  slopeScale: f32,   // logitScale
  cap: f32,          // softcap
  keep: f32,         // 1 - ε
  share: f32,        // ε / V
  classSum: f32,     // Σ_j c_j
  twoZ: f32,         // 2 · zLoss
}

// what is known of a row or a block of it; without the label's column, but for top
struct Record {
  top: f32,          // the largest logit
  octave: f32,       // with top, the reference R: see log_sum_exp_wgsl.ts
  others: f32,       // Σ e^{u - R}
  heat: f32,         // Σ e^{u - R}·(R - u), for the entropy
  slack: f32,        // Σ c·(R - u), for smoothing
  weights: f32,      // Σ c
  labelLogit: f32,
  flags: u32,
}

@group(0) @binding(0) var<storage, read_write> stored: array<u32>;
@group(0) @binding(1) var<storage, read_write> made: array<u32>;
@group(0) @binding(2) var<storage, read> jobs: array<Job>;
@group(0) @binding(3) var<storage, read> classWeights: array<f32>;
@group(0) @binding(4) var<storage, read_write> records: array<Record>;
@group(0) @binding(5) var<storage, read_write> parts: array<Record>;
@group(0) @binding(6) var<storage, read_write> seams: array<vec2<u32>>;
@group(0) @binding(7) var<uniform> P: Params;

const BLOCK = ${BLOCK}u;
const BAD = ${BAD}u;
const BEATEN = ${BEATEN}u;
const MINUS_INF = ${MINUS_INF}u;
const MINUS_INF_NEGATIVE = ${MINUS_INF_NEGATIVE}u;
const UNKNOWN = ${UNKNOWN}u;

override DTYPE: u32 = 0u;         // of the logits: 0 f32, 1 bf16, 2 f16
override OUT: u32 = 0u;           // of the gradient
override GRADIENT: bool = false;
override IN_PLACE: bool = false;
override CAPPED: bool = false;
override SHAPED: bool = false;    // by a cap or a factor
override SMOOTHED: bool = false;
override WEIGHTED: bool = false;  // by class
override METRICS: bool = false;
override Z_LOSS: bool = false;

// f16 to f32: exponent and mantissa move by 13 bits, the bias by 112; subnormals count in steps of 2^-24
fn fromHalf(half: u32) -> u32 {
  let sign = (half & 0x8000u) << 16u;
  let rest = half & 0x7fffu;
  if (rest >= 0x7c00u) { return sign | 0x7f800000u | ((rest & 0x3ffu) << 13u); }
  if (rest >= 0x400u) { return sign | ((rest << 13u) + 0x38000000u); }
  return sign | bitcast<u32>(f32(rest) * 5.9604644775390625e-8);
}

// f32 to f16, rounded to nearest, ties to even
fn toHalf(bits: u32) -> u32 {
  let sign = (bits >> 16u) & 0x8000u;
  let rest = bits & 0x7fffffffu;
  if (rest > 0x7f800000u) { return 0x7e00u; }
  if (rest >= 0x477ff000u) { return sign | 0x7c00u; }
  if (rest >= 0x38800000u) {
    return sign | ((rest - 0x38000000u + 0xfffu + ((rest >> 13u) & 1u)) >> 13u);
  }
  // a subnormal: the mantissa with its leading one, in steps of 2^-24
  if (rest < 0x33000000u) { return sign; }
  let shift = 126u - (rest >> 23u);
  let mantissa = (rest & 0x7fffffu) | 0x800000u;
  let kept = mantissa >> shift;
  let left = mantissa & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  let up = left > middle || (left == middle && (kept & 1u) == 1u);
  return sign | (kept + select(0u, 1u, up));
}

// f32 to bf16, rounded to nearest, ties to even
fn toBrain(bits: u32) -> u32 {
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0x7fc0u; }
  return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

// a logit with the sign of logitScale taken in, so that a larger one is always a larger u
fn load(i: u32) -> f32 {
  if (DTYPE == 0u) { return bitcast<f32>(stored[i] ^ P.flip); }
  let half = (stored[i >> 1u] >> ((i & 1u) << 4u)) & 0xffffu;
  if (DTYPE == 1u) { return bitcast<f32>((half << 16u) ^ P.flip); }
  return bitcast<f32>(fromHalf(half) ^ P.flip);
}

// four logits of the row at base; columns from V on repeat the last one
fn load4(base: u32, columns: vec4<u32>) -> vec4<f32> {
  let at = vec4(base) + min(columns, vec4(P.vocab - 1u));
  return vec4(load(at.x), load(at.y), load(at.z), load(at.w));
}

fn classWeight(column: u32) -> f32 {
  if (WEIGHTED) { return classWeights[min(column, P.vocab - 1u)]; }
  return 1.0;
}

fn classWeight4(columns: vec4<u32>) -> vec4<f32> {
  return vec4(
    classWeight(columns.x), classWeight(columns.y),
    classWeight(columns.z), classWeight(columns.w),
  );
}

// the bits of a gradient in its own type; those of -0 become those of 0
fn code(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let plain = select(bits, 0u, bits == 0x80000000u);
  if (OUT == 0u) { return plain; }
  let half = select(toHalf(plain), toBrain(plain), OUT == 1u);
  return select(half, 0u, half == 0x8000u);
}

fn put(i: u32, word: u32) {
  if (IN_PLACE) { stored[i] = word; } else { made[i] = word; }
}
`;

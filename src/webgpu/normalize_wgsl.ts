/**
 * Denominators of labels that live on the device: what the host cannot count
 * without reading back. A workgroup weighs each sequence, one adds them up, and
 * a workgroup for each sequence again shares the loss out, as one factor a row.
 * The derivation is in src/reference/normalize.ts.
 *
 *   labels       [N], aligned with the ids; under a shift row t takes that of t + 1
 *   tokenWeights [N], aligned with the labels
 *   upstream     [N], aligned with the rows of logits
 *   borders      [S + 1] where each sequence begins, and N
 *   sums         [S + 1] what each sequence weighs; behind them, all of it
 *
 * @module
 */

/** How a reduction is called in the shader. */
export const REDUCTION_CODE = { token: 0, sample: 1, sequence: 2, sum: 3 };

/** The entry points `weigh`, `total`, `share`; behind the texts of jobs and of `clampLabel`. */
export const NORMALIZE_WGSL: string = /* wgsl */ `
struct Batch {
  rows: u32,
  sequences: u32,
  gridWidth: u32,      // workgroups in x
  vocab: u32,
  ignoreIndex: i32,
  shift: u32,          // 0 or 1
  reduction: u32,      // 0 token, 1 sample, 2 sequence, 3 sum
  denominator: f32,    // as given, or 0
  totalTokens: f32,
  upstream: f32,       // of every row, where they have none of their own
  hasWeights: u32,
  hasUpstream: u32,
  hasClassWeights: u32,
  keeps: u32,          // ε is not 1
  smooths: u32,        // ε is not 0, nor is every class weight
  hasZLoss: u32,
  stamp: u32,          // in the bits of STAMP
}

struct Sum { weight: f32, scored: u32 }

@group(0) @binding(0) var<storage, read> labels: array<i32>;
@group(0) @binding(1) var<storage, read> tokenWeights: array<f32>;
@group(0) @binding(2) var<storage, read> upstream: array<f32>;
@group(0) @binding(3) var<storage, read> classWeights: array<f32>;
@group(0) @binding(4) var<storage, read> borders: array<u32>;
@group(0) @binding(5) var<storage, read_write> jobs: array<Job>;
@group(0) @binding(6) var<storage, read_write> sums: array<Sum>;
@group(0) @binding(7) var<uniform> B: Batch;

var<workgroup> weights: array<f32, GROUP>;
var<workgroup> actives: array<u32, GROUP>;
var<workgroup> busy: array<u32, GROUP>;

// the sums of the workgroup, in an order that never changes
fn addUp(t: u32) {
  for (var half = GROUP / 2u; half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (t < half) {
      weights[t] += weights[t + half];
      actives[t] += actives[t + half];
      busy[t] += busy[t + half];
    }
  }
}

// [NORM 3] a term is on if its factor ≠ 0: w·(1 - ε)·c_y, w·ε·c_j, w·z
fn isSilent(weight: f32, c: f32) -> bool {
  let on = B.hasZLoss == 1u || B.smooths == 1u || (B.keeps == 1u && c != 0.0);
  return weight == 0.0 || !on;
}

// the job of a row of the sequence that ends at end, its factor still to come
fn jobOf(row: u32, end: u32) -> Job {
  let at = row + B.shift;
  if (at >= end) { return Job(0u, B.stamp, 0.0, 0.0); }
  let label = labels[at];
  if (label == B.ignoreIndex) { return Job(0u, B.stamp, 0.0, 0.0); }
  let column = clampLabel(label, B.vocab);
  var weight = 1.0;
  if (B.hasWeights == 1u) { weight = tokenWeights[at]; }
  // what is no class weighs 1, so that no class's weight of 0 silences it
  let invalid = label != i32(column);
  var c = 1.0;
  if (B.hasClassWeights == 1u && !invalid) { c = classWeights[column]; }
  var flags = B.stamp | ACTIVE;
  if (select(isSilent(weight, c), weight == 0.0, invalid)) { flags |= SILENT; }
  if (invalid) { flags |= INVALID; }
  // the factor carries the row's weight w·c_y until it is shared out
  return Job(column, flags, weight, weight * c);
}

@compute @workgroup_size(GROUP)
fn weigh(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) t: u32,
) {
  let sequence = group.y * B.gridWidth + group.x;
  if (sequence >= B.sequences) { return; }
  let end = borders[sequence + 1u];
  var weight = 0.0;
  var scored = 0u;
  for (var row = borders[sequence] + t; row < end; row += GROUP) {
    let job = jobOf(row, end);
    jobs[row] = job;
    weight += job.factor;
    scored += job.flags & ACTIVE;
  }
  weights[t] = weight;
  actives[t] = scored;
  busy[t] = 0u;
  addUp(t);
  // [NORM 4] weightSum = Σ_i w_i·c_{y_i}
  if (t == 0u) { sums[sequence] = Sum(weights[0], actives[0]); }
}

@compute @workgroup_size(GROUP)
fn total(@builtin(local_invocation_index) t: u32) {
  var weight = 0.0;
  var count = 0u;
  for (var s = t; s < B.sequences; s += GROUP) {
    weight += sums[s].weight;
    count += select(0u, 1u, sums[s].scored > 0u);
  }
  weights[t] = weight;
  actives[t] = 0u;
  busy[t] = count;
  addUp(t);
  // behind the sequences: Σ w·c_y of all, and how many have an active row
  if (t == 0u) { sums[B.sequences] = Sum(weights[0], busy[0]); }
}

// [NORM 5] D_i = weightSum, totalTokens, n·weightSum_s, 1, or d
fn divisorOf(sequence: u32) -> f32 {
  if (B.denominator > 0.0) { return B.denominator; }
  let all = sums[B.sequences];
  switch B.reduction {
    case 0u: { return all.weight; }
    case 1u: { return select(B.totalTokens, 0.0, all.weight == 0.0); }
    case 2u: { return f32(all.scored) * sums[sequence].weight; }
    default: { return 1.0; }
  }
}

@compute @workgroup_size(GROUP)
fn share(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) t: u32,
) {
  let sequence = group.y * B.gridWidth + group.x;
  if (sequence >= B.sequences) { return; }
  let divisor = divisorOf(sequence);
  let end = borders[sequence + 1u];
  for (var row = borders[sequence] + t; row < end; row += GROUP) {
    let job = jobs[row];
    var factor = 0.0;
    // by its bits: a NaN is not 0
    if ((job.flags & ACTIVE) != 0u && (bitcast<u32>(divisor) << 1u) != 0u) {
      var up = B.upstream;
      if (B.hasUpstream == 1u) { up = upstream[row]; }
      // [NORM 5] coefficient_i = upstream_i / D_i
      factor = up / divisor * job.weight;
    }
    jobs[row].factor = factor;
  }
}
`;

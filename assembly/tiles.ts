// One row of the float64 path cut into tiles of columns, for rows so few that whole
// ones would leave most threads idle. In the builds for threads only.
//
// What is computed for a column depends on that column and on what the row was
// found to be before; only sums run through a whole row. So threads compute the
// terms of a sum, tile by tile, and leave them where they belong; one thread, the
// owner, then adds them up in the order that general.ts has. Who computed a term
// changes no bit of it, nor of the sum.
//
// A row takes up to four phases, each a job of its pieces, which are tiles:
//
//   TRANSFORM   x to u, and each tile's largest u without the label's
//   MASSES      e^{u - R}, R the largest of the others: the terms of their mass
//   ENTROPY     p·(-log p), where metrics are wanted
//   GRADIENT    the gradient, where one is
//
// Between two phases the owner calls `after`, which says what the next one is.
import {
  entropy_terms, general_gradient, logit, smoothed_loss, top_of, verdict_of,
} from "./general";
import { find_slopes, ofLabel, share, spread, write_gradient } from "./gradient";
import { exp_f64x2 } from "./exp";
import { Job, JOB, FIELDS, configure_for } from "./job";
import { set_row } from "./log_sum_exp";
import { NON_FINITE } from "./memory";
import { base, is_silent, log_sum_exp, nll, per_token, rest, settle } from "./normalize";
import { class_weight, logitScale, metrics, scratch, smoothing, softcap } from "./options";
import { F32, pack, transform, unpack } from "./transform";

/** Phases; src/parallel/tiles.ts begins with the first. 0 is none. */
const TRANSFORM: i32 = 1;
const MASSES: i32 = 2;
const ENTROPY: i32 = 3;
const GRADIENT: i32 = 4;

// Behind the terms, in the second thread's scratch row, what the owner tells the others:
/** u of the label, which stands as -inf among the others until their mass is known. */
const OWN: usize = 0;
/** R of MASSES. */
const TOP: usize = 8;
/** log_sum_exp in two parts. */
const BASE: usize = 16;
const REST: usize = 24;
/** The three numbers of `find_slopes`. */
const SPREAD: usize = 32;
const SHARE: usize = 40;
const OF_LABEL: usize = 48;
/** f64[tiles]: each one's largest u. */
const TOPS: usize = 64;

/** CORRECT or 0, of the owner's row. */
let verdict: i32 = 0;

/** Where the terms are, f64[V + 2]: the second thread's scratch row. */
function terms(job: Job): usize {
  return <usize>job.scratch + <usize>job.scratchBytes;
}

/** Where what the owner tells is. */
function told(job: Job): usize {
  return terms(job) + ((<usize>job.vocabSize + 2) << 3);
}

/** The row as float32: itself, or what it is unpacked to, behind the first thread's scratch row. */
function row_of(job: Job): usize {
  return job.dtype == F32
    ? <usize>job.logits
    : <usize>job.scratch + ((<usize>job.vocabSize + 2) << 3);
}

/** One tile of the job's phase. */
export function tile(job: Job, piece: usize): void {
  // all write to the first thread's scratch row
  configure_for(job, 0);
  const from = piece * <usize>job.pieceRows;
  const end = min(from + <usize>job.pieceRows, <usize>job.vocabSize);
  if (job.phase == TRANSFORM) {
    transform_tile(job, piece, from, end);
  } else if (job.phase == MASSES) {
    const r = f64x2.splat(load<f64>(told(job), TOP));
    for (let k = from; k < end; k += 2) {
      const u = v128.load(scratch + (k << 3));
      // [LSE 2] e^{u_j - R}
      v128.store(terms(job) + (k << 3), exp_f64x2(f64x2.sub(u, r)));
    }
  } else if (job.phase == ENTROPY) {
    const z = v128.load64_splat(told(job), BASE), r = v128.load64_splat(told(job), REST);
    for (let k = from; k < end; k += 2) {
      const u = v128.load(scratch + (k << 3));
      v128.store(terms(job) + (k << 3), entropy_terms(u, z, r));
    }
  } else {
    gradient_tile(job, from, end);
  }
}

function transform_tile(job: Job, piece: usize, from: usize, end: usize): void {
  const x = row_of(job) + (from << 2);
  if (job.dtype != F32) unpack(<usize>job.logits + (from << 1), end - from, job.dtype, x);
  const u = scratch + (from << 3);
  transform(x, end - from, logitScale, softcap, u);
  const label = <usize>load<i32>(<usize>job.targets);
  if (label >= from && label < end) {
    store<f64>(told(job), logit(label), OWN);
    store<f64>(scratch + (label << 3), -Infinity); // e^-inf = 0: the label's column stays out
  }
  store<f64>(told(job) + (piece << 3), top_of(u, scratch + (end << 3)), TOPS);
}

function gradient_tile(job: Job, from: usize, end: usize): void {
  const x = row_of(job), at = told(job);
  general_gradient(
    x, from, end, load<f64>(at, SPREAD), load<f64>(at, SHARE),
    v128.load64_splat(at, BASE), v128.load64_splat(at, REST),
  );
  const label = <usize>load<i32>(<usize>job.targets);
  if (label >= from && label < end) {
    store<f32>(x + (label << 2), <f32>load<f64>(at, OF_LABEL) + 0); // never -0
  }
  if (job.dtype == F32) return;
  const size = job.outType == F32 ? 2 : 1;
  pack(x + (from << 2), end - from, job.outType, target(job) + (from << size));
}

/** Where the gradient goes. */
function target(job: Job): usize {
  return <usize>job.logits + <usize>job.apart;
}

/** What the owner does after a phase; the next phase, or 0 where the row is done. */
export function after(): i32 {
  const job = changetype<Job>(JOB + FIELDS);
  configure_for(job, 0);
  if (job.phase == TRANSFORM) return found_top(job);
  if (job.phase == MASSES) {
    const sum = sum_of_terms(job);
    set_row(load<f64>(told(job), TOP), sum);
    return settled(job);
  }
  if (job.phase == ENTROPY) return scored(job, sum_of_terms(job));
  pad(job);
  return 0;
}

/** The terms' sum, in the order of `general_sum` and `entropy`. */
function sum_of_terms(job: Job): f64 {
  let sum = f64x2.splat(0);
  const from = terms(job), end = from + (<usize>job.vocabSize << 3);
  for (let at = from; at < end; at += 16) sum = f64x2.add(sum, v128.load(at));
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

function found_top(job: Job): i32 {
  const vocabSize = <usize>job.vocabSize;
  const tiles = (vocabSize + <usize>job.pieceRows - 1) / <usize>job.pieceRows;
  let top = -Infinity;
  for (let i: usize = 0; i < tiles; i++) {
    top = max(top, load<f64>(told(job) + (i << 3), TOPS)); // hands a NaN on
  }
  const own = load<f64>(told(job), OWN), label = <usize>load<i32>(<usize>job.targets);
  verdict = verdict_of(own, top, label, vocabSize);
  if (!(top < Infinity)) { // +inf or NaN
    set_row(0, NaN);
    return settled(job);
  }
  if (top == -Infinity) {
    set_row(0, 0);
    return settled(job);
  }
  store<f64>(told(job), top, TOP);
  return MASSES;
}

/** The row's mass is known. */
function settled(job: Job): i32 {
  const own = load<f64>(told(job), OWN);
  store<f64>(scratch + (<usize>load<i32>(<usize>job.targets) << 3), own);
  settle(own);
  if (nll != nll) return scored(job, NaN);
  store<f64>(told(job), base, BASE);
  store<f64>(told(job), rest, REST);
  return metrics ? ENTROPY : scored(job, 0);
}

/** All is known but the gradient: the row's numbers go to the job's tables. */
function scored(job: Job, entropy: f64): i32 {
  const vocabSize = <usize>job.vocabSize;
  const label = <usize>load<i32>(<usize>job.targets);
  const weight = load<f64>(<usize>job.weights), c = class_weight(label);
  let smoothed: f64 = 0, flags = NON_FINITE;
  if (nll == nll) {
    if (smoothing != 0) smoothed = smoothed_loss(vocabSize);
    flags = metrics ? verdict : 0;
  }
  store<f64>(<usize>job.perToken, per_token(weight, c, smoothed));
  store<f64>(<usize>job.logSumExp, log_sum_exp);
  store<f64>(<usize>job.nll, nll);
  store<f64>(<usize>job.entropy, entropy);
  store<i32>(<usize>job.flags, flags);
  if (job.factors == 0) return 0;

  const factor = is_silent(weight, c) ? 0 : weight * load<f64>(<usize>job.factors);
  if (factor == 0) {
    memory.fill(target(job), 0, <usize>job.outBytes);
    return 0;
  }
  const x = row_of(job);
  if (nll != nll) {
    write_gradient(x, vocabSize, label, 0, factor, c); // NaN
    if (job.dtype != F32) pack(x, vocabSize, job.outType, target(job));
    pad(job);
    return 0;
  }
  find_slopes(vocabSize, <f64>load<f32>(x + (label << 2)), factor, c);
  store<f64>(told(job), spread, SPREAD);
  store<f64>(told(job), share, SHARE);
  store<f64>(told(job), ofLabel, OF_LABEL);
  return GRADIENT;
}

/** Columns past V are 0 wherever a row of the gradient is longer than V. */
function pad(job: Job): void {
  const used = <usize>job.vocabSize << (job.outType == F32 ? 2 : 1);
  const bytes = <usize>job.outBytes;
  if (bytes > used) memory.fill(target(job) + used, 0, bytes - used);
}

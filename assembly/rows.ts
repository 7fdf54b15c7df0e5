// The two loops over rows: scores alone, and scores with gradients. Ignored rows
// are only gathered from, then skipped; every other row ends in the five output
// tables of memory.ts, whatever way it took.
import { entropy, general_sum, logit, smoothed_loss, verdict } from "./general";
import { gather } from "./gather";
import { write_gradient } from "./gradient";
import { row_exponentials, row_sum } from "./log_sum_exp";
import {
  ENTROPY, FACTORS, FLAGS, GATHERED, LABELS, LSE, NLL, NON_FINITE, PER_TOKEN, WEIGHTS,
} from "./memory";
import { is_silent, log_sum_exp, nll, per_token, settle } from "./normalize";
import { class_weight, general, metrics, scratch, smoothing } from "./options";
import { F32, pack, unpack } from "./transform";

// @ts-ignore: decorator
@inline
function record(i: usize, loss: f64, h: f64, flags: i32): void {
  store<f64>(PER_TOKEN + (i << 3), loss);
  store<f64>(LSE + (i << 3), log_sum_exp);
  store<f64>(NLL + (i << 3), nll);
  store<f64>(ENTROPY + (i << 3), h);
  store<i32>(FLAGS + (i << 2), flags);
}

function record_nothing(i: usize): void {
  store<f64>(PER_TOKEN + (i << 3), 0);
  store<f64>(LSE + (i << 3), 0);
  store<f64>(NLL + (i << 3), 0);
  store<f64>(ENTROPY + (i << 3), 0);
  store<i32>(FLAGS + (i << 2), 0);
}

/** Scores row i, float32 at x; with `keep` the float32 path leaves its exponentials there. */
function score_row(x: usize, i: usize, vocabSize: usize, label: usize, keep: bool): void {
  let own = load<f64>(GATHERED + (i << 3));
  const labelAt = x + (label << 2);
  if (general) {
    general_sum(x, vocabSize, label);
    own = logit(label);
  } else if (keep) {
    row_exponentials(x, vocabSize, labelAt);
  } else {
    row_sum(x, vocabSize, labelAt);
  }
  settle(own);
  let smoothed: f64 = 0, h: f64 = 0, flags: i32 = 0;
  if (nll != nll) {
    flags = NON_FINITE;
    h = NaN;
  } else {
    if (smoothing != 0) smoothed = smoothed_loss(vocabSize);
    if (metrics) {
      h = entropy(vocabSize);
      flags = verdict;
    }
  }
  const weight = load<f64>(WEIGHTS + (i << 3));
  record(i, per_token(weight, class_weight(label), smoothed), h, flags);
}

/** Bytes at the start of a row that are touched ahead; shorter rows are not. */
const TOUCHED: usize = 384;

/** Where `touch` leaves what it read, so that no compiler drops the reading. */
export let touched: i32 = 0;

/**
 * Reads a byte of each of a row's first cache lines, so that they are on their
 * way while the row before is still being summed: behind skipped rows no
 * hardware prefetcher expects them.
 */
// @ts-ignore: decorator
@inline
function touch(row: usize): void {
  touched = load<i32>(row) + load<i32>(row, 64) + load<i32>(row, 128) +
    load<i32>(row, 192) + load<i32>(row, 256) + load<i32>(row, 320);
}

/** Where a half row is unpacked to: behind the scratch row. */
// @ts-ignore: decorator
@inline
function halves(vocabSize: usize): usize {
  return scratch + ((vocabSize + 2) << 3);
}

/**
 * Scores `rows` rows of logits whose LABELS and WEIGHTS are set; where `out` is not
 * 0, also FACTORS[i] · ∂perToken_i/∂logits. float32 rows are overwritten in place;
 * of half types the gradient goes to `out`, as outType, outBytes a row. Columns past
 * V are written as 0 wherever a row is longer than V.
 */
export function score(
  logits: usize,
  rows: usize,
  vocabSize: usize,
  rowBytes: usize,
  dtype: i32,
  ignoreIndex: i32,
  out: usize,
  outBytes: usize,
  outType: i32,
): void {
  gather(logits, rows, vocabSize, rowBytes, dtype, ignoreIndex);
  const used = vocabSize << (outType == F32 ? 2 : 1);
  for (let i: usize = 0; i < rows; i++) {
    const label = load<i32>(LABELS + (i << 2));
    const to = out + i * outBytes;
    let factor: f64 = 0;
    if (label == ignoreIndex) {
      record_nothing(i);
    } else {
      let next = i + 1;
      while (next < rows && load<i32>(LABELS + (next << 2)) == ignoreIndex) next++;
      if (rowBytes >= TOUCHED && next < rows) touch(logits + next * rowBytes);
      const row = logits + i * rowBytes;
      const x = dtype == F32 ? row : halves(vocabSize);
      if (dtype != F32) unpack(row, vocabSize, dtype, x);
      const weight = load<f64>(WEIGHTS + (i << 3));
      const c = class_weight(<usize>label);
      if (out != 0 && !is_silent(weight, c)) factor = weight * load<f64>(FACTORS + (i << 3));
      const own = load<f64>(GATHERED + (i << 3));
      score_row(x, i, vocabSize, <usize>label, factor != 0);
      if (factor != 0) {
        write_gradient(x, vocabSize, <usize>label, own, factor, c);
        if (x != to) pack(x, vocabSize, outType, to);
        if (outBytes > used) memory.fill(to + used, 0, outBytes - used);
      }
    }
    if (out != 0 && factor == 0) memory.fill(to, 0, outBytes);
  }
}

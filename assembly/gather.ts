// The label's logit of every row, clamp-then-mask. Derivation: src/reference/gather.ts.
import { GATHERED, LABELS } from "./memory";
import { F32, load_logit } from "./transform";

/**
 * GATHERED[i] = logits[i, LABELS[i]], or 0 where the label is ignoreIndex.
 * Branch-free over every label: the address is legal for every int32, so the
 * ignored rows' -100 needs no test before the load and the result no multiply.
 */
export function gather(
  logits: usize,
  rows: usize,
  vocabSize: usize,
  rowBytes: usize,
  dtype: i32,
  ignoreIndex: i32,
): void {
  const last = <i32>(vocabSize - 1);
  for (let i: usize = 0; i < rows; i++) {
    const label = load<i32>(LABELS + (i << 2));
    // [GATHER 1] clamp: 0 <= index <= V - 1
    const index = <usize>min(max(label, 0), last);
    const row = logits + i * rowBytes;
    const value = dtype == F32
      ? load<f32>(row + (index << 2))
      : load_logit(row, index, dtype);
    // [GATHER 2] mask: a select, because 0 · NaN is NaN
    store<f64>(
      GATHERED + (i << 3),
      select<f64>(0, <f64>value, label == ignoreIndex),
    );
  }
}

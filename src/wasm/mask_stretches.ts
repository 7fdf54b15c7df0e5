/**
 * Labels of any number of tokens through the mask kernel, a stretch at a time.
 *
 * @module
 */
import { type KernelMemory, SLACK } from "./memory.ts";

/** Tokens per call: 8 MB of ids and labels. */
const STRETCH = 1 << 20;

/** [MASK 1] The ids inside the spans, ignoreIndex elsewhere; `spans` is start, end, start, end, ... */
export function maskStretches(
  memory: KernelMemory,
  inputIds: Int32Array,
  spans: Int32Array,
  ignoreIndex: number,
): Int32Array {
  const labels = new Int32Array(inputIds.length);
  for (let from = 0; from < labels.length; from += STRETCH) {
    const count = Math.min(STRETCH, labels.length - from);
    const ids = memory.heap >>> 2, out = ids + count, table = out + count;
    memory.reserve((table + spans.length) * 4 + SLACK);
    // the spans that reach into this stretch, in its own coordinates
    let at = table;
    for (let i = 0; i < spans.length; i += 2) {
      const start = Math.max(spans[i]! - from, 0);
      const end = Math.min(spans[i + 1]! - from, count);
      if (start >= end) continue;
      memory.i32[at++] = start;
      memory.i32[at++] = end;
    }
    memory.i32.set(inputIds.subarray(from, from + count), ids);
    memory.kernels.mask(
      ids << 2,
      count,
      table << 2,
      (at - table) >> 1,
      ignoreIndex,
      out << 2,
    );
    labels.set(memory.i32.subarray(out, out + count), from);
  }
  return labels;
}

/**
 * Labels from spans.
 *
 * [MASK 1] label_t = inputIds_t if t lies in some span [start, end), else ignoreIndex
 *
 * The union of the spans counts, so they may touch, overlap, come in any order
 * and be empty. Labels stay aligned with the ids: nothing is shifted here.
 *
 * Cost: one write for each token and one for each token of a span.
 *
 * @module
 */

/**
 * Labels [T] of inputIds [T]. `spans` is start, end, start, end, ..., each
 * pair with 0 <= start <= end <= T, which the caller has checked.
 */
export function maskLabels(
  inputIds: Int32Array,
  spans: Int32Array,
  ignoreIndex: number,
): Int32Array {
  // [MASK 1] label_t = inputIds_t if t lies in some span, else ignoreIndex
  const labels = new Int32Array(inputIds.length).fill(ignoreIndex);
  for (let s = 0; s + 1 < spans.length; s += 2) {
    const start = spans[s]!;
    const end = spans[s + 1]!;
    for (let t = start; t < end; t++) labels[t] = inputIds[t]!;
  }
  return labels;
}

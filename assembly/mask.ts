// Labels from spans. Derivation: src/reference/mask.ts.

/**
 * [MASK 1] labels[t] = ids[t] inside a span, ignoreIndex elsewhere.
 * ids, labels: i32[count]; spans: spanCount pairs of i32 start, end, checked by
 * the host to lie in [0, count]; they may touch and overlap.
 */
export function mask(
  ids: usize,
  count: usize,
  spans: usize,
  spanCount: usize,
  ignoreIndex: i32,
  labels: usize,
): void {
  const ignore = i32x4.splat(ignoreIndex);
  const end = labels + (count << 2);
  let at = labels;
  for (; at + 16 <= end; at += 16) v128.store(at, ignore);
  for (; at < end; at += 4) store<i32>(at, ignoreIndex);
  for (let i: usize = 0; i < spanCount; i++) {
    const from = <usize>load<u32>(spans + (i << 3)) << 2;
    const to = <usize>load<u32>(spans + (i << 3), 4) << 2;
    memory.copy(labels + from, ids + from, to - from);
  }
}

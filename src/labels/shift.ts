/**
 * The next-token shift: row t predicts token t + 1 of its own sequence.
 *
 * [SHIFT 1] target_t = label_{t+1} within a sequence; its last row has none.
 *
 * The first label of every sequence is therefore never a target: no token is
 * trained across a border.
 *
 * @module
 */

/** values[t + 1] at t within each sequence, `last` at each sequence's last row. [N] to [N]. */
export function shiftLeft<T extends Int32Array | Float64Array>(
  values: T,
  borders: Int32Array | null,
  last: number,
): T {
  // [SHIFT 1] target_t = label_{t+1}
  const shifted = values.slice() as T;
  shifted.copyWithin(0, 1);
  if (borders === null) {
    if (shifted.length > 0) shifted[shifted.length - 1] = last;
    return shifted;
  }
  for (let s = 1; s < borders.length; s++) {
    const end = borders[s]!;
    if (end > borders[s - 1]!) shifted[end - 1] = last;
  }
  return shifted;
}

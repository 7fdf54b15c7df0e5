/**
 * Where sequences begin and end. Rows 0..N-1 are cut by borders
 * 0 = b_0 <= b_1 <= ... <= b_S = N: sequence s holds the rows [b_s, b_{s+1}).
 *
 * @module
 */

/** Borders of sequences that all have the same length; `length` divides `rows`. */
export function equalBorders(rows: number, length: number): Int32Array {
  const borders = new Int32Array(rows / length + 1);
  for (let s = 0; s < borders.length; s++) borders[s] = s * length;
  return borders;
}

/**
 * How many positions have a target: all of them, or under the next-token shift
 * one fewer per sequence that is not empty. `borders` null: one sequence.
 */
export function countTargets(
  rows: number,
  borders: Int32Array | null,
  shift: boolean,
): number {
  if (!shift) return rows;
  if (borders === null) return Math.max(rows - 1, 0);
  let count = rows;
  for (let s = 1; s < borders.length; s++) {
    if (borders[s]! > borders[s - 1]!) count--;
  }
  return count;
}

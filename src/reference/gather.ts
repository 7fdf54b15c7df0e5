/**
 * The label's logit of every row, by clamp-then-mask.
 *
 * A label may be ignoreIndex, which is no column. To branch on it would split
 * the lanes of a vector; to read at it would leave the row. So every label is
 * made legal first, the read is done for all, and the mask decides last:
 *
 * [GATHER 1] y' = max(0, min(y, V - 1))
 * is a column of the row whatever y is, so u[y'] is a legal read; then
 * [GATHER 2] out = active ? u[y'] : 0
 * is a select, not a product with the mask, because the ignored row may hold
 * NaN or an infinity and 0·NaN is NaN.
 *
 * "Active" is y ≠ ignoreIndex and nothing else: an ignoreIndex inside [0, V)
 * (a padding id, say) clamps to itself and is masked all the same. The border
 * has already refused every other label outside [0, V), so the clamp changes
 * no label that is scored.
 *
 * @module
 */
import type { LossProblem } from "../engine.ts";
import { type ReadLogit, transform } from "./transform.ts";

/** The label itself if it is a column of a row of V, else the nearest column. */
export function clampLabel(label: number, vocabSize: number): number {
  // [GATHER 1] y' = max(0, min(y, V - 1))
  return Math.max(0, Math.min(label, vocabSize - 1));
}

/** `value` where the row is scored, else exactly 0, whatever `value` is. */
export function select(active: boolean, value: number): number {
  // [GATHER 2] out = active ? u[y'] : 0
  return active ? value : 0;
}

/** The transformed logit u_y of each row's label, 0 where the row is not scored, [N]. */
export function gatherLogits(
  problem: LossProblem,
  read: ReadLogit,
): Float64Array {
  const { rows, vocabSize, rowStride, targets, ignoreIndex } = problem;
  const gathered = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const label = targets[i]!;
    // [GATHER 1] y' = max(0, min(y, V - 1))
    const column = clampLabel(label, vocabSize);
    const x = read(i * rowStride + column);
    const u = transform(x, problem.logitScale, problem.softcap);
    // [GATHER 2] out = active ? u[y'] : 0
    gathered[i] = select(label !== ignoreIndex, u);
  }
  return gathered;
}

/**
 * What a plan needs of the floor above it, which it is handed: the checks of the
 * loss functions and their reductions, so that a loss means the same on every
 * engine. `mod.ts` puts the two together.
 *
 * @module
 */
import type { Logits, LossOptions, LossResult, TokenIds } from "../contract.ts";
import type { Prepared, RowScores } from "../engine.ts";
import type { Weighing } from "../reference/normalize.ts";

/** The loss functions without an engine. */
export interface LossRules {
  /** Checks logits, labels and options. */
  prepare(
    logits: Logits,
    labels: TokenIds,
    options: LossOptions,
  ): Prepared;
  /** Checks what a gradient is multiplied by. */
  readUpstream(
    batch: Prepared,
    upstream: number | ArrayLike<number> | undefined,
  ): number | Float64Array;
  /** Weighs the rows; throws where a mean would divide by less than 0. */
  weighRows(batch: Prepared): Weighing;
  /** Scores to a result. */
  assemble(batch: Prepared, weighing: Weighing, scores: RowScores): LossResult;
}

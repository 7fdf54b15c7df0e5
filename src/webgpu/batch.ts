/**
 * What a plan needs of the floor above it, which it is handed: the checks of the
 * loss functions and their reductions, so that a loss means the same on every
 * engine. `mod.ts` puts the two together.
 *
 * @module
 */
import type {
  Logits,
  LogitsArray,
  LossOptions,
  LossResult,
  Reduction,
  TokenIds,
} from "../contract.ts";
import type { LossProblem, RowScores } from "../engine.ts";
import type { Weighing } from "../reference/normalize.ts";

/** A checked problem and how its rows become one loss. */
export interface Batch {
  problem: LossProblem;
  data: LogitsArray;
  borders: Int32Array | null;
  reduction: Reduction;
  denominator: number | undefined;
  totalTokens: number;
  perToken: boolean;
  logSumExp: boolean;
  deterministic: boolean;
}

/** The loss functions without an engine. */
export interface LossRules {
  /** Checks logits, labels and options. */
  prepare(
    logits: Logits,
    labels: TokenIds,
    options: LossOptions,
  ): Batch;
  /** Checks what a gradient is multiplied by. */
  readUpstream(
    batch: Batch,
    upstream: number | ArrayLike<number> | undefined,
  ): number | ArrayLike<number>;
  /** Weighs the rows; throws where a mean would divide by less than 0. */
  weighRows(batch: Batch): Weighing;
  /** Scores to a result. */
  assemble(batch: Batch, weighing: Weighing, scores: RowScores): LossResult;
}

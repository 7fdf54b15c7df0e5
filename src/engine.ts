/**
 * What an engine is: labels, scores and gradients of checked problems, and the
 * exponential that results are made with. The float64 reference,
 * the two WASM builds, on one thread or many, and, behind its own way of waiting,
 * WebGPU are engines; one suite judges them all.
 *
 * A problem has passed every check of `checks.ts`, so an engine trusts it: no
 * label is outside [0, V) but ignoreIndex, no weight is NaN, no shape disagrees.
 *
 * @module
 */
import type { LogitsArray, LogitsType, Reduction } from "./contract.ts";

/**
 * The engines there are. Those with `simd` give the same bits on every machine,
 * and a parallel one the same bits as its twin on one thread.
 */
export type EngineName =
  | "reference"
  | "wasm-simd"
  | "wasm-relaxed"
  | "parallel-simd"
  | "parallel-relaxed"
  | "webgpu";

/** A loss to compute: N rows of logits, each with the label it is scored against. */
export interface LossProblem {
  /** N · rowStride values of type `dtype`. */
  logits: LogitsArray;
  /** How the logits are stored. */
  dtype: LogitsType;
  /** N. */
  rows: number;
  /** V; columns from V to rowStride are padding and are never read. */
  vocabSize: number;
  /** Elements from one row to the next. */
  rowStride: number;
  /** [N] The label of each row, already shifted, or ignoreIndex. */
  targets: Int32Array;
  /** The label that means "not scored". */
  ignoreIndex: number;
  /** [N] The token weight w of each row's target; null means 1 everywhere. */
  rowWeights: Float64Array | null;
  /** [V] The class weights c; null means 1 everywhere. */
  classWeights: Float64Array | null;
  /** ε; 0 means none. */
  labelSmoothing: number;
  /** z; 0 means none. */
  zLoss: number;
  /** The cap; 0 means none. */
  softcap: number;
  /** The factor on the logits; 1 means none. */
  logitScale: number;
  /** Whether `entropy` and `correct` are wanted. */
  metrics: boolean;
}

/** A checked problem and how its rows become one loss. */
export interface Prepared {
  problem: LossProblem;
  /** The array the caller passed, to hand back after a gradient in place. */
  data: LogitsArray;
  /** [S + 1], or null where all rows are one sequence. */
  borders: Int32Array | null;
  reduction: Reduction;
  denominator: number | undefined;
  totalTokens: number;
  perToken: boolean;
  logSumExp: boolean;
  deterministic: boolean;
}

/**
 * What an engine says of each row. The arrays hold at least N values and may be
 * views of the engine's own memory, valid until its next call: copy to keep.
 * Every value of a row that is not scored is 0.
 */
export interface RowScores {
  /** [N] w · [(1 - ε)·c_y·nll + ε/V·Σ_j c_j·(-log p_j) + z·logSumExp²]. */
  perToken: Float64Array;
  /** [N] log Σ_j e^{u_j}. */
  logSumExp: Float64Array;
  /** [N] -log p_y. */
  nll: Float64Array;
  /** [N] -Σ_j p_j log p_j, if metrics are wanted. */
  entropy: Float64Array;
  /** [N] A sum of {@link NON_FINITE} and {@link CORRECT}. */
  flags: Int32Array;
}

/** Bit of `RowScores.flags`: the row holds NaN, +inf, or nothing but -inf. */
export const NON_FINITE = 1;

/** Bit of `RowScores.flags`: the largest logit, the first one in a tie, is the label's. */
export const CORRECT = 2;

/** Where a gradient goes. */
export interface GradTarget {
  /** The array to write; the problem's own logits for a gradient in place. */
  array: LogitsArray | Float64Array;
  /** How it is stored: the problem's dtype in place, else float32 (or float64, for the reference). */
  dtype: LogitsType | "f64";
  /** Elements from one row to the next; columns from V on are written as 0. */
  rowStride: number;
}

/** A way to compute labels, losses and gradients. */
export interface Engine {
  /** Which one it is. */
  readonly name: EngineName;
  /** Labels from ids: inside the spans the id, elsewhere ignoreIndex. `spans` is start, end, start, end, ... */
  maskLabels(
    inputIds: Int32Array,
    spans: Int32Array,
    ignoreIndex: number,
  ): Int32Array;
  /** The scores of every row. */
  score(problem: LossProblem): RowScores;
  /**
   * The scores of every row, and coefficients[i] · ∂perToken_i/∂logits written
   * to `target`. A row whose coefficient is 0, and a row that is not scored,
   * gets exactly 0 whatever it holds. Ignored rows' coefficients are not read.
   */
  differentiate(
    problem: LossProblem,
    coefficients: Float64Array,
    target: GradTarget,
  ): RowScores;
  /** e^x, without the host's own exponential in the WASM engines. */
  exp(x: number): number;
}

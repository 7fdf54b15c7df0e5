/**
 * The words of the library as types: what callers pass and what they get back.
 * Nothing here computes, and this file imports no other.
 *
 * Shapes: N rows of logits, V = vocabSize columns, row-major.
 *
 * @module
 */

/** The label of a position that is not trained; PyTorch's and Hugging Face's default. */
export const IGNORE_INDEX: -100 = -100;

/** A half-open range of token positions: `start` is inside, `end` is not. */
export type TokenSpan = readonly [start: number, end: number];

/** Token ids or labels: any array of whole numbers, or int64 as tokenizers and ONNX give them. */
export type TokenIds = ArrayLike<number> | BigInt64Array;

/** Options of `maskLabels` and `labelsFromMask`. */
export interface MaskOptions {
  /** The label written where nothing is trained (default -100). */
  ignoreIndex?: number;
}

/** How the turns of one role are marked in the ids. */
export interface RoleMarkers {
  /** The ids that open a turn of this role, at least one. */
  start: ArrayLike<number>;
  /** The ids that close it, at least one. */
  end: ArrayLike<number>;
  /** Whether the opening ids belong to the turn's span (default false). */
  includeStart?: boolean;
  /**
   * Whether the closing ids belong to the turn (default true). When false they
   * are not consumed either, so they may open the next turn (Mistral's `[/INST]`).
   */
  includeEnd?: boolean;
}

/** Which closing markers are trained: of trained turns, of all turns, only the last one found, none. */
export type EndOfTurn = "turn" | "all" | "last" | "none";

/** Options of `findSpans`. */
export interface FindSpansOptions {
  /** The markers of every role that occurs, by its name. */
  roles: Readonly<Record<string, RoleMarkers>>;
  /** The names of the roles whose turns are trained. */
  train: readonly string[];
  /** Which closing markers are trained (default `"turn"`). */
  endOfTurn?: EndOfTurn;
}

/** How logits are stored. bf16 and f16 travel as `Uint16Array` bit patterns. */
export type LogitsType = "f32" | "bf16" | "f16";

/**
 * `Float16Array`, described by its shape, because not every runtime and not
 * every TypeScript library setting has it.
 */
export interface HalfArray extends ArrayLike<number> {
  /** `2`, which no `Float32Array` has. */
  readonly BYTES_PER_ELEMENT: number;
  /** The memory behind the view. */
  readonly buffer: ArrayBufferLike;
  /** Where the view starts in `buffer`, in bytes. */
  readonly byteOffset: number;
  /** The view's length in bytes. */
  readonly byteLength: number;
  /** `"Float16Array"`. */
  readonly [Symbol.toStringTag]: string;
}

/**
 * The arrays that can hold logits: of these types, whatever their subclass, realm
 * or buffer. A buffer may be shared between threads (nobody may write to it
 * during a call) or resizable: what counts is the array's length when the call
 * begins. One that was transferred away is a TypeError.
 */
export type LogitsArray = Float32Array | Uint16Array | HalfArray;

/** A tensor as ONNX Runtime Web and transformers.js hand it out; rank 2 [N, V] or 3 [B, T, V]. */
export interface LogitsTensor<T extends LogitsArray = LogitsArray> {
  /** The values, row-major. */
  readonly data: T;
  /** The shape. */
  readonly dims: readonly number[];
}

/** What the loss functions take as logits. */
export type Logits = LogitsArray | LogitsTensor;

/** How the per-token losses become one number; see {@link LossOptions.reduction}. */
export type Reduction = "token" | "sample" | "sequence" | "sum";

/** Options of the loss functions. All are optional; anything out of range is a RangeError, a wrong kind a TypeError. */
export interface LossOptions {
  /** The label that means "not trained": any int32 (default -100). */
  ignoreIndex?: number;
  /**
   * `"token"` (default): mean over active tokens, sum / weightSum.
   * `"sample"`: sum / totalTokens, every position that has a target counts.
   * `"sequence"`: mean over sequences with an active token of their own token means.
   * `"sum"`: the sum.
   */
  reduction?: Reduction;
  /** Divides the sum instead of what the reduction would divide by (finite, > 0). */
  denominator?: number;
  /** Score row t against labels[t + 1] of its own sequence (default false). */
  shift?: boolean;
  /** All sequences have this length; it divides N. */
  sequenceLength?: number;
  /** Sequence borders: starts at 0, never falls, ends at N. */
  cuSeqlens?: ArrayLike<number>;
  /** V; taken from logits.length / N, or from dims, unless given. */
  vocabSize?: number;
  /** Elements from one row to the next, >= V: rows of a padded vocabulary. */
  rowStride?: number;
  /** How a `Uint16Array` is to be read. */
  dtype?: LogitsType;
  /** Return the loss of each row. */
  perToken?: boolean;
  /** Return the log-sum-exp of each row. */
  logSumExp?: boolean;
  /** Return nll, accuracy, entropy and perplexity over the active tokens. */
  metrics?: boolean;
  /** ε in [0, 1]: the target is (1 - ε)·onehot + ε/V. */
  labelSmoothing?: number;
  /** Adds zLoss · logSumExp² to each active token (finite, >= 0). */
  zLoss?: number;
  /** Logits become softcap · tanh(logits / softcap) (finite, > 0). */
  softcap?: number;
  /** Logits are multiplied by this first (finite, not 0). */
  logitScale?: number;
  /** One weight per label, aligned with labels (finite, any sign). */
  tokenWeights?: ArrayLike<number>;
  /** One weight per class, V of them (finite, any sign). */
  classWeights?: ArrayLike<number>;
  /** The same bits on every machine, at about half the speed (default false). */
  deterministic?: boolean;
}

/** Options of the functions that also return a gradient. */
export interface GradOptions extends LossOptions {
  /** `"new"` (default): a dense Float32Array [N, V]. `"in-place"`: the logits are overwritten and returned. */
  into?: "new" | "in-place";
  /** Multiplies the gradient: a finite number, or one per row of logits; those of rows that are not scored are not read. */
  upstream?: number | ArrayLike<number>;
}

/** Sums of each sequence, in the order of the sequences. */
export interface PerSequence {
  /** Σ perToken of the sequence. */
  sum: Float64Array;
  /** Σ of its active tokens' weights. */
  weightSum: Float64Array;
  /** How many of its tokens are active. */
  activeTokens: Int32Array;
}

/** What a model is judged by, over active tokens; no weights, smoothing or z-loss in it. */
export interface Metrics {
  /** Mean negative log-likelihood, in nats; 0 where no token is active. */
  nll: number;
  /** How often the largest logit is the label's, ties going to the lowest index. */
  correct: number;
  /** correct / activeTokens; 0 where no token is active. */
  accuracy: number;
  /** Mean entropy of the predicted distributions, in nats. */
  entropy: number;
  /** exp(nll). */
  perplexity: number;
  /** The exact sum of the nlls as an expansion, for `mergeLoss`. */
  nllTerms: number[];
  /** The exact sum of the entropies as an expansion, for `mergeLoss`. */
  entropyTerms: number[];
}

/** What a loss function returns. Plain data: it survives `postMessage` and `structuredClone`. */
export interface LossResult {
  /** The reduced loss, in nats. 0 where no token is active. */
  loss: number;
  /** The reduction that made it. */
  reduction: Reduction;
  /** The correctly rounded sum of all perToken values. */
  sum: number;
  /** The same sum exactly: floats that do not overlap, smallest first, as in Python's math.fsum. */
  sumTerms: number[];
  /** Σ tokenWeight · classWeight over the active tokens. */
  weightSum: number;
  /** weightSum exactly, as `sumTerms` is to `sum`. */
  weightSumTerms: number[];
  /** What the sum was divided by; for `"sequence"`, the number of sequences with an active token. */
  denominator: number;
  /** Whether the caller gave the denominator. */
  denominatorGiven: boolean;
  /** How many tokens are scored. */
  activeTokens: number;
  /** How many positions have a target, ignored ones too. */
  totalTokens: number;
  /** How many active rows hold NaN, +inf, or nothing but -inf. */
  nonFiniteRows: number;
  /** Each row's loss, 0 where there is nothing to score. On request. */
  perToken?: Float64Array;
  /** Each row's log-sum-exp, 0 where there is nothing to score. On request. */
  logSumExp?: Float64Array;
  /** Sums by sequence, where sequences were given or the reduction is `"sequence"`. */
  perSequence?: PerSequence;
  /** On request. */
  metrics?: Metrics;
}

/** A loss with its gradient with respect to the logits. */
export interface LossGradResult<T extends LogitsArray = LogitsArray>
  extends LossResult {
  /**
   * ∂loss/∂logits: a new Float32Array [N, V], or, with `into: "in-place"`, the
   * array that was passed (a tensor's data).
   */
  gradLogits: T;
}

/** What `causalLoss` takes beside logits: what a collator or packer returns, or plain labels. */
export interface CausalBatch {
  /** Labels aligned with inputIds; the loss shifts them. */
  labels: TokenIds;
  /** The label of what is not trained (default -100). */
  ignoreIndex?: number;
  /** Borders of the packed documents; positions after the last border are padding. */
  cuSeqlens?: ArrayLike<number>;
  /** The length of each row of a padded batch. */
  sequenceLength?: number;
  /** One weight per label. */
  tokenWeights?: ArrayLike<number>;
}

/** Size of a workspace. */
export interface WorkspaceOptions {
  /** N, the most rows it will hold. */
  rows: number;
  /** V, or the row stride of a padded vocabulary. */
  vocabSize: number;
  /** How its logits are stored (default `"f32"`). */
  dtype?: LogitsType;
  /** Bind it to the plain-SIMD build, so that `deterministic: true` needs no copy (default false). */
  deterministic?: boolean;
}

/** Logits that live inside the kernel's own memory: nothing is copied in or out. */
export interface LossWorkspace<
  T extends Float32Array | Uint16Array = Float32Array | Uint16Array,
> {
  /** Write logits here, then pass this view, or a subarray, to any loss function. */
  readonly logits: T;
  /** N as created. */
  readonly rows: number;
  /** V as created. */
  readonly vocabSize: number;
  /** How the logits are stored. */
  readonly dtype: LogitsType;
  /**
   * Gives the memory back; calling it twice is harmless. The view is not to be used
   * afterwards: while it is held its memory stays, and a function given it copies it
   * as any array; an engine of `./parallel`, whose memory goes to others, refuses it.
   */
  dispose(): void;
  /** Same as `dispose`, for `using`. */
  [Symbol.dispose](): void;
}

/**
 * A compiled module: `WebAssembly.Module`, or any object where TypeScript has
 * not heard of WebAssembly (Node's types without `lib: ["dom"]`).
 */
export type KernelModule = typeof globalThis extends
  { WebAssembly: { Module: { prototype: infer Module } } } ? Module : object;

/** Modules compiled elsewhere, for runtimes that forbid compiling at run time. */
export interface InitOptions {
  /** The compiled `kernels.wasm`. */
  simd?: KernelModule;
  /** The compiled `kernels_relaxed.wasm`. */
  relaxed?: KernelModule;
}

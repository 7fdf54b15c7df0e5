/**
 * The engine as callers have it: the checks and reductions of the root module
 * around a crew, or around the root module's own engines where there is none.
 *
 * @module
 */
import type {
  CausalBatch,
  GradOptions,
  Logits,
  LogitsArray,
  LogitsTensor,
  LossGradResult,
  LossOptions,
  LossResult,
  LossWorkspace,
  TokenIds,
  WorkspaceOptions,
} from "../contract.ts";
import type { Engine, Prepared } from "../engine.ts";
import { readBatch } from "../loss/causal_loss.ts";
import {
  differentiatePrepared,
  scorePrepared,
} from "../loss/masked_cross_entropy.ts";
import { prepare } from "../loss/problem.ts";
import { createLossWorkspace, readSize } from "../wasm/workspace.ts";
import { Crew, type CrewOptions } from "./crew.ts";
import { CrewEngine } from "./engine.ts";
import { Workspaces } from "./workspaces.ts";

/**
 * Losses on many threads. Its functions are those of the root module, to the last
 * bit of every result; they block until the result is there. They may be called
 * after one another only, as from one thread they always are.
 *
 * If a thread ends or fails while it is at some rows, the call throws an Error
 * and nothing it was to write may be used, logits in place included. The engine
 * then goes on with the caller's thread alone, and `reason` says so.
 */
export interface ParallelEngine {
  /** How many threads take part, the caller's included; 1 where there could be no others. */
  readonly threads: number;
  /** Why there are fewer threads than were asked for; null where there are not. */
  readonly reason: string | null;
  /** `maskedCrossEntropy` of the root module. */
  maskedCrossEntropy(
    logits: Logits,
    labels: TokenIds,
    options?: LossOptions,
  ): LossResult;
  /** `maskedCrossEntropyGrad` of the root module. */
  maskedCrossEntropyGrad(
    logits: Logits,
    labels: TokenIds,
    options?: GradOptions & { into?: "new" },
  ): LossGradResult<Float32Array>;
  /** With `into: "in-place"`: `gradLogits` is the array that was passed, overwritten. */
  maskedCrossEntropyGrad<T extends LogitsArray>(
    logits: T | LogitsTensor<T>,
    labels: TokenIds,
    options?: GradOptions,
  ): LossGradResult<T | Float32Array>;
  /** `causalLoss` of the root module. */
  causalLoss(
    logits: Logits,
    batch: CausalBatch | TokenIds,
    options?: LossOptions,
  ): LossResult;
  /** `causalLossGrad` of the root module. */
  causalLossGrad(
    logits: Logits,
    batch: CausalBatch | TokenIds,
    options?: GradOptions & { into?: "new" },
  ): LossGradResult<Float32Array>;
  /** With `into: "in-place"`: `gradLogits` is the array that was passed, overwritten. */
  causalLossGrad<T extends LogitsArray>(
    logits: T | LogitsTensor<T>,
    batch: CausalBatch | TokenIds,
    options?: GradOptions,
  ): LossGradResult<T | Float32Array>;
  /**
   * Room for logits in the memory that threads share: nothing is copied. It serves
   * `deterministic: true` as well. Dispose of it to have the room back.
   */
  createWorkspace(
    options: WorkspaceOptions & { dtype?: "f32" },
  ): LossWorkspace<Float32Array>;
  /** With `dtype: "bf16"` or `"f16"`: the logits are bit patterns in a Uint16Array. */
  createWorkspace(
    options: WorkspaceOptions & { dtype: "bf16" | "f16" },
  ): LossWorkspace<Uint16Array>;
  /** With a `dtype` that is known only at run time. */
  createWorkspace(options: WorkspaceOptions): LossWorkspace;
  /** Ends the threads; no function and no workspace may be used afterwards. Calling it twice is harmless. */
  dispose(): void;
  /** Same as `dispose`, for `using`. */
  [Symbol.dispose](): void;
}

/** An engine with a crew, or without one and with the reason. */
export async function openEngine(
  options: CrewOptions,
): Promise<ParallelEngine> {
  if (options.threads === 1) return new CallersEngine(null, null);
  if (typeof SharedArrayBuffer === "undefined") {
    return new CallersEngine(
      null,
      "there is no SharedArrayBuffer: a page must be cross-origin isolated, by the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
    );
  }
  try {
    return new CallersEngine(await Crew.open(options), null);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return new CallersEngine(null, `no threads could be started: ${why}`);
  }
}

class CallersEngine implements ParallelEngine {
  readonly #crew: Crew | null;
  readonly #reason: string | null;
  readonly #engines: readonly CrewEngine[];
  readonly #workspaces: Workspaces | null;
  #disposed = false;

  constructor(crew: Crew | null, reason: string | null) {
    this.#crew = crew;
    this.#reason = reason;
    this.#engines = crew === null
      ? []
      : crew.builds.map((build) => new CrewEngine(crew, build));
    this.#workspaces = crew === null ? null : new Workspaces(crew);
  }

  get threads(): number {
    return this.#crew?.threads ?? 1;
  }

  get reason(): string | null {
    return this.#crew?.reason ?? this.#reason;
  }

  maskedCrossEntropy(
    logits: Logits,
    labels: TokenIds,
    options?: LossOptions,
  ): LossResult {
    const engineOf = this.#watch(logits);
    const prepared = prepare(logits, labels, options);
    return scorePrepared(prepared, engineOf(prepared));
  }

  maskedCrossEntropyGrad(
    logits: Logits,
    labels: TokenIds,
    options?: GradOptions,
  ): LossGradResult<Float32Array> {
    const engineOf = this.#watch(logits);
    const prepared = prepare(logits, labels, options);
    // what the array is, the overloads say
    return differentiatePrepared(prepared, options, engineOf) as LossGradResult<
      Float32Array
    >;
  }

  causalLoss(
    logits: Logits,
    batch: CausalBatch | TokenIds,
    options?: LossOptions,
  ): LossResult {
    const { labels, merged } = readBatch(batch, options);
    return this.maskedCrossEntropy(logits, labels, merged);
  }

  causalLossGrad(
    logits: Logits,
    batch: CausalBatch | TokenIds,
    options?: GradOptions,
  ): LossGradResult<Float32Array> {
    const { labels, merged } = readBatch(batch, options);
    return this.maskedCrossEntropyGrad(
      logits,
      labels,
      merged as GradOptions & { into?: "new" },
    );
  }

  createWorkspace(
    options: WorkspaceOptions & { dtype?: "f32" },
  ): LossWorkspace<Float32Array>;
  createWorkspace(
    options: WorkspaceOptions & { dtype: "bf16" | "f16" },
  ): LossWorkspace<Uint16Array>;
  createWorkspace(options: WorkspaceOptions): LossWorkspace;
  createWorkspace(options: WorkspaceOptions): LossWorkspace {
    const size = readSize(options);
    // they may have disposed of this engine when they were read
    this.#checkAlive("create workspace");
    return this.#workspaces === null
      ? createLossWorkspace(size)
      : this.#workspaces.create(size);
  }

  dispose(): void {
    if (!this.#disposed) this.#crew?.close();
    this.#disposed = true;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * What gives the crew's engine of the build that was asked for; undefined, the
   * root module's own, where there is no crew. It throws where labels or options,
   * read since, have disposed of this engine or of the logits' workspace.
   */
  #watch(logits: Logits): (prepared: Prepared) => Engine | undefined {
    const check = this.#workspaces?.watch(logits);
    return ({ problem, deterministic }) => {
      this.#checkAlive("compute loss");
      check?.(problem.logits);
      return deterministic ? this.#engines.at(-1) : this.#engines[0];
    };
  }

  #checkAlive(action: "compute loss" | "create workspace"): void {
    if (!this.#disposed) return;
    throw new TypeError(
      `Cannot ${action} as the engine was disposed: create a new one`,
    );
  }
}

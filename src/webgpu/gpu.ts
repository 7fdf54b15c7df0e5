/**
 * A GPU: a device, the plans that were made on it, and what becomes of them when
 * it is lost or given back.
 *
 * @module
 */
import {
  checkOptions,
  outOfRange,
  readBorders,
  readCount,
  readWord,
  wrongKind,
} from "../checks.ts";
import type { LogitsType } from "../contract.ts";
import { equalBorders } from "../labels/sequences.ts";
import type { LossRules } from "./rules.ts";
import { GpuLostError, type OpenedDevice } from "./device.ts";
import { RowKernels } from "./engine.ts";
import { orLost } from "./handle.ts";
import { Heap } from "./heap.ts";
import { checkSingle } from "./intake.ts";
import { Plan } from "./plan.ts";
import type { CrossEntropyOptions, CrossEntropyPlan } from "./types.ts";
import { Weigher } from "./weigher.ts";

const ACTION = "compute loss";
const DTYPES = ["f32", "bf16", "f16"] as const;
const INTO = ["none", "in-place", "new"] as const;

/** What a plan may be told: what is the same for every batch. */
const KEYS: ReadonlySet<string> = new Set<keyof CrossEntropyOptions>([
  "rows",
  "vocabSize",
  "rowStride",
  "dtype",
  "into",
  "ignoreIndex",
  "reduction",
  "denominator",
  "shift",
  "sequenceLength",
  "cuSeqlens",
  "perToken",
  "logSumExp",
  "metrics",
  "labelSmoothing",
  "zLoss",
  "softcap",
  "logitScale",
  "classWeights",
  "bindingLimit",
]);

/**
 * A device to compute losses on, as `openGpu` gives it.
 *
 * @example A gradient over the logits, in the caller's own commands
 * ```ts
 * import { openGpu } from "@sft/loss/webgpu";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const gpu = await openGpu().catch(() => null);
 * if (gpu !== null) {
 *   const { device } = gpu;
 *   const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
 *   const logits = device.createBuffer({ size: 2 * 4 * 4, usage });
 *   const plan = await gpu.crossEntropy({
 *     rows: 2,
 *     vocabSize: 4,
 *     into: "in-place",
 *   });
 *
 *   const encoder = device.createCommandEncoder();
 *   const handle = plan.encode(encoder, { logits, labels: [1, -100] });
 *   device.queue.submit([encoder.finish()]);
 *   const { loss } = await handle.read(); // or handle.release()
 *   assertAlmostEquals(loss, Math.log(4), 1e-6);
 *   gpu.dispose();
 * }
 * ```
 */
export class Gpu {
  /** The device itself. */
  readonly device: GPUDevice;
  /** The adapter as the system names it. */
  readonly name: string;
  /** Whether the adapter is software; null where that is not known. */
  readonly fallback: boolean | null;
  readonly #owned: boolean;
  readonly #rules: LossRules;
  readonly #heap: Heap;
  readonly #plans = new Set<CrossEntropyPlan>();
  #gone: string | null = null;

  /** Use {@link openGpu}. */
  constructor(opened: OpenedDevice, rules: LossRules) {
    this.device = opened.device;
    this.name = opened.name;
    this.fallback = opened.fallback;
    this.#owned = opened.owned;
    this.#rules = rules;
    this.#heap = new Heap(opened.device);
    opened.device.lost?.then(({ reason, message }) => {
      this.#gone ??= `the device was lost (${message || reason || "unknown"})`;
    });
  }

  /** How many buffers on the device are the library's, and their bytes: a leak would show here. */
  get buffers(): { count: number; bytes: number } {
    return { count: this.#heap.count, bytes: this.#heap.bytes };
  }

  /** Why nothing can be computed any more, or null while it can. */
  get lost(): string | null {
    return this.#gone;
  }

  /**
   * Compiles the kernels of one shape and one set of options, and allocates what
   * they need. Pipelines are kept for the device, so a second plan of the same
   * kind costs little.
   *
   * @param options `rows`, `vocabSize`, and what a loss function takes; see {@link CrossEntropyOptions}.
   * @returns The plan.
   * @throws {RangeError} An option is out of range, or a row does not fit into a binding.
   * @throws {TypeError} An option is of the wrong kind, or its key is misspelt.
   * @throws {GpuLostError} The device was lost, or this GPU disposed of.
   */
  async crossEntropy(options: CrossEntropyOptions): Promise<CrossEntropyPlan> {
    this.#alive();
    checkOptions(ACTION, "options", options, KEYS);
    const { rows: _, into: given, bindingLimit, ...rest } = options;
    const { cuSeqlens, sequenceLength, ...rowWise } = rest;
    const rows = readCount(ACTION, "rows", options.rows, 0);
    if (rows === undefined) wrongKind(ACTION, "rows must be given", rows);
    if (options.vocabSize === undefined) {
      wrongKind(ACTION, "vocabSize must be given", options.vocabSize);
    }
    const into = readWord(ACTION, "into", given, INTO);
    readCount(ACTION, "bindingLimit", bindingLimit, 1);
    const dtype = readWord<LogitsType>(ACTION, "dtype", rest.dtype, DTYPES);
    const none = dtype === "f32" ? new Float32Array(0) : new Uint16Array(0);
    const template = this.#rules.prepare(none, [], rowWise);
    // the caller may change the options while this waits
    const shift = options.shift ?? false;
    const { softcap, logitScale, zLoss, classWeights } = template.problem;
    checkSingle("softcap", softcap);
    checkSingle("logitScale", logitScale);
    checkSingle("zLoss", zLoss);
    classWeights?.forEach((c, j) => checkSingle(`classWeights[${j}]`, c));
    const length = readCount(ACTION, "sequenceLength", sequenceLength, 1);
    if (length !== undefined && cuSeqlens !== undefined) {
      outOfRange(
        ACTION,
        "only one of cuSeqlens and sequenceLength must be given",
        cuSeqlens,
      );
    }
    if (length !== undefined && rows % length !== 0) {
      outOfRange(ACTION, `sequenceLength must divide ${rows} rows`, length);
    }
    const borders = cuSeqlens !== undefined
      ? readBorders(ACTION, cuSeqlens, rows).slice() // the caller may reuse it
      : length !== undefined
      ? equalBorders(rows, length)
      : null;

    const heap = this.#heap;
    const spec = {
      ...template.problem,
      rows,
      into,
      ...(bindingLimit === undefined ? {} : { bindingLimit }),
    };
    const alive = () => this.#alive();
    const parts: { dispose(): void }[] = [];
    try {
      const kernels = await orLost(RowKernels.compile(heap, spec), alive);
      parts.push(kernels);
      const weigher = await orLost(Weigher.compile(heap, spec), alive);
      parts.push(weigher);
      // the GPU may have gone in the meantime
      alive();
      const plan = new Plan({
        heap,
        rules: this.#rules,
        kernels,
        weigher,
        expected: {
          spec,
          template,
          borders,
          shift,
          limits: this.device.limits,
          rules: this.#rules,
        },
        alive,
        forget: (gone) => this.#plans.delete(gone),
      });
      this.#plans.add(plan);
      return plan;
    } catch (error) {
      for (const part of parts) part.dispose();
      throw error;
    }
  }

  #alive(): void {
    if (this.#gone !== null) {
      throw new GpuLostError(`Cannot ${ACTION} as ${this.#gone}`);
    }
  }

  /** Destroys every plan and buffer, and the device if it was not borrowed. */
  dispose(): void {
    if (this.#gone === null) this.#gone = "the GPU was disposed of";
    for (const plan of this.#plans) plan.dispose();
    this.#heap.clear();
    if (this.#owned) this.device.destroy();
  }

  /** Same as `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

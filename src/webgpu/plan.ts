/**
 * A plan: kernels and buffers for one shape and one set of options, and the way
 * of a batch through them. What the host knows of a batch becomes jobs here, in
 * float64; what lives on the device is weighed there.
 *
 * @module
 */
import { checkOptions, wrongKind } from "../checks.ts";
import { coefficients } from "../reference/normalize.ts";
import type { LossRules } from "./rules.ts";
import type { RowKernels } from "./engine.ts";
import { Copies } from "./copies.ts";
import { Handle, orLost } from "./handle.ts";
import { type Heap, type Range, upload, whole } from "./heap.ts";
import {
  type Expected,
  HOST_KEYS,
  type Intake,
  type Sent,
  takeIn,
} from "./intake.ts";
import { jobsOf } from "./jobs.ts";
import { checkApart } from "./ranges.ts";
import { type Slot, Slots } from "./slots.ts";
import type {
  CrossEntropyPlan,
  GpuBatch,
  GpuLossResult,
  HostBatch,
  LossHandle,
} from "./types.ts";
import type { DeviceBatch, Weigher } from "./weigher.ts";

const ACTION = "compute loss";

/** What the weigher reads. */
type Sources = Pick<DeviceBatch, "labels" | "tokenWeights" | "upstream">;

/** What a plan is made of. */
export interface PlanParts {
  heap: Heap;
  rules: LossRules;
  kernels: RowKernels;
  weigher: Weigher;
  expected: Expected;
  /** Throws if the device is gone. */
  alive: () => void;
  /** Called once, when the plan is disposed of. */
  forget: (plan: CrossEntropyPlan) => void;
}

/** See {@link CrossEntropyPlan}. */
export class Plan implements CrossEntropyPlan {
  readonly workspaceBytes: number;
  readonly #parts: PlanParts;
  readonly #slots: Slots;
  /** The logits and gradient of `run`, made when it is first called. */
  #copies: Copies | null = null;
  #disposed = false;

  constructor(parts: PlanParts) {
    this.#parts = parts;
    this.#slots = new Slots(parts.heap, parts.kernels);
    const bytes = Object.values(parts.kernels.bytes);
    this.workspaceBytes = bytes.reduce((sum, size) => sum + size, 0);
  }

  encode(
    target: GPUComputePassEncoder | GPUCommandEncoder,
    given: GpuBatch,
  ): LossHandle {
    this.#alive();
    const { heap, rules, kernels, expected } = this.#parts;
    checkTarget(target);
    const intake = takeIn(given, expected);
    const { batch, logits, made, device } = intake;
    const coefficients = device === null ? this.#coefficients(intake) : null;
    const slot = this.#slots.take();
    const { stamp } = slot;
    try {
      const sent = device === null ? null : this.#send(slot, intake);
      // from here on nothing is refused
      const pass = isPass(target)
        ? target
        : target.beginComputePass({ label: "masked cross-entropy" });
      if (sent !== null) this.#weigh(pass, slot, intake, sent);
      else {
        const jobs = jobsOf(batch.problem, coefficients, stamp);
        upload(heap.device, slot.rows.jobs, jobs);
      }
      kernels.encode(pass, slot.rows, logits, made);
      if (pass !== target) pass.end();
    } catch (error) {
      this.#slots.give(slot);
      throw error;
    }
    return new Handle({
      heap,
      rules,
      slots: this.#slots,
      slot,
      stamp,
      batch,
      fromDevice: device !== null,
      alive: () => this.#alive(),
    });
  }

  /** ∂loss/∂perToken of a batch that the host knows, [N]; null without a gradient. */
  #coefficients({ batch, upstream }: Intake): Float64Array | null {
    const { rules, kernels } = this.#parts;
    // what is checked of them does not depend on whether there is a gradient
    const weighing = rules.weighRows(batch);
    if (kernels.spec.into === "none") return null;
    const { problem, borders, reduction, denominator, totalTokens } = batch;
    return coefficients(
      problem,
      borders,
      reduction,
      denominator,
      weighing,
      totalTokens,
      upstream,
    );
  }

  /** Host arrays of a batch that is weighed on the device, sent there; all as ranges. */
  #send(slot: Slot, { device, logits, made }: Intake): Sources {
    const range = (
      name: string,
      sent: Sent<Int32Array | Float32Array>,
    ): Range =>
      "range" in sent
        ? sent.range
        : whole(this.#slots.upload(slot, name, sent.values));
    const { labels, tokenWeights, upstream } = device!;
    const all = {
      labels: range("labels", labels),
      tokenWeights: tokenWeights && range("tokenWeights", tokenWeights),
      upstream: typeof upstream === "number"
        ? upstream
        : range("upstream", upstream),
    };
    const read = typeof all.upstream === "number" ? null : all.upstream;
    checkApart({ logits, gradLogits: made }, { ...all, upstream: read });
    return all;
  }

  #weigh(
    pass: GPUComputePassEncoder,
    slot: Slot,
    { batch }: Intake,
    sent: Sources,
  ): void {
    const { weigher, expected } = this.#parts;
    const { problem, reduction, denominator, totalTokens } = batch;
    if (problem.rows === 0) return;
    const borders = batch.borders ?? Int32Array.of(0, problem.rows);
    const sequences = Math.max(borders.length - 1, 0);
    const buffers = this.#slots.weighing(slot, weigher, sequences);
    weigher.encode(pass, buffers, slot.rows.jobs, {
      ...sent,
      borders,
      shift: expected.shift,
      reduction,
      denominator,
      totalTokens,
      stamp: slot.stamp,
    });
  }

  /** Up to the first wait all is done at once: what the caller passed is read and sent when this returns. */
  async run(given: HostBatch): Promise<GpuLossResult> {
    this.#alive();
    checkOptions(ACTION, "batch", given, HOST_KEYS);
    const { heap, rules, kernels, expected } = this.#parts;
    const { rows, vocabSize, rowStride, dtype, into } = kernels.spec;
    const { ignoreIndex } = expected.template.problem;
    const { problem, data, borders } = rules.prepare(
      given.logits,
      given.labels,
      { vocabSize, rowStride, ignoreIndex, dtype },
    );
    const stored = problem.logits as Float32Array<ArrayBuffer>;
    const copies = this.#copies ??= new Copies(heap, kernels.spec);
    const encoder = heap.device.createCommandEncoder();
    const handle = this.encode(encoder, {
      ...given,
      // rank-3 dims say where sequences begin, if nothing else does
      cuSeqlens: given.cuSeqlens ??
        (expected.borders === null ? borders ?? undefined : undefined),
      labels: problem.targets,
      logits: copies.logits,
      ...(copies.made === null ? {} : { gradLogits: copies.made }),
    });
    try {
      copies.send(stored);
      heap.device.queue.submit([encoder.finish()]);
      const [result, gradient] = await Promise.all([
        handle.read(),
        orLost(copies.bring(), () => this.#parts.alive()),
      ]);
      if (gradient === null) return result;
      if (into === "new") {
        const gradLogits = new Float32Array(gradient, 0, rows * vocabSize);
        return { ...result, gradLogits };
      }
      copies.putBack(gradient, stored);
      return { ...result, gradLogits: data };
    } catch (error) {
      handle.release();
      throw error;
    }
  }

  #alive(): void {
    this.#parts.alive();
    if (this.#disposed) {
      throw new TypeError(
        `Cannot ${ACTION} as the plan was disposed: create a new one`,
      );
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { kernels, weigher, forget } = this.#parts;
    this.#slots.dispose();
    this.#copies?.dispose();
    kernels.dispose();
    weigher.dispose();
    forget(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function isPass(
  target: GPUComputePassEncoder | GPUCommandEncoder,
): target is GPUComputePassEncoder {
  return "dispatchWorkgroups" in target;
}

/** By shape: the target may be another realm's. */
function checkTarget(target: unknown): void {
  if (
    typeof target === "object" && target !== null &&
    ("dispatchWorkgroups" in target || "beginComputePass" in target)
  ) return;
  wrongKind(
    ACTION,
    "target must be a GPUComputePassEncoder or a GPUCommandEncoder",
    target,
  );
}

/**
 * A plan: kernels and buffers for one shape and one set of options, and the way
 * of a batch through them. What the host knows of a batch becomes jobs here, in
 * float64; what lives on the device is weighed there.
 *
 * @module
 */
import { outOfRange, wrongKind } from "../checks.ts";
import { coefficients } from "../reference/normalize.ts";
import type { LossRules } from "./batch.ts";
import type { RowKernels } from "./engine.ts";
import { Handle, readBack } from "./handle.ts";
import { type Heap, type Range, upload, whole } from "./heap.ts";
import { type Expected, type Intake, type Sent, takeIn } from "./intake.ts";
import { jobsOf } from "./jobs.ts";
import { checkApart } from "./ranges.ts";
import { type Slot, Slots } from "./slots.ts";
import { bytesOfRows } from "./spec.ts";
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
  #own: { logits: GPUBuffer; made: GPUBuffer | null } | null = null;
  /** The last `run`: they share buffers, so one waits for the other. */
  #running: Promise<unknown> = Promise.resolve();
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
    const intake = takeIn(given, expected);
    const { batch, logits, made, device } = intake;
    const jobs = device === null ? this.#jobs(intake, given.upstream) : null;
    const slot = this.#slots.take();
    try {
      const sent = device === null ? null : this.#send(slot, intake);
      // from here on nothing is refused
      const own = "dispatchWorkgroups" in target
        ? null
        : target.beginComputePass({ label: "masked cross-entropy" });
      const pass = own ?? target as GPUComputePassEncoder;
      if (jobs !== null) upload(heap.device, slot.rows.jobs, jobs);
      else this.#weigh(pass, slot, intake, sent!);
      kernels.encode(pass, slot.rows, logits, made);
      own?.end();
    } catch (error) {
      this.#slots.give(slot);
      throw error;
    }
    return new Handle({
      heap,
      rules,
      slots: this.#slots,
      slot,
      batch,
      fromDevice: device !== null,
      alive: () => this.#alive(),
    });
  }

  /** The jobs of a batch that the host knows. */
  #jobs({ batch }: Intake, given: GpuBatch["upstream"]): ArrayBuffer {
    const { rules, kernels } = this.#parts;
    const upstream = given as number | ArrayLike<number> | undefined;
    // what is checked of them does not depend on whether there is a gradient
    const factors = rules.readUpstream(batch, upstream);
    const weighing = rules.weighRows(batch);
    if (kernels.spec.into === "none") return jobsOf(batch.problem, null);
    const { problem, borders, reduction, denominator, totalTokens } = batch;
    return jobsOf(
      problem,
      coefficients(
        problem,
        borders,
        reduction,
        denominator,
        weighing,
        totalTokens,
        factors,
      ),
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
    });
  }

  run(given: HostBatch): Promise<GpuLossResult> {
    const result = this.#running.then(() => this.#run(given));
    this.#running = result.catch(() => undefined);
    return result;
  }

  async #run(given: HostBatch): Promise<GpuLossResult> {
    this.#alive();
    const { heap, rules, kernels, expected } = this.#parts;
    const { rows, vocabSize, rowStride, dtype, into } = kernels.spec;
    const { ignoreIndex } = expected.template.problem;
    const { problem, data } = rules.prepare(given.logits, given.labels, {
      vocabSize,
      rowStride,
      ignoreIndex,
      ...(given.logits instanceof Uint16Array ? { dtype } : {}),
    });
    if (problem.dtype !== dtype) {
      wrongKind(ACTION, `logits must be ${dtype}`, problem.dtype);
    }
    const { logits, made } = this.#own ??= this.#allocate();
    const stored = problem.logits as Float32Array<ArrayBuffer>;
    const encoder = heap.device.createCommandEncoder();
    const handle = this.encode(encoder, {
      ...given,
      logits,
      ...(made === null ? {} : { gradLogits: made }),
    });
    upload(heap.device, logits, wholeWords(stored));
    heap.device.queue.submit([encoder.finish()]);
    const result = await handle.read();
    if (into === "none") return result;

    const [bytes] = await readBack(heap, [made ?? logits]);
    if (into === "new") {
      const gradLogits = new Float32Array(bytes!, 0, rows * vocabSize);
      return { ...result, gradLogits };
    }
    const { buffer, byteOffset, byteLength } = stored;
    new Uint8Array(buffer, byteOffset, byteLength).set(
      new Uint8Array(bytes!, 0, byteLength),
    );
    return { ...result, gradLogits: data };
  }

  #allocate(): { logits: GPUBuffer; made: GPUBuffer | null } {
    const { heap, kernels } = this.#parts;
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const { rows } = kernels.spec;
    const [rowBytes = 0, madeBytes = 0] = bytesOfRows(kernels.spec);
    const most = heap.device.limits.maxBufferSize;
    const make = (label: string, bytes: number) => {
      if (bytes > most) {
        outOfRange(
          ACTION,
          `${label} must fit into one buffer of ${most} bytes (use fewer rows at a time)`,
          bytes,
        );
      }
      return heap.create(label, bytes, STORAGE | COPY_SRC | COPY_DST);
    };
    return {
      logits: make("logits", rows * rowBytes),
      made: madeBytes === 0 ? null : make("gradLogits", rows * madeBytes),
    };
  }

  #alive(): void {
    if (this.#disposed) {
      throw new TypeError(
        `Cannot ${ACTION} as the plan was disposed: create a new one`,
      );
    }
    this.#parts.alive();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { heap, kernels, weigher, forget } = this.#parts;
    this.#slots.dispose();
    heap.destroy(this.#own?.logits ?? null, this.#own?.made ?? null);
    kernels.dispose();
    weigher.dispose();
    forget(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** An array, with half a word behind it where it ends in the middle of one. */
function wholeWords(
  array: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>,
): ArrayBufferView<ArrayBuffer> {
  if (array.byteLength % 4 === 0) return array;
  const words = new Uint16Array(array.length + 1);
  words.set(array);
  return words;
}

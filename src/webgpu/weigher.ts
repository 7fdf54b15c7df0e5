/**
 * Jobs made on the device, from labels, weights and upstream that live there.
 *
 * @module
 */
import { outOfRange } from "../checks.ts";
import type { Reduction } from "../contract.ts";
import type { LossProblem } from "../engine.ts";
import { compilerOf } from "./compiler.ts";
import { CLAMP_WGSL } from "./gather_wgsl.ts";
import { type Heap, type Range, upload, whole } from "./heap.ts";
import { NORMALIZE_WGSL, REDUCTION_CODE } from "./normalize_wgsl.ts";
import { smoothingOf } from "../reference/normalize.ts";
import { JOB_WGSL, STAMP_SHIFT } from "./storage_wgsl.ts";
import { gridOf } from "./windows.ts";

/** The shader of the weigher, text by text. */
export const WEIGH_TEXTS: readonly string[] = [
  JOB_WGSL,
  CLAMP_WGSL,
  NORMALIZE_WGSL,
];

const BINDINGS: readonly GPUBufferBindingType[] = [
  "read-only-storage",
  "read-only-storage",
  "read-only-storage",
  "read-only-storage",
  "read-only-storage",
  "storage",
  "storage",
  "uniform",
];

/** What a batch on the device is weighed with; null where it has none. */
export interface DeviceBatch {
  labels: Range;
  tokenWeights: Range | null;
  /** One for each row, or one for all. */
  upstream: Range | number;
  /** [S + 1] */
  borders: Int32Array;
  shift: boolean;
  reduction: Reduction;
  denominator: number | undefined;
  totalTokens: number;
  /** The number of the batch. */
  stamp: number;
}

/** The buffers that weighing one call in flight needs. */
export interface WeighBuffers {
  batch: GPUBuffer;
  borders: GPUBuffer;
  sums: GPUBuffer;
}

/** The part of a problem that a weigher knows. */
export type WeighSpec = Pick<
  LossProblem,
  | "rows"
  | "vocabSize"
  | "ignoreIndex"
  | "classWeights"
  | "labelSmoothing"
  | "zLoss"
>;

/** The kernels that weigh; those of one spec. */
export class Weigher {
  readonly #heap: Heap;
  readonly #spec: WeighSpec;
  readonly #layout: GPUBindGroupLayout;
  readonly #pipelines: readonly GPUComputePipeline[];
  readonly #classWeights: GPUBuffer;
  readonly #spare: GPUBuffer;

  private constructor(
    heap: Heap,
    spec: WeighSpec,
    layout: GPUBindGroupLayout,
    pipelines: readonly GPUComputePipeline[],
  ) {
    this.#heap = heap;
    this.#spec = spec;
    this.#layout = layout;
    this.#pipelines = pipelines;
    const { STORAGE, COPY_DST } = GPUBufferUsage;
    const weights = Float32Array.from(spec.classWeights ?? [1]);
    const bytes = weights.byteLength;
    this.#classWeights = heap.create(
      "class weights",
      bytes,
      STORAGE | COPY_DST,
    );
    upload(heap.device, this.#classWeights, weights);
    this.#spare = heap.create("spare", 16, STORAGE);
  }

  /** Compiles the kernels, of other texts if tests have planted faults in them; rejects with what the compiler says. */
  static async compile(
    heap: Heap,
    spec: WeighSpec,
    texts: readonly string[] = WEIGH_TEXTS,
  ): Promise<Weigher> {
    const { layout, pipelines } = await compilerOf(heap.device).compile(
      texts,
      BINDINGS,
      ["weigh", "total", "share"],
      () => ({}),
    );
    return new Weigher(heap, spec, layout, pipelines);
  }

  /** The buffers of one call in flight, for up to so many sequences. */
  allocate(sequences: number): WeighBuffers {
    const { STORAGE, UNIFORM, COPY_DST } = GPUBufferUsage;
    const most = this.#heap.device.limits.maxStorageBufferBindingSize;
    if (8 * (sequences + 1) > most) {
      outOfRange(
        "compute loss",
        `cuSeqlens must have at most ${
          Math.floor(most / 8) - 1
        } sequences on this device`,
        sequences,
      );
    }
    const make = (label: string, bytes: number, usage: number) =>
      this.#heap.create(label, bytes, usage | COPY_DST);
    return {
      batch: make("batch", 80, UNIFORM),
      borders: make("borders", 4 * (sequences + 1), STORAGE),
      sums: make("sums", 8 * (sequences + 1), STORAGE),
    };
  }

  /** Puts the kernels into a pass; they write the jobs. */
  encode(
    pass: GPUComputePassEncoder,
    buffers: WeighBuffers,
    jobs: GPUBuffer,
    batch: DeviceBatch,
  ): void {
    const { device } = this.#heap;
    const { labels, tokenWeights, upstream, borders } = batch;
    const sequences = borders.length - 1;
    const [width, height] = gridOf(sequences);
    upload(device, buffers.borders, Uint32Array.from(borders));
    upload(device, buffers.batch, this.#bytes(batch, width));
    const resources: Range[] = [
      labels,
      tokenWeights ?? whole(this.#spare),
      typeof upstream === "number" ? whole(this.#spare) : upstream,
      whole(this.#classWeights),
      whole(buffers.borders),
      whole(jobs),
      whole(buffers.sums),
      whole(buffers.batch),
    ];
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: this.#layout,
        entries: resources.map((resource, binding) => ({ binding, resource })),
      }),
    );
    const [weigh, total, share] = this.#pipelines;
    pass.setPipeline(weigh!);
    pass.dispatchWorkgroups(width, height);
    pass.setPipeline(total!);
    pass.dispatchWorkgroups(1);
    pass.setPipeline(share!);
    pass.dispatchWorkgroups(width, height);
  }

  /** The bytes of `Batch`. */
  #bytes(batch: DeviceBatch, width: number): ArrayBuffer {
    const { rows, vocabSize, ignoreIndex, classWeights } = this.#spec;
    const { labelSmoothing, zLoss } = this.#spec;
    const { upstream } = batch;
    const bytes = new ArrayBuffer(80);
    const words = new Uint32Array(bytes);
    const floats = new Float32Array(bytes);
    words.set([rows, batch.borders.length - 1, width, vocabSize]);
    new Int32Array(bytes)[4] = ignoreIndex;
    words[5] = Number(batch.shift);
    words[6] = REDUCTION_CODE[batch.reduction];
    floats[7] = batch.denominator ?? 0;
    floats[8] = batch.totalTokens;
    floats[9] = typeof upstream === "number" ? upstream : 1;
    words.set([
      Number(batch.tokenWeights !== null),
      Number(typeof upstream !== "number"),
      Number(classWeights !== null),
      Number(labelSmoothing !== 1),
      Number(smoothingOf(this.#spec) !== 0),
      Number(zLoss !== 0),
      batch.stamp << STAMP_SHIFT,
    ], 10);
    return bytes;
  }

  /** Destroys what the kernels own; not the buffers of calls. */
  dispose(): void {
    this.#heap.destroy(this.#classWeights, this.#spare);
  }
}

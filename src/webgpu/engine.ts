/**
 * The row kernels of one shape and one set of options: compiled once, then put
 * into a caller's pass as often as wanted. What a row's label is and what its
 * gradient is multiplied by stands in a job; what was found in it comes back as
 * a record. Which jobs, and what the records mean, is decided above.
 *
 * @module
 */
import { outOfRange } from "../checks.ts";
import { compilerOf } from "./compiler.ts";
import { EXP_WGSL } from "./exp_wgsl.ts";
import { GATHER_WGSL } from "./gather_wgsl.ts";
import { GRADIENT_WGSL } from "./gradient_wgsl.ts";
import { type Heap, type Range, whole } from "./heap.ts";
import { LOG_SUM_EXP_WGSL } from "./log_sum_exp_wgsl.ts";
import { ROWS_WGSL } from "./rows_wgsl.ts";
import {
  blocksOf,
  bytesOfRows,
  constantsFor,
  entriesOf,
  type Entry,
  isShared,
  needsSeams,
  paramsOf,
  type RowSpec,
} from "./spec.ts";
import {
  JOB_WGSL,
  JOB_WORDS,
  RECORD_WORDS,
  STORAGE_WGSL,
} from "./storage_wgsl.ts";
import { TRANSFORM_WGSL } from "./transform_wgsl.ts";
import { gridOf, type Window, windowsOf } from "./windows.ts";

/** The shader of the row kernels, text by text. */
export const ROW_TEXTS: readonly string[] = [
  JOB_WGSL,
  STORAGE_WGSL,
  EXP_WGSL,
  TRANSFORM_WGSL,
  GATHER_WGSL,
  LOG_SUM_EXP_WGSL,
  GRADIENT_WGSL,
  ROWS_WGSL,
];

/** The buffers of one call in flight. */
export interface RowBuffers {
  jobs: GPUBuffer;
  records: GPUBuffer;
  parts: GPUBuffer | null;
  seams: GPUBuffer | null;
}

/** The step between two `Params` in a uniform buffer. */
const PARAM_STEP = 256;

/** The row kernels of one spec. */
export class RowKernels {
  readonly spec: RowSpec;
  readonly #heap: Heap;
  readonly #layout: GPUBindGroupLayout;
  readonly #pipelines: Map<Entry, GPUComputePipeline>;
  readonly #windows: readonly Window[];
  readonly #params: GPUBuffer;
  readonly #classWeights: GPUBuffer;
  readonly #spare: GPUBuffer;
  readonly #shared: boolean;
  readonly #seams: boolean;
  readonly #blocks: number;

  private constructor(
    heap: Heap,
    spec: RowSpec,
    layout: GPUBindGroupLayout,
    pipelines: Map<Entry, GPUComputePipeline>,
    windows: readonly Window[],
  ) {
    this.spec = spec;
    this.#heap = heap;
    this.#layout = layout;
    this.#pipelines = pipelines;
    this.#windows = windows;
    this.#blocks = blocksOf(spec);
    this.#shared = isShared(spec);
    this.#seams = needsSeams(spec);

    const { device } = heap;
    const { STORAGE, UNIFORM, COPY_DST } = GPUBufferUsage;
    const size = PARAM_STEP * windows.length;
    this.#params = heap.create("params", size, UNIFORM | COPY_DST);
    windows.forEach((window, i) =>
      device.queue.writeBuffer(
        this.#params,
        PARAM_STEP * i,
        paramsOf(spec, window),
      )
    );
    const weights = Float32Array.from(spec.classWeights ?? [1]);
    this.#classWeights = heap.create(
      "class weights",
      weights.byteLength,
      STORAGE | COPY_DST,
    );
    device.queue.writeBuffer(this.#classWeights, 0, weights);
    // what a binding is given that this spec does not use: a stretch for each
    this.#spare = heap.create("spare", 3 * PARAM_STEP, STORAGE);
  }

  /** Compiles the kernels; rejects with what the compiler says. */
  static async compile(heap: Heap, spec: RowSpec): Promise<RowKernels> {
    const { device } = heap;
    const { limits } = device;
    const most = limits.maxStorageBufferBindingSize;
    if (4 * RECORD_WORDS * spec.rows > most) {
      outOfRange(
        "compute loss",
        `rows must be at most ${
          Math.floor(most / (4 * RECORD_WORDS))
        } on this device`,
        spec.rows,
      );
    }
    if (spec.classWeights !== null && 4 * spec.vocabSize > most) {
      outOfRange(
        "compute loss",
        `classWeights.length must be at most ${
          Math.floor(most / 4)
        } on this device`,
        spec.vocabSize,
      );
    }
    const windows = windowsOf(
      spec.rows,
      bytesOfRows(spec),
      Math.min(spec.bindingLimit ?? most, most),
      limits.minStorageBufferOffsetAlignment,
    );
    const entries = entriesOf(spec);
    const { layout, pipelines } = await compilerOf(device).compile(
      spec.texts ?? ROW_TEXTS,
      BINDINGS,
      entries,
      (entry) => constantsFor(entry, spec),
    );
    const byEntry = new Map(entries.map((entry, i) => [entry, pipelines[i]!]));
    return new RowKernels(heap, spec, layout, byEntry, windows);
  }

  /** Bytes of each buffer that one call in flight needs; 0 for none. */
  get bytes(): Record<keyof RowBuffers, number> {
    const { rows } = this.spec;
    const record = 4 * RECORD_WORDS * rows;
    return {
      jobs: 4 * JOB_WORDS * rows,
      records: record,
      parts: this.#shared ? record * this.#blocks : 0,
      seams: this.#seams ? 8 * rows : 0,
    };
  }

  /** The buffers of one call in flight. */
  allocate(): RowBuffers {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const { jobs, records, parts, seams } = this.bytes;
    const make = (label: string, bytes: number) =>
      this.#heap.create(label, bytes, STORAGE | COPY_SRC | COPY_DST);
    return {
      jobs: make("jobs", jobs),
      records: make("records", records),
      parts: parts > 0 ? make("parts", parts) : null,
      seams: seams > 0 ? make("seams", seams) : null,
    };
  }

  /** Puts the kernels into a pass. `made` is the new gradient, where there is one. */
  encode(
    pass: GPUComputePassEncoder,
    buffers: RowBuffers,
    logits: Range,
    made: Range | null,
  ): void {
    this.#windows.forEach((window, i) => {
      pass.setBindGroup(0, this.#bind(window, i, buffers, logits, made));
      const [width, height] = gridOf(window.rows);
      const [across, down] = gridOf(Math.ceil(window.rows / 64));
      const run = (entry: Entry, x: number, y: number, z: number) => {
        const pipeline = this.#pipelines.get(entry);
        if (pipeline === undefined) return;
        pass.setPipeline(pipeline);
        pass.dispatchWorkgroups(x, y, z);
      };
      run("rows", width, height, 1);
      run("blocks", this.#blocks, width, height);
      run("join", across, down, 1);
      run("grads", this.#blocks, width, height);
      run("seal", across, down, 1);
    });
  }

  #bind(
    window: Window,
    index: number,
    buffers: RowBuffers,
    logits: Range,
    made: Range | null,
  ): GPUBindGroup {
    const [rowBytes = 0, madeBytes = 0] = bytesOfRows(this.spec);
    const part = (range: Range, bytes: number): Range => ({
      buffer: range.buffer,
      offset: range.offset + window.first * bytes,
      size: Math.ceil(window.rows * bytes / 4) * 4,
    });
    const spare = (i: number): Range => ({
      buffer: this.#spare,
      offset: PARAM_STEP * i,
      size: PARAM_STEP,
    });
    const optional = (buffer: GPUBuffer | null, i: number) =>
      buffer === null ? spare(i) : whole(buffer);
    const resources: Range[] = [
      part(logits, rowBytes),
      made === null ? spare(0) : part(made, madeBytes),
      whole(buffers.jobs),
      whole(this.#classWeights),
      whole(buffers.records),
      optional(buffers.parts, 1),
      optional(buffers.seams, 2),
      { buffer: this.#params, offset: PARAM_STEP * index, size: PARAM_STEP },
    ];
    return this.#heap.device.createBindGroup({
      layout: this.#layout,
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
  }

  /** Destroys what the kernels own; not the buffers of calls. */
  dispose(): void {
    this.#heap.destroy(this.#params, this.#classWeights, this.#spare);
  }
}

const BINDINGS: readonly GPUBufferBindingType[] = [
  "storage",
  "storage",
  "read-only-storage",
  "read-only-storage",
  "storage",
  "storage",
  "storage",
  "uniform",
];

/**
 * What the GPU benches time: shapes, inputs made on the device, timestamps, and
 * a copy kernel to hold them against.
 *
 * @module
 */
import { BLOCK } from "../src/webgpu/storage_wgsl.ts";

/** One size to time. */
export interface Shape {
  rows: number;
  vocabSize: number;
  dtype: "f32" | "bf16";
}

/** Sizes of a real card: a small vocabulary, a large one, one token, half as many bytes. */
export const FULL: readonly Shape[] = [
  { rows: 4096, vocabSize: 32000, dtype: "f32" },
  { rows: 4096, vocabSize: 32000, dtype: "bf16" },
  { rows: 4096, vocabSize: 128256, dtype: "f32" },
  { rows: 4096, vocabSize: 128256, dtype: "bf16" },
  { rows: 1, vocabSize: 151936, dtype: "f32" },
];

/** Sizes that a software driver finishes with. */
export const SMALL: readonly Shape[] = [
  { rows: 64, vocabSize: 32000, dtype: "f32" },
  { rows: 64, vocabSize: 32000, dtype: "bf16" },
  { rows: 1, vocabSize: 151936, dtype: "f32" },
];

/** Bytes of the logits of a shape. */
export function bytesOf({ rows, vocabSize, dtype }: Shape): number {
  return rows * vocabSize * (dtype === "f32" ? 4 : 2);
}

/** Fills words with logits about 0 of deviation 1.6, as float32 or as pairs of bf16. */
const FILL = (bf16: boolean) => `
@group(0) @binding(0) var<storage, read_write> x: array<u32>;
fn hash(i: u32) -> u32 {
  let z = i * 747796405u + 2891336453u;
  let w = ((z >> ((z >> 28u) + 4u)) ^ z) * 277803737u;
  return (w >> 22u) ^ w;
}
fn logit(i: u32) -> f32 {
  return (f32(hash(i)) + f32(hash(i ^ 0x9e3779b9u)) - 4294967296.0) * 9.3e-10;
}
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
  for (var i = id.x; i < arrayLength(&x); i += n.x * 256u) {
    ${
  bf16
    ? "x[i] = (bitcast<u32>(logit(2u * i)) >> 16u) | (bitcast<u32>(logit(2u * i + 1u)) & 0xffff0000u);"
    : "x[i] = bitcast<u32>(logit(i));"
}
  }
}`;

/** Reads and writes every byte once, four words a thread at a time. */
const COPY = `
@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
  for (var i = id.x; i < arrayLength(&x); i += n.x * 256u) { y[i] = x[i]; }
}`;

/** Workgroups of the kernels above: enough to keep any card busy. */
const GROUPS = 8 * BLOCK;

/** A device, and the clock on it. */
export class GpuClock {
  readonly device: GPUDevice;
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #read: GPUBuffer;

  constructor(device: GPUDevice) {
    if (!device.features.has("timestamp-query")) {
      throw new Error("This device has no timestamp queries");
    }
    const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    this.device = device;
    this.#queries = device.createQuerySet({ type: "timestamp", count: 2 });
    this.#resolved = device.createBuffer({
      size: 16,
      usage: QUERY_RESOLVE | COPY_SRC,
    });
    this.#read = device.createBuffer({
      size: 16,
      usage: MAP_READ | COPY_DST,
    });
  }

  /** Milliseconds of one `encode` on the device: the best and the median of `rounds` passes of `repeats`. */
  async time(
    encode: (pass: GPUComputePassEncoder) => void,
    repeats: number,
    rounds: number,
  ): Promise<{ best: number; median: number }> {
    const times: number[] = [];
    for (let round = -2; round < rounds; round++) {
      const encoder = this.device.createCommandEncoder();
      const pass = encoder.beginComputePass({
        timestampWrites: {
          querySet: this.#queries,
          beginningOfPassWriteIndex: 0,
          endOfPassWriteIndex: 1,
        },
      });
      for (let i = 0; i < repeats; i++) encode(pass);
      pass.end();
      encoder.resolveQuerySet(this.#queries, 0, 2, this.#resolved, 0);
      encoder.copyBufferToBuffer(this.#resolved, 0, this.#read, 0, 16);
      this.device.queue.submit([encoder.finish()]);
      await this.#read.mapAsync(GPUMapMode.READ);
      const [start = 0n, end = 0n] = new BigUint64Array(
        this.#read.getMappedRange(),
      );
      const nanoseconds = Number(end - start);
      this.#read.unmap();
      if (round >= 0) times.push(nanoseconds / 1e6 / repeats);
    }
    times.sort((a, b) => a - b);
    return { best: times[0]!, median: times[times.length >> 1]! };
  }

  /** A dispatch of a small kernel over buffers. */
  async kernel(
    code: string,
    buffers: readonly GPUBuffer[],
  ): Promise<(pass: GPUComputePassEncoder) => void> {
    const module = this.device.createShaderModule({ code });
    const pipeline = await this.device.createComputePipelineAsync({
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    const group = this.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: buffers.map((buffer, binding) => ({
        binding,
        resource: { buffer },
      })),
    });
    return (pass) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(GROUPS);
    };
  }

  /** A buffer of logits, filled on the device. */
  async logits(shape: Shape): Promise<GPUBuffer> {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const buffer = this.device.createBuffer({
      size: Math.ceil(bytesOf(shape) / 16) * 16,
      usage: STORAGE | COPY_SRC | COPY_DST,
    });
    const fill = await this.kernel(FILL(shape.dtype === "bf16"), [buffer]);
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    fill(pass);
    pass.end();
    this.device.queue.submit([encoder.finish()]);
    return buffer;
  }

  /** Bytes a second that a copy kernel reads and writes, over buffers of that size. */
  async copySpeed(
    bytes: number,
    repeats: number,
    rounds: number,
  ): Promise<number> {
    const shape: Shape = { rows: 1, vocabSize: bytes / 4, dtype: "f32" };
    const buffers = [await this.logits(shape), await this.logits(shape)];
    const copy = await this.kernel(COPY, buffers);
    const { best } = await this.time(copy, repeats, rounds);
    for (const buffer of buffers) buffer.destroy();
    return 2 * bytes / (best / 1e3);
  }
}

/** Labels, a tenth of them ignored. */
export function labelsOf({ rows, vocabSize }: Shape): Int32Array {
  return Int32Array.from(
    { length: rows },
    (_, i) => i % 10 === 9 ? -100 : (i * 7919) % vocabSize,
  );
}

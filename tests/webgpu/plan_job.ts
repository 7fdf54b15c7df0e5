/**
 * A batch by way of a plan, with labels, weights and upstream on the device or
 * on the host. Needs nothing of Deno, so that a page has it too.
 *
 * @module
 */
import { readBack } from "../../src/webgpu/handle.ts";
import { type Heap, upload } from "../../src/webgpu/heap.ts";
import {
  type CrossEntropyOptions,
  type GpuBatch,
  type GpuLossResult,
  openGpu,
} from "../../src/webgpu/mod.ts";

/** What is to be computed. */
export interface PlanJob {
  options: CrossEntropyOptions;
  logits: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
  labels: Int32Array<ArrayBuffer>;
  tokenWeights?: Float32Array<ArrayBuffer>;
  upstream?: Float32Array<ArrayBuffer> | number;
  /** Whether labels, weights and upstream live on the device; logits do. */
  onDevice: boolean;
}

/** What came of it. */
export interface PlanAnswer {
  result: GpuLossResult;
  /** The bytes of the gradient in place, or of the logits. */
  gradient: ArrayBuffer;
  /** Buffers of the plan's GPU that were left in the end: none. */
  left: number;
}

/** Runs a job. */
export async function runPlan(heap: Heap, job: PlanJob): Promise<PlanAnswer> {
  const { device } = heap;
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const made: GPUBuffer[] = [];
  const put = (array: ArrayBufferView<ArrayBuffer>): GPUBuffer => {
    const bytes = new Uint8Array(Math.ceil(array.byteLength / 4) * 4);
    bytes.set(
      new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
    );
    const usage = STORAGE | COPY_SRC | COPY_DST;
    const buffer = heap.create("given", bytes.length, usage);
    upload(device, buffer, bytes);
    made.push(buffer);
    return buffer;
  };
  const { labels, tokenWeights, upstream, onDevice } = job;
  const given = <T extends ArrayBufferView<ArrayBuffer>>(array: T) =>
    onDevice ? put(array) : array;
  const logits = put(job.logits);
  const batch: GpuBatch = {
    logits,
    labels: given(labels) as GPUBuffer,
    ...(tokenWeights && { tokenWeights: given(tokenWeights) as GPUBuffer }),
    ...(upstream !== undefined && {
      upstream: typeof upstream === "number"
        ? upstream
        : given(upstream) as GPUBuffer,
    }),
  };
  const gpu = await openGpu({ device });
  const plan = await gpu.crossEntropy(job.options);
  const encoder = device.createCommandEncoder();
  const handle = plan.encode(encoder, batch);
  device.queue.submit([encoder.finish()]);
  const result = await handle.read();
  const [bytes] = await readBack(heap, [logits]);
  gpu.dispose();
  heap.destroy(...made);
  const { byteLength } = job.logits;
  return {
    result,
    gradient: bytes!.slice(0, byteLength),
    left: gpu.buffers.count,
  };
}

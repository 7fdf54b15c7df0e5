/**
 * What tests of plans share: buffers put on the device and read back, and a
 * borrowed device after which none of our buffers may be left.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { LossResult } from "../../mod.ts";
import {
  type CrossEntropyPlan,
  type Gpu,
  type GpuBatch,
  type GpuLossResult,
  openGpu,
} from "../../src/webgpu/mod.ts";
import { assertBits } from "../conformance/bits.ts";
import { gpuTest, type TestGpu } from "./gpu.ts";

const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;

/** A buffer with these contents, for tests to destroy. */
export function put(
  device: GPUDevice,
  array: Float32Array | Int32Array | Uint16Array,
  usage = 0,
): GPUBuffer {
  const size = Math.ceil(array.byteLength / 4) * 4;
  const buffer = device.createBuffer({
    size,
    usage: STORAGE | COPY_SRC | COPY_DST | usage,
  });
  const bytes = new Uint8Array(size);
  bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  // Deno panics at a write of nothing
  if (size > 0) device.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}

/** The bytes of a buffer. */
export async function get(
  device: GPUDevice,
  buffer: GPUBuffer,
): Promise<ArrayBuffer> {
  const { size } = buffer;
  const copy = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const bytes = copy.getMappedRange().slice(0);
  copy.destroy();
  return bytes;
}

/** One test on a borrowed device, after which none of our buffers is left. */
export function planTest(
  name: string,
  test: (gpu: Gpu, device: GPUDevice) => Promise<void>,
): void {
  gpuTest(name, async ({ opened }: TestGpu) => {
    const gpu = await openGpu({ device: opened.device });
    await test(gpu, opened.device);
    gpu.dispose();
    assertEquals(gpu.buffers, { count: 0, bytes: 0 });
  });
}

/** Encodes, submits and reads one batch. */
export async function once(
  plan: CrossEntropyPlan,
  device: GPUDevice,
  batch: GpuBatch,
): Promise<GpuLossResult> {
  const encoder = device.createCommandEncoder();
  const handle = plan.encode(encoder, batch);
  device.queue.submit([encoder.finish()]);
  return await handle.read();
}

/** Asserts that two results agree: counts exactly, sums to 1e-6. */
export function assertClose(
  actual: LossResult,
  expected: LossResult,
  what: string,
): void {
  const counted = (r: LossResult) => [
    r.denominator,
    r.activeTokens,
    r.totalTokens,
    r.nonFiniteRows,
    r.metrics?.correct ?? 0,
  ];
  assertBits(counted(actual), counted(expected), `${what}: counts`);
  const near = (a: number, e: number, name: string) =>
    assert(
      Object.is(a, e) || Math.abs(a - e) <= 1e-6 * Math.max(1, Math.abs(e)),
      `${what}: ${name} ${a}, not ${e}`,
    );
  near(actual.loss, expected.loss, "loss");
  near(actual.sum, expected.sum, "sum");
  near(actual.weightSum, expected.weightSum, "weightSum");
  expected.perToken?.forEach((e, i) => near(actual.perToken![i]!, e, `[${i}]`));
  if (expected.metrics) {
    near(actual.metrics!.nll, expected.metrics.nll, "nll");
    near(actual.metrics!.entropy, expected.metrics.entropy, "entropy");
  }
}

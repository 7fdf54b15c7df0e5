/**
 * Small shaders for tests: one buffer in, the same buffer out.
 *
 * @module
 */
import type { TestGpu } from "./gpu.ts";

/** Runs `main` over a buffer of `words`, one invocation for each group of `step` words, and returns it. */
export async function runShader(
  { opened: { device } }: TestGpu,
  code: string,
  words: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
  step: number,
): Promise<ArrayBuffer> {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module, entryPoint: "main" },
  });
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const size = words.byteLength;
  const buffer = device.createBuffer({
    size,
    usage: STORAGE | COPY_SRC | COPY_DST,
  });
  device.queue.writeBuffer(buffer, 0, words);
  const copy = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer } }],
    }),
  );
  pass.dispatchWorkgroups(Math.ceil(words.length / step / 64));
  pass.end();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const bytes = copy.getMappedRange().slice(0);
  for (const b of [buffer, copy]) b.destroy();
  return bytes;
}

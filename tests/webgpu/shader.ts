/**
 * Small shaders for tests: one buffer in, the same buffer out.
 *
 * @module
 */
import { readBack } from "../../src/webgpu/handle.ts";
import { type Heap, upload, whole } from "../../src/webgpu/heap.ts";

/** Runs `main` over a buffer of `words`, one invocation for each group of `step` words, and returns it. */
export async function runShader(
  heap: Heap,
  code: string,
  words: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
  step: number,
): Promise<ArrayBuffer> {
  const { device } = heap;
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module, entryPoint: "main" },
  });
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const size = words.byteLength;
  const buffer = heap.create("words", size, STORAGE | COPY_SRC | COPY_DST);
  upload(device, buffer, words);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      // the shader sees as many words as there are
      entries: [{ binding: 0, resource: { ...whole(buffer), size } }],
    }),
  );
  pass.dispatchWorkgroups(Math.ceil(words.length / step / 64));
  pass.end();
  device.queue.submit([encoder.finish()]);
  const [bytes] = await readBack(heap, [buffer]);
  heap.destroy(buffer);
  return bytes!.slice(0, size);
}

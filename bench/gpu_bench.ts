/**
 * The GPU and WASM side by side, as a caller on the host meets them: `run()`
 * uploads, waits and reads back. Without a GPU there is nothing to time.
 *
 * @module
 */
import { createLossWorkspace, maskedCrossEntropyGrad } from "../mod.ts";
import { openGpu } from "../src/webgpu/mod.ts";
import { labelsOf } from "./gpu_shapes.ts";

const shape = { rows: 32, vocabSize: 32000 };
const group = `loss and gradient, (${shape.rows}, ${shape.vocabSize})`;
const logits = Float32Array.from(
  { length: shape.rows * shape.vocabSize },
  (_, i) => Math.sin(i) * 3,
);
const labels = labelsOf({ ...shape, dtype: "f32" });

const gpu = await openGpu().catch((error) => {
  console.log(`The GPU is not timed: ${error.message}`);
  return null;
});

const workspace = createLossWorkspace(shape);
const data = workspace.logits as Float32Array;
const expected = maskedCrossEntropyGrad(logits, labels).loss;

Deno.bench(
  { name: "WASM, in place in a workspace", group, baseline: true },
  (b) => {
    data.set(logits);
    b.start();
    maskedCrossEntropyGrad(data, labels, { into: "in-place" });
    b.end();
  },
);

if (gpu !== null) {
  const plan = await gpu.crossEntropy({ ...shape, into: "in-place" });
  const { loss } = await plan.run({ logits: logits.slice(), labels });
  if (!(Math.abs(loss - expected) <= 1e-6)) throw new Error(`loss ${loss}`);
  const copy = new Float32Array(logits.length);
  Deno.bench(
    { name: `${gpu.name}, from the host and back`, group },
    async (b) => {
      copy.set(logits);
      b.start();
      await plan.run({ logits: copy, labels });
      b.end();
    },
  );
  const { device } = gpu;
  const { STORAGE, COPY_DST } = GPUBufferUsage;
  const buffer = device.createBuffer({
    size: logits.byteLength,
    usage: STORAGE | COPY_DST,
  });
  Deno.bench(
    { name: `${gpu.name}, logits that live there, one wait`, group },
    async (b) => {
      device.queue.writeBuffer(buffer, 0, logits);
      await device.queue.onSubmittedWorkDone();
      b.start();
      const encoder = device.createCommandEncoder();
      const handle = plan.encode(encoder, { logits: buffer, labels });
      device.queue.submit([encoder.finish()]);
      await handle.read();
      b.end();
    },
  );
}

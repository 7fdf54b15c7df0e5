/** `./webgpu`, which needs the types of WebGPU: those of TypeScript 7, or of @webgpu/types. */
import { type Gpu, type GpuLossResult, openGpu } from "@sft/loss/webgpu";

export async function run(device: GPUDevice): Promise<GpuLossResult> {
  const gpu: Gpu = await openGpu({ device });
  const plan = await gpu.crossEntropy({ rows: 1, vocabSize: 4 });
  return await plan.run({ logits: new Float32Array(4), labels: [1] });
}
// @ts-expect-error: a device is no number
openGpu({ device: 1 });

/** The example trains on the GPU and reaches the losses of the WASM engine. */
import { assert, assertEquals } from "@std/assert";
import {
  trainOnGpu,
  trainOnHost,
} from "../../examples/webgpu_training_step.ts";
import { gpuTest } from "./gpu.ts";

gpuTest(
  "a training step that never leaves the GPU reaches the losses of WASM",
  async ({ opened }) => {
    const host = trainOnHost();
    const gpu = await trainOnGpu(opened.device);
    assertEquals(gpu.length, host.length);
    gpu.forEach((loss, i) =>
      assert(
        Math.abs(loss - host[i]!) <= 1e-5 * host[i]! + 1e-7,
        `look ${i}: ${loss} on the GPU, ${host[i]} by WASM`,
      )
    );
    assert(host.at(-1)! < host[0]! / 4, `it learns: ${host}`);
  },
);

/**
 * A training step that never leaves the GPU: a model of yours writes logits into
 * a GPUBuffer, the loss turns them into their gradient where they lie, and a
 * kernel of yours descends. Nothing is read back but a few numbers now and then.
 *
 * The model is a table: the logits of the next token are the row of the last one.
 * The same training on the host, with the WASM engine, reaches the same losses.
 *
 *   deno run examples/webgpu_training_step.ts
 *
 * @module
 */
import { IGNORE_INDEX, maskedCrossEntropyGrad } from "../mod.ts";
import { GpuUnavailableError, openGpu } from "../src/webgpu/mod.ts";

/** V, N, the steps, and how far each goes. */
const VOCAB = 96, ROWS = 128, STEPS = 60, RATE = 20;

/** How often the loss is looked at. */
const LOOK = 20;

/** Sentences of a made-up language: each token calls for one of two others. */
function makeBatch(): { ids: Int32Array; labels: Int32Array } {
  const ids = new Int32Array(ROWS);
  for (let t = 1; t < ROWS; t++) {
    ids[t] = (5 * ids[t - 1]! + (t % 3 === 0 ? 7 : 1)) % VOCAB;
  }
  // the next token is the label; every fourth is part of a question, and not trained
  const labels = Int32Array.from(
    { length: ROWS },
    (_, t) => t % 4 === 3 || t === ROWS - 1 ? IGNORE_INDEX : ids[t + 1]!,
  );
  return { ids, labels };
}

const HEAD = `
@group(0) @binding(0) var<storage, read_write> weights: array<f32>;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read> ids: array<i32>;
const VOCAB = ${VOCAB}u;
const ROWS = ${ROWS}u;`;

/** The model: logits [N, V] are rows of the weights [V, V]. */
const FORWARD = `${HEAD}
@compute @workgroup_size(${VOCAB})
fn main(@builtin(workgroup_id) row: vec3<u32>, @builtin(local_invocation_index) k: u32) {
  logits[row.x * VOCAB + k] = weights[u32(ids[row.x]) * VOCAB + k];
}`;

/** The optimiser: each token's weights go down the gradients of its rows, which lie where the logits were. */
const DESCEND = `${HEAD}
@compute @workgroup_size(${VOCAB})
fn main(@builtin(workgroup_id) token: vec3<u32>, @builtin(local_invocation_index) k: u32) {
  var sum = 0.0;
  for (var row = 0u; row < ROWS; row++) {
    if (u32(ids[row]) == token.x) { sum += logits[row * VOCAB + k]; }
  }
  weights[token.x * VOCAB + k] -= ${RATE.toFixed(1)} * sum;
}`;

/** The losses of every {@link LOOK} steps, trained on the GPU. */
export async function trainOnGpu(device?: GPUDevice): Promise<number[]> {
  using gpu = await openGpu(device === undefined ? {} : { device });
  const { queue } = gpu.device;
  const { ids, labels } = makeBatch();

  // your model's own buffers and kernels
  const { STORAGE, COPY_DST } = GPUBufferUsage;
  const make = (words: number, data?: Int32Array<ArrayBuffer>) => {
    const usage = STORAGE | COPY_DST;
    const buffer = gpu.device.createBuffer({ size: 4 * words, usage });
    if (data !== undefined) queue.writeBuffer(buffer, 0, data);
    return buffer;
  };
  const weights = make(VOCAB * VOCAB);
  const logits = make(ROWS * VOCAB);
  const idBuffer = make(ROWS, ids as Int32Array<ArrayBuffer>);
  const labelBuffer = make(ROWS, labels as Int32Array<ArrayBuffer>);
  const kernels = [FORWARD, DESCEND].map((code) => {
    const pipeline = gpu.device.createComputePipeline({
      layout: "auto",
      compute: {
        module: gpu.device.createShaderModule({ code }),
        entryPoint: "main",
      },
    });
    const entries = [weights, logits, idBuffer].map((buffer, binding) => ({
      binding,
      resource: { buffer },
    }));
    const group = gpu.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries,
    });
    return (pass: GPUComputePassEncoder, workgroups: number) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups);
    };
  });
  const [forward, descend] = kernels;

  // the loss: compiled once, for this shape, with its gradient over the logits
  const plan = await gpu.crossEntropy({
    rows: ROWS,
    vocabSize: VOCAB,
    into: "in-place",
  });
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    forward!(pass, ROWS);
    const handle = plan.encode(pass, { logits, labels: labelBuffer });
    descend!(pass, VOCAB);
    pass.end();
    queue.submit([encoder.finish()]);

    // the only wait there is, and only now and then
    if (step % LOOK === 0) losses.push((await handle.read()).loss);
    else handle.release();
  }
  for (const b of [weights, logits, idBuffer, labelBuffer]) b.destroy();
  return losses;
}

/** The same training on the host, with the WASM engine. */
export function trainOnHost(): number[] {
  const { ids, labels } = makeBatch();
  const weights = new Float32Array(VOCAB * VOCAB);
  const logits = new Float32Array(ROWS * VOCAB);
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    ids.forEach((id, row) =>
      logits.set(
        weights.subarray(id * VOCAB, (id + 1) * VOCAB),
        row * VOCAB,
      )
    );
    const { loss } = maskedCrossEntropyGrad(logits, labels, {
      into: "in-place",
    });
    ids.forEach((id, row) => {
      for (let k = 0; k < VOCAB; k++) {
        weights[id * VOCAB + k]! -= RATE * logits[row * VOCAB + k]!;
      }
    });
    if (step % LOOK === 0) losses.push(loss);
  }
  return losses;
}

if (import.meta.main) {
  const host = trainOnHost();
  try {
    const gpu = await trainOnGpu();
    console.log("step   loss on the GPU   loss by WASM");
    host.forEach((loss, i) => {
      const [a, b] = [gpu[i]!, loss].map((x) => x.toFixed(6));
      console.log(`${String(LOOK * i).padStart(4)}   ${a!.padEnd(15)}   ${b}`);
    });
  } catch (error) {
    if (!(error instanceof GpuUnavailableError)) throw error;
    console.log(`${error.message}. By WASM the losses are ${host.join(", ")}`);
  }
}

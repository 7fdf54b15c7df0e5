/**
 * The GPU against itself: forward and gradient in place, timed by timestamps on
 * the device, as shares of what a copy kernel moves in the same process, and the
 * WASM engine beside them. Checked before it is timed. `deno task bench:gpu`
 * writes bench/RESULTS_GPU.md; on a software driver the shapes are small and
 * what no card was there to measure is said to be unmeasured.
 *
 * @module
 */
import { createLossWorkspace, maskedCrossEntropyGrad } from "../mod.ts";
import { maskedCrossEntropyGrad as exactGrad } from "../src/reference/mod.ts";
import { openGpu } from "../src/webgpu/mod.ts";
import type { Gpu } from "../src/webgpu/gpu.ts";
import {
  bytesOf,
  FULL,
  GpuClock,
  labelsOf,
  type Shape,
  SMALL,
} from "./gpu_shapes.ts";
import { machine } from "./harness.ts";

/** What one shape came to. */
interface Row {
  shape: Shape;
  forward: number;
  gradient: number;
  /** Shares of the copy kernel's bytes a second. */
  forwardShare: number;
  gradientShare: number;
  wasm: number | null;
  errors: Errors;
}

const nameOf = ({ rows, vocabSize, dtype }: Shape) =>
  `${rows} x ${vocabSize} ${dtype}`;

/** Errors of a few rows, by the measures of the tests. */
interface Errors {
  /** Of the loss, against float64. */
  loss: number;
  /** Of the gradient, against float64. */
  gradient: number;
  /** Of the gradient, against WASM: |a - b| less 1e-7, relative. */
  wasm: number;
}

/** What is wrong with a few rows, before anything is timed; too much is an error. */
async function verify(
  gpu: Gpu,
  clock: GpuClock,
  shape: Shape,
): Promise<Errors> {
  const { vocabSize, dtype } = shape;
  const small = { vocabSize, dtype, rows: Math.min(4, shape.rows) };
  const { device } = clock;
  const made = await clock.logits(small);
  const { size } = made;
  const { MAP_READ, COPY_DST } = GPUBufferUsage;
  const copy = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(made, 0, copy, 0, size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const bytes = copy.getMappedRange().slice(0, bytesOf(small));
  for (const buffer of [made, copy]) buffer.destroy();

  const logits = dtype === "f32"
    ? new Float32Array(bytes)
    : new Uint16Array(bytes);
  const labels = labelsOf(small);
  const plan = await gpu.crossEntropy({ ...small, into: "new" });
  const found = await plan.run({ logits, labels });
  plan.dispose();
  const exact = exactGrad(logits, labels, { dtype });
  const wasm = maskedCrossEntropyGrad(logits, labels, { dtype }).gradLogits;
  const grad = found.gradLogits!;
  const errors: Errors = {
    loss: Math.abs(found.loss - exact.loss) / Math.max(1, exact.loss),
    gradient: 0,
    wasm: 0,
  };
  for (let row = 0; row < grad.length; row += vocabSize) {
    let top = 0;
    for (let k = row; k < row + vocabSize; k++) {
      top = Math.max(top, Math.abs(exact.gradLogits[k]!));
    }
    for (let k = row; k < row + vocabSize; k++) {
      const a = grad[k]!, e = exact.gradLogits[k]!, w = wasm[k]!;
      if (a === e && a === w) continue;
      const off = Math.abs(a - e) / (Math.abs(e) + 1e-4 * top);
      const beside = Math.abs(a - w) / (Math.abs(w) + 1e-4 * top);
      errors.gradient = Math.max(errors.gradient, off);
      errors.wasm = Math.max(errors.wasm, beside);
    }
  }
  if (!(errors.loss <= 1e-6 && errors.gradient <= 5e-6)) {
    throw new Error(`${nameOf(shape)}: ${JSON.stringify(errors)}`);
  }
  return errors;
}

/** Times one shape. */
async function timeShape(
  gpu: Gpu,
  clock: GpuClock,
  shape: Shape,
  copySpeed: number,
  software: boolean,
): Promise<Row> {
  const errors = await verify(gpu, clock, shape);
  const logits = await clock.logits(shape);
  const { device } = clock;
  const labels = device.createBuffer({
    size: 4 * shape.rows,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(
    labels,
    0,
    labelsOf(shape) as Int32Array<ArrayBuffer>,
  );
  const [repeats, rounds] = software ? [1, 5] : [10, 7];
  const times: number[] = [];
  for (const into of ["none", "in-place"] as const) {
    const plan = await gpu.crossEntropy({ ...shape, into });
    const handles: { release(): void }[] = [];
    const { best } = await clock.time(
      (pass) => {
        // what earlier passes hold was submitted
        if (handles.length >= 32) handles.splice(0).forEach((h) => h.release());
        handles.push(plan.encode(pass, { logits, labels }));
      },
      repeats,
      rounds,
    );
    times.push(best);
    plan.dispose();
  }
  const [forward = NaN, gradient = NaN] = times;
  logits.destroy();
  labels.destroy();
  const bytes = bytesOf(shape);
  const share = (moved: number, ms: number) => moved / (ms / 1e3) / copySpeed;
  return {
    shape,
    forward,
    gradient,
    forwardShare: share(bytes, forward),
    gradientShare: share(2 * bytes, gradient),
    wasm: shape.dtype === "f32" ? timeWasm(shape) : null,
    errors,
  };
}

/** Milliseconds of the WASM engine for a gradient in place, the best of five. */
function timeWasm(shape: Shape): number | null {
  if (bytesOf(shape) > 2 ** 30) return null;
  const workspace = createLossWorkspace({ ...shape, dtype: "f32" });
  const labels = labelsOf(shape);
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    workspace.logits.forEach((_, k) => workspace.logits[k] = k % 7 - 3);
    const start = performance.now();
    maskedCrossEntropyGrad(workspace.logits, labels, { into: "in-place" });
    best = Math.min(best, performance.now() - start);
  }
  workspace.dispose();
  return best;
}

function report(
  name: string,
  software: boolean,
  copySpeed: number,
  rows: readonly Row[],
): string {
  const ms = (x: number | null) => x === null ? "" : `${x.toFixed(3)} ms`;
  const lines = [
    ["shape", "loss", "share", "loss + gradient", "share"]
      .concat("WASM, one thread, loss + gradient")
      .concat("error of the loss", "of the gradient"),
    ...rows.map((row) => [
      nameOf(row.shape),
      ms(row.forward),
      row.forwardShare.toFixed(2),
      ms(row.gradient),
      row.gradientShare.toFixed(2),
      ms(row.wasm),
      row.errors.loss.toExponential(1),
      row.errors.gradient.toExponential(1),
    ]),
  ];
  const kind = software
    ? "This is a driver in software, on the processor named first: its figures show that the bench runs, not how fast a GPU is.\n\n" +
      "**Unmeasured**, for want of a card: the shapes " +
      `${FULL.map(nameOf).join(", ")}; forward (at least 0.80 of the copy ` +
      "kernel's bytes a second, aim 0.90) and loss with gradient (0.75, 0.85) " +
      "at 4096 x 32000; bf16 against f32 (1.7x, 1.9x); PyTorch beside it " +
      "(1.5x, 3x).\n"
    : "";
  return `# Results on a GPU

Adapter: ${name}. Compiler: Deno's naga. ${machine()}.
Times on the device by timestamp queries, the best of several passes: \`deno task bench:gpu\`.
The copy kernel reads and writes ${
    (copySpeed / 1e9).toFixed(1)
  } GB/s. Shares are of that, counting the logits' bytes once for a
loss and twice for a loss with its gradient in place. Errors are against float64, by the measures of the tests; by the same
the gradients of WASM are ${
    Math.max(0, ...rows.map(({ errors }) => errors.wasm)).toExponential(1)
  } apart at most.

${kind}
${table(lines)}
`;
}

/** Markdown, as the formatter would have it. */
function table(lines: readonly string[][]): string {
  const widths = lines[0]!.map((_, k) =>
    Math.max(...lines.map((line) => line[k]!.length))
  );
  const [head, ...body] = lines.map((line) =>
    `| ${line.map((cell, k) => cell.padEnd(widths[k]!)).join(" | ")} |`
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [head, rule, ...body].join("\n");
}

if (import.meta.main) {
  using gpu = await openGpu();
  const software = gpu.fallback !== false;
  console.log(`${gpu.name}${software ? ", software" : ""}`);
  const clock = new GpuClock(gpu.device);
  const copySpeed = await clock.copySpeed(
    software ? 2 ** 26 : 2 ** 30,
    software ? 1 : 10,
    7,
  );
  console.log(`copy kernel: ${(copySpeed / 1e9).toFixed(1)} GB/s`);
  const rows: Row[] = [];
  for (const shape of software ? SMALL : FULL) {
    const row = await timeShape(gpu, clock, shape, copySpeed, software);
    rows.push(row);
    console.log(
      `${nameOf(shape)}: loss ${row.forward.toFixed(3)} ms (${
        row.forwardShare.toFixed(2)
      }), with gradient ${row.gradient.toFixed(3)} ms (${
        row.gradientShare.toFixed(2)
      })`,
    );
  }
  const text = report(gpu.name, software, copySpeed, rows);
  const path = Deno.args[0] ?? "bench/RESULTS_GPU.md";
  await Deno.writeTextFile(path, text);
}

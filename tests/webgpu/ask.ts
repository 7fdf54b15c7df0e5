/**
 * Questions to the row kernels: problems, each with what its gradient is
 * multiplied by and where it goes, and the answers of a GPU. What a GPU is to
 * write is poisoned before. Needs nothing of Deno, so that a page has it too.
 *
 * @module
 */
import type { LossProblem, RowScores } from "../../src/engine.ts";
import { type RowBuffers, RowKernels } from "../../src/webgpu/engine.ts";
import { type Heap, upload, whole } from "../../src/webgpu/heap.ts";
import { jobsOf } from "../../src/webgpu/jobs.ts";
import { scoresOf } from "../../src/webgpu/scores.ts";
import type { Into } from "../../src/webgpu/spec.ts";

/** One question: what the GPU is to compute. */
export interface Question {
  problem: LossProblem;
  coefficients: Float64Array | null;
  into: Into;
  /** As in {@link Way}, for this one. */
  shared?: boolean;
}

/** What the GPU said: scores, and the bytes of the gradient. */
export interface Answer {
  scores: RowScores;
  gradient: ArrayBuffer | null;
}

const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;

/** What a buffer holds before it is written: NaN in every type. */
const POISON = 0xffffffff;

/** Ways to run the kernels that must change no bit. */
export interface Way {
  shared?: boolean;
  bindingLimit?: number;
  texts?: readonly string[];
}

/** The bytes of an array, and of the words it ends in. */
function bytesOf(array: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.ceil(array.byteLength / 4) * 4);
  bytes.set(
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
  );
  return bytes;
}

/** What one question needs on the device. */
interface Asked {
  kernels: RowKernels;
  question: Question;
  buffers: RowBuffers;
  logits: GPUBuffer;
  made: GPUBuffer | null;
  /** Where records and gradient stand in the readback. */
  at: [number, number];
}

/** Puts questions to the GPU, all in one submission; what comes back waits for the answers and reads them all at once. */
export async function submit(
  heap: Heap,
  questions: readonly Question[],
  way: Way = {},
): Promise<() => Promise<Answer[]>> {
  const { device } = heap;
  // a compiler that can compiles them side by side
  const compiled = await Promise.all(questions.map(
    ({ problem, into, shared }) =>
      RowKernels.compile(heap, { shared, ...problem, into, ...way }),
  ));
  const encoder = device.createCommandEncoder();
  let bytes = 0;
  const room = (size: number) => (bytes += size) - size;
  const asked = questions.map((question, i): Asked => {
    const kernels = compiled[i]!;
    const put = encode(heap, encoder, kernels, question);
    const gradient = question.into === "none"
      ? 0
      : (put.made ?? put.logits).size;
    const at: [number, number] = [room(put.buffers.records.size), 0];
    at[1] = room(gradient);
    return { kernels, question, ...put, at };
  });
  const copy = heap.create("copy", bytes, MAP_READ | COPY_DST);
  for (const { question, buffers, logits, made, at } of asked) {
    const { records } = buffers;
    encoder.copyBufferToBuffer(records, 0, copy, at[0], records.size);
    if (question.into === "none") continue;
    const from = made ?? logits;
    encoder.copyBufferToBuffer(from, 0, copy, at[1], from.size);
  }
  device.queue.submit([encoder.finish()]);
  return async () => {
    await copy.mapAsync(GPUMapMode.READ);
    const all = copy.getMappedRange().slice(0);
    heap.destroy(copy);
    return asked.map((one) => answerOf(heap, one, all));
  };
}

/** Puts one question into an encoder, on poisoned buffers. */
function encode(
  heap: Heap,
  encoder: GPUCommandEncoder,
  kernels: RowKernels,
  { problem, coefficients, into }: Question,
): Pick<Asked, "buffers" | "logits" | "made"> {
  const buffers = kernels.allocate();
  const stored = bytesOf(problem.logits as unknown as ArrayBufferView);
  const make = (label: string, size: number) =>
    heap.create(label, size, STORAGE | COPY_SRC | COPY_DST);
  const logits = make("logits", stored.length);
  const made = into === "new"
    ? make("made", 4 * problem.rows * problem.vocabSize)
    : null;
  const { records, parts, seams } = buffers;
  for (const buffer of [records, parts, seams, made]) {
    if (buffer !== null) poison(heap, encoder, buffer);
  }
  upload(heap.device, logits, stored);
  upload(heap.device, buffers.jobs, jobsOf(problem, coefficients));
  const pass = encoder.beginComputePass();
  kernels.encode(pass, buffers, whole(logits), made && whole(made));
  pass.end();
  return { buffers, logits, made };
}

/** One answer out of what was read back; its buffers go. */
function answerOf(
  heap: Heap,
  { kernels, question, buffers, logits, made, at }: Asked,
  all: ArrayBuffer,
): Answer {
  const { problem, into } = question;
  const { rows, vocabSize } = problem;
  heap.destroy(logits, made, ...Object.values(buffers));
  kernels.dispose();
  const length = into === "new"
    ? 4 * rows * vocabSize
    : problem.logits.length * problem.logits.BYTES_PER_ELEMENT;
  return {
    scores: scoresOf(problem, all.slice(at[0], at[0] + 32 * rows)),
    gradient: into === "none" ? null : all.slice(at[1], at[1] + length),
  };
}

let poisoned: { device: GPUDevice; buffer: GPUBuffer } | null = null;

/** Fills a buffer with NaNs, so that what is not written shows. */
function poison(heap: Heap, encoder: GPUCommandEncoder, buffer: GPUBuffer) {
  const step = 1 << 20;
  if (poisoned?.device !== heap.device) {
    const source = heap.create("poison", step, COPY_SRC | COPY_DST);
    const words = new Uint32Array(step / 4).fill(POISON);
    upload(heap.device, source, words);
    poisoned = { device: heap.device, buffer: source };
  }
  for (let at = 0; at < buffer.size; at += step) {
    const size = Math.min(step, buffer.size - at);
    encoder.copyBufferToBuffer(poisoned.buffer, 0, buffer, at, size);
  }
}

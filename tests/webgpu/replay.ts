/**
 * WebGPU as one of the engines, so that the suite of the others judges it, test
 * by test, unchanged. An engine answers at once and a GPU does not; so each test
 * runs twice. The first time every problem is written down and the reference or
 * WASM answers in its place. Then the GPU solves them all. The second time its
 * answers are given, to exactly the same questions: one that differs is an error.
 *
 * @module
 */
import { assert, assertEquals, fail } from "@std/assert";
import type {
  Engine,
  GradTarget,
  LossProblem,
  RowScores,
} from "../../src/engine.ts";
import { halfBits } from "../../src/half.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { WasmEngine } from "../../src/wasm/engine.ts";
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

/** Puts questions to the GPU, all in one submission, and reads all answers at once. */
export async function ask(
  heap: Heap,
  questions: readonly Question[],
  way: Way = {},
): Promise<Answer[]> {
  const { device } = heap;
  const encoder = device.createCommandEncoder();
  let bytes = 0;
  const room = (size: number) => (bytes += size) - size;
  const asked: Asked[] = [];
  for (const question of questions) {
    const { problem, coefficients, into } = question;
    const spec = { ...problem, into, ...way };
    const kernels = await RowKernels.compile(heap, spec);
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
    upload(device, logits, stored);
    upload(device, buffers.jobs, jobsOf(problem, coefficients));
    const pass = encoder.beginComputePass();
    kernels.encode(pass, buffers, whole(logits), made && whole(made));
    pass.end();
    const gradient = into === "none" ? 0 : (made ?? logits).size;
    const at: [number, number] = [room(records.size), room(gradient)];
    asked.push({ kernels, question, buffers, logits, made, at });
  }

  const copy = heap.create("copy", bytes, MAP_READ | COPY_DST);
  for (const { question, buffers, logits, made, at } of asked) {
    const { records } = buffers;
    encoder.copyBufferToBuffer(records, 0, copy, at[0], records.size);
    if (question.into === "none") continue;
    const from = made ?? logits;
    encoder.copyBufferToBuffer(from, 0, copy, at[1], from.size);
  }
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(GPUMapMode.READ);
  const all = copy.getMappedRange().slice(0);
  heap.destroy(copy);
  return asked.map(({ kernels, question, buffers, logits, made, at }) => {
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
  });
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

/** The engine of the first run and of the second. */
export class ReplayEngine implements Engine {
  readonly name = "webgpu";
  readonly maskLabels: Engine["maskLabels"] = referenceEngine.maskLabels;
  readonly exp: Engine["exp"] = referenceEngine.exp;
  readonly #stand = new WasmEngine("simd");
  #questions: Question[] = [];
  #answers: Answer[] | null = null;

  score(problem: LossProblem): RowScores {
    return this.#answer({ problem, coefficients: null, into: "none" }, null);
  }

  differentiate(
    problem: LossProblem,
    coefficients: Float64Array,
    target: GradTarget,
  ): RowScores {
    const into = target.array === problem.logits ? "in-place" : "new";
    return this.#answer({ problem, coefficients, into }, target);
  }

  #answer(question: Question, target: GradTarget | null): RowScores {
    if (this.#answers === null) {
      this.#questions.push(copyOf(question));
      const { problem, coefficients } = question;
      return target === null
        ? this.#stand.score(problem)
        : this.#stand.differentiate(problem, coefficients!, target);
    }
    const asked = this.#questions.shift();
    const answer = this.#answers.shift();
    if (asked === undefined || answer === undefined) {
      fail("The second run asks more than the first");
    }
    assertSame(question, asked);
    if (target !== null) {
      bytes(target.array as Float32Array).set(new Uint8Array(answer.gradient!));
    }
    return answer.scores;
  }

  /** Runs a test twice, with the GPU in between. */
  async run(heap: Heap, test: () => unknown, way: Way): Promise<void> {
    const memory = rememberReference();
    try {
      await this.#run(heap, test, way, memory.replay);
    } finally {
      memory.forget();
    }
  }

  async #run(
    heap: Heap,
    test: () => unknown,
    way: Way,
    replay: () => void,
  ): Promise<void> {
    this.#questions = [];
    this.#answers = null;
    await test();
    replay();
    const questions = this.#questions;
    const answers: Answer[] = [];
    for (let i = 0; i < questions.length; i += 100) {
      answers.push(...await ask(heap, questions.slice(i, i + 100), way));
    }
    this.#answers = answers;
    await test();
    assertEquals(this.#questions.length, 0, "The second run asks less");
    this.#answers = null;
  }
}

/**
 * Keeps what the reference says in the first run for the second: it is slow, and
 * says the same. `replay` begins the second run.
 */
function rememberReference(): { replay: () => void; forget: () => void } {
  const { score, differentiate } = referenceEngine;
  const kept: { scores: RowScores; array: Float64Array | null }[] = [];
  let next: number | null = null;
  const once = (
    compute: () => RowScores,
    target: GradTarget | null,
  ): RowScores => {
    if (next === null) {
      const scores = compute();
      const array = (target?.array as Float64Array | undefined)?.slice();
      kept.push({ scores, array: array ?? null });
      return scores;
    }
    const { scores, array } = kept[next++]!;
    if (array !== null) (target!.array as Float64Array).set(array);
    return scores;
  };
  Object.assign(referenceEngine, {
    score: (problem: LossProblem) => once(() => score(problem), null),
    differentiate: (
      problem: LossProblem,
      coefficients: Float64Array,
      target: GradTarget,
    ) => once(() => differentiate(problem, coefficients, target), target),
  });
  return {
    replay: () => next = 0,
    forget: () => Object.assign(referenceEngine, { score, differentiate }),
  };
}

function bytes(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A question whose arrays nobody else writes. */
function copyOf({ problem, coefficients, into }: Question): Question {
  const { logits, dtype } = problem;
  const own = dtype === "f32"
    ? (logits as Float32Array).slice()
    : halfBits(logits as Uint16Array).slice();
  return {
    problem: { ...problem, logits: own, targets: problem.targets.slice() },
    coefficients: coefficients?.slice() ?? null,
    into,
  };
}

/** Every field of two questions is the same; arrays to the last bit. */
function assertSame(a: Question, b: Question): void {
  assertEquals(a.into, b.into);
  assertArray(a.coefficients, b.coefficients, "coefficients");
  for (const key of Object.keys(b.problem) as (keyof LossProblem)[]) {
    const x = a.problem[key], y = b.problem[key];
    if (ArrayBuffer.isView(y)) assertArray(x, y, key);
    else assertEquals(x, y, key);
  }
}

function assertArray(a: unknown, b: unknown, what: string): void {
  if (a === null || b === null) return assertEquals(a, b, what);
  const x = bytes(a as Float32Array), y = bytes(b as Float32Array);
  let same = x.length === y.length;
  for (let i = 0; same && i < x.length; i++) same = x[i] === y[i];
  assert(same, `The second run has other ${what}`);
}

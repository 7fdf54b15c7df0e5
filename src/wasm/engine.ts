/**
 * The WASM engine: checked problems to kernel calls. Logits that live in its own
 * memory (a workspace's) are used where they are; all others pass through a ring
 * there, a few rows at a time, small enough to stay in cache.
 *
 * @module
 */
import type { LogitsType } from "../contract.ts";
import type {
  Engine,
  EngineName,
  GradTarget,
  LossProblem,
  RowScores,
} from "../engine.ts";
import { smoothingOf, sumClassWeights } from "../reference/normalize.ts";
import type { Build } from "./loader.ts";
import { maskStretches } from "./mask_stretches.ts";
import { align, KernelMemory, ROWS, SLACK } from "./memory.ts";

/** Bytes of the ring. Between the L2 and the L3 cache; 128 KB to 2 MB were measured, 1 to 2 MB were fastest. */
const RING = 1024 * 1024;

/** `F32`, `BF16` and `F16` of assembly/transform.ts. */
export const CODE: Record<LogitsType, number> = { f32: 0, bf16: 1, f16: 2 };

type Stored = Float32Array | Uint16Array;

/** An engine over one instance of one build. */
export class WasmEngine implements Engine {
  declare readonly name: EngineName;
  declare readonly memory: KernelMemory;
  /** How many of the leading weights in memory are 1. */
  #ones = 0;
  /** Whether the kernels are configured without any option. */
  #plain = false;

  constructor(build: Build) {
    this.name = `wasm-${build}`;
    this.memory = new KernelMemory(build);
  }

  maskLabels(
    inputIds: Int32Array,
    spans: Int32Array,
    ignoreIndex: number,
  ): Int32Array {
    return maskStretches(this.memory, inputIds, spans, ignoreIndex);
  }

  score(problem: LossProblem): RowScores {
    return this.#run(problem, null, null);
  }

  differentiate(
    problem: LossProblem,
    coefficients: Float64Array,
    target: GradTarget,
  ): RowScores {
    return this.#run(problem, coefficients, target);
  }

  /** `score` of float32 rows without any option, or null if they are more than one call's; labels are trusted. */
  scorePlain(
    logits: Float32Array,
    labels: Int32Array,
    vocabSize: number,
    ignoreIndex: number,
  ): RowScores | null {
    const { memory } = this;
    const rows = labels.length, at = memory.logitsAt(0);
    if (rows > ROWS) return null;
    memory.reserve(at + 4 * logits.length + SLACK);
    memory.f32.set(logits, at >>> 2);
    for (let i = 0; i < rows; i++) memory.labels[i] = labels[i]!;
    this.#fillOnes(rows);
    if (!this.#plain) {
      memory.kernels.configure(0, 0, 1, 0, 0, 0, 0, 0);
      this.#plain = true;
    }
    memory.kernels.score(at, rows, vocabSize, 4 * vocabSize, 0, ignoreIndex);
    return memory.scores;
  }

  #fillOnes(count: number): void {
    if (this.#ones >= count) return;
    this.memory.weights.fill(1, 0, count);
    this.#ones = count;
  }

  #run(
    problem: LossProblem,
    coefficients: Float64Array | null,
    target: GradTarget | null,
  ): RowScores {
    const { rows, vocabSize, dtype } = problem;
    const logits = problem.logits as Stored;
    const size = dtype === "f32" ? 4 : 2;
    const own = logits.buffer === this.memory.f32.buffer;
    const outType = (target?.dtype ?? "f32") as LogitsType; // float64 is the reference's
    // a new gradient has no padding, so those rows travel without theirs
    const stride = own || target === null
      ? problem.rowStride
      : target.rowStride;
    const rowBytes = stride * size;
    const ring = this.memory.logitsAt(needsTables(problem) ? vocabSize : 0);
    const outBytes = target === null || dtype === "f32"
      ? 0
      : target.rowStride * (outType === "f32" ? 4 : 2);
    let step = Math.min(rows, ROWS);
    if (!own) {
      step = Math.max(
        1,
        Math.min(step, Math.floor(RING / (rowBytes + outBytes))),
      );
      this.memory.reserve(
        ring + align(step * rowBytes) + step * outBytes + SLACK,
      );
    }
    this.#configure(problem);
    const single = rows <= step;
    const scores = single ? this.memory.scores : newScores(rows);
    for (let from = 0; from < rows; from += step) {
      const count = Math.min(step, rows - from);
      this.#load(problem, coefficients, from, count);
      let at = ring;
      if (own) at = logits.byteOffset + from * rowBytes;
      else this.#copyIn(logits, problem, from, count, stride, ring);
      const inPlace = dtype === "f32" || own;
      const out = inPlace ? at : ring + align(step * rowBytes);
      this.memory.kernels.score(
        at,
        count,
        vocabSize,
        rowBytes,
        CODE[dtype],
        problem.ignoreIndex,
        target === null ? 0 : out,
        inPlace ? rowBytes : outBytes,
        CODE[outType],
      );
      if (target !== null && !own) {
        this.#copyOut(target, from, count, out, outType);
      }
      if (!single) copyScores(this.memory.scores, scores, from, count);
    }
    return scores;
  }

  #configure(problem: LossProblem): void {
    const { vocabSize, classWeights } = problem;
    if (classWeights !== null) {
      this.memory.reserve(this.memory.logitsAt(vocabSize) + SLACK);
      this.memory.f64.set(classWeights, this.memory.heap >>> 3);
    }
    this.#plain = false;
    this.memory.kernels.configure(
      smoothingOf(problem),
      problem.zLoss,
      problem.logitScale,
      problem.softcap,
      classWeights === null ? 0 : this.memory.heap,
      sumClassWeights(problem),
      this.memory.heap + 8 * vocabSize,
      problem.metrics ? 1 : 0,
    );
  }

  #load(
    problem: LossProblem,
    coefficients: Float64Array | null,
    from: number,
    count: number,
  ): void {
    const { targets, rowWeights } = problem;
    this.memory.labels.set(targets.subarray(from, from + count));
    if (rowWeights !== null) {
      this.memory.weights.set(rowWeights.subarray(from, from + count));
      this.#ones = 0;
    } else {
      this.#fillOnes(count);
    }
    if (coefficients !== null) {
      this.memory.factors.set(coefficients.subarray(from, from + count));
    }
  }

  /** The memory as elements of a type, and which of them stands at an address. */
  #elements(dtype: LogitsType, at: number): [Stored, number] {
    const { f32, u16 } = this.memory;
    return dtype === "f32" ? [f32, at / 4] : [u16, at / 2];
  }

  #copyIn(
    logits: Stored,
    problem: LossProblem,
    from: number,
    count: number,
    stride: number,
    ring: number,
  ): void {
    const [heap, at] = this.#elements(problem.dtype, ring);
    const { rowStride } = problem;
    if (stride === rowStride) {
      heap.set(
        logits.subarray(from * rowStride, (from + count) * rowStride),
        at,
      );
      return;
    }
    for (let i = 0; i < count; i++) {
      const row = (from + i) * rowStride;
      heap.set(logits.subarray(row, row + stride), at + i * stride);
    }
  }

  #copyOut(
    target: GradTarget,
    from: number,
    count: number,
    out: number,
    outType: LogitsType,
  ): void {
    const [heap, at] = this.#elements(outType, out);
    const length = count * target.rowStride;
    (target.array as Stored).set(
      heap.subarray(at, at + length),
      from * target.rowStride,
    );
  }

  exp(x: number): number {
    return x > 709 ? Infinity : this.memory.kernels.exp_f64(x);
  }
}

/** Whether a row needs class weights, the scratch row, or to be unpacked. */
export function needsTables(problem: LossProblem): boolean {
  return problem.dtype !== "f32" || problem.classWeights !== null ||
    problem.metrics || problem.softcap !== 0 || problem.logitScale !== 1 ||
    problem.labelSmoothing !== 0;
}

function newScores(rows: number): RowScores {
  return {
    perToken: new Float64Array(rows),
    logSumExp: new Float64Array(rows),
    nll: new Float64Array(rows),
    entropy: new Float64Array(rows),
    flags: new Int32Array(rows),
  };
}

function copyScores(
  from: RowScores,
  to: RowScores,
  at: number,
  count: number,
): void {
  for (const name of Object.keys(to) as (keyof RowScores)[]) {
    to[name].set(from[name].subarray(0, count), at);
  }
}

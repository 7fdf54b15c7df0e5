/**
 * The engine of a crew: checked problems to jobs. Logits that lie in the crew's
 * memory (a workspace's) are used where they are; all others pass through it in
 * two batches, one being copied while the threads are at the other.
 *
 * @module
 */
import type {
  Engine,
  EngineName,
  GradTarget,
  LossProblem,
  RowScores,
} from "../engine.ts";
import { exactTerms } from "../reference/exact_sum.ts";
import { sumClassWeights } from "../reference/normalize.ts";
import { CODE, needsTables } from "../wasm/engine.ts";
import type { Build } from "../wasm/loader.ts";
import { align, ROWS } from "../wasm/memory.ts";
import { sharedEngine } from "../wasm/workspace.ts";
import type { Crew } from "./crew.ts";
import type { Job } from "./job.ts";

type Stored = Float32Array | Uint16Array;

/** How many times the work a logit costs on the float64 path, at least. */
const GENERAL = 10;

/** Pieces for each thread, so that at the end none waits long for another. */
const SHARES = 8;

/** Bytes of float32 logits that are not cut further: a thread takes as long to wake as to score them. */
const LEAST = 64 * 1024;

/** An engine over one build of a crew. */
export class CrewEngine implements Engine {
  readonly name: EngineName;
  readonly #crew: Crew;
  readonly #build: Build;

  constructor(crew: Crew, build: Build) {
    this.name = `parallel-${build}`;
    this.#crew = crew;
    this.#build = build;
  }

  /** Bound by memory, and short: the caller's thread does it alone. */
  maskLabels(
    inputIds: Int32Array,
    spans: Int32Array,
    ignoreIndex: number,
  ): Int32Array {
    const engine = sharedEngine(this.#build === "simd");
    return engine.maskLabels(inputIds, spans, ignoreIndex);
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

  exp(x: number): number {
    return x > 709 ? Infinity : this.#crew.kernels(this.#build).exp_f64(x);
  }

  sumTerms(values: Float64Array, count: number): number[] {
    if (count < 2 || !this.#crew.memory.holds(values)) {
      return exactTerms(values, count);
    }
    const kernels = this.#crew.kernels(this.#build);
    kernels.sum_clear();
    const terms = kernels.sum_add(values.byteOffset, count);
    // a value or a partial sum beyond float64: the reference sorts it out
    if (terms < 0) return exactTerms(values, count);
    const { buffer } = this.#crew.memory.f64;
    return exactTerms(
      new Float64Array(buffer, kernels.TERMS.value, terms),
      terms,
    );
  }

  #run(
    problem: LossProblem,
    coefficients: Float64Array | null,
    target: GradTarget | null,
  ): RowScores {
    const { rows, dtype } = problem;
    const logits = problem.logits as Stored;
    const size = dtype === "f32" ? 4 : 2;
    const outType = target === null || target.dtype === "f64"
      ? "f32"
      : target.dtype;
    const { memory } = this.#crew;
    const stays = target === null || target.array === logits;
    const own = stays && memory.holds(logits);
    // a new gradient has no padding, so those rows travel without theirs
    const stride = own || target === null
      ? problem.rowStride
      : target.rowStride;
    const rowBytes = stride * size;
    const inPlace = dtype === "f32" || own;
    const outBytes = target === null
      ? 0
      : inPlace
      ? rowBytes
      : target.rowStride * (outType === "f32" ? 4 : 2);
    const { job, scores } = this.#lay(problem, coefficients);
    job.rowBytes = rowBytes;
    job.outBytes = outBytes;
    job.outType = CODE[outType];
    if (own) {
      job.logits = job.out = logits.byteOffset;
      this.#begin(problem, job);
      this.#crew.finish(this.#build);
      return scores;
    }
    const apart = inPlace ? 0 : outBytes;
    const step = Math.max(
      1,
      Math.min(rows, Math.floor(this.#crew.batchBytes / (rowBytes + apart))),
    );
    const half = align(step * rowBytes) + align(step * apart);
    const room = rows === 0
      ? 0
      : this.#crew.rooms.batches.reserve(half * (step < rows ? 2 : 1));
    let before: Job | null = null;
    for (let from = 0; from < rows; from += step) {
      const count = Math.min(step, rows - from);
      const at = room + ((from / step) & 1) * half;
      this.#copyIn(problem, from, count, stride, at);
      if (before !== null) this.#crew.finish(this.#build);
      const batch = part(job, from, count);
      batch.logits = at;
      batch.out = inPlace ? at : at + align(step * rowBytes);
      this.#begin(problem, batch);
      if (before !== null) this.#copyOut(target, from - step, before);
      before = batch;
    }
    if (before === null) return scores;
    this.#crew.finish(this.#build);
    this.#copyOut(target, rows - before.rows, before);
    return scores;
  }

  /** Puts into memory what threads need to know of every row; a job of all rows, without their logits. */
  #lay(
    problem: LossProblem,
    coefficients: Float64Array | null,
  ): { job: Job; scores: RowScores } {
    const { rows, vocabSize, targets, rowWeights, classWeights } = problem;
    const { memory, rooms, threads } = this.#crew;
    const classBytes = align(8 * vocabSize);
    const scratchBytes = align(8 * (vocabSize + 2)) + align(4 * vocabSize + 32);
    const tables = needsTables(problem)
      ? rooms.classes.reserve(classBytes + threads * scratchBytes)
      : 0;
    const doubles = rooms.rows.reserve(56 * rows), words = doubles + 48 * rows;
    const column = (i: number) => doubles + 8 * i * rows;
    const f64 = (at: number) => new Float64Array(memory.f64.buffer, at, rows);
    const i32 = (at: number) => new Int32Array(memory.i32.buffer, at, rows);
    const weights = f64(column(0));
    if (rowWeights === null) weights.fill(1);
    else weights.set(rowWeights);
    if (coefficients !== null) f64(column(1)).set(coefficients);
    i32(words).set(targets);
    let smoothing = problem.labelSmoothing;
    if (classWeights !== null) {
      memory.f64.set(classWeights, tables >> 3);
      // with no class weight at all both terms are off, [NORM 3]
      if (classWeights.every((c) => c === 0)) smoothing = 0;
    }
    const job: Job = {
      pieces: 0,
      pieceRows: 0,
      rows,
      vocabSize,
      logits: 0,
      rowBytes: 0,
      dtype: CODE[problem.dtype],
      ignoreIndex: problem.ignoreIndex,
      targets: words,
      weights: column(0),
      factors: coefficients === null ? 0 : column(1),
      out: 0,
      outBytes: 0,
      outType: 0,
      perToken: column(2),
      logSumExp: column(3),
      nll: column(4),
      entropy: column(5),
      flags: words + 4 * rows,
      classWeights: classWeights === null ? 0 : tables,
      scratch: tables + classBytes,
      scratchBytes,
      metrics: problem.metrics ? 1 : 0,
      unused: 0,
      smoothing,
      zLoss: problem.zLoss,
      logitScale: problem.logitScale,
      softcap: problem.softcap,
      classTotal: sumClassWeights(problem),
    };
    return {
      job,
      scores: {
        perToken: f64(job.perToken),
        logSumExp: f64(job.logSumExp),
        nll: f64(job.nll),
        entropy: f64(job.entropy),
        flags: i32(job.flags),
      },
    };
  }

  /** Cuts a job into pieces of about equal work, and begins it. */
  #begin(problem: LossProblem, job: Job): void {
    const { metrics, softcap, logitScale, labelSmoothing, zLoss } = problem;
    const plain = !metrics && softcap === 0 && logitScale === 1 &&
      labelSmoothing === 0 && zLoss === 0;
    const cost = 4 * job.vocabSize * (plain ? 1 : GENERAL);
    const { pieceBytes, threads } = this.#crew;
    const share = job.rows * cost / (SHARES * threads);
    const size = Math.min(pieceBytes, Math.max(LEAST, share));
    job.pieceRows = Math.max(1, Math.min(ROWS, Math.floor(size / cost)));
    job.pieces = Math.ceil(job.rows / job.pieceRows);
    this.#crew.begin(this.#build, job);
  }

  #copyIn(
    problem: LossProblem,
    from: number,
    count: number,
    stride: number,
    at: number,
  ): void {
    const { memory } = this.#crew;
    const heap = problem.dtype === "f32" ? memory.f32 : memory.u16;
    const logits = problem.logits as Stored, { rowStride } = problem;
    const to = at / heap.BYTES_PER_ELEMENT;
    if (stride === rowStride) {
      const end = (from + count) * rowStride;
      heap.set(logits.subarray(from * rowStride, end), to);
      return;
    }
    for (let i = 0; i < count; i++) {
      const row = (from + i) * rowStride;
      heap.set(logits.subarray(row, row + stride), to + i * stride);
    }
  }

  #copyOut(target: GradTarget | null, from: number, batch: Job): void {
    if (target === null) return;
    const { memory } = this.#crew;
    const heap = batch.outType === CODE.f32 ? memory.f32 : memory.u16;
    const at = batch.out / heap.BYTES_PER_ELEMENT;
    const rows = heap.subarray(at, at + batch.rows * target.rowStride);
    (target.array as Stored).set(rows, from * target.rowStride);
  }
}

/** The job of some of the rows. */
function part(job: Job, from: number, rows: number): Job {
  return {
    ...job,
    rows,
    targets: job.targets + 4 * from,
    weights: job.weights + 8 * from,
    factors: job.factors === 0 ? 0 : job.factors + 8 * from,
    perToken: job.perToken + 8 * from,
    logSumExp: job.logSumExp + 8 * from,
    nll: job.nll + 8 * from,
    entropy: job.entropy + 8 * from,
    flags: job.flags + 4 * from,
  };
}

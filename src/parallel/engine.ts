/**
 * The engine of a crew: checked problems to jobs. Logits that lie in the crew's
 * memory (a workspace's) are used where they are. All others pass through it
 * a piece at a time: the caller's thread copies as long as there is room, and takes
 * a piece itself when there is none.
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

/** A job before it is begun. */
type Plan = Omit<Job, "first">;

/** How many times the work a logit costs on the float64 path, at least. */
const GENERAL = 10;

/** Pieces for each thread, so that at the end none waits long for another. */
const SHARES = 8;

/** Bytes of float32 logits that are not cut further: a thread takes as long to wake as to score them. */
const LEAST = 64 * 1024;

/** Copies of pieces for each thread: one it is at, one that waits for it, one being made or brought back. */
const COPIES = 3;

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
    const { job, scores } = this.#lay(problem, coefficients);
    job.rowBytes = stride * size;
    job.outBytes = job.rowBytes;
    job.outType = CODE[outType];
    if (own) {
      const pieces = Math.ceil(rows / job.pieceRows);
      job.logits = logits.byteOffset;
      job.places = 0;
      this.#crew.begin(this.#build, job);
      this.#crew.publish(this.#build, pieces, pieces < 2);
      this.#crew.finish(this.#build);
      return scores;
    }
    if (target !== null && dtype !== "f32") {
      job.apart = align(job.pieceRows * job.rowBytes);
      job.outBytes = target.rowStride * (outType === "f32" ? 4 : 2);
    }
    this.#pass(problem, job, target, stride);
    return scores;
  }

  /** Lets rows that lie elsewhere pass through copies, of which there are enough to keep every thread busy. */
  #pass(
    problem: LossProblem,
    job: Plan,
    target: GradTarget | null,
    stride: number,
  ): void {
    const crew = this.#crew, build = this.#build;
    const { memory, threads } = crew;
    const { rows } = problem, { pieceRows } = job;
    const pieces = Math.ceil(rows / pieceRows);
    const bytes = align(pieceRows * job.rowBytes) +
      (job.apart === 0 ? 0 : align(pieceRows * job.outBytes));
    const count = threads === 1 ? 1 : Math.min(pieces, COPIES * threads);
    const room = crew.rooms.copies.reserve(count * bytes);
    const free = Array.from({ length: count }, (_, i) => room + i * bytes);
    let taken: { piece: number; at: number }[] = [];
    crew.begin(build, job);
    for (let next = 0; next < pieces || taken.length > 0;) {
      const seen = crew.progress(build);
      taken = taken.filter(({ piece, at }) => {
        const place = (job.places >> 2) + piece;
        if (Atomics.load(memory.i32, place) !== 0) return true;
        this.#copyOut(target, job, piece, at + job.apart);
        free.push(at);
        return false;
      });
      const at = next < pieces ? free.pop() : undefined;
      if (at !== undefined) {
        this.#copyIn(problem, next * pieceRows, pieceRows, stride, at);
        Atomics.store(memory.i32, (job.places >> 2) + next, at);
        crew.publish(build, 1, pieces < 2);
        taken.push({ piece: next++, at });
      } else if (!crew.step(build) && taken.length > 0) {
        crew.pause(build, seen);
      }
    }
  }

  /** Puts into memory what threads need to know of every row; a job of all rows, without their logits. */
  #lay(
    problem: LossProblem,
    coefficients: Float64Array | null,
  ): { job: Plan; scores: RowScores } {
    const { rows, vocabSize, targets, rowWeights, classWeights } = problem;
    const { memory, rooms, threads } = this.#crew;
    const classBytes = align(8 * vocabSize);
    const scratchBytes = align(8 * (vocabSize + 2)) + align(4 * vocabSize + 32);
    const tables = needsTables(problem)
      ? rooms.classes.reserve(classBytes + threads * scratchBytes)
      : 0;
    const doubles = rooms.rows.reserve(60 * rows), words = doubles + 48 * rows;
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
    const job: Plan = {
      pieceRows: this.#pieceRows(problem),
      rows,
      vocabSize,
      logits: 0,
      rowBytes: 0,
      places: words + 8 * rows,
      dtype: CODE[problem.dtype],
      ignoreIndex: problem.ignoreIndex,
      targets: words,
      weights: column(0),
      factors: coefficients === null ? 0 : column(1),
      apart: 0,
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

  /** How many rows make pieces of about equal work, enough of them. */
  #pieceRows(problem: LossProblem): number {
    const { metrics, softcap, logitScale, labelSmoothing, zLoss } = problem;
    const plain = !metrics && softcap === 0 && logitScale === 1 &&
      labelSmoothing === 0 && zLoss === 0;
    const cost = 4 * problem.vocabSize * (plain ? 1 : GENERAL);
    const { pieceBytes, threads } = this.#crew;
    const share = problem.rows * cost / (SHARES * threads);
    const size = Math.min(pieceBytes, Math.max(LEAST, share));
    return Math.max(1, Math.min(ROWS, Math.floor(size / cost)));
  }

  /** Copies up to `most` rows from `from` on. */
  #copyIn(
    problem: LossProblem,
    from: number,
    most: number,
    stride: number,
    at: number,
  ): void {
    const { memory } = this.#crew;
    const heap = problem.dtype === "f32" ? memory.f32 : memory.u16;
    const logits = problem.logits as Stored, { rowStride } = problem;
    const to = at / heap.BYTES_PER_ELEMENT;
    const count = Math.min(most, problem.rows - from);
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

  #copyOut(
    target: GradTarget | null,
    job: Plan,
    piece: number,
    at: number,
  ): void {
    if (target === null) return;
    const { memory } = this.#crew, { rowStride } = target;
    const heap = job.outType === CODE.f32 ? memory.f32 : memory.u16;
    const from = piece * job.pieceRows;
    const count = Math.min(job.pieceRows, job.rows - from);
    const start = at / heap.BYTES_PER_ELEMENT;
    const rows = heap.subarray(start, start + count * rowStride);
    (target.array as Stored).set(rows, from * rowStride);
  }
}

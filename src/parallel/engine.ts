/**
 * The engine of a crew: checked problems to jobs. Logits that lie in the crew's
 * memory (a workspace's) are used where they are; elsewhere.ts is for
 * all others.
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
import { smoothingOf, sumClassWeights } from "../reference/normalize.ts";
import { CODE, needsTables } from "../wasm/engine.ts";
import type { Build } from "../wasm/loader.ts";
import { align, ROWS } from "../wasm/memory.ts";
import { sharedEngine } from "../wasm/workspace.ts";
import type { Crew } from "./crew.ts";
import { passThrough } from "./elsewhere.ts";
import type { Plan } from "./job.ts";
import { isForTiles, runInTiles, TILE_SLOTS, WIDE } from "./tiles.ts";

type Stored = Float32Array | Uint16Array;

/** How many times the work a logit costs on the float64 path, at least. */
const GENERAL = 10;

/** Pieces for each thread, so that at the end none waits long for another. */
const SHARES = 8;

/** Bytes of float32 logits that are not cut further: 20 µs of scoring, as much as it can cost to wake a thread and to wait for it. */
const LEAST = 256 * 1024;

/** An engine over one build of a crew. */
export class CrewEngine implements Engine {
  readonly name: EngineName;
  readonly #crew: Crew;
  readonly #build: Build;

  readonly #wide: number;

  /** Rows of at least so many columns may be cut; tests ask for fewer. */
  constructor(crew: Crew, build: Build, wide: number = WIDE) {
    this.#wide = wide;
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
    const inTiles = isForTiles(this.#crew.threads, problem, this.#wide);
    const { job, scores } = this.#lay(problem, coefficients, inTiles);
    job.rowBytes = stride * size;
    job.outBytes = job.rowBytes;
    job.outType = CODE[outType];
    if (own) {
      job.logits = logits.byteOffset;
      job.places = job.order = 0;
    } else if (target !== null && dtype !== "f32") {
      job.apart = align(job.pieceRows * job.rowBytes);
      job.outBytes = target.rowStride * (outType === "f32" ? 4 : 2);
    }
    if (inTiles) {
      runInTiles(this.#crew, this.#build, problem, job, target, stride);
    } else if (own) {
      const pieces = Math.ceil(rows / job.pieceRows);
      this.#crew.begin(this.#build, job);
      this.#crew.publish(this.#build, pieces, pieces < 2);
      this.#crew.finish(this.#build);
    } else {
      passThrough(this.#crew, this.#build, problem, job, target, stride);
    }
    return scores;
  }

  /** Puts into memory what threads need to know of every row; a job of all rows, without their logits. */
  #lay(
    problem: LossProblem,
    coefficients: Float64Array | null,
    inTiles: boolean,
  ): { job: Plan; scores: RowScores } {
    const { rows, vocabSize, targets, rowWeights, classWeights } = problem;
    const { memory, rooms, slots } = this.#crew;
    const classBytes = align(8 * vocabSize);
    const scratchBytes = align(8 * (vocabSize + 2)) + align(4 * vocabSize + 32);
    const tables = needsTables(problem)
      ? rooms.classes.reserve(
        classBytes + (inTiles ? TILE_SLOTS : slots) * scratchBytes,
      )
      : 0;
    const doubles = rooms.rows.reserve(64 * rows), words = doubles + 48 * rows;
    const column = (i: number) => doubles + 8 * i * rows;
    const f64 = (at: number) => new Float64Array(memory.f64.buffer, at, rows);
    const i32 = (at: number) => new Int32Array(memory.i32.buffer, at, rows);
    const weights = f64(column(0));
    if (rowWeights === null) weights.fill(1);
    else weights.set(rowWeights);
    if (coefficients !== null) f64(column(1)).set(coefficients);
    i32(words).set(targets);
    if (classWeights !== null) memory.f64.set(classWeights, tables >>> 3);
    const job: Plan = {
      pieceRows: inTiles ? 1 : this.#pieceRows(problem),
      rows,
      vocabSize,
      logits: 0,
      rowBytes: 0,
      places: words + 8 * rows,
      order: words + 12 * rows,
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
      phase: 0,
      smoothing: smoothingOf(problem),
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
}

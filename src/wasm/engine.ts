/**
 * The WASM engine: checked problems to kernel calls. It owns one instance of one
 * build and that instance's memory, drawn here from the heap's base up:
 *
 *     class weights  f64[V]        only where given
 *     scratch        f64[V + 2]    the transformed row (general.ts)
 *     unpacked       f32[V + 8]    a half row as float32
 *     ring           logits, a few rows at a time (and their gradients, if halves)
 *     slack          64 bytes      whole vectors may be read past the last row
 *
 * A workspace (workspace.ts) has an engine of its own, with its logits where the
 * ring would be.
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
import { exactTerms } from "../reference/exact_sum.ts";
import { type Build, instantiate, type Kernels } from "./loader.ts";

/** Rows per kernel call; `ROWS` of assembly/memory.ts. */
const ROWS = 1024;

/** Bytes of the ring: it should stay in a core's L2 cache, with room for what else is read. */
const RING = 512 * 1024;

/** Readable bytes above the last row. */
const SLACK = 64;

const PAGE = 65536;
const MAX_PAGES = 65536;

/** Tokens per call of the mask kernel: 8 MB of ids and labels. */
const MASK_TOKENS = 1 << 20;

const CODE: Record<LogitsType, number> = { f32: 0, bf16: 1, f16: 2 };

type Stored = Float32Array | Uint16Array;

/** Bytes of the region below the ring, for rows of V values. */
export function rowTablesSize(vocabSize: number): number {
  return align(8 * vocabSize + 8 * (vocabSize + 2) + 4 * (vocabSize + 8));
}

function align(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/** An engine over one instance of one build. */
export class WasmEngine implements Engine {
  readonly name: EngineName;
  readonly #kernels: Kernels;
  readonly #heap: number;
  #bytes = 0;
  #f32!: Float32Array;
  #u16!: Uint16Array;
  #i32!: Int32Array;
  #f64!: Float64Array;
  #labels!: Int32Array;
  #weights!: Float64Array;
  #factors!: Float64Array;
  #terms!: Float64Array;
  #scores!: RowScores;
  /** How many of the leading weights are 1. */
  #ones = 0;

  constructor(build: Build) {
    this.name = build === "simd" ? "wasm-simd" : "wasm-relaxed";
    this.#kernels = instantiate(build);
    this.#heap = align(this.#kernels.heap_base());
    this.#view();
  }

  /** The memory behind the engine, to tell its own arrays from foreign ones. */
  get buffer(): ArrayBufferLike {
    return this.#f32.buffer;
  }

  /** The first byte of the region below the ring. */
  get heap(): number {
    return this.#heap;
  }

  /** Makes sure that `bytes` bytes of memory exist. Growing detaches all views. */
  reserve(bytes: number): void {
    if (bytes <= this.#bytes) return;
    const pages = Math.ceil(bytes / PAGE);
    const missing = pages - this.#bytes / PAGE;
    if (pages > MAX_PAGES) {
      throw new RangeError(
        `Cannot hold ${bytes} bytes in WASM memory as it must be at most 4 GiB: use fewer rows or a smaller vocabulary at a time`,
      );
    }
    try {
      this.#kernels.memory.grow(missing);
    } catch (cause) {
      throw new RangeError(
        `Cannot reserve ${bytes} bytes of WASM memory: use fewer rows at a time`,
        { cause },
      );
    }
    this.#view();
  }

  #view(): void {
    const { memory, LABELS, WEIGHTS, FACTORS, TERMS } = this.#kernels;
    const { PER_TOKEN, LSE, NLL, ENTROPY, FLAGS } = this.#kernels;
    const buffer = memory.buffer;
    const f64 = (at: WebAssembly.Global) =>
      new Float64Array(buffer, at.value, ROWS);
    const i32 = (at: WebAssembly.Global) =>
      new Int32Array(buffer, at.value, ROWS);
    this.#bytes = buffer.byteLength;
    this.#f32 = new Float32Array(buffer);
    this.#u16 = new Uint16Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#labels = i32(LABELS);
    this.#weights = f64(WEIGHTS);
    this.#factors = f64(FACTORS);
    this.#terms = new Float64Array(buffer, TERMS.value, 64);
    this.#scores = {
      perToken: f64(PER_TOKEN),
      logSumExp: f64(LSE),
      nll: f64(NLL),
      entropy: f64(ENTROPY),
      flags: i32(FLAGS),
    };
  }

  maskLabels(
    inputIds: Int32Array,
    spans: Int32Array,
    ignoreIndex: number,
  ): Int32Array {
    const labels = new Int32Array(inputIds.length);
    for (let from = 0; from < labels.length; from += MASK_TOKENS) {
      const count = Math.min(MASK_TOKENS, labels.length - from);
      const ids = this.#heap >> 2, out = ids + count, table = out + count;
      this.reserve((table + spans.length) * 4 + SLACK);
      // the spans that reach into this stretch of ids, in its own coordinates
      let at = table;
      for (let i = 0; i < spans.length; i += 2) {
        const start = Math.max(spans[i]! - from, 0);
        const end = Math.min(spans[i + 1]! - from, count);
        if (start >= end) continue;
        this.#i32[at++] = start;
        this.#i32[at++] = end;
      }
      this.#i32.set(inputIds.subarray(from, from + count), ids);
      this.#kernels.mask(
        ids << 2,
        count,
        table << 2,
        (at - table) >> 1,
        ignoreIndex,
        out << 2,
      );
      labels.set(this.#i32.subarray(out, out + count), from);
    }
    return labels;
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

  #run(
    problem: LossProblem,
    coefficients: Float64Array | null,
    target: GradTarget | null,
  ): RowScores {
    const { rows, vocabSize, dtype } = problem;
    const logits = problem.logits as Stored;
    const size = dtype === "f32" ? 4 : 2;
    const own = logits.buffer === this.#f32.buffer;
    const outType = target === null || target.dtype === "f64"
      ? "f32"
      : target.dtype;
    // rows travel without their padding unless the gradient needs it back
    const stride = own
      ? problem.rowStride
      : target === null
      ? problem.rowStride
      : target.rowStride;
    const rowBytes = stride * size;
    const ring = this.#heap + rowTablesSize(vocabSize);
    const outBytes = target === null || dtype === "f32"
      ? 0
      : target.rowStride * (outType === "f32" ? 4 : 2);
    let step = Math.min(rows, ROWS);
    if (!own) {
      step = Math.max(
        1,
        Math.min(step, Math.floor(RING / (rowBytes + outBytes))),
      );
      this.reserve(ring + align(step * rowBytes) + step * outBytes + SLACK);
    }
    this.#configure(problem);
    const single = rows <= step;
    const scores = single ? this.#scores : newScores(rows);
    for (let from = 0; from < rows; from += step) {
      const count = Math.min(step, rows - from);
      this.#load(problem, coefficients, from, count);
      let at = ring;
      if (own) at = logits.byteOffset + from * rowBytes;
      else this.#copyIn(logits, problem, from, count, stride, ring);
      if (target === null) {
        this.#kernels.score(
          at,
          count,
          vocabSize,
          rowBytes,
          CODE[dtype],
          problem.ignoreIndex,
        );
      } else {
        const inPlace = dtype === "f32" || own;
        const out = inPlace ? at : ring + align(step * rowBytes);
        this.#kernels.differentiate(
          at,
          count,
          vocabSize,
          rowBytes,
          CODE[dtype],
          problem.ignoreIndex,
          out,
          inPlace ? rowBytes : outBytes,
          CODE[outType],
        );
        if (!own) this.#copyOut(target, from, count, out, outType);
      }
      if (!single) copyScores(this.#scores, scores, from, count);
    }
    return scores;
  }

  #configure(problem: LossProblem): void {
    const { vocabSize, classWeights } = problem;
    let total = vocabSize, smoothing = problem.labelSmoothing;
    if (classWeights !== null) {
      this.reserve(this.#heap + rowTablesSize(vocabSize) + SLACK);
      this.#f64.set(classWeights, this.#heap >> 3);
      total = 0;
      for (let k = 0; k < vocabSize; k++) total += classWeights[k]!;
      // with no class weight at all both terms are off, [NORM 3]
      if (classWeights.every((c) => c === 0)) smoothing = 0;
    }
    this.#kernels.configure(
      smoothing,
      problem.zLoss,
      problem.logitScale,
      problem.softcap,
      classWeights === null ? 0 : this.#heap,
      total,
      this.#heap + 8 * vocabSize,
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
    if (count === 1) this.#labels[0] = targets[from]!;
    else this.#labels.set(targets.subarray(from, from + count));
    if (rowWeights !== null) {
      this.#weights.set(rowWeights.subarray(from, from + count));
      this.#ones = 0;
    } else if (this.#ones < count) {
      this.#weights.fill(1, 0, count);
      this.#ones = count;
    }
    if (coefficients !== null) {
      this.#factors.set(coefficients.subarray(from, from + count));
    }
  }

  #copyIn(
    logits: Stored,
    problem: LossProblem,
    from: number,
    count: number,
    stride: number,
    ring: number,
  ): void {
    const heap = problem.dtype === "f32" ? this.#f32 : this.#u16;
    const at = ring / heap.BYTES_PER_ELEMENT;
    const { rowStride, rows } = problem;
    if (stride === rowStride) {
      heap.set(
        count === rows
          ? logits
          : logits.subarray(from * rowStride, (from + count) * rowStride),
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
    const heap = outType === "f32" ? this.#f32 : this.#u16;
    const at = out / heap.BYTES_PER_ELEMENT;
    const length = count * target.rowStride;
    (target.array as Stored).set(
      heap.subarray(at, at + length),
      from * target.rowStride,
    );
  }

  sumTerms(values: Float64Array, count: number): number[] {
    if (count < 2) return exactTerms(values, count);
    const { sum_add, sum_clear } = this.#kernels;
    const own = values.buffer === this.#f64.buffer;
    if (!own) this.reserve(this.#heap + 8 * ROWS);
    sum_clear();
    let terms = 0;
    for (let from = 0; from < count && terms >= 0; from += ROWS) {
      const length = Math.min(ROWS, count - from);
      if (!own) {
        this.#f64.set(values.subarray(from, from + length), this.#heap >> 3);
      }
      terms = sum_add(own ? values.byteOffset : this.#heap, length);
    }
    // a value or a partial sum beyond float64: the reference sorts it out
    if (terms < 0) return exactTerms(values, count);
    return exactTerms(this.#terms, terms);
  }
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
  to.perToken.set(from.perToken.subarray(0, count), at);
  to.logSumExp.set(from.logSumExp.subarray(0, count), at);
  to.nll.set(from.nll.subarray(0, count), at);
  to.entropy.set(from.entropy.subarray(0, count), at);
  to.flags.set(from.flags.subarray(0, count), at);
}

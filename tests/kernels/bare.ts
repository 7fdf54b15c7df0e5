/**
 * The kernels alone: an instance whose memory the test owns. All of it that no
 * kernel may touch is poisoned, and looked at again afterwards. The poison,
 * 0x7fff7fff, is a NaN as float32, as float64 and as either half, and none that
 * a kernel makes: who reads it spoils his result, who writes over it is seen.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  type Build,
  fastestBuild,
  instantiate,
  type Kernels,
} from "../../src/wasm/loader.ts";
import { tablesOf } from "../../src/wasm/memory.ts";

/** Every word that is not in use. */
export const POISON = 0x7fff7fff;

/** Rows per call; `ROWS` of assembly/memory.ts. */
export const ROWS = 1024;

/** dtypes as the kernels count them. */
export const F32 = 0, BF16 = 1, F16 = 2;

/** The row tables the kernels write, and the words of one entry. */
const TABLES = {
  GATHERED: 2,
  PER_TOKEN: 2,
  LSE: 2,
  NLL: 2,
  ENTROPY: 2,
  FLAGS: 1,
} as const;

/** What `row_sum` and `row_exponentials` found, and the row afterwards. */
export interface RowResult {
  reference: number;
  others: number;
  row: Float32Array;
}

/** The kernels with those of one row among them, which are not shipped: `assembly/alone.ts`. */
export interface AloneKernels extends Kernels {
  row_sum(x: number, vocabSize: number, labelAt: number): void;
  row_exponentials(x: number, vocabSize: number, labelAt: number): void;
  set_row(reference: number, others: number): void;
  settle(own: number): void;
  /** 0 reference, 1 others, 2 nll, 3 log_sum_exp, 4 mass, 5 total. */
  row_value(which: number): number;
}

/** An instance of a build with every kernel alone. */
export function instantiateAlone(build: Build): AloneKernels {
  const url = new URL(`kernels_alone_${build}.wasm`, import.meta.url);
  const module = new WebAssembly.Module(Deno.readFileSync(url));
  return new WebAssembly.Instance(module).exports as unknown as AloneKernels;
}

/** One instance of one build. */
export class Bare<K extends Kernels = Kernels> {
  readonly build: Build;
  readonly kernels: K;
  /** The first byte that is free, a multiple of 64. */
  readonly base: number;
  /** The size of the memory, in bytes. */
  readonly end: number;
  readonly #words: Uint32Array;

  constructor(build: Build, kernels: K, bytes = 65536) {
    this.build = build;
    this.kernels = kernels;
    const { memory } = this.kernels;
    this.base = Math.ceil(this.kernels.heap_base() / 64) * 64;
    const missing = this.base + bytes - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    this.end = memory.buffer.byteLength;
    this.#words = new Uint32Array(memory.buffer);
    this.poison();
  }

  /** Poisons the free memory and the tables the kernels write. */
  poison(): void {
    this.#words.fill(POISON, this.base >> 2);
    for (const [name, size] of Object.entries(TABLES)) {
      const at = this.#table(name) >> 2;
      this.#words.fill(POISON, at, at + ROWS * size);
    }
  }

  /** Fails unless the free memory but `regions` ([from, to), bytes, multiples of 2) and the tables from `rows` on are poison. */
  assertUntouched(regions: [number, number][], rows = 0): void {
    const sorted = [...regions].sort((a, b) => a[0] - b[0]);
    let from = this.base;
    for (const [start, stop] of [...sorted, [this.end, 0] as const]) {
      this.#assertPoison(from, start, "memory");
      from = Math.max(from, stop);
    }
    for (const [name, size] of Object.entries(TABLES)) {
      const at = this.#table(name);
      this.#assertPoison(at + rows * size * 4, at + ROWS * size * 4, name);
    }
  }

  #assertPoison(from: number, to: number, where: string): void {
    const halves = new Uint16Array(this.#words.buffer);
    const at = (byte: number) =>
      `${where}, byte ${byte} of [${from}, ${to}) is untouched [${this.build}]`;
    let byte = from;
    for (; byte < to && byte % 4 !== 0; byte += 2) {
      if (halves[byte >> 1] !== 0x7fff) assertEquals("written", at(byte));
    }
    for (; byte + 4 <= to; byte += 4) {
      if (this.#words[byte >> 2] !== POISON) assertEquals("written", at(byte));
    }
    if (byte < to && halves[byte >> 1] !== 0x7fff) {
      assertEquals("written", at(byte));
    }
  }

  #table(name: string): number {
    const { scores, ...given } = tablesOf(this.kernels);
    const table = {
      LABELS: given.labels,
      WEIGHTS: given.weights,
      FACTORS: given.factors,
      GATHERED: given.gathered,
      PER_TOKEN: scores.perToken,
      LSE: scores.logSumExp,
      NLL: scores.nll,
      ENTROPY: scores.entropy,
      FLAGS: scores.flags,
    }[name]!;
    assert(table.byteOffset + table.byteLength <= this.kernels.heap_base());
    return table.byteOffset;
  }

  /** A view of the memory. */
  f32(at: number, count: number): Float32Array {
    return new Float32Array(this.#words.buffer, at, count);
  }
  /** A view of the memory. */
  u16(at: number, count: number): Uint16Array {
    return new Uint16Array(this.#words.buffer, at, count);
  }
  /** A view of the memory. */
  i32(at: number, count: number): Int32Array {
    return new Int32Array(this.#words.buffer, at, count);
  }
  /** A view of the memory. */
  f64(at: number, count: number): Float64Array {
    return new Float64Array(this.#words.buffer, at, count);
  }

  /** A view of a table of float64. */
  table(
    name: Exclude<keyof typeof TABLES, "FLAGS"> | "WEIGHTS" | "FACTORS",
  ): Float64Array {
    return this.f64(this.#table(name), ROWS);
  }
  /** A view of a table of int32. */
  integers(name: "LABELS" | "FLAGS"): Int32Array {
    return this.i32(this.#table(name), ROWS);
  }

  /** No options but these; the scratch at `scratch`. */
  configure(
    scratch: number,
    options: {
      smoothing?: number;
      zLoss?: number;
      logitScale?: number;
      softcap?: number;
      classWeights?: number;
      classTotal?: number;
      metrics?: boolean;
    } = {},
  ): void {
    this.kernels.configure(
      options.smoothing ?? 0,
      options.zLoss ?? 0,
      options.logitScale ?? 1,
      options.softcap ?? 0,
      options.classWeights ?? 0,
      options.classTotal ?? 0,
      scratch,
      options.metrics ? 1 : 0,
    );
  }

  /** One row through a kernel, poison around it; a `label` outside the row excludes nothing. */
  runRow(
    this: Bare<AloneKernels>,
    kernel: "row_sum" | "row_exponentials",
    values: ArrayLike<number>,
    label: number,
    at: number = this.base + 4096,
  ): RowResult {
    const { kernels } = this;
    this.poison();
    const row = this.f32(at, values.length);
    row.set(values);
    kernels[kernel](at, values.length, at + 4 * label);
    this.assertUntouched([[at, at + 4 * values.length]]);
    return {
      reference: kernels.row_value(0),
      others: kernels.row_value(1),
      row: row.slice(),
    };
  }
}

/** One test per build that is shipped; the relaxed one is skipped where this machine would not choose it. */
export function onBuilds(
  name: string,
  test: (bare: Bare) => void,
  bytes?: number,
): void {
  onEach(name, (build) => test(new Bare(build, instantiate(build), bytes)));
}

/** The same with every kernel alone. */
export function onAlone(
  name: string,
  test: (bare: Bare<AloneKernels>) => void,
  bytes?: number,
): void {
  onEach(
    name,
    (build) => test(new Bare(build, instantiateAlone(build), bytes)),
  );
}

function onEach(name: string, test: (build: Build) => void): void {
  for (const build of ["simd", "relaxed"] as const) {
    const skip = build === "relaxed" && fastestBuild() !== "relaxed";
    Deno.test({
      name: `${name} [${build}${skip ? ": this machine does not fuse" : ""}]`,
      ignore: skip,
      fn: () => test(build),
    });
  }
}

/** The float32 with these bits. */
export function floatOf(bits: number): number {
  words[0] = bits;
  return floats[0]!;
}
/** The bits of a float32. */
export function bitsOf(value: number): number {
  floats[0] = value;
  return words[0]!;
}
const floats = new Float32Array(1);
const words = new Uint32Array(floats.buffer);

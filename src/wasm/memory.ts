/**
 * The linear memory of one kernel instance, and the host's views of it. The
 * kernels own what lies below `heap` (assembly/memory.ts draws it); the host
 * owns the rest, drawn here from `heap` up for rows of V values:
 *
 *     class weights  f64[V]        only where given
 *     scratch        f64[V + 2]    the transformed row (assembly/general.ts)
 *     unpacked       f32[V + 8]    a half row as float32
 *     logits         a ring that a few rows at a time pass through, or a workspace
 *     slack          64 bytes      whole vectors may be read past the last row
 *
 * @module
 */
import type { RowScores } from "../engine.ts";
import { type Build, instantiate, type Kernels } from "./loader.ts";

/** Rows per kernel call; `ROWS` of assembly/memory.ts. */
export const ROWS = 1024;

/** Readable bytes above the last row. */
export const SLACK = 64;

const PAGE = 65536;

/** 4 GiB less one page: no end of a block may wrap around to address 0. */
const MAX_PAGES = 65535;

/** `bytes`, up to the next multiple of 64. */
export function align(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/** Bytes of the three regions below the logits. */
export function rowTablesSize(vocabSize: number): number {
  return align(8 * vocabSize + 8 * (vocabSize + 2) + 4 * (vocabSize + 8));
}

/** A kernel instance with its memory and the views of it. */
export class KernelMemory implements Omit<Tables, "gathered"> {
  declare readonly kernels: Kernels;
  /** The first byte of the host's part. */
  declare readonly heap: number;
  declare f32: Float32Array;
  declare u16: Uint16Array;
  declare i32: Int32Array;
  declare f64: Float64Array;
  declare labels: Int32Array;
  declare weights: Float64Array;
  declare factors: Float64Array;
  declare scores: RowScores;
  #bytes = 0;

  constructor(build: Build) {
    this.kernels = instantiate(build);
    this.heap = align(this.kernels.heap_base());
    this.#view();
  }

  /** The address of the logits, for rows of V values. */
  logitsAt(vocabSize: number): number {
    return this.heap + rowTablesSize(vocabSize);
  }

  /** Makes sure that `bytes` bytes exist. Growing detaches every earlier view. */
  reserve(bytes: number): void {
    if (bytes <= this.#bytes) return;
    const pages = Math.ceil(bytes / PAGE);
    const refuse = (why: string, cause?: unknown) => {
      throw new RangeError(
        `Cannot reserve ${bytes} bytes of WASM memory, ${why}: use fewer rows at a time, or shorter ones`,
        { cause },
      );
    };
    if (pages > MAX_PAGES) refuse("which must stay below 4 GiB");
    try {
      this.kernels.memory.grow(pages - this.#bytes / PAGE);
    } catch (cause) {
      refuse("the machine has no more", cause);
    }
    this.#view();
  }

  #view(): void {
    const { buffer } = this.kernels.memory;
    this.#bytes = buffer.byteLength;
    this.f32 = new Float32Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    Object.assign(this, tablesOf(this.kernels));
  }
}

/** The row tables, [ROWS] each: what a call reads, and what it writes. */
export interface Tables {
  labels: Int32Array;
  weights: Float64Array;
  factors: Float64Array;
  /** The labels' logits. */
  gathered: Float64Array;
  scores: RowScores;
}

/** Views of the row tables, which lie one behind the other in this order (assembly/memory.ts). */
export function tablesOf({ memory: { buffer }, LABELS }: Kernels): Tables {
  let at: number = LABELS.value;
  const next = <T extends Int32Array | Float64Array>(
    kind: new (buffer: ArrayBufferLike, at: number, length: number) => T,
  ) => {
    const table = new kind(buffer, at, ROWS);
    at += table.byteLength;
    return table;
  };
  return {
    labels: next(Int32Array),
    weights: next(Float64Array),
    factors: next(Float64Array),
    gathered: next(Float64Array),
    scores: {
      perToken: next(Float64Array),
      logSumExp: next(Float64Array),
      nll: next(Float64Array),
      entropy: next(Float64Array),
      flags: next(Int32Array),
    },
  };
}

/**
 * The builds for threads: modules that take their memory, and where in it their
 * tables and their job lie, from outside. Compiled on first use, once.
 *
 * @module
 */
import { decode } from "../wasm/inlined.ts";
import type { Build, Kernels } from "../wasm/loader.ts";
import { KERNELS_THREADS_RELAXED } from "./kernels_threads_relaxed_wasm.ts";
import { KERNELS_THREADS_SIMD } from "./kernels_threads_simd_wasm.ts";

/** What `assembly/parallel.ts` exports beside the kernels. */
export interface ThreadKernels extends Kernels {
  /** Takes one piece of this build's job and does it; 0 where there was none. */
  step(): number;
  /** Does a piece that is not given out, counted from the job's first. */
  own(piece: number): void;
  /** What a thread does alone after a phase of a row in tiles: the next phase, or 0 where the row is done. */
  after(): number;
  /** Bytes of one thread's tables. */
  table_bytes(): number;
}

/** What an instance is told; addresses are bytes. */
export interface ThreadPlace {
  /** The thread's number. */
  index: number;
  /** Where its tables are. */
  tables: number;
  /** Where the job of its build is. */
  job: number;
}

const compiled: { simd?: WebAssembly.Module; relaxed?: WebAssembly.Module } =
  {};

/** The module of a build. */
export function threadModule(build: Build): WebAssembly.Module {
  const text = build === "simd"
    ? KERNELS_THREADS_SIMD
    : KERNELS_THREADS_RELAXED;
  return compiled[build] ??= new WebAssembly.Module(decode(text));
}

/** An instance for one thread. */
export function instantiateThread(
  build: Build,
  memory: WebAssembly.Memory,
  place: ThreadPlace,
): ThreadKernels {
  const { exports } = new WebAssembly.Instance(threadModule(build), {
    env: { memory },
    thread: { ...place },
  });
  return exports as unknown as ThreadKernels;
}

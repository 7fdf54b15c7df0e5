/**
 * From inlined bytes to running kernels: which build, compiled when. Compilation
 * is synchronous and happens on first use, so importing the library does nothing.
 *
 * @module
 */
// First, so that bundles begin with them: amid code they would take 250 bytes more
// of a download, for gzip codes what lies together alike.
import { KERNELS_RELAXED } from "./kernels_relaxed_wasm.ts";
import { KERNELS_SIMD } from "./kernels_simd_wasm.ts";
import { optional, optionsReader, type Reader, wrongKind } from "../checks.ts";
import type { InitOptions } from "../contract.ts";
import { decode } from "./inlined.ts";

/** The two builds of `assembly/`: fixed-width SIMD, and relaxed SIMD with fused multiply-add. */
export type Build = "simd" | "relaxed";

/** What `assembly/index.ts` exports; addresses are bytes from the start of memory. */
export interface Kernels {
  memory: WebAssembly.Memory;
  heap_base(): number;
  exp_f64(x: number): number;
  fuses(): number;
  relaxed(): number;
  mask(
    ids: number,
    count: number,
    spans: number,
    spanCount: number,
    ignoreIndex: number,
    labels: number,
  ): void;
  gather(
    logits: number,
    rows: number,
    vocabSize: number,
    rowBytes: number,
    dtype: number,
    ignoreIndex: number,
  ): void;
  configure(
    smoothing: number,
    zLoss: number,
    logitScale: number,
    softcap: number,
    classWeights: number,
    classTotal: number,
    scratch: number,
    metrics: number,
  ): void;
  score(
    logits: number,
    rows: number,
    vocabSize: number,
    rowBytes: number,
    dtype: number,
    ignoreIndex: number,
    /** Where the gradient goes, if one is wanted. */
    out?: number,
    outBytes?: number,
    outType?: number,
  ): void;
  /** Where the row tables begin, see `tablesOf`. */
  LABELS: WebAssembly.Global;
}

/** (func unreachable f32x4.relaxed_madd drop), the smallest module that needs relaxed SIMD: behind `unreachable` operands need not be there. */
// deno-fmt-ignore
const RELAXED_PROBE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version
  0x01, 0x04, 0x01, 0x60, 0x00, 0x00, // type
  0x03, 0x02, 0x01, 0x00, // one function
  0x0a, 0x09, 0x01, 0x07, 0x00, 0x00, // without locals, unreachable
  0xfd, 0x85, 0x02, 0x1a, 0x0b, // relaxed_madd, drop, end
]);

const given: InitOptions = {};
const compiled: InitOptions = {};
let fastest: Build | undefined;

/** Replaces the inlined builds by modules compiled elsewhere. */
export function useModules(modules: InitOptions): void {
  if (exportsOf(modules) !== null) {
    const wish = "modules must be { simd, relaxed }, or one of them";
    wrongKind("initialise", wish, "a WebAssembly.Module");
  }
  const read = optionsReader({
    simd: optional(moduleOf("simd")),
    relaxed: optional(moduleOf("relaxed")),
  });
  const { simd, relaxed } = read("initialise", modules, "modules");
  if (simd !== undefined) given.simd = simd;
  if (relaxed !== undefined) given.relaxed = relaxed;
  fastest = undefined;
}

/** Reads a module that is this build. */
function moduleOf(build: Build): Reader<WebAssembly.Module> {
  return (action, name, value) => {
    const module = value as WebAssembly.Module;
    const names = exportsOf(module);
    if (names === null) {
      wrongKind(action, `${name} must be a WebAssembly.Module`, value);
    }
    if (!isBuild(module, names, build)) {
      const file = build === "simd" ? "kernels.wasm" : "kernels_relaxed.wasm";
      const wish =
        `${name} must be the module ${file}, not one with other exports`;
      wrongKind(action, wish, names);
    }
    return module;
  };
}

/** The names that a module exports; null where it is none. Modules of other realms are modules too, so it is asked, not its class. */
function exportsOf(module: unknown): string[] | null {
  try {
    return WebAssembly.Module.exports(module as WebAssembly.Module).map((
      { name },
    ) => name);
  } catch {
    return null;
  }
}

/** Whether a module is ours, and this build of it. */
function isBuild(
  module: WebAssembly.Module,
  names: readonly string[],
  build: Build,
): boolean {
  if (!names.includes("relaxed")) return false;
  if (WebAssembly.Module.imports(module).length > 0) return false;
  const kernels = new WebAssembly.Instance(module).exports;
  return (kernels as unknown as Kernels).relaxed() ===
    (build === "relaxed" ? 1 : 0);
}

function compiledModule(build: Build): WebAssembly.Module {
  return given[build] ?? (compiled[build] ??= compile(build));
}

function compile(build: Build): WebAssembly.Module {
  const bytes = decode(build === "simd" ? KERNELS_SIMD : KERNELS_RELAXED);
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    // a worker may compile while it starts, a page with wasm-unsafe-eval in its policy
    throw new Error(
      `Cannot compile the kernels here, hand in compiled ones with init(): ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
}

/** A fresh instance, with a memory of its own. */
export function instantiate(build: Build): Kernels {
  const { exports } = new WebAssembly.Instance(compiledModule(build));
  return exports as unknown as Kernels;
}

/**
 * The build to use where no promise of equal bits on all machines is asked for:
 * relaxed where the host knows it and the machine really fuses, unless only the
 * plain module was given.
 */
export function fastestBuild(): Build {
  if (fastest === undefined) {
    const candidate = given.relaxed !== undefined || given.simd === undefined;
    fastest = candidate && WebAssembly.validate(RELAXED_PROBE) &&
        instantiate("relaxed").fuses() !== 0
      ? "relaxed"
      : "simd";
  }
  return fastest;
}

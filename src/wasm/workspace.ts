/**
 * Engines in use: one per build, made on first use, and one per workspace. A
 * workspace is an engine whose ring never moves, because its memory is never
 * grown again; its logits are found again by the buffer they live in.
 *
 * @module
 */
// First, as in loader.ts.
import { type Build, fastestBuild, useModules } from "./loader.ts";
import { count, flag, optionsReader, required, word } from "../checks.ts";
import type {
  InitOptions,
  LogitsType,
  LossWorkspace,
  WorkspaceOptions,
} from "../contract.ts";
import type { LossProblem } from "../engine.ts";
import { WasmEngine } from "./engine.ts";
import { SLACK } from "./memory.ts";

interface Owner {
  engine: WasmEngine;
  build: Build;
  /** The largest V whose row tables fit below the logits. */
  vocabSize: number;
}

const shared: { simd?: WasmEngine; relaxed?: WasmEngine } = {};
const owners: WeakMap<ArrayBufferLike, Owner> = new WeakMap();
/** Whether there ever was a workspace; until then no array need be looked up. */
let created = false;

/** The shared engine: of the plain build if the bits must be the same everywhere, else of the fastest. */
export function sharedEngine(deterministic: boolean): WasmEngine {
  return sharedEngineOf(deterministic ? "simd" : fastestBuild());
}

function sharedEngineOf(build: Build): WasmEngine {
  return shared[build] ??= new WasmEngine(build);
}

/** As `init`: the engines to come are made of these modules. */
export function initEngines(modules: InitOptions): void {
  useModules(modules);
  delete shared.simd;
  delete shared.relaxed;
}

/** Whether an array lies in a workspace. */
export function inWorkspace(array: { buffer: ArrayBufferLike }): boolean {
  return created && owners.has(array.buffer);
}

/**
 * The engine for a problem: the workspace that holds its logits, if it can run
 * on them where they are; else a shared one, which copies, of the same build, so
 * that a workspace's results have the same bits whichever way they go.
 */
export function engineFor(
  problem: LossProblem,
  deterministic: boolean,
  keepsLogits: boolean,
): WasmEngine {
  const owner = owners.get(problem.logits.buffer);
  if (owner === undefined) return sharedEngine(deterministic);
  if (deterministic && owner.build !== "simd") return sharedEngine(true);
  return keepsLogits && problem.vocabSize <= owner.vocabSize
    ? owner.engine
    : sharedEngineOf(owner.build);
}

/** The engine in whose memory an array lies, if it is a workspace's; for the benches. */
export function workspaceEngine(
  array: { readonly buffer: ArrayBufferLike },
): WasmEngine | undefined {
  return owners.get(array.buffer)?.engine;
}

/**
 * Makes room for N rows of logits inside the kernels' own memory.
 *
 * Fill `workspace.logits` (or let your model write there) and pass it, or a
 * subarray of whole rows, to any loss function: nothing is copied, in or out.
 * It costs N · V elements and about 20 · V bytes; the memory is never grown, so
 * the view stays valid until `dispose()`. To another copy of this library in the
 * same process, and to an engine of `./parallel`, it is an array like any.
 *
 * @param options `rows` N, `vocabSize` V, and `dtype`, `"f32"` unless said.
 * @returns The workspace; `using` disposes of it.
 * @throws {RangeError} N · V does not fit into 4 GiB: use fewer rows at a time.
 * @throws {TypeError} An option is of the wrong kind.
 *
 * @example A loss without a copy
 * ```ts
 * import { createLossWorkspace, maskedCrossEntropy } from "@sft/loss";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const workspace = createLossWorkspace({ rows: 2, vocabSize: 4 });
 * workspace.logits.fill(0);
 * const { loss } = maskedCrossEntropy(workspace.logits, [1, -100]);
 * assertAlmostEquals(loss, Math.log(4), 1e-6);
 * workspace.dispose();
 * ```
 */
export function createLossWorkspace(
  options: WorkspaceOptions & { dtype?: "f32" },
): LossWorkspace<Float32Array>;
/** With `dtype: "bf16"` or `"f16"`: the logits are bit patterns in a Uint16Array. */
export function createLossWorkspace(
  options: WorkspaceOptions & { dtype: "bf16" | "f16" },
): LossWorkspace<Uint16Array>;
/** With a `dtype` that is known only at run time. */
export function createLossWorkspace(options: WorkspaceOptions): LossWorkspace;
export function createLossWorkspace(options: WorkspaceOptions): LossWorkspace {
  const { rows, vocabSize, dtype, deterministic } = readSize(options);
  const build = deterministic ? "simd" : fastestBuild();
  const engine = new WasmEngine(build);
  const { memory } = engine;
  const start = memory.logitsAt(vocabSize);
  const length = rows * vocabSize;
  memory.reserve(start + length * (dtype === "f32" ? 4 : 2) + SLACK);
  const { buffer } = memory.f32;
  const logits = dtype === "f32"
    ? new Float32Array(buffer, start, length)
    : new Uint16Array(buffer, start, length);
  owners.set(buffer, { engine, build, vocabSize });
  created = true;
  return workspaceOf(logits, { rows, vocabSize, dtype });
}

/** A workspace whose logits are these, until it is disposed of: then nothing here holds their memory. */
function workspaceOf(
  held: Float32Array | Uint16Array | null,
  size: Pick<LossWorkspace, "rows" | "vocabSize" | "dtype">,
): LossWorkspace {
  const dispose = () => {
    if (held !== null) owners.delete(held.buffer);
    held = null;
  };
  return {
    ...size,
    get logits() {
      if (held !== null) return held;
      throw new TypeError(
        "Cannot use workspace as it was disposed: create a new one",
      );
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}

/** The size of a workspace to be. */
export function readSize(
  options: WorkspaceOptions,
): Required<WorkspaceOptions> {
  const read = optionsReader({
    rows: required(count(1)),
    vocabSize: required(count(1)),
    dtype: word<LogitsType>(["f32", "bf16", "f16"]),
    deterministic: flag,
  });
  return read("create workspace", options);
}

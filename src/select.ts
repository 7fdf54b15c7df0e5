/**
 * Which engine to use, and why: WASM here or a GPU there.
 *
 * Logits that live on a GPU stay there: to read them back costs more than any
 * loss. Logits of the host go to a GPU only if it is no software and if what it
 * saves is more than what the way there and back costs,
 *   t_wasm = bytes / wasm
 *   t_gpu  = wait + bytes / upload + (with a gradient) bytes / readback
 * where the GPU's own time counts as nothing, to its advantage. With the rates
 * below WASM always wins, being about as fast as the bus; who has measured other
 * ones hands them in.
 *
 * This module is browser-compatible.
 *
 * @example Zeros on the host
 * ```ts
 * import { selectEngine } from "@sft/loss/select";
 * import { assertEquals } from "@std/assert";
 *
 * const logits = new Float32Array(8 * 100);
 * const { engine, reason } = await selectEngine({ logits });
 * assertEquals(engine, "wasm");
 * console.log(reason);
 * ```
 *
 * @module
 */
import {
  checkOptions,
  outOfRange,
  readFlag,
  readNumber,
  readView,
  readWord,
  wrongKind,
} from "./checks.ts";
import { kindOf } from "./typed_arrays.ts";
import { findAdapter, GpuUnavailableError } from "./webgpu/device.ts";
import { type DeviceArray, isDeviceArray } from "./webgpu/ranges.ts";

const ACTION = "select an engine";

/** How fast things are, in bytes a second, and how long a wait for the GPU takes, in seconds. */
export interface EngineRates {
  /** WASM reads logits for a loss (default 13e9: bench/RESULTS.md, one thread). */
  wasm?: number;
  /** WASM reads logits and writes a gradient over them (default 6e9: the same). */
  wasmGradient?: number;
  /** The host writes to the GPU (default 12e9: half of what sixteen lanes of PCIe 4 may do). */
  upload?: number;
  /** The GPU is read back (default 12e9; Deno 2.9 was seen to do 0.3e9). */
  readback?: number;
  /** Until the host knows that the GPU is done, in seconds (default 0.012: Deno 2.9 asks every 10 ms). */
  wait?: number;
}

/** What the choice depends on. */
export interface SelectOptions {
  /** `"auto"` (default), or the engine to take wherever it is there. */
  prefer?: "auto" | "webgpu" | "wasm";
  /** The logits, or any array of their size, or a tensor of one; a GPUBuffer, or a range of one, lives on the GPU. */
  logits?: unknown;
  /** Whether a gradient is wanted on the host too (default false). */
  gradient?: boolean;
  /** Rates that were measured here. */
  rates?: EngineRates;
}

/** An engine and the reason for it. */
export interface EngineChoice {
  /** Whose functions to call: those of the package itself, or those of `./webgpu`. */
  engine: "wasm" | "webgpu";
  /** Why, in one line. */
  reason: string;
}

const KEYS: ReadonlySet<string> = new Set([
  "prefer",
  "logits",
  "gradient",
  "rates",
]);
const PREFERENCES = ["auto", "webgpu", "wasm"] as const;
const RATES: Required<EngineRates> = {
  wasm: 13e9,
  wasmGradient: 6e9,
  upload: 12e9,
  readback: 12e9,
  wait: 0.012,
};

/**
 * Chooses an engine for some logits. It asks for an adapter where that matters,
 * never for a device.
 *
 * @param options See {@link SelectOptions}.
 * @returns The engine, and why.
 * @throws {RangeError} An option is out of range, or the logits live on a GPU and WASM is preferred.
 * @throws {TypeError} An option is of the wrong kind.
 *
 * @example Prefer the GPU, and say so where there is none
 * ```ts
 * import { selectEngine } from "@sft/loss/select";
 * import { assert } from "@std/assert";
 *
 * const choice = await selectEngine({ prefer: "webgpu" });
 * assert(choice.engine === "webgpu" || choice.reason.startsWith("No GPU"));
 * ```
 */
export async function selectEngine(
  options: SelectOptions = {},
): Promise<EngineChoice> {
  checkOptions(ACTION, "options", options, KEYS);
  const prefer = readWord(ACTION, "prefer", options.prefer, PREFERENCES);
  const gradient = readFlag(ACTION, "gradient", options.gradient);
  const rates = readRates(options.rates);
  const logits = arrayOf(options.logits);

  if (isDeviceArray(logits)) {
    if (prefer === "wasm") {
      outOfRange(
        ACTION,
        'logits must be on the host where "wasm" is preferred (read them back first)',
        logits,
      );
    }
    return { engine: "webgpu", reason: "the logits live on a GPU" };
  }
  if (prefer === "wasm") return { engine: "wasm", reason: "it is preferred" };

  const bytes = logits?.byteLength ?? 0;
  const wasm = bytes / (gradient ? rates.wasmGradient : rates.wasm);
  const way = rates.wait + bytes / rates.upload +
    (gradient ? bytes / rates.readback : 0);
  if (prefer === "auto" && wasm <= way) {
    return {
      engine: "wasm",
      reason: logits === undefined
        ? "no logits live on a GPU"
        : `${amount(bytes)} of logits on the host take ${
          time(wasm)
        } here, and ${time(way)} on the way to a GPU and back`,
    };
  }

  try {
    const { name, fallback } = await findAdapter();
    if (prefer === "webgpu") {
      return { engine: "webgpu", reason: `it is preferred, on ${name}` };
    }
    if (fallback) {
      return { engine: "wasm", reason: `${name} is software` };
    }
    return {
      engine: "webgpu",
      reason: `${amount(bytes)} of logits take ${time(wasm)} here, and ${
        time(way)
      } on the way to ${name} and back`,
    };
  } catch (error) {
    if (!(error instanceof GpuUnavailableError)) throw error;
    return { engine: "wasm", reason: error.message };
  }
}

function readRates(given: EngineRates | undefined): Required<EngineRates> {
  const rates = { ...RATES };
  if (given === undefined) return rates;
  checkOptions(ACTION, "rates", given, new Set(Object.keys(RATES)));
  for (const key of Object.keys(RATES) as (keyof EngineRates)[]) {
    rates[key] = readNumber(
      ACTION,
      `rates.${key}`,
      given[key],
      RATES[key],
      key === "wait" ? "finite and at least 0" : "finite and more than 0",
      (rate) => (key === "wait" ? rate >= 0 : rate > 0) && rate < Infinity,
    );
  }
  return rates;
}

/** The array or buffer of logits, out of a tensor if they are one. */
function arrayOf(logits: unknown): ArrayBufferView | DeviceArray | undefined {
  if (logits === undefined) return undefined;
  const { data } = Object(logits) as { data?: unknown };
  for (const array of [logits, data]) {
    if (kindOf(array) !== undefined) {
      return readView(ACTION, "logits", array as ArrayBufferView);
    }
    if (isDeviceArray(array)) return array;
  }
  wrongKind(
    ACTION,
    "logits must be a typed array, a tensor { data, dims }, or a GPUBuffer",
    logits,
  );
}

/** A number and its unit, the first one of which there are not a thousand. */
function inUnits(value: number, units: readonly string[]): string {
  let rest = value;
  let unit = 0;
  while (rest >= 1000 && unit + 1 < units.length) {
    rest /= 1000;
    unit++;
  }
  return `${Number(rest.toPrecision(3))} ${units[unit]}`;
}

function amount(bytes: number): string {
  return inUnits(bytes, ["bytes", "kB", "MB", "GB"]);
}

function time(seconds: number): string {
  return inUnits(1e9 * seconds, ["ns", "us", "ms", "s"]);
}

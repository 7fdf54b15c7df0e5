/**
 * What row kernels are compiled for, and the numbers that follow from it.
 *
 * @module
 */
import type { LogitsType } from "../contract.ts";
import type { LossProblem } from "../engine.ts";
import { smoothingOf, sumClassWeights } from "../reference/normalize.ts";
import type { Constants } from "./compiler.ts";
import { BLOCK } from "./storage_wgsl.ts";
import { gridOf, MAX_WORKGROUPS, type Window } from "./windows.ts";

/** Where a gradient goes, if there is one. */
export type Into = "none" | "in-place" | "new";

/** What the kernels are compiled for; of a problem, all that is not about one batch. */
export interface RowSpec extends
  Pick<
    LossProblem,
    | "dtype"
    | "rows"
    | "vocabSize"
    | "rowStride"
    | "classWeights"
    | "labelSmoothing"
    | "zLoss"
    | "softcap"
    | "logitScale"
    | "metrics"
  > {
  into: Into;
  /** A workgroup for each block of columns; unless said, where there are too few rows to fill a GPU. */
  shared?: boolean;
  /** The largest binding in bytes; the device's unless said. */
  bindingLimit?: number;
  /** The shader; ours unless said (tests plant faults in it). */
  texts?: readonly string[];
}

/** With at least this many rows every workgroup has one to itself: about two for each multiprocessor of a large card. */
const ENOUGH_ROWS = 256;

/** How a type is called in the shader. */
const CODE: Record<LogitsType, number> = { f32: 0, bf16: 1, f16: 2 };

const ENTRIES = ["rows", "blocks", "join", "grads", "seal"] as const;
/** One of the entry points. */
export type Entry = typeof ENTRIES[number];

/** Blocks of columns in a row. */
export function blocksOf(spec: RowSpec): number {
  return Math.ceil(spec.vocabSize / BLOCK);
}

/** Whether each block has a workgroup of its own. */
export function isShared(spec: RowSpec): boolean {
  const blocks = blocksOf(spec);
  if (blocks > MAX_WORKGROUPS) return false;
  return spec.shared ?? (spec.rows < ENOUGH_ROWS && blocks > 1);
}

/** Whether neighbouring rows share words that both write. */
export function needsSeams({ into, dtype, rowStride }: RowSpec): boolean {
  return into === "in-place" && dtype !== "f32" && rowStride % 2 === 1;
}

/** The entry points that a spec needs, in the order in which they run. */
export function entriesOf(spec: RowSpec): Entry[] {
  const scan: Entry[] = isShared(spec) ? ["blocks", "join"] : ["rows"];
  if (isShared(spec) && spec.into !== "none") scan.push("grads");
  if (needsSeams(spec)) scan.push("seal");
  return scan;
}

/** Bytes of a row of logits and of a new gradient. */
export function bytesOfRows(
  { dtype, rowStride, vocabSize, into }: RowSpec,
): number[] {
  const logits = rowStride * (dtype === "f32" ? 4 : 2);
  return into === "new" ? [logits, 4 * vocabSize] : [logits];
}

/** The shader's overrides. */
type Override =
  | "DTYPE"
  | "OUT"
  | "GRADIENT"
  | "IN_PLACE"
  | "CAPPED"
  | "SHAPED"
  | "SMOOTHED"
  | "WEIGHTED"
  | "METRICS"
  | "Z_LOSS";

const SCAN = ["CAPPED", "SHAPED", "SMOOTHED", "METRICS"] as const;
const GRADIENT = ["OUT", "IN_PLACE", "Z_LOSS"] as const;

/** The overrides that each entry point asks for, itself or by what it calls: no other makes another kernel of it. */
export const OVERRIDES: Readonly<Record<Entry, readonly Override[]>> = {
  rows: [...SCAN, ...GRADIENT, "DTYPE", "WEIGHTED", "GRADIENT"],
  blocks: [...SCAN, "DTYPE", "WEIGHTED"],
  join: SCAN,
  grads: [...GRADIENT, "DTYPE", "CAPPED", "SHAPED", "SMOOTHED", "WEIGHTED"],
  seal: [],
};

/** The values of the overrides that an entry point asks for. */
export function constantsFor(entry: Entry, spec: RowSpec): Constants {
  const all = constantsOf(spec);
  return Object.fromEntries(OVERRIDES[entry].map((name) => [name, all[name]]));
}

/** The values of all overrides. */
export function constantsOf(spec: RowSpec): Record<Override, number> {
  const { into, dtype, softcap, classWeights, metrics, zLoss } = spec;
  return {
    DTYPE: CODE[dtype],
    OUT: into === "in-place" ? CODE[dtype] : 0,
    GRADIENT: Number(into !== "none"),
    IN_PLACE: Number(into === "in-place"),
    CAPPED: Number(softcap !== 0),
    SHAPED: Number(isShaped(spec)),
    SMOOTHED: Number(smoothingOf(spec) !== 0),
    WEIGHTED: Number(classWeights !== null),
    METRICS: Number(metrics),
    Z_LOSS: Number(zLoss !== 0),
  };
}

/** Whether u is anything but ±x: then the largest logit itself is the origin of differences. */
export function isShaped(
  { logitScale, softcap }: Pick<LossProblem, "logitScale" | "softcap">,
): boolean {
  return softcap !== 0 || Math.abs(logitScale) !== 1;
}

/** The bytes of `Params`. */
export function paramsOf(spec: RowSpec, { first, rows }: Window): ArrayBuffer {
  const { vocabSize, rowStride, logitScale, softcap, zLoss } = spec;
  const share = smoothingOf(spec) / vocabSize;
  const classSum = sumClassWeights(spec);
  const bytes = new ArrayBuffer(64);
  new Uint32Array(bytes).set([
    rows,
    first,
    gridOf(rows)[0],
    vocabSize,
    rowStride,
    blocksOf(spec),
    logitScale < 0 ? 0x80000000 : 0,
    0x7fc00000,
    0xff7fffff,
  ]);
  new Float32Array(bytes, 36).set([
    Math.abs(logitScale),
    logitScale,
    softcap,
    1 - spec.labelSmoothing,
    share,
    classSum,
    2 * zLoss,
  ]);
  return bytes;
}

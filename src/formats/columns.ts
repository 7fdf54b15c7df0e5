/**
 * Rows under the names that trainers read: input_ids, labels, attention_mask,
 * position_ids, for packed rows seq_lengths or cu_seqlens, then loss_weights and
 * the certificate where there are any. It renames and fills in; laying tokens
 * out is the packing's trade, and nothing is shifted: labels stay aligned.
 *
 * @module
 */
import {
  checkOptions,
  outOfRange,
  readFlag,
  readIds,
  readView,
  readWeights,
  readWord,
  wrongKind,
} from "../checks.ts";
import { IGNORE_INDEX, type TokenIds } from "../contract.ts";
import type { Tensor } from "./tensor.ts";

const ACTION = "write columns";

/**
 * A row to be stored: an encoded chat, a pack, a row read from elsewhere. All
 * arrays are aligned with the ids.
 */
export interface StorableRow {
  /** [N] token ids. */
  readonly inputIds: TokenIds;
  /** [N] labels aligned with the ids. */
  readonly labels: TokenIds;
  /** [N] loss weights. */
  readonly weights?: ArrayLike<number>;
  /** [N] loss weights, as packing calls them. */
  readonly tokenWeights?: ArrayLike<number>;
  /** [N] positions; counted from 0 in each document unless given. */
  readonly positionIds?: ArrayLike<number>;
  /** [N] 0 for padding; unless given, what lies behind the last border is padding. */
  readonly attentionMask?: ArrayLike<number>;
  /** [D + 1] borders of the packed documents, from 0. */
  readonly cuSeqlens?: ArrayLike<number>;
  /** What proves the row; stored as JSON text. */
  readonly certificate?: unknown;
}

/** One row under the trainers' names. */
export interface TrainerColumns {
  /** [N] token ids. */
  readonly input_ids: Int32Array;
  /** [N] labels aligned with the ids. */
  readonly labels: Int32Array;
  /** [N] 1 for tokens, 0 for padding. */
  readonly attention_mask: Int32Array;
  /** [N] positions, from 0 in each document. */
  readonly position_ids: Int32Array;
  /** [D] lengths of the packed documents (TRL's name). */
  readonly seq_lengths?: Int32Array;
  /** [D + 1] borders of the packed documents (flash attention's name). */
  readonly cu_seqlens?: Int32Array;
  /** [N] loss weights. */
  readonly loss_weights?: Float64Array;
  /** JSON text. */
  readonly certificate?: string;
}

/** What is stored beside ids and labels. */
export interface ColumnsOptions {
  /** How the documents of a packed row are named: `"seq_lengths"` (default), `"cu_seqlens"`, or `"none"`. */
  borders?: "seq_lengths" | "cu_seqlens" | "none";
  /** Whether loss_weights are there: where the row has weights, unless said. A row without gets 1 where it is trained and 0 elsewhere. */
  weights?: boolean;
  /** Whether the certificate is there: where the row has one, unless said; null where it has none. */
  certificate?: boolean;
}

const KNOWN: ReadonlySet<string> = new Set([
  "borders",
  "weights",
  "certificate",
]);

/**
 * One row as trainers' columns. Its arrays are as long as the row is: ragged
 * rows suit JSONL and parquet; for npy and safetensors pad them first
 * ({@link tensorsOf}).
 *
 * @param row The row; it is not changed, and arrays that need no change are not copied.
 * @param options What is stored beside ids and labels.
 * @returns The columns.
 * @throws {TypeError} When a value is of the wrong kind.
 * @throws {RangeError} When arrays are not of one length, or a value is out of range.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { columnsOf } from "@sft/loss/formats";
 *
 * const pack = {
 *   inputIds: [5, 6, 7, 8, 0],
 *   labels: [-100, 6, -100, 8, -100],
 *   cuSeqlens: [0, 2, 4], // the last token is padding
 * };
 * assertEquals(columnsOf(pack), {
 *   input_ids: Int32Array.of(5, 6, 7, 8, 0),
 *   labels: Int32Array.of(-100, 6, -100, 8, -100),
 *   attention_mask: Int32Array.of(1, 1, 1, 1, 0),
 *   position_ids: Int32Array.of(0, 1, 0, 1, 0),
 *   seq_lengths: Int32Array.of(2, 2),
 * });
 * ```
 */
export function columnsOf(
  row: StorableRow,
  options: ColumnsOptions = {},
): TrainerColumns {
  checkOptions(ACTION, "options", options, KNOWN);
  const borders = readWord(ACTION, "borders", options.borders, [
    "seq_lengths",
    "cu_seqlens",
    "none",
  ]);
  if (typeof row !== "object" || row === null) {
    wrongKind(ACTION, "row must be an object", row);
  }
  const ids = readIds(ACTION, "inputIds", row.inputIds);
  const labels = aligned("labels", row.labels, ids.length);
  const cu = row.cuSeqlens === undefined
    ? Int32Array.of(0, ids.length)
    : bordersOf(row.cuSeqlens, ids.length);
  const isPacked = row.cuSeqlens !== undefined;

  const given = row.weights ?? row.tokenWeights;
  const hasWeights = options.weights === undefined
    ? given !== undefined
    : readFlag(ACTION, "weights", options.weights);
  const hasCertificate = options.certificate === undefined
    ? row.certificate !== undefined
    : readFlag(ACTION, "certificate", options.certificate);
  return {
    input_ids: ids,
    labels,
    attention_mask: row.attentionMask === undefined
      ? new Int32Array(ids.length).fill(1, 0, cu.at(-1))
      : aligned("attentionMask", row.attentionMask, ids.length),
    position_ids: row.positionIds === undefined
      ? positionsOf(cu, ids.length)
      : aligned("positionIds", row.positionIds, ids.length),
    ...(isPacked && borders === "seq_lengths"
      ? { seq_lengths: cu.slice(1).map((end, d) => end - cu[d]!) }
      : {}),
    ...(isPacked && borders === "cu_seqlens" ? { cu_seqlens: cu } : {}),
    ...(hasWeights
      ? {
        loss_weights: readWeights(ACTION, "weights", given, ids.length) ??
          Float64Array.from(labels, (y) => y === IGNORE_INDEX ? 0 : 1),
      }
      : {}),
    ...(hasCertificate
      ? { certificate: JSON.stringify(row.certificate ?? null) }
      : {}),
  };
}

function aligned(name: string, values: TokenIds, length: number): Int32Array {
  const ids = readIds(ACTION, name, values);
  if (ids.length === length) return ids;
  outOfRange(ACTION, `${name}.length must equal ${length}`, ids.length);
}

function bordersOf(cuSeqlens: ArrayLike<number>, length: number): Int32Array {
  const cu = readIds(ACTION, "cuSeqlens", cuSeqlens);
  const fall = cu.findIndex((end, d) => end < (cu[d - 1] ?? 0));
  if (cu[0] !== 0 || fall >= 0 || cu.at(-1)! > length) {
    const wish =
      `cuSeqlens must start at 0, never fall and end within ${length}`;
    outOfRange(ACTION, wish, cuSeqlens);
  }
  return cu;
}

/** [N] from 0 in each document, 0 on padding. */
function positionsOf(cu: Int32Array, length: number): Int32Array {
  const positions = new Int32Array(length);
  for (let d = 1; d < cu.length; d++) {
    for (let t = cu[d - 1]!; t < cu[d]!; t++) positions[t] = t - cu[d - 1]!;
  }
  return positions;
}

/**
 * One row as one line of JSONL, its line feed included.
 *
 * @param columns The row, as {@link columnsOf} gives it.
 * @returns The line.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { columnsOf, readTokenized, toJsonl } from "@sft/loss/formats";
 *
 * const line = toJsonl(columnsOf({ inputIds: [5, 6], labels: [-100, 6] }));
 * assertEquals(
 *   line,
 *   `{"input_ids":[5,6],"labels":[-100,6],"attention_mask":[1,1],"position_ids":[0,1]}\n`,
 * );
 * assertEquals(readTokenized(line).labels, Int32Array.of(-100, 6));
 * ```
 */
export function toJsonl(columns: TrainerColumns): string {
  const text = Object.entries(columns)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) =>
      // typed arrays are lists of numbers here, not objects with numbers as keys
      `${JSON.stringify(name)}:${
        typeof value === "string"
          ? JSON.stringify(value)
          : `[${readView(ACTION, name, value)}]`
      }`
    );
  return `{${text.join()}}\n`;
}

/** A padded batch, as `collate` and a pack's `padded` give it. */
export interface StorableBatch {
  /** [B, L] */
  readonly dims: readonly [rows: number, length: number];
  /** [B · L] token ids. */
  readonly inputIds: Int32Array;
  /** [B · L] labels aligned with the ids. */
  readonly labels: Int32Array;
  /** [B · L] 1 for tokens, 0 for padding. */
  readonly attentionMask: Int32Array;
  /** [B · L] positions, from 0 in each document. */
  readonly positionIds: Int32Array;
  /** [B · L] loss weights. */
  readonly tokenWeights?: Float64Array;
  /** [D + 1] borders over all B · L positions, where rows hold several documents. */
  readonly cuSeqlens?: Int32Array;
}

/**
 * A padded batch as named tensors, for {@link encodeSafetensors}, or one by one
 * for {@link encodeNpy} (one file per column; npy has no names).
 *
 * @param batch The batch; its arrays are not copied.
 * @returns input_ids, labels, attention_mask and position_ids [B, L] as i32, loss_weights [B, L] as f32 and cu_seqlens [D + 1] where the batch has them.
 * @throws {RangeError} When an array does not fit the dims.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { collate } from "@sft/loss";
 * import { encodeNpy, tensorsOf } from "@sft/loss/formats";
 *
 * const batch = collate([{ inputIds: [5, 6, 7] }, { inputIds: [8] }], { padTokenId: 0 });
 * const files = [...tensorsOf(batch)].map(([name, tensor]) => ({
 *   name: `${name}.npy`,
 *   bytes: encodeNpy(tensor),
 * }));
 * assertEquals(files[0]?.name, "input_ids.npy");
 * ```
 */
export function tensorsOf(batch: StorableBatch): Map<string, Tensor> {
  const { dims, inputIds, labels, attentionMask, positionIds } = batch;
  const { tokenWeights, cuSeqlens } = batch;
  const shape = [...dims];
  const tensors = new Map<string, Tensor>([
    ["input_ids", { dtype: "i32", shape, data: inputIds }],
    ["labels", { dtype: "i32", shape, data: labels }],
    ["attention_mask", { dtype: "i32", shape, data: attentionMask }],
    ["position_ids", { dtype: "i32", shape, data: positionIds }],
  ]);
  if (tokenWeights) {
    const given = readView(ACTION, "loss_weights", tokenWeights);
    const data = Float32Array.from(given); // what losses multiply in
    tensors.set("loss_weights", { dtype: "f32", shape, data });
  }
  if (cuSeqlens) {
    const borders = [cuSeqlens.length];
    const tensor: Tensor = { dtype: "i32", shape: borders, data: cuSeqlens };
    tensors.set("cu_seqlens", tensor);
  }
  for (const [name, { shape, data }] of tensors) {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = readView(ACTION, name, data);
    if (values.length !== count) {
      outOfRange(ACTION, `${name} must have ${count} values`, values.length);
    }
  }
  return tensors;
}

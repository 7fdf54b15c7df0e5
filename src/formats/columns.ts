/**
 * Rows under the names that trainers read: input_ids, labels, attention_mask,
 * position_ids, for packed rows seq_lengths or cu_seqlens, then loss_weights and
 * the certificate where there are any. It renames and fills in; laying tokens
 * out is the packing's trade, and nothing is shifted: labels stay aligned.
 *
 * @module
 */
import {
  checkObject,
  checkOptions,
  outOfRange,
  readFlag,
  readIds,
  readList,
  readWeights,
  readWord,
  wrongKind,
} from "../checks.ts";
import { IGNORE_INDEX, type TokenIds } from "../contract.ts";

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
 * @throws {TypeError} When a column is neither a list nor text.
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
  checkObject(ACTION, "columns", columns);
  const text = Object.entries(columns)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) =>
      // typed arrays are lists of numbers here, not objects with numbers as keys
      `${JSON.stringify(name)}:${
        typeof value === "string"
          ? JSON.stringify(value)
          : `[${
            Array.from(readList<number>(ACTION, name, "a list or text", value))
          }]`
      }`
    );
  return `{${text.join()}}\n`;
}

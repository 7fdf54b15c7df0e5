/**
 * Rows that were tokenised elsewhere, under the names that trainers give their
 * columns: ids, and labels or masks that say what is trained. Read strictly,
 * because here nobody can look at the words any more: a label is the id at its
 * own place or -100, and anything else is told, not mended.
 *
 * @module
 */
import { checkOptions, readCount } from "../checks.ts";
import { IGNORE_INDEX } from "../contract.ts";
import type { Sample } from "../row.ts";
import { isLost, kindOf, plainView } from "../typed_arrays.ts";
import {
  at,
  fault,
  type Fields,
  keysOf,
  kind,
  own,
  parseJson,
  readFields,
  short,
} from "./fault.ts";

/** A row of ids that was tokenised elsewhere, everything aligned with the ids. */
export interface TokenizedRow extends Sample {
  /** Where it stands in its file, from 1. */
  readonly line: number;
  /** [N] token ids. */
  readonly inputIds: Int32Array;
  /** [N] the id where it is trained, else -100. */
  readonly labels: Int32Array;
  /** [N] loss weights, where the row has them. */
  readonly weights?: Float64Array;
  /** [N] 1 for tokens, 0 for padding, where the row says so. */
  readonly attentionMask?: Int32Array;
  /** [N] positions, where the row has them. */
  readonly positionIds?: Int32Array;
  /** [D + 1] borders of the packed documents, from seq_lengths or cu_seqlens, where the row has one of them. */
  readonly cuSeqlens?: Int32Array;
}

/**
 * Columns of 0 and 1 that say what is trained: TRL's two, and what others call
 * it. A token must be in all that are there, as in TRL. special_tokens_mask is
 * none of them.
 */
const MASKS = [
  "assistant_masks",
  "assistant_mask",
  "completion_mask",
  "loss_mask",
  "mask",
] as const;

/**
 * Reads one tokenised row: `input_ids`, and `labels` or a 0/1 mask
 * (`assistant_masks`, `completion_mask`, `loss_mask`, `mask`); where there are
 * several, a token is trained that all of them train. Read too where they are
 * there: `attention_mask`, `position_ids`, `seq_lengths`, `cu_seqlens`,
 * `loss_weights`. Ids may be numbers, bigints or typed arrays.
 *
 * @param value The line's text, or its value.
 * @param options Its line, the first being 1.
 * @returns The row, its arrays its own.
 * @throws {SyntaxError} When it is not such a row; the message names the line and the place in it.
 * @throws {TypeError} When an option is of the wrong kind.
 * @throws {RangeError} When the line is less than 1.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { readTokenized } from "@sft/loss/formats";
 *
 * const row = readTokenized({ input_ids: [5, 6, 7], labels: [-100, 6, 7] });
 * assertEquals(row.labels, Int32Array.of(-100, 6, 7));
 *
 * assertThrows(
 *   () => readTokenized({ input_ids: [5, 6, 7], labels: [6, 7, -100] }, { line: 3 }),
 *   SyntaxError,
 *   "line 3: labels are the ids shifted by one",
 * );
 * ```
 */
export function readTokenized(
  value: unknown,
  options: { line?: number } = {},
): TokenizedRow {
  checkOptions("read rows", "options", options, new Set(["line"]));
  const line = readCount("read rows", "line", options.line, 1) ?? 1;
  return at("line", line, () => {
    const row = typeof value === "string" ? parseJson("", value) : value;
    return readRow(row, line);
  });
}

/** Reads the value of a row; faults name the place in it only. */
export function readRow(value: unknown, line: number): TokenizedRow {
  const row = readFields("a row", value);
  if (own(row, "input_ids") === undefined) {
    throw new SyntaxError(`expected input_ids: got ${keysOf(row)}`);
  }
  const inputIds = readIntegers("input_ids", row.input_ids, 0);
  const length = inputIds.length;
  const column = (name: string, least: number, most?: number) => {
    const given = own(row, name);
    if (given === undefined) return undefined;
    const values = readIntegers(name, given, least, most);
    if (values.length === length) return values;
    throw new SyntaxError(
      `${name} must have the ${length} elements of input_ids: got ${values.length}`,
    );
  };

  const labels = readLabels(column("labels", -0x80000000), inputIds);
  const masks = MASKS.map((name) => column(name, 0, 1));
  if (labels === undefined && masks.every((mask) => mask === undefined)) {
    throw new SyntaxError(
      `expected labels or a mask (${MASKS.join(", ")}): got ${keysOf(row)}`,
    );
  }
  const attentionMask = column("attention_mask", 0);
  const trained = labels ?? inputIds.slice();
  for (const mask of masks) {
    mask?.forEach((keep, t) => {
      if (keep === 0) trained[t] = IGNORE_INDEX;
    });
  }
  attentionMask?.forEach((seen, t) => {
    if (seen > 0 || trained[t] === IGNORE_INDEX) return;
    throw new SyntaxError(
      `position ${t} is trained though its attention_mask is 0: padding is never trained`,
    );
  });

  const positionIds = column("position_ids", 0);
  const cuSeqlens = readDocuments(row, length);
  const weights = readWeights(row, length);
  return {
    line,
    inputIds,
    labels: trained,
    ...(weights ? { weights } : {}),
    ...(attentionMask ? { attentionMask } : {}),
    ...(positionIds ? { positionIds } : {}),
    ...(cuSeqlens ? { cuSeqlens } : {}),
  };
}

/** Whole numbers from `least` to `most`, of a list or a typed array, as int32. */
function readIntegers(
  place: string,
  value: unknown,
  least: number,
  most = 0x7fffffff,
): Int32Array {
  const list = elementsOf(place, value);
  const out = new Int32Array(list.length);
  for (let i = 0; i < out.length; i++) {
    const given = list[i];
    const number = typeof given === "bigint" || typeof given === "boolean"
      ? Number(given)
      : given;
    if (
      typeof number !== "number" || !Number.isInteger(number) ||
      number < least || number > most
    ) {
      const range = `from ${least} to ${most}`;
      const got = typeof given === "number" || typeof given === "bigint"
        ? given
        : kind(given);
      throw new SyntaxError(
        `${place}[${i}] must be a whole number ${range}: got ${got}`,
      );
    }
    out[i] = number;
  }
  return out;
}

function elementsOf(place: string, value: unknown): ArrayLike<unknown> {
  if (Array.isArray(value)) return value;
  if (kindOf(value) !== undefined) {
    const array = value as ArrayBufferView & ArrayLike<unknown>;
    if (!isLost(array)) return plainView(array);
    throw new SyntaxError(
      `${place} must not have lost its buffer (it was transferred, or shrunk under it)`,
    );
  }
  fault(place, "a list of numbers", value);
}

/** Labels, each of them the id at its place or -100. */
function readLabels(
  labels: Int32Array | undefined,
  ids: Int32Array,
): Int32Array | undefined {
  const wrong = labels?.findIndex((y, t) => y !== ids[t] && y !== IGNORE_INDEX);
  if (labels === undefined || wrong === undefined || wrong < 0) return labels;

  // a common mistake has a name: the shift is the loss's, not the data's
  for (const [step, name] of [[1, "t + 1"], [-1, "t - 1"]] as const) {
    let matches = 0;
    const isShifted = labels.every((y, t) => {
      if (y === IGNORE_INDEX) return true;
      const neighbour = ids[t + step]; // none beyond the ends: anything may stand there
      if (y === neighbour) matches++;
      return neighbour === undefined || y === neighbour;
    });
    if (isShifted && matches > 0) {
      throw new SyntaxError(
        `labels are the ids shifted by one (labels[t] is input_ids[${name}]): they must be aligned, the loss shifts`,
      );
    }
  }
  throw new SyntaxError(
    `labels[${wrong}] must be ${IGNORE_INDEX} or the id at its place, ${
      ids[wrong]
    }: got ${short(labels[wrong])}`,
  );
}

/** Borders from either column; from both, if they agree. */
function readDocuments(row: Fields, length: number): Int32Array | undefined {
  const sizes = own(row, "seq_lengths");
  const borders = own(row, "cu_seqlens");
  let fromSizes: Int32Array | undefined;
  if (sizes !== undefined) {
    const lengths = readIntegers("seq_lengths", sizes, 0);
    let end = 0;
    fromSizes = new Int32Array(lengths.length + 1);
    for (let d = 0; d < lengths.length; d++) {
      end += lengths[d]!;
      if (end > length) tooLong("seq_lengths", end, length);
      fromSizes[d + 1] = end;
    }
  }
  if (borders === undefined) return fromSizes;
  const cu = readIntegers("cu_seqlens", borders, 0);
  const fall = cu.findIndex((end, d) => end < (cu[d - 1] ?? 0));
  if (cu[0] !== 0 || fall >= 0) {
    throw new SyntaxError(
      "cu_seqlens must begin with 0 and never fall: got " +
        [...cu.subarray(0, 8)].join(", "),
    );
  }
  const end = cu.at(-1) ?? 0;
  if (end > length) tooLong("cu_seqlens", end, length);
  if (fromSizes !== undefined && String(fromSizes) !== String(cu)) {
    throw new SyntaxError("seq_lengths and cu_seqlens name other documents");
  }
  return cu;
}

function tooLong(name: string, end: number, length: number): never {
  throw new SyntaxError(
    `${name} must end within the ${length} tokens of the row: got ${end}`,
  );
}

function readWeights(row: Fields, length: number): Float64Array | undefined {
  const given = own(row, "loss_weights");
  if (given === undefined) return undefined;
  const list = elementsOf("loss_weights", given);
  if (list.length !== length) {
    throw new SyntaxError(
      `loss_weights must have the ${length} elements of input_ids: got ${list.length}`,
    );
  }
  return Float64Array.from(list, (weight, i) => {
    if (typeof weight === "number" && Number.isFinite(weight)) return weight;
    fault(`loss_weights[${i}]`, "a finite number", weight);
  });
}

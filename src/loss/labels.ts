/**
 * Labels from spans or from a 0/1 mask.
 *
 * @module
 */
import {
  checkHeld,
  checkIterable,
  int32,
  optionsReader,
  outOfRange,
  readIds,
  readList,
  readSpan,
  wrongKind,
} from "../checks.ts";
import {
  IGNORE_INDEX,
  type MaskOptions,
  type TokenIds,
  type TokenSpan,
} from "../contract.ts";
import { sharedEngine } from "../wasm/workspace.ts";

const ACTION = "mask labels";

const readOptions = optionsReader({ ignoreIndex: int32(IGNORE_INDEX) });

/**
 * Labels that train exactly the given spans: the id inside a span, ignoreIndex
 * everywhere else. They stay aligned with inputIds; only the loss shifts.
 *
 * @param inputIds [N] token ids, whole numbers within int32.
 * @param spans Half-open ranges in any order; they may touch and overlap.
 * @param options `ignoreIndex`, -100 unless said.
 * @returns [N] labels.
 * @throws {RangeError} A span does not lie within the ids, or an id does not fit into int32.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example Train positions 2 and 3
 * ```ts
 * import { maskLabels } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   maskLabels([11, 12, 13, 14, 15], [[2, 4]]),
 *   new Int32Array([-100, -100, 13, 14, -100]),
 * );
 * ```
 */
export function maskLabels(
  inputIds: TokenIds,
  spans: Iterable<TokenSpan>,
  options: MaskOptions = {},
): Int32Array {
  const { ignoreIndex } = readOptions(ACTION, options);
  const ids = readIds(ACTION, "inputIds", inputIds);
  checkIterable(ACTION, "spans must be a list of [start, end)", spans);
  const flat: number[] = [];
  const { length } = ids;
  let index = 0;
  for (const span of spans) {
    flat.push(...readSpan(ACTION, `span ${index++}`, span, length));
  }
  checkHeld(ACTION, "inputIds", ids, length);
  return sharedEngine(false).maskLabels(
    ids,
    Int32Array.from(flat),
    ignoreIndex,
  );
}

/**
 * Labels from a 0/1 loss mask, the format most trainers store: the id where the
 * mask is 1, ignoreIndex where it is 0.
 *
 * @param inputIds [N] token ids, whole numbers within int32.
 * @param mask [N] 0 or 1 (or false and true).
 * @param options `ignoreIndex`, -100 unless said.
 * @returns [N] labels.
 * @throws {RangeError} The lengths differ, or a value of the mask is neither 0 nor 1.
 * @throws {TypeError} An argument is of the wrong kind.
 *
 * @example The peers' usual format
 * ```ts
 * import { labelsFromMask } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   labelsFromMask([1, 2, 3, 4], [0, 0, 1, 1]),
 *   new Int32Array([-100, -100, 3, 4]),
 * );
 * ```
 */
export function labelsFromMask(
  inputIds: TokenIds,
  mask: ArrayLike<number | boolean> | BigInt64Array,
  options: MaskOptions = {},
): Int32Array {
  const { ignoreIndex } = readOptions(ACTION, options);
  const ids = readIds(ACTION, "inputIds", inputIds);
  const list = readList<number | boolean | bigint>(
    ACTION,
    "mask",
    "an array of 0 and 1",
    mask,
  );
  const count = list.length;
  if (count !== ids.length) {
    outOfRange(
      ACTION,
      `mask.length must equal the ${ids.length} tokens`,
      count,
    );
  }
  const labels = new Int32Array(ids.length);
  for (let i = 0; i < labels.length; i++) {
    const bit = list[i];
    if (!["number", "boolean", "bigint"].includes(typeof bit)) {
      wrongKind(ACTION, `mask[${i}] must be 0 or 1`, bit);
    }
    const trained = Number(bit);
    if (trained !== 0 && trained !== 1) {
      outOfRange(ACTION, `mask[${i}] must be 0 or 1`, bit);
    }
    labels[i] = trained === 1 ? ids[i]! : ignoreIndex;
  }
  checkHeld(ACTION, "inputIds", ids, labels.length);
  return labels;
}

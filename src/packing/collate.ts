/**
 * Samples as one padded batch, one sample a row. Nothing is packed, so no label
 * need be ignored, but for one case: see `collate` on the left side.
 *
 * @module
 */
import { int32, optionsReader } from "../checks.ts";
import { IGNORE_INDEX } from "../contract.ts";
import type { Sample } from "../row.ts";
import { lay } from "./lay.ts";
import { Layout, type PaddedBatch } from "./layouts.ts";
import { PADDING, paddingOf, padRows } from "./padding.ts";
import { readSamples } from "./samples.ts";
import type { CollateOptions } from "./types.ts";

const ACTION = "collate samples";
const readOptions = optionsReader({
  ...PADDING,
  ignoreIndex: int32(IGNORE_INDEX),
});

/**
 * A padded batch [B, L], row b holding sample b.
 *
 * Padding is masked by length, never by id, so padTokenId may be a real token's.
 * On the right side labels stay as they are. On the left side padding stands
 * before a row's first token and would be scored against it under the shift, so
 * that label is ignored in every row, and counted in `lostTargets` where it was
 * trained; it is no target of the sample alone either, and the loss is the same.
 *
 * @param samples Ids with labels, or with spans, or all of them trained.
 * @param options `padTokenId`; `padToMultipleOf`; `length`, the longest sample's unless said; `side`; `ignoreIndex`.
 * @returns A batch for `causalLoss`, row-major, its arrays new; without samples it is [0, L] and its loss 0.
 * @throws {RangeError} `length` is shorter than a sample; labels are not aligned; a span, a weight or an option is out of range.
 * @throws {TypeError} Something is of the wrong kind.
 *
 * @example Two samples of different length
 * ```ts
 * import { causalLoss, collate } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const batch = collate([
 *   { inputIds: [1, 2, 3] },
 *   { inputIds: [4, 5], labels: [-100, 5] },
 * ], { padTokenId: 0 });
 * assertEquals(batch.dims, [2, 3]);
 * assertEquals([...batch.inputIds], [1, 2, 3, 4, 5, 0]);
 * assertEquals([...batch.labels], [1, 2, 3, -100, 5, -100]);
 * assertEquals([...batch.attentionMask], [1, 1, 1, 1, 1, 0]);
 *
 * const logits = new Float32Array(6 * 7); // from your model
 * assertEquals(causalLoss(logits, batch).activeTokens, 3); // 2, 3 and 5
 * ```
 */
export function collate(
  samples: Iterable<Sample>,
  options: CollateOptions,
): PaddedBatch {
  const { ignoreIndex, ...rest } = readOptions(ACTION, options);
  const read = readSamples(ACTION, samples, ignoreIndex);
  const length = Int32Array.from(read, ({ ids }) => ids.length);
  const borders = new Int32Array(length.length + 1);
  length.forEach((n, row) => borders[row + 1] = borders[row]! + n);
  const name = (row: number) => `samples[${row}]`;
  const padding = paddingOf(ACTION, rest, borders, name);
  // row = document = sample, the empty ones too
  const rows = length.map((_, row) => row);
  const pieces = {
    sample: rows,
    start: new Int32Array(rows.length),
    length,
    pack: rows,
  };
  const laid = new Layout(lay(read, pieces, ignoreIndex, padding.left));
  const same = (document: number) => document;
  return padRows(laid, borders, same, padding, false);
}

/**
 * A padded batch as named tensors, the columns that trainers read.
 *
 * @module
 */
import {
  checkObject,
  isListLike,
  outOfRange,
  readView,
  wrongKind,
} from "../checks.ts";
import type { Tensor } from "./tensor.ts";

const ACTION = "write columns";

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
 * @throws {TypeError} When something of it is of the wrong kind.
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
  checkObject(ACTION, "batch", batch);
  const { dims, inputIds, labels, attentionMask, positionIds } = batch;
  const { tokenWeights, cuSeqlens } = batch;
  if (!isListLike(dims)) wrongKind(ACTION, "dims must be a list", dims);
  const shape = Array.from<number>(dims);
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

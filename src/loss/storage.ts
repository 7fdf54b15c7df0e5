/**
 * How the logits that a caller passes are stored.
 *
 * @module
 */
import { type Action, wrongKind } from "../checks.ts";
import type { LogitsArray, LogitsType } from "../contract.ts";

/** Logits as the engines read them: the stored numbers, and how they are stored. */
export function readStorage(
  action: Action,
  data: LogitsArray,
  dtype: LogitsType | undefined,
): { array: Float32Array | Uint16Array; dtype: LogitsType } {
  let array: Float32Array | Uint16Array;
  let natural: LogitsType;
  if (data instanceof Float32Array) {
    array = data;
    natural = "f32";
  } else if (data instanceof Uint16Array) {
    if (dtype !== "bf16" && dtype !== "f16") {
      wrongKind(
        action,
        'dtype must be "bf16" or "f16" where logits are a Uint16Array',
        dtype,
      );
    }
    array = data;
    natural = dtype;
  } else if (
    ArrayBuffer.isView(data) &&
    (data as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ===
      "Float16Array"
  ) {
    const half = data as LogitsArray;
    array = new Uint16Array(half.buffer, half.byteOffset, half.length);
    natural = "f16";
  } else {
    wrongKind(
      action,
      "logits must be a Float32Array, a Float16Array, a Uint16Array of bf16 or f16 bits, or a tensor { data, dims } of one",
      data,
    );
  }
  if (dtype !== undefined && dtype !== natural) {
    wrongKind(
      action,
      `dtype must be "${natural}" where logits are a ${data.constructor.name}`,
      dtype,
    );
  }
  return { array, dtype: natural };
}

/**
 * How the logits that a caller passes are stored.
 *
 * @module
 */
import { type Action, readView, wrongKind } from "../checks.ts";
import type { HalfArray, LogitsArray, LogitsType } from "../contract.ts";
import { halfBits } from "../half.ts";
import { kindOf } from "../typed_arrays.ts";

/** Logits as the engines read them: the stored numbers, and how they are stored. */
export function readStorage(
  action: Action,
  data: LogitsArray,
  dtype: LogitsType | undefined,
): { array: Float32Array | Uint16Array; dtype: LogitsType } {
  const kind = kindOf(data);
  let array: Float32Array | Uint16Array;
  let natural: LogitsType;
  if (kind === "Float32Array") {
    array = readView(action, "logits", data as Float32Array);
    natural = "f32";
  } else if (kind === "Uint16Array") {
    if (dtype !== "bf16" && dtype !== "f16") {
      wrongKind(
        action,
        'dtype must be "bf16" or "f16" where logits are a Uint16Array',
        dtype,
      );
    }
    array = readView(action, "logits", data as Uint16Array);
    natural = dtype;
  } else if (kind === "Float16Array") {
    array = halfBits(readView(action, "logits", data as HalfArray));
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
      `dtype must be "${natural}" where logits are a ${kind}`,
      dtype,
    );
  }
  return { array, dtype: natural };
}

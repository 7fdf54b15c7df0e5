/**
 * A tensor as files hold it: a type, a shape, and the values flat, row-major.
 * No arithmetic, no views: what npy and safetensors have in common.
 *
 * @module
 */
import { type Action, outOfRange, readView, wrongKind } from "../checks.ts";
import { kindOf } from "../typed_arrays.ts";

/** How values are stored; f16 and bf16 travel as `Uint16Array` bit patterns. */
export type TensorType =
  | "i8"
  | "i16"
  | "i32"
  | "i64"
  | "f32"
  | "f64"
  | "u8"
  | "u16"
  | "u32"
  | "u64"
  | "f16"
  | "bf16";

/** The arrays that hold them. */
export type TensorData =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/** Values of one type in a shape, row-major; of shape `[]` there is one value. */
export interface Tensor {
  /** How the values are stored. */
  readonly dtype: TensorType;
  /** The size of each dimension, the slowest first. */
  readonly shape: readonly number[];
  /** The values, as many as the shape says. */
  readonly data: TensorData;
}

/** A tensor that a header speaks of. */
export interface NamedShape {
  /** Its name. */
  readonly name: string;
  /** How its values are stored. */
  readonly dtype: TensorType;
  /** The size of each dimension. */
  readonly shape: readonly number[];
}

/** The array of each type. */
const ARRAYS = {
  i8: Int8Array,
  i16: Int16Array,
  i32: Int32Array,
  i64: BigInt64Array,
  f32: Float32Array,
  f64: Float64Array,
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  u64: BigUint64Array,
  f16: Uint16Array,
  bf16: Uint16Array,
} as const;

/** All types. */
export const TENSOR_TYPES = Object.keys(ARRAYS) as readonly TensorType[];

/** Bytes of one value. */
export function sizeOf(dtype: TensorType): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}

/** How many values a shape has; NaN where the shape is none, or too large to count. */
export function countOf(shape: readonly unknown[]): number {
  let count = 1;
  for (const size of shape) {
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
      return NaN;
    }
    count *= size;
  }
  return Number.isSafeInteger(count) ? count : NaN;
}

/** The tensor's bytes, little-endian, after its type, shape and data are found to agree. */
export function bytesOf(
  action: Action,
  name: string,
  tensor: Tensor,
): Uint8Array {
  if (typeof tensor !== "object" || tensor === null) {
    wrongKind(action, `${name} must be a tensor`, tensor);
  }
  const { dtype, shape, data } = tensor;
  if (!Object.hasOwn(ARRAYS, dtype)) {
    const types = TENSOR_TYPES.join(", ");
    outOfRange(action, `${name}.dtype must be one of ${types}`, dtype);
  }
  if (kindOf(data) !== ARRAYS[dtype].name) {
    wrongKind(action, `${name}.data must be a ${ARRAYS[dtype].name}`, data);
  }
  const values = readView(action, `${name}.data`, data);
  const count = Array.isArray(shape) ? countOf(shape) : NaN;
  if (Number.isNaN(count)) {
    outOfRange(action, `${name}.shape must be a list of sizes`, shape);
  }
  if (values.length !== count) {
    const wish = `${name}.data must have the ${count} values of its shape`;
    outOfRange(action, wish, values.length);
  }
  checkEndian(action);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** A file's bytes as plain ones: the `slice` of Node's Buffer does not copy, for one. */
export function readBytes(action: Action, bytes: Uint8Array): Uint8Array {
  if (kindOf(bytes) !== "Uint8Array") {
    wrongKind(action, "bytes must be a Uint8Array", bytes);
  }
  return readView(action, "bytes", bytes);
}

/** A tensor of bytes that are exactly as many as it needs; the bytes are copied. */
export function tensorOf(
  action: Action,
  dtype: TensorType,
  shape: readonly number[],
  bytes: Uint8Array,
): Tensor {
  checkEndian(action);
  const { buffer } = bytes.slice(); // a copy of its own begins at 0, aligned
  return { dtype, shape, data: new ARRAYS[dtype](buffer as ArrayBuffer) };
}

/** Typed arrays are the machine's, the files little-endian, as nearly every machine is. */
function checkEndian(action: Action): void {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return;
  outOfRange(action, "the machine must be little-endian", "big-endian");
}

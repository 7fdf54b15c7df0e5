/**
 * What a typed array is under whatever its class adds: callers pass subclasses,
 * arrays of another realm (an iframe, a vm context) and proxies of arrays.
 *
 * @module
 */

/** `"Float32Array"` and the like for a typed array of any realm and class; undefined for all else, a proxy of one included. */
export function kindOf(value: unknown): string | undefined {
  if (!ArrayBuffer.isView(value)) return undefined;
  // the getter of %TypedArray%.prototype, which no class can override
  const { prototype } = Object.getPrototypeOf(Uint8Array);
  return Reflect.get(prototype, Symbol.toStringTag, value);
}

/** A class of typed arrays. */
interface ArrayClass<T> {
  prototype: T;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

/**
 * The array itself if it is of the plain class, else a plain view of the same
 * memory: `subarray` and `slice` of a subclass would call its constructor.
 */
export function plainView<T extends Float32Array | Uint16Array | Int32Array>(
  array: T,
  plain: ArrayClass<T>,
): T {
  return Object.getPrototypeOf(array) === plain.prototype
    ? array
    : new plain(array.buffer, array.byteOffset, array.length);
}

/** Whether an empty array is empty because its buffer was taken away or shrunk under it. */
export function isLost(array: { length: number }): boolean {
  if (array.length > 0) return false;
  try {
    Uint8Array.prototype.keys.call(array as Uint8Array);
    return false;
  } catch {
    return true;
  }
}

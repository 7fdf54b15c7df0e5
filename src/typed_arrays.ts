/**
 * What a typed array is under whatever its class, or whoever holds it, adds:
 * callers pass subclasses, arrays of another realm (an iframe, a vm context),
 * proxies of arrays, and arrays with a `length` of their own.
 *
 * @module
 */

// what no class can override: the getters of %TypedArray%.prototype
const { prototype } = Object.getPrototypeOf(Uint8Array);
const getter = (key: string | symbol) =>
  Object.getOwnPropertyDescriptor(prototype, key)!.get!;
const TAG = getter(Symbol.toStringTag), LENGTH = getter("length");
const BUFFER = getter("buffer"), OFFSET = getter("byteOffset");

/** `"Float32Array"` and the like for a typed array of any realm and class; undefined for all else, a proxy of one included. */
export function kindOf(value: unknown): string | undefined {
  return ArrayBuffer.isView(value) ? TAG.call(value) : undefined;
}

/** How many elements a typed array has, whatever it says. */
export function lengthOf(array: ArrayBufferView): number {
  return LENGTH.call(array);
}

/** The classes of nearly all arrays that come; to ask for a global by its name takes as long as all else here. */
const USUAL: Readonly<Record<string, unknown>> = { Float32Array, Int32Array };

/** A class of typed arrays. */
interface ArrayClass<T> {
  prototype: T;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

/** Whether an array is of this realm's class, or of a class made of it, with the length that it says. */
export function isPlain<T extends { length: number }>(
  array: unknown,
  plain: ArrayClass<T>,
): array is T {
  return array instanceof plain && ArrayBuffer.isView(array) &&
    lengthOf(array) === array.length;
}

/**
 * A plain view of the same memory, whatever the array is or has of its own:
 * `subarray` and `slice` of a subclass would call its constructor. An array that is
 * lost has none.
 */
export function plainView<T>(array: T): T {
  const kind = kindOf(array)!;
  const plain = (USUAL[kind] ?? Reflect.get(globalThis, kind)) as ArrayClass<T>;
  return new plain(BUFFER.call(array), OFFSET.call(array), LENGTH.call(array));
}

/** Whether an empty array is empty because its buffer was taken away or shrunk under it. */
export function isLost(array: ArrayBufferView): boolean {
  if (lengthOf(array) > 0) return false;
  try {
    prototype.keys.call(array);
    return false;
  } catch {
    return true;
  }
}

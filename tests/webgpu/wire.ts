/**
 * Trees of plain objects, lists, numbers and arrays as bytes and back, to the
 * last bit: what this process and a page send each other.
 *
 * @module
 */

const ARRAYS = {
  Float32Array,
  Float64Array,
  Int32Array,
  Uint32Array,
  Uint16Array,
  ArrayBuffer,
};

/** What stands in the text for an array (its type, where, how long) or a number that JSON lacks. */
interface Stand {
  $: keyof typeof ARRAYS | "number";
  at: number | string;
  length: number;
}

/** Every array begins at a multiple of this, as the widest must. */
const ALIGNMENT = 8;

const aligned = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** [the text's length, the text, the arrays] */
export function pack(tree: unknown): Uint8Array<ArrayBuffer> {
  const parts: [at: number, bytes: Uint8Array][] = [];
  let size = 0;
  const json = JSON.stringify(tree, (_, value): unknown => {
    if (typeof value === "number") {
      const isPlain = Number.isFinite(value) && !Object.is(value, -0);
      const text = Object.is(value, -0) ? "-0" : String(value);
      return isPlain ? value : { $: "number", at: text, length: 1 };
    }
    const isView = ArrayBuffer.isView(value);
    if (!isView && !(value instanceof ArrayBuffer)) return value;
    const bytes = isView
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value);
    const at = size;
    parts.push([at, bytes]);
    size = aligned(size + bytes.length);
    const length = (value as { length?: number }).length ?? bytes.length;
    return { $: value.constructor.name, at, length } as Stand;
  });
  const text = new TextEncoder().encode(json);
  const start = aligned(4 + text.length);
  const all = new Uint8Array(start + size);
  new Uint32Array(all.buffer, 0, 1)[0] = text.length;
  all.set(text, 4);
  for (const [at, bytes] of parts) all.set(bytes, start + at);
  return all;
}

/** What was packed; its typed arrays are views of the bytes. */
export function unpack<T>(bytes: ArrayBuffer): T {
  const [length = 0] = new Uint32Array(bytes, 0, 1);
  const text = new TextDecoder().decode(new Uint8Array(bytes, 4, length));
  const start = aligned(4 + length);
  return JSON.parse(text, (_, value) => {
    if (value === null || typeof value.$ !== "string") return value;
    const { $, at, length } = value as Stand;
    if ($ === "number") return Number(at);
    const from = start + Number(at);
    if ($ === "ArrayBuffer") return bytes.slice(from, from + length);
    return new ARRAYS[$](bytes, from, length);
  });
}

/**
 * safetensors: named tensors in one file.
 *
 *     header length   header                          data
 *     8 bytes, u64    JSON, spaces up to 8 bytes      the tensors, without gaps
 *
 * The header maps each name to dtype, shape and data_offsets, and `__metadata__`
 * to strings. Read strictly, since such a file is trusted for being strict:
 * every byte of the data belongs to exactly one tensor.
 *
 * @module
 */
import { checkObject, outOfRange, wrongKind } from "../checks.ts";
import { type Fields, keysOf, kind, parseJson, short } from "./fault.ts";
import {
  bytesOf,
  countOf,
  type NamedShape,
  readBytes,
  sizeOf,
  type Tensor,
  TENSOR_TYPES,
  tensorOf,
  type TensorType,
} from "./tensor.ts";

/** A decoded file. */
export interface SafetensorsFile {
  /** The tensors by name, in the order of their data. */
  readonly tensors: Map<string, Tensor>;
  /** The strings of `__metadata__`. */
  readonly metadata: Map<string, string>;
}

/** The header's key that is no tensor. */
const METADATA = "__metadata__";

/** The most a header may take, as in the format's own reader. */
const MAX_HEADER = 100_000_000;

/** The format's names of the types. */
const DTYPES: ReadonlyMap<TensorType, string> = new Map(
  TENSOR_TYPES.map((dtype) => [dtype, dtype.toUpperCase()]),
);

/**
 * Writes named tensors as one safetensors file. Wide types come first, then
 * names in order, so that every tensor is aligned and equal content gives equal
 * bytes.
 *
 * @param tensors The tensors by name.
 * @param metadata Strings for the header's `__metadata__`.
 * @returns The file's bytes.
 * @throws {TypeError} When a tensor's data is not the array of its type, or metadata is no string.
 * @throws {RangeError} When a shape does not fit, or a name cannot be written.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeSafetensors, encodeSafetensors } from "@sft/loss/formats";
 *
 * const ids = { dtype: "i32", shape: [1, 2], data: Int32Array.of(5, 6) } as const;
 * const file = encodeSafetensors(new Map([["input_ids", ids]]), { made_by: "me" });
 * const { tensors, metadata } = decodeSafetensors(file);
 * assertEquals(tensors.get("input_ids"), ids);
 * assertEquals(metadata.get("made_by"), "me");
 * ```
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const action = "encode safetensors";
  if (!(tensors instanceof Map)) {
    wrongKind(action, "tensors must be a Map", tensors);
  }
  const named = [...tensors as ReadonlyMap<string, Tensor>].map(
    ([name, tensor]) => {
      checkName(name);
      const bytes = bytesOf(action, `tensors.get(${short(name)})`, tensor);
      return { name, tensor, bytes };
    },
  ).sort((a, b) =>
    sizeOf(b.tensor.dtype) - sizeOf(a.tensor.dtype) ||
    (a.name < b.name ? -1 : 1)
  );
  checkObject(action, "metadata", metadata);
  const notes = Object.entries(metadata);
  for (const [key, value] of notes) {
    if (typeof value !== "string") {
      wrongKind(action, `metadata.${key} must be a string`, value);
    }
    if (!key.isWellFormed() || !value.isWellFormed()) {
      outOfRange(action, "metadata must be Unicode", value);
    }
  }

  const header = safetensorsHeader(
    named.map(({ name, tensor }) => ({ ...tensor, name })),
    notes,
  );
  const file = new Uint8Array(
    named.reduce((size, { bytes }) => size + bytes.length, header.length),
  );
  file.set(header);
  let at = header.length;
  for (const { bytes } of named) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

/** What stands before the data of these tensors, for those that are written piece by piece. */
export function safetensorsHeader(
  tensors: readonly NamedShape[],
  metadata: readonly (readonly [key: string, value: string])[],
): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape }): [string, unknown] => [
    name,
    {
      dtype: DTYPES.get(dtype),
      shape,
      data_offsets: [end, end += countOf(shape) * sizeOf(dtype)],
    },
  ]);
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(
    metadata.length > 0
      ? [[METADATA, Object.fromEntries(metadata)], ...entries]
      : entries,
  )));
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(start).fill(0x20); // spaces
  new DataView(header.buffer).setBigUint64(0, BigInt(start - 8), true);
  header.set(json, 8);
  return header;
}

function checkName(name: unknown): void {
  if (typeof name !== "string") {
    wrongKind("encode safetensors", "names must be strings", name);
  }
  if (name === METADATA || !name.isWellFormed()) {
    outOfRange("encode safetensors", "names must be Unicode and free", name);
  }
}

/**
 * Reads a safetensors file.
 *
 * @param bytes The whole file.
 * @returns Its tensors and metadata; the values are copies.
 * @throws {SyntaxError} When the bytes are no such file: a header that is not what it must be, data with gaps, overlaps or a wrong end.
 * @throws {RangeError} When a tensor has a type that is not read here.
 * @throws {TypeError} When `bytes` is no Uint8Array.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { decodeSafetensors } from "@sft/loss/formats";
 *
 * assertThrows(
 *   () => decodeSafetensors(new Uint8Array(4)),
 *   SyntaxError,
 *   "not a safetensors file: it has 4 bytes, fewer than 8",
 * );
 * ```
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
  bytes = readBytes("decode safetensors", bytes);
  if (bytes.length < 8) broken(`it has ${bytes.length} bytes, fewer than 8`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > Math.min(MAX_HEADER, bytes.length - 8)) {
    broken(`its header of ${length} bytes does not fit`);
  }
  const data = bytes.subarray(8 + length);
  const entries = Object.entries(readHeader(bytes.subarray(8, 8 + length)));

  const metadata = new Map<string, string>();
  const named: { name: string; entry: Entry }[] = [];
  for (const [name, value] of entries) {
    const fields = fieldsOf(short(name), value);
    if (name === METADATA) readMetadata(fields, metadata);
    else named.push({ name, entry: readEntry(short(name), fields) });
  }

  // in the order of their data the tensors follow each other without a gap; a
  // name given twice leaves one, as JSON.parse keeps the last only
  named.sort((a, b) =>
    a.entry.begin - b.entry.begin || a.entry.end - b.entry.end
  );
  const tensors = new Map<string, Tensor>();
  let at = 0;
  for (const { name, entry: { dtype, shape, begin, end } } of named) {
    if (begin !== at || end > data.length) {
      broken(
        `${
          short(name)
        } takes ${begin} to ${end} of ${data.length} bytes, the one before ends at ${at}`,
      );
    }
    at = end;
    const own = data.subarray(begin, end);
    tensors.set(name, tensorOf("decode safetensors", dtype, shape, own));
  }
  if (at !== data.length) {
    broken(`its tensors take ${at} bytes of ${data.length}`);
  }
  return { tensors, metadata };
}

function broken(reason: string): never {
  throw new SyntaxError(`not a safetensors file: ${reason}`);
}

function readHeader(bytes: Uint8Array): Fields {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    broken("its header is not UTF-8");
  }
  if (!text.startsWith("{")) broken("its header does not begin with {");
  let header: unknown;
  try {
    header = parseJson("its header", text);
  } catch (error) {
    broken((error as Error).message);
  }
  return fieldsOf("its header", header);
}

function fieldsOf(name: string, value: unknown): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Fields;
  }
  broken(`${name} must be an object: got ${kind(value)}`);
}

function readMetadata(fields: Fields, metadata: Map<string, string>): void {
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value !== "string") {
      broken(`${METADATA} ${short(key)} must be a string: got ${kind(value)}`);
    }
    metadata.set(key, value);
  }
}

/** Where a tensor lies, and what it is. */
interface Entry {
  dtype: TensorType;
  shape: number[];
  begin: number;
  end: number;
}

function readEntry(name: string, fields: Fields): Entry {
  const keys = Object.keys(fields).sort().join();
  if (keys !== "data_offsets,dtype,shape") {
    broken(
      `${name} must have dtype, shape, data_offsets: got ${keysOf(fields)}`,
    );
  }
  const { dtype: given, shape, data_offsets: offsets } = fields;
  if (typeof given !== "string") broken(`${name} has no dtype`);
  const dtype = [...DTYPES].find(([, word]) => word === given)?.[0];
  if (dtype === undefined) {
    const known = [...DTYPES.values()].join(", ");
    const wish = `the dtype of ${name} must be one of ${known}`;
    outOfRange("decode safetensors", wish, short(given));
  }
  const count = Array.isArray(shape) ? countOf(shape) : NaN;
  if (Number.isNaN(count)) broken(`${name} has no shape that can be counted`);
  if (
    !Array.isArray(offsets) || offsets.length !== 2 ||
    !offsets.every((at) => Number.isSafeInteger(at) && at >= 0)
  ) {
    broken(`${name} has no data_offsets`);
  }
  const [begin, end] = offsets as [number, number];
  if (end - begin !== count * sizeOf(dtype)) {
    broken(
      `${name} needs ${count * sizeOf(dtype)} bytes, its data_offsets give ${
        end - begin
      }`,
    );
  }
  return { dtype, shape: shape as number[], begin, end };
}

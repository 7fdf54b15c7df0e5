/**
 * NumPy's .npy: one array per file. The layout is that of NEP 1,
 *
 *     "\x93NUMPY"  major  minor  header length      header          data
 *       6 bytes      1      1    2 (4 from 2.0 on)  ends in "\n"    from a multiple of 64
 *
 * with a header that is a Python dict of descr, fortran_order and shape. Written
 * is version 1.0; read are 1.0, 2.0 and 3.0. It refuses what it cannot hand on
 * as it stands: big-endian values, Fortran order, Python objects, records.
 *
 * @module
 */
import { outOfRange } from "../checks.ts";
import { short } from "./fault.ts";
import {
  bytesOf,
  countOf,
  readBytes,
  sizeOf,
  type Tensor,
  tensorOf,
  type TensorType,
} from "./tensor.ts";

/** 0x93 and NUMPY. */
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** The longest header that is read, in bytes; NumPy's own limit. */
const MAX_HEADER = 10_000;

/** NumPy's names of the types; it has none for bf16. */
const DESCR: ReadonlyMap<TensorType, string> = new Map([
  ["i8", "|i1"],
  ["i16", "<i2"],
  ["i32", "<i4"],
  ["i64", "<i8"],
  ["f32", "<f4"],
  ["f64", "<f8"],
  ["u8", "|u1"],
  ["u16", "<u2"],
  ["u32", "<u4"],
  ["u64", "<u8"],
  ["f16", "<f2"],
]);

/** The most dimensions an array may have, in NumPy 1. */
const MAX_RANK = 32;

/**
 * Writes one array as a .npy file, version 1.0.
 *
 * @param tensor The array: any type but bf16, which NumPy has not.
 * @returns The file's bytes.
 * @throws {TypeError} When the data is not the array of its type.
 * @throws {RangeError} When the shape does not fit, or NumPy has no such type.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeNpy, encodeNpy } from "@sft/loss/formats";
 *
 * const ids = { dtype: "i32", shape: [2, 2], data: Int32Array.of(5, 6, 7, 0) } as const;
 * assertEquals(decodeNpy(encodeNpy(ids)), ids);
 * ```
 */
export function encodeNpy(tensor: Tensor): Uint8Array {
  const data = bytesOf("encode npy", "tensor", tensor);
  const header = npyHeader(tensor.dtype, tensor.shape);
  const file = new Uint8Array(header.length + data.length);
  file.set(header);
  file.set(data, header.length);
  return file;
}

/** What stands before the data, for arrays that are written piece by piece. */
export function npyHeader(
  dtype: TensorType,
  shape: readonly number[],
): Uint8Array {
  const descr = DESCR.get(dtype);
  if (descr === undefined) {
    outOfRange("encode npy", "dtype must be one that NumPy has", dtype);
  }
  if (shape.length > MAX_RANK) {
    outOfRange("encode npy", `shape must have at most ${MAX_RANK}`, shape);
  }
  const tuple = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text =
    `{'descr': '${descr}', 'fortran_order': False, 'shape': (${tuple}), }`;

  // magic, version and length take 10 bytes; "\n" is the header's last
  const length = Math.ceil((10 + text.length + 1) / 64) * 64;
  const header = new Uint8Array(length);
  header.set([...MAGIC, 1, 0]);
  new DataView(header.buffer).setUint16(8, length - 10, true);
  header.set(new TextEncoder().encode(`${text.padEnd(length - 11)}\n`), 10);
  return header;
}

/**
 * Reads a .npy file in C order: whole numbers of any size, signed or not
 * (`|i1` to `<i8`, `|u1` to `<u8`), and `<f2`, `<f4`, `<f8`.
 *
 * @param bytes The whole file.
 * @returns The array; its values are a copy.
 * @throws {SyntaxError} When the bytes are no .npy file, or are cut short or too long.
 * @throws {RangeError} When the file is one, but its type, byte order or order of dimensions is not read here.
 * @throws {TypeError} When `bytes` is no Uint8Array.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { decodeNpy, encodeNpy } from "@sft/loss/formats";
 *
 * const file = encodeNpy({ dtype: "u8", shape: [3], data: Uint8Array.of(0, 1, 1) });
 * assertThrows(() => decodeNpy(file.subarray(0, -1)), SyntaxError, "3 bytes of data");
 * ```
 */
export function decodeNpy(bytes: Uint8Array): Tensor {
  bytes = readBytes("decode npy", bytes);
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) broken("it has no magic");
  const major = bytes[6], minor = bytes[7];
  if (major === undefined || minor === undefined) broken("it has no version");
  if (major < 1 || major > 3 || minor !== 0) {
    const version = `${major}.${minor}`;
    outOfRange("decode npy", "the version must be 1.0, 2.0 or 3.0", version);
  }

  // the header
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start) broken("it ends within its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = major === 1
    ? view.getUint16(8, true)
    : view.getUint32(8, true);
  const end = start + length;
  if (bytes.length < end) broken("it ends within its header");
  if (length > MAX_HEADER) broken(`its header has ${length} bytes`);
  const encoding = major === 3 ? "utf-8" : "latin1";
  const header = new TextDecoder(encoding).decode(bytes.subarray(start, end));
  const { descr, fortranOrder, shape } = readHeader(header);

  // what it says
  const dtype = typeOf(descr);
  if (fortranOrder) {
    outOfRange("decode npy", "the order must be C, not Fortran", fortranOrder);
  }
  const size = countOf(shape) * sizeOf(dtype);
  if (bytes.length - end !== size) {
    broken(`it must have ${size} bytes of data: got ${bytes.length - end}`);
  }
  return tensorOf("decode npy", dtype, shape, bytes.subarray(end));
}

function broken(reason: string): never {
  throw new SyntaxError(`not a .npy file: ${reason}`);
}

interface Header {
  descr: string;
  fortranOrder: boolean;
  shape: number[];
}

/** The dict, its three keys in any order; nothing else that Python could say. */
function readHeader(text: string): Header {
  const inside = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1];
  if (inside === undefined) broken("its header is no dict");
  const found = new Map<string, string>();
  const item =
    /\s*(['"])(\w+)\1\s*:\s*('[^']*'|"[^"]*"|\([^()]*\)|\[.*\]|\w+)\s*(,|$)\s*/sy;
  while (item.lastIndex < inside.length) {
    const [, , key, value] = item.exec(inside) ?? broken(
      `its header is ${short(text.trim())}`,
    );
    if (found.has(key!)) broken(`its header says ${key} twice`);
    found.set(key!, value!);
  }
  const keys = [...found.keys()].sort().join(", ");
  if (keys !== "descr, fortran_order, shape") {
    broken(`its header has ${keys || "no keys"}`);
  }
  const descr = /^['"](.*)['"]$/s.exec(found.get("descr")!)?.[1];
  if (descr === undefined) {
    outOfRange(
      "decode npy",
      "records must be plain values",
      found.get("descr"),
    );
  }
  const order = found.get("fortran_order")!;
  if (order !== "True" && order !== "False") {
    broken(`its fortran_order is ${short(order)}`);
  }
  const tuple = /^\(\s*((?:\d+\s*,\s*)*)(\d*)\s*\)$/.exec(found.get("shape")!);
  const list = tuple === null ? [] : `${tuple[1]}${tuple[2]}`.split(",");
  const shape = list.filter((size) => size.trim() !== "").map(Number);
  // (3) is a number in Python, not a tuple
  if (tuple === null || (shape.length === 1 && tuple[1] === "")) {
    broken(`its shape is ${short(found.get("shape"))}`);
  }
  if (Number.isNaN(countOf(shape))) broken("its shape is too large to count");
  return { descr, fortranOrder: order === "True", shape };
}

function typeOf(descr: string): TensorType {
  for (const [dtype, name] of DESCR) {
    if (name === descr) return dtype;
  }
  const wish = descr.startsWith(">")
    ? "values must be little-endian"
    : `descr must be one of ${[...DESCR.values()].join(", ")}`;
  outOfRange("decode npy", wish, short(descr));
}

/**
 * encodeNpy() and decodeNpy() against NumPy's own files
 * (tests/vectors/npy.jsonl, made by scripts/make_npy_vectors.py) and against
 * what is no such file.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { decodeNpy, encodeNpy, type Tensor } from "../../src/formats/mod.ts";

interface Vector {
  name: string;
  version: number;
  file: string;
}

const vectors: Vector[] = Deno.readTextFileSync(
  new URL("../vectors/npy.jsonl", import.meta.url),
).trimEnd().split("\n").map((line) => JSON.parse(line));

function fileOf(name: string): Uint8Array {
  const { file } = vectors.find((vector) => vector.name === name)!;
  return Uint8Array.from(atob(file), (c) => c.charCodeAt(0));
}

const I4: Tensor = {
  dtype: "i32",
  shape: [2, 3],
  data: Int32Array.of(1, -2, 3, 2147483647, -2147483648, 0),
};
const TENSORS: Record<string, Tensor> = {
  i4: I4,
  i8: {
    dtype: "i64",
    shape: [2],
    data: BigInt64Array.of(9007199254740993n, -1n),
  },
  f4: { dtype: "f32", shape: [3], data: Float32Array.of(0.1, -0, Infinity) },
  f8: { dtype: "f64", shape: [2, 1, 1], data: Float64Array.of(0.1, -1e308) },
  u1: { dtype: "u8", shape: [3], data: Uint8Array.of(0, 1, 255) },
  u2: { dtype: "u16", shape: [2], data: Uint16Array.of(65535, 1) },
  i1: { dtype: "i8", shape: [2], data: Int8Array.of(-128, 127) },
  i2: { dtype: "i16", shape: [3], data: Int16Array.of(-32768, 32767, -100) },
  u4: { dtype: "u32", shape: [2], data: Uint32Array.of(4294967295, 1) },
  u8: {
    dtype: "u64",
    shape: [2],
    data: BigUint64Array.of(18446744073709551615n, 1n),
  },
  f2: {
    dtype: "f16",
    shape: [3],
    data: Uint16Array.of(0x3c00, 0xc000, 0x3800),
  },
  scalar: { dtype: "i32", shape: [], data: Int32Array.of(7) },
  empty: { dtype: "i32", shape: [0, 5], data: new Int32Array() },
};

Deno.test("encodeNpy() writes the bytes that NumPy writes", () => {
  for (const [name, tensor] of Object.entries(TENSORS)) {
    assertEquals(encodeNpy(tensor), fileOf(name), name);
  }
});

Deno.test("decodeNpy() reads the bytes that NumPy writes", () => {
  for (const [name, tensor] of Object.entries(TENSORS)) {
    assertEquals(decodeNpy(fileOf(name)), tensor, name);
  }
  assertEquals(decodeNpy(fileOf("version 2")), I4);
  assertEquals(decodeNpy(fileOf("version 3")), I4);
});

Deno.test("decodeNpy() copies the values, wherever the bytes lie", () => {
  const shifted = new Uint8Array(fileOf("i4").length + 3);
  shifted.set(fileOf("i4"), 3);
  const tensor = decodeNpy(shifted.subarray(3));
  shifted.fill(0);
  assertEquals(tensor, I4);
});

Deno.test("decodeNpy() refuses what it would have to change", () => {
  const refuses = (name: string, words: string) =>
    assertThrows(
      () => decodeNpy(fileOf(name)),
      RangeError,
      `Cannot decode npy as ${words}`,
    );
  refuses("big", "values must be little-endian");
  refuses("fortran", "the order must be C, not Fortran");
  refuses("bool", "descr must be one of |i1, <i2, <i4, <i8");
  refuses("text", "descr must be one of |i1, <i2, <i4, <i8");
  refuses("record", "records must be plain values");
});

/** A file with this header. */
function withHeader(header: string, data = 24, version = [1, 0]): Uint8Array {
  const text = new TextEncoder().encode(`${header}\n`);
  return Uint8Array.of(
    ...[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, ...version],
    ...[text.length & 255, text.length >> 8, ...text],
    ...new Uint8Array(data),
  );
}

Deno.test("decodeNpy() reads any header that Python would", () => {
  const good = [
    `{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }`,
    `{"shape":(2,3),"descr":"<i4","fortran_order":False}`,
    `  { 'shape' : ( 2 , 3 , ) , 'descr' : '<i4' , 'fortran_order' : False }  `,
  ];
  for (const header of good) {
    assertEquals(decodeNpy(withHeader(header)).shape, [2, 3]);
  }
});

Deno.test("decodeNpy() refuses what is no such file, or not all of it", () => {
  const refuses = (bytes: Uint8Array, words: string) =>
    assertThrows(
      () => decodeNpy(bytes),
      SyntaxError,
      `not a .npy file: ${words}`,
    );
  const file = fileOf("i4");
  refuses(new Uint8Array(), "it has no magic");
  refuses(file.subarray(1), "it has no magic");
  refuses(file.subarray(0, 7), "it has no version");
  refuses(file.subarray(0, 9), "it ends within its header");
  refuses(file.subarray(0, 100), "it ends within its header");
  refuses(file.subarray(0, -1), "it must have 24 bytes of data: got 23");
  refuses(Uint8Array.of(...file, 0), "it must have 24 bytes of data: got 25");

  const rest = `'fortran_order': False, 'shape': (2, 3)`;
  const headers: [string, string][] = [
    ["", "its header is no dict"],
    [`{'descr': '<i4', ${rest}`, "its header is no dict"],
    ["{}", "its header has no keys"],
    [
      `{'descr': '<i4', 'descr': '<i4', ${rest}}`,
      "its header says descr twice",
    ],
    [
      `{'descr': '<i4', ${rest}, 'x': 1}`,
      "its header has descr, fortran_order, shape, x",
    ],
    [`{'descr': f(), ${rest}}`, "its header is "],
    [
      `{'descr': '<i4', 'fortran_order': 0, 'shape': (6,)}`,
      `its fortran_order is "0"`,
    ],
  ];
  for (const [header, words] of headers) refuses(withHeader(header), words);
  for (
    const shape of [
      "(6)",
      "[6]",
      "6",
      "(-6,)",
      "(6,,)",
      "(,)",
      "(6.0,)",
      "(2 3)",
    ]
  ) {
    assertThrows(
      () =>
        decodeNpy(
          withHeader(
            `{'descr': '<i4', 'fortran_order': False, 'shape': ${shape}}`,
          ),
        ),
      SyntaxError,
      "not a .npy file: its ",
      shape,
    );
  }
  const huge = `(${"9999999, ".repeat(9)})`;
  refuses(
    withHeader(`{'descr': '<i4', 'fortran_order': False, 'shape': ${huge}}`),
    "its shape is too large to count",
  );
  const good = `{'descr': '<i4', ${rest}}`;
  refuses(withHeader(good.padEnd(10_000)), "its header has 10001 bytes");
  for (const version of [[0, 0], [4, 0], [1, 1]]) {
    assertThrows(
      () => decodeNpy(withHeader(good, 24, version)),
      RangeError,
      "the version must be 1.0, 2.0 or 3.0",
    );
  }
  assertThrows(
    () => decodeNpy([] as unknown as Uint8Array),
    TypeError,
    "bytes must be a Uint8Array",
  );
});

Deno.test("encodeNpy() refuses tensors that are none", () => {
  const refuses = (tensor: object, kind: typeof RangeError, words: string) =>
    assertThrows(
      () => encodeNpy({ ...I4, ...tensor } as Tensor),
      kind,
      `Cannot encode npy as ${words}`,
    );
  refuses(
    { shape: [2, 2] },
    RangeError,
    "tensor.data must have the 4 values of its shape: current value is 6",
  );
  refuses(
    { shape: [-2, -3] },
    RangeError,
    "tensor.shape must be a list of sizes",
  );
  refuses({ shape: "23" }, RangeError, "tensor.shape must be a list of sizes");
  refuses({ dtype: "i24" }, RangeError, "tensor.dtype must be one of i8, i16");
  refuses({ dtype: "toString" }, RangeError, "tensor.dtype must be one of i8");
  refuses({ dtype: "f32" }, TypeError, "tensor.data must be a Float32Array");
  refuses(
    { dtype: "bf16", data: new Uint16Array(6) },
    RangeError,
    "dtype must be one that NumPy has",
  );
  refuses(
    { shape: [2, 3, ...Array(31).fill(1)] },
    RangeError,
    "shape must have at most 32",
  );
  assertThrows(
    () => encodeNpy(null as unknown as Tensor),
    TypeError,
    "tensor must be a tensor",
  );
});

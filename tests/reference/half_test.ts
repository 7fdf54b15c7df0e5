/** half.ts against every code there is, and every half-way point between two. */
import { assert, assertEquals } from "@std/assert";
import {
  decodeBf16,
  decodeF16,
  encodeBf16,
  encodeF16,
  halfBits,
} from "../../src/half.ts";

const FORMATS = [
  {
    name: "Bf16",
    decode: decodeBf16,
    encode: encodeBf16,
    infinity: 0x7f80,
    nan: 0x7fc0,
    // half a step above the largest number, (2 - 2^-7)·2^127
    overflow: (2 - 2 ** -8) * 2 ** 127,
  },
  {
    name: "F16",
    decode: decodeF16,
    encode: encodeF16,
    infinity: 0x7c00,
    nan: 0x7e00,
    overflow: 65520,
  },
];

/** The float64 next to x > 0. */
function beside(x: number, step: bigint): number {
  const bits = new BigUint64Array(Float64Array.of(x).buffer);
  bits[0] = bits[0]! + step;
  return new Float64Array(bits.buffer)[0]!;
}

for (const { name, decode, encode, infinity, nan, overflow } of FORMATS) {
  Deno.test(`encode${name}() returns every code that decode${name}() read`, () => {
    for (let code = 0; code < 65536; code++) {
      const value = decode(code);
      const isNaN = (code & 0x7fff) > infinity;
      assertEquals(Number.isNaN(value), isNaN);
      assertEquals(encode(value), isNaN ? nan : code);
    }
  });

  Deno.test(`encode${name}() rounds to nearest, ties to even, once`, () => {
    for (let code = 0; code < infinity - 1; code++) {
      const middle = (decode(code) + decode(code + 1)) / 2;
      const even = code + (code & 1);
      assertEquals(encode(middle), even);
      assertEquals(encode(-middle), even | 0x8000);
      // a float64 beside the tie is off it, though as a float32 it may be on it
      assertEquals(encode(beside(middle, -1n)), code);
      assertEquals(encode(beside(middle, 1n)), code + 1);
    }
  });

  Deno.test(`encode${name}() overflows to infinity and keeps the sign of 0`, () => {
    assertEquals(encode(beside(overflow, -1n)), infinity - 1);
    assertEquals(encode(overflow), infinity);
    assertEquals(encode(-1e300), infinity | 0x8000);
    assertEquals(encode(Infinity), infinity);
    assertEquals(encode(0), 0);
    assertEquals(encode(-0), 0x8000);
    assertEquals(encode(5e-324), 0);
    assertEquals(encode(-5e-324), 0x8000);
    assertEquals(decode(encode(NaN)), NaN);
  });
}

Deno.test("decodeBf16() is the float32 with these upper bits", () => {
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  for (let code = 0; code < 65536; code++) {
    bits[0] = code << 16;
    assert(Object.is(decodeBf16(code), float[0]!));
  }
});

Deno.test("decodeF16() follows the definition of binary16", () => {
  for (let code = 0; code < 65536; code++) {
    const sign = code >= 0x8000 ? -1 : 1;
    const field = (code >> 10) & 31;
    const fraction = (code & 1023) / 1024;
    const expected = field === 31
      ? (fraction === 0 ? sign * Infinity : NaN)
      : field === 0
      ? sign * fraction * 2 ** -14
      : sign * (1 + fraction) * 2 ** (field - 15);
    assert(Object.is(decodeF16(code), expected), `code ${code}`);
  }
});

Deno.test("halfBits() sees the same memory", () => {
  const codes = Uint16Array.of(1, 2, 3, 4);
  const view = halfBits(codes.subarray(1, 3));
  assertEquals([...view], [2, 3]);
  view[0] = 9;
  assertEquals(codes[1], 9);
});

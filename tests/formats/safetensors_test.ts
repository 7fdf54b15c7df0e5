/**
 * encodeSafetensors() and decodeSafetensors(): the bytes by hand, and every rule
 * of the format broken once.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import {
  decodeSafetensors,
  encodeSafetensors,
  type Tensor,
} from "../../src/formats/mod.ts";

const IDS: Tensor = {
  dtype: "i32",
  shape: [1, 2],
  data: Int32Array.of(5, -100),
};

/** A file of this header and so many bytes of data. */
function fileOf(header: unknown, data = 0): Uint8Array {
  const json = new TextEncoder().encode(
    typeof header === "string" ? header : JSON.stringify(header),
  );
  const file = new Uint8Array(8 + json.length + data);
  file[0] = json.length & 255;
  file[1] = json.length >> 8;
  file.set(json, 8);
  return file;
}

function refuses(file: Uint8Array, words: string): void {
  assertThrows(() => decodeSafetensors(file), SyntaxError, words);
}

Deno.test("encodeSafetensors() writes length, header and data as the format says", () => {
  const file = encodeSafetensors(new Map([["ids", IDS]]), { a: "b" });
  const json =
    `{"__metadata__":{"a":"b"},"ids":{"dtype":"I32","shape":[1,2],"data_offsets":[0,8]}}`;
  const padded = json.padEnd(Math.ceil(json.length / 8) * 8);
  assertEquals(file[0], padded.length);
  assertEquals(file.subarray(1, 8), new Uint8Array(7));
  assertEquals(new TextDecoder().decode(file.subarray(8, -8)), padded);
  assertEquals(
    file.subarray(-8),
    Uint8Array.of(5, 0, 0, 0, 0x9c, 0xff, 0xff, 0xff),
  );
  // nothing at all is a file too
  const empty = encodeSafetensors(new Map());
  assertEquals(new TextDecoder().decode(empty.subarray(8)), "{}      ");
  assertEquals(decodeSafetensors(empty).tensors.size, 0);
});

Deno.test("encodeSafetensors() gives equal content equal bytes, every tensor aligned", () => {
  const tensors: [string, Tensor][] = [
    ["z", { dtype: "u8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
    ["b", IDS],
    ["a", { dtype: "f64", shape: [], data: Float64Array.of(0.1) }],
    ["a2", { dtype: "bf16", shape: [1], data: Uint16Array.of(1) }],
  ];
  const file = encodeSafetensors(new Map(tensors));
  assertEquals(encodeSafetensors(new Map(tensors.toReversed())), file);
  const { tensors: back } = decodeSafetensors(file);
  assertEquals([...back.keys()], ["a", "b", "a2", "z"]);
  for (const [name, tensor] of tensors) assertEquals(back.get(name), tensor);
});

Deno.test("decodeSafetensors() gives back whatever was encoded", () => {
  const tensor = fc.array(fc.nat(3), { maxLength: 3 }).chain((shape) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return fc.array(fc.integer(), { minLength: count, maxLength: count })
      .map((values): Tensor => ({
        dtype: "i32",
        shape,
        data: Int32Array.from(values),
      }));
  });
  const name = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.constantFrom("__proto__", "constructor", "0", ""),
  ).filter((name) => name !== "__metadata__");
  fc.assert(fc.property(
    fc.array(fc.tuple(name, tensor)),
    fc.array(fc.tuple(name, fc.string({ unit: "grapheme" }))),
    (entries, notes) => {
      const tensors = new Map(entries);
      const metadata = Object.fromEntries(notes);
      const back = decodeSafetensors(encodeSafetensors(tensors, metadata));
      assertEquals(
        new Map([...back.tensors].sort()),
        new Map([...tensors].sort()),
      );
      assertEquals(
        new Map([...back.metadata].sort()),
        new Map([...new Map(notes)].sort()),
      );
    },
  ));
});

Deno.test("decodeSafetensors() refuses a header that is none", () => {
  refuses(new Uint8Array(7), "it has 7 bytes, fewer than 8");
  refuses(fileOf("{}").subarray(0, 9), "its header of 2 bytes does not fit");
  refuses(new Uint8Array(16).fill(255), "does not fit");
  refuses(fileOf(" {}"), "its header does not begin with {");
  refuses(fileOf("[]"), "its header does not begin with {");
  refuses(fileOf("{"), "not a safetensors file: its header is not JSON");
  refuses(fileOf(`{"a":1}`), `"a" must be an object: got number`);
  refuses(
    fileOf({ __metadata__: { a: 1 } }),
    `__metadata__ "a" must be a string: got number`,
  );
  refuses(
    fileOf({ __metadata__: [] }),
    `"__metadata__" must be an object: got a list`,
  );
  const bad = fileOf(`{"x":1}`);
  bad[10] = 0xff;
  refuses(bad, "its header is not UTF-8");
});

Deno.test("decodeSafetensors() refuses entries and offsets that do not fit", () => {
  const entry = { dtype: "I32", shape: [2], data_offsets: [0, 8] };
  const one = (wrong: object, data = 8) =>
    fileOf({ x: { ...entry, ...wrong } }, data);
  assertEquals(decodeSafetensors(one({})).tensors.get("x")?.shape, [2]);

  refuses(
    one({ more: 1 }),
    `"x" must have dtype, shape, data_offsets: got dtype, shape, data_offsets, more`,
  );
  refuses(fileOf({ x: { dtype: "I32", shape: [2] } }), `"x" must have dtype`);
  refuses(one({ dtype: 1 }), `"x" has no dtype`);
  for (
    const shape of [2, [-2, -1], [1.5], ["2"], [null], Array(9).fill(9999999)]
  ) {
    refuses(one({ shape }), `"x" has no shape that can be counted`);
  }
  for (
    const offsets of [0, [], [0], [0, 8, 8], [-8, 0], [0, "8"], [0, 1e300], [
      NaN,
      8,
    ]]
  ) {
    refuses(one({ data_offsets: offsets }), `"x" has no data_offsets`);
  }
  refuses(one({ shape: [3] }), `"x" needs 12 bytes, its data_offsets give 8`);
  refuses(one({ data_offsets: [8, 0] }), `its data_offsets give -8`);
  refuses(one({}, 7), `"x" takes 0 to 8 of 7 bytes`);
  refuses(one({}, 9), "its tensors take 8 bytes of 9");
  refuses(
    one({ data_offsets: [4, 12] }, 12),
    `"x" takes 4 to 12 of 12 bytes, the one before ends at 0`,
  );
  const two = { ...entry, data_offsets: [4, 12] };
  refuses(
    fileOf({ x: entry, y: two }, 12),
    `"y" takes 4 to 12 of 12 bytes, the one before ends at 8`,
  );
  // a name given twice loses its first bytes
  const twice = `{"x":${
    JSON.stringify(entry)
  },"x":{"dtype":"I32","shape":[2],"data_offsets":[8,16]}}`;
  refuses(fileOf(twice, 16), `"x" takes 8 to 16`);
  assertThrows(
    () => decodeSafetensors(one({ dtype: "F8_E4M3" })),
    RangeError,
    `Cannot decode safetensors as the dtype of "x" must be one of I8, I16, I32, I64`,
  );
  assertThrows(
    () => decodeSafetensors("" as unknown as Uint8Array),
    TypeError,
    "bytes must be a Uint8Array",
  );
});

Deno.test("safetensors keep whole numbers of every size", () => {
  const tensors = new Map<string, Tensor>([
    ["u64", {
      dtype: "u64",
      shape: [1],
      data: BigUint64Array.of(2n ** 64n - 1n),
    }],
    ["u32", { dtype: "u32", shape: [1], data: Uint32Array.of(2 ** 32 - 1) }],
    ["i16", { dtype: "i16", shape: [2], data: Int16Array.of(-100, 7) }],
    ["i8", { dtype: "i8", shape: [2], data: Int8Array.of(-128, 127) }],
  ]);
  assertEquals(decodeSafetensors(encodeSafetensors(tensors)).tensors, tensors);
});

Deno.test("encodeSafetensors() refuses names and tensors it cannot write", () => {
  const refusesName = (name: string, words: string) =>
    assertThrows(
      () => encodeSafetensors(new Map([[name, IDS]])),
      RangeError,
      words,
    );
  refusesName("__metadata__", "names must be Unicode and free");
  refusesName("\ud800", "names must be Unicode and free");
  assertThrows(
    () => encodeSafetensors(new Map([["x", { ...IDS, shape: [3] }]])),
    RangeError,
    `tensors.get("x").data must have the 3 values of its shape`,
  );
  assertThrows(
    () => encodeSafetensors({ x: IDS } as unknown as Map<string, Tensor>),
    TypeError,
    "tensors must be a Map",
  );
  assertThrows(
    () =>
      encodeSafetensors(
        new Map(),
        { a: 1 } as unknown as Record<string, string>,
      ),
    TypeError,
    "metadata.a must be a string",
  );
});

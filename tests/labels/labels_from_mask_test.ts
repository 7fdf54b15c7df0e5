/** labelsFromMask(): a 0/1 mask to labels, and what is no such mask. */
import { assertEquals, assertThrows } from "@std/assert";
import { labelsFromMask, maskLabels } from "../../mod.ts";
import type { TokenIds } from "../../src/contract.ts";

const ids = [7, 8, 9, 10];

Deno.test("labelsFromMask() keeps the ids where the mask is 1", () => {
  const expected = Int32Array.of(-100, 8, -100, 10);
  for (
    const mask of [
      [0, 1, 0, 1],
      [false, true, false, true],
      Uint8Array.of(0, 1, 0, 1),
      Float32Array.of(0, 1, 0, 1),
      BigInt64Array.of(0n, 1n, 0n, 1n),
    ]
  ) {
    assertEquals(labelsFromMask(ids, mask), expected);
  }
  const wide = BigInt64Array.from(ids, BigInt);
  assertEquals(labelsFromMask(wide, [0, 1, 0, 1]), expected);
});

Deno.test("labelsFromMask() agrees with maskLabels()", () => {
  assertEquals(labelsFromMask(ids, [0, 1, 1, 0]), maskLabels(ids, [[1, 3]]));
  assertEquals(labelsFromMask(ids, [0, 0, 0, 0]), maskLabels(ids, []));
  assertEquals(labelsFromMask([], []), new Int32Array(0));
});

Deno.test("labelsFromMask() writes the ignoreIndex it is given", () => {
  const labels = labelsFromMask(ids, [1, 0, 0, 1], { ignoreIndex: -1 });
  assertEquals(labels, Int32Array.of(7, -1, -1, 10));
  assertThrows(
    () => labelsFromMask(ids, [1, 0, 0, 1], { ignoreIndex: 0.5 }),
    RangeError,
    "ignoreIndex",
  );
});

Deno.test("labelsFromMask() leaves the ids alone", () => {
  const list = Int32Array.from(ids);
  labelsFromMask(list, [1, 1, 1, 1]).fill(0);
  assertEquals(list, Int32Array.from(ids));
});

Deno.test("labelsFromMask() refuses other values, lengths and kinds", () => {
  const refuse = (mask: unknown, kind: typeof RangeError, text: string) =>
    assertThrows(() => labelsFromMask(ids, mask as number[]), kind, text);
  for (const bad of [2, -1, 0.5, NaN, Infinity]) {
    refuse([0, 1, bad, 0], RangeError, "mask[2] must be 0 or 1");
    refuse([0, 1, bad, 0], RangeError, String(bad));
  }
  refuse(BigInt64Array.of(0n, 2n, 0n, 0n), RangeError, "mask[1]");
  refuse([0, 1, 0], RangeError, "mask.length must equal the 4 tokens");
  refuse([0, 1, 0, 1, 1], RangeError, "current value is 5");
  for (const bad of [null, undefined, 1, "0101", {}]) {
    refuse(bad, TypeError, "mask must be an array of 0 and 1");
  }
  assertThrows(
    () => labelsFromMask([1.5] as TokenIds, [1]),
    RangeError,
    "inputIds[0]",
  );
});

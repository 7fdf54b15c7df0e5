/**
 * maskLabels(): spans to labels, against a loop anyone can check, and what it
 * refuses.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { maskLabels } from "../../mod.ts";
import type { MaskOptions, TokenIds, TokenSpan } from "../../src/contract.ts";
import { onEngines, seeded } from "../engines.ts";

const I = -100;
const ids = [10, 11, 12, 13, 14, 15];

/** The definition. */
function plain(
  ids: ArrayLike<number>,
  spans: readonly TokenSpan[],
  ignore = I,
): Int32Array {
  return Int32Array.from(
    ids,
    (id, t) =>
      spans.some(([start, end]) => start <= t && t < end) ? id : ignore,
  );
}

Deno.test("maskLabels() keeps the union of its spans, in any order", () => {
  const cases: [string, TokenSpan[]][] = [
    ["none", []],
    ["one", [[2, 4]]],
    ["the whole", [[0, 6]]],
    ["falling", [[4, 6], [0, 2]]],
    ["touching", [[1, 3], [3, 5]]],
    ["overlapping", [[1, 4], [2, 6]]],
    ["one inside another", [[0, 5], [2, 3]]],
    ["twice the same", [[1, 2], [1, 2]]],
    ["empty ones", [[0, 0], [3, 3], [6, 6]]],
    ["single tokens", [[5, 6], [0, 1]]],
  ];
  for (const [name, spans] of cases) {
    assertEquals(maskLabels(ids, spans), plain(ids, spans), name);
  }
});

Deno.test("maskLabels() takes no ids at all", () => {
  assertEquals(maskLabels([], []), new Int32Array(0));
  assertEquals(maskLabels([], [[0, 0]]), new Int32Array(0));
});

Deno.test("maskLabels() takes every array of ids, and any list of spans", () => {
  const spans: TokenSpan[] = [[1, 3]];
  const expected = plain(ids, spans);
  for (
    const list of [
      ids,
      Int32Array.from(ids),
      Uint16Array.from(ids),
      Uint32Array.from(ids),
      Float64Array.from(ids),
      BigInt64Array.from(ids, BigInt),
    ]
  ) {
    assertEquals(maskLabels(list, spans), expected);
  }
  assertEquals(maskLabels(ids, new Set(spans)), expected);
  assertEquals(
    maskLabels(
      ids,
      (function* () {
        yield* spans;
      })(),
    ),
    expected,
  );
  assertEquals(maskLabels(ids, [Int32Array.of(1, 3) as never]), expected);
});

Deno.test("maskLabels() makes new labels and leaves the ids alone", () => {
  const list = Int32Array.from(ids);
  const labels = maskLabels(list, [[0, 6]]);
  labels.fill(0);
  assertEquals(list, Int32Array.from(ids));
});

Deno.test("maskLabels() writes the ignoreIndex it is given", () => {
  for (const ignoreIndex of [0, -1, 11, 2147483647, -2147483648]) {
    const labels = maskLabels(ids, [[1, 3]], { ignoreIndex });
    assertEquals(labels, plain(ids, [[1, 3]], ignoreIndex));
  }
  for (const ignoreIndex of [1.5, NaN, 2 ** 31, -(2 ** 31) - 1, Infinity]) {
    assertThrows(
      () => maskLabels(ids, [], { ignoreIndex }),
      RangeError,
      "ignoreIndex",
    );
  }
  assertThrows(
    () =>
      maskLabels(ids, [], { ignoreIndex: "-100" } as unknown as MaskOptions),
    TypeError,
    '"-100"',
  );
});

onEngines(
  "maskLabels: random spans over every length around the lane width",
  (engine) => {
    const random = seeded(4);
    for (let length = 0; length < 70; length++) {
      const list = Int32Array.from({ length }, () => random() * 1e6);
      for (const count of [0, 1, 2, 9]) {
        const spans = Array.from({ length: count }, (): TokenSpan => {
          const a = Math.floor(random() * (length + 1));
          const b = Math.floor(random() * (length + 1));
          return [Math.min(a, b), Math.max(a, b)];
        });
        const flat = Int32Array.from(spans.flat());
        assertEquals(engine.maskLabels(list, flat, I), plain(list, spans));
      }
    }
  },
);

onEngines("maskLabels: more than one stretch of 2²⁰ tokens", (engine) => {
  const stretch = 2 ** 20;
  const length = 2 * stretch + 1000;
  const list = Int32Array.from({ length }, (_, t) => t);
  const spans: TokenSpan[] = [
    [stretch - 3, stretch + 3], // across a border
    [2 * stretch, 2 * stretch + 1], // at one
    [stretch + 100, stretch + 100], // empty
    [2 * stretch - 1, 2 * stretch],
    [0, 1],
    [length - 1, length],
    [5, 700],
    [stretch + 50, 2 * stretch + 10], // over a whole border
  ];
  const expected = new Int32Array(length).fill(I);
  for (const [start, end] of spans) {
    for (let t = start; t < end; t++) expected[t] = t;
  }
  const labels = engine.maskLabels(list, Int32Array.from(spans.flat()), I);
  assertEquals(labels.length, length);
  assertEquals(labels.findIndex((y, t) => y !== expected[t]), -1);
});

Deno.test("maskLabels() names the span, its index and the length", () => {
  const refuse = (span: unknown, wish: string) =>
    assertThrows(
      () => maskLabels(new Int32Array(10), [[0, 1], [2, 3], span as TokenSpan]),
      RangeError,
      `Cannot mask labels as span 2 must ${wish}`,
    );
  const tooLong = assertThrows(
    () => maskLabels(new Int32Array(10), [[0, 1], [2, 3], [5, 12]]),
    RangeError,
  );
  assertEquals(
    tooLong.message,
    "Cannot mask labels as span 2 must end within 10 tokens: current value is [5, 12]",
  );
  refuse(
    [-1, 2],
    "start at 0 or later, within 10 tokens: current value is [-1, 2]",
  );
  refuse(
    [4, 3],
    "not end before it starts, within 10 tokens: current value is [4, 3]",
  );
  refuse([11, 11], "end within 10 tokens: current value is [11, 11]");
  for (const bad of [[1.5, 3], [1, 2.5], [NaN, 3], [1, NaN], [0, Infinity]]) {
    refuse(bad, "be two whole numbers: current value is ");
  }
  refuse([2 ** 32, 2 ** 32 + 1], "end within 10 tokens");
});

Deno.test("maskLabels() refuses what is no span and no list of them", () => {
  const refuse = (spans: unknown) =>
    assertThrows(
      () => maskLabels(ids, spans as TokenSpan[]),
      TypeError,
      "Cannot mask labels",
    );
  for (const spans of [null, undefined, 5, "0,1", {}, [0, 1], [null]]) {
    refuse(spans);
  }
  refuse([[0]]);
  refuse([[0, 1, 2]]);
  refuse([["0", "1"]]);
  refuse([[0n, 1n]]);
  refuse([{ start: 0, end: 1 }]);
});

Deno.test("maskLabels() checks ids before it narrows them", () => {
  const refuse = (
    ids: unknown,
    kind: typeof RangeError,
    text: string,
  ) => assertThrows(() => maskLabels(ids as TokenIds, []), kind, text);
  for (const bad of [2 ** 31, -(2 ** 31) - 1, 2 ** 32, 1.5, NaN, Infinity]) {
    refuse([1, bad], RangeError, "inputIds[1]");
    refuse([1, bad], RangeError, String(bad));
  }
  assertEquals(
    assertThrows(
      () => maskLabels(BigInt64Array.of(0n, 2n ** 40n), []),
      RangeError,
    ).message,
    "Cannot mask labels as inputIds[1] must be a whole number within int32: current value is 1099511627776",
  );
  refuse(Uint32Array.of(2 ** 31), RangeError, "inputIds[0]");
  refuse(Float64Array.of(0.5), RangeError, "inputIds[0]");
  refuse(["1"], TypeError, '"1"');
  refuse([undefined], TypeError, "inputIds[0]");
  for (const bad of [null, undefined, 5, "12", {}, new Map()]) {
    refuse(bad, TypeError, "inputIds must be an array of whole numbers");
  }
  const ends = [2147483647, -2147483648];
  assertEquals(maskLabels(ends, [[0, 2]]), Int32Array.from(ends));
});

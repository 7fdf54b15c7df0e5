/** The next-token shift: targets, and how many there are, sequence by sequence. */
import { assert, assertEquals } from "@std/assert";
import { countTargets, equalBorders } from "../../src/labels/sequences.ts";
import { shiftLeft } from "../../src/labels/shift.ts";
import { seeded } from "../engines.ts";

const I = -100;

Deno.test("shiftLeft() moves every value one to the left within its sequence", () => {
  const labels = Int32Array.of(0, 1, 2, 3, 4, 5);
  assertEquals([...shiftLeft(labels, null, I)], [1, 2, 3, 4, 5, I]);
  const borders = Int32Array.of(0, 2, 3, 6);
  // the targets of documents of 2, 1 and 3 tokens: no first label is among them
  assertEquals([...shiftLeft(labels, borders, I)], [1, I, I, 4, 5, I]);
  assertEquals([...labels], [0, 1, 2, 3, 4, 5]);
});

Deno.test("shiftLeft() passes over empty sequences", () => {
  const labels = Int32Array.of(7, 8, 9);
  for (
    const borders of [[0, 3], [0, 0, 3], [0, 3, 3], [0, 0, 0, 3, 3, 3]]
  ) {
    const shifted = shiftLeft(labels, Int32Array.from(borders), I);
    assertEquals([...shifted], [8, 9, I], `borders ${borders}`);
  }
  const split = Int32Array.of(0, 0, 1, 1, 1, 3, 3);
  assertEquals([...shiftLeft(labels, split, I)], [I, 9, I]);
});

Deno.test("shiftLeft() takes nothing, and single tokens", () => {
  assertEquals(shiftLeft(new Int32Array(0), null, I).length, 0);
  assertEquals(shiftLeft(new Int32Array(0), Int32Array.of(0), I).length, 0);
  assertEquals(shiftLeft(new Int32Array(0), Int32Array.of(0, 0), I).length, 0);
  assertEquals([...shiftLeft(Int32Array.of(4), null, I)], [I]);
});

Deno.test("shiftLeft() moves weights the same way", () => {
  const weights = Float64Array.of(0.5, 1.5, 2.5, 3.5);
  const borders = Int32Array.of(0, 2, 4);
  assertEquals([...shiftLeft(weights, borders, 0)], [1.5, 0, 3.5, 0]);
});

Deno.test("shiftLeft() never carries a label over a border", () => {
  const random = seeded(12);
  for (let run = 0; run < 100; run++) {
    const lengths = Array.from({ length: 6 }, () => Math.floor(random() * 5));
    const borders = [0];
    for (const n of lengths) borders.push(borders.at(-1)! + n);
    const rows = borders.at(-1)!;
    const labels = Int32Array.from({ length: rows }, (_, t) => t);
    const shifted = shiftLeft(labels, Int32Array.from(borders), I);
    const expected = lengths.flatMap((n, s) =>
      Array.from(
        { length: n },
        (_, t) => t === n - 1 ? I : borders[s]! + t + 1,
      )
    );
    assertEquals([...shifted], expected);
    const first = new Set(borders);
    assert(
      [...shifted].every((y) => !first.has(y)),
      "a first label is trained",
    );
    const targets = expected.filter((y) => y !== I).length;
    assertEquals(countTargets(rows, Int32Array.from(borders), true), targets);
  }
});

Deno.test("countTargets() counts all rows, or one fewer per sequence that is not empty", () => {
  const borders = Int32Array.of(0, 2, 2, 3, 6);
  assertEquals(countTargets(6, borders, false), 6);
  assertEquals(countTargets(6, borders, true), 3);
  assertEquals(countTargets(6, null, true), 5);
  assertEquals(countTargets(1, null, true), 0);
  assertEquals(countTargets(0, null, true), 0);
  assertEquals(countTargets(0, Int32Array.of(0, 0), true), 0);
});

Deno.test("equalBorders() cuts rows into equal sequences", () => {
  assertEquals([...equalBorders(6, 2)], [0, 2, 4, 6]);
  assertEquals([...equalBorders(6, 6)], [0, 6]);
  assertEquals([...equalBorders(0, 3)], [0]);
});

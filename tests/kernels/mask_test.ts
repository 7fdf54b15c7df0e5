/** Labels from spans, in linear memory. */
import { assertEquals } from "@std/assert";
import { maskLabels } from "../../src/reference/mask.ts";
import { seeded } from "../engines.ts";
import { type Bare, onBuilds } from "./bare.ts";

/** Runs the kernel, ids, spans and labels apart from each other, and looks around them. */
function mask(
  bare: Bare,
  ids: number[],
  spans: number[],
  ignoreIndex = -100,
): number[] {
  bare.poison();
  const bytes = 4 * ids.length;
  const idsAt = bare.base + 64, spansAt = idsAt + bytes + 64;
  const labelsAt = spansAt + 4 * spans.length + 64;
  bare.i32(idsAt, ids.length).set(ids);
  bare.i32(spansAt, spans.length).set(spans);
  bare.kernels.mask(
    idsAt,
    ids.length,
    spansAt,
    spans.length / 2,
    ignoreIndex,
    labelsAt,
  );
  assertEquals([...bare.i32(idsAt, ids.length)], ids);
  assertEquals([...bare.i32(spansAt, spans.length)], spans);
  bare.assertUntouched([
    [idsAt, idsAt + bytes],
    [spansAt, spansAt + 4 * spans.length],
    [labelsAt, labelsAt + bytes],
  ]);
  return [...bare.i32(labelsAt, ids.length)];
}

const idsOf = (count: number) => Array.from({ length: count }, (_, t) => t + 7);

onBuilds(
  "mask() without spans ignores every token, at every length",
  (bare) => {
    for (let count = 0; count <= 40; count++) {
      assertEquals(mask(bare, idsOf(count), []), new Array(count).fill(-100));
    }
  },
);

onBuilds("mask() keeps one span, wherever it begins and ends", (bare) => {
  const ids = idsOf(19);
  for (let start = 0; start <= 19; start++) {
    for (let end = start; end <= 19; end++) {
      const want = ids.map((id, t) => t >= start && t < end ? id : -100);
      assertEquals(mask(bare, ids, [start, end]), want, `[${start}, ${end})`);
    }
  }
});

onBuilds(
  "mask() keeps the union: touching, overlapping, nested, empty, in any order",
  (bare) => {
    const ids = idsOf(12);
    const spans = [8, 10, 1, 3, 3, 5, 2, 4, 12, 12, 0, 0, 9, 9, 8, 9];
    const kept = [1, 2, 3, 4, 8, 9];
    const want = ids.map((id, t) => kept.includes(t) ? id : -100);
    assertEquals(mask(bare, ids, spans), want);
  },
);

onBuilds("mask() writes any int32 and any ignoreIndex", (bare) => {
  const ids = [-(2 ** 31), 2 ** 31 - 1, 0, -1, -100];
  assertEquals(mask(bare, ids, [0, 5], 3), ids);
  for (const ignore of [-(2 ** 31), 2 ** 31 - 1, 0]) {
    const want = [ignore, 2 ** 31 - 1, 0, ignore, ignore];
    assertEquals(mask(bare, ids, [1, 3], ignore), want);
  }
});

onBuilds("mask() agrees with the reference on random spans", (bare) => {
  const random = seeded(11);
  const below = (n: number) => Math.floor(random() * n);
  for (let round = 0; round < 300; round++) {
    const ids = Array.from({ length: below(200) }, () => below(151936));
    const spans = Array.from({ length: below(9) }, () => {
      const start = below(ids.length + 1);
      return [start, start + below(ids.length - start + 1)];
    }).flat();
    const want = maskLabels(Int32Array.from(ids), Int32Array.from(spans), -100);
    assertEquals(mask(bare, ids, spans), [...want], `round ${round}`);
  }
});

/**
 * planPacks(): each strategy against a slow one that follows its words, what
 * becomes of long samples, how full packs get and how fast.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type Overlong,
  type PackPlan,
  type PlanOptions,
  planPacks,
} from "../../mod.ts";
import { chatLengths } from "./samples.ts";

/** A piece as [sample, start, length]. */
type Piece = [sample: number, start: number, length: number];

/** A plan as its packs. */
function packsOf(plan: PackPlan): Piece[][] {
  const packs: Piece[][] = Array.from({ length: plan.packCount }, () => []);
  plan.pack.forEach((pack, i) =>
    packs[pack]!.push([plan.sample[i]!, plan.start[i]!, plan.length[i]!])
  );
  return packs;
}

/** The lengths of a plan's pieces by pack, the shortest way to say one. */
function shape(lengths: number[], options: PlanOptions): number[][] {
  return packsOf(planPacks(lengths, options))
    .map((pack) => pack.map(([, , length]) => length));
}

/** The pieces of samples after what `overlong` says. */
function piecesOf(lengths: number[], L: number, overlong: Overlong): Piece[] {
  return lengths.flatMap((length, i): Piece[] => {
    if (length === 0 || (length > L && overlong === "drop")) return [];
    if (length > L && overlong === "truncate") return [[i, 0, L]];
    const count = Math.ceil(length / L);
    return Array.from(
      { length: count },
      (_, k) => [i, k * L, Math.min(L, length - k * L)],
    );
  });
}

const total = (pack: Piece[]) => pack.reduce((n, [, , l]) => n + l, 0);

/** Best fit decreasing, word by word; bins of equal room queue by when they came to it. */
function slowBestFit(pieces: Piece[], L: number): Piece[][] {
  const sorted = pieces.slice().sort((a, b) => b[2] - a[2]); // stable
  const bins: Piece[][] = [];
  const since = new Map<Piece[], number>();
  sorted.forEach((piece, now) => {
    const room = (bin: Piece[]) => L - total(bin);
    const [best] = bins.filter((bin) => room(bin) >= piece[2])
      .sort((a, b) => room(a) - room(b) || since.get(a)! - since.get(b)!);
    const bin = best ?? [];
    if (best === undefined) bins.push(bin);
    bin.push(piece);
    since.set(bin, now);
  });
  return bins;
}

function slowFirstFit(pieces: Piece[], L: number): Piece[][] {
  const bins: Piece[][] = [];
  for (const piece of pieces) {
    const bin = bins.find((bin) => total(bin) + piece[2] <= L);
    if (bin === undefined) bins.push([piece]);
    else bin.push(piece);
  }
  return bins;
}

/** Token by token, so that nothing can be clever. */
function slowWrapped(pieces: Piece[], L: number): Piece[][] {
  const tokens = pieces.flatMap(([i, start, length]) =>
    Array.from({ length }, (_, k) => [i, start + k] as const)
  );
  const packs: Piece[][] = [];
  tokens.forEach(([i, at], t) => {
    if (t % L === 0) packs.push([]);
    const last = packs.at(-1)!.at(-1);
    if (last !== undefined && last[0] === i) last[2]++;
    else packs.at(-1)!.push([i, at, 1]);
  });
  return packs;
}

const SLOW = {
  "bfd": slowBestFit,
  "first-fit": slowFirstFit,
  "wrapped": slowWrapped,
};

for (const strategy of ["bfd", "first-fit", "wrapped"] as const) {
  Deno.test(`planPacks() by ${strategy} is what its words say`, () => {
    const overlongs = ["truncate", "split", "drop"] as const;
    const lengths = fc.oneof(
      fc.array(fc.nat(9), { maxLength: 40 }),
      fc.array(fc.nat(140), { maxLength: 60 }),
    );
    fc.assert(
      fc.property(
        lengths,
        fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(64, 97, 1e6)),
        fc.constantFrom(...overlongs),
        (lengths, maxLength, overlong) => {
          const plan = planPacks(lengths, { maxLength, strategy, overlong });
          const pieces = piecesOf(lengths, maxLength, overlong);
          const packs = packsOf(plan);
          assertEquals(packs, SLOW[strategy](pieces, maxLength));
          assert(packs.every((pack) => pack.length > 0));
          assert(packs.every((pack) => total(pack) <= maxLength));
          assertEquals(plan.tokens, total(pieces));
          const long = lengths.flatMap((n, i) => n > maxLength ? [i] : []);
          const lists = [plan.truncated, plan.dropped].map((l) => [...l]);
          assertEquals(lists, [
            overlong === "truncate" ? long : [],
            overlong === "drop" ? long : [],
          ]);
          const room = packs.length * maxLength;
          assertEquals(plan.fill, room === 0 ? 1 : plan.tokens / room);
        },
      ),
      { seed: 33, numRuns: 400 },
    );
  });
}

Deno.test("planPacks() opens packs as TRL does, tie by tie", () => {
  // rooms 3 and 3: the first bin that came to 3 takes the first 2
  assertEquals(shape([5, 5, 2, 2], { maxLength: 8 }), [[5, 2], [5, 2]]);
  const plan = planPacks([5, 5, 2, 1, 1], { maxLength: 8 });
  // bin 0 falls to room 1, which is the least for a 1; then bin 1
  assertEquals(packsOf(plan).map((pack) => pack.map(([i]) => i)), [
    [0, 2, 3],
    [1, 4],
  ]);
  // bin 1 comes to room 2 before bin 0 does, so it is first in the queue
  const queue = planPacks([12, 9, 9, 6, 2], { maxLength: 20 });
  assertEquals(packsOf(queue).map((pack) => pack.map(([i]) => i)), [
    [0, 3],
    [1, 2, 4],
  ]);
});

Deno.test("planPacks() cuts and packs as TRL does", () => {
  // ids 1..11 in samples of 5, 2, 3 and 1, in packs of 4
  const packs = (options: Omit<PlanOptions, "maxLength">) =>
    packsOf(planPacks([5, 2, 3, 1], { maxLength: 4, ...options }))
      .map((pack) =>
        pack.flatMap(([i, start, length]) =>
          Array.from({ length }, (_, k) => [1, 6, 8, 11][i]! + start + k)
        )
      );
  assertEquals(packs({ overlong: "truncate" }), [
    [1, 2, 3, 4],
    [8, 9, 10, 11],
    [6, 7],
  ]);
  assertEquals(packs({ overlong: "split" }), [
    [1, 2, 3, 4],
    [8, 9, 10, 5],
    [6, 7, 11],
  ]);
  assertEquals(packs({ strategy: "wrapped" }), [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10, 11],
  ]);
});

Deno.test("planPacks() takes first-fit in the order the samples come", () => {
  const options = { maxLength: 4, strategy: "first-fit" } as const;
  assertEquals(shape([3, 2, 1, 2, 4], options), [[3, 1], [2, 2], [4]]);
});

Deno.test("planPacks() refuses long samples unless told what to do", () => {
  for (const strategy of ["bfd", "first-fit"] as const) {
    assertThrows(
      () => planPacks([3, 0, 9], { maxLength: 8, strategy }),
      RangeError,
      'Cannot plan packs as samples[2] must have at most maxLength, 8, tokens; overlong: "truncate", "split" or "drop" would say what to do with it: current value is 9',
    );
  }
  // wrapped cuts samples of any length, unless an error is asked for
  const wrapped = { maxLength: 8, strategy: "wrapped" } as const;
  assertEquals(shape([3, 0, 9], wrapped), [[3, 5], [4]]);
  assertThrows(
    () => planPacks([9], { ...wrapped, overlong: "error" }),
    RangeError,
  );
});

Deno.test("planPacks() of nothing, or of empty samples, has no packs", () => {
  for (const strategy of ["bfd", "first-fit", "wrapped"] as const) {
    for (const lengths of [[], [0], [0, 0]]) {
      const plan = planPacks(lengths, { maxLength: 8, strategy });
      assertEquals(plan.packCount, 0);
      assertEquals(plan.sample.length, 0);
      assertEquals(plan.fill, 1);
    }
  }
});

Deno.test("planPacks() checks what it is given", () => {
  const wrong: [unknown, unknown, ErrorConstructor, string][] = [
    [7, { maxLength: 8 }, TypeError, "lengths must be an array"],
    [
      [1, "2"],
      { maxLength: 8 },
      TypeError,
      "lengths[1] must be a whole number",
    ],
    [[1, -1], { maxLength: 8 }, RangeError, "lengths[1] must be a whole"],
    [[1.5], { maxLength: 8 }, RangeError, "lengths[0] must be a whole"],
    [[2 ** 31], { maxLength: 8 }, RangeError, "lengths[0] must be a whole"],
    [[1], {}, TypeError, "maxLength must be given"],
    [[1], { maxLength: 0 }, RangeError, "maxLength must be a whole number"],
    [[1], { maxLength: 1.5 }, RangeError, "maxLength must be a whole number"],
    [
      [1],
      { maxLength: 2 ** 31 },
      RangeError,
      "maxLength must be a whole number in [1, 2³¹)",
    ],
    [[1], { maxLength: 8, strategy: "ffd" }, RangeError, "strategy must be"],
    [[1], { maxLength: 8, overlong: "cut" }, RangeError, "overlong must be"],
    [[1], { max_length: 8 }, TypeError, "every key of options must be one of"],
    [
      [0x7fffffff, 0x7fffffff],
      { maxLength: 1, overlong: "split" },
      RangeError,
      "fewer than 2³¹ pieces",
    ],
  ];
  for (const [lengths, options, kind, words] of wrong) {
    assertThrows(
      () => planPacks(lengths as number[], options as PlanOptions),
      kind,
      words,
    );
  }
});

Deno.test("packs of chats are as full as packs can be", () => {
  const lengths = chatLengths(20_000);
  const mean = lengths.reduce((a, b) => a + b, 0) / lengths.length;
  assert(Math.abs(mean - 776) < 30, `mean length ${mean}`);
  const fill = (strategy: PlanOptions["strategy"]) =>
    planPacks(lengths, { maxLength: 4096, strategy }).fill;
  assert(fill("bfd") >= 0.999, `bfd ${fill("bfd")}`);
  assert(fill("first-fit") >= 0.99, `first-fit ${fill("first-fit")}`);
  assert(fill("wrapped") >= 0.999, `wrapped ${fill("wrapped")}`);
});

Deno.test("planPacks() plans a million samples in seconds", () => {
  const lengths = chatLengths(1_000_000);
  for (const strategy of ["bfd", "first-fit", "wrapped"] as const) {
    const start = performance.now();
    const plan = planPacks(lengths, { maxLength: 4096, strategy });
    const seconds = (performance.now() - start) / 1000;
    // some 0.2 s alone on a machine; O(n²) would be hours
    assert(seconds < 20, `${strategy} took ${seconds} s`);
    const pieces = plan.sample.length;
    const { sample, start: at, length, pack } = plan;
    const bytes = [sample, at, length, pack].map((a) => a.byteLength);
    assertEquals(bytes, new Array(4).fill(4 * pieces));
    assert(strategy === "wrapped" || pieces === 1_000_000);
  }
});

Deno.test("planPacks() leaves the lengths as they were", () => {
  const lengths = Int32Array.of(9, 3, 0);
  planPacks(lengths, { maxLength: 4, overlong: "drop" });
  assertEquals([...lengths], [9, 3, 0]);
});

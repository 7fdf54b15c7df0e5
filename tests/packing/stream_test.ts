/**
 * packStream(): nothing is lost, no more waits than may, and with room enough it
 * is first fit.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type PackedBatch,
  packSequences,
  packStream,
  unpack,
} from "../../mod.ts";
import { chatLengths, type NamedSample, samples } from "./samples.ts";

const list = fc.array(samples(14), { maxLength: 12 });

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const one of stream) out.push(one);
  return out;
}

/** Samples that can be told apart. */
function numbered(list: NamedSample[]): (NamedSample & { number: number })[] {
  return list.map((sample, number) => ({ ...sample, number }));
}

Deno.test("packStream() loses nothing, whatever waits", async () => {
  await fc.assert(
    fc.asyncProperty(
      list,
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom("truncate", "drop"),
      async (list, maxLength, openPacks, overlong) => {
        const given = numbered(list);
        const batches = await all(
          packStream(given, { maxLength, openPacks, overlong }),
        );
        const back = batches.flatMap((batch) => unpack(batch))
          .sort((a, b) => a.number - b.number);
        // the same samples, alone in packs
        const alone = given.flatMap((sample) =>
          unpack(packSequences([sample], { maxLength, overlong }))
        );
        assertEquals(back, alone);
        const dropped = batches.flatMap(({ dropped }) => dropped).length;
        assertEquals(dropped, given.length - back.length);
        for (const { packs } of batches) {
          assert(packs.length <= 1);
          assert(packs.every(({ inputIds }) => inputIds.length <= maxLength));
        }
      },
    ),
    { seed: 72, numRuns: 250 },
  );
});

Deno.test("packStream() with room enough makes the packs of first-fit", async () => {
  const ids = (batch: PackedBatch) =>
    batch.packs.map(({ inputIds, cuSeqlens }) => `${inputIds} | ${cuSeqlens}`);
  await fc.assert(
    fc.asyncProperty(
      list,
      fc.integer({ min: 1, max: 16 }),
      async (list, maxLength) => {
        const options = { maxLength, overlong: "truncate" } as const;
        const streamed = await all(
          packStream(list, { ...options, openPacks: 99 }),
        );
        const packed = packSequences(list, {
          ...options,
          strategy: "first-fit",
        });
        assertEquals(streamed.flatMap(ids).sort(), ids(packed).sort());
      },
    ),
    { seed: 73, numRuns: 150 },
  );
});

Deno.test("packStream() takes no more of a stream than it must, and ends it", async () => {
  let taken = 0;
  let ended = false;
  function* endless() {
    try {
      for (;;) yield { inputIds: [taken++, 1, 2] };
    } finally {
      ended = true;
    }
  }
  const lengths: number[] = [];
  for await (
    const pack of packStream(endless(), { maxLength: 4, openPacks: 5 })
  ) {
    lengths.push(pack.inputIds.length);
    // five wait, and the sixth sends the first away
    assertEquals(taken, lengths.length + 5);
    if (lengths.length === 3) break;
  }
  assertEquals([lengths, ended], [[3, 3, 3], true]);
});

Deno.test("packStream() fills packs of chats to 99 % with 64 that wait", async () => {
  const maxLength = 4096;
  const given = Array.from(
    chatLengths(20_000, maxLength),
    (length) => ({ inputIds: new Int32Array(length) }),
  );
  let tokens = 0;
  let packs = 0;
  for await (const pack of packStream(given, { maxLength })) {
    tokens += pack.inputIds.length;
    packs++;
  }
  const fill = tokens / (packs * maxLength);
  assert(fill > 0.99, `fill ${fill}`);
});

Deno.test("packStream() refuses what is wrong before or when it comes", async () => {
  const one = { inputIds: [1, 2, 3] };
  for (
    const [options, message] of [
      [{ maxLength: 0 }, "maxLength must be a whole number in [1, 2³¹)"],
      [{ maxLength: 4, openPacks: 0 }, "openPacks must be a whole number"],
      [{ maxLength: 4, overlong: "split" }, "overlong must be"],
      [{ maxLength: 4, strategy: "bfd" }, "strategy"],
    ] as const
  ) {
    assertThrows(
      () => packStream([one], options as Parameters<typeof packStream>[1]),
      Error,
      message,
    );
  }
  assertThrows(
    () => packStream(7 as unknown as [], { maxLength: 4 }),
    TypeError,
    "samples must give one sample after another: current value is 7",
  );
  await assertRejects(
    () => all(packStream([one, one], { maxLength: 2 })),
    RangeError,
    "Cannot pack a stream as samples[0] must have at most maxLength, 2, tokens",
  );
  await assertRejects(
    () => all(packStream([one, { inputIds: [1.5] }], { maxLength: 4 })),
    RangeError,
    "samples[1]",
  );
});

/**
 * The layouts of a packed batch, and collate(): padding that is known by where
 * it is, masks that are their predicate, and one loss whatever the layout.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  causalLoss,
  collate,
  type CollateOptions,
  type FlatOptions,
  type Layout,
  mergeLoss,
  packSequences,
  type PadOptions,
} from "../../mod.ts";
import type { LossOptions } from "../../src/contract.ts";
import type { Sample } from "../../src/row.ts";
import { assertBits } from "../conformance/bits.ts";
import { normalLogits } from "../engines.ts";
import { I, labelsOf, owned, samples, trainedOf, V } from "./samples.ts";

const RUNS = { seed: 72, numRuns: 150 };
const list = fc.array(samples(12), { maxLength: 8 });

/** Padding of any kind; the pad id is often a real token's. */
const padding: fc.Arbitrary<PadOptions & { more: number }> = fc.record({
  padTokenId: fc.constantFrom(0, 3, V),
  padToMultipleOf: fc.constantFrom(1, 4, 5),
  side: fc.constantFrom("right", "left"),
  more: fc.nat(6),
});

/** Logits of a layout's rows, from those of the documents' own rows, NaN on padding: it must never be looked at. */
function logitsOf(layout: Layout, document: (d: number) => Float32Array) {
  const logits = new Float32Array(layout.inputIds.length * V).fill(NaN);
  layout.documents.forEach(({ start }, d) =>
    logits.set(document(d), start * V)
  );
  return logits;
}

Deno.test("the padded loss is the flat loss, whatever the reduction", () => {
  fc.assert(
    fc.property(
      list,
      padding,
      fc.constantFrom<LossOptions["reduction"]>("token", "sequence", "sum"),
      fc.integer(),
      (list, { more, ...padding }, reduction, seed) => {
        const plain = list.map(({ weights: _, ...sample }) => sample);
        const taken = reduction === "sum" ? list : plain; // weights may sum to < 0
        const packed = packSequences(taken, { maxLength: 12 });
        const longest = Math.max(
          0,
          ...packed.packs.map((p) => p.inputIds.length),
        );
        const padded = packed.padded({ ...padding, length: longest + more });
        const flat = packed.flat({
          padTokenId: padding.padTokenId,
          length: packed.inputIds.length + more,
          coverPadding: seed % 2 === 0,
        });
        const logits = normalLogits(packed.inputIds.length * V, seed);
        const rowsOf = (d: number) => {
          const { start, end } = packed.documents[d]!;
          return logits.subarray(start * V, end * V);
        };
        const options = { reduction, vocabSize: V };
        const wanted = causalLoss(logits, packed, options);
        for (const layout of [padded, flat]) {
          const result = causalLoss(logitsOf(layout, rowsOf), layout, options);
          assertBits(result.sumTerms, wanted.sumTerms);
          assertBits(
            [result.loss, result.weightSum, result.activeTokens],
            [wanted.loss, wanted.weightSum, wanted.activeTokens],
          );
          assertEquals(result.nonFiniteRows, 0);
        }
        // the rows alone are borders enough: first labels are ignored already
        const { cuSeqlens: _, ...rows } = padded;
        if (reduction === "sequence") return;
        const { sumTerms } = causalLoss(
          logitsOf(padded, rowsOf),
          rows,
          options,
        );
        assertBits(sumTerms, wanted.sumTerms);
      },
    ),
    RUNS,
  );
});

Deno.test("padded() moves documents and pads by length", () => {
  fc.assert(
    fc.property(list, padding, (list, { more: _, ...padding }) => {
      const packed = packSequences(list, { maxLength: 12 });
      const padded = packed.padded(padding);
      const [rows, length] = padded.dims;
      assertEquals(rows, packed.packs.length);
      assertEquals(length % padding.padToMultipleOf!, 0);
      assertEquals(padded.sequenceLength, Math.max(1, length));
      packed.packs.forEach((pack, row) => {
        const size = pack.inputIds.length;
        const first = row * length +
          (padding.side === "left" ? length - size : 0);
        for (let column = 0; column < length; column++) {
          const t = row * length + column, own = t - first;
          const inside = own >= 0 && own < size;
          assertEquals(padded.attentionMask[t], inside ? 1 : 0);
          const pick = (values: Int32Array | Float64Array, pad: number) =>
            inside ? values[own] : pad;
          const pad = padding.padTokenId;
          assertEquals(padded.inputIds[t], pick(pack.inputIds, pad));
          assertEquals(padded.labels[t], pick(pack.labels, I));
          assertEquals(padded.positionIds[t], pick(pack.positionIds, 0));
          const weights = pack.tokenWeights;
          if (weights) {
            assertEquals(padded.tokenWeights![t], pick(weights, 0));
          }
          const place = inside ? pack.locate(own) : null;
          const found = padded.locate(t);
          assertEquals(found?.sample, place?.sample);
          assertEquals(found?.position, place?.position);
          assertEquals(padded.documentIds[t], found?.document ?? -1);
        }
        const alone = pack.padded({ ...padding, length });
        assertEquals(alone.dims, [1, length]);
        for (const name of ["inputIds", "labels", "positionIds"] as const) {
          const own = padded[name].slice(row * length, (row + 1) * length);
          assertEquals(alone[name], own);
        }
      });
      assertEquals(padded.lostTargets, packed.lostTargets);
      assertBorders(padded);
      padded.spans.forEach((span, i) => {
        const { sample, document } = packed.spans[i]!;
        const by = padded.documents[document]!.start -
          packed.documents[document]!.start;
        const [start, end] = packed.spans[i]!;
        const { message } = span as unknown as { message: number };
        const moved = owned(start + by, end + by, message);
        assertEquals(
          Object.entries(span),
          Object.entries(Object.assign(moved, { sample, document })),
        );
      });
    }),
    RUNS,
  );
});

/** cuSeqlens cuts all tokens wherever the document changes, and there only. */
function assertBorders(layout: Layout & { cuSeqlens?: Int32Array }): void {
  const { documentIds, positionIds } = layout;
  const cuts = [0];
  documentIds.forEach((id, t) => {
    if (t > 0 && id !== documentIds[t - 1]) cuts.push(t);
    if (id < 0) assertEquals(positionIds[t], 0);
  });
  if (documentIds.length > 0) cuts.push(documentIds.length);
  assertEquals([...layout.cuSeqlens!], cuts);
}

Deno.test("flat() pads the end, and covers it on request", () => {
  const packed = packSequences([
    { inputIds: [1, 2, 3], weights: [0, 1, 2] },
    { inputIds: [4, 5] },
  ], { maxLength: 8 });
  const padding = { padTokenId: 9, padToMultipleOf: 4 };
  const flat = packed.flat(padding);
  assertEquals([...flat.inputIds], [1, 2, 3, 4, 5, 9, 9, 9]);
  assertEquals([...flat.labels], [I, 2, 3, I, 5, I, I, I]);
  assertEquals([...flat.tokenWeights!], [0, 1, 2, 0, 1, 0, 0, 0]);
  assertEquals([...flat.positionIds], [0, 1, 2, 0, 1, 0, 0, 0]);
  assertEquals([...flat.documentIds], [0, 0, 0, 1, 1, -1, -1, -1]);
  assertEquals([...flat.cuSeqlens], [0, 3, 5]);
  assertEquals(flat.maxSeqlen, 3);
  const covered = packed.flat({ ...padding, length: 9, coverPadding: true });
  assertEquals([...covered.cuSeqlens], [0, 3, 5, 12]);
  assertEquals(covered.maxSeqlen, 7);
  assertEquals([...covered.seqLengths], [3, 2]);
  assertBorders(covered);
  // no padding, nothing to cover
  const exact = packed.flat({ padTokenId: 9, coverPadding: true });
  assertEquals([...exact.cuSeqlens], [0, 3, 5]);
  // and once more: what is padding already stays padding
  const again = flat.flat({ padTokenId: 7, length: 9, coverPadding: true });
  assertEquals([...again.inputIds], [1, 2, 3, 4, 5, 9, 9, 9, 7]);
  assertEquals([...again.cuSeqlens], [0, 3, 5, 9]);
  assertEquals(flat.padded({ padTokenId: 9 }).dims, [1, 5]);
});

Deno.test("a dense mask is its predicate", () => {
  fc.assert(
    fc.property(list, padding, (list, { more, ...padding }) => {
      const packed = packSequences(list, { maxLength: 12 });
      const batch = collate(list, padding);
      const padded = packed.padded(padding);
      for (const layout of [padded, batch]) {
        const [rows, length] = layout.dims;
        const mask = layout.denseMask();
        assertEquals(mask.length, rows * length * length);
        mask.forEach((bit, at) => {
          const row = Math.floor(at / length / length);
          const query = row * length + Math.floor(at / length) % length;
          const key = row * length + at % length;
          assertEquals(bit === 1, sees(layout, query, key));
          assertEquals(layout.attends(query, key), bit === 1);
        });
      }
      const flat = packed.flat({
        padTokenId: 0,
        length: packed.inputIds.length + more,
      });
      for (const layout of [...packed.packs, packed, flat]) {
        const count = layout.inputIds.length;
        layout.denseMask().forEach((bit, at) => {
          const query = Math.floor(at / count), key = at % count;
          assertEquals(bit === 1, sees(layout, query, key));
          assertEquals(layout.attends(query, key), bit === 1);
        });
      }
    }),
    { ...RUNS, numRuns: 40 },
  );
});

/** The rule, told from the documents: one document holds both, the key not later; else a token sees itself. */
function sees(layout: Layout, query: number, key: number): boolean {
  const holds = (t: number) =>
    layout.documents.findIndex(({ start, end }) => start <= t && t < end);
  if (query === key) return true;
  return holds(query) >= 0 && holds(query) === holds(key) && key <= query;
}

Deno.test("a batch of padded rows sees within its rows only", () => {
  const batch = collate([{ inputIds: [1, 2] }, { inputIds: [3] }], {
    padTokenId: 0,
  });
  assertEquals(batch.attends(1, 0), true);
  assertEquals(batch.attends(0, 1), false);
  assertEquals(batch.attends(2, 1), false); // another row
  assertEquals(batch.attends(3, 2), false); // a pad
  assertEquals(batch.attends(3, 3), true);
  assertEquals([...batch.denseMask()], [1, 0, 1, 1, /**/ 1, 0, 0, 1]);
});

Deno.test("positions outside a layout are errors, not answers", () => {
  const packed = packSequences([{ inputIds: [1, 2] }], { maxLength: 4 });
  for (const t of [-1, 2, 0.5, NaN]) {
    assertThrows(() => packed.locate(t), RangeError, "one of 2 positions");
    assertThrows(() => packed.attends(t, t), RangeError, "query must be");
    assertThrows(() => packed.attends(0, t), RangeError, "key must be");
  }
  const long = packSequences([{ inputIds: new Int32Array(50_000) }], {
    maxLength: 50_000,
  });
  assertThrows(
    () => long.denseMask(),
    RangeError,
    "Cannot read tokens as a dense mask must have fewer than 2³¹ elements",
  );
});

Deno.test("the loss of collate() is the loss of its samples", () => {
  fc.assert(
    fc.property(list, padding, fc.integer(), (list, padding, seed) => {
      const { more, ...options } = padding;
      const longest = Math.max(0, ...list.map((s) => s.inputIds.length));
      const batch = collate(list, { ...options, length: longest + more });
      const weighted = list.some(({ weights }) => weights);
      const own = list.map(({ inputIds }, i) =>
        normalLogits(inputIds.length * V, seed + i)
      );
      const loss = { reduction: "sum", vocabSize: V } as const;
      const parts = list.map((sample, i) => {
        const weights = sample.weights ??
          new Array(sample.inputIds.length).fill(1);
        return causalLoss(own[i]!, {
          labels: labelsOf(sample),
          ...(weighted ? { tokenWeights: weights } : {}),
        }, loss);
      });
      const nothing = causalLoss(new Float32Array(), [], loss);
      const merged = mergeLoss([nothing, ...parts]);
      const logits = logitsOf(batch, (d) => own[d]!);
      const result = causalLoss(logits, batch, loss);
      assertBits(result.sumTerms, merged.sumTerms);
      assertBits(
        [result.weightSum, result.activeTokens, result.nonFiniteRows],
        [merged.weightSum, merged.activeTokens, 0],
      );
      const [rows, length] = batch.dims;
      assertEquals(result.totalTokens, rows * Math.max(0, length - 1));

      const first = list.filter((s) => (labelsOf(s)[0] ?? I) !== I).length;
      const trained = list.reduce((n, s) => n + trainedOf(labelsOf(s)), 0);
      assertEquals(batch.lostTargets, options.side === "left" ? first : 0);
      assertEquals(trainedOf(batch.labels), trained - batch.lostTargets);
    }),
    RUNS,
  );
});

Deno.test("collate() puts one sample in each row", () => {
  fc.assert(
    fc.property(list, padding, (list, { more: _, ...options }) => {
      const batch = collate(list, options);
      const [rows, length] = batch.dims;
      const longest = Math.max(0, ...list.map((s) => s.inputIds.length));
      const multiple = options.padToMultipleOf!;
      assertEquals(rows, list.length);
      assertEquals(length, Math.ceil(longest / multiple) * multiple);
      list.forEach((sample, row) => {
        const ids = Array.from(sample.inputIds, Number);
        const labels = labelsOf(sample);
        if (options.side === "left" && ids.length > 0) labels[0] = I;
        const pads = length - ids.length;
        const pad = <T>(values: T[], filler: T) => {
          const filled = new Array<T>(pads).fill(filler);
          return options.side === "left"
            ? [...filled, ...values]
            : [...values, ...filled];
        };
        const own = (values: ArrayLike<number>) =>
          Array.from(values).slice(row * length, (row + 1) * length);
        assertEquals(own(batch.inputIds), pad(ids, options.padTokenId));
        assertEquals(own(batch.labels), pad(labels, I));
        assertEquals(own(batch.attentionMask), pad(ids.map(() => 1), 0));
        assertEquals(own(batch.positionIds), pad(ids.map((_, t) => t), 0));
        assertEquals(own(batch.documentIds), pad(ids.map(() => row), -1));
        const weighted = list.some(({ weights }) => weights);
        assertEquals("tokenWeights" in batch, weighted);
        if (weighted) {
          const weights = ids.map((_, t) =>
            labels[t] === I ? 0 : sample.weights?.[t] ?? 1
          );
          assertEquals(own(batch.tokenWeights!), pad(weights, 0));
        }
      });
      assertEquals(batch.documents.length, rows);
      const all = list.flatMap(({ spans }, sample) =>
        (spans ?? []).map(([start, end]) => {
          const by = batch.documents[sample]!.start;
          return [start + by, end + by, sample];
        })
      );
      assertEquals(batch.spans.map((s) => [s[0], s[1], s.sample]), all);
    }),
    RUNS,
  );
});

Deno.test("collate() of nothing is a batch of nothing", () => {
  const batch = collate([], { padTokenId: 0 });
  assertEquals(batch.dims, [0, 0]);
  assertEquals(causalLoss(new Float32Array(), batch).loss, 0);
  assertEquals(collate([], { padTokenId: 0, length: 8 }).dims, [0, 8]);
  const empty = collate([{ inputIds: [] }, { inputIds: [] }], {
    padTokenId: 0,
  });
  assertEquals(empty.dims, [2, 0]);
  assertEquals(causalLoss(new Float32Array(), empty).activeTokens, 0);
});

Deno.test("collate() knows padding by length where pad is eos", () => {
  const EOS = 2;
  const batch = collate([
    { inputIds: [5, EOS, 6, EOS] },
    { inputIds: [7, EOS] },
  ], { padTokenId: EOS });
  assertEquals([...batch.labels], [5, EOS, 6, EOS, 7, EOS, I, I]);
  assertEquals([...batch.attentionMask], [1, 1, 1, 1, 1, 1, 0, 0]);
});

Deno.test("collate() shares no memory with its samples", () => {
  const inputIds = Int32Array.of(1, 2);
  const labels = Int32Array.of(1, 2), weights = Float64Array.of(1, 2);
  const batch = collate([{ inputIds, labels, weights }], { padTokenId: 0 });
  for (const array of [inputIds, labels, weights]) array.fill(9);
  assertEquals([...batch.inputIds, ...batch.labels], [1, 2, 1, 2]);
  assertEquals([...batch.tokenWeights!], [1, 2]);
});

Deno.test("padding is checked before anything is laid out", () => {
  const rows: Sample[] = [{ inputIds: [1] }, { inputIds: [1, 2, 3] }];
  const packed = packSequences(rows, { maxLength: 3 });
  const wrong: [unknown, ErrorConstructor, string][] = [
    [{}, TypeError, "padTokenId must be given"],
    [{ padTokenId: "0" }, TypeError, "padTokenId must be a number"],
    [{ padTokenId: 0.5 }, RangeError, "padTokenId must be a whole number"],
    [{ padTokenId: 0, side: "top" }, RangeError, "side must be one of right"],
    [{ padTokenId: 0, padToMultipleOf: 0 }, RangeError, "padToMultipleOf must"],
    [{ padTokenId: 0, length: -1 }, RangeError, "length must be a whole"],
    [{ padTokenId: 0, length: 2 ** 31 }, RangeError, "rows · length must be"],
    [{ padTokenId: 0, pad: 1 }, TypeError, "every key of options must be"],
    [7, TypeError, "options must be an object"],
  ];
  for (const [options, kind, words] of wrong) {
    assertThrows(() => collate(rows, options as CollateOptions), kind, words);
    assertThrows(() => packed.padded(options as PadOptions), kind, words);
  }
  const short = { padTokenId: 0, length: 2 };
  assertThrows(
    () => collate(rows, short),
    RangeError,
    "Cannot collate samples as length must be at least the 3 tokens of samples[1]: current value is 2",
  );
  assertThrows(
    () => packed.padded(short),
    RangeError,
    "Cannot pack sequences as length must be at least the 3 tokens of packs[0]: current value is 2",
  );
  assertThrows(
    () => packed.flat(short),
    RangeError,
    "length must be at least the 4 tokens of the documents",
  );
  assertThrows(
    () => packed.flat({ padTokenId: 0, side: "left" } as FlatOptions),
    TypeError,
    "every key of options must be",
  );
  assertThrows(
    () => collate([{ inputIds: [1], labels: [2] }], { padTokenId: 0 }),
    RangeError,
    "Cannot collate samples as samples[0].labels[0] must be inputIds[0], 1",
  );
  assert(packed.packs.length === 2);
});

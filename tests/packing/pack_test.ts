/**
 * packSequences() and unpack(): nothing is lost, nothing is trained across a
 * border, and the loss of packs is the loss of their documents, to the last bit.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  causalLoss,
  collate,
  mergeLoss,
  type PackedBatch,
  type PackOptions,
  packSequences,
  type TokenSpan,
  unpack,
} from "../../mod.ts";
import type { Sample } from "../../src/row.ts";
import { exactTerms } from "../../src/reference/exact_sum.ts";
import { assertBits } from "../conformance/bits.ts";
import { normalLogits } from "../engines.ts";
import {
  I,
  labelsOf,
  type NamedSample,
  owned,
  samples,
  trainedOf,
  V,
} from "./samples.ts";

const RUNS = { seed: 71, numRuns: 250 };

const list = fc.array(samples(14), { maxLength: 9 });
const options: fc.Arbitrary<PackOptions> = fc.record({
  maxLength: fc.integer({ min: 1, max: 16 }),
  strategy: fc.constantFrom("bfd", "first-fit", "wrapped"),
  overlong: fc.constantFrom("truncate", "split", "drop"),
});

/** What unpack is to give back: dropped samples gone, truncated ones cut by hand. */
function expected(list: NamedSample[], { maxLength, overlong }: PackOptions) {
  return list.filter(({ inputIds }) =>
    overlong !== "drop" || inputIds.length <= maxLength
  ).map((sample): NamedSample => {
    const { inputIds, labels, weights, spans } = sample;
    if (overlong === "split" || inputIds.length <= maxLength) return sample;
    const cut = <T>(values: T) =>
      (values as unknown as { slice(from: number, to: number): T })
        .slice(0, maxLength);
    return {
      ...sample,
      inputIds: cut(inputIds),
      ...(labels ? { labels: cut(labels) } : {}),
      ...(weights ? { weights: cut(weights) } : {}),
      ...(spans
        ? {
          spans: spans.flatMap((span) => {
            if (span[0] >= maxLength) return [];
            const { message } = span as TokenSpan & { message: number };
            return [owned(span[0], Math.min(span[1], maxLength), message)];
          }),
        }
        : {}),
    };
  });
}

Deno.test("unpack(packSequences(x)) is x", () => {
  fc.assert(
    fc.property(list, options, (list, options) => {
      const packed = packSequences(list, options);
      const back = unpack(packed);
      const wanted = expected(list, options);
      assertEquals(back, wanted);
      back.forEach((sample, i) => {
        assertSame(sample, wanted[i]!);
        assertEquals(Object.keys(sample), Object.keys(wanted[i]!));
      });
      // also what has been through postMessage
      const clone = structuredClone(packed) as PackedBatch<NamedSample>;
      assertEquals(unpack(clone), wanted);
    }),
    RUNS,
  );
});

/** What assertEquals is too kind for: kinds of arrays, -0, what a span carries. */
function assertSame(actual: NamedSample, wanted: NamedSample): void {
  for (const key of ["inputIds", "labels", "weights"] as const) {
    const a = actual[key], b = wanted[key];
    assertEquals(a?.constructor.name, b?.constructor.name);
    if (b !== undefined) {
      assertBits(Array.from(a!, Number), Array.from(b, Number));
    }
  }
  const keys = (spans?: readonly TokenSpan[]) =>
    spans?.map((span) => Object.entries(span));
  assertEquals(keys(actual.spans), keys(wanted.spans));
}

Deno.test("every layout of packSequences() says the same of every token", () => {
  fc.assert(
    fc.property(list, options, (list, options) => {
      const packed = packSequences(list, options);
      const { documents, cuSeqlens, inputIds } = packed;
      assertEquals(cuSeqlens[0], 0);
      assertEquals(cuSeqlens.length, documents.length + 1);
      assertEquals(cuSeqlens.at(-1), inputIds.length);
      const lengths = packed.seqLengths;
      assertEquals(packed.maxSeqlen, Math.max(0, ...lengths));
      let d = 0;
      for (let t = 0; t < inputIds.length; t++) {
        if (t === cuSeqlens[d + 1]) d++;
        const { sample, sampleStart, start, end } = documents[d]!;
        assertEquals([start, end], [...cuSeqlens.subarray(d, d + 2)]);
        assertEquals(packed.documentIds[t], d);
        assertEquals(packed.positionIds[t], t - start);
        const position = sampleStart + t - start;
        assertEquals(packed.locate(t), { sample, position, document: d });
        assertEquals(inputIds[t], Number(list[sample]!.inputIds[position]));
        const label = labelsOf(list[sample]!)[position];
        assertEquals(packed.labels[t], t === start ? I : label);
      }
      // every token of every sample that was kept, once
      const dropped = new Set(packed.dropped);
      const cut = new Map(packed.truncated.map((c) => [c.sample, c.tokensCut]));
      const kept = list.map(({ inputIds }, i) =>
        dropped.has(i) ? 0 : inputIds.length - (cut.get(i) ?? 0)
      );
      assertEquals(inputIds.length, kept.reduce((a, b) => a + b, 0));

      // pack by pack, counted from each pack's beginning
      let token = 0, document = 0, span = 0;
      for (const [index, pack] of [...packed].entries()) {
        assertEquals(pack.index, index);
        const size = pack.inputIds.length, docs = pack.documents.length;
        assert(size > 0 && size <= options.maxLength);
        const part = <T extends Int32Array | Float64Array>(values: T) =>
          values.slice(token, token + size) as T;
        assertEquals(pack.inputIds, part(inputIds));
        assertEquals(pack.labels, part(packed.labels));
        assertEquals(pack.positionIds, part(packed.positionIds));
        assertEquals(
          pack.documentIds.map((id) => id + document),
          part(packed.documentIds),
        );
        assertEquals(
          pack.tokenWeights,
          packed.tokenWeights && part(packed.tokenWeights),
        );
        assertEquals(
          pack.cuSeqlens.map((at) => at + token),
          cuSeqlens.slice(document, document + docs + 1),
        );
        assertEquals(
          pack.documents.map((doc) => ({
            ...doc,
            start: doc.start + token,
            end: doc.end + token,
          })),
          documents.slice(document, document + docs),
        );
        assertEquals(
          pack.spans.map(([s, e]) => [s + token, e + token]),
          packed.spans.slice(span, span += pack.spans.length)
            .map(([s, e]) => [s, e]),
        );
        for (const { document, sample } of pack.spans) {
          assertEquals(pack.documents[document]!.sample, sample);
        }
        assertEquals(pack.documents.every((doc) => doc.pack === index), true);
        assertEquals(
          pack.maxSeqlen,
          Math.max(...lengths.subarray(document, document += docs)),
        );
        token += size;
      }
      assertEquals(document, documents.length);
      assertEquals(span, packed.spans.length);
      assertEquals(token, inputIds.length);
    }),
    RUNS,
  );
});

Deno.test("trained labels of a pack are its documents' own, less lostTargets", () => {
  fc.assert(
    fc.property(list, options, (list, options) => {
      const packed = packSequences(list, options);
      let lost = 0;
      for (const pack of packed) {
        const own = pack.documents.map(({ sample, sampleStart, start, end }) =>
          labelsOf(list[sample]!).slice(sampleStart, sampleStart + end - start)
        );
        const first = own.filter(([y]) => y !== I).length;
        const trained = own.reduce((n, labels) => n + trainedOf(labels), 0);
        assertEquals(pack.lostTargets, first);
        assertEquals(trainedOf(pack.labels), trained - pack.lostTargets);
        lost += pack.lostTargets;
      }
      assertEquals(packed.lostTargets, lost);
    }),
    RUNS,
  );
});

Deno.test("the loss of packs is the merged loss of their documents, bit for bit", () => {
  fc.assert(
    fc.property(list, options, fc.integer(), (list, options, seed) => {
      const packed = packSequences(list, options);
      const logits = normalLogits(packed.inputIds.length * V, seed);
      const weighted = list.some(({ weights }) => weights);
      const parts = packed.documents.map((document) => {
        const { sample, sampleStart, start, end } = document;
        const slice = <T>(values: ArrayLike<T>) =>
          Array.from(values).slice(sampleStart, sampleStart + end - start);
        const { weights } = list[sample]!;
        return causalLoss(logits.subarray(start * V, end * V), {
          labels: slice(labelsOf(list[sample]!)),
          ...(weighted
            ? { tokenWeights: weights ? slice(weights) : slice(ones) }
            : {}),
        }, { reduction: "sum", vocabSize: V });
      });
      const whole = causalLoss(logits, packed, {
        reduction: "sum",
        vocabSize: V,
      });
      const nothing = causalLoss(new Float32Array(), [], { reduction: "sum" });
      const merged = mergeLoss([nothing, ...parts]);
      assertBits(whole.sumTerms, merged.sumTerms);
      assertBits(
        [whole.sum, whole.weightSum, whole.activeTokens, whole.totalTokens],
        [merged.sum, merged.weightSum, merged.activeTokens, merged.totalTokens],
      );
      // and pack by pack
      let at = 0;
      const packs = packed.packs.map((pack) => {
        const size = pack.inputIds.length * V;
        const own = logits.subarray(at, at += size);
        return causalLoss(own, pack, { reduction: "sum", vocabSize: V });
      });
      const joined = mergeLoss([nothing, ...packs]);
      assertBits(joined.sumTerms, whole.sumTerms);
    }),
    { ...RUNS, numRuns: 120 },
  );
});

const ones = new Array(99).fill(1);

Deno.test("splitting costs the targets at the cuts and no others", () => {
  fc.assert(
    fc.property(
      samples(40),
      fc.integer({ min: 1, max: 9 }),
      fc.integer(),
      (sample, maxLength, seed) => {
        const packed = packSequences([sample], {
          maxLength,
          overlong: "split",
        });
        const count = sample.inputIds.length;
        const labels = labelsOf(sample);
        const logits = normalLogits(count * V, seed);
        const { weights } = sample;
        const alone = causalLoss(logits, {
          labels,
          ...(weights ? { tokenWeights: weights } : {}),
        }, { perToken: true, vocabSize: V, reduction: "sum" });
        // one sample's fragments may stand in any order: bring the rows along
        const moved = new Float32Array(logits.length);
        packed.documents.forEach(({ sampleStart, start, end }) =>
          moved.set(
            logits.subarray(sampleStart * V, (sampleStart + end - start) * V),
            start * V,
          )
        );
        const { sumTerms, activeTokens } = causalLoss(moved, packed, {
          vocabSize: V,
          reduction: "sum",
        });
        const cuts = packed.documents.map((doc) => doc.sampleStart)
          .filter((at) => at > 0);
        const rest = alone.perToken!.filter((_, t) => !cuts.includes(t + 1));
        assertBits(sumTerms, exactTerms(rest, rest.length));
        const lost = cuts.filter((at) => labels[at] !== I).length;
        assertEquals(activeTokens, alone.activeTokens - lost);
        const first = count > 0 && labels[0] !== I ? 1 : 0;
        assertEquals(packed.lostTargets, lost + first);
      },
    ),
    { ...RUNS, numRuns: 120 },
  );
});

Deno.test("spans of packs are the samples' spans, where their documents stand", () => {
  fc.assert(
    fc.property(list, options, (list, options) => {
      const packed = packSequences(list, options);
      const wanted = packed.documents.flatMap((document, d) => {
        const { sample, sampleStart, start, end } = document;
        const { spans = [], inputIds } = list[sample]!;
        const until = sampleStart + end - start;
        return spans.flatMap((span) => {
          const { message } = span as TokenSpan & { message: number };
          const from = Math.max(span[0], sampleStart);
          const to = Math.min(span[1], until);
          const empty = span[0] === span[1] && span[0] >= sampleStart &&
            (span[0] < until ||
              span[0] === inputIds.length && until === span[0]);
          if (from >= to && !empty) return [];
          const by = start - sampleStart;
          return [Object.assign(owned(from + by, to + by, message), {
            sample,
            document: d,
          })];
        });
      });
      const entries = (spans: readonly TokenSpan[]) =>
        spans.map((span) => Object.entries(span));
      assertEquals(entries(packed.spans), entries(wanted));
    }),
    RUNS,
  );
});

Deno.test("packSequences() weighs what is trained, and nothing else", () => {
  const samples = [
    { inputIds: [1, 2, 3], labels: [I, I, 3], weights: [5, 6, 0.5] },
    { inputIds: [4, 5], labels: [4, 5], weights: [7, 2] },
    { inputIds: [6, 7, 8], labels: [I, 7, I] },
  ];
  const packed = packSequences(samples, { maxLength: 8, strategy: "wrapped" });
  // 5 and 6 weigh prompt tokens, 7 a first token; the last sample has no weights
  assertEquals([...packed.tokenWeights!], [0, 0, 0.5, 0, 2, 0, 1, 0]);
  assertEquals(unpack(packed), samples);
  const plain = packSequences(samples.slice(2), { maxLength: 8 });
  assertEquals("tokenWeights" in plain, false);
});

Deno.test("packSequences() reports what it cuts and what it drops", () => {
  const samples = [
    { inputIds: [1, 2, 3, 4, 5], labels: [I, I, I, 4, 5] }, // its answer goes
    { inputIds: [1, 2, 3, 4], labels: [I, 2, I, 4] }, // half of it
    { inputIds: [1, 2, 3, 4], labels: [1, I, I, 4] }, // 1 was never a target
    { inputIds: [1, 2, 3, 4], labels: [I, I, I, I] }, // had none
    { inputIds: [1, 2, 3], labels: [I, I, 3] },
  ];
  const cut = packSequences(samples, { maxLength: 3, overlong: "truncate" });
  assertEquals(cut.truncated, [
    { sample: 0, tokensCut: 2, trainedTokensCut: 2, answerLost: true },
    { sample: 1, tokensCut: 1, trainedTokensCut: 1, answerLost: false },
    { sample: 2, tokensCut: 1, trainedTokensCut: 1, answerLost: true },
    { sample: 3, tokensCut: 1, trainedTokensCut: 0, answerLost: false },
  ]);
  assertEquals(cut.dropped, []);
  const left = packSequences(samples, { maxLength: 3, overlong: "drop" });
  assertEquals(left.dropped, [0, 1, 2, 3]);
  assertEquals(left.truncated, []);
  assertEquals(unpack(left), samples.slice(4));
});

Deno.test("packSequences() of nothing is an empty batch", () => {
  for (const samples of [[], [{ inputIds: [] }, { inputIds: [], spans: [] }]]) {
    const packed = packSequences<Sample>(samples, { maxLength: 4 });
    assertEquals(packed.packs, []);
    assertEquals([...packed.cuSeqlens], [0]);
    assertEquals(packed.maxSeqlen, 0);
    assertEquals(causalLoss(new Float32Array(), packed).loss, 0);
    assertEquals(unpack(packed), samples);
    const padded = packed.padded({ padTokenId: 0 });
    assertEquals(padded.dims, [0, 0]);
    assertEquals(causalLoss(new Float32Array(), padded).loss, 0);
  }
});

Deno.test("packSequences() shares no memory with samples, nor unpack() with packs", () => {
  const sample = {
    inputIds: Int32Array.of(1, 2, 3),
    labels: Int32Array.of(I, 2, 3),
    weights: Float64Array.of(0, 1, 2),
    spans: [owned(1, 3, 0)],
  };
  const packed = packSequences([sample], { maxLength: 3 });
  const before = structuredClone(packed);
  const back = unpack(packed);
  sample.inputIds.fill(9);
  sample.labels.fill(9);
  sample.weights.fill(9);
  Object.assign(sample.spans[0]!, [0, 0], { message: 9 });
  assertEquals(structuredClone(packed), before);
  back[0]!.inputIds.fill(8);
  back[0]!.labels.fill(8);
  back[0]!.weights.fill(8);
  Object.assign(back[0]!.spans[0]!, [0, 1]);
  assertEquals(structuredClone(packed), before);
  // and unpack reads the packs: what is changed there comes back changed
  packed.inputIds[1] = 7;
  assertEquals([...unpack(packed)[0]!.inputIds], [1, 7, 3]);
});

Deno.test("packSequences() takes any iterable, once, and any object with inputIds", () => {
  function* rows() {
    yield { inputIds: [1, 2] };
    yield { inputIds: new Uint16Array([3]) };
  }
  const packed = packSequences<Sample>(rows(), { maxLength: 3 });
  assertEquals([...packed.inputIds], [1, 2, 3]);
  class Row {
    get inputIds() {
      return [4, 5];
    }
  }
  const [back] = unpack(packSequences([new Row()], { maxLength: 3 }));
  assertEquals(back!.inputIds, [4, 5]);
});

Deno.test("packSequences() ignores by the index it is told", () => {
  const samples = [{ inputIds: [1, 2, 3], labels: [-1, 2, 3] }];
  const packed = packSequences(samples, { maxLength: 4, ignoreIndex: -1 });
  assertEquals([...packed.labels], [-1, 2, 3]);
  assertEquals(packed.ignoreIndex, -1);
  const padded = packed.padded({ padTokenId: 0, length: 4 });
  assertEquals([...padded.labels], [-1, 2, 3, -1]);
  // the loss reads it off the batch, unless it is told another
  const logits = normalLogits(4 * V, 9);
  for (
    const batch of [
      padded,
      packed.flat({ padTokenId: 0, length: 4 }),
      collate(samples, { padTokenId: 0, length: 4, ignoreIndex: -1 }),
    ]
  ) {
    assertEquals(causalLoss(logits, batch).activeTokens, 2);
    assertThrows(
      () => causalLoss(logits, batch, { ignoreIndex: -100 }),
      RangeError,
    );
  }
  assertEquals(unpack(packed), samples);
});

Deno.test("packSequences() checks every sample and names the place", () => {
  const good = { inputIds: [1, 2, 3] };
  const wrong: [unknown, ErrorConstructor, string][] = [
    [7, TypeError, "samples[1] must be an object with inputIds"],
    [{}, TypeError, "samples[1].inputIds must be an array of whole numbers"],
    [{ inputIds: [1, 0.5] }, RangeError, "samples[1].inputIds[1] must be"],
    [{ inputIds: ["1"] }, TypeError, "samples[1].inputIds[0] must be"],
    [
      { inputIds: [1, 2], labels: [1] },
      RangeError,
      "samples[1].labels.length must equal its 2 inputIds: current value is 1",
    ],
    [
      { inputIds: [1, 2, 3], labels: [I, 2, 4] },
      RangeError,
      "samples[1].labels[2] must be inputIds[2], 3, or -100: current value is 4",
    ],
    [
      { inputIds: [1, 2, 3], labels: [2, 3, I] },
      RangeError,
      "samples[1].labels[0] must be inputIds[0], 1, or -100; these labels are shifted, each the next id: give them aligned, as only the loss shifts: current value is 2",
    ],
    [
      { inputIds: [1, 2, 3], labels: [2, I, 1] }, // rolled
      RangeError,
      "these labels are shifted",
    ],
    [
      { inputIds: [1], labels: [2] }, // nothing to shift
      RangeError,
      "samples[1].labels[0] must be inputIds[0], 1, or -100: current value is 2",
    ],
    [
      { inputIds: [1, 2], weights: [1] },
      RangeError,
      "samples[1].weights.length must equal 2",
    ],
    [
      { inputIds: [1, 2], weights: [1, NaN] },
      RangeError,
      "samples[1].weights[1] must be finite",
    ],
    [
      { inputIds: [1, 2], spans: [[0, 1], [1, 3]] },
      RangeError,
      "samples[1].spans[1] must end within 2 tokens: current value is [1, 3]",
    ],
    [
      { inputIds: [1, 2], spans: [[1, 0]] },
      RangeError,
      "spans[0] must not end before it starts",
    ],
    [
      { inputIds: [1, 2], spans: [[-1, 0]] },
      RangeError,
      "spans[0] must start at 0",
    ],
    [
      { inputIds: [1, 2], spans: [[0.5, 1]] },
      RangeError,
      "spans[0] must be two whole numbers",
    ],
    [{ inputIds: [1, 2], spans: [["0", 1]] }, TypeError, "two whole numbers"],
    [{ inputIds: [1, 2], spans: [[1]] }, TypeError, "must be a pair"],
    [{ inputIds: [1, 2], spans: 7 }, TypeError, "samples[1].spans must be"],
    [
      { inputIds: [1, 2, 3, 4, 5] },
      RangeError,
      "Cannot pack sequences as samples[1] must have at most maxLength, 4, tokens",
    ],
  ];
  for (const [sample, kind, words] of wrong) {
    assertThrows(
      () => packSequences([good, sample as Sample], { maxLength: 4 }),
      kind,
      words,
    );
  }
  assertThrows(
    () => packSequences(7 as unknown as Sample[], { maxLength: 4 }),
    TypeError,
    "samples must be a list of samples",
  );
  assertThrows(
    () => packSequences([good], { maxlength: 4 } as unknown as PackOptions),
    TypeError,
    "every key of options must be one of maxLength, strategy",
  );
  assertThrows(
    () => unpack({} as unknown as PackedBatch),
    TypeError,
    "Cannot unpack as packed must be what packSequences returns",
  );
});

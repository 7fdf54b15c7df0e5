/**
 * Samples into packs, and back. A packed value loses nothing: what its labels
 * and weights must not say is kept aside, and `unpack` puts it back.
 *
 * @module
 */
import { type Action, int32, optionsReader, wrongKind } from "../checks.ts";
import { IGNORE_INDEX } from "../contract.ts";
import type { Sample } from "../row.ts";
import { countTrained, lay } from "./lay.ts";
import { checkLayout } from "./layouts.ts";
import { PackedBatch } from "./packed.ts";
import { plan, PLANNING, type Planning, planningOf } from "./plan.ts";
import { type ReadSample, readSamples, withFieldsOf } from "./samples.ts";
import type { KeptSample, PackOptions, TruncatedSample } from "./types.ts";

const ACTION = "pack sequences";
const readOptions = optionsReader({
  ...PLANNING,
  ignoreIndex: int32(IGNORE_INDEX),
});

/**
 * Packs samples into sequences of at most `maxLength` tokens.
 *
 * Every packed sample, or fragment of one, is a document: its positions restart
 * at 0, it attends to itself only, and its first label is ignored, so no token is
 * trained across a border. The trained labels of a pack are those of its
 * documents, less the reported `lostTargets`: trained first tokens, which no
 * token before them could predict. Empty samples make no document.
 *
 * The result is a batch for `causalLoss`, and so are its packs and every other
 * layout of it. Nothing of it shares memory with the samples.
 *
 * @param samples Ids with labels, or with spans, or all of them trained; whatever else they carry comes back from `unpack`.
 * @param options `maxLength`; `strategy`; `overlong`, for samples longer than that; `ignoreIndex`.
 * @returns All tokens in pack order, and the packs.
 * @throws {RangeError} A sample is longer than `maxLength` and `overlong` does not say what to do; labels are not aligned; a span, a weight or an option is out of range.
 * @throws {TypeError} Something is of the wrong kind.
 *
 * @example Two chats and a short one, in packs of six
 * ```ts
 * import { causalLoss, packSequences } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const packed = packSequences([
 *   { inputIds: [1, 5, 2, 7], spans: [[2, 4]] },
 *   { inputIds: [1, 6, 6, 2, 8, 0], spans: [[4, 6]] },
 *   { inputIds: [3, 4] }, // trained, all of it
 * ], { maxLength: 6 });
 *
 * assertEquals(packed.packs.length, 2);
 * const [, pack] = packed.packs;
 * assertEquals([...pack!.inputIds], [1, 5, 2, 7, 3, 4]);
 * assertEquals([...pack!.labels], [-100, -100, 2, 7, -100, 4]);
 * assertEquals([...pack!.positionIds], [0, 1, 2, 3, 0, 1]);
 * assertEquals([...pack!.cuSeqlens], [0, 4, 6]);
 * assertEquals(packed.lostTargets, 1); // the 3
 *
 * const logits = new Float32Array(12 * 9); // from your model
 * assertEquals(causalLoss(logits, packed).activeTokens, 5);
 *
 * const { dims, attentionMask } = packed.padded({ padTokenId: 0, length: 8 });
 * assertEquals(dims, [2, 8]);
 * assertEquals([...attentionMask.subarray(8)], [1, 1, 1, 1, 1, 1, 0, 0]);
 * ```
 */
export function packSequences<S extends Sample>(
  samples: Iterable<S>,
  options: PackOptions,
): PackedBatch<S> {
  const { ignoreIndex, ...rest } = readOptions(ACTION, options);
  const read = readSamples(ACTION, samples, ignoreIndex);
  return packRead(ACTION, read, planningOf(rest), ignoreIndex);
}

/** {@link packSequences} of samples that are read. */
export function packRead<S extends Sample>(
  action: Action,
  read: readonly ReadSample<S>[],
  planning: Planning,
  ignoreIndex: number,
): PackedBatch<S> {
  const lengths = Int32Array.from(read, ({ ids }) => ids.length);
  const { maxLength } = planning;
  const plans = plan(action, lengths, planning);
  const { overwritten, ...laid } = lay(read, plans, ignoreIndex, true);
  const kept: (KeptSample<S> | null)[] = read.map(({ kept }) => kept);
  for (const sample of plans.truncated) {
    kept[sample] = cutShort(kept[sample]!, maxLength);
  }
  for (const sample of plans.dropped) kept[sample] = null;
  return new PackedBatch({
    ...laid,
    maxLength,
    dropped: Array.from(plans.dropped),
    truncated: Array.from(
      plans.truncated,
      (sample) => reportCut(read[sample]!, sample, maxLength, ignoreIndex),
    ),
    origin: { ...overwritten, samples: kept },
  });
}

/** A sample of which `length` tokens were packed. */
function cutShort<S extends Sample>(
  kept: KeptSample<S>,
  length: number,
): KeptSample<S> {
  const spans = kept.spans
    ?.filter(([start]) => start < length)
    .map((span) => withFieldsOf(span, span[0], Math.min(span[1], length)));
  return { ...kept, length, spans: spans ?? null };
}

function reportCut(
  { labels }: ReadSample,
  sample: number,
  length: number,
  ignoreIndex: number,
): TruncatedSample {
  const trained = (start: number, end: number) =>
    countTrained(labels.subarray(start, end), ignoreIndex);
  const trainedTokensCut = trained(length, labels.length);
  return {
    sample,
    tokensCut: labels.length - length,
    trainedTokensCut,
    // position 0 is no target of its own document
    answerLost: trainedTokensCut > 0 && trained(1, length) === 0,
  };
}

/**
 * The samples again: `unpack(packSequences(samples, ...))` equals the samples,
 * their first labels included, fragments rejoined, arrays of the kind they were.
 *
 * Ids, labels and weights are read from the packed arrays, so what was changed
 * there comes back changed. Fields the packer does not know are handed back as
 * they were given. Truncated samples come back as far as they were packed (but
 * unknown fields whole), dropped ones not at all.
 *
 * @param packed What `packSequences` returned, or its structuredClone.
 * @returns The samples in the order they were given.
 * @throws {TypeError} The argument is no packed batch.
 *
 * @example There and back
 * ```ts
 * import { packSequences, unpack } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const samples = [
 *   { inputIds: [4, 5, 6], labels: [-100, 5, 6], name: "first" },
 *   { inputIds: [7], labels: [7], name: "second" },
 * ];
 * const packed = packSequences(samples, { maxLength: 2, overlong: "split" });
 * assertEquals([...packed.labels], [-100, 5, -100, -100]);
 * assertEquals(unpack(packed), samples);
 * ```
 */
export function unpack<S extends Sample>(packed: PackedBatch<S>): S[] {
  if (!Array.isArray(packed?.origin?.samples)) {
    wrongKind("unpack", "packed must be what packSequences returns", packed);
  }
  checkLayout("unpack", packed);
  const { inputIds, documents, origin } = packed;
  // what the boundary law and ignored labels overwrote
  const labels = packed.labels.slice();
  documents.forEach(({ start }, d) => labels[start] = origin.firstLabels[d]!);
  const weights = packed.tokenWeights?.slice();
  origin.hiddenAt.forEach((t, i) => weights![t] = origin.hiddenWeights[i]!);

  const parts = origin.samples.map(() => [] as typeof documents);
  for (const document of documents) parts[document.sample]!.push(document);
  const join = <T extends Int32Array | Float64Array>(
    sample: number,
    values: T,
    out: T,
  ): T => {
    for (const { sampleStart, start, end } of parts[sample]!) {
      out.set(values.subarray(start, end), sampleStart);
    }
    return out;
  };
  return origin.samples.flatMap((kept, sample) => {
    if (kept === null) return [];
    const { length, kinds, spans } = kept;
    const rebuilt: { [field: string]: unknown } = { ...kept.fields };
    const ints = (values: Int32Array) =>
      join(sample, values, new Int32Array(length));
    rebuilt.inputIds = toKind(kinds.inputIds, ints(inputIds));
    if (kinds.labels) rebuilt.labels = toKind(kinds.labels, ints(labels));
    if (kinds.weights) {
      const joined = join(sample, weights!, new Float64Array(length));
      rebuilt.weights = toKind(kinds.weights, joined);
    }
    if (spans) {
      rebuilt.spans = spans.map((span) => withFieldsOf(span, ...span));
    }
    return [rebuilt as unknown as S];
  });
}

/** Numbers as an array of this kind. */
function toKind(kind: string, values: Int32Array | Float64Array): unknown {
  if (kind === "Array") return Array.from(values);
  const Kind = (globalThis as unknown as Record<string, ArrayKind>)[kind]!;
  return /^Big/.test(kind)
    ? Kind.from(Array.from(values, BigInt))
    : Kind.from(values);
}

interface ArrayKind {
  from(values: ArrayLike<number> | bigint[]): unknown;
}

/**
 * Samples to pack: any that are legal, for properties, and lengths as chats have
 * them, for how full packs get.
 *
 * @module
 */
import fc from "fast-check";
import type { TokenSpan } from "../../src/contract.ts";
import type { Sample } from "../../src/row.ts";
import { seeded } from "../engines.ts";

/** The label of what is not trained. */
export const I = -100;

/** How many ids there are. */
export const V = 11;

/** A sample with a field that packing does not know. */
export interface NamedSample extends Sample {
  name?: { of: string };
}

/** Whole numbers as callers have them. */
const KINDS: ((ids: number[]) => Sample["inputIds"])[] = [
  (ids) => ids,
  (ids) => Int32Array.from(ids),
  (ids) => BigInt64Array.from(ids, BigInt),
  (ids) => Int16Array.from(ids),
];

const WEIGHTS: ((weights: number[]) => ArrayLike<number>)[] = [
  (weights) => weights,
  (weights) => Float32Array.from(weights),
  (weights) => Float64Array.from(weights),
];

/** A span that says more than where it is. */
export function owned(start: number, end: number, message: number): TokenSpan {
  return Object.assign([start, end] as [number, number], {
    message,
    field: "content",
  });
}

/** Any legal sample of up to `most` tokens. */
export function samples(most: number): fc.Arbitrary<NamedSample> {
  return fc.record({
    ids: fc.array(fc.nat(V - 1), { maxLength: most }),
    kind: fc.constantFrom(...KINDS),
    trained: fc.option(
      fc.array(fc.boolean(), { minLength: most, maxLength: most }),
    ),
    weights: fc.option(
      fc.array(fc.constantFrom(0, -0, 1, 0.5, 2, -1), {
        minLength: most,
        maxLength: most,
      }),
    ),
    weightKind: fc.constantFrom(...WEIGHTS),
    cuts: fc.option(
      fc.array(fc.tuple(fc.nat(most), fc.nat(most)), { maxLength: 3 }),
    ),
    name: fc.option(fc.string()),
  }).map(({ ids, kind, trained, weights, weightKind, cuts, name }) => ({
    inputIds: kind(ids),
    ...(name === null ? {} : { name: { of: name } }),
    ...(trained === null
      ? {}
      : { labels: kind(ids.map((id, t) => trained[t] ? id : I)) }),
    ...(weights === null
      ? {}
      : { weights: weightKind(weights.slice(0, ids.length)) }),
    ...(cuts === null ? {} : {
      spans: cuts.map(([a, b], i) => {
        const [start, end] = [a, b].sort((x, y) => x - y);
        return owned(
          Math.min(start!, ids.length),
          Math.min(end!, ids.length),
          i,
        );
      }),
    }),
  }));
}

/** A sample's labels, told from the contract: as given, else from spans, else the ids. */
export function labelsOf(sample: Sample): number[] {
  const ids = Array.from(sample.inputIds, Number);
  if (sample.labels) return Array.from(sample.labels, Number);
  const { spans } = sample;
  if (!spans) return ids;
  const covered = (t: number) => spans.some(([s, e]) => s <= t && t < e);
  return ids.map((id, t) => covered(t) ? id : I);
}

/** How many labels are trained. */
export function trainedOf(labels: ArrayLike<number>): number {
  return Array.from(labels).filter((y) => y !== I).length;
}

/** Log-normal lengths in [1, most], of mean 776 or so at most 4096. */
export function chatLengths(count: number, most = 4096, seed = 5): Int32Array {
  const random = seeded(seed);
  return Int32Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const normal = radius * Math.cos(2 * Math.PI * random());
    const length = Math.round(Math.exp(6.29 + 0.9 * normal));
    return Math.max(1, Math.min(most, length));
  });
}

/**
 * Stretches of samples, laid end to end. Here the boundary law is kept: a
 * document's first label is ignored, so that no token is trained across a border.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import type { Sample } from "../row.ts";
import type { LayoutFields } from "./layouts.ts";
import { type ReadSample, withFieldsOf } from "./samples.ts";
import type { PackedSpan, PackOrigin, PackPlan } from "./types.ts";

/** Documents end to end, with what their laying overwrote. */
export interface Laid extends LayoutFields {
  /** [D + 1] */
  cuSeqlens: Int32Array;
  /** What gives the samples back, but for the samples' own part. */
  overwritten: Omit<PackOrigin, "samples">;
}

/**
 * Lays D pieces end to end as D documents. `ignoreFirst` is the boundary law;
 * without it every label stays, for rows where nothing stands before a document.
 */
export function lay(
  samples: readonly ReadSample<Sample>[],
  pieces: Pick<PackPlan, "sample" | "start" | "length" | "pack">,
  ignoreIndex: number,
  ignoreFirst: boolean,
): Laid {
  const count = pieces.length.length;
  const cuSeqlens = new Int32Array(count + 1);
  for (let d = 0; d < count; d++) {
    cuSeqlens[d + 1] = cuSeqlens[d]! + pieces.length[d]!;
  }
  const tokens = cuSeqlens[count]!;
  const laid: Laid = {
    inputIds: new Int32Array(tokens),
    labels: new Int32Array(tokens),
    ignoreIndex,
    positionIds: new Int32Array(tokens),
    documentIds: new Int32Array(tokens),
    documents: [],
    spans: [],
    lostTargets: 0,
    cuSeqlens,
    overwritten: {
      firstLabels: new Int32Array(count),
      hiddenAt: new Int32Array(0),
      hiddenWeights: new Float64Array(0),
    },
  };
  const { inputIds, labels, positionIds, overwritten: { firstLabels } } = laid;
  for (let d = 0; d < count; d++) {
    const sample = pieces.sample[d]!, sampleStart = pieces.start[d]!;
    const start = cuSeqlens[d]!, end = cuSeqlens[d + 1]!;
    const { ids, labels: own, spans } = samples[sample]!;
    const sampleEnd = sampleStart + end - start;
    inputIds.set(ids.subarray(sampleStart, sampleEnd), start);
    labels.set(own.subarray(sampleStart, sampleEnd), start);
    for (let t = start; t < end; t++) positionIds[t] = t - start;
    laid.documentIds.fill(d, start, end);
    const pack = pieces.pack[d]!;
    laid.documents.push({ sample, sampleStart, pack, start, end });
    for (const span of spans ?? []) {
      const from = Math.max(span[0], sampleStart);
      const to = Math.min(span[1], sampleEnd);
      // an empty span stands in the document that holds its place, or ends there last
      const inside = from < to || (span[0] === span[1] && from === to &&
        (from < sampleEnd || from === ids.length));
      if (!inside) continue;
      const by = start - sampleStart;
      const cut = withFieldsOf(span, from, to);
      laid.spans.push(moveSpan(cut, by, { sample, document: d }));
    }
    if (start === end) continue;
    firstLabels[d] = labels[start]!;
    if (!ignoreFirst) continue;
    if (labels[start] !== ignoreIndex) laid.lostTargets++;
    labels[start] = ignoreIndex;
  }
  if (samples.some(({ weights }) => weights !== null)) {
    layWeights(laid, samples, ignoreIndex);
  }
  return laid;
}

/** The weights that count: those of trained tokens. What else was given is kept aside, for `unpack`. */
function layWeights(
  laid: Laid,
  samples: readonly ReadSample<Sample>[],
  ignoreIndex: number,
): void {
  const { labels } = laid;
  const tokenWeights = new Float64Array(labels.length);
  const hiddenAt: number[] = [], hiddenWeights: number[] = [];
  for (const { sample, sampleStart, start, end } of laid.documents) {
    const { weights } = samples[sample]!;
    for (let t = start; t < end; t++) {
      const weight = weights === null ? 1 : weights[sampleStart + t - start]!;
      if (labels[t] !== ignoreIndex) tokenWeights[t] = weight;
      else if (weights !== null && !Object.is(weight, 0)) {
        hiddenAt.push(t);
        hiddenWeights.push(weight);
      }
    }
  }
  laid.tokenWeights = tokenWeights;
  laid.overwritten.hiddenAt = Int32Array.from(hiddenAt);
  laid.overwritten.hiddenWeights = Float64Array.from(hiddenWeights);
}

/** A span at other positions, of this document. */
export function moveSpan(
  span: TokenSpan,
  by: number,
  { sample, document }: { sample: number; document: number },
): PackedSpan {
  const moved = withFieldsOf(span, span[0] + by, span[1] + by);
  return Object.assign(moved, { sample, document });
}

/** How many labels are trained. */
export function countTrained(labels: Int32Array, ignoreIndex: number): number {
  return labels.reduce((count, y) => y === ignoreIndex ? count : count + 1, 0);
}

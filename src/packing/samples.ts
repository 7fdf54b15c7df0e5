/**
 * The border of packing: samples as callers have them, read once and checked,
 * into int32 ids, aligned labels and float64 weights. Nothing is laid out here.
 *
 * @module
 */
import {
  type Action,
  checkHeld,
  checkIterable,
  isListLike,
  outOfRange,
  readIds,
  readSpan,
  readWeights,
  wrongKind,
} from "../checks.ts";
import type { TokenSpan } from "../contract.ts";
import type { Sample } from "../row.ts";
import { kindOf } from "../typed_arrays.ts";
import type { KeptSample } from "./types.ts";

/** A checked sample. `ids` may be the caller's own array, so it is read and never written. */
export interface ReadSample<S extends Sample = Sample> {
  /** [N] */
  ids: Int32Array;
  /** [N] The id where it is trained, else ignoreIndex; may be `ids` itself. */
  labels: Int32Array;
  /** [N] As given; null where they were not. */
  weights: Float64Array | null;
  /** Copies of the spans; null where they were not given. */
  spans: TokenSpan[] | null;
  /** What to give back with the rebuilt tokens; arrays of no kind of the language's own come back as an Array. */
  kept: KeptSample<S>;
}

/** Reads and checks every sample. */
export function readSamples<S extends Sample>(
  action: Action,
  samples: Iterable<S>,
  ignoreIndex: number,
): ReadSample<S>[] {
  checkIterable(action, "samples must be a list of samples", samples);
  const list: ReadSample<S>[] = [];
  let tokens = 0;
  for (const sample of samples) {
    let read = readSample(action, sample, list.length, ignoreIndex);
    if (!Array.isArray(samples)) read = owned(read);
    tokens += read.ids.length;
    if (tokens > 0x7fffffff) {
      outOfRange(
        action,
        "the tokens must be fewer than 2³¹ in all (take the samples in parts)",
        tokens,
      );
    }
    list.push(read);
  }
  // to go on to the next may have been code of the caller's
  list.forEach(({ ids, labels, kept }, i) => {
    checkHeld(action, `samples[${i}].inputIds`, ids, kept.length);
    checkHeld(action, `samples[${i}].labels`, labels, kept.length);
  });
  return list;
}

/** The same in arrays of our own: who gives samples one by one may use the buffers again. */
export function owned<S extends Sample>(read: ReadSample<S>): ReadSample<S> {
  const ids = read.ids.slice();
  const labels = read.labels === read.ids ? ids : read.labels.slice();
  return { ...read, ids, labels };
}

/** Reads and checks one sample; `index` is its number in messages. */
export function readSample<S extends Sample>(
  action: Action,
  sample: S,
  index: number,
  ignoreIndex: number,
): ReadSample<S> {
  const name = `samples[${index}]`;
  if (typeof sample !== "object" || sample === null) {
    wrongKind(action, `${name} must be an object with inputIds`, sample);
  }
  const { inputIds, labels, weights, spans } = sample;
  const ids = readIds(action, `${name}.inputIds`, inputIds);
  // before the rest is read, which may be code of the caller's
  const { length } = ids;
  const readSpans = spans === undefined
    ? null
    : checkSpans(action, name, spans, ids.length);
  const read: Omit<ReadSample<S>, "kept"> = {
    ids,
    labels: labels !== undefined
      ? readAlignedLabels(action, name, labels, ids, ignoreIndex)
      : readSpans !== null
      ? labelsOf(ids, readSpans, ignoreIndex)
      : ids,
    weights: readWeights(action, `${name}.weights`, weights, ids.length),
    spans: readSpans,
  };
  // the tokens come back from the packs; holding them here would hold them twice
  const fields: Record<string, unknown> = { ...(sample as object) };
  for (const name of ["inputIds", "labels", "weights", "spans"]) {
    if (fields[name] !== undefined) fields[name] = null;
  }
  const kindIn = (list: unknown) =>
    list === undefined ? null : kindOf(list) ?? "Array";
  return {
    ...read,
    kept: {
      length,
      kinds: {
        inputIds: kindIn(inputIds)!,
        labels: kindIn(labels),
        weights: kindIn(weights),
      },
      spans: readSpans,
      fields: fields as unknown as typeof sample,
    },
  };
}

/** Labels that are the id or ignoreIndex at every place; ours are aligned, and only the loss shifts. */
function readAlignedLabels(
  action: Action,
  name: string,
  given: Sample["labels"] & object,
  ids: Int32Array,
  ignoreIndex: number,
): Int32Array {
  const labels = readIds(action, `${name}.labels`, given);
  if (labels.length !== ids.length) {
    outOfRange(
      action,
      `${name}.labels.length must equal its ${ids.length} inputIds`,
      labels.length,
    );
  }
  const fits = (t: number, id: number | undefined) =>
    labels[t] === ignoreIndex || labels[t] === id;
  for (let t = 0; t < ids.length; t++) {
    if (fits(t, ids[t])) continue;
    let wish = `${name}.labels[${t}] must be inputIds[${t}], ${
      ids[t]
    }, or ${ignoreIndex}`;
    const shifted = labels.every((_, u) =>
      u === ids.length - 1 || fits(u, ids[u + 1]) // the last may be anything
    );
    if (shifted && ids.length > 1) {
      wish +=
        "; these labels are shifted, each the next id: give them aligned, as only the loss shifts";
    }
    outOfRange(action, wish, labels[t]);
  }
  return labels;
}

/** Copies of the spans, each `0 <= start <= end <= length`, with whatever else they carry. */
function checkSpans(
  action: Action,
  name: string,
  spans: readonly TokenSpan[],
  length: number,
): TokenSpan[] {
  if (!isListLike(spans)) {
    wrongKind(action, `${name}.spans must be a list of [start, end)`, spans);
  }
  return Array.from(spans as ArrayLike<TokenSpan>, (span, i) => {
    const title = `${name}.spans[${i}]`;
    return withFieldsOf(span, ...readSpan(action, title, span, length));
  });
}

/** A span of other positions that carries what this one carries. */
export function withFieldsOf(
  span: TokenSpan,
  start: number,
  end: number,
): TokenSpan {
  const { 0: _start, 1: _end, ...fields } = span;
  return Object.assign([start, end] as [number, number], fields);
}

function labelsOf(
  ids: Int32Array,
  spans: readonly TokenSpan[],
  ignoreIndex: number,
): Int32Array {
  const labels = new Int32Array(ids.length).fill(ignoreIndex);
  for (const [start, end] of spans) {
    labels.set(ids.subarray(start, end), start);
  }
  return labels;
}

/**
 * What every runtime is asked, and what it has to answer: fixed inputs, answers
 * by the float64 reference, and the bits of the plain-SIMD build, which must be
 * the same on every machine.
 *
 * @module
 */
import {
  causalLoss,
  findSpans,
  type FindSpansOptions,
  type GradOptions,
  maskedCrossEntropyGrad,
  maskLabels,
  type TokenSpan,
} from "../../mod.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { exactGrad, loss, normalLogits } from "../engines.ts";

/** A number as JSON can hold it: "NaN", "Infinity" and "-Infinity" as words. */
type Plain = number | string;

/** One loss with its gradient. */
export interface GoldenLoss {
  name: string;
  /** Which of the golden logits. */
  logits: "f32" | "edges" | "bf16" | "f16";
  options: GradOptions;
  /** By the reference, in float64. */
  loss: Plain;
  perToken: Plain[];
  gradLogits: Plain[];
  /** loss, perToken and gradLogits as the plain-SIMD build gives them, as the hexadecimal of their bytes. */
  bits: string;
}

/** Everything that a consumer needs, as JSON. */
export interface Golden {
  inputIds: number[];
  findSpans: FindSpansOptions;
  spans: TokenSpan[];
  labels: number[];
  mask: number[];
  vocabSize: number;
  logits: Record<GoldenLoss["logits"], Plain[]>;
  losses: GoldenLoss[];
  /** The same batch as two packed documents. */
  packed: { cuSeqlens: number[]; loss: number };
}

/** 37 classes: two blocks of lanes and a rest. */
const VOCAB = 37;

// <user> … <end> <assistant> … <end>, twice
const INPUT_IDS = [1, 9, 8, 0, 2, 30, 31, 5, 0, 1, 7, 0, 2, 36, 3, 0];

/** Makes the questions and answers. */
export function makeGolden(): Golden {
  const roles = {
    user: { start: [1], end: [0] },
    assistant: { start: [2], end: [0] },
  };
  const findOptions = { roles, train: ["assistant"] };
  const spans = findSpans(INPUT_IDS, findOptions);
  const labels = maskLabels(INPUT_IDS, spans);
  const rows = labels.length;
  const f32 = normalLogits(rows * VOCAB, 5);

  // an ignored row that holds nothing but NaN, masked classes, a masked label,
  // a row that is not finite, and one that is sure
  const edges = f32.slice();
  edges.fill(NaN, 0, VOCAB);
  edges.fill(-Infinity, 5 * VOCAB, 5 * VOCAB + 8);
  edges[6 * VOCAB + labels[6]!] = -Infinity;
  edges[7 * VOCAB + 3] = NaN;
  edges[13 * VOCAB + labels[13]!] = 60;

  const arrays = {
    f32,
    edges,
    bf16: Uint16Array.from(f32, encodeBf16),
    f16: Uint16Array.from(f32, encodeF16),
  };
  const losses: GoldenLoss[] = [];
  const ask = (
    name: string,
    logits: GoldenLoss["logits"],
    options: GradOptions = {},
  ): void => {
    const asked = { ...options, perToken: true };
    if (logits === "bf16" || logits === "f16") asked.dtype = logits;
    const exact = loss(referenceEngine, arrays[logits], labels, asked);
    const plain = maskedCrossEntropyGrad(arrays[logits], labels, {
      ...asked,
      deterministic: true,
    });
    losses.push({
      name,
      logits,
      options: asked,
      loss: toPlain(exact.loss),
      perToken: Array.from(exact.perToken!, toPlain),
      gradLogits: Array.from(
        exactGrad(arrays[logits], labels, asked),
        toPlain,
      ),
      bits: hexOf(Float64Array.of(plain.loss)) + hexOf(plain.perToken!) +
        hexOf(plain.gradLogits as Float32Array),
    });
  };
  ask("plain", "f32");
  ask("the next token of two sequences", "f32", {
    shift: true,
    sequenceLength: 8,
    reduction: "sequence",
  });
  ask("every option", "f32", {
    labelSmoothing: 0.1,
    zLoss: 1e-3,
    softcap: 20,
    logitScale: 0.7,
    tokenWeights: Array.from(labels, (_, i) => 0.5 + i / 8),
    classWeights: Array.from({ length: VOCAB }, (_, i) => 1 + (i % 5) / 4),
    upstream: -2.5,
    reduction: "sum",
  });
  ask("edges", "edges", { reduction: "sum" });
  ask("bf16", "bf16");
  ask("f16", "f16");

  const cuSeqlens = [0, 9, rows];
  return {
    inputIds: INPUT_IDS,
    findSpans: findOptions,
    spans,
    labels: [...labels],
    mask: Array.from(labels, (label) => label === -100 ? 0 : 1),
    vocabSize: VOCAB,
    logits: {
      f32: Array.from(f32),
      edges: Array.from(edges, toPlain),
      bf16: [...arrays.bf16],
      f16: [...arrays.f16],
    },
    losses,
    packed: {
      cuSeqlens,
      loss: causalLoss(f32, { labels, cuSeqlens }, { deterministic: true })
        .loss,
    },
  };
}

function toPlain(value: number): Plain {
  return Number.isFinite(value) ? value : String(value);
}

/** The bytes of an array, two digits each; every NaN is written the same, for its bits are the host's choice. */
function hexOf(array: Float64Array | Float32Array): string {
  const same = array.map((value) => value !== value ? NaN : value);
  return new Uint8Array(same.buffer).toHex();
}

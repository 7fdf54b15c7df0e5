/**
 * The WASM core against the float64 reference, on one batch.
 *
 * @module
 */
import { causalLossGrad, IGNORE_INDEX } from "../../mod.ts";
import { shiftLeft } from "../../src/labels/shift.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import type { Batch } from "./data.ts";

/** Loss and ∂loss/∂logits of the mean over trained tokens, in float64. */
export function referenceLoss(
  logits: Float32Array,
  { labels, cuSeqlens }: Batch,
): { loss: number; gradLogits: Float64Array } {
  const targets = shiftLeft(labels, cuSeqlens, IGNORE_INDEX);
  const active = targets.filter((target) => target !== IGNORE_INDEX).length;
  const rows = labels.length, vocabSize = logits.length / rows;
  const gradLogits = new Float64Array(logits.length);
  const { perToken } = referenceEngine.differentiate(
    {
      logits,
      dtype: "f32",
      rows,
      vocabSize,
      rowStride: vocabSize,
      targets,
      ignoreIndex: IGNORE_INDEX,
      rowWeights: null,
      classWeights: null,
      labelSmoothing: 0,
      zLoss: 0,
      softcap: 0,
      logitScale: 1,
      metrics: false,
    },
    new Float64Array(rows).fill(1 / active),
    { array: gradLogits, dtype: "f64", rowStride: vocabSize },
  );
  return {
    loss: perToken.reduce((sum, nll) => sum + nll) / active,
    gradLogits,
  };
}

/** How far a build is from the reference. */
export interface Agreement {
  /** |a - e| / max(1, |e|) of the loss. */
  lossError: number;
  /** The largest |a - e| / (|e| + 1e-4 · max|e| of its row) of the gradient. */
  gradientError: number;
}

/** Compares the default build, or with `deterministic` the plain one. */
export function compare(
  logits: Float32Array,
  batch: Batch,
  deterministic: boolean,
): Agreement {
  const expected = referenceLoss(logits, batch);
  const actual = causalLossGrad(logits, batch, { deterministic });
  const rows = batch.labels.length, vocabSize = logits.length / rows;
  let gradientError = 0;
  for (let i = 0; i < rows; i++) {
    const e = expected.gradLogits.subarray(i * vocabSize, (i + 1) * vocabSize);
    const largest = e.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    for (let k = 0; k < vocabSize; k++) {
      const difference = Math.abs(
        actual.gradLogits[i * vocabSize + k]! - e[k]!,
      );
      // 0 against 0, as in every ignored row, is no error.
      if (difference === 0) continue;
      const scale = Math.abs(e[k]!) + 1e-4 * largest;
      gradientError = Math.max(gradientError, difference / scale);
    }
  }
  const lossError = Math.abs(actual.loss - expected.loss) /
    Math.max(1, Math.abs(expected.loss));
  return { lossError, gradientError };
}

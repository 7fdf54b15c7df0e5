/**
 * Plans on every GPU: labels, weights and upstream on the device and on the
 * host, under each reduction, against WASM; labels that are no class; odd
 * strides. What a plan promises beside numbers is in `plan.ts`.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  type LossOptions,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
} from "../../mod.ts";
import { decodeBf16, encodeBf16 } from "../../src/half.ts";
import { assertBits, assertZeros, range } from "../conformance/bits.ts";
import { exactGrad, gradError, normalLogits, seeded } from "../engines.ts";
import { onGpus } from "./lanes.ts";
import type { PlanJob } from "./plan_job.ts";
import { assertClose } from "./plans.ts";

// a row wide enough to be shared out: the kernels of whole rows take a slow compiler seconds
const N = 12, V = 4099;
const LABELS = Int32Array.of(3, -100, 36, 2, 0, 7, -100, 2, 11, 20, -100, 1);
const random = seeded(23);
const some = () => Float32Array.from({ length: N }, () => 0.5 + random());

/** Options of a plan, each with weights and upstream of its own. */
const SETTINGS: Record<string, LossOptions> = {
  "token": {},
  "sample, shift": { reduction: "sample", shift: true, sequenceLength: 6 },
  "sequence, some empty": {
    reduction: "sequence",
    cuSeqlens: [0, 0, 5, 6, 6, 12],
    shift: true,
  },
  "sum, another ignoreIndex": { reduction: "sum", ignoreIndex: 2 },
  "denominator": { denominator: 3.5, logSumExp: true, perToken: true },
};

for (const [name, options] of Object.entries(SETTINGS)) {
  onGpus(`a plan on the device and on the host: ${name}`, async (gpu) => {
    const logits = normalLogits(N * V, 5);
    const labels = options.ignoreIndex === undefined
      ? LABELS
      : LABELS.map((y) => y === -100 ? 2 : y);
    for (const onDevice of [true, false]) {
      for (const extra of [{}, { tokenWeights: some(), upstream: some() }]) {
        const job: PlanJob = {
          options: { rows: N, vocabSize: V, into: "in-place", ...options },
          logits: logits as Float32Array<ArrayBuffer>,
          labels,
          onDevice,
          ...extra,
        };
        const { result, gradient, left } = await gpu.runPlan(job);
        const all = { ...options, ...extra };
        const what = `${name}, ${onDevice ? "device" : "host"}`;
        assertClose(result, maskedCrossEntropyGrad(logits, labels, all), what);
        assertEquals([result.invalidLabelRows, left], [0, 0], what);
        const exact = exactGrad(logits, labels, all);
        const error = gradError(new Float32Array(gradient), exact, V);
        assert(error <= 5e-6, `${what}: gradient is off by ${error}`);
      }
    }
  });
}

onGpus("a plan without a gradient leaves the logits alone", async (gpu) => {
  const logits = normalLogits(N * V, 5) as Float32Array<ArrayBuffer>;
  const { result, gradient } = await gpu.runPlan({
    options: { rows: N, vocabSize: V },
    logits,
    labels: LABELS,
    onDevice: true,
  });
  assertClose(result, maskedCrossEntropy(logits, LABELS), "no gradient");
  assertBits(new Float32Array(gradient), logits);
});

onGpus(
  "labels on the device that are no class are NaN rows, and counted",
  async (gpu) => {
    const labels = Int32Array.of(1, V, -1, -100, 2147483647);
    const { result, gradient } = await gpu.runPlan({
      options: { rows: 5, vocabSize: V, into: "in-place", perToken: true },
      logits: normalLogits(5 * V, 3) as Float32Array<ArrayBuffer>,
      labels,
      onDevice: true,
    });
    const { invalidLabelRows, nonFiniteRows, activeTokens } = result;
    assertEquals([invalidLabelRows, nonFiniteRows, activeTokens], [3, 3, 4]);
    assertBits(result.perToken!.slice(1), [NaN, NaN, 0, NaN]);
    const grad = new Float32Array(gradient);
    assert(grad.subarray(0, V).every(Number.isFinite));
    assertBits(grad.subarray(V, 3 * V), new Float32Array(2 * V).fill(NaN));
    assertZeros(grad.subarray(3 * V, 4 * V));
  },
);

onGpus(
  "bf16 rows of an odd stride share words, on the device's labels",
  async (gpu) => {
    const rows = 5, vocabSize = V, rowStride = V + 2;
    const logits = Uint16Array.from(
      normalLogits(rows * rowStride, 4),
      encodeBf16,
    );
    const labels = Int32Array.from(range(0, rows), (i) => i === 2 ? -100 : i);
    const { result, gradient } = await gpu.runPlan({
      options: {
        rows,
        vocabSize,
        rowStride,
        dtype: "bf16",
        into: "in-place",
      },
      logits,
      labels,
      onDevice: true,
    });
    const options = { dtype: "bf16", vocabSize, rowStride } as const;
    const expected = maskedCrossEntropyGrad(logits, labels, options);
    assertClose(result, expected, "bf16");
    const grad = Float64Array.from(new Uint16Array(gradient), decodeBf16);
    for (const i of range(0, rows)) {
      const row = grad.subarray(i * rowStride, (i + 1) * rowStride);
      assertZeros(row.subarray(vocabSize), `padding of row ${i}`);
      const wanted = Float64Array.from(
        (expected.gradLogits as Float32Array).subarray(
          i * vocabSize,
          (i + 1) * vocabSize,
        ),
      );
      const error = gradError(row.subarray(0, vocabSize), wanted, vocabSize);
      assert(error <= 2 ** -8, `row ${i} is off by ${error}`);
    }
  },
);

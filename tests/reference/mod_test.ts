/** The reference as callers have it: the root's functions in float64. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as root from "../../mod.ts";
import * as reference from "../../src/reference/mod.ts";
import type { GradOptions } from "../../src/contract.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import {
  exactGrad,
  gradError,
  loss,
  lossError,
  normalLogits,
} from "../engines.ts";

const N = 12, V = 37;
const logits = normalLogits(N * V, 11);
const labels = Array.from({ length: N }, (_, i) => i % 4 === 1 ? -100 : 3 * i);

const cases: GradOptions[] = [
  {},
  { reduction: "sequence", sequenceLength: 4, shift: true },
  { labelSmoothing: 0.1, zLoss: 1e-3, softcap: 15, upstream: -3 },
  { reduction: "sum", metrics: true, perToken: true, logSumExp: true },
];

Deno.test("reference: maskedCrossEntropy() and its gradient are the reference engine's, bit by bit", () => {
  for (const options of cases) {
    const wanted = loss(referenceEngine, logits, labels, options);
    assertEquals(reference.maskedCrossEntropy(logits, labels, options), wanted);
    const { gradLogits, ...rest } = reference.maskedCrossEntropyGrad(
      logits,
      labels,
      options,
    );
    assertEquals(rest, wanted);
    assertEquals(
      gradLogits,
      exactGrad(logits, labels, options) as typeof gradLogits,
    );
  }
});

Deno.test("reference: its functions are within the root's bounds of the root's", () => {
  const batch = { labels, sequenceLength: 4 };
  for (const options of cases.filter(({ shift }) => !shift)) {
    const exact = reference.causalLossGrad(logits, batch, options);
    const { loss, gradLogits } = root.causalLossGrad(
      logits,
      batch,
      options as GradOptions & { into?: "new" },
    );
    assert(lossError(loss, exact.loss) < 1e-6);
    assert(gradError(gradLogits, exact.gradLogits, V) < 2e-6);
    assertEquals(reference.causalLoss(logits, batch, options).loss, exact.loss);
  }
});

Deno.test("reference: logits stay as they are, and wrong input is refused as everywhere", () => {
  const copy = logits.slice();
  reference.maskedCrossEntropyGrad(logits, labels);
  assertEquals(logits, copy);
  assertThrows(
    () =>
      reference.maskedCrossEntropyGrad(logits, labels, { into: "in-place" }),
    RangeError,
    `into must be "new"`,
  );
  assertThrows(
    () => reference.maskedCrossEntropy(logits, [...labels.slice(1), V]),
    RangeError,
    "labels[11]",
  );
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  const wrong: any = { reduction: "mean" };
  assertThrows(() => reference.causalLoss(logits, labels, wrong), RangeError);
});

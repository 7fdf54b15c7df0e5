/**
 * causalLoss(): the next-token shift, over one sequence, packed documents,
 * padded batches and tensors, against labels shifted by hand, on every engine
 * the public function can reach.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  causalLoss,
  causalLossGrad,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
} from "../../mod.ts";
import type { CausalBatch, LossOptions } from "../../src/contract.ts";
import { assertBits, assertZeros } from "../conformance/bits.ts";
import { normalLogits } from "../engines.ts";

const I = -100;
const N = 9, V = 7;
const logits = normalLogits(N * V, 14);
const LABELS = [0, 1, I, 3, 4, 5, I, 6, 2];
const both: LossOptions[] = [{}, { deterministic: true }];

/** What is asked for in all tests. */
const ALL = { perToken: true, logSumExp: true } as const;

Deno.test("causalLoss() is the loss of labels shifted by hand", () => {
  const shifted = [...LABELS.slice(1), I];
  for (const options of both) {
    const all = { ...options, ...ALL };
    const { totalTokens, ...rest } = causalLoss(logits, LABELS, all);
    const hand = maskedCrossEntropy(logits, shifted, all);
    assertEquals(totalTokens, N - 1);
    assertEquals(hand.totalTokens, N);
    assertEquals({ ...rest, totalTokens: N }, hand);
    const grad = causalLossGrad(logits, LABELS, options).gradLogits;
    assertBits(
      grad,
      maskedCrossEntropyGrad(logits, shifted, options).gradLogits,
    );
    assertZeros(grad.subarray((N - 1) * V), "the last row");
  }
});

Deno.test("causalLoss() takes labels or a batch of them", () => {
  const expected = causalLoss(logits, LABELS);
  assertEquals(causalLoss(logits, { labels: LABELS }), expected);
  assertEquals(causalLoss(logits, Int32Array.from(LABELS)), expected);
  const wide = BigInt64Array.from(LABELS, BigInt);
  assertEquals(causalLoss(logits, { labels: wide }), expected);
  assertEquals(causalLoss(logits, wide), expected);
  const shift = { shift: true };
  assertEquals(maskedCrossEntropy(logits, LABELS, shift), expected);
});

Deno.test("no token is trained across the border of two documents", () => {
  const cuSeqlens = [0, 4, 4, 5, 9]; // 4 tokens, none, one, 4
  // the first labels, 0 at position 0 and 4 and 5, are never targets
  const shifted = [1, I, 3, I, I, I, 6, 2, I];
  const result = causalLossGrad(logits, { labels: LABELS, cuSeqlens }, ALL);
  const hand = maskedCrossEntropyGrad(logits, shifted, ALL);
  assertBits(result.perToken!, hand.perToken!);
  assertBits(result.gradLogits, hand.gradLogits);
  assertEquals(result.totalTokens, N - 3);
  for (const end of [4, 5, 9]) {
    const row = result.gradLogits.subarray((end - 1) * V, end * V);
    assertZeros(row, `the last row of the document that ends at ${end}`);
  }
  assertEquals([...result.perSequence!.activeTokens], [2, 0, 0, 2]);

  // other first labels, other first tokens: the same bits
  const other = LABELS.slice();
  other[0] = 6;
  other[4] = 0;
  other[5] = I;
  const changed = causalLoss(logits, { labels: other, cuSeqlens }, ALL);
  assertBits(changed.perToken!, result.perToken!);

  // each document by itself
  const parts = [[0, 4], [4, 5], [5, 9]].flatMap(([from, to]) => [
    ...causalLoss(
      logits.subarray(from! * V, to! * V),
      LABELS.slice(from, to),
      ALL,
    ).perToken!,
  ]);
  assertBits(result.perToken!, parts);
});

Deno.test("what lies behind the last border is padding, one more sequence", () => {
  const labels = [...LABELS.slice(0, 6), I, I, I];
  const batch: CausalBatch = { labels, cuSeqlens: [0, 2, 6] };
  const covered = causalLoss(logits, batch, ALL);
  const cuSeqlens = [0, 2, 6, 9];
  assertEquals(covered, causalLoss(logits, { labels, cuSeqlens }, ALL));
  assertEquals([...covered.perSequence!.activeTokens], [1, 3, 0]);
  const dirty = logits.slice().fill(NaN, 6 * V);
  assertBits(causalLoss(dirty, batch, ALL).perToken!, covered.perToken!);
  // given as an option, borders must cover all rows
  assertThrows(
    () => causalLoss(logits, { labels }, { cuSeqlens: [0, 2, 6] }),
    RangeError,
    "end at 9",
  );
  assertThrows(
    () => causalLoss(logits, { labels, cuSeqlens: [0, 2, 12] }),
    RangeError,
    "end at 9",
  );
});

Deno.test("a tensor [B, T, V] is B sequences, and so is a sequenceLength", () => {
  const cuSeqlens = [0, 3, 6, 9];
  const byBorders = causalLoss(logits, { labels: LABELS, cuSeqlens }, ALL);
  const tensor = { data: logits, dims: [3, 3, V] };
  assertEquals(causalLoss(tensor, LABELS, ALL), byBorders);
  assertEquals(causalLoss(tensor, { labels: LABELS }, ALL), byBorders);
  const batch = { labels: LABELS, sequenceLength: 3 };
  assertEquals(causalLoss(logits, batch, ALL), byBorders);
  const options = { ...ALL, sequenceLength: 3 };
  assertEquals(causalLoss(logits, LABELS, options), byBorders);
  assertEquals(byBorders.totalTokens, 6);
  // rank 2 says nothing about sequences; borders say more than dims
  const flat = { data: logits, dims: [N, V] };
  assertEquals(causalLoss(flat, LABELS, ALL), causalLoss(logits, LABELS, ALL));
  const packed = { labels: LABELS, cuSeqlens: [0, 4, 9] };
  assertEquals(
    causalLoss({ data: logits, dims: [1, N, V] }, packed, ALL),
    causalLoss(logits, packed, ALL),
  );
});

Deno.test("what the options say of the layout goes before the batch", () => {
  const batch = { labels: LABELS, cuSeqlens: [0, 4, 9] };
  const options = { ...ALL, sequenceLength: 3 };
  assertEquals(
    causalLoss(logits, batch, options),
    causalLoss(logits, LABELS, options),
  );
  const weights = { tokenWeights: [1, 2, 3, 4, 5, 6, 7, 8, 9] };
  const zeros = { ...weights, labels: LABELS };
  assertEquals(
    causalLoss(logits, zeros, { tokenWeights: new Array(N).fill(1) }).sum,
    causalLoss(logits, LABELS).sum,
  );
});

Deno.test("token weights are aligned with the labels and shift with them", () => {
  const tokenWeights = [100, 2, 100, 0.5, 3, 0, 100, 7, 1];
  const cuSeqlens = [0, 4, 9];
  const batch = { labels: LABELS, cuSeqlens, tokenWeights };
  const result = causalLoss(logits, batch, ALL);
  const plain = causalLoss(logits, { labels: LABELS, cuSeqlens }, ALL);
  // row t weighs with label t + 1
  const expected = plain.perToken!.map((x, t) =>
    x === 0 ? 0 : x * tokenWeights[t + 1]!
  );
  assertBits(result.perToken!, expected);
  assertEquals(result.weightSum, 2 + 0.5 + 0 + 7 + 1);
  const given = { ...ALL, tokenWeights };
  const labels = { labels: LABELS, cuSeqlens };
  assertEquals(causalLoss(logits, labels, given), result);
});

Deno.test("rows align with logits: a changed row changes its own loss only", () => {
  const before = causalLoss(logits, LABELS, ALL).perToken!;
  for (let t = 0; t < N; t++) {
    const changed = logits.slice();
    changed[t * V] = changed[t * V]! + 1;
    const after = causalLoss(changed, LABELS, ALL).perToken!;
    for (let i = 0; i < N; i++) {
      const scored = t < N - 1 && LABELS[t + 1] !== I;
      assertEquals(after[i] !== before[i], i === t && scored, `${t}, ${i}`);
    }
  }
});

Deno.test("in place and upstream work as in maskedCrossEntropyGrad()", () => {
  const shifted = [...LABELS.slice(1), I];
  const upstream = LABELS.map((_, i) => i - 3);
  const a = logits.slice(), b = logits.slice();
  const options = { into: "in-place", upstream } as const;
  const result = causalLossGrad(a, LABELS, options);
  maskedCrossEntropyGrad(b, shifted, options);
  assert(result.gradLogits === a);
  assertBits(a, b);
});

Deno.test("causalLoss() refuses batches that are none", () => {
  const wrong: [unknown, string][] = [
    [null, "null"],
    [undefined, "undefined"],
    [5, "5"],
    ["labels", "labels"],
    [{}, "batch.labels"],
    [{ labels: 5 }, "5"],
    [{ inputIds: LABELS }, "batch.labels"],
    [{ labels: LABELS, cuSeqlens: 9 }, "cuSeqlens"],
    [{ labels: LABELS, tokenWeights: 1 }, "tokenWeights"],
  ];
  for (const [batch, text] of wrong) {
    for (const run of [causalLoss, causalLossGrad]) {
      assertThrows(() => run(logits, batch as CausalBatch), TypeError, text);
    }
  }
  // the unused first label is checked too
  assertThrows(
    () => causalLoss(logits, [V, ...LABELS.slice(1)]),
    RangeError,
    "labels[0]",
  );
});

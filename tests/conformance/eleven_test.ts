/**
 * The eleven that everyone asks for first, on every engine: which tokens are
 * trained, what they cost, and that -100 never reaches memory it should not.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { IGNORE_INDEX, type TokenSpan } from "../../src/contract.ts";
import type { Engine } from "../../src/engine.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import { findSpans } from "../../src/labels/find_spans.ts";
import { type Build, instantiate } from "../../src/wasm/loader.ts";
import { tablesOf } from "../../src/wasm/memory.ts";
import {
  fastEngines,
  loss,
  lossGrad,
  normalLogits,
  onEngines,
} from "../engines.ts";
import { assertBits, assertZeros, range, WAYS } from "./bits.ts";

const I = IGNORE_INDEX;

function maskLabels(
  engine: Engine,
  ids: number[],
  spans: readonly TokenSpan[],
): number[] {
  return [
    ...engine.maskLabels(
      Int32Array.from(ids),
      Int32Array.from(spans.flat()),
      I,
    ),
  ];
}

/** <user> 1, <assistant> 2, end of turn 0. */
const ROLES = {
  user: { start: [1], end: [0] },
  assistant: { start: [2], end: [0] },
};
const CHAT = [1, 5, 6, 0, 2, 7, 3, 0, 1, 4, 0, 2, 6, 0];

onEngines("a single turn is masked up to the answer", (engine) => {
  const ids = CHAT.slice(0, 8);
  const spans = findSpans(ids, { roles: ROLES, train: ["assistant"] });
  assertEquals(maskLabels(engine, ids, spans), [I, I, I, I, I, 7, 3, 0]);
});

onEngines("no span means that all is ignored", (engine) => {
  assertEquals(maskLabels(engine, CHAT, []), CHAT.map(() => I));
});

onEngines("every answer of many turns is kept, and nothing else", (engine) => {
  const spans = findSpans(CHAT, { roles: ROLES, train: ["assistant"] });
  const labels = maskLabels(engine, CHAT, spans);
  assertEquals(labels, [I, I, I, I, I, 7, 3, 0, I, I, I, I, 6, 0]);
});

onEngines("as many labels are kept as the spans are long", (engine) => {
  for (const length of [1, 3, 4, 5, 15, 16, 17, 100]) {
    const ids = range(1000, length);
    for (const step of [1, 2, 5, 7]) {
      const spans: TokenSpan[] = [];
      for (let at = step - 1; at < length; at += 2 * step) {
        spans.push([at, Math.min(at + step, length)]);
      }
      const kept = maskLabels(engine, ids, spans).filter((y) => y !== I);
      const wanted = spans.reduce((n, [start, end]) => n + end - start, 0);
      assertEquals(kept.length, wanted, `${length} ids, spans of ${step}`);
    }
  }
});

onEngines("ignored positions add nothing, whatever they hold", (engine) => {
  const N = 6, V = 1500;
  const labels = [3, I, 1499, I, I, 0];
  const clean = normalLogits(N * V, 1);
  for (const way of WAYS) {
    const before = lossGrad(engine, clean, labels, { ...way, perToken: true });
    for (const garbage of [NaN, Infinity, -Infinity, 1e38]) {
      const dirty = clean.slice();
      labels.forEach((y, i) => {
        if (y === I) dirty.fill(garbage, i * V, (i + 1) * V);
      });
      const after = lossGrad(engine, dirty, labels, { ...way, perToken: true });
      assertBits([after.loss, after.sum], [before.loss, before.sum], "loss");
      assertBits(after.perToken!, before.perToken!, "perToken");
      assertBits(after.gradLogits, before.gradLogits, "gradLogits");
      assertEquals(after.nonFiniteRows, 0);
      for (const i of [1, 3, 4]) {
        const row = Array.from(after.gradLogits).slice(i * V, (i + 1) * V);
        assertZeros(row, `gradient of row ${i}`);
      }
    }
  }
});

// deno-fmt-ignore
const FIVE = new Float32Array([
  1.5, -0.5, 0.25, 2,  0, 1, -1, 0.5,  3, 2, 1, 0,  -2, 0.75, 1.25, -0.5,  0.5, 0.5, 2.5, -1,
]);
const FIVE_LABELS = [3, I, 0, I, 2];

onEngines("the token reduction is PyTorch's mean", (engine) => {
  // python3 -c "import torch,torch.nn.functional as F; print(F.cross_entropy(torch.tensor([[1.5,-0.5,0.25,2.],[0.,1.,-1.,.5],[3.,2.,1.,0.],[-2.,.75,1.25,-.5],[.5,.5,2.5,-1.]]).double(),torch.tensor([3,-100,0,-100,2])).item())"
  const expected = 0.44169392977310906;
  const result = loss(engine, FIVE, FIVE_LABELS);
  assertAlmostEquals(result.loss, expected, 1e-6);
  assertEquals([result.activeTokens, result.denominator], [3, 3]);
});

onEngines(
  "token and sample differ under a mask, by the share trained",
  (engine) => {
    const token = loss(engine, FIVE, FIVE_LABELS, { reduction: "token" });
    const sample = loss(engine, FIVE, FIVE_LABELS, { reduction: "sample" });
    assert(sample.loss < token.loss);
    assertBits([sample.loss * 5, sample.denominator], [sample.sum, 5]);
    assertAlmostEquals(sample.loss / token.loss, 3 / 5, 1e-14);
  },
);

onEngines("token and sample are the same without a mask", (engine) => {
  const labels = [3, 1, 0, 2, 2];
  const token = lossGrad(engine, FIVE, labels, { reduction: "token" });
  const sample = lossGrad(engine, FIVE, labels, { reduction: "sample" });
  assertBits([sample.loss], [token.loss]);
  assertBits(sample.gradLogits, token.gradLogits);
});

onEngines("all masked gives 0 for both reductions", (engine) => {
  const labels = FIVE_LABELS.map(() => I);
  for (const reduction of ["token", "sample"] as const) {
    const result = lossGrad(engine, FIVE, labels, { reduction });
    assertBits([result.loss, result.denominator], [0, 0]);
    assertZeros(result.gradLogits, "gradLogits");
  }
});

onEngines("the clamp keeps every ignored label inside the row", (engine) => {
  // ignoreIndex at both ends of int32: an unclamped address would wrap or trap
  for (const ignoreIndex of [I, -1, 4, 2147483647, -2147483648]) {
    const labels = FIVE_LABELS.map((y) => y === I ? ignoreIndex : y);
    const result = lossGrad(engine, FIVE, labels, { ignoreIndex });
    const expected = lossGrad(engine, FIVE, FIVE_LABELS);
    assertBits([result.loss], [expected.loss]);
    assertBits(result.gradLogits, expected.gradLogits);
  }
});

const STORAGE = [
  { name: "f32", size: 4, encode: (x: number) => x },
  { name: "bf16", size: 2, encode: encodeBf16 },
  { name: "f16", size: 2, encode: encodeF16 },
];

for (const { name } of fastEngines) {
  // a crew's kernels are the same in another memory
  if (!name.startsWith("wasm-")) continue;
  const build = name.slice("wasm-".length) as Build;
  Deno.test(`the clamp keeps the bare kernel's loads inside the row [${name}]`, () => {
    const kernels = instantiate(build);
    const { memory } = kernels, tables = tablesOf(kernels);
    const V = 8;
    const labels = [I, -2147483648, 2147483647, V, V - 1, -1, 3, 0];
    const top = memory.buffer.byteLength;
    STORAGE.forEach(({ name, size, encode }, dtype) => {
      // address 0: a label of -100 unclamped wraps past 4 GiB and traps; the
      // heap's base: it reads the tables below; memory's end: V is outside
      const rowBytes = V * size;
      for (const at of [0, kernels.heap_base(), top - rowBytes]) {
        const bytes = new Uint8Array(memory.buffer, at, rowBytes);
        const saved = bytes.slice();
        const row = range(1, V).map(encode);
        const stored = size === 4
          ? Float32Array.from(row)
          : Uint16Array.from(row);
        bytes.set(new Uint8Array(stored.buffer));
        for (const ignoreIndex of [I, V, -2147483648, 2147483647, 5]) {
          // one row for all labels (rowBytes 0), so that the row may stand anywhere
          tables.labels.set(labels);
          const out = tables.gathered.subarray(0, V);
          out.fill(NaN);
          kernels.gather(at, labels.length, V, 0, dtype, ignoreIndex);
          const expected = labels.map((y) =>
            y === ignoreIndex ? 0 : 1 + Math.min(Math.max(y, 0), V - 1)
          );
          assertBits(
            out,
            expected,
            `${name} at ${at}, ignoring ${ignoreIndex}`,
          );
        }
        // the mask is a select: 0 times a NaN would be a NaN
        bytes.fill(255);
        tables.labels.fill(I);
        kernels.gather(at, V, V, 0, dtype, I);
        const out = tables.gathered.subarray(0, V);
        assertZeros(out, `${name} at ${at}, a row of NaN`);
        bytes.set(saved);
      }
    });
  });
}

onEngines(
  "spans to labels to loss equals the rows picked by hand",
  (engine) => {
    const V = 9;
    const logits = normalLogits(CHAT.length * V, 7);
    const spans = findSpans(CHAT, { roles: ROLES, train: ["assistant"] });
    const labels = maskLabels(engine, CHAT, spans);
    const result = loss(engine, logits, labels, {
      shift: true,
      perToken: true,
    });

    // position t is predicted by row t - 1
    const picked = [5, 6, 7, 12, 13];
    const nll = picked.map((t) => {
      const row = [...logits.subarray((t - 1) * V, t * V)];
      const sum = row.reduce((total, x) => total + Math.exp(x), 0);
      return Math.log(sum) - row[CHAT[t]!]!;
    });
    picked.forEach((t, i) =>
      assertAlmostEquals(result.perToken![t - 1]!, nll[i]!, 1e-6)
    );
    assertEquals(result.perToken!.filter((x) => x !== 0).length, picked.length);
    const mean = nll.reduce((a, b) => a + b) / picked.length;
    assertAlmostEquals(result.loss, mean, 1e-6);
    assertEquals([result.activeTokens, result.totalTokens], [5, 13]);
  },
);

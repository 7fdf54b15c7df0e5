/**
 * What a review of borders and of smaller kernels found: memory that outlives its
 * workspace, buffers that go while other options are read, options that cannot be
 * listed, and entropies below 0.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  causalLoss,
  causalLossGrad,
  createLossWorkspace,
  findSpans,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
  packSequences,
} from "../../mod.ts";
import { seeded } from "../engines.ts";

Deno.test("entropy is never below 0, nor logSumExp below the largest logit", () => {
  const random = seeded(41);
  for (let i = 0; i < 5000; i++) {
    const [a, b] = [400 * random() - 200, 400 * random() - 200];
    const logits = Float32Array.of(a, b);
    const found = maskedCrossEntropy(logits, [0], {
      metrics: true,
      logSumExp: true,
    });
    assert(
      found.metrics!.entropy >= 0,
      `${found.metrics!.entropy} of ${logits}`,
    );
    assert(found.logSumExp![0]! >= Math.max(...logits), `${logits}`);
  }
});

Deno.test("a workspace that was disposed of holds no memory", async () => {
  const made = createLossWorkspace({ rows: 2, vocabSize: 3 });
  let collected = false;
  const registry = new FinalizationRegistry<null>(() => collected = true);
  registry.register(made.logits.buffer, null);
  made.dispose();
  // the collector comes when it likes: memory is filled until it has
  const end = performance.now() + 20_000;
  while (!collected && performance.now() < end) {
    new Float64Array(1 << 20);
    await new Promise((later) => setTimeout(later, 1));
  }
  assert(collected, "its memory is still held");
  assertThrows(() => made.logits, TypeError, "disposed");
});

Deno.test("a sample whose ids go while its weights are read is told", () => {
  const inputIds = Int32Array.of(1, 2, 3, 4);
  const weights = {
    length: 4,
    get 0() {
      structuredClone(inputIds, { transfer: [inputIds.buffer] });
      return 1;
    },
    1: 1,
    2: 1,
    3: 1,
  };
  assertThrows(
    () => packSequences([{ inputIds, weights }], { maxLength: 8 }),
    TypeError,
    "buffer",
  );
});

Deno.test("markers that go while roles are read are read no more", () => {
  const start = Int32Array.of(2), end = Int32Array.of(9);
  const roles = {
    a: {
      start,
      end,
      get includeEnd() {
        for (const { buffer } of [start, end]) {
          if (buffer.byteLength > 0) {
            structuredClone(buffer, { transfer: [buffer] });
          }
        }
        return true;
      },
    },
  };
  assertEquals(findSpans([2, 5, 9], { roles, train: ["a"] }), [[1, 3]]);
});

Deno.test("each option is read once, and those of a gradient by a gradient alone", () => {
  for (const loss of [maskedCrossEntropy, maskedCrossEntropyGrad]) {
    const reads: string[] = [];
    const options = {};
    for (const name of ["reduction", "metrics", "into", "upstream"]) {
      Object.defineProperty(options, name, {
        enumerable: true,
        get: () => void reads.push(name),
      });
    }
    loss(new Float32Array(4), [1, 0], options);
    assertEquals(
      reads,
      loss === maskedCrossEntropy
        ? ["reduction", "metrics"]
        : ["reduction", "metrics", "into", "upstream"],
    );
  }
});

Deno.test("a causal loss reads each option once, too", () => {
  for (const loss of [causalLoss, causalLossGrad]) {
    const reads: string[] = [];
    const options = {};
    for (const name of ["shift", "cuSeqlens", "sequenceLength", "upstream"]) {
      Object.defineProperty(options, name, {
        enumerable: true,
        get: () => void reads.push(name),
      });
    }
    loss(new Float32Array(4), { labels: [1, 0] }, options);
    assertEquals(reads, ["shift", "cuSeqlens", "sequenceLength", "upstream"]);
  }
});

Deno.test("options that cannot be listed are read like others", () => {
  const logits = new Float32Array(4);
  const options = Object.defineProperty({}, "ignoreIndex", { value: 1 });
  assertEquals(maskedCrossEntropy(logits, [1, 0], options).activeTokens, 1);
});

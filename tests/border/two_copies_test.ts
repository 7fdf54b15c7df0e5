/** Two copies of the library in one process know nothing of each other, and agree. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as first from "../../mod.ts";
import { assertBits } from "../conformance/bits.ts";
import { normalLogits } from "../engines.ts";
import { secondCopy } from "./two_copies.ts";

const N = 6, V = 90;
const logits = normalLogits(N * V, 8);
const labels = [3, -100, 5, 89, 0, 7];

Deno.test("two copies of the library in one process work side by side", async () => {
  const second = await secondCopy();
  assert(second.maskedCrossEntropy !== first.maskedCrossEntropy);
  const one = first.createLossWorkspace({ rows: N, vocabSize: V });
  const two = second.createLossWorkspace({ rows: N, vocabSize: V });
  one.logits.set(logits);
  two.logits.set(logits);
  const expected = first.maskedCrossEntropy(logits, labels);
  const { gradLogits } = first.maskedCrossEntropyGrad(logits, labels);

  // each takes the other's workspace for an array like any, and copies it
  for (const given of [logits, one.logits, two.logits]) {
    for (const copy of [first, second]) {
      assertEquals(copy.maskedCrossEntropy(given, labels), expected);
      assertBits(
        copy.maskedCrossEntropyGrad(given, labels).gradLogits,
        gradLogits,
      );
    }
  }
  // also in place; the workspace stays its owner's
  first.maskedCrossEntropyGrad(two.logits, labels, { into: "in-place" });
  assertBits(two.logits, gradLogits);
  second.maskedCrossEntropyGrad(one.logits, labels, { into: "in-place" });
  assertBits(one.logits, gradLogits);

  // results are plain data: those of one merge in the other
  const half = N / 2;
  const parts = [
    first.maskedCrossEntropy(logits.slice(0, half * V), labels.slice(0, half)),
    second.maskedCrossEntropy(logits.slice(half * V), labels.slice(half)),
  ];
  assertEquals(first.mergeLoss(parts), expected);
  assertEquals(second.mergeLoss(parts), expected);

  // what one is told, the other is not
  one.dispose();
  assertThrows(() => one.logits, TypeError, "was disposed");
  assert(two.logits.length === N * V);
  const bytes = Deno.readFileSync("src/wasm/kernels_simd.wasm");
  second.init({ simd: new WebAssembly.Module(bytes) });
  assertEquals(first.maskedCrossEntropy(logits, labels), expected);
  const plain = first.maskedCrossEntropy(logits, labels, {
    deterministic: true,
  });
  assertEquals(second.maskedCrossEntropy(logits, labels), plain);
  two.dispose();
});

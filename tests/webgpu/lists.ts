/** Lists of the host beside a GPU: those without a buffer, and those that lie about their length. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { maskedCrossEntropyGrad } from "../../mod.ts";
import type { GpuBatch } from "../../src/webgpu/mod.ts";
import { normalLogits } from "../engines.ts";
import { assertClose, once, planTest, put } from "./plans.ts";

const rows = 3, vocabSize = 40;
const labels = [5, -100, 39], upstream = [1, 2, 3], tokenWeights = [1, 0, 2];
const cuSeqlens = [0, 1, 3];

function lose<T extends ArrayBufferView>(array: T): T {
  structuredClone(array, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

function liar<T extends ArrayBufferView>(array: T, length: number): T {
  return Object.defineProperty(array, "length", { value: length });
}

planTest("lists that lost their buffer are refused", async (gpu, device) => {
  const plan = await gpu.crossEntropy({ rows, vocabSize, into: "in-place" });
  const host = normalLogits(rows * vocabSize, 1);
  const logits = put(device, host);
  const onDevice = put(device, Int32Array.from(labels));
  const wish = (name: string) =>
    `Cannot compute loss as ${name} must not have lost their buffer`;
  const lists: Record<string, () => ArrayLike<number>> = {
    labels: () => lose(Int32Array.from(labels)),
    tokenWeights: () => lose(Float32Array.from(tokenWeights)),
    upstream: () => lose(Float64Array.from(upstream)),
    cuSeqlens: () => lose(Int32Array.from(cuSeqlens)),
  };
  for (const [name, list] of Object.entries(lists)) {
    for (const given of [labels, onDevice]) {
      const batch = { logits, labels: given, [name]: list() } as GpuBatch;
      const encoder = device.createCommandEncoder();
      assertThrows(() => plan.encode(encoder, batch), TypeError, wish(name));
    }
    await assertRejects(
      () => plan.run({ logits: host, labels, [name]: list() }),
      TypeError,
      wish(name),
    );
  }
  await assertRejects(
    () => plan.run({ logits: lose(host.slice()), labels }),
    TypeError,
    wish("logits"),
  );
  logits.destroy();
  onDevice.destroy();
  plan.dispose();
});

planTest("a length that a list claims changes nothing", async (gpu, device) => {
  const plan = await gpu.crossEntropy({ rows, vocabSize, into: "in-place" });
  const host = normalLogits(rows * vocabSize, 1);
  const onDevice = put(device, Int32Array.from(labels));
  const options = { tokenWeights, upstream, cuSeqlens };
  const expected = maskedCrossEntropyGrad(host, labels, options);
  for (const length of [0, 1, 4, 2 ** 40]) {
    const claims = {
      tokenWeights: liar(Float32Array.from(tokenWeights), length),
      upstream: liar(Float64Array.from(upstream), length),
      cuSeqlens: liar(Int32Array.from(cuSeqlens), length),
    };
    const ids = liar(Int32Array.from(labels), length);
    for (const given of [ids, onDevice]) {
      const logits = put(device, host);
      const result = await once(plan, device, {
        logits,
        labels: given,
        ...claims,
      });
      assertClose(result, expected, `${length}`);
      logits.destroy();
    }
    const logits = liar(host.slice(), length);
    const result = await plan.run({ logits, labels: ids, ...claims });
    assertClose(result, expected, `run, ${length}`);
    assertEquals(result.gradLogits === logits, true);
  }
  onDevice.destroy();
  plan.dispose();
});

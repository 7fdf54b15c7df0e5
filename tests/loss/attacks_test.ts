/**
 * What a hostile caller tried once: arrays that run code when they are read,
 * workspaces of the other build, results that went through JSON, factors at the
 * end of float32, the wrong module.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  causalLoss,
  createLossWorkspace,
  init,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
  mergeLoss,
} from "../../mod.ts";
import { normalLogits } from "../engines.ts";

Deno.test("labels that compute a loss while they are read change nothing", () => {
  const x = Float32Array.of(1, 2, 3, 4, 5, 9);
  const other = Float32Array.of(100, 2, 3, -50, 5, 9);
  const labels = [0, 1];
  let reads = 0;
  Object.defineProperty(labels, 1, {
    get() {
      reads++;
      maskedCrossEntropy(other, Int32Array.of(2, 2));
      return 1;
    },
  });
  const expected = maskedCrossEntropy(x, Int32Array.of(0, 1)).loss;
  assertEquals(maskedCrossEntropy(x, labels).loss, expected);
  assertEquals(
    reads,
    1,
    "a label must be read once, or its check is worth nothing",
  );
});

Deno.test("a workspace gives the same bits for one row and for all, and without options", () => {
  for (const deterministic of [true, false]) {
    const [rows, vocabSize] = [20, 1000];
    const workspace = createLossWorkspace({ rows, vocabSize, deterministic });
    workspace.logits.set(normalLogits(rows * vocabSize, 3));
    const labels = Int32Array.from({ length: rows }, (_, i) => i * 7);
    const whole = maskedCrossEntropy(workspace.logits, labels);
    const row = (i: number) =>
      workspace.logits.subarray(i * vocabSize, (i + 1) * vocabSize);
    const alone = [...labels].map((y, i) =>
      maskedCrossEntropy(row(i), Int32Array.of(y))
    );
    assertEquals(mergeLoss(alone).sum, whole.sum);
    const given = [...labels].map((y, i) =>
      maskedCrossEntropy(row(i), [y], {})
    );
    assertEquals(mergeLoss(given).sum, whole.sum);
    assertEquals(
      maskedCrossEntropyGrad(workspace.logits, labels).sum,
      whole.sum,
    );
    workspace.dispose();
  }
});

Deno.test("mergeLoss() refuses results that went through JSON", () => {
  const x = Float32Array.of(1, 2, 3, 4);
  const result = maskedCrossEntropy(x, [0, 1], { reduction: "sequence" });
  const json = JSON.parse(JSON.stringify(result));
  assertThrows(() => mergeLoss([json]), TypeError, "Float64Array");
  assertEquals(mergeLoss([structuredClone(result)]), result);
});

Deno.test("a gradient that float32 holds is finite, however large its factor", () => {
  const x = Float32Array.of(1, 2, 3, 4);
  for (const upstream of [1e29, 1e33, 1e35, -1e35, 1e38]) {
    const { gradLogits } = maskedCrossEntropyGrad(x, [0], { upstream });
    const one = maskedCrossEntropyGrad(x, [0]).gradLogits;
    gradLogits.forEach((g, k) =>
      assert(
        Math.abs(g / (one[k]! * upstream) - 1) < 1e-6,
        `${upstream}: ${g}, not ${one[k]! * upstream}`,
      )
    );
  }
});

Deno.test("masked classes have gradient 0, not -0, beside a lone label under a negative factor", () => {
  const x = new Float32Array(64).fill(-Infinity);
  x[3] = 1;
  const { gradLogits } = maskedCrossEntropyGrad(x, [3], { upstream: -1 });
  gradLogits.forEach((g, k) => assert(Object.is(g, 0), `column ${k}: ${g}`));
});

Deno.test("a label out of range is named with its row, itself and V, whatever its size", () => {
  const x = new Float32Array(6);
  for (const bad of [3, -1, 2 ** 40, 1.5, NaN, Infinity]) {
    const error = assertThrows(
      () => maskedCrossEntropy(x, [0, bad]),
      RangeError,
      "labels[1] must be -100 (ignored) or a class in [0, 3)",
    );
    assert(error.message.includes(String(bad)));
  }
  assertThrows(
    () => maskedCrossEntropy(x, BigInt64Array.of(0n, 2n ** 40n)),
    RangeError,
    "[0, 3)",
  );
});

Deno.test("options are read alike with and without a batch, inherited ones too", () => {
  const x = new Float32Array(6);
  const options = Object.create({ reduction: "sum" });
  assertEquals(causalLoss(x, [0, 1, 1], options).reduction, "sum");
  assertEquals(maskedCrossEntropy(x, [0, 1, 1], options).reduction, "sum");
  assertThrows(
    () => causalLoss(x, [0, 1, 1], { shift: "x" as unknown as boolean }),
    TypeError,
    "shift",
  );
});

Deno.test("init() refuses what is not the build it is said to be", async () => {
  const read = (name: string) =>
    Deno.readFile(new URL(`../../src/wasm/${name}`, import.meta.url));
  const relaxed = new WebAssembly.Module(await read("kernels_relaxed.wasm"));
  assertThrows(() => init({ simd: relaxed }), TypeError, "kernels.wasm");
  assertThrows(() => init({ smid: relaxed } as object), TypeError, "smid");
  assertThrows(() => init(null as unknown as object), TypeError, "modules");
  const empty = new WebAssembly.Module(
    Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
  );
  assertThrows(() => init({ simd: empty }), TypeError, "kernels.wasm");
  const module = new WebAssembly.Module(
    Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
  );
  assertThrows(
    () => init(module as unknown as Parameters<typeof init>[0]),
    TypeError,
    "modules must be { simd, relaxed }",
  );
  init();
});

Deno.test("equal logits of any size share the probability, on every path", () => {
  const ways = [{}, { metrics: true }, { labelSmoothing: 0.1 }, {
    zLoss: 1e-90,
  }];
  for (const size of [1e11, 1e12, 1e17, -1e17, 3e38]) {
    for (const options of ways) {
      const x = new Float32Array(4).fill(size);
      const result = maskedCrossEntropyGrad(x, [1], options);
      const what = `${size}, ${Object.keys(options)}`;
      const share = options.labelSmoothing === undefined ? 1 : 0.9;
      assert(Math.abs(result.loss - Math.log(4)) < 1e-6, `loss of ${what}`);
      result.gradLogits.forEach((g, k) => {
        const expected = share * (k === 1 ? -0.75 : 0.25);
        assert(Math.abs(g - expected) < 1e-6, `${what}: ${g}, not ${expected}`);
      });
      const { entropy = Math.log(4) } = result.metrics ?? {};
      assert(Math.abs(entropy - Math.log(4)) < 1e-6, `entropy of ${what}`);
    }
  }
});

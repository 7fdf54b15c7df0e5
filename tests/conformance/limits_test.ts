/**
 * The rest of the edge table: sizes beyond 4 GiB and 2³¹, and labels so sure of
 * themselves that their loss is all in the last digits.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createLossWorkspace } from "../../mod.ts";
import { prepare } from "../../src/loss/problem.ts";
import { fastEngines, loss, lossGrad, onEngines } from "../engines.ts";
import { WAYS } from "./bits.ts";

/** Logits that claim to be `length` long and hold nothing. */
function pretend(length: number): Float32Array {
  return Object.defineProperty(new Float32Array(0), "length", {
    value: length,
  });
}

Deno.test("createLossWorkspace() beyond 4 GiB says what to do", () => {
  const sizes = [
    { rows: 2 ** 20, vocabSize: 2 ** 13 },
    { rows: 1, vocabSize: 2 ** 30 },
    { rows: 2 ** 31, vocabSize: 2 ** 31 },
    { rows: Number.MAX_SAFE_INTEGER, vocabSize: Number.MAX_SAFE_INTEGER },
    { rows: 2 ** 22, vocabSize: 2 ** 10, dtype: "bf16" as const },
  ];
  for (const size of sizes) {
    assertThrows(
      () => createLossWorkspace(size),
      RangeError,
      "use fewer rows",
    );
  }
});

Deno.test("the checks count rows and elements beyond 2³² without wrapping", () => {
  const N = 2 ** 16, V = 2 ** 17;
  const { problem } = prepare(pretend(N * V), new Int32Array(N).fill(V - 1));
  assertEquals([problem.rows, problem.vocabSize, problem.rowStride], [N, V, V]);
  assertThrows(
    () => prepare(pretend(N * V), new Int32Array(N).fill(V)),
    RangeError,
    `[0, ${V})`,
  );
  assertThrows(
    () => prepare(pretend(2 ** 31), [0]),
    RangeError,
    "vocabSize must be below 2³¹",
  );
});

for (const engine of fastEngines) {
  Deno.test(`a row that fits no memory is refused [${engine.name}]`, () => {
    const huge = pretend(2 ** 30);
    assertThrows(
      () => loss(engine, huge, [2 ** 30 - 1]),
      RangeError,
      "fewer rows",
    );
    // and the engine still works
    assertEquals(loss(engine, new Float32Array(3), [-100]).loss, 0);
  });
}

onEngines("a gradient that fits no memory is refused", (engine) => {
  const N = 2 ** 16, V = 2 ** 30;
  assertThrows(
    () => lossGrad(engine, pretend(N * V), new Int32Array(N)),
    RangeError,
    "use fewer rows",
  );
});

onEngines("a confident label keeps five digits of its loss", (engine) => {
  for (const V of [2, 5, 1000, 1025]) {
    for (const label of [0, V >> 1, V - 1]) {
      for (let digits = 1; digits <= 30; digits++) {
        for (const offset of [0, -3, 100]) {
          const logits = new Float32Array(V).fill(offset);
          logits[label] = offset + Math.log(V - 1) + digits * Math.LN10;
          const q = (V - 1) * Math.exp(offset - logits[label]!);
          const nll = Math.log1p(q), mass = q / (1 + q);
          for (const way of WAYS) {
            const { loss, gradLogits } = lossGrad(engine, logits, [label], way);
            const what = `V = ${V}, 1e-${digits}, ${JSON.stringify(way)}`;
            assert(Math.abs(loss / nll - 1) <= 1e-5, `${what}: nll ${loss}`);
            const own = gradLogits[label]!;
            assert(Math.abs(own / -mass - 1) <= 1e-5, `${what}: own ${own}`);
            const other = gradLogits[label === 0 ? 1 : 0]!;
            const share = mass / (V - 1);
            assert(Math.abs(other / share - 1) <= 1e-5, `${what}: ${other}`);
          }
        }
      }
    }
  }
});

onEngines("a hopeless label costs the distance, with gradient -1", (engine) => {
  for (const depth of [50, 700, 1e4, 1e6, 1e30, 3e38]) {
    const logits = new Float32Array(9);
    logits[4] = -depth;
    for (const way of WAYS) {
      const { loss, gradLogits } = lossGrad(engine, logits, [4], way);
      assert(Math.abs(loss / (Math.log(8) - logits[4]!) - 1) <= 1e-6);
      assert(Math.abs(gradLogits[4]! + 1) <= 1e-6);
      assert(Math.abs(gradLogits[0]! * 8 - 1) <= 2e-6);
    }
  }
});

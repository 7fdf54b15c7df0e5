/**
 * The rest of the edge table: sizes beyond 4 GiB and 2³¹, and labels so sure of
 * themselves that their loss is all in the last digits.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { createLossWorkspace } from "../../mod.ts";
import { readShape } from "../../src/loss/shape.ts";
import { fastEngines, loss, lossGrad, onEngines } from "../engines.ts";
import { WAYS } from "./bits.ts";

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
  const none = new Float32Array(0); // of as many elements as are said
  const shape = readShape(none, N * V, N, {});
  assertEquals([shape.rows, shape.vocabSize, shape.rowStride], [N, V, V]);
  assertThrows(
    () => readShape(none, N * V - 1, N, { vocabSize: V }),
    RangeError,
    `logits.length must equal ${N} rows of ${V}, 8589934592`,
  );
  assertThrows(
    () => readShape(none, 2 ** 31, 1, {}),
    RangeError,
    "vocabSize must be below 2³¹",
  );
});

for (const engine of fastEngines) {
  Deno.test(`a row that fits no memory is refused [${engine.name}]`, () => {
    const huge = new Float32Array(2 ** 30); // the system gives no page of it until it is touched
    assertThrows(
      () => loss(engine, huge, [2 ** 30 - 1]),
      RangeError,
      "fewer rows",
    );
    // and the engine still works
    assertEquals(loss(engine, new Float32Array(3), [-100]).loss, 0);
  });
}

/** While `test` runs, there is no room for new arrays of more than a few float32. */
function withoutRoom(test: () => void): void {
  const { Float32Array: Real } = globalThis;
  globalThis.Float32Array = new Proxy(Real, {
    construct(target, args, newTarget) {
      if (args[0] > 16) throw new RangeError("Array buffer allocation failed");
      return Reflect.construct(target, args, newTarget);
    },
  });
  try {
    test();
  } finally {
    globalThis.Float32Array = Real;
  }
}

onEngines("a gradient that fits no memory is refused", (engine) => {
  const logits = new Float32Array(40);
  withoutRoom(() =>
    assertThrows(
      () => lossGrad(engine, logits, [1, 2]),
      RangeError,
      "Cannot compute loss as a gradient of 2 x 20 float32 does not fit: use fewer rows",
    )
  );
  assertEquals(lossGrad(engine, logits, [1, 2]).gradLogits.length, 40);
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

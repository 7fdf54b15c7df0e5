/**
 * createLossWorkspace(): memory that is never moved, copied or overstepped, in
 * every size around the 1024 rows of a kernel call and every storage type.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  createLossWorkspace,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
  maskLabels,
} from "../../mod.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import { assertBits } from "../conformance/bits.ts";
import { lossError, normalLogits } from "../engines.ts";

Deno.test("createLossWorkspace() makes a view of rows · vocabSize, in its type", () => {
  for (const dtype of [undefined, "f32", "bf16", "f16"] as const) {
    using workspace = createLossWorkspace({
      rows: 3,
      vocabSize: 5,
      ...(dtype === undefined ? {} : { dtype }),
    });
    assertEquals(workspace.logits.length, 15);
    assertEquals([workspace.rows, workspace.vocabSize], [3, 5]);
    assertEquals(workspace.dtype, dtype ?? "f32");
    const half = dtype === "bf16" || dtype === "f16";
    assertEquals(workspace.logits instanceof Uint16Array, half);
    assert(workspace.logits === workspace.logits, "one view, not many");
  }
});

for (const rows of [1, 1023, 1024, 1025, 1500, 3000]) {
  Deno.test(`a workspace of ${rows} rows keeps its logits, whatever is asked`, () => {
    // small vocabularies leave little room below the logits
    for (const V of [1, 2, 5, 100, 500]) {
      using workspace = createLossWorkspace({ rows, vocabSize: V });
      const { logits } = workspace;
      const values = normalLogits(rows * V, rows + V);
      logits.set(values);
      const labels = new Int32Array(rows).map((_, i) => i % V);
      const askings = [
        {},
        { metrics: true },
        { classWeights: new Array(V).fill(0.5) },
        { softcap: 5, labelSmoothing: 0.1 },
        { perToken: true, logSumExp: true, reduction: "sequence" },
      ] as const;
      for (const options of askings) {
        const expected = maskedCrossEntropy(values, labels, options);
        const what = `V = ${V}, ${Object.keys(options)}`;
        assertEquals(maskedCrossEntropy(logits, labels, options), expected);
        assertBits(workspace.logits, values, `logits, ${what}`);
        maskedCrossEntropyGrad(logits, labels, options);
        assertBits(workspace.logits, values, `logits after grad, ${what}`);
        // in place: all of the gradient, and nothing written after it
        const copy = values.slice();
        maskedCrossEntropyGrad(copy, labels, { ...options, into: "in-place" });
        const over = maskedCrossEntropyGrad(logits, labels, {
          ...options,
          into: "in-place",
        });
        assert(over.gradLogits === logits);
        assertBits(logits, copy, `gradient, ${what}`);
        logits.set(values);
      }
    }
  });
}

Deno.test("a workspace's view stays valid while others grow", () => {
  using workspace = createLossWorkspace({ rows: 2, vocabSize: 3 });
  const view = workspace.logits;
  view.set([1, 2, 3, 4, 5, 6]);
  maskedCrossEntropy(new Float32Array(500000), [7]);
  maskLabels(new Int32Array(1 << 20), [[0, 9]]);
  using other = createLossWorkspace({ rows: 100, vocabSize: 1000 });
  other.logits.fill(0);
  assertEquals(view.length, 6);
  assert(view === workspace.logits);
  assertBits(view, [1, 2, 3, 4, 5, 6]);
});

Deno.test("rows may be fewer, and a padded vocabulary's row stride is the workspace's", () => {
  using workspace = createLossWorkspace({ rows: 4, vocabSize: 8 });
  const { logits } = workspace;
  logits.fill(NaN);
  const row = normalLogits(6, 1);
  for (let i = 0; i < 4; i++) logits.set(row, i * 8);
  const layout = { vocabSize: 6, rowStride: 8, perToken: true };
  const result = maskedCrossEntropy(logits, [1, 1, -100, 1], layout);
  const alone = maskedCrossEntropy(row, [1]);
  assertBits(result.perToken!, [alone.loss, alone.loss, 0, alone.loss]);
  const some = logits.subarray(8, 24);
  assertEquals(maskedCrossEntropy(some, [1, 1], layout).loss, alone.loss);
  const { gradLogits } = maskedCrossEntropyGrad(some, [1, 1], {
    ...layout,
    into: "in-place",
  });
  assert(gradLogits === some);
  for (let i = 0; i < 4; i++) {
    const padding = logits.subarray(i * 8 + 6, i * 8 + 8);
    assertBits(padding, i === 1 || i === 2 ? [0, 0] : [NaN, NaN], `row ${i}`);
  }
});

Deno.test("a workspace read as another shape is still right", () => {
  using workspace = createLossWorkspace({ rows: 20, vocabSize: 10 });
  const { logits } = workspace;
  logits.set(normalLogits(200, 8));
  const copy = logits.slice();
  for (const [rows, V] of [[20, 10], [200, 1], [2, 100], [1, 200]] as const) {
    const labels = new Int32Array(rows).fill(V - 1);
    const options = { metrics: true, classWeights: new Array(V).fill(2) };
    const expected = maskedCrossEntropy(copy, labels, options);
    assertEquals(maskedCrossEntropy(logits, labels, options), expected);
    assertBits(logits, copy, `logits as ${rows} x ${V}`);
  }
});

Deno.test("deterministic on a workspace of the fast build is still right", () => {
  using workspace = createLossWorkspace({ rows: 30, vocabSize: 50 });
  using plain = createLossWorkspace({
    rows: 30,
    vocabSize: 50,
    deterministic: true,
  });
  const values = normalLogits(1500, 2);
  const labels = new Int32Array(30).fill(7);
  const options = { deterministic: true, perToken: true };
  const expected = maskedCrossEntropyGrad(values, labels, options);
  for (const { logits } of [workspace, plain]) {
    logits.set(values);
    const result = maskedCrossEntropyGrad(logits, labels, options);
    assertBits(result.perToken!, expected.perToken!);
    assertBits(result.gradLogits, expected.gradLogits);
    assertBits(logits, values, "logits");
    const over = maskedCrossEntropyGrad(logits, labels, {
      ...options,
      into: "in-place",
    });
    assert(over.gradLogits === logits);
    assertBits(logits, expected.gradLogits);
  }
});

Deno.test("a half workspace gives new and in-place gradients", () => {
  for (const dtype of ["bf16", "f16"] as const) {
    for (const rows of [4, 1500]) {
      const V = 33;
      using workspace = createLossWorkspace({ rows, vocabSize: V, dtype });
      const { logits } = workspace;
      const encode = dtype === "bf16" ? encodeBf16 : encodeF16;
      const bits = Uint16Array.from(normalLogits(rows * V, 5), encode);
      logits.set(bits);
      const labels = new Int32Array(rows).map((_, i) => i % 3 ? i % V : -100);
      const expected = maskedCrossEntropyGrad(bits, labels, { dtype });
      const fresh = maskedCrossEntropyGrad(logits, labels, { dtype });
      assertEquals(fresh, expected);
      assertBits(logits, bits, "logits");
      const copy = bits.slice();
      maskedCrossEntropyGrad(copy, labels, { dtype, into: "in-place" });
      const over = maskedCrossEntropyGrad(logits, labels, {
        dtype,
        into: "in-place",
      });
      assert(over.gradLogits === logits);
      assertBits(logits, copy, "gradient in place");
      assert(lossError(over.loss, expected.loss) === 0);
    }
  }
});

Deno.test("dispose() may be called twice; what was disposed of throws", () => {
  const workspace = createLossWorkspace({ rows: 1, vocabSize: 2 });
  workspace.dispose();
  workspace.dispose();
  workspace[Symbol.dispose]();
  assertThrows(() => workspace.logits, Error, "disposed");
  const { logits } = (() => {
    using inner = createLossWorkspace({ rows: 1, vocabSize: 2 });
    return { logits: inner };
  })();
  assertThrows(() => logits.logits, Error, "disposed");
});

Deno.test("createLossWorkspace() refuses sizes and types that are none", () => {
  for (const rows of [0, -1, 1.5, NaN, Infinity]) {
    const error = assertThrows(
      () => createLossWorkspace({ rows, vocabSize: 4 }),
      RangeError,
      "rows must be a whole number of at least 1",
    );
    assert(error.message.includes(String(rows)), error.message);
    assertThrows(
      () => createLossWorkspace({ rows: 4, vocabSize: rows }),
      RangeError,
      "vocabSize",
    );
  }
  const wrong = (options: unknown) => createLossWorkspace(options as never);
  assertThrows(() => wrong({ rows: "3", vocabSize: 4 }), TypeError, '"3"');
  assertThrows(() => wrong({ rows: 3, vocabSize: 4n }), TypeError, "4n");
  assertThrows(
    () => wrong({ rows: 3, vocabSize: 4, dtype: "f64" }),
    RangeError,
    "f32, bf16, f16",
  );
  assertThrows(
    () => wrong({ rows: 3, vocabSize: 4, dtype: 16 }),
    TypeError,
    "dtype",
  );
});

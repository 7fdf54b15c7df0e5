/**
 * A row's bits depend on that row alone: not on its neighbours, on how many
 * there are, on where they lie in memory, nor on how they are cut into calls.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  createLossWorkspace,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
} from "../../mod.ts";
import type { GradOptions, LogitsType } from "../../src/contract.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import { loss, lossGrad, normalLogits, onEngines, seeded } from "../engines.ts";
import { assertBits, WAYS } from "./bits.ts";

const MANY = 2500;

/** MANY rows, a third of them ignored, some of them off the float32 path. */
function rows(V: number) {
  const logits = normalLogits(MANY * V, V);
  const random = seeded(V);
  const labels = Int32Array.from(
    { length: MANY },
    () => random() < 1 / 3 ? -100 : Math.floor(random() * V),
  );
  for (let i = 0; i < MANY; i += 7) {
    logits[i * V + Math.floor(random() * V)] = [300, -1e9, -Infinity][i % 3]!;
  }
  return { logits, labels };
}

const OPTIONS: GradOptions = {
  reduction: "sum",
  perToken: true,
  logSumExp: true,
};

onEngines("a row alone, among 3 and among 2500 has the same bits", (engine) => {
  for (const V of [1, 5, 37]) {
    const { logits, labels } = rows(V);
    for (const way of WAYS) {
      const options = { ...OPTIONS, ...way };
      const all = lossGrad(engine, logits, labels, options);
      const grad = all.gradLogits as Float32Array;
      for (const at of [0, 1, 7, 1022, 1023, 1024, 1025, 2047, 2048, 2497]) {
        for (const count of [1, 3]) {
          const part = lossGrad(
            engine,
            logits.subarray(at * V, (at + count) * V),
            labels.subarray(at, at + count),
            options,
          );
          const what = `V = ${V}, rows ${at} to ${at + count}`;
          for (const key of ["perToken", "logSumExp"] as const) {
            assertBits(part[key]!, all[key]!.subarray(at, at + count), what);
          }
          const wanted = grad.subarray(at * V, (at + count) * V);
          assertBits(part.gradLogits, wanted, what);
        }
      }
    }
  }
});

onEngines("how rows are cut into calls changes no bit", (engine) => {
  // long rows: a ring of 512 KB holds 3 of them
  for (const [V, N] of [[40000, 11], [37, MANY]] as const) {
    const { logits, labels } = V === 37 ? rows(V) : {
      logits: normalLogits(N * V, 2),
      labels: new Int32Array(N).fill(V - 1),
    };
    const whole = loss(engine, logits, labels, OPTIONS);
    for (const step of [1, 2, 5, 1000, 1024, 1025].filter((s) => s <= N)) {
      if (N / step > 600) continue;
      for (let at = 0; at < N; at += step) {
        const to = Math.min(at + step, N);
        const part = loss(
          engine,
          logits.subarray(at * V, to * V),
          labels.subarray(at, to),
          OPTIONS,
        );
        assertBits(part.perToken!, whole.perToken!.subarray(at, to));
      }
    }
  }
});

onEngines("where a row lies in memory changes no bit", (engine) => {
  const V = 1100;
  const row = normalLogits(V, 4);
  const expected = lossGrad(engine, row, [700], OPTIONS);
  for (let offset = 1; offset < 9; offset++) {
    const around = new Float32Array(V + 16).fill(NaN);
    around.set(row, offset);
    const moved = around.subarray(offset, offset + V);
    const result = lossGrad(engine, moved, [700], OPTIONS);
    assertBits(result.perToken!, expected.perToken!);
    assertBits(result.gradLogits, expected.gradLogits);
    // the same row at every alignment inside one problem: odd strides
    const stride = V + offset;
    const pair = new Float32Array(2 * stride).fill(NaN);
    pair.set(row);
    pair.set(row, stride);
    const twice = lossGrad(engine, pair, [700, 700], {
      ...OPTIONS,
      vocabSize: V,
      rowStride: stride,
    });
    const [p] = expected.perToken!;
    assertBits(twice.perToken!, [p!, p!]);
  }
});

for (const dtype of ["f32", "bf16", "f16"] as LogitsType[]) {
  Deno.test(`a workspace, a part of it and a foreign array: the same bits, ${dtype}`, () => {
    const V = 37;
    const { logits, labels } = rows(V);
    const stored = dtype === "f32"
      ? logits
      : Uint16Array.from(logits, dtype === "bf16" ? encodeBf16 : encodeF16);
    for (const deterministic of [false, true]) {
      using workspace = createLossWorkspace({
        rows: MANY,
        vocabSize: V,
        dtype,
        deterministic,
      });
      const view = workspace.logits;
      const typed = dtype === "f32" ? {} : { dtype };
      for (const way of WAYS) {
        view.set(stored);
        const options = { ...OPTIONS, ...typed, ...way, deterministic };
        const foreign = maskedCrossEntropyGrad(stored, labels, options);
        const own = maskedCrossEntropyGrad(view, labels, options);
        assertBits(own.perToken!, foreign.perToken!, "perToken");
        assertBits(own.sumTerms, foreign.sumTerms, "sumTerms");
        assertBits(own.gradLogits, foreign.gradLogits, "gradLogits");
        assertBits(view, stored, "logits after a new gradient");
        const part = maskedCrossEntropy(
          view.subarray(1000 * V, 2100 * V),
          labels.subarray(1000, 2100),
          options,
        );
        assertBits(part.perToken!, foreign.perToken!.subarray(1000, 2100));
        assertBits(view, stored, "logits after a loss");

        // in place: only the rows of the part are written
        const over = maskedCrossEntropyGrad(
          view.subarray(1000 * V, 2100 * V),
          labels.subarray(1000, 2100),
          { ...options, into: "in-place" },
        );
        const copy = stored.slice(1000 * V, 2100 * V);
        maskedCrossEntropyGrad(copy, labels.subarray(1000, 2100), {
          ...options,
          into: "in-place",
        });
        assertBits(over.gradLogits, copy, "gradient in place");
        const head = stored.subarray(0, 1000 * V);
        assertBits(view.subarray(0, 1000 * V), head, "rows before");
        const tail = stored.subarray(2100 * V);
        assertBits(view.subarray(2100 * V), tail, "rows behind");
        assertEquals(over.sum, part.sum);
      }
    }
  });
}

/**
 * Laws that hold for any input, tried on many with fast-check: invariances of
 * softmax, exactness of sums, independence of rows, and agreement of the WASM
 * engines with the reference on values of every kind.
 *
 * @module
 */
import { assert } from "@std/assert";
import fc from "fast-check";
import { mergeLoss } from "../../mod.ts";
import type { GradOptions, LossOptions } from "../../src/contract.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { assertBits } from "../conformance/bits.ts";
import {
  exactGrad,
  fastEngines,
  gradError,
  loss,
  lossError,
  lossGrad,
  normalLogits,
  onEngines,
} from "../engines.ts";

/** The same cases on every run; `deno task fuzz` is for new ones. */
const RUNS = { seed: 20240607, numRuns: 150 };

const finite = fc.oneof(
  { weight: 6, arbitrary: fc.float({ min: -20, max: 20, noNaN: true }) },
  { weight: 1, arbitrary: fc.float({ min: -3e4, max: 3e4, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, 1e-40, -1e9, -2.9e6) },
);
const anything = fc.oneof(
  { weight: 12, arbitrary: finite },
  { weight: 2, arbitrary: fc.constant(-Infinity) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -3e38) },
);

interface Batch {
  logits: Float32Array;
  labels: number[];
  V: number;
}

/** A batch of 1 to `most` rows of `values`, some of them ignored. */
function batches(values: fc.Arbitrary<number>, most = 8): fc.Arbitrary<Batch> {
  return fc.tuple(
    fc.integer({ min: 1, max: 70 }),
    fc.integer({ min: 1, max: most }),
  )
    .chain(([V, N]) =>
      fc.record({
        logits: fc.array(values, { minLength: N * V, maxLength: N * V })
          .map((list) => Float32Array.from(list)),
        labels: fc.array(
          fc.oneof(
            { weight: 3, arbitrary: fc.integer({ min: 0, max: V - 1 }) },
            { weight: 1, arbitrary: fc.constant(-100) },
          ),
          { minLength: N, maxLength: N },
        ),
        V: fc.constant(V),
      })
    );
}

/** Options of one row's formula, off as often as on. */
const formulas: fc.Arbitrary<LossOptions> = fc.record({
  labelSmoothing: fc.constantFrom(0.1, 0.5, 1),
  zLoss: fc.constantFrom(1e-4, 0.01),
  softcap: fc.constantFrom(5, 30),
  logitScale: fc.constantFrom(0.5, 2, -1),
  metrics: fc.boolean(),
  reduction: fc.constantFrom("token", "sample", "sequence", "sum"),
}, { requiredKeys: [] });

onEngines("adding a number to every logit changes nothing", (engine) => {
  const shift = fc.integer({ min: -64, max: 64 });
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 300 }),
      shift,
      (seed, V, c) => {
        // multiples of 1/64: the sums are exact, so only the engine can err
        const logits = normalLogits(3 * V, seed).map((x) =>
          Math.round(x * 64) / 64
        );
        const labels = [0, V - 1, V >> 1];
        const a = lossGrad(engine, logits, labels);
        const b = lossGrad(engine, logits.map((x) => x + c), labels);
        assert(lossError(b.loss, a.loss) <= 1e-6);
        assert(gradError(b.gradLogits, a.gradLogits, V) <= 4e-6);
      },
    ),
    RUNS,
  );
});

onEngines("every row of a plain gradient sums to 0", (engine) => {
  fc.assert(
    fc.property(batches(finite), ({ logits, labels, V }) => {
      const { gradLogits } = lossGrad(engine, logits, labels, {
        reduction: "sum",
      });
      for (let at = 0; at < gradLogits.length; at += V) {
        const row = Array.from(gradLogits).slice(at, at + V);
        const size = row.reduce((s, g) => s + Math.abs(g), 0);
        const sum = row.reduce((s, g) => s + g, 0);
        assert(Math.abs(sum) <= 1e-6 * size + 1e-36, `${sum} of ${size}`);
      }
    }),
    RUNS,
  );
});

onEngines("the order of rows changes no bit of the sum", (engine) => {
  const shuffled = batches(anything).chain((batch) =>
    fc.record({
      batch: fc.constant(batch),
      order: fc.shuffledSubarray(batch.labels.map((_, i) => i), {
        minLength: batch.labels.length,
      }),
    })
  );
  fc.assert(
    fc.property(shuffled, formulas, ({ batch, order }, options) => {
      const { logits, labels, V } = batch;
      const moved = new Float32Array(logits.length);
      order.forEach((from, to) =>
        moved.set(logits.subarray(from * V, (from + 1) * V), to * V)
      );
      const a = loss(engine, logits, labels, options);
      const b = loss(engine, moved, order.map((i) => labels[i]!), options);
      assertBits([b.loss, b.sum, b.weightSum], [a.loss, a.sum, a.weightSum]);
      assertBits(b.sumTerms, a.sumTerms);
    }),
    RUNS,
  );
});

onEngines(
  "shards merge to the bits of one call, and rows to their own",
  (engine) => {
    const cut = batches(anything, 20).chain((batch) =>
      fc.record({
        batch: fc.constant(batch),
        cuts: fc.array(fc.integer({ min: 0, max: batch.labels.length }), {
          maxLength: 4,
        }),
      })
    );
    fc.assert(
      fc.property(cut, formulas, ({ batch, cuts }, given) => {
        const { logits, labels, V } = batch;
        const options = { ...given, vocabSize: V, perToken: true };
        if (options.reduction === "sequence") options.reduction = "token";
        const borders = [0, ...cuts.sort((a, b) => a - b), labels.length];
        const whole = loss(engine, logits, labels, options);
        const merged = mergeLoss(
          borders.slice(1).map((to, s) => {
            const from = borders[s]!;
            const part = logits.subarray(from * V, to * V);
            return loss(engine, part, labels.slice(from, to), options);
          }),
        );
        assertBits(
          [merged.loss, merged.sum, merged.weightSum, merged.denominator],
          [whole.loss, whole.sum, whole.weightSum, whole.denominator],
        );
        assertBits(merged.sumTerms, whole.sumTerms);
        assertBits(merged.perToken!, whole.perToken!);
      }),
      RUNS,
    );
  },
);

Deno.test("the reference's gradient is the slope of its loss", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 1, max: 9 }),
      formulas,
      (seed, V, options) => {
        const logits = normalLogits(3 * V, seed, 1);
        const labels = [V - 1, -100, 0];
        const grad = exactGrad(logits, labels, options);
        // a power of two near 1e-3: float32 holds x ± h to 2⁻²² or so
        const h = 2 ** -10;
        for (let k = 0; k < logits.length; k++) {
          const at = (x: number) => {
            const moved = logits.slice();
            moved[k] = x;
            return [
              loss(referenceEngine, moved, labels, options).loss,
              moved[k]!,
            ];
          };
          const [above, right] = at(logits[k]! + h);
          const [below, left] = at(logits[k]! - h);
          const slope = (above! - below!) / (right! - left!);
          const error = Math.abs(slope - grad[k]!);
          assert(error <= 2e-5, `[${k}]: ${grad[k]}, slope ${slope}`);
        }
      },
    ),
    { ...RUNS, numRuns: 60 },
  );
});

for (const engine of fastEngines) {
  Deno.test(`on any input ${engine.name} is the reference within bounds`, () => {
    fc.assert(
      fc.property(
        batches(anything),
        formulas,
        ({ logits, labels, V }, given) => {
          const options: GradOptions = {
            ...given,
            perToken: true,
            logSumExp: true,
          };
          const expected = loss(referenceEngine, logits, labels, options);
          const result = lossGrad(engine, logits, labels, options);
          for (const key of ["perToken", "logSumExp"] as const) {
            expected[key]!.forEach((e, i) => {
              const a = result[key]![i]!;
              assert(lossError(a, e) <= 1e-6, `${key}[${i}]: ${a}, not ${e}`);
            });
          }
          assert(
            result.nonFiniteRows === expected.nonFiniteRows,
            "nonFiniteRows",
          );
          const exact = exactGrad(logits, labels, options);
          // what float32 cannot hold is no error, see numerics_test.ts
          const wanted = exact.map((e, k) =>
            Math.abs(result.gradLogits[k]! - e) <= 1e-36
              ? result.gradLogits[k]!
              : e
          );
          const error = gradError(result.gradLogits, wanted, V);
          assert(error <= 2e-6, `gradient is off by ${error}`);
        },
      ),
      { ...RUNS, numRuns: 400 },
    );
  });
}

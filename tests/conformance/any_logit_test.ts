/**
 * One logit of a row may be any float32 at all: 65536 of them (on a GPU 4096),
 * evenly spread over the bit patterns (signs, exponents, infinities, NaNs), beside
 * ordinary neighbours, against the reference. It finds every value that a range
 * check of the float32 path would wrongly let through.
 *
 * @module
 */
import { assert } from "@std/assert";
import { referenceEngine } from "../../src/reference/engine.ts";
import {
  exactGrad,
  fastEngines,
  gradError,
  loss,
  lossError,
  lossGrad,
  sweep,
} from "../engines.ts";
import { range } from "./bits.ts";

const LABEL = 5;
/** Odd, so that low bits vary too; 65536 of them cover 2³². */
const STEP = 65537;

/** Where the reference R has so large a unit that it must be exact by itself. */
const LARGE = 1e10;

const every = new Float32Array(
  Uint32Array.from(
    { length: 65536 / sweep.every },
    (_, i) => i * sweep.every * STEP,
  ).buffer,
);

/** Near ±2ᵏ octaves, where a count of octaves in a float32's low bits wraps, or is 0. */
const wraps = Float32Array.from(
  range(20, 6).flatMap((k) =>
    range(-130, 261).flatMap((j) => {
      const x = (2 ** k + j) * Math.LN2;
      return [x, -x];
    })
  ),
);

/** Each of `values` once, in column `place` of a row whose other logits are `base`. */
interface Sweep {
  values: Float32Array;
  V: number;
  place: number;
  base: number;
}

const SWEEPS: Record<string, Sweep[]> = {
  "any float32 below 1e10": [[2, 0], [LABEL, -40], [9, 700]].map((
    [place, base],
  ) => ({
    values: every.filter((x) => Math.abs(x) < LARGE),
    V: 12,
    place: place!,
    base: base!,
  })),
  "any float32 from 1e10 up": [[2, 0], [LABEL, -40], [9, 700]].map((
    [place, base],
  ) => ({
    values: every.filter((x) => !(Math.abs(x) < LARGE)),
    V: 12,
    place: place!,
    base: base!,
  })),
  // 32 logits are looked at first: these come as a surprise
  "any float32 behind the guess": [
    { values: every.filter((_, i) => i % 8 === 3), V: 72, place: 66, base: 0 },
  ],
  "where counts of octaves wrap": [[1, 0], [66, 0], [66, -300], [LABEL, 9]].map(
    ([place, base]) => ({ values: wraps, V: 72, place: place!, base: base! }),
  ),
};

for (const engine of fastEngines) {
  for (const [name, sweeps] of Object.entries(SWEEPS)) {
    Deno.test(`one logit, ${name}, is the reference within bounds [${engine.name}]`, () => {
      for (const { values, V, place, base } of sweeps) {
        const N = values.length;
        const labels = new Int32Array(N).fill(LABEL);
        const options = { reduction: "sum", perToken: true } as const;
        const logits = new Float32Array(N * V).fill(base);
        values.forEach((x, i) => logits[i * V + place] = x);
        const expected = loss(referenceEngine, logits, labels, options);
        const exact = exactGrad(logits, labels, options);
        const result = lossGrad(engine, logits, labels, options);
        const grad = result.gradLogits as Float32Array;
        for (let i = 0; i < N; i++) {
          const a = result.perToken![i]!, e = expected.perToken![i]!;
          const what = `${values[i]} at ${place} beside ${base}`;
          assert(lossError(a, e) <= 1e-6, `${what}: ${a}, not ${e}`);
          const row = grad.subarray(i * V, (i + 1) * V);
          // what float32 cannot hold is no error, see numerics_test.ts
          const wanted = exact.subarray(i * V, (i + 1) * V).map((g, k) =>
            Math.abs(row[k]! - g) <= 1e-36 ? row[k]! : g
          );
          const error = gradError(row, wanted, V);
          assert(error <= 2e-6, `${what}: gradient is off by ${error}`);
        }
      }
    });
  }
}

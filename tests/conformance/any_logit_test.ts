/**
 * One logit of a row may be any float32 at all: 65536 of them, evenly spread
 * over the bit patterns (signs, exponents, infinities, NaNs), beside ordinary
 * neighbours, against the reference. It finds every value that a range check of
 * the float32 path would wrongly let through.
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
} from "../engines.ts";

const V = 12, LABEL = 5;
/** Odd, so that low bits vary too; 65536 of them cover 2³². */
const STEP = 65537;

/** Where the reference R has so large a unit that it must be exact by itself. */
const LARGE = 1e10;

const every = new Float32Array(
  Uint32Array.from({ length: 65536 }, (_, i) => i * STEP).buffer,
);

const VALUES: Record<string, Float32Array> = {
  "below 1e10": every.filter((x) => Math.abs(x) < LARGE),
  "from 1e10 up": every.filter((x) => !(Math.abs(x) < LARGE)),
};

for (const engine of fastEngines) {
  for (const [name, values] of Object.entries(VALUES)) {
    Deno.test(`any float32 ${name} as a logit is the reference within bounds [${engine.name}]`, () => {
      const N = values.length;
      const labels = new Int32Array(N).fill(LABEL);
      const options = { reduction: "sum", perToken: true } as const;
      // in a group of its own, in the label's place, and in the tail
      for (const [place, base] of [[2, 0], [LABEL, -40], [9, 700]] as const) {
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

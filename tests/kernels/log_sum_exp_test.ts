/** One pass over one row: what is summed, relative to what, and what is left alone. */
import { assert, assertEquals } from "@std/assert";
import { normalLogits } from "../engines.ts";
import {
  type AloneKernels,
  type Bare,
  bitsOf,
  floatOf,
  onAlone,
} from "./bare.ts";

/** Below, at and above the lane (4), the group (8), the guess (32) and the block (1024). */
const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17]
  .concat([31, 32, 33, 63, 64, 65, 72])
  .concat([1000, 1023, 1024, 1025, 1031, 1032, 2047, 2048, 2049, 3077]);

/** Labels worth trying in a row of V: the borders of everything, and none at all. */
function labelsOf(vocabSize: number): number[] {
  const last = vocabSize - 1;
  const borders = [0, 1, 3, 4, 7, 8, 31, 32, 63, 64, 1023, 1024];
  return [...new Set([...borders, last - 1, last])]
    .filter((k) => k >= 0 && k < vocabSize).concat(-1);
}

/** Σ_{j≠label} e^{x_j - reference} in float64. */
function othersOf(
  values: ArrayLike<number>,
  label: number,
  reference: number,
): number {
  let sum = 0;
  for (let j = 0; j < values.length; j++) {
    if (j !== label) sum += Math.exp(Math.fround(values[j]!) - reference);
  }
  return sum;
}

/** Both kernels over one row: the same bits, the row kept or replaced, and the sum in float64. */
function check(
  bare: Bare<AloneKernels>,
  values: ArrayLike<number>,
  label: number,
  what: string,
  tolerance = 1e-6,
): void {
  const before = Float32Array.from(values);
  const sum = bare.runRow("row_sum", before, label);
  const kept = bare.runRow("row_exponentials", before, label);
  assertEquals(sum.row, before, `row_sum() only reads: ${what}`);
  assertEquals(
    [kept.reference, kept.others],
    [sum.reference, sum.others],
    `the same bits: ${what}`,
  );
  const expected = othersOf(before, label, sum.reference);
  const close = expected === sum.others ||
    Math.abs(sum.others / expected - 1) <= tolerance;
  assert(close, `${sum.others}, not ${expected}: ${what}`);
  if (Number.isNaN(sum.others)) return;
  kept.row.forEach((y, k) => {
    const e = k === label ? 0 : Math.exp(before[k]! - sum.reference);
    const near = Math.abs(y - e) <= Math.max(4e-6 * e, 2 ** -149);
    assert(near, `e^${before[k]} is ${y}, not ${e}, at ${k}: ${what}`);
  });
}

onAlone(
  "row_sum() adds e^(x - reference) of every class but the label's",
  (bare) => {
    for (const V of SIZES) {
      const values = normalLogits(V, V);
      for (const label of labelsOf(V)) {
        check(
          bare,
          values,
          label,
          `${V} ${label}`,
        );
      }
    }
  },
);

onAlone("row_sum() leaves the label's logit out, whatever it is", (bare) => {
  for (const V of SIZES) {
    const values = normalLogits(V, V);
    for (const label of labelsOf(V)) {
      if (label < 0) continue;
      const usual = values[label]!;
      for (const own of [NaN, Infinity, -Infinity, 50, 90, -2.9e6, 3e38]) {
        values[label] = own;
        check(bare, values, label, `V = ${V}, ${own} at the label ${label}`);
      }
      values[label] = usual;
    }
  }
});

onAlone("row_sum() does not care where the row stands", (bare) => {
  const values = normalLogits(1100, 5);
  const first = bare.runRow("row_sum", values, 1030).others;
  for (let shift = 4; shift < 64; shift += 4) {
    const at = bare.base + 4096 + shift;
    assertEquals(bare.runRow("row_sum", values, 1030, at).others, first);
  }
});

onAlone("row_sum() reads at most 32 bytes past the row", (bare) => {
  for (const V of SIZES) {
    const values = normalLogits(V, V);
    for (const label of [0, V - 1]) {
      const at = bare.end - 32 - 4 * V;
      const { others } = bare.runRow("row_sum", values, label, at);
      assertEquals(others, bare.runRow("row_sum", values, label).others);
      bare.runRow("row_exponentials", values, label, at);
    }
  }
});

onAlone(
  "row_sum() follows spikes, in every block and at any height",
  (bare) => {
    const up = [20, 21.4, 21.6, 40, 80, 120, 700, 1e4, 1e6, 1e9];
    const down = [-67, -1e4, -1e9, -3e38, -Infinity];
    for (const V of [2, 9, 1025, 3077]) {
      const plain = normalLogits(V, V);
      // below a spike downwards something else must be left
      for (const height of V > 2 ? [...up, ...down] : up) {
        for (const place of labelsOf(V).filter((k) => k >= 0)) {
          const values = plain.slice();
          values[place] = height;
          for (const label of [-1, 0, place, V - 1]) {
            check(
              bare,
              values,
              label,
              `${height} at ${place} of ${V}, ${label}`,
            );
          }
        }
      }
    }
  },
);

onAlone("row_sum() climbs stairs, up and down", (bare) => {
  for (const step of [15, 17, 25, 100, 800, 1e5, 1e8]) {
    for (const sign of [1, -1]) {
      const values = normalLogits(5000, 9)
        .map((x, k) => x + sign * step * Math.floor(k / 700));
      for (const label of [-1, 0, 4999]) {
        check(bare, values, label, `${sign * step}, ${label}`);
      }
    }
  }
});

onAlone(
  "row_sum() of rows of one value is the number of the others",
  (bare) => {
    // every addition rounds the same way: 128 of them in each lane of a block
    for (const value of [0, 5, -87, 1e4, -1e6, 1e8, -1e9]) {
      for (const V of [2, 64, 1500]) {
        const row = new Float32Array(V).fill(value);
        check(bare, row, 0, `${value}, V = ${V}`, 2e-6);
      }
    }
  },
);

onAlone("row_sum() takes any finite float32 as the largest logit", (bare) => {
  for (let size = 1e9; size < 3e38; size *= 30) {
    for (const top of [size, -size, 3.4028234663852886e38, -3.4e38]) {
      check(bare, [top, top, top], 0, `${top} three times`);
      check(bare, [3, top, 0, -2], 0, `${top} among small ones`);
      const gap = Math.abs(top) * 2 ** -20;
      check(bare, [top, top - gap, top - gap / 2], 0, `${top} and neighbours`);
    }
  }
});

onAlone("row_sum() is exactly 0 where every other class is -inf", (bare) => {
  for (const V of [1, 2, 9, 1025]) {
    const values = new Float32Array(V).fill(-Infinity);
    for (const label of labelsOf(V)) {
      if (label >= 0) values[label] = 3;
      const { others, reference } = bare.runRow("row_sum", values, label);
      assertEquals([others, reference], [0, 0]);
      check(bare, values, label, `V = ${V}, label ${label}`);
      values.fill(-Infinity);
    }
  }
});

onAlone("row_sum() steps over a whole leading block of -inf", (bare) => {
  for (const masked of [1, 63, 64, 65, 1024, 2048, 2500]) {
    const values = normalLogits(3077, masked).fill(-Infinity, 0, masked);
    for (const label of labelsOf(3077)) check(bare, values, label, `${masked}`);
  }
});

onAlone(
  "row_sum() is NaN for one NaN or +inf that is not the label's",
  (bare) => {
    for (const V of [2, 9, 65, 1025, 3077]) {
      for (const bad of [NaN, floatOf(0xffc12345), Infinity]) {
        for (const place of labelsOf(V).filter((k) => k >= 0)) {
          const values = normalLogits(V, V);
          values[place] = bad;
          const label = place === 0 ? 1 : 0;
          for (const kernel of ["row_sum", "row_exponentials"] as const) {
            const { others } = bare.runRow(kernel, values, label);
            assertEquals(others, NaN, `${bad} at ${place} of ${V}`);
          }
        }
      }
    }
  },
);

/**
 * Logits far out of the fast path's window whose counts t may look right. t is
 * 2 + (K - n)·2⁻²² and is judged by its bits, which turn around at x = ±2^k·ln2:
 * the neighbourhood of each, and all float32s for which t may come out as 0.
 */
function fooling(): number[] {
  const found: number[] = [];
  for (let k = 6; k <= 30; k++) {
    for (const x of [2 ** k * Math.LN2, 1.5 * 2 ** k * Math.LN2, 2 ** k]) {
      for (let step = -1; step <= 1; step++) {
        const near = floatOf(bitsOf(Math.fround(x)) + step);
        found.push(near, -near);
      }
    }
  }
  const zero = Math.round(2 ** 23 * Math.LN2);
  for (let x = zero - 40; x < zero + 40; x += 0.5) found.push(x);
  return found;
}

/** `x` in a row and in its last vector, the label elsewhere and beside it. */
function checkOdd(bare: Bare<AloneKernels>, x: number): void {
  for (const [V, place] of [[64, 21], [70, 69], [9, 0]]) {
    const row = normalLogits(V!, V!);
    row[place!] = x;
    for (const label of [3, place! ^ 1]) {
      check(bare, row, label, `${x} at ${place} of ${V}, label ${label}`);
    }
  }
}

onAlone("row_sum() is not fooled by counts whose bits look right", (bare) => {
  for (const x of [...fooling(), -2.9e6, -8.7e6]) checkOdd(bare, x);
});

onAlone("row_sum() is not fooled by logits up to 10⁹", (bare) => {
  for (let bits = bitsOf(64); bits < bitsOf(1e9); bits += 0xb0000) {
    for (const x of [floatOf(bits), -floatOf(bits)]) checkOdd(bare, x);
  }
});

onAlone(
  "row_sum() keeps the reference of the first logits while it can",
  (bare) => {
    for (const lead of [0, -3000, 10000, 20000, 1e5]) {
      const values = normalLogits(3000, 7).map((x) => x + lead);
      values[20] = 12 + lead;
      const first = bare.runRow("row_sum", values.subarray(0, 64), -1);
      // within the window: a little above the largest so far, and far below it
      values[2000] = 16 + lead, values[900] = -50 + lead;
      assertEquals(
        bare.runRow("row_sum", values, -1).reference,
        first.reference,
      );
    }
  },
);

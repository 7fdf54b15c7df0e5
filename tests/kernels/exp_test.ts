/** The exponential of the kernels, float32 and float64, against Math.exp. */
import { assert, assertEquals } from "@std/assert";
import {
  type AloneKernels,
  type Bare,
  bitsOf,
  floatOf,
  onAlone,
} from "./bare.ts";

/** The smallest normal float32; below it digits are lost. */
const NORMAL = 2 ** -126;

/** The largest relative errors of a run: of logits down to 20 below the row's largest, and of all. */
interface Worst {
  near: number;
  anywhere: number;
}

/** Every `stride`th float32 by its bits, from 0 or -0 to beyond `limit`, in order of size. */
function* strided(limit: number, stride: number, first = 0): Generator<number> {
  const sign = limit < 0 ? -1 : 1;
  for (let bits = first; bits <= bitsOf(Math.abs(limit)); bits += stride) {
    yield sign * floatOf(bits);
  }
}

/** -104 to 24 by bit patterns, and again more finely where the bits of x matter. */
function inputs(): number[] {
  const dense = bitsOf(2 ** -10);
  return [
    ...strided(-104, 22003),
    ...strided(24, 22003),
    ...strided(-104, 1409, dense),
    ...strided(24, 1409, dense),
  ];
}

/** Runs values through rows of one block that begin with `lead`, and compares each exponential. */
function compare(
  bare: Bare<AloneKernels>,
  values: number[],
  lead: number,
): Worst {
  const worst = { near: 0, anywhere: 0 };
  const part = 960;
  for (let from = 0; from < values.length; from += part) {
    // the leading 32 logits are what the guess of the reference looks at
    const row = Float32Array.from([
      ...new Array(64).fill(lead),
      ...values.slice(from, from + part),
    ]);
    const found = bare.runRow("row_exponentials", row, -1);
    const largest = row.reduce((m, x) => Math.max(m, x));
    row.forEach((x, i) => {
      const expected = Math.exp(x - found.reference);
      const actual = found.row[i]!;
      if (expected < NORMAL) {
        // half a place of the subnormals
        assert(Math.abs(actual - expected) <= 2 ** -150 * 1.001, `e^${x}`);
        return;
      }
      const error = Math.abs(actual / expected - 1);
      worst.anywhere = Math.max(worst.anywhere, error);
      if (x >= largest - 20) worst.near = Math.max(worst.near, error);
    });
  }
  return worst;
}

onAlone(
  "row_exponentials() is e^x within 6e-7 on the 20 below the largest logit and 4e-6 anywhere above underflow",
  (bare) => {
    const values = inputs();
    const { near, anywhere } = compare(bare, values, 0);
    assert(values.length > 250_000 && near > 0, `${values.length}`);
    assert(near <= 6e-7, `${near} on [-20, 0]`);
    assert(anywhere <= 4e-6, `${anywhere} anywhere`);
  },
);

onAlone("row_exponentials() is as accurate far from 0", (bare) => {
  const values = [...strided(-104, 9001, bitsOf(2 ** -10))];
  for (const lead of [1000, -3000, 11000, 20000, -20000, 7e5, -3e6, 1e9]) {
    const { near, anywhere } = compare(bare, values.map((x) => x + lead), lead);
    assert(near <= 6e-7, `${near} on [-20, 0] about ${lead}`);
    assert(anywhere <= 4e-6, `${anywhere} anywhere about ${lead}`);
  }
});

onAlone(
  "row_exponentials() keeps its reference in reach of the largest logit",
  (bare) => {
    // so near that e^(x - reference) is a normal float32, and so is a sum of many
    for (const lead of [0, 0.3, -7, 1e3, -3e3, 2e4, 3e6, -1e9]) {
      const { reference, row } = bare.runRow(
        "row_exponentials",
        [lead, lead],
        2,
      );
      const distance = Math.abs(Math.fround(lead) - reference);
      assert(distance <= 30, `${distance} at ${lead}`);
      const expected = Math.exp(Math.fround(lead) - reference);
      assert(Math.abs(row[0]! / expected - 1) < 4e-6, `${row[0]} at ${lead}`);
    }
  },
);

onAlone(
  "exp_f64() is e^x within 1e-14 from -708 to 709, 0 below and e^709 above",
  ({ kernels }) => {
    // Taylor's remainder at f = -ln2/2: 6.3e-15 / e^f = 8.9e-15, and rounding
    let worst = 0, at = 0;
    const steps = 200_000;
    for (let i = 0; i <= steps; i++) {
      const x = -708 + 1417 * i / steps;
      const error = Math.abs(kernels.exp_f64(x) / Math.exp(x) - 1);
      if (!(error <= worst)) worst = error, at = x;
    }
    assert(worst <= 1e-14, `${worst} at ${at}`);
    assertEquals([0, -0].map(kernels.exp_f64), [1, 1]);
    assertEquals([-708.1, -1e300, -Infinity].map(kernels.exp_f64), [0, 0, 0]);
    const most = kernels.exp_f64(709);
    assertEquals([709.1, 1e300, Infinity].map(kernels.exp_f64), [
      most,
      most,
      most,
    ]);
    assertEquals(kernels.exp_f64(NaN), NaN);
  },
);

onAlone(
  "row_exponentials() gives the same by its slow path, to 3e-7",
  (bare) => {
    // -200 is below any window of the fast path: the slow one computes the block
    for (const far of [-1, -200]) {
      const row = Float32Array.of(0, -0.1, -1, -5, -12, -20, -60, far);
      const found = bare.runRow("row_exponentials", row, -1);
      found.row.subarray(0, 7).forEach((y, i) => {
        const expected = Math.exp(row[i]! - found.reference);
        assert(Math.abs(y / expected - 1) < 3e-7, `e^${row[i]} = ${y}`);
      });
    }
  },
);

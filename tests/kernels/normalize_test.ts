/** From a row's sums to its loss. */
import { assert, assertEquals } from "@std/assert";
import { type Bare, F32, floatOf, onAlone, onBuilds } from "./bare.ts";

/** Largest relative error of `actual` against `expected` over strided positive float32s. */
function worstOver(
  actual: (x: number) => number,
  expected: (x: number) => number,
): [error: number, at: number] {
  let worst = 0, at = 0;
  for (let bits = 1; bits < 0x7f800000; bits += 21701) {
    const x = floatOf(bits), e = expected(x);
    const error = e === 0 ? Math.abs(actual(x)) : Math.abs(actual(x) / e - 1);
    if (!(error <= worst)) worst = error, at = x;
  }
  return [worst, at];
}

onAlone(
  "settle() takes log and log1p within 1e-14 over all of float32",
  (bare) => {
    const { set_row, settle, row_value } = bare.kernels;
    // others s relative to 0, the label far below them: logSumExp = log s
    const log = (s: number) => (set_row(0, s), settle(-1000), row_value(3));
    // the label's logit 0: nll = log1p(s)
    const log1p = (q: number) => (set_row(0, q), settle(0), row_value(2));
    for (
      const [ours, truth] of [[log, Math.log], [log1p, Math.log1p]] as const
    ) {
      const [error, at] = worstOver(ours, truth);
      assert(error <= 1e-14, `${truth.name}(${at}) is off by ${error}`);
    }
    for (const s of [5e-324, 1e-310, 2 ** -1022, 1e300, 1.7e308, 1]) {
      assert(Math.abs(log(s) - Math.log(s)) <= 1e-14 * Math.abs(Math.log(s)));
    }
  },
);

onAlone(
  "settle() keeps the nll and the others' mass down to the last digit",
  (bare) => {
    const { set_row, settle, row_value } = bare.kernels;
    for (const r of [0, 1000, -3000]) {
      for (let d = -590; d <= 700; d += 1.5) {
        const s = 3.7, q = s / Math.exp(d);
        set_row(r, s);
        settle(r + d);
        const [nll, lse, mass, total] = [2, 3, 4, 5].map((k) => row_value(k));
        const close = (a: number, e: number) =>
          assert(Math.abs(a / e - 1) < 3e-14, `${a}, not ${e}, at ${r} + ${d}`);
        close(nll!, Math.log1p(q));
        close(mass!, q / (1 + q));
        close(total!, s + Math.exp(d));
        // own + nll is rounded once, to the places of the larger
        const sum = Math.abs(lse! - r - (d + Math.log1p(q)));
        assert(sum <= 1e-15 * (Math.abs(r) + Math.abs(d) + 1), `${lse}`);
      }
    }
  },
);

onAlone("settle() at its edges", (bare) => {
  const { set_row, settle, row_value } = bare.kernels;
  const at = (s: number, own: number) => {
    set_row(0, s);
    settle(own);
    return [2, 3, 4].map((k) => row_value(k)); // nll, log_sum_exp, mass
  };
  assertEquals(at(NaN, 1), [NaN, NaN, NaN]);
  assertEquals(at(1, NaN), [NaN, NaN, NaN]);
  assertEquals(at(1, Infinity), [NaN, NaN, NaN]);
  assertEquals(at(0, -Infinity), [NaN, NaN, NaN]);
  assertEquals(at(1, -Infinity), [Infinity, 0, 1]);
  assertEquals(at(0, 5), [0, 5, 0]);
  assertEquals(at(0, -1e6), [0, -1e6, 0]);
  assertEquals(at(1, -1e6), [1e6, 0, 1]);
  const [nll, lse] = at(1, 1e6);
  assert(nll! >= 0 && nll! < 1e-300 && lse === 1e6);
});

/** perToken of rows [a, b] with labels 0, weights and options by the kernel; `log(3)` off: p = 1/4, 3/4. */
function perToken(
  bare: Bare,
  weights: number[],
  options: Parameters<Bare["configure"]>[1] & { classes?: number[] } = {},
  row = [0, Math.log(3)],
): number[] {
  bare.poison();
  const { base, kernels } = bare, V = row.length, rows = weights.length;
  const scratch = base + 1024, at = base + 4096;
  bare.f64(base, 2).set(options.classes ?? [1, 1]);
  bare.integers("LABELS").fill(0);
  bare.table("WEIGHTS").set(weights);
  bare.configure(scratch, {
    ...options,
    classWeights: options.classes ? base : 0,
  });
  for (let i = 0; i < rows; i++) bare.f32(at + 4 * V * i, V).set(row);
  kernels.score(at, rows, V, 4 * V, F32, -100);
  bare.assertUntouched([
    [base, base + 16],
    [scratch, scratch + 8 * (V + 2)],
    [at, at + 4 * V * rows],
  ], rows);
  return [...bare.table("PER_TOKEN").subarray(0, rows)];
}

onBuilds(
  "score() gives w · [(1 - ε) · c_y · nll + ε · smoothed + z · logSumExp²]",
  (bare) => {
    const L = Math.log(4), n0 = L, n1 = Math.log(4 / 3), c = [0.5, 3];
    const near = (actual: number[], expected: number[]) =>
      actual.forEach((a, i) => {
        const error = Math.abs(a - expected[i]!);
        assert(error <= 1e-6, `${a}, not ${expected[i]}, in row ${i}`);
      });
    near(perToken(bare, [1, 0.25, -2]), [L, L / 4, -2 * L]);
    near(perToken(bare, [2], { zLoss: 0.1 }), [2 * (n0 + 0.1 * L * L)]);
    near(perToken(bare, [2], { smoothing: 0.2 }), [
      2 * (0.8 * n0 + 0.1 * (n0 + n1)),
    ]);
    near(perToken(bare, [1], { classes: c }), [0.5 * n0]);
    near(perToken(bare, [3], { classes: c, smoothing: 1, zLoss: 2 }), [
      3 * ((c[0]! * n0 + c[1]! * n1) / 2 + 2 * L * L),
    ]);
    near(perToken(bare, [1], { logitScale: 2 }), [Math.log(10)]);
  },
);

onBuilds(
  "score() switches terms off by factors of 0, infinite or not",
  (bare) => {
    const zero = (found: number[]) =>
      found.forEach((x) => assert(Object.is(x, 0), `${x}`));
    const infinite = [-Infinity, 0];
    zero(perToken(bare, [0, 0], {}, infinite));
    zero(perToken(bare, [0], {}, [NaN, 0]));
    zero(perToken(bare, [1, -1], { classes: [0, 1] }, infinite));
    zero(perToken(bare, [-1], {}, [0, -Infinity])); // a loss of 0 is never -0
    assertEquals(perToken(bare, [2, -1], {}, infinite), [Infinity, -Infinity]);
    assertEquals(perToken(bare, [1], { smoothing: 0.5 }, [0, -Infinity]), [
      Infinity,
    ]);
    const off = { smoothing: 0.5, classes: [1, 0] };
    assertEquals(perToken(bare, [1], off, [0, -Infinity]), [0]);
  },
);

/** The gradient of a row, written over the row, and nothing beside it. */
import { assert, assertEquals } from "@std/assert";
import type { LossProblem } from "../../src/engine.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { gradError, normalLogits } from "../engines.ts";
import { type Bare, F32, onBuilds } from "./bare.ts";

/** What is asked of the kernel; one row per label, all of them the same logits unless given. */
interface Ask {
  logits: Float32Array;
  labels: number[];
  factors?: number[];
  weights?: number[];
  classes?: number[];
  smoothing?: number;
  zLoss?: number;
  logitScale?: number;
  softcap?: number;
  /** Columns of padding. */
  padding?: number;
}

/** The gradient by the kernel, in place, [rows, V]; all around it is looked at, and the padding. */
function gradient(bare: Bare, ask: Ask): Float32Array {
  const { logits, labels, classes, padding = 0 } = ask;
  const rows = labels.length, V = logits.length / rows, stride = V + padding;
  const classesAt = bare.base, scratch = classesAt + 8 * V;
  const at = scratch + 8 * (V + 2) + 256;
  bare.poison();
  if (classes) bare.f64(classesAt, V).set(classes);
  bare.configure(scratch, {
    smoothing: ask.smoothing,
    zLoss: ask.zLoss,
    logitScale: ask.logitScale,
    softcap: ask.softcap,
    classWeights: classes ? classesAt : 0,
    classTotal: classes ? classes.reduce((sum, c) => sum + c, 0) : V,
  });
  bare.integers("LABELS").set(labels);
  bare.table("WEIGHTS").set(ask.weights ?? new Array(rows).fill(1));
  bare.table("FACTORS").set(ask.factors ?? new Array(rows).fill(1));
  for (let i = 0; i < rows; i++) {
    bare.f32(at + 4 * stride * i, V).set(logits.subarray(i * V, (i + 1) * V));
  }
  const { score } = bare.kernels, bytes = 4 * stride;
  score(at, rows, V, bytes, F32, -100, at, bytes, F32);
  bare.assertUntouched(
    [[classesAt, scratch + 8 * (V + 1)], [at, at + rows * bytes]],
    rows,
  );
  const found = new Float32Array(rows * V);
  for (let i = 0; i < rows; i++) {
    const row = bare.f32(at + bytes * i, stride);
    found.set(row.subarray(0, V), i * V);
    for (const x of row.subarray(V)) assert(Object.is(x, 0), "padding is 0");
  }
  return found;
}

/** The same by the reference, in float64. */
function exact(ask: Ask): Float64Array {
  const rows = ask.labels.length, vocabSize = ask.logits.length / rows;
  const array = new Float64Array(ask.logits.length);
  const problem: LossProblem = {
    logits: ask.logits,
    dtype: "f32",
    rows,
    vocabSize,
    rowStride: vocabSize,
    targets: Int32Array.from(ask.labels),
    ignoreIndex: -100,
    rowWeights: ask.weights ? Float64Array.from(ask.weights) : null,
    classWeights: ask.classes ? Float64Array.from(ask.classes) : null,
    labelSmoothing: ask.smoothing ?? 0,
    zLoss: ask.zLoss ?? 0,
    softcap: ask.softcap ?? 0,
    logitScale: ask.logitScale ?? 1,
    metrics: false,
  };
  const factors = Float64Array.from(ask.factors ?? new Array(rows).fill(1));
  const target = { array, dtype: "f64", rowStride: vocabSize } as const;
  referenceEngine.differentiate(problem, factors, target);
  return array;
}

/** Kernel against reference, by DESIGN's measure. */
function check(bare: Bare, ask: Ask, what: string): Float32Array {
  const found = gradient(bare, ask);
  const vocabSize = ask.logits.length / ask.labels.length;
  const error = gradError(found, exact(ask), vocabSize);
  assert(error <= 2e-6, `${error}: ${what}`);
  return found;
}

const SIZES = [1, 2, 3, 8, 9, 31, 33, 64, 1024, 1025, 2500];

onBuilds(
  "score() is the reference's gradient; its rows sum to 0",
  (bare) => {
    for (const V of SIZES) {
      for (const label of new Set([0, V >> 1, V - 1])) {
        const ask = { logits: normalLogits(V, V + label), labels: [label] };
        const found = check(bare, ask, `V = ${V}, label ${label}`);
        const sum = found.reduce((s, g) => s + g, 0);
        assert(Math.abs(sum) <= 1e-6, `${sum} is the sum of a row of ${V}`);
        const others = found.reduce((s, g, k) => k === label ? s : s + g, 0);
        assert(V === 1 || Math.abs(found[label]! / -others - 1) <= 1e-6);
      }
    }
  },
);

onBuilds(
  "score() takes many rows, factors, weights and padding",
  (bare) => {
    for (const [rows, V, padding] of [[1, 5, 3], [7, 33, 1], [16, 100, 28]]) {
      const labels = Array.from(
        { length: rows! },
        (_, i) => i % 4 === 2 ? -100 : (i * 7) % V!,
      );
      check(bare, {
        logits: normalLogits(rows! * V!, 3),
        labels,
        padding: padding!,
        factors: labels.map((_, i) => [1, -0.25, 1e-6, 3][i % 4]!),
        weights: labels.map((_, i) => [1, 0.5, -2][i % 3]!),
      }, `${rows} x ${V}`);
    }
  },
);

onBuilds("score() follows every option", (bare) => {
  const V = 9, classes = [1, 0, 0.25, -0.5, 3, 1, 1, 2, 0.1];
  for (let choice = 0; choice < 32; choice++) {
    const on = (bit: number) => (choice >> bit & 1) === 1;
    check(bare, {
      logits: normalLogits(3 * V, choice),
      labels: [4, 0, 8],
      classes: on(0) ? classes : undefined,
      smoothing: on(1) ? 0.3 : 0,
      zLoss: on(2) ? 1e-3 : 0,
      softcap: on(3) ? 2.5 : 0,
      logitScale: on(4) ? -1.5 : 1,
    }, `choice ${choice}`);
  }
});

onBuilds(
  "score() gives the label -(the others' mass), down to 1e-30",
  (bare) => {
    for (const V of [2, 65, 1500]) {
      for (const label of [0, V - 1]) {
        for (const height of [0, 20, 40, 60, 69]) {
          const logits = normalLogits(V, V);
          logits[label] = height + Math.log(V) + 3;
          const ask = { logits, labels: [label] };
          const found = check(bare, ask, `V = ${V}, ${height} at ${label}`);
          const own = exact(ask)[label]!;
          assert(Math.abs(found[label]! / own - 1) <= 1e-6);
        }
      }
    }
  },
);

onBuilds(
  "score() keeps its digits where the reference lies far below the others",
  (bare) => {
    // the first 32 logits set the reference; the others stand 21 above it, and the
    // label 69 above their sum: e^(own - reference) is 2e42, no float32
    const V = 2000, label = 70;
    const logits = new Float32Array(V).fill(21).fill(0, 0, 64);
    logits[label] = 21 + Math.log(V) + 69;
    check(bare, { logits, labels: [label] }, "confident label");
    // the same with a small factor: a mean over many tokens
    for (const lift of [40, 50, 60]) {
      logits[label] = 21 + lift;
      check(bare, { logits, labels: [label], factors: [1e-9] }, `${lift}`);
    }
  },
);

onBuilds(
  "score() is all zeros where every other class is -inf",
  (bare) => {
    for (const own of [5, 0, -80, -90, -700, -800, 90, 800, -3e38, 3e38]) {
      for (const V of [1, 2, 65, 1500]) {
        const logits = new Float32Array(V).fill(-Infinity);
        logits[V - 1] = own;
        const found = gradient(bare, { logits, labels: [V - 1] });
        const zero = found.every((g) => Object.is(g, 0));
        assert(zero, `label ${own}, V = ${V}: ${found.subarray(0, 3)}`);
      }
    }
  },
);

onBuilds("score() is p - onehot where the label is -inf", (bare) => {
  const logits = Float32Array.of(0, 0, -Infinity);
  assertEquals([...gradient(bare, { logits, labels: [2] })], [0.5, 0.5, -1]);
});

onBuilds("score() follows spikes and stairs", (bare) => {
  const V = 3000;
  const plain = normalLogits(V, 1);
  for (const height of [25, 90, 1e4, 1e6, 1e9, -1e4, -1e9]) {
    for (const place of [0, 63, 1030, V - 1]) {
      const logits = plain.slice();
      logits[place] = height;
      for (const label of [1, place, 2047]) {
        check(bare, { logits, labels: [label] }, `${height} at ${place}`);
      }
    }
    const flat = new Float32Array(V).fill(height);
    check(bare, { logits: flat, labels: [5] }, `${height} everywhere`);
    const stairs = plain.map((x, k) => x + height * Math.floor(k / 1000) / 2);
    check(bare, { logits: stairs, labels: [5] }, `stairs of ${height}`);
  }
});

onBuilds(
  "score() takes any finite float32 as the largest logit",
  (bare) => {
    for (const top of [1e10, -1e10, 1e12, -1e12, 1e20, 3e38, -3.4028234e38]) {
      const flat = new Float32Array(9).fill(top);
      check(bare, { logits: flat, labels: [5] }, `${top} nine times`);
      const logits = Float32Array.of(1, top, 2, 0.5);
      for (const label of [0, 1]) {
        check(
          bare,
          { logits, labels: [label] },
          `${top}`,
        );
      }
    }
  },
);

onBuilds(
  "score() writes exactly 0, never -0, where nothing is asked",
  (bare) => {
    const bad = Float32Array.of(NaN, 1, 2, Infinity, 1, 2);
    const zero = (found: Float32Array, what: string) =>
      found.forEach((g) => assert(Object.is(g, 0), `${g}: ${what}`));
    zero(gradient(bare, { logits: bad, labels: [-100, -100] }), "ignored");
    zero(
      gradient(bare, { logits: bad, labels: [0, 1], factors: [0, -0] }),
      "0",
    );
    zero(gradient(bare, { logits: bad, labels: [0, 1], weights: [0, 0] }), "w");
    const classes = [0, 1, 1];
    zero(gradient(bare, { logits: bad, labels: [0, 0], classes }), "c");
  },
);

onBuilds("score() never writes -0 for what is 0", (bare) => {
  const logits = Float32Array.of(0, -Infinity, -2e4, 3, 0, -Infinity, 1e4, 3);
  for (let choice = 0; choice < 32; choice++) {
    const on = (bit: number) => (choice >> bit & 1) === 1;
    const ask = {
      logits,
      labels: on(0) ? [0, 0] : [3, 2],
      smoothing: on(1) ? 0.1 : 0,
      softcap: on(2) ? 30 : 0,
      factors: on(3) ? [-1, -1] : [1, 1],
      classes: on(4) ? [1, 0, 0, 1] : undefined,
    };
    const found = gradient(bare, ask);
    exact(ask).forEach((g, k) => {
      if (g === 0) assert(Object.is(found[k], 0), `column ${k}, ${choice}`);
    });
  }
});

onBuilds(
  "score() writes NaN into every column of a row that is not finite, and only there",
  (bare) => {
    for (const [x, softcap] of [[NaN, 0], [Infinity, 0], [NaN, 30]] as const) {
      for (const V of [2, 9, 1500]) {
        for (const place of [0, V - 1]) {
          const logits = normalLogits(3 * V, V);
          logits[V + place] = x;
          const labels = [0, 0, V - 1];
          const found = gradient(bare, { logits, labels, softcap, padding: 3 });
          found.forEach((g, i) => {
            assertEquals(
              g !== g,
              i >= V && i < 2 * V,
              `${g} at ${i}, V = ${V}`,
            );
          });
        }
      }
    }
  },
);

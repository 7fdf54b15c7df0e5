/**
 * A row's bits depend on that row alone: not on its neighbours, on how many
 * there are, on the windows that hold them, on whether a workgroup has a row or
 * a block of one, nor on the run. And many rows: beyond one dimension's 65,535.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { LogitsType } from "../../src/contract.ts";
import type { LossProblem } from "../../src/engine.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { BLOCK } from "../../src/webgpu/storage_wgsl.ts";
import { gridOf, windowsOf } from "../../src/webgpu/windows.ts";
import { assertBits } from "../conformance/bits.ts";
import { gradError, lossError, normalLogits, seeded } from "../engines.ts";
import { flatProblem } from "../reference/problem.ts";
import type { Answer, Question, Way } from "./ask.ts";
import { onGpus, onOwnGpu } from "./lanes.ts";

const ENCODE = {
  f32: (x: Float32Array) => x,
  bf16: (x: Float32Array) => Uint16Array.from(x, encodeBf16),
  f16: (x: Float32Array) => Uint16Array.from(x, encodeF16),
};

const made = new Map<number, Float32Array>();

/** Logits like a model's, made once for each size. */
function logitsOf(rows: number, vocabSize: number): Float32Array {
  const length = rows * vocabSize;
  const logits = made.get(length) ?? normalLogits(length, vocabSize);
  made.set(length, logits);
  return logits.slice();
}

/** A problem of which that share of rows is ignored, and the coefficient 1 / rows. */
function question(
  rows: number,
  vocabSize: number,
  dtype: LogitsType,
  more: Partial<LossProblem> = {},
  ignored = 1 / 3,
): Question {
  const random = seeded(rows + vocabSize);
  const problem = flatProblem(
    ENCODE[dtype](logitsOf(rows, vocabSize)),
    Int32Array.from(
      { length: rows },
      () => random() < ignored ? -100 : Math.floor(random() * vocabSize),
    ),
    { dtype, ...more },
  );
  const coefficients = new Float64Array(rows).fill(1 / rows);
  return { problem, coefficients, into: "in-place" };
}

/** Bytes are compared one by one only where they differ: `assertEquals` takes long. */
function assertSameBytes(a: ArrayBuffer, b: ArrayBuffer, what: string) {
  const x = new Uint8Array(a), y = new Uint8Array(b);
  assertEquals(x.length, y.length, what);
  const at = x.findIndex((byte, i) => byte !== y[i]);
  assert(at < 0, `${what}: byte ${at} is ${x[at]}, not ${y[at]}`);
}

function assertSameAnswer(actual: Answer, expected: Answer, what: string) {
  const { perToken, logSumExp, entropy, flags } = expected.scores;
  assertBits(actual.scores.perToken, perToken, `${what}: perToken`);
  assertBits(actual.scores.logSumExp, logSumExp, `${what}: logSumExp`);
  assertBits(actual.scores.entropy, entropy, `${what}: entropy`);
  assertBits(actual.scores.flags, flags, `${what}: flags`);
  assertSameBytes(actual.gradient!, expected.gradient!, `${what}: gradient`);
}

const EVERYTHING: Partial<LossProblem> = {
  metrics: true,
  labelSmoothing: 0.1,
  zLoss: 1e-3,
  softcap: 20,
  logitScale: -1.5,
};

for (const dtype of ["f32", "bf16", "f16"] as const) {
  onGpus(
    `windows, shared rows and repeats change no bit: ${dtype}`,
    async (gpu) => {
      // an odd number of columns, two blocks of them; few rows are scored, for a software driver's sake
      const wide = question(140, BLOCK + 77, dtype, {}, 3 / 4);
      const narrow = question(300, 33, dtype);
      // once the sums are there, types differ in what is stored alone
      const shapes = dtype === "f32"
        ? [[9, BLOCK + 77], [300, 33]]
        : [[300, 33]];
      const everything = shapes.map(([rows, columns]) =>
        question(rows!, columns!, dtype, EVERYTHING)
      );
      // a slow one is given one kind of kernels and two windows
      const slow = [question(140, 33, dtype)];
      for (const q of gpu.isSlow ? slow : [wide, narrow, ...everything]) {
        const rowBytes = q.problem.vocabSize * (dtype === "f32" ? 4 : 2);
        const ways: Way[] = [
          { shared: true },
          { shared: true },
          { shared: true, bindingLimit: 135 * rowBytes },
          { shared: false },
          { shared: false, bindingLimit: 128 * rowBytes },
        ];
        const few = gpu.isSlow ? ways.slice(0, 3) : ways;
        const [expected] = await gpu.ask([q], ways[0]);
        for (const way of few.slice(1)) {
          const [found] = await gpu.ask([q], way);
          assertSameAnswer(found!, expected!, JSON.stringify(way));
        }
      }
    },
  );
}

onGpus("a row alone has the bits it has among others", async (gpu) => {
  const V = BLOCK + 5, N = 7;
  const all = question(N, V, "f32", { metrics: !gpu.isSlow });
  all.problem.targets.fill(9);
  const [expected] = await gpu.ask([all]);
  const logits = all.problem.logits as Float32Array;
  const alone = Array.from({ length: N }, (_, i): Question => ({
    ...all,
    problem: {
      ...all.problem,
      rows: 1,
      targets: all.problem.targets.slice(i, i + 1),
      logits: logits.slice(i * V, (i + 1) * V),
    },
    coefficients: all.coefficients!.slice(i, i + 1),
  }));
  const found = await gpu.ask(alone);
  found.forEach(({ scores, gradient }, i) => {
    const { perToken, entropy } = expected!.scores;
    assertBits([scores.perToken[0]!], [perToken[i]!], `row ${i}`);
    assertBits([scores.entropy[0]!], [entropy[i]!], `row ${i}`);
    const wanted = expected!.gradient!.slice(4 * V * i, 4 * V * (i + 1));
    assertSameBytes(gradient!, wanted, `row ${i}`);
  });
});

// a slow driver takes a minute and more for so many workgroups
onOwnGpu(
  "70,001 rows need a second dimension, and all are computed",
  async (gpu) => {
    const N = 70001;
    const asked = question(N, 3, "f32");
    const { problem, coefficients } = asked;
    // few are scored, for a software driver's sake; the ends of both dimensions are
    const scored = [0, 35000, 35001, 65534, 65535, 65536, N - 1];
    problem.targets.forEach((_, i) => {
      problem.targets[i] = i % 100 === 0 || scored.includes(i) ? i % 3 : -100;
    });
    const exact = new Float64Array(3 * N);
    const truth = referenceEngine.differentiate(problem, coefficients!, {
      array: exact,
      dtype: "f64",
      rowStride: 3,
    });
    const [found] = await gpu.ask([{ ...asked, into: "new" }]);
    assert(gradError(new Float32Array(found!.gradient!), exact, 3) <= 5e-6);
    truth.perToken.forEach((e, i) =>
      assert(lossError(found!.scores.perToken[i]!, e) <= 1e-6, `row ${i}`)
    );
  },
);

onGpus("a wide row is shared out among workgroups", async (gpu) => {
  const asked = question(1, 151936, "f32");
  asked.problem.targets[0] = 151935;
  const exact = new Float64Array(151936);
  const truth = referenceEngine.differentiate(
    asked.problem,
    asked.coefficients!,
    { array: exact, dtype: "f64", rowStride: 151936 },
  );
  const [found] = await gpu.ask([asked]);
  assert(lossError(found!.scores.perToken[0]!, truth.perToken[0]!) <= 1e-7);
  const error = gradError(new Float32Array(found!.gradient!), exact, 151936);
  assert(error <= 1e-6, `gradient is off by ${error}`);
});

Deno.test("windowsOf() covers all rows with windows that begin at legal offsets", () => {
  for (const rowBytes of [[4], [128012], [6, 12], [66, 132], [256], [2]]) {
    for (const rows of [1, 63, 64, 65, 1000]) {
      for (const limit of [1 << 17, 1 << 20, 1 << 27]) {
        if (Math.max(...rowBytes) * 128 > limit) continue;
        let next = 0;
        for (
          const { first, rows: count } of windowsOf(rows, rowBytes, limit, 256)
        ) {
          assertEquals(first, next);
          next = first + count;
          for (const bytes of rowBytes) {
            assertEquals(first * bytes % 256, 0);
            assert(count * bytes <= limit);
          }
        }
        assertEquals(next, rows);
      }
    }
  }
  assertThrows(
    () => windowsOf(2, [1 << 20], 1 << 19, 256),
    RangeError,
    "binding",
  );
  assertThrows(
    () => windowsOf(200, [1002], 1 << 14, 256),
    RangeError,
    "128 rows",
  );
});

Deno.test("gridOf() has room for every workgroup in dimensions of at most 65,535", () => {
  for (const count of [0, 1, 65535, 65536, 70001, 131071, 4294836225]) {
    const [x, y] = gridOf(count);
    assert(x <= 65535 && y <= 65535 && x * y >= count && x * y - count < 65535);
  }
});

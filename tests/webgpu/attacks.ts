/**
 * What reviewers found in `./webgpu` that no other suite had: labels of the
 * device that clamp onto something that means more than a class, plans that are
 * disposed of or whose arguments change on the way, numbers left from an earlier
 * batch, dispatches wider than a device allows.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type LogitsArray,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
} from "../../mod.ts";
import { encodeBf16 } from "../../src/half.ts";
import { RowKernels } from "../../src/webgpu/engine.ts";
import { whole } from "../../src/webgpu/heap.ts";
import {
  type CrossEntropyOptions,
  type GpuBatch,
  GpuLostError,
  type HostBatch,
  openGpu,
  type OpenGpuOptions,
} from "../../src/webgpu/mod.ts";
import { isShared, type RowSpec } from "../../src/webgpu/spec.ts";
import { assertBits, range } from "../conformance/bits.ts";
import { exactGrad, gradError, normalLogits, seeded } from "../engines.ts";
import { flatProblem } from "../reference/problem.ts";
import { gpuTest } from "./gpu.ts";
import { assertClose, get, once, planTest, put } from "./plans.ts";

const N = 4, V = 4;
const LOGITS = normalLogits(N * V, 21);
const random = seeded(31);

/** The bits of a NaN row and of one that is not. */
const nanRows = (grad: Float32Array) =>
  range(0, N).filter((i) =>
    grad.subarray(V * i, V * i + V).every(Number.isNaN)
  );

for (
  const [what, options, labels, invalid] of [
    ["below, onto ignoreIndex 0", { ignoreIndex: 0 }, [-100, 0, 2, 1], [0]],
    ["above, onto ignoreIndex V - 1", { ignoreIndex: 3 }, [9, 3, 2, 1], [0]],
    ["onto a class of weight 0", { classWeights: [0, 1, 1, 0] }, [
      -1,
      4,
      2,
      1,
    ], [0, 1]],
    ["where no other row weighs", { classWeights: [0, 1, 1, 1] }, [
      0,
      0,
      -1,
      -100,
    ], [2]],
    ["where no class weighs", { classWeights: [0, 0, 0, 0] }, [
      0,
      7,
      1,
      -100,
    ], [1]],
  ] as [
    string,
    Pick<CrossEntropyOptions, "ignoreIndex" | "classWeights">,
    number[],
    number[],
  ][]
) {
  for (const reduction of ["token", "sample", "sequence", "sum"] as const) {
    planTest(
      `a label on the device that clamps ${what} makes its row NaN (${reduction})`,
      async (gpu, device) => {
        const plan = await gpu.crossEntropy({
          rows: N,
          vocabSize: V,
          into: "new",
          perToken: true,
          reduction,
          ...options,
        });
        const ignoreIndex = options.ignoreIndex ?? -100;
        const active = labels.filter((y) => y !== ignoreIndex).length;
        const logits = put(device, LOGITS);
        const gradLogits = put(device, new Float32Array(N * V));
        const given = put(device, Int32Array.from(labels));
        const found = await once(plan, device, {
          logits,
          labels: given,
          gradLogits,
        });
        assertEquals(found.invalidLabelRows, invalid.length);
        assertEquals(found.nonFiniteRows, invalid.length);
        assertEquals(found.activeTokens, active);
        assertBits([found.loss, found.sum], [NaN, NaN]);
        for (const i of range(0, N)) {
          assertEquals(Number.isNaN(found.perToken![i]!), invalid.includes(i));
        }
        const grad = new Float32Array(await get(device, gradLogits));
        assertEquals(nanRows(grad), invalid);

        // the other rows are divided by what the host reports
        const others = labels.map((y, i) =>
          invalid.includes(i) ? ignoreIndex : y
        );
        if (reduction !== "sequence" && found.denominator > 0) {
          const exact = exactGrad(LOGITS, others, {
            ...options,
            reduction,
            denominator: found.denominator,
          });
          for (const i of range(0, N)) {
            if (invalid.includes(i)) continue;
            const row = (a: ArrayLike<number>) =>
              Array.from(a).slice(V * i, V * i + V);
            row(exact).forEach((e, k) =>
              assert(Math.abs(row(grad)[k]! - e) <= 1e-6, `row ${i}`)
            );
          }
        }
        for (const buffer of [logits, gradLogits, given]) buffer.destroy();
      },
    );
  }
}

planTest(
  "a label on the device that is no class, of weight 0, is 0 and counted",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({ rows: 2, vocabSize: V });
    const found = await once(plan, device, {
      logits: put(device, LOGITS),
      labels: put(device, Int32Array.of(9, 1)),
      tokenWeights: put(device, Float32Array.of(0, 1)),
    });
    const expected = maskedCrossEntropy(LOGITS.subarray(0, 8), [-100, 1]);
    assert(Math.abs(found.loss - expected.loss) < 1e-6);
    assertEquals(
      [found.invalidLabelRows, found.nonFiniteRows, found.activeTokens],
      [1, 1, 2],
    );
  },
);

planTest(
  "a weight on the device that is NaN makes loss and gradient NaN",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({
      rows: 2,
      vocabSize: V,
      into: "in-place",
    });
    const logits = put(device, LOGITS);
    const found = await once(plan, device, {
      logits,
      labels: put(device, Int32Array.of(0, 1)),
      tokenWeights: put(device, Float32Array.of(1, NaN)),
    });
    assertBits([found.loss], [NaN]);
    const grad = new Float32Array(await get(device, logits));
    assertBits(grad.subarray(0, 8), new Array(8).fill(NaN));
  },
);

for (const into of ["in-place", "new"] as const) {
  planTest(
    `a plan disposed of during run() gives the true gradient (${into})`,
    async (gpu) => {
      const plan = await gpu.crossEntropy({ rows: N, vocabSize: V, into });
      const labels = [0, 1, -100, 3];
      const exact = exactGrad(LOGITS, labels);
      const logits = LOGITS.slice();
      const running = plan.run({ logits, labels });
      plan.dispose();
      const { loss, gradLogits } = await running;
      assert(Math.abs(loss - maskedCrossEntropy(LOGITS, labels).loss) < 1e-6);
      assert(gradError(gradLogits as Float32Array, exact, V) <= 5e-6);
      await assertRejects(
        () => plan.run({ logits, labels }),
        TypeError,
        "disposed",
      );
    },
  );
}

gpuTest(
  "a GPU disposed of during run() is an error, and the logits are left",
  async ({ opened }) => {
    for (const device of [opened.device, undefined]) {
      const gpu = await openGpu(device === undefined ? {} : { device });
      const plan = await gpu.crossEntropy({
        rows: N,
        vocabSize: V,
        into: "in-place",
      });
      const logits = LOGITS.slice();
      const running = plan.run({ logits, labels: [0, 1, 2, 3] });
      gpu.dispose();
      await assertRejects(() => running, GpuLostError, "disposed");
      assertEquals(logits, LOGITS);
      assertEquals(gpu.buffers.count, 0);
    }
  },
);

planTest(
  "numbers of an earlier batch are never taken for those of a later one",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({ rows: N, vocabSize: V });
    const logits = put(device, LOGITS);
    const onDevice = put(device, Int32Array.of(0, 1, 2, 3));
    for (const labels of [[0, 1, 2, 3], onDevice]) {
      const encoder = device.createCommandEncoder();
      const first = plan.encode(encoder, { logits, labels });
      device.queue.submit([encoder.finish()]);
      first.release();

      // its slot is used again, and nothing is submitted
      const later = device.createCommandEncoder();
      const second = plan.encode(later, { logits, labels });
      await assertRejects(() => second.read(), Error, "were not run");
      // commands that WebGPU refuses are not run either
      device.pushErrorScope("validation");
      later.copyBufferToBuffer(logits, 0, logits, 0, 3);
      device.queue.submit([later.finish()]);
      assert(await device.popErrorScope() !== null);
      await assertRejects(() => second.read(), Error, "were not run");
      second.release();
      assertEquals(
        (await once(plan, device, { logits, labels })).activeTokens,
        4,
      );
    }
  },
);

planTest("run() has read its arguments when it returns", async (gpu) => {
  const options = { shift: true } as const;
  const plan = await gpu.crossEntropy({
    rows: N,
    vocabSize: V,
    into: "new",
    ...options,
  });
  const given = range(0, 3).map((i) => ({
    logits: normalLogits(N * V, 30 + i),
    labels: [i, 1, 2, 3 - i],
    tokenWeights: [1, 2, i + 1, 1],
    upstream: [1, -1, 2, i],
    cuSeqlens: [0, 2, 4],
  }));
  const expected = given.map(({ logits, labels, ...rest }) =>
    maskedCrossEntropyGrad(logits.slice(), labels, { ...options, ...rest })
  );
  const shared = structuredClone(given[0]!);
  const runs = given.map((batch) => {
    shared.logits.set(batch.logits);
    const lists = ["labels", "tokenWeights", "upstream", "cuSeqlens"] as const;
    for (const name of lists) shared[name].splice(0, 5, ...batch[name]);
    return plan.run(shared);
  });
  shared.logits.fill(NaN);
  shared.labels.fill(99);
  for (const [i, result] of (await Promise.all(runs)).entries()) {
    assertClose(result, expected[i]!, `run ${i}`);
    const grad = expected[i]!.gradLogits as Float32Array;
    assert(gradError(result.gradLogits as Float32Array, grad, V) <= 5e-6);
  }
});

planTest(
  "a plan keeps borders of its own, and so does a batch",
  async (gpu, device) => {
    const options = { reduction: "sequence", shift: true } as const;
    const labels = [0, 1, 2, 3];
    const expected = maskedCrossEntropy(LOGITS, labels, {
      ...options,
      cuSeqlens: [0, 3, 4],
    });
    const ofPlan = Int32Array.of(0, 3, 4);
    const ofBatch = Int32Array.of(0, 3, 4);
    const logits = put(device, LOGITS);
    const plan = await gpu.crossEntropy({
      rows: N,
      vocabSize: V,
      cuSeqlens: ofPlan,
      ...options,
    });
    ofPlan.set([0, 1, 4]);
    assertClose(await once(plan, device, { logits, labels }), expected, "plan");
    const other = await gpu.crossEntropy({ rows: N, vocabSize: V, ...options });
    for (const given of [labels, put(device, Int32Array.from(labels))]) {
      const encoder = device.createCommandEncoder();
      ofBatch.set([0, 3, 4]);
      const handle = other.encode(encoder, {
        logits,
        labels: given,
        cuSeqlens: ofBatch,
      });
      ofBatch.set([0, 1, 4]);
      device.queue.submit([encoder.finish()]);
      assertClose(await handle.read(), expected, "batch");
    }
  },
);

planTest("a run() that fails holds nothing", async (gpu, device) => {
  const plan = await gpu.crossEntropy({ rows: N, vocabSize: V });
  const batch = { logits: LOGITS, labels: [0, 1, 2, 3] };
  const { submit } = device.queue;
  await plan.run(batch);
  const before = gpu.buffers;
  Object.defineProperty(device.queue, "submit", {
    configurable: true,
    value: () => {
      throw new Error("no more");
    },
  });
  try {
    for (let i = 0; i < 70; i++) {
      await assertRejects(() => plan.run(batch), Error, "no more");
    }
  } finally {
    Reflect.deleteProperty(device.queue, "submit");
  }
  assertStrictEquals(device.queue.submit, submit);
  assertEquals((await plan.run(batch)).activeTokens, 4);
  assertEquals(gpu.buffers, before);
});

gpuTest(
  "a GPU disposed of while a plan is made leaves no buffer",
  async ({ opened }) => {
    const gpu = await openGpu({ device: opened.device });
    const pending = gpu.crossEntropy({ rows: 3, vocabSize: 5, zLoss: 0.25 });
    gpu.dispose();
    await assertRejects(() => pending, GpuLostError, "disposed");
    assertEquals(gpu.buffers, { count: 0, bytes: 0 });

    // the same where the device goes
    const own = await openGpu();
    const other = own.crossEntropy({ rows: 3, vocabSize: 5 });
    own.device.destroy();
    await assertRejects(() => other, GpuLostError, "lost");
    own.dispose();
  },
);

planTest("no rows are legal", async (gpu, device) => {
  for (const into of ["none", "in-place", "new"] as const) {
    const plan = await gpu.crossEntropy({ rows: 0, vocabSize: V, into });
    const expected = maskedCrossEntropy(new Float32Array(0), []);
    const host = await plan.run({ logits: new Float32Array(0), labels: [] });
    assertClose(host, expected, "host");
    const empty = () => put(device, new Float32Array(0));
    const found = await once(plan, device, {
      logits: empty(),
      labels: put(device, new Int32Array(0)),
      tokenWeights: empty(),
      upstream: empty(),
      ...(into === "new" ? { gradLogits: empty() } : {}),
    });
    assertClose(found, expected, "device");
  }
});

planTest(
  "upstream of the host is checked beside arrays of the device",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({
      rows: N,
      vocabSize: V,
      shift: true,
      into: "in-place",
    });
    const logits = put(device, LOGITS);
    const ones = put(device, Float32Array.of(1, 1, 1, 1));
    const onDevice = put(device, Int32Array.of(0, 1, -100, 3));
    const encode = (batch: object) => () =>
      plan.encode(
        device.createCommandEncoder(),
        { logits, ...batch } as GpuBatch,
      );
    // rows 1 and 3 are not scored
    const labels = [0, 1, -100, 3];
    encode({ labels, tokenWeights: ones, upstream: [1, NaN, 1, NaN] })();
    assertThrows(
      encode({ labels, tokenWeights: ones, upstream: [1, NaN, Infinity, 0] }),
      RangeError,
      "upstream[2] must be finite",
    );
    // which rows are scored is not known here
    encode({ labels: onDevice, upstream: [1, NaN, 1, NaN] })();
    assertThrows(
      encode({ labels: onDevice, upstream: [1, 1, "2", 1] }),
      TypeError,
      "upstream[2] must be a number",
    );
  },
);

planTest(
  "logits that a cap makes equal are a tie, which the first one wins",
  async (gpu) => {
    const big = 1e4;
    const rows: [number[], number][] = [
      [[big, 2 * big, 0], 0],
      [[big, 2 * big, 0], 1],
      [[0, 3 * big, big], 1],
      [[0, big, 3 * big], 2],
      [[-big, -2 * big, -3 * big], 0],
      [[-3 * big, -2 * big, -big], 0],
      [[-3 * big, -2 * big, -big], 2],
      [[0.5, 0.25, 0.75], 2],
      // float64 takes the two for one, and the cap is not reached
      [[400, 400.00003, 0], 0],
      [[400, 400.00003, 0], 1],
      [[400.00003, 400, 0], 0],
      [[400.00003, 400, 0], 1],
      [[300, 310, 0], 0],
      [[300, 310, 0], 1],
      [[Infinity, big, 1], 1],
      [[Infinity, big, 1], 0],
      [[1, 1, 0], 0],
      [[1, 1, 0], 1],
    ];
    for (const logitScale of [1, -1, 0.5]) {
      const plan = await gpu.crossEntropy({
        rows: 1,
        vocabSize: 3,
        softcap: 30,
        logitScale,
        metrics: true,
      });
      for (const [row, label] of rows) {
        const logits = Float32Array.from(row);
        const expected = maskedCrossEntropy(logits, [label], {
          softcap: 30,
          logitScale,
          metrics: true,
        });
        const found = await plan.run({ logits, labels: [label] });
        assertEquals(
          found.metrics!.correct,
          expected.metrics!.correct,
          `${row} for ${label}, times ${logitScale}`,
        );
      }
    }
  },
);

planTest("run() takes what the loss functions take", async (gpu) => {
  const labels = [0, 1, 2, 3];
  const options = { shift: true } as const;
  const bits = Uint16Array.from(LOGITS, encodeBf16);
  const plan = await gpu.crossEntropy({
    rows: N,
    vocabSize: V,
    dtype: "bf16",
    into: "in-place",
    ...options,
  });
  const dims = [2, 2, V];
  const copy = bits.slice();
  // rank 3 says where sequences begin
  const expected = maskedCrossEntropy({ data: bits, dims }, labels, {
    ...options,
    dtype: "bf16",
  });
  const found = await plan.run({ logits: { data: copy, dims }, labels });
  assertClose(found, expected, "tensor");
  assertEquals(found.totalTokens, 2);
  assertStrictEquals(found.gradLogits as unknown, copy);
  // of another realm, as far as instanceof can tell
  const foreign = bits.slice();
  Object.setPrototypeOf(
    foreign,
    Object.create(Object.getPrototypeOf(Uint16Array.prototype)),
  );
  const alone = await plan.run({ logits: foreign as LogitsArray, labels });
  assertClose(
    alone,
    maskedCrossEntropy(bits, labels, { ...options, dtype: "bf16" }),
    "foreign",
  );
  await assertRejects(
    () => plan.run({ logits: LOGITS.slice(), labels }),
    TypeError,
    'dtype must be "f32" where logits are a Float32Array',
  );
  await assertRejects(
    () => plan.run({ logits: bits.slice(4), labels }),
    RangeError,
    "logits.length",
  );
});

planTest("what is wrong is said before anything else", async (gpu, device) => {
  const plan = await gpu.crossEntropy({ rows: N, vocabSize: V });
  const encoder = device.createCommandEncoder();
  const logits = put(device, LOGITS);
  const refused: [() => unknown, string][] = [
    [
      () => plan.encode(undefined as never, { logits, labels: [0, 1, 2, 3] }),
      "target must be a GPUComputePassEncoder or a GPUCommandEncoder",
    ],
    [
      () => plan.encode({} as never, { logits, labels: [0, 1, 2, 3] }),
      "target must be",
    ],
    [() => plan.encode(encoder, null as never), "batch must be an object"],
    [() => plan.run(null as unknown as HostBatch), "batch must be an object"],
    [() => plan.run({} as HostBatch), "logits must be"],
    [
      () =>
        plan.run(
          {
            logits: LOGITS,
            labels: [0, 1, 2, 3],
            gradLogits: logits,
          } as HostBatch,
        ),
      "every key of batch",
    ],
    [() => openGpu(null as unknown as OpenGpuOptions), "options must be"],
    [
      () => openGpu({ device: {} as GPUDevice }),
      "device must be a GPUDevice",
    ],
    [
      () => openGpu({ devise: device } as OpenGpuOptions),
      "every key of options",
    ],
    [
      () => openGpu({ signal: 3 } as unknown as OpenGpuOptions),
      "signal must be an AbortSignal",
    ],
    [
      () =>
        gpu.crossEntropy(
          { rows: 1, vocabSize: 2, tokenWeights: [1] } as CrossEntropyOptions,
        ),
      "tokenWeights",
    ],
  ];
  for (const [call, message] of refused) {
    // deno-lint-ignore require-await
    await assertRejects(async () => call(), TypeError, message);
  }
});

planTest(
  "options that float32 does not hold are refused where it must hold them",
  async (gpu, device) => {
    const options = { rows: N, vocabSize: V };
    for (
      const beyond of [
        { softcap: 1e300 },
        { softcap: 1e-60 },
        { logitScale: -1e39 },
        { logitScale: 1e-60 },
        { zLoss: 1e300 },
        { classWeights: [1, 1, 1e-50, 1] },
      ]
    ) {
      await assertRejects(
        () => gpu.crossEntropy({ ...options, ...beyond }),
        RangeError,
        "within float32",
      );
    }
    const logits = put(device, LOGITS);
    const labels = put(device, Int32Array.of(0, 1, 2, 3));
    for (const denominator of [1e-60, 1e300]) {
      const plan = await gpu.crossEntropy({ ...options, denominator });
      // the host weighs and divides in float64
      await plan.run({ logits: LOGITS, labels: [0, 1, 2, 3] });
      assertThrows(
        () => plan.encode(device.createCommandEncoder(), { logits, labels }),
        RangeError,
        "denominator must be within float32",
      );
    }
  },
);

planTest(
  "a plan is what its options were when it was asked for",
  async (gpu) => {
    for (const shift of [true, false]) {
      const labels = [0, 1, 2, 3];
      const options: CrossEntropyOptions = { rows: N, vocabSize: V, shift };
      const pending = gpu.crossEntropy(options);
      options.shift = !shift;
      const found = await (await pending).run({ logits: LOGITS, labels });
      const expected = maskedCrossEntropy(LOGITS, labels, { shift });
      assertClose(found, expected, `shift ${shift}`);
    }
  },
);

planTest(
  "a misspelt key of a range is an error, and nothing is overwritten",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({
      rows: N,
      vocabSize: V,
      into: "in-place",
    });
    const given = normalLogits(256, 4);
    const buffer = put(device, given);
    for (const key of ["byteOffset", "ofset", "length"]) {
      const logits = { buffer, [key]: 256 };
      assertThrows(
        () =>
          plan.encode(device.createCommandEncoder(), {
            logits,
            labels: [0, 1, 2, 3],
          }),
        TypeError,
        "every key of logits must be one of buffer, offset, size",
      );
    }
    assertBits(new Float32Array(await get(device, buffer)), given, "logits");
    const null_ = { denominator: null } as unknown as GpuBatch;
    assertThrows(
      () =>
        plan.encode(device.createCommandEncoder(), {
          ...null_,
          logits: buffer,
          labels: [0, 1, 2, 3],
        }),
      TypeError,
      "denominator must be a number",
    );
  },
);

planTest(
  "a factor that float32 takes for 1 is one",
  async (gpu) => {
    for (const logitScale of [1 + 5.9e-8, -1 - 5.9e-8, 1 + 1e-9, 1 - 2e-8]) {
      for (const size of [1, 30, 3000, 8000, 20000]) {
        const plan = await gpu.crossEntropy({
          rows: 3,
          vocabSize: 50,
          logitScale,
          labelSmoothing: 0.1,
          into: "new",
        });
        const logits = normalLogits(150, 8).map((x) => size + x);
        const labels = [3, 49, 0];
        const options = { logitScale, labelSmoothing: 0.1 };
        const expected = maskedCrossEntropy(logits, labels, options);
        const { loss, gradLogits } = await plan.run({ logits, labels });
        assert(
          Math.abs(loss - expected.loss) <= 1e-6 * expected.loss,
          `${logitScale} at ${size}: ${loss}, not ${expected.loss}`,
        );
        const exact = exactGrad(logits, labels, options);
        const error = gradError(gradLogits as Float32Array, exact, 50, 5e-2);
        assert(error <= 1e-5, `${logitScale} at ${size}: ${error}`);
      }
    }
  },
);

planTest(
  "a cap from end to end keeps nll and gradient of a label that is sure",
  async (gpu) => {
    // one batch of many rows: a wait for each would take seconds
    const rows = 60;
    for (const softcap of [1, 15, 20, 30, 34, 50, 200, 1000, 1e5]) {
      let worst = 0;
      // others' mass from 1e-29 on is asked for: differences up to 66
      const most = Math.min(softcap, 33);
      for (const logitScale of [1, 1.7]) {
        const options = {
          softcap,
          logitScale,
          reduction: "sum",
          perToken: true,
        } as const;
        const plan = await gpu.crossEntropy({
          rows,
          vocabSize: 2,
          into: "new",
          ...options,
        });
        const logits = new Float32Array(2 * rows).map((_, k) =>
          softcap <= 34
            ? (k % 2 === 0 ? 4 * random() : 1 - 4 * random()) * softcap
            : (2 * random() - 1) * most / logitScale
        );
        const labels = range(0, rows).map((i) =>
          logits[2 * i]! > logits[2 * i + 1]! ? 0 : 1
        );
        const expected = maskedCrossEntropy(logits, labels, options);
        const found = await plan.run({ logits, labels });
        expected.perToken!.forEach((e, i) => {
          const off = Math.abs(found.perToken![i]! - e) / e;
          worst = Math.max(worst, off);
        });
        const exact = exactGrad(logits, labels, options);
        const grad = found.gradLogits as Float32Array;
        worst = Math.max(worst, gradError(grad, exact, 2));
      }
      const bound = softcap <= 34 ? 1e-5 : 3e-5;
      assert(worst <= bound, `off by ${worst} under ${softcap}`);
    }
  },
);

planTest(
  "a handle released while it is read holds nothing",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({ rows: N, vocabSize: V });
    const logits = put(device, LOGITS);
    const encode = () =>
      plan.encode(device.createCommandEncoder(), {
        logits,
        labels: [0, 1, 2, 3],
      });
    for (let i = 0; i < 70; i++) {
      const handle = encode();
      const reading = handle.read();
      handle.release();
      await assertRejects(() => reading, Error, "were not run");
      await assertRejects(() => handle.read(), Error, "released");
    }
    assertEquals(
      (await plan.run({ logits: LOGITS, labels: [0, 1, 2, 3] })).activeTokens,
      4,
    );
  },
);

gpuTest("no dispatch is wider than a device must allow", async ({ heap }) => {
  const problem = flatProblem(new Uint16Array(0), new Int32Array(0), {
    vocabSize: 1,
  });
  const at = (spec: Partial<RowSpec>): RowSpec => ({
    ...problem,
    dtype: "bf16",
    rows: 1,
    into: "in-place",
    ...spec,
  });
  // more blocks than one dimension has
  assertEquals(isShared(at({ vocabSize: 4096 * 65535 })), true);
  assertEquals(isShared(at({ vocabSize: 4096 * 65535 + 1 })), false);
  const MANY = 64 * 65535 + 1;
  for (
    const [spec, groups] of [
      [at({ rows: MANY }), [MANY, 65536]],
      [at({ rows: 65536, shared: true }), [65536, 1024, 65536, 1024]],
    ] as [RowSpec, number[]][]
  ) {
    const kernels = await RowKernels.compile(heap, spec);
    const found: number[] = [];
    const pass = {
      setBindGroup: () => {},
      setPipeline: () => {},
      dispatchWorkgroups: (...size: number[]) => {
        assert(size.every((n) => n >= 1 && n <= 65535), `dispatch of ${size}`);
        found.push(size.reduce((a, b) => a * b));
      },
    } as unknown as GPUComputePassEncoder;
    const { createBindGroup } = heap.device;
    // nothing of that size is allocated
    Object.defineProperty(heap.device, "createBindGroup", {
      configurable: true,
      value: () => ({}),
    });
    const small = heap.create("small", 32, GPUBufferUsage.STORAGE);
    const buffers = { jobs: small, records: small, parts: small, seams: small };
    kernels.encode(pass, buffers, whole(small), null);
    Reflect.deleteProperty(heap.device, "createBindGroup");
    assertStrictEquals(heap.device.createBindGroup, createBindGroup);
    groups.forEach((least, i) => {
      assert(found[i]! >= least, `dispatch ${i}: ${found[i]} groups`);
    });
    assertEquals(found.length, groups.length);
    heap.destroy(small);
    kernels.dispose();
  }
});

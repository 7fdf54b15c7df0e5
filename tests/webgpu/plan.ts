/**
 * The plan: what a caller sees of the GPU, against the loss functions on the
 * host. Host arrays and device buffers, every reduction, several batches in
 * flight, buffers counted, and errors before anything is bound.
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
  type GradOptions,
  type LossOptions,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
} from "../../mod.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import {
  type CrossEntropyOptions,
  type GpuBatch,
  GpuLostError,
  openGpu,
} from "../../src/webgpu/mod.ts";
import { exactGrad, gradError, normalLogits, seeded } from "../engines.ts";
import { assertBits, assertZeros, range } from "../conformance/bits.ts";
import { gpuTest } from "./gpu.ts";
import { assertClose, get, once, planTest, put } from "./plans.ts";

const { STORAGE, COPY_DST } = GPUBufferUsage;
const N = 12, V = 37;
const LABELS = [3, -100, 36, 2, 0, 7, -100, 2, 11, 20, -100, 1];
const random = seeded(17);
// what a float32 holds exactly, so that weights are the same wherever they are summed
const WEIGHTS = range(0, N).map((i) =>
  i % 4 === 0 ? 0 : Math.fround(0.5 + random())
);
const UPSTREAM = range(0, N).map(() => 4 * random() - 2);
const CLASSES = range(0, V).map((k) => k % 5 === 0 ? 0 : 2 * random());

/** Options of a plan, and with what its batches are compared. */
const SETTINGS: Record<string, LossOptions> = {
  "no option": {},
  "sample": { reduction: "sample" },
  "sum": { reduction: "sum" },
  "sequence": { reduction: "sequence", sequenceLength: 4 },
  "sequence of all": { reduction: "sequence" },
  "sequences, some empty": {
    reduction: "sequence",
    cuSeqlens: [0, 0, 5, 6, 6, 12],
    shift: true,
  },
  "denominator": { denominator: 3.5 },
  "shift": { shift: true, sequenceLength: 6 },
  "another ignoreIndex": { ignoreIndex: 2 },
  "class weights": { classWeights: CLASSES },
  "no class weighs": {
    classWeights: new Array(V).fill(0),
    labelSmoothing: 0.5,
  },
  "smoothing, z-loss, metrics": {
    labelSmoothing: 0.1,
    zLoss: 0.01,
    metrics: true,
    perToken: true,
    logSumExp: true,
  },
  "softcap and factor": { softcap: 3, logitScale: -0.5 },
};

for (const [name, options] of Object.entries(SETTINGS)) {
  planTest(
    `crossEntropy() on host and device agrees with WASM: ${name}`,
    async (gpu, device) => {
      const logits = normalLogits(N * V, 5);
      const labels = options.ignoreIndex === undefined
        ? LABELS
        : LABELS.map((y) => y === -100 ? 2 : y);
      const plan = await gpu.crossEntropy({
        rows: N,
        vocabSize: V,
        into: "in-place",
        ...options,
      });
      for (
        const extra of [{}, { upstream: -2.5 }, {
          tokenWeights: WEIGHTS,
          upstream: UPSTREAM,
        }]
      ) {
        const all: GradOptions = { ...options, ...extra };
        const expected = maskedCrossEntropyGrad(logits, labels, all);
        const exact = exactGrad(logits, labels, all);
        const cancels = options.labelSmoothing ? 5e-2 : 1e-4;

        // by way of the host
        const copy = logits.slice();
        const host = await plan.run({ logits: copy, labels, ...extra });
        assertStrictEquals(host.gradLogits as unknown, copy);
        assertClose(host, expected, `${name}, host`);
        const error = gradError(copy, exact, V, cancels);
        assert(error <= 5e-6, `${name}, host: gradient is off by ${error}`);

        // all of it on the device
        const on = (values: ArrayLike<number>) =>
          put(device, Float32Array.from(values));
        const buffers = {
          logits: put(device, logits),
          labels: put(device, Int32Array.from(labels)),
          ...("tokenWeights" in extra
            ? { tokenWeights: on(WEIGHTS), upstream: on(UPSTREAM) }
            : {}),
        };
        const found = await once(plan, device, { ...extra, ...buffers });
        assertClose(found, expected, `${name}, device`);
        assertEquals(found.invalidLabelRows, 0);
        const grad = new Float32Array(await get(device, buffers.logits));
        const off = gradError(grad, exact, V, cancels);
        assert(off <= 5e-6, `${name}, device: gradient is off by ${off}`);
        for (const buffer of Object.values(buffers)) buffer.destroy();
      }
    },
  );
}

planTest(
  "encode() mixes host arrays with device buffers",
  async (gpu, device) => {
    const logits = normalLogits(N * V, 6);
    const options = { shift: true, cuSeqlens: [0, 7, 12] };
    const plan = await gpu.crossEntropy({
      rows: N,
      vocabSize: V,
      into: "new",
      ...options,
    });
    const all = { ...options, tokenWeights: WEIGHTS, upstream: UPSTREAM };
    const expected = maskedCrossEntropy(logits, LABELS, {
      ...options,
      tokenWeights: WEIGHTS,
    });
    const exact = exactGrad(logits, LABELS, all);
    const onDevice = {
      labels: put(device, Int32Array.from(LABELS)),
      tokenWeights: put(device, Float32Array.from(WEIGHTS)),
      upstream: put(device, Float32Array.from(UPSTREAM)),
    };
    const onHost = {
      labels: LABELS,
      tokenWeights: WEIGHTS,
      upstream: UPSTREAM,
    };
    const x = put(device, logits);
    const gradLogits = put(device, new Float32Array(N * V).fill(NaN));
    for (let mask = 0; mask < 8; mask++) {
      const pick = <K extends keyof typeof onDevice>(key: K, bit: number) =>
        mask & bit ? onDevice[key] : onHost[key];
      const found = await once(plan, device, {
        logits: x,
        labels: pick("labels", 1),
        tokenWeights: pick("tokenWeights", 2),
        upstream: pick("upstream", 4),
        gradLogits,
      });
      assertClose(found, expected, `mask ${mask}`);
      const grad = new Float32Array(await get(device, gradLogits));
      assert(gradError(grad, exact, V) <= 5e-6, `mask ${mask}`);
    }
    assertBits(new Float32Array(await get(device, x)), logits, "logits");
    for (const b of [x, gradLogits, ...Object.values(onDevice)]) b.destroy();
  },
);

planTest(
  "two encodes before one submit do not disturb each other",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({
      rows: N,
      vocabSize: V,
      into: "in-place",
    });
    const batches = range(0, 5).map((i) => {
      const logits = normalLogits(N * V, 50 + i);
      const labels = LABELS.map((y) => y === -100 ? y : (y + i) % V);
      const onDevice = i % 2 === 0;
      return {
        logits,
        labels,
        buffer: put(device, logits),
        given: onDevice ? put(device, Int32Array.from(labels)) : labels,
        upstream: i + 1,
      };
    });
    const encoder = device.createCommandEncoder();
    // some in one pass of ours, some in passes of their own
    const pass = encoder.beginComputePass();
    const batch = (b: typeof batches[number]): GpuBatch => ({
      logits: b.buffer,
      labels: b.given,
      upstream: b.upstream,
    });
    const handles = batches.slice(0, 3).map((b) => plan.encode(pass, batch(b)));
    pass.end();
    handles.push(
      ...batches.slice(3).map((b) => plan.encode(encoder, batch(b))),
    );
    device.queue.submit([encoder.finish()]);
    const results = await Promise.all(handles.map((handle) => handle.read()));
    for (const [i, b] of batches.entries()) {
      const options = { upstream: b.upstream };
      const expected = maskedCrossEntropy(b.logits, b.labels);
      assertClose(results[i]!, expected, `batch ${i}`);
      const grad = new Float32Array(await get(device, b.buffer));
      const exact = exactGrad(b.logits, b.labels, options);
      assert(gradError(grad, exact, V) <= 5e-6, `batch ${i}`);
      b.buffer.destroy();
      if (b.given instanceof GPUBuffer) b.given.destroy();
    }
  },
);

planTest(
  "a hundred steps need one readback and no more buffers",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({
      rows: N,
      vocabSize: V,
      into: "in-place",
    });
    const logits = put(device, normalLogits(N * V, 8));
    const labels = put(device, Int32Array.from(LABELS));
    const step = () => {
      const encoder = device.createCommandEncoder();
      const handle = plan.encode(encoder, { logits, labels });
      device.queue.submit([encoder.finish()]);
      return handle;
    };
    step().release();
    const before = gpu.buffers;
    for (let i = 0; i < 98; i++) step().release();
    const last = step();
    assertEquals(gpu.buffers, before);
    const { activeTokens } = await last.read();
    assertEquals(activeTokens, 9);
    assertEquals(gpu.buffers, before);
    for (const buffer of [logits, labels]) buffer.destroy();
  },
);

planTest(
  "handles that nobody reads are an error, not a leak",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({ rows: N, vocabSize: V });
    const logits = put(device, normalLogits(N * V, 8));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const encode = () => plan.encode(pass, { logits, labels: LABELS });
    const handles = range(0, 64).map(encode);
    assertThrows(encode, RangeError, "neither read nor released");
    pass.end();
    device.queue.submit([encoder.finish()]);
    handles[0]!.release();
    await assertRejects(() => handles[0]!.read(), Error, "released");
    const first = await handles[1]!.read();
    assertStrictEquals(await handles[1]!.read(), first);
    assertEquals((await handles[63]!.read()).loss, first.loss);
    logits.destroy();
  },
);

planTest(
  "read() before the commands are submitted says so",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({ rows: N, vocabSize: V });
    const logits = put(device, normalLogits(N * V, 8));
    for (const labels of [LABELS, put(device, Int32Array.from(LABELS))]) {
      const encoder = device.createCommandEncoder();
      const handle = plan.encode(encoder, { logits, labels });
      await assertRejects(() => handle.read(), Error, "were not run");
      // it is not too late
      device.queue.submit([encoder.finish()]);
      assertEquals((await handle.read()).activeTokens, 9);
    }
    logits.destroy();
  },
);

planTest(
  "labels on the device that are no class make their rows NaN, and are counted",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({
      rows: 5,
      vocabSize: 4,
      into: "in-place",
      perToken: true,
    });
    const logits = put(device, normalLogits(20, 3));
    const bad = Int32Array.of(1, 4, -1, -100, 2147483647);
    const labels = put(device, bad);
    const result = await once(plan, device, { logits, labels });
    assertEquals(result.invalidLabelRows, 3);
    assertEquals(result.nonFiniteRows, 3);
    assertEquals(result.activeTokens, 4);
    assert(Number.isFinite(result.perToken![0]!));
    assertBits(result.perToken!.slice(1), [NaN, NaN, 0, NaN]);
    const grad = new Float32Array(await get(device, logits));
    assert(grad.subarray(0, 4).every(Number.isFinite));
    assertBits(grad.subarray(4, 12), new Array(8).fill(NaN));
    assertZeros(grad.subarray(12, 16));
    assertBits(grad.subarray(16), new Array(4).fill(NaN));
    // the host's throw, as everywhere
    assertThrows(
      () => plan.encode(device.createCommandEncoder(), { logits, labels: bad }),
      RangeError,
      "labels[1]",
    );
    for (const buffer of [logits, labels]) buffer.destroy();
  },
);

for (const dtype of ["bf16", "f16"] as const) {
  planTest(
    `run() with ${dtype} and an odd vocabulary, in place and new`,
    async (gpu) => {
      const encode = dtype === "bf16" ? encodeBf16 : encodeF16;
      for (const rows of [1, 2, 5]) {
        for (const vocabSize of [1, 37]) {
          const bits = Uint16Array.from(
            normalLogits(rows * vocabSize, 9),
            encode,
          );
          const labels = range(0, rows).map((i) => i % vocabSize);
          const options = { rows, vocabSize, dtype };
          const expected = maskedCrossEntropyGrad(bits, labels, { dtype });
          const into = await gpu.crossEntropy({ ...options, into: "new" });
          const made = await into.run({ logits: bits, labels });
          assertClose(made, expected, `${rows} x ${vocabSize}`);
          const exact = exactGrad(bits, labels, { dtype });
          const grad = made.gradLogits as Float32Array;
          assert(gradError(grad, exact, vocabSize) <= 5e-6);
          const over = await gpu.crossEntropy({ ...options, into: "in-place" });
          const copy = bits.slice();
          await over.run({ logits: copy, labels });
          assertEquals(copy, Uint16Array.from(grad, encode));
          into.dispose();
          over.dispose();
        }
      }
    },
  );
}

planTest(
  "what stands behind an odd number of halves is left alone",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({
      rows: 3,
      vocabSize: 5,
      dtype: "bf16",
      into: "in-place",
    });
    const bits = Uint16Array.from(normalLogits(16, 9), encodeBf16);
    bits[15] = 0x1234;
    const logits = put(device, bits);
    await once(plan, device, { logits, labels: [0, 1, 2] });
    assertEquals(new Uint16Array(await get(device, logits))[15], 0x1234);
    logits.destroy();
  },
);

planTest("concurrent run() calls wait for each other", async (gpu) => {
  const plan = await gpu.crossEntropy({
    rows: N,
    vocabSize: V,
    into: "in-place",
  });
  const all = range(0, 4).map((i) => normalLogits(N * V, 70 + i));
  const copies = all.map((logits) => logits.slice());
  await Promise.all(
    copies.map((logits) => plan.run({ logits, labels: LABELS })),
  );
  all.forEach((logits, i) =>
    assert(gradError(copies[i]!, exactGrad(logits, LABELS), V) <= 5e-6)
  );
});

planTest(
  "errors of a batch are one clear error before anything is bound",
  async (gpu, device) => {
    const plan = await gpu.crossEntropy({
      rows: N,
      vocabSize: V,
      into: "in-place",
    });
    const bytes = 4 * N * V;
    const make = (size: number, usage: number) =>
      device.createBuffer({ size, usage });
    const logits = make(bytes, STORAGE);
    const large = make(bytes + 512, STORAGE);
    const encode = (batch: unknown) => () =>
      plan.encode(device.createCommandEncoder(), batch as GpuBatch);
    const refused: [unknown, typeof RangeError | typeof TypeError, string][] = [
      [{ labels: LABELS }, TypeError, "logits must be a GPUBuffer"],
      [
        { logits: new Float32Array(N * V), labels: LABELS },
        TypeError,
        "logits must be a GPUBuffer",
      ],
      [
        { logits: make(bytes, COPY_DST), labels: LABELS },
        RangeError,
        "usage of logits must include GPUBufferUsage.STORAGE",
      ],
      [
        { logits: make(bytes - 4, STORAGE), labels: LABELS },
        RangeError,
        `logits must have ${bytes} bytes`,
      ],
      [
        { logits: { buffer: large, offset: 64 }, labels: LABELS },
        RangeError,
        "offset of logits must be a multiple of 256",
      ],
      [
        { logits: { buffer: large, offset: 768 }, labels: LABELS },
        RangeError,
        "logits must have",
      ],
      [
        { logits: { buffer: large, size: 8 }, labels: LABELS },
        RangeError,
        "logits must have",
      ],
      [
        { logits, labels: { buffer: logits } },
        RangeError,
        "labels and logits must not lie in one GPUBuffer",
      ],
      [{ logits, labels: LABELS.slice(1) }, RangeError, "labels.length"],
      [{ logits, labels: new Array(N).fill(V) }, RangeError, "labels[0]"],
      [{ logits, labels: 3 }, TypeError, "labels must be an array"],
      [{ logits, labels: LABELS, upstream: NaN }, RangeError, "upstream"],
      [
        { logits, labels: LABELS, upstream: [1] },
        RangeError,
        "upstream.length",
      ],
      [{ logits, labels: LABELS, denominator: 0 }, RangeError, "denominator"],
      [{ logits, labels: LABELS, cuSeqlens: [0, 5] }, RangeError, "cuSeqlens"],
      [{ logits, labels: LABELS, gradLogits: large }, TypeError, "gradLogits"],
      [
        { logits, labels: LABELS, weights: [] },
        TypeError,
        "every key of batch",
      ],
      [
        { logits, labels: LABELS, tokenWeights: new Array(N).fill(-1) },
        RangeError,
        "must not sum to less than 0",
      ],
    ];
    for (const [batch, kind, message] of refused) {
      assertThrows(encode(batch), kind, message);
    }
    const mapped = device.createBuffer({
      size: bytes,
      usage: STORAGE,
      mappedAtCreation: true,
    });
    assertThrows(
      encode({ logits: mapped, labels: LABELS }),
      RangeError,
      "unmapped",
    );
  },
);

planTest("errors of a plan", async (gpu) => {
  const refused: [unknown, typeof RangeError | typeof TypeError, string][] = [
    [null, TypeError, "options must be an object"],
    [{ vocabSize: 3 }, TypeError, "rows must be given"],
    [{ rows: 3 }, TypeError, "vocabSize must be given"],
    [{ rows: -1, vocabSize: 3 }, RangeError, "rows must be"],
    [{ rows: 3, vocabSize: 0 }, RangeError, "vocabSize must be"],
    [{ rows: 3, vocabSize: 3, into: "out" }, RangeError, "into must be"],
    [{ rows: 3, vocabSize: 3, dtype: "f64" }, RangeError, "dtype must be"],
    [{ rows: 3, vocabSize: 3, zloss: 1 }, TypeError, "every key"],
    [{ rows: 3, vocabSize: 3, rowStride: 2 }, RangeError, "rowStride"],
    [{ rows: 3, vocabSize: 3, sequenceLength: 2 }, RangeError, "divide"],
    [{ rows: 3, vocabSize: 3, softcap: -1 }, RangeError, "softcap"],
    [{ rows: 3, vocabSize: 3, upstream: 2 }, TypeError, "every key of options"],
    [{ rows: 3, vocabSize: 3, deterministic: true }, TypeError, "every key"],
    [
      { rows: 3, vocabSize: 2 ** 30 },
      RangeError,
      "must fit into one binding",
    ],
    [{ rows: 2 ** 31, vocabSize: 2 }, RangeError, "rows must be at most"],
  ];
  for (const [options, kind, message] of refused) {
    await assertRejects(
      () => gpu.crossEntropy(options as CrossEntropyOptions),
      kind,
      message,
    );
  }
  assertEquals(gpu.buffers.count, 0);
});

planTest("run() says what to do with logits beyond one buffer", async (gpu) => {
  const rows = 2 ** 16, vocabSize = 2 ** 13;
  const plan = await gpu.crossEntropy({ rows, vocabSize });
  // 2 GiB, of which the system gives no page until it is touched
  const logits = new Float32Array(rows * vocabSize);
  const labels = new Int32Array(rows);
  await assertRejects(
    () => plan.run({ logits, labels }),
    RangeError,
    "use fewer rows",
  );
});

gpuTest("a GPU of our own is destroyed, and says so", async () => {
  const gpu = await openGpu();
  const plan = await gpu.crossEntropy({ rows: 2, vocabSize: 3 });
  const batch = { logits: new Float32Array(6), labels: [0, 1] };
  await plan.run(batch);
  const { device } = gpu;
  gpu.dispose();
  assertEquals((await device.lost).reason, "destroyed");
  await assertRejects(() => plan.run(batch), GpuLostError, "disposed");
  await assertRejects(
    () => gpu.crossEntropy({ rows: 2, vocabSize: 3 }),
    GpuLostError,
  );
});

gpuTest(
  "a device that is lost is told of, and another can be opened",
  async () => {
    const gpu = await openGpu();
    const plan = await gpu.crossEntropy({ rows: 2, vocabSize: 3 });
    const batch = { logits: new Float32Array(6), labels: [0, 1] };
    gpu.device.destroy();
    await gpu.device.lost;
    await Promise.resolve();
    assert(gpu.lost !== null);
    await assertRejects(() => plan.run(batch), GpuLostError, "lost");
    gpu.dispose();
    const next = await openGpu();
    const again = await next.crossEntropy({ rows: 2, vocabSize: 3 });
    assert(Math.abs((await again.run(batch)).loss - Math.log(3)) < 1e-6);
    next.dispose();
  },
);

gpuTest("a handle whose device was lost on the way says so", async () => {
  const gpu = await openGpu();
  const plan = await gpu.crossEntropy({ rows: 2, vocabSize: 3 });
  const { device } = gpu;
  const logits = put(device, new Float32Array(6));
  const encoder = device.createCommandEncoder();
  const handle = plan.encode(encoder, { logits, labels: [0, 1] });
  device.queue.submit([encoder.finish()]);
  // nobody has heard of it when the reading begins
  device.destroy();
  await assertRejects(() => handle.read(), GpuLostError, "lost");
  gpu.dispose();
});

gpuTest("openGpu() gives up when its signal says so", async () => {
  const signal = AbortSignal.abort(new Error("too late"));
  await assertRejects(() => openGpu({ signal }), Error, "too late");
});

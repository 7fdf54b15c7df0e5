/**
 * Jobs that the device makes, against those of the host, for every reduction;
 * and faults planted in its shader, each of which that comparison must find.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Reduction } from "../../src/contract.ts";
import type { LossProblem } from "../../src/engine.ts";
import { countTargets } from "../../src/labels/sequences.ts";
import { shiftLeft } from "../../src/labels/shift.ts";
import { coefficients, weigh } from "../../src/reference/normalize.ts";
import { readBack } from "../../src/webgpu/handle.ts";
import { upload, whole } from "../../src/webgpu/heap.ts";
import { jobsOf } from "../../src/webgpu/jobs.ts";
import { WEIGH_TEXTS, Weigher } from "../../src/webgpu/weigher.ts";
import { seeded } from "../engines.ts";
import { gpuTest, type TestGpu } from "./gpu.ts";

/** More rows than a workgroup has threads, in sequences of many lengths, some empty. */
const N = 900, V = 50;
const STAMP = 0xabcdef;
const BORDERS = Int32Array.of(0, 0, 1, 2, 300, 300, 860, 899, 900);

const random = seeded(11);
const LABELS = Int32Array.from(
  { length: N },
  () => random() < 0.3 ? -100 : Math.floor(random() * V),
);
// in the sequence of one, and at both ends of int32's classes
LABELS[0] = -100;
LABELS[1] = V - 1;
const WEIGHTS = Float64Array.from({ length: N }, () => Math.fround(random()));
const CLASSES = Float64Array.from(
  { length: V },
  (_, k) => k % 7 === 0 ? 0 : Math.fround(0.5 + random()),
);
const UPSTREAM = Float32Array.from({ length: N }, () => 2 * random() - 1);

interface Setting {
  reduction: Reduction;
  shift: boolean;
  weighted: boolean;
  sequences: boolean;
  denominator?: number;
}

const SETTINGS: Setting[] = [
  { reduction: "token", shift: false, weighted: false, sequences: false },
  { reduction: "token", shift: true, weighted: true, sequences: true },
  { reduction: "sample", shift: true, weighted: true, sequences: true },
  { reduction: "sequence", shift: false, weighted: true, sequences: true },
  { reduction: "sequence", shift: true, weighted: false, sequences: true },
  { reduction: "sum", shift: false, weighted: true, sequences: false },
  {
    reduction: "sequence",
    shift: true,
    weighted: true,
    sequences: true,
    denominator: 12.5,
  },
];

/** The first job that the device makes differently from the host, or null. */
async function faultOf(
  { heap }: TestGpu,
  texts: readonly string[],
  setting: Setting,
): Promise<string | null> {
  const { reduction, shift, weighted, sequences, denominator } = setting;
  const borders = sequences ? BORDERS : null;
  const rowWeights = weighted ? WEIGHTS : null;
  const problem: LossProblem = {
    logits: new Float32Array(0),
    dtype: "f32",
    rows: N,
    vocabSize: V,
    rowStride: V,
    targets: shift ? shiftLeft(LABELS, borders, -100) : LABELS,
    ignoreIndex: -100,
    rowWeights: rowWeights && shift
      ? shiftLeft(rowWeights, borders, 0)
      : rowWeights,
    classWeights: weighted ? CLASSES : null,
    labelSmoothing: 0,
    zLoss: 0,
    softcap: 0,
    logitScale: 1,
    metrics: false,
  };
  const totalTokens = countTargets(N, borders, shift);
  const all = borders ?? Int32Array.of(0, N);
  const bySequence = borders === null && reduction !== "sequence" ? null : all;
  const expected = jobsOf(
    problem,
    coefficients(
      problem,
      bySequence,
      reduction,
      denominator,
      weigh(problem, bySequence),
      totalTokens,
      UPSTREAM,
    ),
    STAMP,
  );

  const weigher = await Weigher.compile(heap, problem, texts);
  const buffers = weigher.allocate(all.length - 1);
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const put = (array: Int32Array | Float32Array) => {
    const usage = STORAGE | COPY_SRC | COPY_DST;
    const buffer = heap.create("test", array.byteLength, usage);
    upload(heap.device, buffer, array as Float32Array<ArrayBuffer>);
    return buffer;
  };
  const labels = put(LABELS);
  const weights = put(Float32Array.from(WEIGHTS));
  const upstream = put(UPSTREAM);
  const jobs = put(new Float32Array(expected.byteLength / 4).fill(NaN));
  const encoder = heap.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  weigher.encode(pass, buffers, jobs, {
    labels: whole(labels),
    tokenWeights: weighted ? whole(weights) : null,
    upstream: whole(upstream),
    borders: all,
    shift,
    reduction,
    denominator,
    totalTokens,
    stamp: STAMP,
  });
  pass.end();
  heap.device.queue.submit([encoder.finish()]);
  const [bytes] = await readBack(heap, [jobs]);
  heap.destroy(labels, weights, upstream, jobs, ...Object.values(buffers));
  weigher.dispose();

  const [a, e] = [new Uint32Array(bytes!), new Uint32Array(expected)];
  const [x, y] = [new Float32Array(bytes!), new Float32Array(expected)];
  for (let row = 0; row < N; row++) {
    const at = 4 * row;
    for (const word of [0, 1]) {
      if (a[at + word] !== e[at + word]) return `job ${row}: word ${word}`;
    }
    for (const word of [2, 3]) {
      const [found, wanted] = [x[at + word]!, y[at + word]!];
      const isNear = Math.abs(found - wanted) <= 1e-6 * Math.abs(wanted);
      if (!isNear) return `job ${row}: ${found}, not ${wanted}`;
    }
  }
  return null;
}

for (const setting of SETTINGS) {
  gpuTest(
    `the device makes the jobs of the host: ${JSON.stringify(setting)}`,
    async (gpu) => {
      assertEquals(await faultOf(gpu, WEIGH_TEXTS, setting), null);
    },
  );
}

const FAULTS: Record<string, [find: string, replace: string]> = {
  "mask: ignored labels are scored": [
    "if (label == B.ignoreIndex) { return Job(0u, B.stamp, 0.0, 0.0); }",
    "",
  ],
  "mask: the last row of a sequence is scored": [
    "if (at >= end) { return Job(0u, B.stamp, 0.0, 0.0); }",
    "",
  ],
  "mask: a class of weight 0 is not silent": [
    "(B.keeps == 1u && c != 0.0)",
    "B.keeps == 1u",
  ],
  "clamp: one class too few": ["i32(vocab) - 1", "i32(vocab) - 2"],
  "stamp: jobs are not the batch's": [
    "var flags = B.stamp | ACTIVE",
    "var flags = ACTIVE",
  ],
  "stamp: what is not scored has none": [
    "B.ignoreIndex) { return Job(0u, B.stamp",
    "B.ignoreIndex) { return Job(0u, 0u",
  ],
  "scale: upstream is lost": [
    "factor = up / divisor",
    "factor = 1.0 / divisor",
  ],
  "scale: the class's weight is lost": [
    "weight, weight * c);",
    "weight, weight);",
  ],
  "scale: a sequence counts as all": [
    "f32(all.scored) * sums[sequence].weight",
    "f32(all.scored) * all.weight",
  ],
  "barrier: sums are read before they are written": [
    "half >>= 1u) {\n    workgroupBarrier();",
    "half >>= 1u) {",
  ],
  "loop variable: rows behind the first 256 are left out": [
    "row < end; row += GROUP) {\n    let job = jobOf",
    "row < end; row += 65536u) {\n    let job = jobOf",
  ],
  "window offset: sequences begin at 0": [
    "for (var row = borders[sequence] + t; row < end; row += GROUP) {\n    let job = jobOf",
    "for (var row = t; row < end; row += GROUP) {\n    let job = jobOf",
  ],
  "tail: the last sequence is left out": [
    "s < B.sequences; s += GROUP",
    "s + 1u < B.sequences; s += GROUP",
  ],
};

for (const [name, [find, replace]] of Object.entries(FAULTS)) {
  gpuTest(`a planted fault of the weigher is found: ${name}`, async (gpu) => {
    const planted = WEIGH_TEXTS.map((text) => text.replace(find, replace));
    assert(
      planted.some((text, i) => text !== WEIGH_TEXTS[i]),
      "the place of this fault is gone",
    );
    const faults: (string | null)[] = [];
    for (const setting of SETTINGS) {
      faults.push(await faultOf(gpu, planted, setting));
      if (faults.at(-1) !== null) return;
    }
    assert(faults.some((fault) => fault !== null), "nobody noticed");
  });
}

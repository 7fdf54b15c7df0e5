/**
 * The kernels on a browser's GPU: its own compiler and driver, the same texts.
 * Few problems that ask about much, since a software driver takes seconds to
 * compile each kind. `runProblems` is the page's one function.
 *
 * @module
 */
import type { LossProblem } from "../../src/engine.ts";
import { decodeBf16, encodeBf16 } from "../../src/half.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { openDevice } from "../../src/webgpu/device.ts";
import { Heap } from "../../src/webgpu/heap.ts";
import { ask, type Question, type Way } from "./replay.ts";

/** What came of one problem. */
export interface PageResult {
  name: string;
  /** What is wrong, or null. */
  fault: string | null;
  milliseconds: number;
}

/** What came of all of them. */
export interface PageReport {
  /** The adapter, or null where there is none. */
  adapter: string | null;
  /** Why there is none. */
  reason: string;
  results: PageResult[];
}

const N = 8, V = 4096 + 77;

/** Logits of a model, and rows that are not: NaN, +inf, all -inf, one -inf, a leading block of -inf, an ignored row of NaN. */
function logits(stride: number): Float32Array {
  let state = 12345;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const x = Float32Array.from(
    { length: N * stride },
    () => 3 * (random() + random() + random() - 1.5),
  );
  const row = (i: number) => x.subarray(i * stride, i * stride + V);
  row(1)[4100] = NaN;
  row(2)[0] = Infinity;
  row(3).fill(-Infinity);
  row(4)[9] = -Infinity;
  row(5).fill(-Infinity, 0, 4097);
  row(6).fill(NaN);
  row(7)[4170] = 60;
  for (let i = 0; i < N; i++) x.fill(NaN, i * stride + V, (i + 1) * stride);
  return x;
}

const PLAIN: LossProblem = {
  logits: logits(V),
  dtype: "f32",
  rows: N,
  vocabSize: V,
  rowStride: V,
  targets: Int32Array.of(5, 6, 7, 8, 9, 4172, -100, 4170),
  ignoreIndex: -100,
  rowWeights: null,
  classWeights: null,
  labelSmoothing: 0,
  zLoss: 0,
  softcap: 0,
  logitScale: 1,
  metrics: false,
};

const PROBLEMS: Record<string, [Partial<LossProblem>, Question["into"], Way]> =
  {
    "float32, in place": [
      { logits: logits(V + 3), rowStride: V + 3 },
      "in-place",
      { shared: false },
    ],
    "float32, shared out": [{}, "in-place", { shared: true }],
    "bf16 of an odd stride, in place": [
      { dtype: "bf16", logits: Uint16Array.from(logits(V), encodeBf16) },
      "in-place",
      { shared: true },
    ],
    "every option": [
      {
        softcap: 20,
        logitScale: -1.5,
        metrics: true,
        zLoss: 1e-3,
        labelSmoothing: 0.1,
      },
      "new",
      { shared: true },
    ],
  };

/** The first difference from the reference. */
async function faultOf(
  heap: Heap,
  [more, into, way]: [Partial<LossProblem>, Question["into"], Way],
): Promise<string | null> {
  const problem = { ...PLAIN, ...more };
  const coefficients = new Float64Array(N).fill(0.5);
  const exact = new Float64Array(N * V);
  const truth = referenceEngine.differentiate(problem, coefficients, {
    array: exact,
    dtype: "f64",
    rowStride: V,
  });
  const [found] = await ask(heap, [{ problem, coefficients, into }], way);
  const { scores, gradient } = found!;
  for (const key of ["perToken", "logSumExp", "entropy"] as const) {
    for (let i = 0; i < N; i++) {
      const a = scores[key][i]!, e = truth[key][i]!;
      const isSame = Object.is(a, e) ||
        Math.abs(a - e) <= 1e-6 * Math.max(1, Math.abs(e));
      if (!isSame) return `${key}[${i}] ${a}, not ${e}`;
    }
  }
  const half = into === "in-place" && problem.dtype === "bf16";
  const grad = half
    ? Float32Array.from(new Uint16Array(gradient!), decodeBf16)
    : new Float32Array(gradient!);
  const stride = into === "new" ? V : problem.rowStride;
  const share = problem.labelSmoothing || problem.zLoss ? 5e-2 : 1e-4;
  const bound = half ? 2 ** -8 : problem.softcap ? 1e-5 : 5e-6;
  for (let i = 0; i < N; i++) {
    const wanted = exact.subarray(i * V, (i + 1) * V);
    const top = wanted.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
    for (let k = 0; k < stride; k++) {
      const a = grad[i * stride + k]!, e = k < V ? wanted[k]! : 0;
      if (a === e || (a !== a && e !== e)) continue;
      const off = Math.abs(a - e) / (Math.abs(e) + share * top);
      if (!(off <= bound)) return `gradient [${i}, ${k}] ${a}, not ${e}`;
    }
  }
  return null;
}

async function runProblems(): Promise<PageReport> {
  const opened = await openDevice().catch((error: Error) => error);
  if (opened instanceof Error) {
    return { adapter: null, reason: opened.message, results: [] };
  }
  const complaints: string[] = [];
  opened.device.addEventListener("uncapturederror", (event) => {
    complaints.push((event as unknown as { error: GPUError }).error.message);
  });
  const heap = new Heap(opened.device);
  const results: PageResult[] = [];
  for (const [name, problem] of Object.entries(PROBLEMS)) {
    const start = performance.now();
    const fault = await faultOf(heap, problem).catch(String);
    results.push({
      name,
      fault: complaints.splice(0).join() || fault,
      milliseconds: performance.now() - start,
    });
  }
  return { adapter: opened.name, reason: "", results };
}

Object.assign(globalThis, { runProblems });

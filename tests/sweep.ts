/**
 * Every float32 there is: e^x of the row kernel for every float32 from -104 to
 * 40 (where the reference has long begun to follow), log and log1p of `settle`
 * for every positive float32, of both builds, against Math in float64.
 *
 *     deno task sweep [--stride K] [--workers W]
 *
 * With a stride of K only every Kth float32 is tried. It takes about 5 minutes on two
 * cores; progress goes to stderr, the table to stdout, and the exit code is 1 if
 * a bound is broken.
 *
 * @module
 */
import { fastestBuild } from "../src/wasm/loader.ts";
import { type AloneKernels, instantiateAlone } from "./kernels/bare.ts";

/** What is swept, as bits of float32: [first, last]. */
interface Sweep {
  name: "e^x, x <= 0" | "e^x, x >= 0" | "log and log1p";
  first: number;
  last: number;
}
const SWEEPS: Sweep[] = [
  { name: "e^x, x <= 0", first: 0x80000000, last: 0xc2d00000 }, // -0 to -104
  { name: "e^x, x >= 0", first: 0x00000000, last: 0x42200000 }, // 0 to 40
  { name: "log and log1p", first: 0x00000001, last: 0x7f7fffff },
];

/** The bounds; "near" is down to 20 below the row's largest logit, errors below the normal float32s are in last places. */
const BOUNDS = {
  near: 6e-7,
  normal: 4e-6,
  subnormal: 0.501,
  log: 1e-14,
  log1p: 1e-14,
};
type Measure = keyof typeof BOUNDS;

/** Largest error of a measure, the float32 where, and how many were tried. */
interface Worst {
  error: number;
  at: number;
  tried: number;
}
type Report = Record<string, Worst>;

/** A part of a sweep for one worker. */
interface Part {
  sweep: Sweep["name"];
  first: number;
  last: number;
  stride: number;
}

const BUILDS = fastestBuild() === "relaxed"
  ? ["simd", "relaxed"] as const
  : ["simd"] as const;

/** Values of one row, after zeros for the reference to be guessed from. */
const VALUES = 65536;
const LEAD = 64;
const NORMAL = 2 ** -126;

/** A build, and a row in its memory. */
interface Bench {
  build: string;
  kernels: AloneKernels;
  at: number;
  row: Float32Array;
  bits: Uint32Array;
}

function open(build: typeof BUILDS[number]): Bench {
  const kernels = instantiateAlone(build);
  kernels.memory.grow(8);
  const at = Math.ceil(kernels.heap_base() / 64) * 64;
  const { buffer } = kernels.memory;
  const row = new Float32Array(buffer, at, LEAD + VALUES);
  const bits = new Uint32Array(buffer, at, LEAD + VALUES);
  return { build, kernels, at, row, bits };
}

function empty(): Worst {
  return { error: 0, at: NaN, tried: 0 };
}

/** One row of exponentials, compared with `truth` (e^x of each value). */
function compareExp(
  { kernels, row, at }: Bench,
  inputs: Float32Array,
  truth: Float64Array,
  count: number,
  into: { near: Worst; normal: Worst; subnormal: Worst },
): void {
  // a label outside the row: nothing is left out
  kernels.row_exponentials(at, LEAD + count, at + 4 * (LEAD + count));
  const reference = kernels.row_value(0);
  const scale = Math.exp(-reference);
  const { near, normal, subnormal } = into;
  // the values come in order of size, after zeros
  const largest = Math.max(0, inputs[0]!, inputs[count - 1]!);
  for (let i = 0; i < count; i++) {
    const expected = truth[i]! * scale;
    const distance = Math.abs(row[LEAD + i]! - expected);
    if (expected < NORMAL) {
      const places = distance * 2 ** 149;
      subnormal.tried++;
      if (!(places <= subnormal.error)) {
        subnormal.error = places, subnormal.at = inputs[i]!;
      }
      continue;
    }
    normal.tried++;
    const isNear = inputs[i]! >= largest - 20;
    if (isNear) near.tried++;
    if (!(distance <= near.error * expected)) {
      const error = distance / expected;
      if (isNear && !(error <= near.error)) {
        near.error = error, near.at = inputs[i]!;
      }
      if (!(error <= normal.error)) {
        normal.error = error, normal.at = inputs[i]!;
      }
    }
  }
}

/** log and log1p of every value of `inputs`. */
function compareLog(
  { kernels }: Bench,
  inputs: Float32Array,
  truth: Float64Array,
  truth1p: Float64Array,
  count: number,
  into: { log: Worst; log1p: Worst },
): void {
  const { set_row, settle, row_value } = kernels;
  const { log, log1p } = into;
  log.tried += count, log1p.tried += count;
  for (let i = 0; i < count; i++) {
    // others s relative to 0 and the label far below: logSumExp = log s
    set_row(0, inputs[i]!);
    settle(-1000);
    const distance = Math.abs(row_value(3) - truth[i]!);
    if (!(distance <= log.error * Math.abs(truth[i]!))) {
      log.error = distance / Math.abs(truth[i]!), log.at = inputs[i]!;
    }
    // the label's logit at the reference: nll = log1p(s)
    settle(0);
    const distance1p = Math.abs(row_value(2) - truth1p[i]!);
    if (!(distance1p <= log1p.error * truth1p[i]!)) {
      log1p.error = distance1p / truth1p[i]!, log1p.at = inputs[i]!;
    }
  }
}

/** All of one part, on every build. */
function run(part: Part, benches: Bench[]): Report {
  const report: Report = {};
  const worst = (bench: Bench, measure: Measure) =>
    report[`${bench.build} ${measure}`] ??= empty();
  const inputs = new Float32Array(VALUES);
  const bits = new Uint32Array(inputs.buffer);
  const truth = new Float64Array(VALUES), truth1p = new Float64Array(VALUES);
  let next = part.first;
  while (next <= part.last) {
    let count = 0;
    for (; count < VALUES && next <= part.last; next += part.stride) {
      bits[count++] = next;
    }
    const logs = part.sweep === "log and log1p";
    for (let i = 0; i < count; i++) {
      truth[i] = logs ? Math.log(inputs[i]!) : Math.exp(inputs[i]!);
      if (logs) truth1p[i] = Math.log1p(inputs[i]!);
    }
    for (const bench of benches) {
      if (logs) {
        compareLog(bench, inputs, truth, truth1p, count, {
          log: worst(bench, "log"),
          log1p: worst(bench, "log1p"),
        });
      } else {
        bench.row.fill(0, 0, LEAD);
        bench.bits.set(bits.subarray(0, count), LEAD);
        compareExp(bench, inputs, truth, count, {
          near: worst(bench, "near"),
          normal: worst(bench, "normal"),
          subnormal: worst(bench, "subnormal"),
        });
      }
    }
  }
  return report;
}

/** The parts of all sweeps, a few seconds each. */
function parts(stride: number): Part[] {
  const size = 2 ** 24 * stride;
  return SWEEPS.flatMap(({ name, first, last }) => {
    const found: Part[] = [];
    for (let from = first; from <= last; from += size) {
      const to = Math.min(last, from + size - 1);
      found.push({ sweep: name, first: from, last: to, stride });
    }
    return found;
  });
}

function merge(into: Report, from: Report): void {
  for (const [key, { error, at, tried }] of Object.entries(from)) {
    const worst = into[key] ??= empty();
    worst.tried += tried;
    if (!(error <= worst.error)) worst.error = error, worst.at = at;
  }
}

/** Hands the parts to the workers, one after the other. */
async function sweep(stride: number, workers: number): Promise<Report> {
  const waiting = parts(stride), all = waiting.length, total: Report = {};
  let done = 0;
  const started = performance.now();
  await Promise.all(
    Array.from(
      { length: workers },
      () =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(import.meta.url, { type: "module" });
          const give = () => {
            const part = waiting.shift();
            if (part !== undefined) return worker.postMessage(part);
            worker.terminate();
            resolve();
          };
          worker.onmessage = ({ data }: MessageEvent<Report>) => {
            merge(total, data);
            const seconds = Math.round((performance.now() - started) / 1000);
            console.error(`${++done} of ${all} parts, ${seconds} s`);
            give();
          };
          worker.onerror = (event) => reject(new Error(event.message));
          give();
        }),
    ),
  );
  return total;
}

/** The value after a flag, or what it is without. */
function flag(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(name);
  const value = at < 0 ? otherwise : Number(Deno.args[at + 1]);
  if (Number.isInteger(value) && value >= 1) return value;
  console.error(`Cannot sweep as ${name} must be a whole number of at least 1`);
  Deno.exit(2);
}

if ("DedicatedWorkerGlobalScope" in globalThis) {
  const benches = BUILDS.map(open);
  const port = self as unknown as Worker;
  port.onmessage = ({ data }) => port.postMessage(run(data, benches));
} else if (import.meta.main) {
  const report = await sweep(flag("--stride", 1), flag("--workers", 2));
  let broken = 0;
  console.log(
    "build measure          largest error   at              tried  bound",
  );
  for (const [key, { error, at, tried }] of Object.entries(report).sort()) {
    const bound = BOUNDS[key.split(" ")[1] as Measure];
    const bad = !(error <= bound) || tried === 0;
    if (bad) broken++;
    console.log(
      key.padEnd(22),
      error.toExponential(3).padEnd(15),
      String(at).padEnd(13).slice(0, 13),
      String(tried).padStart(10),
      ` ${bound}${bad ? "  BROKEN" : ""}`,
    );
  }
  if (broken > 0) Deno.exitCode = 1;
}

/**
 * The ratio harness, `deno task bench`: verifies loss and gradient of both builds
 * (8 rows by the float64 reference, all rows by the plain loop, bf16 and foreign
 * arrays by the workspace's loss), then times everything interleaved in this one
 * process and prints each figure as a ratio to something measured in the same run. With `--save` the
 * tables go to bench/RESULTS.md, with the machine's description.
 *
 * Absolute times say more about the machine than about the code; of a figure
 * that is bounded by a floor, 1.00 is what this machine can do at all.
 *
 * @module
 */
import { maskedCrossEntropy, maskedCrossEntropyGrad } from "../mod.ts";
import { createLossWorkspace } from "../mod.ts";
import { encodeBf16 } from "../src/half.ts";
import { fastestBuild } from "../src/wasm/loader.ts";
import { workspaceEngine } from "../src/wasm/workspace.ts";
import {
  exactGrad,
  gradError,
  loss as lossBy,
  lossError,
} from "../tests/engines.ts";
import { referenceEngine } from "../src/reference/engine.ts";
import {
  makeBatch,
  makeLabels,
  plainLoss,
  plainLossGrad,
  verify as same,
} from "./data.ts";
import { floorsOf } from "./floors.ts";
import { interleave, machine, type Timed } from "./harness.ts";

const SHAPES = [
  [512, 32000],
  [256, 50257],
  [128, 128256],
  [64, 151936],
  [4096, 4096],
] as const;

const IGNORED = [0.5, 0.75, 0.9, 1] as const;

const lines: string[] = [];
const say = (line = "") => {
  lines.push(line);
  console.log(line);
};

/** Everything about one shape. */
function measure(rows: number, vocabSize: number, rounds: number) {
  const { logits, labels } = makeBatch(rows, vocabSize);
  const fast = createLossWorkspace({ rows, vocabSize });
  const plain = createLossWorkspace({ rows, vocabSize, deterministic: true });
  const x = fast.logits as Float32Array, xs = plain.logits as Float32Array;
  const fill = () => x.set(logits);
  const fillPlain = () => xs.set(logits);
  fill();
  fillPlain();
  const from = x.byteOffset, to = from + 4 * rows * vocabSize;
  const floors = floorsOf(workspaceEngine(x)!.memory.kernels.memory);
  const bf16 = Uint16Array.from(logits, encodeBf16);
  const half = createLossWorkspace({ rows, vocabSize, dtype: "bf16" });
  half.logits.set(bf16);
  const gradient = new Float32Array(rows * vocabSize);
  const inPlace = { into: "in-place" } as const;
  const sure = { deterministic: true } as const;
  const errors = verify(rows, vocabSize, logits, labels, x, xs);
  fill();
  fillPlain();
  const { loss } = maskedCrossEntropy(x, labels);
  same("a foreign array", maskedCrossEntropy(logits, labels).loss, loss, 0);
  // bf16 keeps 8 bits of each logit
  const halfLoss = maskedCrossEntropy(half.logits, labels, { dtype: "bf16" });
  same("bf16", halfLoss.loss, loss, 1e-2);

  const cases: Timed[] = [
    { name: "read floor", run: () => floors.read(from, to) },
    { name: "scale floor", run: () => floors.scale(from, to, 1) },
    {
      name: "forward",
      run: () => maskedCrossEntropy(x, labels),
      before: fill,
    },
    {
      name: "forward + gradient",
      run: () => maskedCrossEntropyGrad(x, labels, inPlace),
      before: fill,
    },
    {
      name: "plain SIMD forward",
      run: () => maskedCrossEntropy(xs, labels, sure),
      before: fillPlain,
    },
    {
      name: "plain SIMD forward + gradient",
      run: () => maskedCrossEntropyGrad(xs, labels, { ...inPlace, ...sure }),
      before: fillPlain,
    },
    { name: "foreign forward", run: () => maskedCrossEntropy(logits, labels) },
    {
      name: "foreign forward + gradient",
      run: () => maskedCrossEntropyGrad(gradient, labels, inPlace),
      before: () => gradient.set(logits),
    },
    {
      name: "bf16 forward",
      run: () => maskedCrossEntropy(half.logits, labels, { dtype: "bf16" }),
    },
  ];
  for (const share of IGNORED) {
    const masked = makeLabels(rows, vocabSize, share);
    const name = `${100 * share} % ignored`;
    cases.push({
      name: `forward, ${name}`,
      run: () => maskedCrossEntropy(x, masked),
      before: fill,
    }, {
      name: `forward + gradient, ${name}`,
      run: () => maskedCrossEntropyGrad(x, masked, inPlace),
      before: fill,
    });
  }
  const times = interleave(cases, rounds);
  const slow = interleave([
    {
      name: "plain TypeScript",
      run: () => plainLoss(logits, labels, vocabSize),
    },
    {
      name: "plain TypeScript + gradient",
      run: () => plainLossGrad(logits, labels, vocabSize, gradient),
    },
    { name: "forward", run: () => maskedCrossEntropy(x, labels), before: fill },
    {
      name: "forward + gradient",
      run: () => maskedCrossEntropyGrad(x, labels, inPlace),
      before: fill,
    },
  ], 4);
  fast.dispose();
  plain.dispose();
  half.dispose();
  const best = (name: string) => times.get(name)!.best;
  const over = (a: string, b: string) => best(a) / best(b);
  const slower = (a: string, b: string) =>
    slow.get(a)!.best / slow.get(b)!.best;
  return {
    errors,
    forward: over("read floor", "forward"),
    gradient: over("scale floor", "forward + gradient"),
    plainForward: over("read floor", "plain SIMD forward"),
    plainGradient: over("scale floor", "plain SIMD forward + gradient"),
    script: slower("plain TypeScript", "forward"),
    scriptGradient: slower("plain TypeScript + gradient", "forward + gradient"),
    foreign: over("foreign forward", "forward"),
    foreignGradient: over("foreign forward + gradient", "forward + gradient"),
    bf16: over("bf16 forward", "forward"),
    ignored: IGNORED.map((share) =>
      over(`forward, ${100 * share} % ignored`, "forward")
    ),
    ignoredGradient: IGNORED.map((share) =>
      over(`forward + gradient, ${100 * share} % ignored`, "forward + gradient")
    ),
    gigabytes: 4e-6 * rows * vocabSize / best("read floor"),
  };
}

/** Throws unless both builds are within DESIGN's bounds; the reference does 8 rows. */
function verify(
  rows: number,
  vocabSize: number,
  logits: Float32Array,
  labels: Int32Array,
  fast: Float32Array,
  plain: Float32Array,
): { loss: number; gradient: number } {
  const some = Math.min(rows, 8), length = some * vocabSize;
  const head = logits.subarray(0, length), few = labels.subarray(0, some);
  const expected = lossBy(referenceEngine, head, few).loss;
  const exact = exactGrad(head, few);
  const all = plainLoss(logits, labels, vocabSize);
  const errors = { loss: 0, gradient: 0 };
  for (const [view, deterministic] of [[fast, false], [plain, true]] as const) {
    const part = view.subarray(0, length);
    const whole = maskedCrossEntropy(view, labels, { deterministic });
    const result = maskedCrossEntropyGrad(part, few, {
      deterministic,
      into: "in-place",
    });
    errors.loss = Math.max(errors.loss, lossError(result.loss, expected));
    errors.gradient = Math.max(
      errors.gradient,
      gradError(result.gradLogits, exact, vocabSize),
    );
    if (!(lossError(whole.loss, all) <= 1e-6)) {
      throw new Error(
        `Cannot time ${rows} x ${vocabSize}: ${whole.loss}, not ${all}`,
      );
    }
  }
  if (!(errors.loss <= 1e-6 && errors.gradient <= 2e-6)) {
    throw new Error(
      `Cannot time ${rows} x ${vocabSize}: errors ${JSON.stringify(errors)}`,
    );
  }
  return errors;
}

/** One row through the public function, against the plain loop. */
function measureOne(vocabSize: number): number {
  const { logits, labels } = makeBatch(1, vocabSize);
  const calls = Math.ceil(2e6 / vocabSize);
  const times = interleave([
    { name: "ours", run: () => maskedCrossEntropy(logits, labels), calls },
    { name: "plain", run: () => plainLoss(logits, labels, vocabSize), calls },
  ], 30);
  return times.get("plain")!.best / times.get("ours")!.best;
}

const two = (n: number) => n.toFixed(2);
const times = (n: number) => `${n.toFixed(1)}x`;

function main(): void {
  const rounds = Number(
    Deno.args.find((arg) => arg.startsWith("--rounds="))?.slice(9) ?? 21,
  );
  say("# Results");
  say();
  say(`${machine()}; default build: ${fastestBuild()} SIMD.`);
  say("Ratios of best times, interleaved in one process: `deno task bench`.");
  say();
  const small = [100, 1000].map((v) => [v, measureOne(v)] as const);
  const found = SHAPES.map(([rows, vocabSize]) => {
    console.error(`measuring ${rows} x ${vocabSize} ...`);
    return measure(rows, vocabSize, rounds);
  });
  const row = (name: string, pick: (m: typeof found[0]) => string) =>
    say(`| ${name} | ${found.map(pick).join(" | ")} |`);
  say(`| | ${SHAPES.map(([n, v]) => `${n} x ${v}`).join(" | ")} |`);
  say(`|---|${SHAPES.map(() => "---").join("|")}|`);
  row("read floor, GB/s", (m) => m.gigabytes.toFixed(1));
  row("forward / read floor", (m) => two(m.forward));
  row("forward + gradient in place / scale floor", (m) => two(m.gradient));
  row("plain SIMD: forward / read floor", (m) => two(m.plainForward));
  row(
    "plain SIMD: forward + gradient / scale floor",
    (m) => two(m.plainGradient),
  );
  row("plain TypeScript / forward", (m) => times(m.script));
  row("plain TypeScript / forward + gradient", (m) => times(m.scriptGradient));
  row("foreign array / workspace: forward", (m) => times(m.foreign));
  row(
    "foreign array / workspace: forward + gradient",
    (m) => times(m.foreignGradient),
  );
  row("bf16 / f32: forward", (m) => times(m.bf16));
  IGNORED.forEach((share, i) => {
    row(`forward, ${100 * share} % ignored / none`, (m) => two(m.ignored[i]!));
    row(
      `forward + gradient, ${100 * share} % ignored / none`,
      (m) => two(m.ignoredGradient[i]!),
    );
  });
  row("loss error, worst build", (m) => m.errors.loss.toExponential(1));
  row("gradient error, worst build", (m) => m.errors.gradient.toExponential(1));
  say();
  say(
    "One row through the public function, plain TypeScript / ours: " +
      small.map(([v, ratio]) => `V = ${v}: ${times(ratio)}`).join(", ") + ".",
  );
  say();
  figures(found[0]!, small[0]![1]);
  if (Deno.args.includes("--save")) {
    Deno.writeTextFileSync("bench/RESULTS.md", lines.join("\n") + "\n");
    console.error("saved to bench/RESULTS.md");
  }
}

/** The figures that were set, at (512, 32000), and whether each was reached. */
function figures(m: ReturnType<typeof measure>, one: number): void {
  const [, p75, p90] = m.ignored, g75 = m.ignoredGradient[1]!;
  const table: [string, number, number, number, 1 | -1][] = [
    ["forward / read floor", m.forward, 0.6, 0.7, 1],
    ["forward + gradient in place / scale floor", m.gradient, 0.5, 0.6, 1],
    ["plain SIMD forward / read floor", m.plainForward, 0.3, 0.4, 1],
    ["plain TypeScript / forward", m.script, 30, 38, 1],
    ["plain TypeScript / forward + gradient", m.scriptGradient, 25, 38, 1],
    ["forward, 75 % ignored / none", p75!, 0.28, 0.26, -1],
    ["forward, 90 % ignored / none", p90!, 0.13, 0.11, -1],
    ["forward + gradient, 75 % ignored / none", g75, 0.7, 0.6, -1],
    ["foreign / workspace, forward", m.foreign, 1.6, 1.4, -1],
    ["foreign / workspace, forward + gradient", m.foreignGradient, 2, 1.6, -1],
    ["one row of 100, plain TypeScript / ours", one, 8, 12, 1],
    ["loss error", m.errors.loss, 1e-6, 3e-7, -1],
    ["gradient error", m.errors.gradient, 2e-6, 5e-7, -1],
  ];
  const short = (n: number) =>
    n < 1e-3 ? n.toExponential(1) : String(+n.toFixed(2));
  say("| figure at 512 x 32000 | measured | at least | aim | |");
  say("|---|---|---|---|---|");
  for (const [name, value, least, aim, sign] of table) {
    const verdict = sign * (value - aim) >= 0
      ? "aim reached"
      : sign * (value - least) >= 0
      ? "reached"
      : "missed";
    say(
      `| ${name} | ${short(value)} | ${short(least)} | ${
        short(aim)
      } | ${verdict} |`,
    );
  }
}

if (import.meta.main) main();

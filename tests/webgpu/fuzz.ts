/**
 * Cases of the fuzzer on the GPU, by way of its engine: within the bounds of the
 * reference, or of what float32 can hold.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { GradOptions, Logits } from "../../src/contract.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { exactGrad, gradBound, loss, lossError, lossGrad } from "../engines.ts";
import { type Case, describe, makeCase } from "../fuzz/cases.ts";
import { onGpus } from "./lanes.ts";
import { ReplayEngine } from "./replay.ts";

const engine = new ReplayEngine();

/** What is float32's to say about a gradient: all of a row's largest where two terms cancel, nothing below its smallest numbers. */
function gradientFault(
  actual: ArrayLike<number>,
  exact: Float64Array,
  vocabSize: number,
  options: GradOptions,
): string | null {
  const cancels = options.labelSmoothing || options.zLoss;
  const share = cancels ? 1 : 1e-4;
  const bound = gradBound(engine, options);
  for (let row = 0; row < exact.length; row += vocabSize) {
    let top = 0;
    for (let k = row; k < row + vocabSize; k++) {
      top = Math.max(top, Math.abs(exact[k]!));
    }
    for (let k = row; k < row + vocabSize; k++) {
      const a = actual[k]!, e = exact[k]!;
      if (Object.is(a, e) || Math.abs(a - e) <= 1e-36) continue;
      // where the whole gradient is what was left of larger terms
      if (cancels && Math.abs(a - e) <= 1e-6 * scaleOf(options)) continue;
      const error = Math.abs(a - e) / (Math.abs(e) + share * top);
      if (!(error <= bound)) return `gradient [${k}] ${a}, not ${e}`;
    }
  }
  return null;
}

/** The size of the terms of a gradient, whatever is left of them. */
function scaleOf({ upstream, denominator }: GradOptions): number {
  const list = typeof upstream === "number" ? [upstream] : upstream ?? [1];
  const most = Math.max(...Array.from(list, Math.abs));
  return 3 * most / Math.min(1, denominator ?? 1);
}

function faultOf(c: Case): string | null {
  const { logits, labels, options, vocabSize, dims } = c;
  const asked: Logits = dims ? { data: logits, dims } : logits;
  const all = { ...options, perToken: true, logSumExp: true };
  const { upstream: _, ...plain } = all;
  const truth = loss(referenceEngine, asked, labels, plain);
  const exact = exactGrad(asked, labels, options);
  const found = lossGrad(engine, asked, labels, all);
  for (const key of ["perToken", "logSumExp"] as const) {
    for (const [i, e] of truth[key]!.entries()) {
      const a = found[key]![i]!;
      if (!(lossError(a, e) <= 1e-6)) return `${key}[${i}] ${a}, not ${e}`;
    }
  }
  for (const key of ["activeTokens", "nonFiniteRows", "weightSum"] as const) {
    if (found[key] !== truth[key]) return `${key} ${found[key]}`;
  }
  if (found.metrics) {
    const { correct, entropy } = truth.metrics!;
    // a saturated softcap makes ties out of roundings
    if (!options.softcap && found.metrics.correct !== correct) {
      return `correct ${found.metrics.correct}, not ${correct}`;
    }
    const off = lossError(found.metrics.entropy, entropy);
    if (!(off <= 2e-6)) return `entropy is off by ${off}`;
  }
  return gradientFault(found.gradLogits, exact, vocabSize, options);
}

for (let block = 0; block < 1; block++) {
  const first = 25 * block;
  onGpus(
    `fuzz: cases ${first} to ${first + 24} hold on the GPU`,
    async (gpu) => {
      const cases = Array.from({ length: 25 }, (_, i) => makeCase(first + i));
      let broken: string[] = [];
      await engine.run(gpu, () => {
        broken = cases.flatMap((c) => {
          const fault = faultOf(c);
          return fault === null ? [] : [`${describe(c)}\n    ${fault}`];
        });
      });
      assertEquals(broken.length, 0, broken.join("\n  "));
    },
  );
}

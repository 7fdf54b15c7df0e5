/**
 * Every engine against PyTorch in float64: tests/vectors/torch.jsonl, made by
 * scripts/make_vectors.py.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { GradOptions, LogitsType } from "../../src/contract.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import {
  gradBound,
  gradError,
  gradShare,
  loss,
  lossError,
  lossGrad,
  onEngines,
} from "../engines.ts";

interface Case {
  name: string;
  logits: number[];
  labels: number[];
  vocabSize: number;
  options: GradOptions & { dtype?: LogitsType };
  expected: {
    loss: number;
    sum: number;
    weightSum: number;
    denominator: number;
    activeTokens: number;
    totalTokens: number;
    perToken: number[];
    logSumExp: number[];
    gradLogits?: number[];
  };
}

const SPECIAL: Record<string, number> = {
  "NaN": NaN,
  "Infinity": Infinity,
  "-Infinity": -Infinity,
};

const lines = Deno.readTextFileSync(
  new URL("../vectors/torch.jsonl", import.meta.url),
).trim().split("\n");
const cases = lines.slice(1).map((line) =>
  JSON.parse(
    line,
    (_, value) =>
      typeof value === "string" && value in SPECIAL ? SPECIAL[value] : value,
  ) as Case
);

function stored({ logits, options }: Case): Float32Array | Uint16Array {
  if (options.dtype === "bf16") return Uint16Array.from(logits, encodeBf16);
  if (options.dtype === "f16") return Uint16Array.from(logits, encodeF16);
  return Float32Array.from(logits);
}

/** DESIGN's bounds for the float32 engines; the reference is held to them too. */
const LOSS_BOUND = 1e-6;

for (const test of cases) {
  onEngines(`PyTorch agrees: ${test.name}`, (engine) => {
    const { expected, vocabSize } = test;
    const options = { ...test.options, perToken: true, logSumExp: true };
    const logits = stored(test);
    const copy = logits.slice();
    const result = loss(engine, logits, test.labels, options);
    const close = (actual: number, wanted: number, what: string) =>
      assert(
        lossError(actual, wanted) <= LOSS_BOUND,
        `${what}: ${actual}, PyTorch says ${wanted}`,
      );
    close(result.loss, expected.loss, "loss");
    close(result.sum, expected.sum, "sum");
    close(result.weightSum, expected.weightSum, "weightSum");
    close(result.denominator, expected.denominator, "denominator");
    assertEquals(result.activeTokens, expected.activeTokens);
    assertEquals(result.totalTokens, expected.totalTokens);
    for (const [i, wanted] of expected.perToken.entries()) {
      close(result.perToken![i]!, wanted, `perToken[${i}]`);
      close(result.logSumExp![i]!, expected.logSumExp[i]!, `logSumExp[${i}]`);
      // a confident label's loss is tiny and must still have five digits
      const relative = Math.abs(result.perToken![i]! - wanted) /
        Math.abs(wanted);
      if (test.name.startsWith("confident label") && wanted !== 0) {
        assert(relative <= 1e-5, `perToken[${i}] is off by ${relative}`);
      }
    }
    assertEquals(logits, copy, "the logits were written to");
    if (expected.gradLogits === undefined) return;
    const grad = lossGrad(engine, logits, test.labels, options);
    assertEquals(grad.loss, result.loss, "loss with gradient");
    const error = gradError(
      grad.gradLogits,
      expected.gradLogits,
      vocabSize,
      gradShare(engine, test.options),
    );
    assert(
      error <= gradBound(engine, test.options),
      `gradient is off by ${error}`,
    );
    assertEquals(logits, copy, "the logits were written to");
  });
}

/** Loss and gradient of (64, 32000) logits: in place, to a new array, and by a plain loop. */
import { createLossWorkspace, maskedCrossEntropyGrad } from "../mod.ts";
import { makeBatch, plainLossGrad, verify } from "./data.ts";

const { logits, labels, rows, vocabSize } = makeBatch(64, 32000);
const expected = new Float32Array(logits.length);
const loss = plainLossGrad(logits, labels, vocabSize, expected);
const group = `forward and gradient, (${rows}, ${vocabSize})`;

Deno.bench({ name: "plain TypeScript", group, baseline: true }, () => {
  plainLossGrad(logits, labels, vocabSize, expected);
});

for (const deterministic of [false, true]) {
  const build = deterministic ? "plain SIMD" : "fastest build";
  const workspace = createLossWorkspace({ rows, vocabSize, deterministic });
  const data = workspace.logits as Float32Array;
  const options = { deterministic, into: "in-place" } as const;
  const name = `${build}, in place in a workspace`;
  data.set(logits);
  verify(name, maskedCrossEntropyGrad(data, labels, options).loss, loss);
  data.forEach((g, i) => verify(name, g, expected[i]!, 1e-7));
  Deno.bench({ name, group }, (b) => {
    data.set(logits);
    b.start();
    maskedCrossEntropyGrad(data, labels, options);
    b.end();
  });
}

const made = maskedCrossEntropyGrad(logits, labels);
made.gradLogits.forEach((g, i) => verify("new", g, expected[i]!, 1e-7));
Deno.bench({ name: "fastest build, a new array", group }, () => {
  maskedCrossEntropyGrad(logits, labels);
});

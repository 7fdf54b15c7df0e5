/** One pass over each row: the loss of (64, 32000) logits, by both builds and by a plain loop. */
import { createLossWorkspace, maskedCrossEntropy } from "../mod.ts";
import { makeBatch, plainLoss, verify } from "./data.ts";

const { logits, labels, rows, vocabSize } = makeBatch(64, 32000);
const expected = plainLoss(logits, labels, vocabSize);
const group = `forward, (${rows}, ${vocabSize})`;

Deno.bench({ name: "plain TypeScript", group, baseline: true }, () => {
  plainLoss(logits, labels, vocabSize);
});

for (const deterministic of [false, true]) {
  const build = deterministic ? "plain SIMD" : "fastest build";
  const workspace = createLossWorkspace({ rows, vocabSize, deterministic });
  workspace.logits.set(logits);
  const options = { deterministic };
  for (
    const [where, data] of [
      ["workspace", workspace.logits],
      ["foreign array", logits],
    ] as const
  ) {
    const name = `${build}, ${where}`;
    verify(name, maskedCrossEntropy(data, labels, options).loss, expected);
    Deno.bench({ name, group }, () => {
      maskedCrossEntropy(data, labels, options);
    });
  }
}

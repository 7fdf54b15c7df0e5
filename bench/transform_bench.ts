/** What storage and transforms cost: the loss of (64, 32000) logits as halves, and capped. */
import {
  createLossWorkspace,
  type LogitsType,
  type LossOptions,
  maskedCrossEntropy,
} from "../mod.ts";
import { encodeBf16, encodeF16 } from "../src/half.ts";
import { referenceEngine } from "../src/reference/engine.ts";
import { loss } from "../tests/engines.ts";
import { makeBatch, verify } from "./data.ts";

const { logits, labels, rows, vocabSize } = makeBatch(64, 32000);
const few = 2 * vocabSize; // the reference is slow: two rows are proof enough
const group = `forward, (${rows}, ${vocabSize})`;

function time(name: string, dtype: LogitsType, options: LossOptions): void {
  const workspace = createLossWorkspace({ rows, vocabSize, dtype });
  const data = workspace.logits;
  if (dtype === "f32") data.set(logits);
  else data.set(logits.map(dtype === "bf16" ? encodeBf16 : encodeF16));
  const all = { ...options, dtype };
  const sample = data.slice(0, few), targets = labels.subarray(0, 2);
  const expected = loss(referenceEngine, sample, targets, all).loss;
  verify(name, maskedCrossEntropy(sample, targets, all).loss, expected);
  Deno.bench({ name, group, baseline: name === "float32" }, () => {
    maskedCrossEntropy(data, labels, all);
  });
}

time("float32", "f32", {});
time("bf16", "bf16", {});
time("f16", "f16", {});
time("float32, softcap 30", "f32", { softcap: 30 });
time("float32, scaled", "f32", { logitScale: 0.5 });

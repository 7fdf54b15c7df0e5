/** The label's logit of 1024 rows, half of them ignored: clamp-then-mask against an if. */
import { fastestBuild, instantiate } from "../src/wasm/loader.ts";
import { tablesOf } from "../src/wasm/memory.ts";
import { IGNORE, makeBatch, verify } from "./data.ts";

const { logits, labels, rows, vocabSize } = makeBatch(1024, 2000, 0.5);
const kernels = instantiate(fastestBuild());
const at = Math.ceil(kernels.heap_base() / 64) * 64;
kernels.memory.grow(Math.ceil((at + 4 * logits.length) / 65536));
const { buffer } = kernels.memory;
new Float32Array(buffer, at, logits.length).set(logits);
const tables = tablesOf(kernels);
tables.labels.set(labels);
const gathered = tables.gathered.subarray(0, rows);

const run = () => kernels.gather(at, rows, vocabSize, 4 * vocabSize, 0, IGNORE);

const out = new Float64Array(rows);
function plain(): void {
  for (let i = 0; i < rows; i++) {
    const label = labels[i]!;
    out[i] = label === IGNORE ? 0 : logits[i * vocabSize + label]!;
  }
}

run();
plain();
out.forEach((value, i) => verify(`row ${i}`, gathered[i]!, value, 0));

const group = `gather, (${rows}, ${vocabSize}), half ignored`;
Deno.bench({ name: "plain TypeScript", group, baseline: true }, plain);
Deno.bench({ name: "kernel", group }, run);

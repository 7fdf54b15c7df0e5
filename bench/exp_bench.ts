/** e^(x - reference) of a row of 32000 logits, in place: both builds against Math.exp. */
import { fastestBuild } from "../src/wasm/loader.ts";
import { normalLogits } from "../tests/engines.ts";
import { instantiateAlone } from "../tests/kernels/bare.ts";
import { verify } from "./data.ts";

const V = 32000;
const logits = normalLogits(V, 1);
const group = `exponentials of ${V} logits`;

const row = new Float32Array(V);
Deno.bench({ name: "plain TypeScript", group, baseline: true }, (b) => {
  row.set(logits);
  b.start();
  for (let k = 0; k < V; k++) row[k] = Math.exp(row[k]!);
  b.end();
});

for (const build of new Set(["simd", fastestBuild()] as const)) {
  const kernels = instantiateAlone(build);
  const at = Math.ceil(kernels.heap_base() / 64) * 64;
  kernels.memory.grow(4);
  const own = new Float32Array(kernels.memory.buffer, at, V);
  // a label outside the row: nothing is left out
  const run = () => kernels.row_exponentials(at, V, at + 4 * V);
  own.set(logits);
  run();
  const scale = Math.exp(-kernels.row_value(0));
  own.forEach((y, k) => verify(build, y / scale / Math.exp(logits[k]!), 1));
  Deno.bench({ name: build, group }, (b) => {
    own.set(logits);
    b.start();
    run();
    b.end();
  });
}

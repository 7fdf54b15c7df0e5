/** The sum of 4096 losses: correctly rounded by the kernel and by the reference, and merely added. */
import { exactTerms, roundedSum } from "../src/reference/exact_sum.ts";
import { WasmEngine } from "../src/wasm/engine.ts";
import { fastestBuild } from "../src/wasm/loader.ts";
import { seeded } from "../tests/engines.ts";
import { verify } from "./data.ts";

const random = seeded(3);
const losses = Float64Array.from({ length: 4096 }, () => -Math.log(random()));
const engine = new WasmEngine(fastestBuild());

const naive = () => losses.reduce((sum, x) => sum + x, 0);
const reference = () => roundedSum(exactTerms(losses, losses.length));
const kernel = () => roundedSum(engine.sumTerms(losses, losses.length));

verify("the naive sum", naive(), reference(), 1e-12);
verify("the kernel", kernel(), reference(), 0);

const group = `sum of ${losses.length} losses`;
Deno.bench({ name: "naive, rounded each time", group, baseline: true }, () => {
  naive();
});
Deno.bench({ name: "exact, kernel", group }, () => {
  kernel();
});
Deno.bench({ name: "exact, reference", group }, () => {
  reference();
});

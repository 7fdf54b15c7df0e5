/** The sum of 4096 losses: correctly rounded, and merely added. */
import { exactTerms, roundedSum } from "../src/reference/exact_sum.ts";
import { seeded } from "../tests/engines.ts";
import { verify } from "./data.ts";

const random = seeded(3);
const losses = Float64Array.from({ length: 4096 }, () => -Math.log(random()));

const naive = () => losses.reduce((sum, x) => sum + x, 0);
const exact = () => roundedSum(exactTerms(losses));

verify("the naive sum", naive(), exact(), 1e-12);

const group = `sum of ${losses.length} losses`;
Deno.bench({ name: "naive, rounded each time", group, baseline: true }, () => {
  naive();
});
Deno.bench({ name: "exact", group }, () => {
  exact();
});

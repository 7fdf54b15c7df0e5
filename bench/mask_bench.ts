/** Labels of 100 000 tokens from 200 spans: maskLabels against a plain loop. */
import { maskLabels, type TokenSpan } from "../mod.ts";
import { IGNORE, verify } from "./data.ts";

const TOKENS = 100_000;
const inputIds = Int32Array.from(
  { length: TOKENS },
  (_, t) => t * 7919 % 151936,
);
const spans = Array.from(
  { length: 200 },
  (_, i): TokenSpan => [500 * i + 150, 500 * i + 400],
);

function plain(): Int32Array {
  const labels = new Int32Array(TOKENS).fill(IGNORE);
  for (const [start, end] of spans) {
    for (let t = start; t < end; t++) labels[t] = inputIds[t]!;
  }
  return labels;
}

const expected = plain();
maskLabels(inputIds, spans).forEach((label, t) => {
  verify(`token ${t}`, label, expected[t]!, 0);
});

const group = `labels of ${TOKENS} tokens, half of them trained`;
Deno.bench({ name: "plain TypeScript", group, baseline: true }, () => {
  plain();
});
Deno.bench({ name: "maskLabels", group }, () => {
  maskLabels(inputIds, spans);
});
const plainIds = Array.from(inputIds);
Deno.bench({ name: "maskLabels of number[]", group }, () => {
  maskLabels(plainIds, spans);
});

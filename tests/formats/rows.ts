/**
 * Made-up rows as trainers' columns, the same for every run of a seed.
 *
 * @module
 */
import { columnsOf, type TrainerColumns } from "../../src/formats/mod.ts";

/** Row groups of packed rows with weights and a certificate; `tokens` is the most a row has. */
export function groupsOf(
  { groups, rows, tokens, seed = 1 }: {
    groups: number;
    rows: number;
    tokens: number;
    seed?: number;
  },
): TrainerColumns[][] {
  let state = seed;
  // a linear congruential generator; Numerical Recipes' constants
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  const row = (): TrainerColumns => {
    const length = next(tokens + 1);
    const inputIds = Int32Array.from({ length }, () => next(151_936));
    const labels = inputIds.map((id) => next(2) === 0 ? id : -100);
    const weights = Float64Array.from(
      labels,
      (y) => y < 0 ? 0 : next(1000) / 7,
    );
    const cut = next(length + 1);
    return columnsOf({
      inputIds,
      labels,
      weights,
      cuSeqlens: [0, cut, length],
      certificate: { trainedTokens: labels.filter((y) => y >= 0).length },
    });
  };
  return Array.from(
    { length: groups },
    () => Array.from({ length: rows }, row),
  );
}

/**
 * Interleaved timing: every case once, then every case again, round after round
 * in one process, so that whatever else the machine does falls on all alike. Of
 * each case the best and the median are kept; figures are ratios of bests.
 *
 * @module
 */
import { cpus } from "node:os";

/** One thing to time. `before` runs outside the clock, e.g. to refill what is overwritten. */
export interface Timed {
  name: string;
  run: () => unknown;
  before?: () => void;
  /** Calls per measurement, for what is too short for the clock (default 1). */
  calls?: number;
}

/** What was found for one case, in milliseconds per call. */
export interface Timing {
  best: number;
  median: number;
}

/** Where results go so that no optimiser may drop them. */
export let sink: unknown;

/** Times all cases, interleaved; three rounds warm up, `rounds` count. */
export function interleave(
  cases: readonly Timed[],
  rounds: number,
): Map<string, Timing> {
  const times = new Map(cases.map(({ name }) => [name, [] as number[]]));
  for (let round = -3; round < rounds; round++) {
    for (const { name, run, before, calls = 1 } of cases) {
      before?.();
      const start = performance.now();
      for (let i = 0; i < calls; i++) sink = run();
      const time = (performance.now() - start) / calls;
      if (round >= 0) times.get(name)!.push(time);
    }
  }
  return new Map([...times].map(([name, list]) => {
    list.sort((a, b) => a - b);
    return [name, { best: list[0]!, median: list[list.length >> 1]! }];
  }));
}

/** The machine, in one line. */
export function machine(): string {
  const { deno, v8 } = Deno.version;
  const [first, ...others] = cpus();
  return `${first?.model.trim() ?? "an unnamed processor"}, ${
    others.length + 1
  } logical cores, ${Deno.build.target}, Deno ${deno}, V8 ${v8}`;
}

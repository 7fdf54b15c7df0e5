/**
 * What threads gain: the loss on 1, 2, 4, ... threads over the loss on one, beside
 * a bare loop of multiply-adds on as many threads over itself on one. The figure
 * is the ratio of the two gains.
 *
 * All are timed in turn in one process, each between two runs of the bare loop on
 * as many threads. A shared machine takes processors away for a while and gives
 * them back: a time counts only if both runs beside it are within a tenth of the
 * bare loop's best, and rounds go on until enough times count.
 *
 *     deno task bench:parallel
 *
 * @module
 */
import {
  createLossWorkspace,
  type LossOptions,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
} from "../mod.ts";
import { createParallelEngine } from "../src/parallel/mod.ts";
import { makeBatch, verify } from "./data.ts";
import { machine } from "./harness.ts";
import { startFma } from "./parallel_fma.ts";

/** Times that count for each case, and how few will do after so many seconds. */
const WANTED = 25, LEAST = 8, MOST = 60;

/** Pieces of the bare loop: some 4 ms on one thread, about as long as what is timed. */
const PIECES = 100;

/** How much longer than its best the bare loop may take beside a time that counts. */
const QUIET = 1.1;

/** Rows, columns, and options if any: the last is one row, in tiles of columns. */
const SHAPES: [rows: number, vocabSize: number, options?: LossOptions][] = [
  [512, 32000],
  [128, 128256],
  [4096, 4096],
  [64, 1000],
  [1, 151936, { softcap: 30, metrics: true }],
];
const AIMS = { least: 0.85, aim: 0.95 };
const IN_PLACE = { into: "in-place" } as const;

/** What is timed, on some number of threads. */
interface Case {
  what: string;
  run: () => unknown;
  /** Outside the clock. */
  before?: () => void;
}

/** All that is timed on one number of threads. */
interface Team {
  threads: number;
  bare(): void;
  cases: Case[];
  stop(): void;
}

/** One timing, in milliseconds, with those of the bare loop around it. */
interface Sample {
  before: number;
  time: number;
  after: number;
}

/** 1, 2, 4, ... up to what the machine runs at once. */
function counts(): number[] {
  const top = navigator.hardwareConcurrency, list = [];
  for (let threads = 1; threads < top; threads *= 2) list.push(threads);
  return [...list, top];
}

/** One thread is the root module's own functions and workspace. */
async function openTeam(
  threads: number,
  { logits, labels, rows, vocabSize }: ReturnType<typeof makeBatch>,
  options: LossOptions,
): Promise<Team> {
  const fma = await startFma(threads);
  const engine = await createParallelEngine({ threads });
  if (engine.threads !== threads) throw new Error(`${engine.reason}`);
  const lone = threads === 1;
  const workspace = lone
    ? createLossWorkspace({ rows, vocabSize })
    : engine.createWorkspace({ rows, vocabSize });
  const fill = () => workspace.logits.set(logits);
  const score = lone
    ? maskedCrossEntropy
    : engine.maskedCrossEntropy.bind(engine);
  const slope = lone
    ? maskedCrossEntropyGrad
    : engine.maskedCrossEntropyGrad.bind(engine);
  fill();
  const found = score(workspace.logits, labels, options).loss;
  verify("loss", found, maskedCrossEntropy(logits, labels, options).loss, 0);
  const own = workspace.logits;
  return {
    threads,
    bare: () => fma.run(PIECES),
    cases: [
      { what: "forward", before: fill, run: () => score(own, labels, options) },
      {
        what: "forward + gradient in place",
        before: fill,
        run: () => slope(own, labels, { ...options, ...IN_PLACE }),
      },
      {
        what: "forward, foreign array",
        run: () => score(logits, labels, options),
      },
      {
        what: "forward + new gradient, foreign array",
        run: () => slope(logits, labels, options),
      },
    ],
    stop: () => {
      fma.stop();
      workspace.dispose();
      engine.dispose();
    },
  };
}

/** One case on some threads, against one thread and against the bare loop; medians of what counts. */
interface Line {
  what: string;
  threads: number;
  /** How many times counted, of how many. */
  counted: string;
  /** Milliseconds. */
  time: number;
  /** One thread's time over these threads'. */
  gain: number;
  /** The same of the bare loop. */
  bare: number;
}

async function measure(
  rows: number,
  vocabSize: number,
  options: LossOptions,
): Promise<Line[]> {
  const batch = makeBatch(rows, vocabSize);
  const teams: Team[] = [];
  for (const threads of counts()) {
    teams.push(await openTeam(threads, batch, options));
  }
  // samples[team][case]
  const samples = teams.map(({ cases }) => cases.map((): Sample[] => []));
  const best = teams.map(() => Infinity);
  const counting = (t: number, c: number) =>
    samples[t]![c]!.filter(({ before, after }) =>
      Math.max(before, after) <= QUIET * best[t]!
    );
  const enough = () =>
    samples.every((team, t) =>
      team.every((_, c) => counting(t, c).length >= WANTED)
    );
  const end = performance.now() + 1000 * MOST;
  for (let round = -3; performance.now() < end && !enough(); round++) {
    for (let c = 0; c < teams[0]!.cases.length; c++) {
      for (const [t, { bare, cases }] of teams.entries()) {
        cases[c]!.before?.();
        const before = timed(bare);
        const time = timed(cases[c]!.run);
        const after = timed(bare);
        if (round < 0) continue;
        best[t] = Math.min(best[t]!, before, after);
        samples[t]![c]!.push({ before, time, after });
      }
    }
  }
  for (const team of teams) team.stop();
  return teams[0]!.cases.flatMap(({ what }, c) => {
    const medians = teams.map((_, t) => {
      const list = counting(t, c);
      if (list.length < LEAST) {
        throw new Error(
          `Cannot time ${what} on ${
            teams[t]!.threads
          } threads, the machine is too busy: ${list.length} of ${
            samples[t]![c]!.length
          } times count`,
        );
      }
      return {
        time: median(list.map(({ time }) => time)),
        bare: median(list.flatMap(({ before, after }) => [before, after])),
        counted: `${list.length} of ${samples[t]![c]!.length}`,
      };
    });
    const [one, ...others] = medians;
    return others.map(({ time, bare, counted }, i) => ({
      what,
      threads: teams[i + 1]!.threads,
      counted,
      time,
      gain: one!.time / time,
      bare: one!.bare / bare,
    }));
  });
}

function timed(run: () => unknown): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

function median(list: number[]): number {
  return list.sort((a, b) => a - b)[list.length >> 1] ?? NaN;
}

function verdict(share: number): string {
  if (share >= AIMS.aim) return "aim reached";
  return share >= AIMS.least ? "reached" : "missed";
}

/** Rows of cells as a table of Markdown, in the form that `deno fmt` gives it. */
function table(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, c) =>
    Math.max(3, ...rows.map((row) => row[c]!.length))
  );
  const line = (row: string[]) =>
    `| ${row.map((cell, c) => cell.padEnd(widths[c]!)).join(" | ")} |`;
  const [head, ...body] = rows;
  const rule = widths.map((width) => "-".repeat(width));
  return [line(head!), line(rule), ...body.map(line)];
}

async function main(): Promise<void> {
  const x = (n: number) => `${n.toFixed(2)}x`;
  const lines = [
    ["shape", "what", "threads", "times that count", "ms", "gain"]
      .concat(["bare loop's gain", "gain / bare"]),
  ];
  const figures = [[
    "figure at 512 x 32000",
    "measured",
    "at least",
    "aim",
    "",
  ]];
  for (const [rows, vocabSize, options = {}] of SHAPES) {
    const shape = [`${rows} x ${vocabSize}`, ...Object.keys(options)];
    for (
      const { what, threads, counted, time, gain, bare } of await measure(
        rows,
        vocabSize,
        options,
      )
    ) {
      const share = gain / bare;
      lines.push(
        [shape.join(", "), what, `${threads}`, counted, time.toFixed(2)]
          .concat([x(gain), x(bare), share.toFixed(2)]),
      );
      console.log(lines.at(-1)!.join("  "));
      if (rows !== 512 || what.includes("foreign")) continue;
      figures.push(
        [`${what}, ${threads} threads / bare loop`, share.toFixed(2)]
          .concat([`${AIMS.least}`, `${AIMS.aim}`, verdict(share)]),
      );
    }
  }
  console.log(figures.map((row) => row.join("  ")).join("\n"));
  const text = [
    "# Threads",
    "",
    `${machine()}; default build: relaxed SIMD. \`deno task bench:parallel\`.`,
    "Medians, in one process, of times beside which the bare loop on as many threads ran at its best (within a tenth, just",
    "before and just after); a shared machine takes processors away for whiles, and such times do not count. The gain is one",
    "thread's time over many threads'; the bare loop is multiply-adds in registers, its pieces handed out in the same way.",
    "",
    ...table(lines),
    "",
    ...table(figures),
    "",
  ];
  Deno.writeTextFileSync("bench/RESULTS_PARALLEL.md", text.join("\n"));
}

if (import.meta.main) await main();

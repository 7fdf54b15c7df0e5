/**
 * What threads gain: the loss on 1, 2, 4, ... threads over the loss on one, beside
 * a bare loop of multiply-adds on as many threads over itself on one. All are
 * timed in turn in one process. The figure is the ratio of the two gains: of best
 * times, and as the median over the rounds of the ratio within a round, in which
 * whatever else the machine does falls on both alike.
 *
 *     deno run --allow-read=. --allow-sys=cpus --allow-write=bench bench/parallel.ts
 *
 * @module
 */
import {
  createLossWorkspace,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
} from "../mod.ts";
import { createParallelEngine } from "../src/parallel/mod.ts";
import { makeBatch, verify } from "./data.ts";
import { machine } from "./harness.ts";
import { startFma } from "./parallel_fma.ts";

const ROUNDS = 61;

/** Pieces of the bare loop; some 5 ms on one thread. */
const PIECES = 100;

const SHAPES = [[512, 32000], [128, 128256], [4096, 4096], [64, 1000]] as const;
const AIMS = { least: 0.85, aim: 0.95 };
const IN_PLACE = { into: "in-place" } as const;

/** What is timed, on some number of threads. */
interface Case {
  what: string;
  run: () => unknown;
  /** Outside the clock. */
  before?: () => void;
}

/** All that is timed on one number of threads; the bare loop is the first. */
interface Team {
  threads: number;
  cases: Case[];
  stop(): void;
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
  const found = score(workspace.logits, labels).loss;
  verify("loss", found, maskedCrossEntropy(logits, labels).loss, 0);
  const own = workspace.logits;
  return {
    threads,
    cases: [
      { what: "bare loop", run: () => fma.run(PIECES) },
      { what: "forward", before: fill, run: () => score(own, labels) },
      {
        what: "forward + gradient in place",
        before: fill,
        run: () => slope(own, labels, IN_PLACE),
      },
      { what: "forward, foreign array", run: () => score(logits, labels) },
      {
        what: "forward + new gradient, foreign array",
        run: () => slope(logits, labels),
      },
    ],
    stop: () => {
      fma.stop();
      workspace.dispose();
      engine.dispose();
    },
  };
}

/** One case on some threads, against one thread and against the bare loop. */
interface Line {
  what: string;
  threads: number;
  /** Best time, in milliseconds. */
  best: number;
  /** One thread's best over these threads' best. */
  gain: number;
  /** The same of the bare loop. */
  bare: number;
  /** gain / bare. */
  share: number;
  /** The median over rounds of the same ratio within a round. */
  paired: number;
}

async function measure(rows: number, vocabSize: number): Promise<Line[]> {
  const batch = makeBatch(rows, vocabSize);
  const teams: Team[] = [];
  for (const threads of counts()) teams.push(await openTeam(threads, batch));
  // times[team][case][round]
  const times = teams.map(({ cases }) => cases.map((): number[] => []));
  for (let round = -3; round < ROUNDS; round++) {
    for (let c = 0; c < teams[0]!.cases.length; c++) {
      for (const [t, { cases }] of teams.entries()) {
        const { before, run } = cases[c]!;
        before?.();
        const start = performance.now();
        run();
        const time = performance.now() - start;
        if (round >= 0) times[t]![c]!.push(time);
      }
    }
  }
  for (const team of teams) team.stop();
  const [bares, ...kinds] = teams[0]!.cases.map(({ what }, c) => ({
    what,
    lists: times.map((team) => team[c]!),
  }));
  return kinds.flatMap(({ what, lists }) =>
    teams.slice(1).map(({ threads }, i) => {
      const of = ([one, ...others]: number[][]) => ({
        gain: Math.min(...one!) / Math.min(...others[i]!),
        gains: one!.map((time, round) => time / others[i]![round]!),
      });
      const own = of(lists), bare = of(bares!.lists);
      return {
        what,
        threads,
        best: Math.min(...lists[i + 1]!),
        gain: own.gain,
        bare: bare.gain,
        share: own.gain / bare.gain,
        paired: median(own.gains.map((gain, r) => gain / bare.gains[r]!)),
      };
    })
  );
}

function median(list: number[]): number {
  return list.sort((a, b) => a - b)[list.length >> 1]!;
}

function verdict(share: number): string {
  if (share >= AIMS.aim) return "aim reached";
  return share >= AIMS.least ? "reached" : "missed";
}

async function main(): Promise<void> {
  const out: string[] = [
    "# Threads",
    "",
    `${machine()}; default build: relaxed SIMD.`,
    `${ROUNDS} rounds, every case once a round on one thread and on more, in one process: \`bench/parallel.ts\`. The gain is one thread's`,
    "best time over many threads' best; the bare loop is multiply-adds in registers on as many threads. The last column is the",
    "median over the rounds of gain / bare within a round: other work on the machine falls on both.",
    "",
    "| shape | what | threads | ms | gain | bare loop's gain | gain / bare | median |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
  ];
  const figures: Line[] = [];
  const x = (n: number) => `${n.toFixed(2)}x`;
  for (const [rows, vocabSize] of SHAPES) {
    for (const line of await measure(rows, vocabSize)) {
      const { what, threads, best, gain, bare, share, paired } = line;
      if (rows === 512 && !what.includes("foreign")) figures.push(line);
      out.push(
        `| ${rows} x ${vocabSize} | ${what} | ${threads} | ${
          best.toFixed(2)
        } | ${x(gain)} | ${x(bare)} | ${share.toFixed(2)} | ${
          paired.toFixed(2)
        } |`,
      );
      console.log(out.at(-1));
    }
  }
  out.push(
    "",
    "| figure at 512 x 32000 | measured | at least | aim | |",
    "| --- | --- | --- | --- | --- |",
  );
  for (const { what, threads, share } of figures) {
    out.push(
      `| ${what}, ${threads} threads / bare loop | ${
        share.toFixed(2)
      } | ${AIMS.least} | ${AIMS.aim} | ${verdict(share)} |`,
    );
    console.log(out.at(-1));
  }
  Deno.writeTextFileSync("bench/RESULTS_PARALLEL.md", out.join("\n") + "\n");
}

if (import.meta.main) await main();

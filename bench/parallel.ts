/**
 * What threads gain: the loss on 1, 2, 4, ... threads over the loss on one, beside
 * a bare loop of multiply-adds on as many threads over itself on one. All are
 * timed in turn in one process; the ratio of the two scalings is the figure.
 *
 *     deno run --allow-read=. --allow-sys=cpus --allow-write=bench bench/parallel.ts
 *
 * @module
 */
import { createLossWorkspace } from "../mod.ts";
import { maskedCrossEntropy, maskedCrossEntropyGrad } from "../mod.ts";
import { createParallelEngine } from "../src/parallel/mod.ts";
import { makeBatch, verify } from "./data.ts";
import { interleave, machine, type Timed, type Timing } from "./harness.ts";
import { startFma } from "./parallel_fma.ts";

const ROUNDS = 41;

/** Pieces of the bare loop; some 10 ms on one thread. */
const PIECES = 200;

const SHAPES = [[512, 32000], [128, 128256], [4096, 4096], [64, 1000]] as const;
const AIMS = { least: 0.85, aim: 0.95 };
const IN_PLACE = { into: "in-place" } as const;

/** 1, 2, 4, ... up to what the machine runs at once. */
function counts(): number[] {
  const top = navigator.hardwareConcurrency, list = [];
  for (let threads = 1; threads < top; threads *= 2) list.push(threads);
  return [...list, top];
}

interface Line {
  what: string;
  threads: number;
  /** One thread's time over these threads' time, medians. */
  gain: number;
  /** The same of the bare loop. */
  bare: number;
  ms: number;
}

async function measure(rows: number, vocabSize: number): Promise<Line[]> {
  const { logits, labels } = makeBatch(rows, vocabSize);
  const alone = createLossWorkspace({ rows, vocabSize });
  alone.logits.set(logits);
  const wanted = maskedCrossEntropy(logits, labels).loss;
  const cases: Timed[] = [];
  const endings: (() => void)[] = [() => alone.dispose()];
  for (const threads of counts()) {
    const fma = await startFma(threads);
    const engine = await createParallelEngine({ threads });
    const workspace = threads === 1
      ? alone
      : engine.createWorkspace({ rows, vocabSize });
    workspace.logits.set(logits);
    endings.push(() => fma.stop(), () => engine.dispose());
    verify(
      "loss",
      engine.maskedCrossEntropy(workspace.logits, labels).loss,
      wanted,
    );
    const one = threads === 1;
    const score = one
      ? maskedCrossEntropy
      : engine.maskedCrossEntropy.bind(engine);
    const slope = one
      ? maskedCrossEntropyGrad
      : engine.maskedCrossEntropyGrad.bind(engine);
    cases.push(
      { name: `bare ${threads}`, run: () => fma.run(PIECES) },
      {
        name: `forward ${threads}`,
        run: () => score(workspace.logits, labels),
      },
      {
        name: `forward + gradient in place ${threads}`,
        before: () => workspace.logits.set(logits),
        run: () => slope(workspace.logits, labels, IN_PLACE),
      },
      {
        name: `forward, foreign array ${threads}`,
        run: () => score(logits, labels),
      },
      {
        name: `forward + new gradient, foreign array ${threads}`,
        run: () => slope(logits, labels),
      },
    );
    // what was overwritten is there again for the next
    const last = cases.at(-4)!;
    last.before = () => workspace.logits.set(logits);
  }
  const times = interleave(cases, ROUNDS);
  for (const end of endings) end();
  return linesOf(times);
}

function linesOf(times: Map<string, Timing>): Line[] {
  const median = (name: string) => times.get(name)!.median;
  const kinds = new Set(
    [...times.keys()].map((name) => name.replace(/ \d+$/, "")),
  );
  kinds.delete("bare");
  return [...kinds].flatMap((what) =>
    counts().slice(1).map((threads) => ({
      what,
      threads,
      gain: median(`${what} 1`) / median(`${what} ${threads}`),
      bare: median("bare 1") / median(`bare ${threads}`),
      ms: median(`${what} ${threads}`),
    }))
  );
}

const x = (n: number) => `${n.toFixed(2)}x`;

async function main(): Promise<void> {
  const out: string[] = [
    "# Threads",
    "",
    `${machine()}.`,
    `Medians of ${ROUNDS} rounds, every case once a round in one process: \`bench/parallel.ts\`. The bare loop is multiply-adds in`,
    "registers on as many threads; the machine is shared with others, so that it, too, falls short of the number of threads.",
    "",
    "| shape | what | threads | ms | gain | bare loop's gain | gain / bare |",
    "| --- | --- | --- | --- | --- | --- | --- |",
  ];
  const figures: Line[] = [];
  for (const [rows, vocabSize] of SHAPES) {
    for (const line of await measure(rows, vocabSize)) {
      const { what, threads, ms, gain, bare } = line;
      if (rows === 512) figures.push(line);
      out.push(
        `| ${rows} x ${vocabSize} | ${what} | ${threads} | ${ms.toFixed(2)} | ${
          x(gain)
        } | ${x(bare)} | ${(gain / bare).toFixed(2)} |`,
      );
      console.log(out.at(-1));
    }
  }
  const verdict = (share: number) =>
    share >= AIMS.aim
      ? "aim reached"
      : share >= AIMS.least
      ? "reached"
      : "missed";
  out.push(
    "",
    "| figure at 512 x 32000 | measured | at least | aim | |",
    "| --- | --- | --- | --- | --- |",
  );
  for (const { what, threads, gain, bare } of figures) {
    if (what.includes("foreign")) continue;
    const share = gain / bare;
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

/**
 * The first results in a fresh process: importing does nothing, and the first
 * labels and the first loss come in less than 20 ms, the import included, beyond
 * what the runtime itself takes to start.
 *
 * The machine may be shared, so what a process takes of the processors counts where
 * that is less than what passes, the fastest of several is held to the bound, and
 * on a busy machine more are started; the median is printed beside it.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { APP, run, setUp } from "./setup.ts";
import { nodeName, NODES } from "./versions.ts";

const isRequired = Deno.env.get("REQUIRE_RUNTIMES") === "1";
const { programs, missing } = await setUp();

/** Milliseconds from the import to the first loss. */
const BOUND = 20;

/** How many processes are started at least, and at most. */
const STARTS = 9, MOST = 60;

interface StartUp {
  atImport: number;
  import: number;
  maskLabels: number;
  maskedCrossEntropy: number;
  loss: number;
}

const runtimes: [title: string, name: string, args: string[]][] = [
  ["Deno", "package", ["run", "--no-prompt", "--no-lock"]],
  ...NODES.map((version): [string, string, string[]] => [
    `Node ${version}`,
    nodeName(version),
    [],
  ]),
  ["Bun", "bun", []],
];

for (const [title, name, args] of runtimes) {
  Deno.test({
    name: `${title}: the first loss within ${BOUND} ms of the import`,
    ignore: !(name in programs) && !isRequired,
    fn: async () => {
      assert(name in programs, missing.join("\n"));
      const program = title === "Deno" ? Deno.execPath() : programs[name]!;
      const found: StartUp[] = [];
      const whole = (one: StartUp) =>
        one.import + one.maskLabels + one.maskedCrossEntropy;
      let best = Infinity;
      for (let i = 0; i < STARTS || (best >= BOUND && i < MOST); i++) {
        const all = [...args, "start_up.mjs"];
        const { out, err } = await run(program, all, { cwd: APP });
        assertEquals(err, "");
        found.push(JSON.parse(out));
        best = Math.min(best, whole(found[i]!));
      }
      for (const { atImport, loss } of found) {
        assertEquals(atImport, 0, "WASM objects made by the import");
        assertAlmostEquals(loss, Math.log(1000), 1e-6);
      }
      const middle = (of: (one: StartUp) => number) =>
        found.map(of).sort((a, b) => a - b)[found.length >> 1]!.toFixed(1);
      console.log(
        `${title}: medians of ${found.length}: import ${
          middle((o) => o.import)
        } ms, ` +
          `maskLabels ${middle((o) => o.maskLabels)} ms, ` +
          `maskedCrossEntropy ${middle((o) => o.maskedCrossEntropy)} ms; ` +
          `whole ${middle(whole)} ms, at best ${best.toFixed(1)} ms`,
      );
      assert(best < BOUND, `${best} ms`);
    },
  });
}

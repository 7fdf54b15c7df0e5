/**
 * The packed package in every runtime, against golden values; and the READMEs'
 * table of what each runtime can do, cell by cell, against what was found.
 *
 * The runtimes are npm packages of fixed versions, installed below `build/`
 * once. What cannot be installed is said, and its tests are ignored; with
 * REQUIRE_RUNTIMES=1 they run, and fail.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { findChromium } from "../report/browser/chromium.ts";
import {
  onChromium,
  onCommandLine,
  onEdgeRuntime,
  onWorkerd,
  onWrangler,
  type Report,
} from "./hosts.ts";
import { readParquetRows } from "../../src/formats/mod.ts";
import { APP, run, setUp, TOKENIZER } from "./setup.ts";
import { type Column, tableIn, toMarkdown } from "./table.ts";
import { nodeName, NODES, TOOLS, WORKERD_DATES } from "./versions.ts";

const isRequired = Deno.env.get("REQUIRE_RUNTIMES") === "1";
const machine = await setUp();
const { programs } = machine;
const chromium = findChromium();
if (chromium === null) machine.missing.push("there is no Chromium");
for (const why of machine.missing) console.warn(`Not all runtimes: ${why}`);

const table: Column[] = [];
/** What was seen to work beside the root, such as "Bun 1.4.5 cli". */
const seen = new Set<string>();
let isWhole = true;

/** A test that needs programs, with a step for each check of the consumers. */
function test(
  name: string,
  needs: readonly string[],
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  const lacks = ["package", ...needs].filter((program) =>
    program === "chromium" ? chromium === null : !(program in programs)
  );
  const ignore = lacks.length > 0 && !isRequired;
  if (ignore) isWhole = false;
  Deno.test({
    name,
    ignore,
    fn: async (t) => {
      if (lacks.length > 0) throw new Error(machine.missing.join("\n"));
      await fn(t);
    },
  });
}

async function judge(
  t: Deno.TestContext,
  checks: Report["checks"],
  least: number,
): Promise<void> {
  for (const { name, error } of checks) {
    await t.step(name, () => assertEquals(error, null));
  }
  // a consumer that checks nothing must not pass
  assert(checks.length >= least, `only ${checks.length} checks`);
}

/** How many checks the root, entries.mjs and parallel.mjs make at least. */
const ROOT_CHECKS = 22, ENTRY_CHECKS = 4, THREAD_CHECKS = 3;

/** Judges the root, `./reference`, `./parallel` and `./webgpu`, and adds the runtime to the table. */
async function judgeRuntime(
  t: Deno.TestContext,
  title: string,
  kernels: string,
  { checks, probes, parallel, gpu }: Report,
): Promise<void> {
  const threads = parallel?.threads ?? 0;
  table.push({ title, kernels, probes, threads });
  await judge(t, checks, ROOT_CHECKS);
  await judge(t, parallel?.checks ?? [], THREAD_CHECKS);
  await judge(t, gpu?.checks ?? [], 1);
  if (probes.webgpu && !gpu?.hasGpu) {
    const why = `${title} has WebGPU, but no GPU here: ${gpu?.reason}`;
    assert(Deno.env.get("REQUIRE_GPU") !== "1", why);
    console.warn(why);
  }
  // threads start wherever two of them can share a memory
  assertEquals(threads > 1, probes.threads, parallel?.reason ?? "");
}

/** Judges `./chat` and `./formats`. */
async function judgeEntries(
  t: Deno.TestContext,
  title: string,
  checks: Report["checks"] = [],
  least: number = ENTRY_CHECKS,
): Promise<void> {
  await judge(t, checks, least);
  if (checks.some(({ error }) => error !== null)) return;
  seen.add(`${title} chat`).add(`${title} formats`);
}

const AT_FIRST_USE = "at first use";

/** The rows that `prepare` is to write, by the source tree. */
async function rows(): Promise<unknown[]> {
  const out = "build/runtimes/wanted.parquet";
  const cli = [
    "run",
    "-A",
    "src/cli/main.ts",
    "prepare",
    "examples/chats.jsonl",
  ];
  const options = ["--tokenizer", TOKENIZER, "-o", out, "--workers", "0"];
  const { code, err } = await run(Deno.execPath(), [...cli, ...options]);
  assertEquals(code, 0, err);
  const wanted = await Array.fromAsync(
    readParquetRows(await Deno.readFile(out)),
  );
  assertEquals(wanted.length, 60);
  return wanted;
}

/** A runtime with a command line and files. */
interface Shell {
  title: string;
  program: string;
  path: string;
  args: (permissions: readonly string[]) => string[];
}

const shells: Shell[] = [
  {
    title: `Deno ${Deno.version.deno}`,
    program: "package",
    path: Deno.execPath(),
    args: (permissions) => ["run", "--no-prompt", "--no-lock", ...permissions],
  },
  ...NODES.map((version) => ({
    title: `Node ${version}`,
    program: nodeName(version),
    path: programs[nodeName(version)] ?? "",
    args: () => [],
  })),
  {
    title: `Bun ${TOOLS.bun}`,
    program: "bun",
    path: programs.bun ?? "",
    args: () => [],
  },
];

for (const { title, program, path, args } of shells) {
  test(`${title}: the root`, [program], async (t) => {
    // it needs no permission
    const report = await onCommandLine(path, [...args([]), "command_line.mjs"]);
    await judgeRuntime(t, title, AT_FIRST_USE, report);
    assertEquals(report.probes.compilesNow, true);
  });

  test(`${title}: chat and formats`, [program], async (t) => {
    const all = [...args(["-R"]), "command_line_entries.mjs"];
    const { checks } = await onCommandLine(path, all);
    await judgeEntries(t, title, checks, 2 * ENTRY_CHECKS);
  });

  test(`${title}: kernels from their files`, [program], async (t) => {
    const all = [...args(["-R"]), "kernel_files.mjs"];
    const { checks } = await onCommandLine(path, all);
    await judge(t, checks, 16);
  });

  test(
    `${title}: threads of a program that is no file`,
    [program],
    async (t) => {
      const code = `import * as api from "@sft/loss";
      import { createParallelEngine } from "@sft/loss/parallel";
      import { useThreads } from "./parallel.mjs";
      const found = await useThreads(api, createParallelEngine);
      console.log(JSON.stringify(found));
      globalThis.process?.exit(0);`;
      const how = title.startsWith("Node")
        ? ["--input-type=module", "-e"]
        : title.startsWith("Deno")
        ? ["eval", "--no-lock"]
        : ["-e"];
      const { code: end, out, err } = await run(path, [...how, code], {
        cwd: APP,
      });
      assertEquals(end, 0, err);
      const { threads, reason, checks } = JSON.parse(out);
      assertEquals([threads, reason], [2, null]);
      await judge(t, checks, THREAD_CHECKS);
    },
  );

  if (!title.startsWith("Deno")) {
    test(`${title}: require()`, [program], async (t) => {
      const { checks } = await onCommandLine(path, ["common.cjs"]);
      await judge(t, checks, 16);
    });
  }

  test(`${title}: the command line`, [program], async () => {
    const cli = "node_modules/@sft/loss/src/cli/main.js";
    const start = (...words: string[]) =>
      run(path, [...args(["-R", "-W"]), cli, ...words], { cwd: APP });
    const version = await start("--version");
    assertEquals([version.code, version.err], [0, ""]);
    assertMatch(version.out, /^sft-loss \d+\.\d+\.\d+\n$/);

    const model = ["chats.jsonl", "--tokenizer", "tokenizer"];
    const audit = await start("audit", ...model);
    assertEquals([audit.code, audit.err], [0, ""]);
    assertStringIncludes(audit.out, "60 rows, 17,463 tokens, 10,856");

    // threads, files and parquet: the same bytes everywhere
    const out = `${program}.parquet`;
    const more = ["-o", out, "--workers", "2"];
    const prepare = await start("prepare", ...model, ...more);
    assertEquals(prepare.code, 0, prepare.err);
    const file = await Deno.readFile(`${APP}/${out}`);
    assertEquals(await Array.fromAsync(readParquetRows(file)), await rows());
    seen.add(`${title} cli`);
  });
}

/** From this compatibility date on a worker may compile while it starts. */
const AT_START = "2025-06-01";

for (const date of WORKERD_DATES) {
  const title = `workerd of ${date}`;
  test(`${title}: modules through init`, ["workerd"], async (t) => {
    const answer = await onWorkerd(machine, "worker_init.mjs", date);
    const report: Report = JSON.parse(answer);
    const kernels = date < AT_START ? "`init`" : "`init`, or at start";
    await judgeRuntime(t, title, kernels, report);
    await judgeEntries(t, title, report.entries);
    assertEquals(report.probes.compilesNow, false);
  });

  const mayCompile = date < AT_START ? "nothing may be" : "kernels are";
  test(`${title}: ${mayCompile} compiled at start`, ["workerd"], async (t) => {
    const answer = await onWorkerd(machine, "worker_warm.mjs", date);
    const { checks }: Report = JSON.parse(answer);
    if (date >= AT_START) return await judge(t, checks, 32);
    const errors = checks.map(({ error }) => error ?? "");
    assert(
      errors.some((error) => error.includes("Cannot compile the kernels")),
    );
  });

  test(`${title}: without, it says what to do`, ["workerd"], async () => {
    const answer = await onWorkerd(machine, "worker_cold.mjs", date);
    assertMatch(answer, /^Error: .*hand in compiled ones with init\(\)/);
  });
}

const wrangler = `wrangler dev ${TOOLS.wrangler}`;
test(`${wrangler}: a worker as it is written`, ["node24"], async (t) => {
  const answer = await onWrangler(
    machine,
    "node24",
    "2026-04-01",
    "worker_init.mjs",
  );
  const report: Report = JSON.parse(answer);
  await judgeRuntime(t, wrangler, "`init`", report);
  await judgeEntries(t, wrangler, report.entries);
});

test(`${wrangler}: the worker that the READMEs show`, ["node24"], async () => {
  for (const path of ["README.md", "README.zh.md"]) {
    const readme = await Deno.readTextFile(path);
    const blocks = [...readme.matchAll(/```ts ignore\n([^]*?)```/g)]
      .map(([, code]) => code!)
      .filter((code) => code.includes('from "@sft/loss/kernels.wasm"'));
    assertEquals(blocks.length, 1, path);
    await Deno.writeTextFile(`${APP}/worker_readme.mjs`, blocks[0]!);
    const answer = await onWrangler(
      machine,
      "node24",
      "2024-09-23",
      "worker_readme.mjs",
    );
    assertMatch(answer, /^ln 8 is 2\.07944/);
  }
});

const edge = `edge-runtime ${TOOLS["edge-runtime"]}`;
for (const kernels of ["inlined", "given"] as const) {
  test(`${edge}: kernels ${kernels}`, ["node24"], async (t) => {
    const report = await onEdgeRuntime(machine, "node24", kernels);
    if (kernels === "inlined") await judge(t, report.checks, ROOT_CHECKS);
    else {
      // Vercel's own servers compile nothing, this emulator does
      await judgeRuntime(t, edge, "`init`", report);
      await judgeEntries(t, edge, report.entries);
    }
  });
}

for (const isolated of [false, true]) {
  const title = isolated ? "Chromium, isolated" : "Chromium";
  test(`${title}: a strict policy`, ["chromium"], async (t) => {
    const report = await onChromium({ isolated, wasm: true, workers: true });
    await judgeRuntime(t, title, AT_FIRST_USE, report);
    await judgeEntries(t, title, report.entries);
    assertEquals(report.probes.isolated, isolated);
  });
}

test("Chromium without wasm-unsafe-eval says so", ["chromium"], async () => {
  const policy = { isolated: false, wasm: false, workers: true };
  const { checks } = await onChromium(policy);
  for (const { name, error } of checks) {
    if (name.startsWith("a wrong label")) continue; // refused before any kernel
    if (name.startsWith("reference:")) assertEquals(error, null, name); // no WASM
    else assertMatch(error ?? "", /hand in compiled ones with init\(\)/, name);
  }
});

test("Chromium without worker-src has one thread and says so", [
  "chromium",
], async (t) => {
  const policy = { isolated: true, wasm: true, workers: false };
  const { checks, parallel } = await onChromium(policy);
  await judge(t, checks, ROOT_CHECKS);
  await judge(t, parallel?.checks ?? [], THREAD_CHECKS);
  assertEquals(parallel?.threads, 1);
  assertMatch(parallel?.reason ?? "", /no threads could be started/);
});

Deno.test({
  name: "the READMEs show what was found",
  ignore: !isWhole,
  fn: async (t) => {
    const found = toMarkdown(table, seen);
    console.log(`\n${found}\n`);
    for (const path of ["README.md", "README.zh.md"]) {
      await t.step(path, async () => {
        assertEquals(tableIn(await Deno.readTextFile(path)), found);
      });
    }
  },
});

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
  type Report,
} from "./hosts.ts";
import { APP, run, setUp } from "./setup.ts";
import { type Column, tableIn, toMarkdown } from "./table.ts";
import { nodeName, NODES, TOOLS, WORKERD_DATES } from "./versions.ts";

const isRequired = Deno.env.get("REQUIRE_RUNTIMES") === "1";
const machine = await setUp();
const { programs } = machine;
const chromium = findChromium();
if (chromium === null) machine.missing.push("there is no Chromium");
for (const why of machine.missing) console.warn(`Not all runtimes: ${why}`);

/** The entries beside the root that are used as one thread uses them. */
const ENTRIES = ["chat", "formats", "cli"];

const table: Column[] = [];
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

/** Judges the root and `./parallel`, and adds the runtime to the table. */
async function judgeRuntime(
  t: Deno.TestContext,
  column: { title: string; kernels: string; entries: readonly string[] },
  { checks, probes, parallel, entries, gpu }: Report,
): Promise<void> {
  const threads = parallel?.threads ?? 0;
  table.push({ ...column, probes, threads });
  await judge(t, checks, ROOT_CHECKS);
  await judge(t, parallel?.checks ?? [], THREAD_CHECKS);
  if (entries !== undefined) await judge(t, entries, ENTRY_CHECKS);
  await judge(t, gpu?.checks ?? [], 1);
  if (probes.webgpu && !gpu?.hasGpu) {
    const why = `${column.title} has WebGPU, but no GPU here: ${gpu?.reason}`;
    assert(Deno.env.get("REQUIRE_GPU") !== "1", why);
    console.warn(why);
  }
  // threads start wherever two of them can share a memory
  assertEquals(threads > 1, probes.threads, parallel?.reason ?? "");
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
    const kernels = "at first use";
    await judgeRuntime(t, { title, kernels, entries: ENTRIES }, report);
    assertEquals(report.probes.compilesNow, true);
  });

  test(`${title}: chat and formats`, [program], async (t) => {
    const all = [...args(["-R"]), "command_line_entries.mjs"];
    await judge(t, (await onCommandLine(path, all)).checks, 2 * ENTRY_CHECKS);
  });

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

    // threads, files and parquet
    const out = `${program}.parquet`;
    const more = ["-o", out, "--workers", "2"];
    const prepare = await start("prepare", ...model, ...more);
    assertEquals(prepare.code, 0, prepare.err);
    assertStringIncludes(prepare.err, "60");
    const file = await Deno.readFile(`${APP}/${out}`);
    assertEquals(new TextDecoder().decode(file.subarray(0, 4)), "PAR1");
  });
}

/** The entries that need no files: they run where there are none. */
const PURE = ["chat", "formats"];

for (const date of WORKERD_DATES) {
  const title = `workerd of ${date}`;
  test(`${title}: modules through init`, ["workerd"], async (t) => {
    const answer = await onWorkerd(machine, "worker_init.mjs", date);
    const report: Report = JSON.parse(answer);
    const kernels = date < "2025-06-01" ? "`init`" : "`init`, or at start";
    await judgeRuntime(t, { title, kernels, entries: PURE }, report);
    assertEquals(report.probes.compilesNow, false);
  });

  test(`${title}: without, it says what to do`, ["workerd"], async () => {
    const answer = await onWorkerd(machine, "worker_cold.mjs", date);
    assertMatch(answer, /^Error: .*hand in compiled ones with init\(\)/);
  });
}

test(`workerd of ${WORKERD_DATES[1]}: kernels compiled while it starts`, [
  "workerd",
], async (t) => {
  const answer = await onWorkerd(machine, "worker_warm.mjs", WORKERD_DATES[1]);
  await judge(t, JSON.parse(answer).checks, 32);
});

const edge = `edge-runtime ${TOOLS["edge-runtime"]}`;
for (const kernels of ["inlined", "given"] as const) {
  test(`${edge}: kernels ${kernels}`, ["node24"], async (t) => {
    const report = await onEdgeRuntime(machine, "node24", kernels);
    if (kernels === "inlined") await judge(t, report.checks, ROOT_CHECKS);
    else {
      // Vercel's own servers compile nothing, this emulator does
      const column = { title: edge, kernels: "`init`", entries: PURE };
      await judgeRuntime(t, column, report);
    }
  });
}

for (const isolated of [false, true]) {
  const title = isolated ? "Chromium, isolated" : "Chromium";
  test(`${title}: a strict policy`, ["chromium"], async (t) => {
    const report = await onChromium({ isolated, wasm: true });
    const kernels = "at first use";
    await judgeRuntime(t, { title, kernels, entries: PURE }, report);
    assertEquals(report.probes.isolated, isolated);
  });
}

test("Chromium without wasm-unsafe-eval says so", ["chromium"], async () => {
  const { checks } = await onChromium({ isolated: false, wasm: false });
  for (const { name, error } of checks) {
    if (name.startsWith("a wrong label")) continue; // refused before any kernel
    if (name.startsWith("reference:")) assertEquals(error, null, name); // no WASM
    else assertMatch(error ?? "", /hand in compiled ones with init\(\)/, name);
  }
});

Deno.test({
  name: "the READMEs show what was found",
  ignore: !isWhole,
  fn: async (t) => {
    const found = toMarkdown(table, ENTRIES);
    console.log(`\n${found}\n`);
    for (const path of ["README.md", "README.zh.md"]) {
      await t.step(path, async () => {
        assertEquals(tableIn(await Deno.readTextFile(path)), found);
      });
    }
  },
});

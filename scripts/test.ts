/**
 * Runs every test and ends with the line `N passed, N failed`. With names of
 * suites it runs those instead: `runtimes`, the packed package everywhere, is
 * only run when it is named, for it installs half a dozen runtimes from npm.
 *
 * Each suite is one `deno test` with the permissions it needs and a report in
 * `build/`; the counts are summed from the reports. A run that fails without a
 * failed test in its report (a type error, a crash) counts as one failure.
 *
 * @module
 */

/** One run of `deno test`: what is tested, and how. */
interface Suite {
  name: string;
  /** Files and folders; those that do not exist are left out. */
  targets: string[];
  options: string[];
}

// Types are checked by `deno task ok`; only examples in docs are checked here.
const suites = (): Suite[] => [
  {
    name: "cpu",
    targets: ["tests"],
    options: [
      "--parallel",
      "--no-check",
      "--ignore=tests/webgpu,tests/report/browser,tests/cli/process,tests/runtimes",
      "--allow-read=.",
      "--allow-env",
    ],
  },
  {
    // Real processes, files and signals.
    name: "cli",
    targets: ["tests/cli/process"],
    options: [
      "--parallel",
      "--no-check",
      "--allow-read=.",
      "--allow-write=build",
      "--allow-run",
      "--allow-env",
    ],
  },
  {
    // The report in a headless Chromium.
    name: "browser",
    targets: ["tests/report/browser"],
    options: [
      "--no-check",
      "--allow-read",
      "--allow-write",
      "--allow-run",
      "--allow-env",
      "--allow-net=127.0.0.1",
    ],
  },
  {
    name: "docs",
    targets: ["mod.ts", "src", "README.md", "README.zh.md"],
    options: ["--doc"],
  },
  {
    name: "examples",
    targets: testsOf("examples"),
    options: ["--no-check", "--allow-read=.", "--allow-env"],
  },
  {
    // One file after the other: drivers and processes do not share one well. The
    // same kernels also run in a headless Chromium.
    name: "webgpu",
    targets: ["tests/webgpu"],
    options: [
      "--no-check",
      "--allow-read",
      "--allow-write",
      "--allow-run",
      "--allow-env",
      "--allow-net=127.0.0.1",
    ],
  },
  {
    // The packed package in every runtime.
    name: "runtimes",
    targets: ["tests/runtimes"],
    options: [
      "--no-check",
      "--allow-read",
      "--allow-write",
      "--allow-run",
      "--allow-env",
      "--allow-net=127.0.0.1",
    ],
  },
];

/** Suites that are run only when they are named. */
const ON_REQUEST: ReadonlySet<string> = new Set(["runtimes"]);

/** Titles of the tests of one report. */
export interface Tally {
  /** Tests and steps that passed. */
  passed: string[];
  /** Tests and steps that failed. */
  failed: string[];
  /** Tests and steps that were not run. */
  ignored: string[];
}

/** Reads a JUnit report of `deno test`. */
export function readReport(xml: string): Tally {
  const tally: Tally = { passed: [], failed: [], ignored: [] };
  const testcase =
    /<testcase name="(.*?)" classname="(.*?)".*?>(.*?)<\/testcase>/gs;
  for (const [, name = "", file = "", body = ""] of xml.matchAll(testcase)) {
    const title = unescape(
      name.startsWith("file:") ? file : `${file}: ${name}`,
    );
    if (body.includes("<failure")) tally.failed.push(title);
    else if (body.includes("<skipped")) tally.ignored.push(title);
    else tally.passed.push(title);
  }
  return tally;
}

function unescape(text: string): string {
  return text.replaceAll("&quot;", '"').replaceAll("&apos;", "'")
    .replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** Tells files of one run, which share no memory, that they belong together. */
const RUN = crypto.randomUUID();

async function run({ name, targets, options }: Suite): Promise<Tally> {
  const report = `build/test_${name}.xml`;
  await Deno.remove(report).catch(() => {});
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-prompt", `--junit-path=${report}`]
      .concat(options, targets),
    env: { TEST_RUN: RUN },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;

  const xml = await Deno.readTextFile(report).catch(() => "");
  const tally = readReport(xml);
  if (tally.failed.length === 0 && (code !== 0 || xml === "")) {
    tally.failed.push(`${name}: the run ended with exit code ${code}`);
  }
  return tally;
}

/** The test files of a folder that may have none. */
function testsOf(folder: string): string[] {
  if (!exists(folder)) return [];
  return [...Deno.readDirSync(folder)].map((entry) => entry.name)
    .filter((name) => name.endsWith("_test.ts"))
    .map((name) => `${folder}/${name}`);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  Deno.mkdirSync("build", { recursive: true });
  const total: Tally = { passed: [], failed: [], ignored: [] };
  const isChosen = ({ name }: Suite) =>
    Deno.args.length > 0 ? Deno.args.includes(name) : !ON_REQUEST.has(name);
  for (const suite of suites().filter(isChosen)) {
    const targets = suite.targets.filter(exists);
    if (targets.length === 0) continue;
    const { passed, failed, ignored } = await run({ ...suite, targets });
    total.passed.push(...passed);
    total.failed.push(...failed);
    total.ignored.push(...ignored);
  }
  console.log();
  for (const title of total.failed) console.log(`failed: ${title}`);
  const names = total.ignored.map((title) => `\n  ${title}`).join("");
  console.log(`${total.ignored.length} ignored${names}`);
  console.log(`${total.passed.length} passed, ${total.failed.length} failed`);
  if (total.failed.length > 0) Deno.exitCode = 1;
}

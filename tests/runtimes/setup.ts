/**
 * A machine for the matrix: the package packed and installed as anyone would
 * install it, and the runtimes it is run in, all below `build/`.
 *
 * @module
 */
import { ARCHIVE, pack } from "../../scripts/pack.ts";
import { encodeChat, readTokenizerFolder } from "../../src/chat/mod.ts";
import { makeGolden } from "./golden.ts";
import { PROGRAMS, TOOLS } from "./versions.ts";

/** Where the runtimes are; kept from run to run. */
const TOOLS_FOLDER = "build/runtimes/tools";

/** The project that has the package as its dependency. */
export const APP = "build/runtimes/app";

/** A small tokenizer, with its chat template. */
export const TOKENIZER = "tests/cli/tokenizer";

/** What could be set up. */
export interface Machine {
  /** Where programs and the installed package are, by name; what could not be installed is missing. */
  programs: Record<string, string>;
  /** Why something is missing, in words. */
  missing: string[];
}

let machine: Promise<Machine> | undefined;

/** Sets the machine up, once a process. */
export function setUp(): Promise<Machine> {
  return machine ??= prepare();
}

async function prepare(): Promise<Machine> {
  await Deno.mkdir(TOOLS_FOLDER, { recursive: true });
  const missing: string[] = [];
  const say = (what: string) => (error: Error) => {
    missing.push(`${what}: ${error.message}`);
  };
  await installTools().catch(say("the runtimes are not installed"));
  const programs: Record<string, string> = {};
  // no registry is no fault of ours; a package that cannot be made is
  if (!await isMade()) {
    await makeProject();
    await npm(APP, "install").then(setMade)
      .catch(say("the package is not installed"));
  }
  if (await isMade()) programs.package = APP;

  for (const [name, path] of Object.entries(PROGRAMS)) {
    const program = await Deno.realPath(`${TOOLS_FOLDER}/node_modules/${path}`)
      .catch(() => null);
    if (program === null) missing.push(`there is no ${name}`);
    else programs[name] = program;
  }
  return { programs, missing };
}

/** The full path of a module below the tools' node_modules. */
export function toolPath(path: string): string {
  return `${Deno.cwd()}/${TOOLS_FOLDER}/node_modules/${path}`;
}

/** Installs the runtimes, unless the very ones are there. */
async function installTools(): Promise<void> {
  const manifest = JSON.stringify({ private: true, dependencies: TOOLS });
  const done = `${TOOLS_FOLDER}/installed.json`;
  if (await Deno.readTextFile(done).catch(() => "") === manifest) return;
  await Deno.writeTextFile(`${TOOLS_FOLDER}/package.json`, manifest);
  await npm(TOOLS_FOLDER, "install");
  await Deno.writeTextFile(done, manifest);
}

/** The run of the tests: files of one run share no memory, but may share the project. */
const RUN = Deno.env.get("TEST_RUN") ?? crypto.randomUUID();

/** Where the run is written that the project was made for. */
const MADE = `${APP}/made_for_run`;

async function isMade(): Promise<boolean> {
  return await Deno.readTextFile(MADE).catch(() => "") === RUN;
}

async function setMade(): Promise<void> {
  await Deno.writeTextFile(MADE, RUN);
}

/** Makes the project afresh: package, consumers and golden values. */
async function makeProject(): Promise<void> {
  await pack();
  await Deno.remove(APP, { recursive: true }).catch(() => {});
  await Deno.mkdir(APP, { recursive: true });
  const archive = ARCHIVE.split("/").pop()!;
  await Deno.copyFile(ARCHIVE, `${APP}/${archive}`);
  await Deno.writeTextFile(
    `${APP}/package.json`,
    JSON.stringify({
      private: true,
      type: "module",
      dependencies: { "@sft/loss": `file:./${archive}` },
    }),
  );
  await copyFolder("tests/runtimes/consumer", APP);
  await copyFolder("tests/runtimes/types", `${APP}/types`);
  await Deno.writeTextFile(
    `${APP}/golden.mjs`,
    `export default ${JSON.stringify(makeGolden())};\n`,
  );
  await copyFolder(TOKENIZER, `${APP}/tokenizer`);
  await Deno.writeTextFile(
    `${APP}/chat.mjs`,
    `export default ${JSON.stringify(await wantedRow())};\n`,
  );
  await Deno.copyFile("examples/chats.jsonl", `${APP}/chats.jsonl`);
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) {
    await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** A chat, the tokenizer's files, and the row that the chat becomes. */
async function wantedRow(): Promise<object> {
  const messages = [
    { role: "user", content: "Is water wet?" },
    { role: "assistant", content: "Ask a fish. 问鱼。" },
    { role: "user", content: "😀" },
    { role: "assistant", content: "" },
  ];
  const tokenizer = readTokenizerFolder(TOKENIZER);
  const { inputIds, labels, text } = encodeChat(messages, { tokenizer });
  const json = async (name: string) =>
    JSON.parse(await Deno.readTextFile(`${TOKENIZER}/${name}.json`));
  return {
    messages,
    files: {
      tokenizerJson: await json("tokenizer"),
      tokenizerConfig: await json("tokenizer_config"),
    },
    inputIds: [...inputIds],
    labels: [...labels],
    text,
  };
}

/** Runs npm in a folder; no script of any package is run. */
async function npm(folder: string, command: string): Promise<void> {
  const name = Deno.build.os === "windows" ? "npm.cmd" : "npm";
  const { code, out, err } = await run(name, [
    command,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--loglevel=error",
  ], { cwd: folder });
  if (code !== 0) throw new Error(`npm ${command} failed\n${out}${err}`);
}

/** What a process said, and how it ended. */
export interface Said {
  code: number;
  out: string;
  err: string;
}

/** Runs a program to its end. */
export async function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Said> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(120_000),
    ...options,
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

/**
 * The command line: `inspect`, `audit`, `prepare` and `loss`. Data go to
 * standard output, everything else to standard error. It runs in Deno, Node and
 * Bun, and asks for no permission that a command does not need: reading for all
 * of them, writing where a file is written.
 *
 * @example
 * ```sh
 * deno run -R jsr:@sft/loss/cli inspect chats.jsonl --tokenizer qwen3
 * ```
 *
 * @module
 */
import { realpathSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { styleText } from "node:util";
import { isMainThread } from "node:worker_threads";
import { DataError, oneLine, PipeClosed, UsageError } from "./errors.ts";
import { type CliIo, processIo } from "./io.ts";
import { type CommandHelp, helpOf, nearest, PROGRAM } from "./options.ts";
import { AUDIT, audit } from "./audit.ts";
import { INSPECT, inspect } from "./inspect.ts";
import { loss } from "./loss.ts";
import { LOSS } from "./loss_options.ts";
import { prepare } from "./prepare.ts";
import { PREPARE } from "./prepare_options.ts";
import { VERSION } from "./version.ts";

export type { CliIo, Output } from "./io.ts";

/** A command: what it says of itself, and what it does. */
interface Command {
  readonly help: CommandHelp;
  readonly run: (args: readonly string[], io: CliIo) => Promise<number>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  inspect: { help: INSPECT, run: inspect },
  audit: { help: AUDIT, run: audit },
  prepare: { help: PREPARE, run: prepare },
  loss: { help: LOSS, run: loss },
};

/**
 * Runs a command line.
 *
 * @param args What follows the program's name, such as `["audit", "chats.jsonl"]`.
 * @param io The streams it works with; this process's own unless given.
 * @returns The exit code: 0 clean; 1 findings above `--fail-on`, a file that is refused, nothing that survives; 2 a command line that cannot be followed.
 *
 * @example
 * ```ts
 * import { run } from "@sft/loss/cli";
 * import { assertEquals } from "@std/assert";
 *
 * let said = "";
 * const output = {
 *   write: (data: string | Uint8Array) => {
 *     said += data;
 *     return Promise.resolve();
 *   },
 *   isTerminal: false,
 *   columns: undefined,
 *   color: false,
 * };
 * const io = {
 *   stdin: new ReadableStream<Uint8Array>(),
 *   stdout: output,
 *   stderr: output,
 *   onInterrupt: () => () => {},
 * };
 * assertEquals(await run(["--version"], io), 0);
 * assertEquals(said, "sft-loss 0.1.0\n");
 * ```
 */
export async function run(
  args: readonly string[],
  io: CliIo = processIo(),
): Promise<number> {
  const [name, ...rest] = args;
  try {
    return await dispatch(name, rest, io);
  } catch (error) {
    if (error instanceof PipeClosed) return 141;
    try {
      return await explain(error, name, io);
    } catch {
      return 141; // nobody reads this either
    }
  }
}

async function dispatch(
  name: string | undefined,
  args: readonly string[],
  io: CliIo,
): Promise<number> {
  if (name === undefined) {
    await io.stderr.write(overview());
    return 2;
  }
  if (["--help", "-h", "help"].includes(name)) {
    const about = args[0] === undefined ? null : commandOf(args[0]);
    await io.stdout.write(about === null ? overview() : helpOf(about.help));
    return 0;
  }
  if (["--version", "-V", "version"].includes(name)) {
    await io.stdout.write(`${PROGRAM} ${VERSION}\n`);
    return 0;
  }
  const command = commandOf(name);
  const end = args.indexOf("--");
  const options = end < 0 ? args : args.slice(0, end);
  if (options.includes("--help") || options.includes("-h")) {
    await io.stdout.write(helpOf(command.help));
    return 0;
  }
  return await command.run(args, io);
}

function commandOf(name: string): Command {
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name]!;
  if (name.startsWith("-")) {
    throw new UsageError(`a command comes before ${oneLine(name)}`);
  }
  const near = nearest(name, Object.keys(COMMANDS));
  throw new UsageError(
    `there is no command ${oneLine(name)}` +
      (near === null ? "" : `: did you mean ${near}?`),
  );
}

function overview(): string {
  const lines = Object.values(COMMANDS).map(({ help: { name, summary } }) =>
    `  ${name.padEnd(10)}${summary}`
  );
  return `Which tokens of a chat are trained, and what they cost.

Usage: ${PROGRAM} COMMAND FILE [OPTIONS]

${lines.join("\n")}

${PROGRAM} COMMAND --help says more of each. FILE may be -, standard input.
Exit codes: 0 clean; 1 the data, as findings above --fail-on or a file that is
refused; 2 the command line.
`;
}

/** Says in one line what went wrong. */
async function explain(
  error: unknown,
  name: string | undefined,
  io: CliIo,
): Promise<number> {
  const isUsage = error instanceof UsageError;
  const words = oneLine(error instanceof Error ? error.message : String(error));
  const kind = isUsage || error instanceof DataError
    ? words
    : `unexpected: ${words}`;
  const label = `${PROGRAM}:`;
  const head = io.stderr.color
    ? styleText("red", label, { validateStream: false })
    : label;
  const clear = io.stderr.isTerminal ? "\r\x1b[K" : "";
  await io.stderr.write(`${clear}${head} ${kind}\n`);
  if (isUsage) {
    const known = name !== undefined && Object.hasOwn(COMMANDS, name);
    const help = known ? `${PROGRAM} ${name} --help` : `${PROGRAM} --help`;
    await io.stderr.write(`${help} says what there is\n`);
  }
  return isUsage ? 2 : 1;
}

/** Whether this file is what was started, also where no runtime says so (Node 20). */
function isMain(): boolean {
  if (!isMainThread) return false; // a bundle is its own worker
  const { main } = import.meta as { main?: boolean };
  if (main !== undefined) return main;
  const started = process.argv[1];
  if (started === undefined) return false;
  try {
    return pathToFileURL(realpathSync(started)).href === import.meta.url;
  } catch {
    return false;
  }
}

if (isMain()) {
  run(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}

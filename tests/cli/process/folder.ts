/**
 * A folder of its own for each test, under `build/`, and the command line as a
 * process of its own. These tests need more than to read:
 * `--allow-read=. --allow-env --allow-write=build --allow-run`.
 *
 * @module
 */
import type { Ended } from "../fixture.ts";

/** Runs a test in an empty folder, which is gone afterwards. */
export async function inFolder(
  test: (folder: string) => Promise<void> | void,
): Promise<void> {
  Deno.mkdirSync("build", { recursive: true });
  const folder = Deno.makeTempDirSync({ dir: "build", prefix: "cli_" });
  try {
    await test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Names in a folder, in order. */
export function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** How a process is started. */
export interface Start {
  /** Deno's permissions; only reading unless said. */
  permissions?: string[];
  /** The environment, beside this one's. */
  env?: Record<string, string>;
  /** What it reads. */
  stdin?: string | Uint8Array;
}

/** What starts the command line with these permissions. */
export function command(
  args: string[],
  { permissions = ["-R"], env = {} }: Start = {},
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", ...permissions]
      .concat("src/cli/main.ts", args),
    env: { NO_COLOR: "", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs the command line as a process. */
export async function start(
  args: string[],
  options: Start = {},
): Promise<Ended> {
  const child = command(args, options).spawn();
  const { stdin = "" } = options;
  const writer = child.stdin.getWriter();
  const bytes = typeof stdin === "string"
    ? new TextEncoder().encode(stdin)
    : stdin;
  // it may end before it has read all
  const fed = writer.write(bytes).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  await fed;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

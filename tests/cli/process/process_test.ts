/** The command line as a process: permissions, signals, pipes, colours. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { chatLine, cli, TOKENIZER } from "../fixture.ts";
import { command, inFolder, namesIn, start } from "./folder.ts";

const CHATS = "examples/chats.jsonl";
const MODEL = ["--tokenizer", TOKENIZER];

Deno.test("inspect, audit and loss need to read, and nothing else", async () => {
  const inspect = ["inspect", CHATS, ...MODEL];
  const run = await start(inspect);
  assertEquals([run.code, run.err], [0, ""]);
  assertEquals(run.out, (await cli(inspect)).out);
  const audit = await start(["audit", CHATS, ...MODEL, "--fail-on", "any=99"]);
  assertEquals([audit.code, audit.err], [0, ""]);
  const none = await start(["--version"], { permissions: [] });
  assertEquals([none.code, none.err], [0, ""]);
});

Deno.test("a permission that is missing is an error of one line", async () => {
  await inFolder(async (folder) => {
    const cases: [string[], string[]][] = [
      [["inspect", CHATS, ...MODEL], ["-R=src"]],
      [["prepare", CHATS, ...MODEL, "-o", `${folder}/a.jsonl`], ["-R"]],
      [["inspect", CHATS, ...MODEL, "--html", `${folder}/a.html`], ["-R"]],
    ];
    for (const [args, permissions] of cases) {
      const { code, err } = await start(args, { permissions });
      assertEquals(code, 2);
      assertStringIncludes(err, "Requires ");
      assertEquals(err.trimEnd().split("\n").length, 2, err);
      assertEquals(namesIn(folder), []);
    }
  });
});

Deno.test("prepare needs to read, and to write one folder", async () => {
  await inFolder(async (folder) => {
    for (const workers of ["0", "1", "2"]) {
      const path = `${folder}/rows${workers}.parquet`;
      const { code, out, err } = await start(
        ["prepare", CHATS, ...MODEL, "-o", path, "--workers", workers],
        { permissions: ["-R", `-W=${folder}`] },
      );
      assertEquals([code, out], [0, ""], err);
      assertStringIncludes(err, `${path}: 6`);
    }
    const [first, ...others] = namesIn(folder).map((name) =>
      Deno.readFileSync(`${folder}/${name}`)
    );
    for (const other of others) assertEquals(other, first);
  });
});

/** Whether there is a program that makes a terminal for another. */
const hasScript = await new Deno.Command("bash", {
  args: ["-c", "command -v script"],
  stdout: "null",
}).output().then(({ success }) => success);

Deno.test({
  name: "no command asks for more on a terminal, where Deno would ask",
  ignore: !hasScript,
  fn: async () => {
    await inFolder(async (folder) => {
      const run = `${Deno.execPath()} run --no-check`;
      const rows = `-o ${folder}/rows.parquet --pack bfd --max-length 512`;
      const lines = [
        `-R src/cli/main.ts inspect ${CHATS} ${MODEL.join(" ")}`,
        `-R src/cli/main.ts audit ${CHATS} ${MODEL.join(" ")}`,
        `-R -W=${folder} src/cli/main.ts prepare ${CHATS} ${
          MODEL.join(" ")
        } ${rows}`,
      ];
      for (const line of lines) {
        const { stdout } = await new Deno.Command("timeout", {
          args: ["60", "script", "-qec", `${run} ${line}`, "/dev/null"],
          env: { TERM: "xterm", NO_COLOR: "" },
          stdin: "null",
        }).output();
        const text = new TextDecoder().decode(stdout);
        assert(!text.includes("Deno requests"), text);
        assertStringIncludes(text, "trained");
      }
      assertEquals(namesIn(folder), ["rows.parquet"]);
    });
  },
});

Deno.test("inspect --html writes one file that stands alone", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/report.html`;
    const { code, out, err } = await start(
      ["inspect", CHATS, ...MODEL, "--html", path],
      { permissions: ["-R", `-W=${folder}`] },
    );
    assertEquals([code, out], [0, ""]);
    assertStringIncludes(err, `${path}: 6`);
    const html = Deno.readTextFileSync(path);
    assert(html.startsWith("<!doctype html>") && html.includes("</html>"));
    assertEquals(namesIn(folder), ["report.html"]);
    const nothing = await start(
      ["inspect", "-", ...MODEL, "--html", path],
      { permissions: ["-R", `-W=${folder}`], stdin: "{" },
    );
    assertEquals(nothing.code, 1);
    assertEquals(Deno.readTextFileSync(path), html);
    assertEquals(namesIn(folder), ["report.html"]);
  });
});

Deno.test("inspect --html --pack shows how the rows would be packed, or says what it lacks", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/report.html`;
    const report = ["inspect", CHATS, ...MODEL, "--html", path];
    const { code, err } = await start(
      [...report, "--max-length", "64", "--pack", "bfd"],
      { permissions: ["-R", `-W=${folder}`] },
    );
    assertEquals(code, 0, err);
    const html = Deno.readTextFileSync(path);
    assertMatch(html, /<h2>Packs<\/h2><p>\d+ packs? of at most 64 tokens/);

    for (
      const [args, lack] of [
        [[...report, "--pack", "bfd"], "--max-length N"],
        [["inspect", CHATS, ...MODEL, "--pack", "bfd"], "--html FILE"],
      ] as const
    ) {
      const { code, err } = await start([...args], { permissions: ["-R"] });
      assertEquals(code, 2);
      assertMatch(err, new RegExp(`--pack bfd needs ${lack}`));
    }
  });
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test(`${signal} during prepare leaves no file`, async () => {
    const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
    await inFolder(async (folder) => {
      for (const workers of ["0", "2"]) {
        const path = `${folder}/rows.jsonl`;
        Deno.writeTextFileSync(path, "old");
        const child = command(
          ["prepare", "-", ...MODEL, "-o", path, "--workers", workers],
          { permissions: ["-R", `-W=${folder}`] },
        ).spawn();
        // it waits for more
        const writer = child.stdin.getWriter();
        const line = new TextEncoder().encode(`${chatLine("Hi", "Ho")}\n`);
        for (let i = 0; i < 200; i++) await writer.write(line);
        await new Promise((resolve) => setTimeout(resolve, 1500));
        child.kill(signal);
        const { code, stderr } = await child.output();
        await writer.close().catch(() => {});
        assertEquals(code, codes[signal]);
        assertEquals(new TextDecoder().decode(stderr), "");
        assertEquals(namesIn(folder), ["rows.jsonl"]);
        assertEquals(Deno.readTextFileSync(path), "old");
      }
    });
  });
}

Deno.test("a pipe that is closed early ends it without a word", async () => {
  await inFolder(async (folder) => {
    const many = `${folder}/many.jsonl`;
    const lines = Array.from(
      { length: 300 },
      (_, i) => chatLine(`Question ${i}`, "x".repeat(500)),
    );
    Deno.writeTextFileSync(many, lines.join("\n"));
    const line = [Deno.execPath(), "run", "--no-prompt", "--no-check", "-R"]
      .concat("src/cli/main.ts", "inspect", many, ...MODEL, "-n", "300")
      .join(" ");
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", `${line} | head -1; exit \${PIPESTATUS[0]}`],
    }).output();
    assertEquals(code, 141);
    assertEquals(new TextDecoder().decode(stderr), "");
    assertStringIncludes(new TextDecoder().decode(stdout), "line 1: ");
  });
});

Deno.test({
  name:
    "output that has no room is said so, as what the command line asked for",
  ignore: Deno.build.os !== "linux", // others have no /dev/full
  fn: async () => {
    const line = [Deno.execPath(), "run", "--no-prompt", "--no-check", "-R"]
      .concat("src/cli/main.ts", "inspect", CHATS, ...MODEL).join(" ");
    const { code, stderr } = await new Deno.Command("bash", {
      args: ["-c", `${line} > /dev/full`],
    }).output();
    assertEquals(code, 2);
    assertStringIncludes(
      new TextDecoder().decode(stderr),
      "sft-loss: cannot write standard output: no space is left on the device\n",
    );
  },
});

Deno.test("NO_COLOR, FORCE_COLOR, and a pipe decide on colours", async () => {
  const painted = async (env: Record<string, string>) =>
    (await start(["inspect", CHATS, ...MODEL, "-n", "1"], { env })).out
      .includes("\x1b[");
  assertEquals(await painted({}), false);
  assertEquals(await painted({ FORCE_COLOR: "1" }), true);
  assertEquals(await painted({ FORCE_COLOR: "0" }), false);
  assertEquals(await painted({ FORCE_COLOR: "1", NO_COLOR: "1" }), false);
});

Deno.test("standard input is read to the end, and no further than is needed", async () => {
  const stdin = Array.from({ length: 5000 }, () => chatLine("Hi", "Ho"))
    .join("\n");
  const all = await start(["audit", "-", ...MODEL, "--json"], { stdin });
  assertEquals(JSON.parse(all.out).rows, 5000);
  const few = await start(["inspect", "-", ...MODEL, "-n", "1"], { stdin });
  assertEquals([few.code, few.err], [0, ""]);
});

Deno.test("importing the command line does nothing", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "await import('./src/cli/main.ts'); console.log('quiet')"],
  }).output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "quiet\n"]);
});

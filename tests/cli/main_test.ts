/** The command line as a whole: commands, help, exit codes, errors of one line. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PipeClosed } from "../../src/cli/errors.ts";
import { run } from "../../src/cli/main.ts";
import { VERSION } from "../../src/cli/version.ts";
import {
  chatLine,
  cli,
  createIo,
  TOKENIZER,
  tokenizerFiles,
} from "./fixture.ts";

Deno.test("the tokenizer's folder is what fixture.ts makes", () => {
  for (const [name, text] of Object.entries(tokenizerFiles())) {
    assertEquals(
      JSON.parse(Deno.readTextFileSync(`${TOKENIZER}/${name}`)),
      JSON.parse(text),
    );
  }
});

Deno.test("run() says the version of deno.json", async () => {
  const { version } = JSON.parse(Deno.readTextFileSync("deno.json"));
  assertEquals(VERSION, version);
  for (const word of ["--version", "-V", "version"]) {
    const { code, out, err } = await cli([word]);
    assertEquals([code, out, err], [0, `sft-loss ${version}\n`, ""]);
  }
});

Deno.test("run() helps on standard output when it is asked, and on the other when it is not", async () => {
  const asked = await cli(["--help"]);
  assertEquals(asked.code, 0);
  assertEquals(asked.err, "");
  for (const name of ["inspect", "audit", "prepare", "loss"]) {
    assertStringIncludes(asked.out, `  ${name} `);
  }
  assertEquals((await cli(["help"])).out, asked.out);
  const silent = await cli([]);
  assertEquals([silent.code, silent.out], [2, ""]);
  assertEquals(silent.err, asked.out);
});

Deno.test("run() explains each command, in lines of at most 80 columns", async () => {
  for (const name of ["inspect", "audit", "prepare", "loss"]) {
    const { code, out, err } = await cli([name, "--help"]);
    assertEquals([code, err], [0, ""]);
    assert(out.startsWith(`Usage: sft-loss ${name} `), out);
    assertEquals((await cli([name, "-h"])).out, out);
    assertEquals((await cli(["help", name])).out, out);
    const lines = out.slice(0, out.indexOf("\nExamples:")).split("\n");
    assertEquals(lines.filter((line) => line.length > 80), []);
  }
});

Deno.test("run() ends with 2 and a hint where the command line is wrong", async () => {
  const wrong: [string[], string][] = [
    [["inspekt"], "there is no command inspekt: did you mean inspect?"],
    [["frobnicate"], "there is no command frobnicate"],
    [["--json"], "a command comes before --json"],
    [["help", "nothing"], "there is no command nothing"],
    [["__proto__"], "there is no command __proto__"],
    [["inspect"], "FILE is needed"],
    [["audit", "--tokenizer", TOKENIZER], "FILE is needed"],
    [["inspect", "a", "b"], 'one FILE at a time: got "a" and "b"'],
    [["prepare", "a"], "--output is needed"],
    [["loss"], "--logits is needed"],
    [["loss", "x.npy"], 'loss reads --logits and --labels: got "x.npy"'],
  ];
  for (const [args, words] of wrong) {
    const { code, out, err } = await cli(args);
    assertEquals([code, out], [2, ""], args.join(" "));
    const [line, hint, end] = err.split("\n");
    assertStringIncludes(line!, `sft-loss: ${words}`);
    assertStringIncludes(hint!, "--help says what there is");
    assertEquals(end, "");
  }
});

Deno.test("run() ends with 141 and says nothing where the reader of a pipe has gone", async () => {
  const { io, err } = createIo({ stdin: chatLine("Hi", "Ho") });
  const gone = {
    ...io.stdout,
    write: () => Promise.reject(new PipeClosed()),
  };
  const args = ["inspect", "-", "--tokenizer", TOKENIZER];
  assertEquals(await run(args, { ...io, stdout: gone }), 141);
  assertEquals(err(), "");
  assertEquals(await run(["nothing"], { ...io, stderr: gone }), 141);
});

Deno.test("run() says in one line what nobody expected", async () => {
  const { io, err } = createIo({ stdin: chatLine("Hi", "Ho") });
  const broken = {
    ...io.stdout,
    write: () => Promise.reject(new Error("a\nb \x1b[31mc")),
  };
  const args = ["inspect", "-", "--tokenizer", TOKENIZER];
  assertEquals(await run(args, { ...io, stdout: broken }), 1);
  assert(err().startsWith("sft-loss: unexpected: a↵b "), err());
  assertEquals([err().split("\n").length, err().includes("\x1b")], [2, false]);
});

Deno.test("run() paints errors only where colours are wanted", async () => {
  assert(!(await cli(["no"])).err.includes("\x1b"));
  const { err } = await cli(["no"], { color: true });
  assertStringIncludes(err, "\x1b[31msft-loss:\x1b[39m there is no command");
});

/** What is wrong with a file is said in one line, with its place, and disturbs nothing else. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BAD_FILES, BAD_LINES } from "./bad_inputs.ts";
import { chatLine, cli, TOKENIZER } from "./fixture.ts";

const GOOD = chatLine("Hi", "Ho");

Deno.test("audit and inspect refuse each bad line by its number, and read the others", async () => {
  assert(BAD_LINES.length + BAD_FILES.length >= 60);
  for (const [line, words] of BAD_LINES) {
    const name = line.slice(0, 80);
    const stdin = `${GOOD}\n${line}\n${GOOD}\n`;
    const args = ["-", "--tokenizer", TOKENIZER];
    const audit = await cli(["audit", ...args, "--json"], { stdin });
    assertEquals([audit.code, audit.err], [0, ""], name);
    const { rows, refused, refusals } = JSON.parse(audit.out);
    assertEquals([rows, refused], [2, 1], name);
    const [{ line: number, detail }] = refusals[0].examples;
    assertEquals(number, 2, name);
    assertStringIncludes(detail, words);

    const inspect = await cli(["inspect", ...args, "--json"], { stdin });
    assertEquals(inspect.code, 0, name);
    const shown = inspect.out.trimEnd().split("\n");
    assertEquals(shown.map((row) => JSON.parse(row).line), [1, 3], name);
    assert(inspect.err.startsWith("line 2 is refused: "), inspect.err);
    assertEquals(inspect.err.split("\n").length, 2, name);
  }
});

Deno.test("audit and inspect end with 1 where nothing can be used", async () => {
  const files = [
    ...BAD_FILES,
    ...BAD_LINES.map(([line, words]) =>
      [line.slice(0, 80), new TextEncoder().encode(line), words] as const
    ),
  ];
  for (const [name, stdin, words] of files) {
    for (const command of ["audit", "inspect"]) {
      const args = [command, "-", "--tokenizer", TOKENIZER];
      const { code, out, err } = await cli(args, { stdin });
      assertEquals(code, 1, `${command} ${name}`);
      // "holds no rows" is what an audit says
      if (command === "audit") {
        const said = (out + err).replaceAll(/\s+/g, " ");
        assertStringIncludes(said, words, name);
      }
      const last = err.trimEnd().split("\n").at(-1)!;
      assert(last.startsWith("sft-loss: "), `${command} ${name}: ${err}`);
      assert(!/\bat .*:\d+:\d+/.test(err), `no stack: ${err}`);
    }
  }
});

Deno.test("paths that lead nowhere end with 2", async () => {
  const wrong: [string[], string][] = [
    [["none.jsonl"], "cannot read none.jsonl: no such file"],
    [["tests"], "cannot read tests: it is a folder"],
    [["deno.json/x"], "a part of its path is no folder"],
    [["\x1b[31m.jsonl"], "no such file"],
  ];
  for (const [paths, words] of wrong) {
    for (const command of ["audit", "inspect"]) {
      const args = [command, ...paths, "--tokenizer", TOKENIZER];
      const { code, err } = await cli(args);
      assertEquals(code, 2);
      assertStringIncludes(err, words);
      assert(!err.includes("\x1b"));
    }
  }
});

Deno.test("tokenizers that are none end with 2", async () => {
  const wrong: [string, string][] = [
    ["none", "cannot read --tokenizer none: no such folder"],
    ["deno.json", "--tokenizer deno.json must be a folder"],
    ["tests", "--tokenizer tests has no tokenizer.json"],
    [`${TOKENIZER}/tokenizer.json`, "must be a folder"],
  ];
  for (const [folder, words] of wrong) {
    const { code, err } = await cli(
      ["audit", "-", "--tokenizer", folder],
      { stdin: GOOD },
    );
    assertEquals(code, 2);
    assertStringIncludes(err, words);
  }
  const { code, err } = await cli(["audit", "-"], { stdin: GOOD });
  assertEquals(code, 2);
  assertStringIncludes(err, "--tokenizer is needed");
});

Deno.test("a message of a megabyte is a row like any other", async () => {
  const stdin = chatLine("x".repeat(1 << 20), "Ho");
  const args = ["audit", "-", "--tokenizer", TOKENIZER, "--json"];
  const { code, out } = await cli(args, { stdin });
  assertEquals(code, 0);
  assert(JSON.parse(out).tokens > 1 << 20);
});

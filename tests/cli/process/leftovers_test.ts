/** What `prepare` refuses, and that it leaves nothing half done. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { AtomicFile } from "../../../src/cli/atomic_write.ts";
import { Spill } from "../../../src/cli/spill.ts";
import { BAD_FILES, BAD_LINES } from "../bad_inputs.ts";
import { chatLine, cli, createIo, TOKENIZER } from "../fixture.ts";
import { inFolder, namesIn } from "./folder.ts";
import { FILE, prepare, readRows, samples } from "./prepared.ts";

Deno.test("prepare says what becomes of rows that are too long", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/rows.jsonl`;
    const run = async (overlong: string) => {
      const args = ["--max-length", "40", "--overlong", overlong];
      const { code, err } = await prepare(path, args);
      return { code, err, rows: code === 0 ? await readRows(path) : [] };
    };
    const over = samples().filter((row) => row.inputIds.length > 40).length;
    assert(over > 5);
    const drop = await run("drop");
    assertEquals(drop.rows.length, 60 - over);
    assertStringIncludes(drop.err, `${over} rows longer than 40 tokens`);
    const split = await run("split");
    assert(split.rows.length > 60);
    assert(split.rows.every((row) => row.inputIds.length <= 40));
    Deno.removeSync(path);
    const error = await run("error");
    assertEquals([error.code, namesIn(folder)], [1, []]);
    assertMatch(error.err, /sft-loss: line 1 has \d+ tokens, more than/);
  });
});

Deno.test("prepare ends with 1 and leaves nothing where no row survives", async () => {
  await inFolder(async (folder) => {
    const lines = [chatLine("Hi"), chatLine("A question", "Ho"), "{"]
      .join("\n");
    for (const ending of ["jsonl", "parquet", "safetensors", "npy"]) {
      const path = `${folder}/rows.${ending}`;
      const args = ["--max-length", "10", "--json"];
      const { code, out, err } = await prepare(path, args, lines);
      assertEquals([code, out], [1, ""]);
      assertStringIncludes(
        err,
        "none of 3 conversations in standard input leaves a row",
      );
      assertStringIncludes(err, "line 3: not JSON");
      assertEquals(namesIn(folder), []);
    }
  });
});

Deno.test("prepare refuses bad files, and reads on behind bad lines", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/rows.jsonl`;
    for (const [name, stdin] of BAD_FILES) {
      const { code, err } = await prepare(path, [], stdin);
      assertEquals(code, 1, name);
      assertStringIncludes(err, "sft-loss: ", name);
      assertEquals(namesIn(folder), [], name);
    }
    const stdin = BAD_LINES.map(([line]) => line).concat(FILE).join("\n");
    const { code, err } = await prepare(path, [], stdin);
    assertEquals(code, 0);
    assertEquals((await readRows(path)).length, 60);
    const refused = [...err.matchAll(/refused {3}(\d+) chats?:/g)]
      .reduce((sum, [, count]) => sum + Number(count), 0);
    assertEquals(refused, BAD_LINES.length);
  });
});

Deno.test("prepare stops a template that would never end", async () => {
  await inFolder(async (folder) => {
    const template = `${folder}/endless.jinja`;
    const loop = "{% for i in range(99999) %}".repeat(3) + "x" +
      "{% endfor %}".repeat(3);
    Deno.writeTextFileSync(template, loop);
    const args = ["--chat-template", template];
    const output = `${folder}/rows.jsonl`;
    const { code, err } = await prepare(output, args, chatLine("Hi", "Ho"));
    assertEquals(code, 1);
    assertStringIncludes(err, "1 chat: template without end");
    assertEquals(namesIn(folder), ["endless.jinja"]);
  });
});

Deno.test("prepare refuses a command line before it reads anything", async () => {
  await inFolder(async (folder) => {
    const wrong: [string, string[], string][] = [
      ["rows.csv", [], "--output must end in .jsonl, .parquet, .safetensors"],
      ["rows", [], "--output must end in"],
      [".jsonl/rows", [], "--output must end in"],
      ["rows.npy", ["--certificates"], "--certificates are text"],
      ["rows.npy", ["--lengths", "seq_lengths"], "--lengths seq_lengths"],
      ["rows.jsonl", ["--pack", "bfd"], "--pack bfd needs --max-length N"],
      ["rows.jsonl", ["--pack", "tight"], "--pack must be one of"],
      ["rows.jsonl", ["--max-length", "0"], "--max-length must be a whole"],
      ["rows.jsonl", ["--workers", "65"], "--workers must be at most 64"],
      ["rows.jsonl", ["--workers", "two"], "--workers must be a whole number"],
      ["rows.jsonl", ["--overlong", "x"], "--overlong must be one of"],
      ["rows.jsonl", ["--pad-id", "-1"], "--pad-id must be a whole number"],
      ["none/rows.jsonl", [], "there is no such folder"],
    ];
    for (const [name, args, words] of wrong) {
      const { code, err } = await prepare(`${folder}/${name}`, args);
      assertEquals(code, 2, name);
      assertStringIncludes(err, words);
      assertEquals(namesIn(folder), []);
    }
    for (const name of ["rows.jsonl", "rows.npy"]) {
      const taken = name.replace("npy", "labels.npy");
      Deno.mkdirSync(`${folder}/${taken}`);
      const { code, err } = await prepare(`${folder}/${name}`);
      assertEquals(code, 2);
      assertStringIncludes(err, "it is a folder");
      assertEquals(namesIn(folder), [taken]);
      Deno.removeSync(`${folder}/${taken}`);
    }
  });
});

Deno.test("prepare does not write over what it reads", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/chats.jsonl`;
    Deno.writeTextFileSync(path, FILE);
    const args = ["prepare", path, "--tokenizer", TOKENIZER, "-o", path];
    const { code, err } = await cli(args);
    assertEquals(code, 2);
    assertStringIncludes(err, "--output must not be the file that is read");
    assertEquals(Deno.readTextFileSync(path), FILE);
  });
});

Deno.test("prepare replaces what is there when it is done, and keeps it when it fails", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/rows.jsonl`;
    Deno.writeTextFileSync(path, "old");
    assertEquals((await prepare(path, [], "{")).code, 1);
    assertEquals(Deno.readTextFileSync(path), "old");
    await new Deno.Command("ln", {
      args: ["-s", "rows.jsonl", `${folder}/link.jsonl`],
    }).output();
    assertEquals((await prepare(`${folder}/link.jsonl`)).code, 0);
    assertEquals((await readRows(path)).length, 60);
    assert(Deno.lstatSync(`${folder}/link.jsonl`).isSymlink);
    assertEquals(namesIn(folder), ["link.jsonl", "rows.jsonl"]);
  });
});

Deno.test("prepare refuses rows that are tokenised already", async () => {
  await inFolder(async (folder) => {
    const row = `{"input_ids":[5,6],"labels":[-100,6]}`;
    const { code, err } = await prepare(`${folder}/rows.jsonl`, [], row);
    assertEquals(code, 1);
    assertStringIncludes(err, "tokenised already");
  });
});

Deno.test("an interrupt takes away what has no name yet, and nothing else", async () => {
  await inFolder((folder) => {
    const { io, interrupt } = createIo();
    const file = new AtomicFile(`${folder}/rows.jsonl`, io);
    const spill = new Spill(`${folder}/rows.jsonl`, io);
    file.append(Uint8Array.of(1, 2, 3));
    assertEquals(namesIn(folder).length, 1);
    interrupt();
    assertEquals(namesIn(folder), []);
    interrupt(); // nothing is left to do
    file.discard();
    spill.close();

    const other = new AtomicFile(`${folder}/rows.jsonl`, io);
    other.append(Uint8Array.of(1, 2, 3));
    other.writeAt(Uint8Array.of(9), 1);
    other.commit();
    interrupt();
    assertEquals(namesIn(folder), ["rows.jsonl"]);
    assertEquals(
      Deno.readFileSync(`${folder}/rows.jsonl`),
      Uint8Array.of(1, 9, 3),
    );
  });
});

Deno.test("prepare gives up a template that ends for none of the first chats, but not one that is stopped by some", async () => {
  await inFolder(async (folder) => {
    const run = async (condition: string) => {
      const template = `${folder}/endless.jinja`;
      const path = `${folder}/rows.jsonl`;
      Deno.writeTextFileSync(
        template,
        `{% for m in messages %}{{ m.content }}{% if ${condition} %}` +
          "{% for i in range(1000000000) %}{% endfor %}{% endif %}{% endfor %}",
      );
      const args = ["--chat-template", template];
      const lines = ["no", "no", "no", "no", "no", "yes"]
        .map((content) => chatLine(content, "Fine.")).join("\n");
      return await prepare(path, args, lines);
    };
    const none = await run("true");
    assertEquals(none.code, 1);
    assertStringIncludes(
      none.err,
      "the chat template does not end: each of the first 4 chats was stopped",
    );
    assertEquals(namesIn(folder), ["endless.jinja"]);
    const some = await run("m.content == 'yes'");
    assertEquals(some.code, 0, some.err);
    assertMatch(some.err, /rows\.jsonl: 5 rows/);
  });
});

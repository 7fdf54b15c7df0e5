/** `prepare`: what is written, read back. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { packSequences } from "../../../mod.ts";
import {
  createParquetSink,
  decodeNpy,
  decodeSafetensors,
  encodeNpy,
  encodeSafetensors,
  readParquetRows,
} from "../../../src/formats/mod.ts";
import { BAD_LINES } from "../bad_inputs.ts";
import { chatLine, cli, END_OF_TEXT, TOKENIZER } from "../fixture.ts";
import { inFolder, namesIn } from "./folder.ts";
import { FILE, plain, prepare, readRows, samples, TURNS } from "./prepared.ts";

Deno.test("prepare writes the rows that encodeChat() makes", async () => {
  await inFolder(async (folder) => {
    for (const ending of ["jsonl", "parquet"]) {
      const path = `${folder}/rows.${ending}`;
      const { code, out, err } = await prepare(path);
      assertEquals([code, out], [0, ""]);
      assertStringIncludes(err, `${path}: 60 rows`);
      const rows = await readRows(path);
      assertEquals(rows.map(plain), samples().map(plain));
      for (const row of rows) {
        assertEquals(row.attentionMask, row.inputIds.map(() => 1));
        assertEquals(row.positionIds, row.inputIds.map((_, t) => t));
        assertEquals([row.cuSeqlens, row.weights], [undefined, undefined]);
      }
      assertEquals(namesIn(folder), [`rows.${ending}`]);
      Deno.removeSync(path);
    }
  });
});

Deno.test("prepare packs as packSequences() does, under every strategy", async () => {
  await inFolder(async (folder) => {
    for (const strategy of ["bfd", "first-fit", "wrapped"] as const) {
      const packed = packSequences(samples(), {
        maxLength: 128,
        strategy,
        overlong: strategy === "wrapped" ? "split" : "truncate",
      });
      for (const ending of ["jsonl", "parquet"]) {
        const path = `${folder}/rows.${ending}`;
        const args = ["--max-length", "128", "--pack", strategy];
        const { code, err } = await prepare(path, args);
        assertEquals(code, 0, err);
        const rows = await readRows(path);
        assertEquals(rows.length, packed.packs.length);
        rows.forEach((row, i) => {
          const pack = packed.packs[i]!;
          assertEquals(plain(row), plain(pack));
          assertEquals(row.cuSeqlens, pack.cuSeqlens);
          assertEquals(row.positionIds, pack.positionIds);
        });
      }
    }
  });
});

Deno.test("prepare --lengths names the documents of a pack", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/rows.jsonl`;
    const keys = async (...lengths: string[]) => {
      const args = ["--max-length", "128", "--pack", "bfd", ...lengths];
      await prepare(path, args);
      const [line] = Deno.readTextFileSync(path).split("\n");
      return Object.keys(JSON.parse(line!));
    };
    const columns = ["input_ids", "labels", "attention_mask", "position_ids"];
    assertEquals(await keys(), [...columns, "seq_lengths"]);
    assertEquals(await keys("--lengths=cu_seqlens"), [
      ...columns,
      "cu_seqlens",
    ]);
    assertEquals(await keys("--lengths", "none"), columns);
  });
});

Deno.test("prepare writes padded tensors, the same in .safetensors and .npy", async () => {
  await inFolder(async (folder) => {
    const args = "--max-length 128 --pack bfd --pad-to-multiple-of 16"
      .split(" ");
    const packed = packSequences(samples(), {
      maxLength: 128,
      overlong: "truncate",
    });
    const batch = packed.padded({ padTokenId: END_OF_TEXT, length: 128 });
    const path = `${folder}/rows.safetensors`;
    assertEquals((await prepare(path, args)).code, 0);
    const bytes = Deno.readFileSync(path);
    const { tensors } = decodeSafetensors(bytes);
    assertEquals(encodeSafetensors(tensors), bytes); // to the byte
    assertEquals(
      Object.fromEntries([...tensors].map(([name, { data }]) => [name, data])),
      {
        attention_mask: batch.attentionMask,
        cu_seqlens: batch.cuSeqlens!,
        input_ids: batch.inputIds,
        labels: batch.labels,
        position_ids: batch.positionIds,
      },
    );
    assertEquals(tensors.get("input_ids")!.shape, batch.dims);
    Deno.removeSync(path);

    const { code, err } = await prepare(`${folder}/rows.npy`, args);
    assertEquals(code, 0);
    assertStringIncludes(err, `${folder}/rows.*.npy: `);
    assertEquals(
      namesIn(folder),
      [...tensors.keys()].map((name) => `rows.${name}.npy`),
    );
    for (const [name, tensor] of tensors) {
      const file = Deno.readFileSync(`${folder}/rows.${name}.npy`);
      assertEquals(decodeNpy(file), tensor);
      assertEquals(encodeNpy(tensor), file);
    }
  });
});

Deno.test("prepare pads rows that are not packed to the longest, or further", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/rows.safetensors`;
    const read = async (...args: string[]) => {
      assertEquals((await prepare(path, args)).code, 0);
      return decodeSafetensors(Deno.readFileSync(path)).tensors;
    };
    const longest = Math.max(...samples().map((row) => row.inputIds.length));
    const tensors = await read();
    assertEquals(tensors.get("input_ids")!.shape, [60, longest]);
    assert(!tensors.has("cu_seqlens"));
    const other = await read("--pad-id", "7", "--pad-to-multiple-of", "64");
    const { shape, data } = other.get("input_ids")!;
    assertEquals(shape[1], Math.ceil(longest / 64) * 64);
    assertEquals(data[shape[1]! - 1], 7);
    assertEquals(other.get("labels")!.data[shape[1]! - 1], -100);
  });
});

Deno.test("prepare --certificates proves each row, and each document of a pack", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/rows.parquet`;
    const certificates = async (...args: string[]) => {
      await prepare(path, ["--certificates", ...args]);
      // deno-lint-ignore no-explicit-any -- what JSON holds
      const rows: any[] = [];
      for await (const row of readParquetRows(Deno.readFileSync(path))) {
        rows.push(JSON.parse(String(row.certificate)));
      }
      return rows;
    };
    const alone = await certificates();
    assertEquals(alone.map(({ line }) => line), TURNS.map((_, i) => i + 1));
    assertEquals(alone[1].runs[0].text, `${TURNS[1]![1]}<|im_end|>`);
    const packs = await certificates("--max-length", "200", "--pack", "bfd");
    const documents = packs.flat();
    assertEquals(
      documents.map(({ line }) => line).sort((a, b) => a - b),
      TURNS.map((_, i) => i + 1),
    );
    assert(documents.every(({ start, length }) => start === 0 && length > 0));
    const split = await certificates("--max-length", "30", "--overlong=split");
    assert(split.some(({ start }) => start === 30));
  });
});

Deno.test("prepare writes loss_weights where a weight is not 1, in every row then", async () => {
  const weighted = JSON.stringify({
    messages: [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Ho", weight: 0.25 },
    ],
  });
  await inFolder(async (folder) => {
    for (const options of [[], ["--pack", "bfd", "--max-length", "64"]]) {
      for (const ending of ["jsonl", "parquet"]) {
        const path = `${folder}/rows.${ending}`;
        await prepare(path, options, `${weighted}\n${chatLine("Hi", "Ha")}`);
        const weights = new Set<string>();
        for (const { labels, weights: given } of await readRows(path)) {
          labels.forEach((label, t) =>
            weights.add(`${label === -100} ${given![t]}`)
          );
        }
        assertEquals([...weights].sort(), ["false 0.25", "false 1", "true 0"]);
      }
    }
    const path = `${folder}/rows.safetensors`;
    await prepare(path, [], weighted);
    const { tensors } = decodeSafetensors(Deno.readFileSync(path));
    assertEquals(tensors.get("loss_weights")!.dtype, "f32");
    assertEquals([...tensors.get("loss_weights")!.data].at(-2), 0.25);
    assertEquals(encodeSafetensors(tensors), Deno.readFileSync(path));
  });
});

Deno.test("prepare makes the same bytes with any number of workers", async () => {
  const long = Array.from({ length: 10 }, () => FILE)
    .concat(BAD_LINES.slice(0, 40).map(([line]) => line))
    .concat(FILE).join("\n");
  await inFolder(async (folder) => {
    const files = new Map<string, Uint8Array>();
    const said = new Set<string>();
    for (const workers of ["0", "1", "3"]) {
      for (const ending of ["jsonl", "parquet"]) {
        const path = `${folder}/rows.${ending}`;
        const args = "--max-length 60 --pack bfd --certificates --json"
          .split(" ").concat("--workers", workers);
        const { code, out, err } = await prepare(path, args, long);
        assertEquals(code, 0, err);
        said.add(out.replace(/"output":"[^"]*"/, ""));
        const bytes = Deno.readFileSync(path);
        assertEquals(files.get(ending) ?? bytes, bytes);
        files.set(ending, bytes);
      }
    }
    assertEquals(said.size, 1);
  });
});

Deno.test("prepare hears from a worker what is wrong, in one line", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/rows.jsonl`;
    const late = await prepare(
      path,
      "--workers 2 --max-length 40 --overlong error".split(" "),
    );
    assertEquals([late.code, late.err.split("\n").length], [1, 2]);
    assertStringIncludes(late.err, "sft-loss: line 1 has ");
    const args = ["prepare", "-", "-o", path, "--workers", "2", "--tokenizer"];
    const early = await cli([...args, "none"], { stdin: FILE });
    assertEquals([early.code, early.err.split("\n").length], [2, 3]);
    assertStringIncludes(early.err, "cannot read --tokenizer none");
    assertEquals(namesIn(folder), []);
  });
});

Deno.test("prepare --json counts what happened", async () => {
  await inFolder(async (folder) => {
    const output = `${folder}/rows.jsonl`;
    const lines = [
      chatLine("Hi", "Hello there"),
      chatLine("A question that is much too long", "Ho"),
      chatLine("Only a question"),
      "{",
      chatLine("Hi", "Ho"),
    ].join("\n");
    const args = ["--max-length", "27", "--json"];
    const { out, err } = await prepare(output, args, lines);
    const { events, ...counts } = JSON.parse(out);
    assertEquals(counts, {
      output,
      rows: 2,
      longest: 27,
      fill: null,
      lostTargets: 0,
      conversations: 5,
      documents: 2,
      tokens: 52,
      trainedTokens: 9,
      trainedTokensCut: 9,
    });
    assertEquals(events["cut-away"].examples[0].line, 2);
    assertEquals(events["refused:not readable"].examples[0].line, 4);
    for (
      const words of [
        "refused   1 chat: not readable\n    line 4: not JSON",
        "left out  1 row with nothing to train\n    line 3",
        "left out  1 row with nothing to train once cut at 27 tokens\n    line 2",
        "cut       9 trained tokens behind the first 27 of a row",
        "in 1 row\n    line 1: The cut at 27",
      ]
    ) assertStringIncludes(err, words);
  });
});

Deno.test("prepare counts the first label of a fragment, which is no target, packed or not", async () => {
  await inFolder(async (folder) => {
    const lines = chatLine("Hi", "x".repeat(200), "And", "y".repeat(50));
    for (const pack of ["none", "bfd", "first-fit"]) {
      const args = ["--max-length", "30", "--overlong", "split", "--json"];
      const { out, err } = await prepare(
        `${folder}/rows.jsonl`,
        [...args, "--pack", pack],
        lines,
      );
      const { lostTargets, documents } = JSON.parse(out);
      assertEquals([documents, lostTargets], [10, 8], pack);
      assertStringIncludes(err, "8 trained tokens first in a document");
    }
  });
});

Deno.test("prepare reads parquet of conversations, but not from standard input", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/chats.parquet`;
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    const sink = await createParquetSink({
      columns: { prompt: "string", completion: "string" },
      write: (bytes) => void pieces.push(bytes.slice()),
    });
    const chats = TURNS.map(([prompt, completion]) => ({ prompt, completion }));
    await sink.add(chats);
    await sink.finish();
    const file = new Uint8Array(await new Blob(pieces).arrayBuffer());
    Deno.writeFileSync(path, file);
    const output = `${folder}/rows.jsonl`;
    const { code } = await cli(
      ["prepare", path, "--tokenizer", TOKENIZER, "-o", output]
        .concat("--workers", "0"),
    );
    assertEquals(code, 0);
    assertEquals(
      (await readRows(output)).map(plain),
      samples(TURNS.map((turns) => turns.slice(0, 2))).map(plain),
    );
    const piped = await cli(
      ["audit", "-", "--tokenizer", TOKENIZER],
      { stdin: file },
    );
    assertEquals(piped.code, 2);
    assertStringIncludes(piped.err, "cannot read parquet from standard input");
  });
});

Deno.test("an audit of what was prepared finds what was prepared", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/rows.parquet`;
    await prepare(path, ["--max-length", "200", "--pack", "bfd"]);
    const { code, out } = await cli(
      ["audit", path, "--tokenizer", TOKENIZER, "--json"],
    );
    assertEquals(code, 0);
    const { trainedTokens, stops, findings } = JSON.parse(out);
    const trained = samples().flatMap((row) => plain(row)[1]!)
      .filter((label) => label !== -100);
    assertEquals(trainedTokens, trained.length);
    assertEquals([stops.turns, stops.trained], [80, 80]);
    assertEquals(findings, []);
  });
});

Deno.test("prepare --fail-on writes nothing where more is wrong than it allows", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/rows.jsonl`;
    const angry = JSON.stringify({
      messages: [
        { role: "angry", content: "No" },
        { role: "assistant", content: "Yes" },
      ],
    });
    const typed = chatLine("a <|im_end|> typed", "fine");
    const silent = JSON.stringify({
      messages: [{ role: "user", content: "Nobody answers" }],
    });
    const file = [FILE, angry, typed, silent].join("\n");
    const cases: [limits: string[], said: string | null][] = [
      [[], null],
      [["refused=1"], null],
      [["refused"], "1 row refused, more than --fail-on allows (0)"],
      [["refused=1%"], "1 row refused, more than --fail-on allows (1 %)"],
      [["refused=2%"], null],
      [["control-text"], "1 row with control text"],
      [["nothing-trained"], "1 row with nothing trained"],
      [["serious=3"], null],
      [["serious=2"], "3 rows refused or with a finding that is serious"],
      [["1"], "3 rows refused or with a finding, more"],
      [["refused", "serious"], "(0); 3 rows refused or with a finding"],
    ];
    for (const workers of ["0", "2"]) {
      for (const [limits, said] of cases) {
        const args = limits.flatMap((limit) => ["--fail-on", limit]);
        const { code, out, err } = await prepare(
          path,
          [...args, "--workers", workers],
          file,
        );
        assertEquals([code, out], [said === null ? 0 : 1, ""], limits.join());
        assertEquals(namesIn(folder), said === null ? ["rows.jsonl"] : []);
        if (said === null) Deno.removeSync(path);
        else {
          assertStringIncludes(err, said);
          assertStringIncludes(err, "standard input: ");
          assertStringIncludes(err, "nothing is written");
          assertStringIncludes(
            err,
            "refused   1 chat: refused by the template",
          );
        }
      }
    }
    for (const what of ["duplicates", "answers-cut", "refusd"]) {
      const { code, err } = await prepare(path, ["--fail-on", what], file);
      assertEquals(code, 2);
      assertStringIncludes(err, "--fail-on knows no");
    }
  });
});

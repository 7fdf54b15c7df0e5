/** `audit`, in this process: the numbers, the findings, the exit code. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { chatLine, cli, END_OF_TEXT, IM_END, TOKENIZER } from "./fixture.ts";

const CHATS = [
  chatLine("Hi", "Ho"),
  chatLine("Hi", "Ho"),
  chatLine("Only a question"),
  chatLine("What ends a turn?", "<|im_end|> does"),
  chatLine("Hi", "A long answer indeed"),
  `{"messages":[{"role":"angry","content":"!"},{"role":"assistant","content":"?"}]}`,
  "{",
].join("\n");

const audit = (args: string[], stdin = CHATS) =>
  cli(["audit", "-", "--tokenizer", TOKENIZER, ...args], { stdin });

Deno.test("audit --json says what the file is like", async () => {
  const { code, out } = await audit(["--json", "--max-length", "30"]);
  assertEquals(code, 0);
  const summary = JSON.parse(out);
  assertEquals(summary.file, "standard input");
  assertEquals([summary.rows, summary.refused], [5, 2]);
  assertEquals(summary.nothingTrained, { rows: 1, lines: [3] });
  assertEquals(summary.duplicates.examples, [{ line: 2, first: 1 }]);
  assertEquals(summary.overlong.answersCut, 2);
  assertEquals(summary.overlong.lines, [4, 5]);
  const found = Object.fromEntries(
    summary.findings.map((one: { code: string; rows: number }) => [
      one.code,
      one.rows,
    ]),
  );
  assertEquals(found["control-text"], 1);
  assertEquals(found["nothing-trained"], 1);
  assertEquals(
    summary.refusals.map((
      one: { reason: string; examples: { line: number }[] },
    ) => [one.reason, one.examples[0]!.line]).sort(),
    [["not readable", 7], ["refused", 6]],
  );
});

Deno.test("audit tells people the same", async () => {
  const { code, out, err } = await audit(["--max-length", "30"]);
  assertEquals([code, err], [0, ""]);
  for (
    const words of [
      "5 rows",
      "control text",
      "line 3",
      "duplicate",
      "line 7: not JSON",
      "Nobody may be angry here",
      "2 rows longer than 30 tokens",
    ]
  ) assertStringIncludes(out, words);
});

Deno.test("audit --fail-on ends with 1 above the limit, and says which", async () => {
  const cases: [string[], number][] = [
    [["nothing-trained"], 1],
    [["nothing-trained=1"], 0],
    [["nothing-trained=14%"], 1], // 1 of 7 is more than 14 %
    [["nothing-trained=15%"], 0],
    [["control-text=0"], 1],
    [["stop-not-trained"], 0],
    [["serious"], 1],
    [["serious=3"], 1], // two are refused, two have findings
    [["serious=4"], 0],
    [["any=4"], 0],
    [["3"], 1],
    [["4"], 0],
    [["100%"], 0],
    [["refused"], 1],
    [["refused=2"], 0],
    [["duplicates"], 1],
    [["duplicates=1"], 0],
    [["answers-cut"], 0], // no --max-length was said
    [["stop-not-trained", "refused"], 1],
  ];
  for (const [limits, wanted] of cases) {
    const args = limits.flatMap((limit) => ["--fail-on", limit]);
    const { code, err, out } = await audit(args);
    assertEquals(code, wanted, limits.join());
    assertEquals(err !== "", wanted === 1, limits.join());
    assertStringIncludes(out, "5 rows");
  }
  const cut = await audit(["--max-length", "30", "--fail-on", "answers-cut"]);
  assertEquals(cut.code, 1);
  assertStringIncludes(
    cut.err,
    "2 rows whose answer would be cut at --max-length, more than --fail-on allows (0)",
  );
});

Deno.test("audit refuses a limit that it does not know", async () => {
  const wrong: [string, string][] = [
    ["nothing-traind", "did you mean nothing-trained?"],
    ["xyz", "it must be one of serious"],
    ["serious=", "must be a number of rows or a share"],
    ["serious=x", "must be a number"],
    ["serious=101%", "must be a number"],
    ["serious=1.5", "must be a number"],
    ["serious=-1", "must be a number"],
  ];
  for (const [limit, words] of wrong) {
    const { code, out, err } = await audit([`--fail-on=${limit}`]);
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, words);
  }
});

/** Rows as TRL and others store them; 7 stands for any token. */
const ROWS = [
  { input_ids: [7, 7, IM_END], labels: [-100, 7, IM_END] }, // as it should be
  { input_ids: [7, 7, IM_END], labels: [-100, 7, -100] }, // the stop is there
  { input_ids: [7, 7, 7], completion_mask: [0, 1, 1] }, // no stop
  { input_ids: [7, 7, 7, 7], labels: [-100, 7, 7, 7] }, // cut at four
  { input_ids: [7, 7], labels: [-100, -100] }, // nothing
  { input_ids: [7, 7, IM_END, 10], assistant_masks: [0, 1, 1, 1] }, // a newline behind it
  { // a pack whose second document has no stop
    input_ids: [7, END_OF_TEXT, 7, 7],
    labels: [7, END_OF_TEXT, 7, -100],
    seq_lengths: [2, 2],
  },
  { input_ids: [7, 7], labels: [7, 8] }, // labels of another row
].map((row) => JSON.stringify(row)).join("\n");

Deno.test("audit finds what is odd about rows that were tokenised elsewhere", async () => {
  const args = ["--json", "--max-length", "4"];
  const { code, out } = await audit(args, ROWS);
  assertEquals(code, 0);
  const { rows, refused, stops, findings, refusals } = JSON.parse(out);
  assertEquals([rows, refused], [7, 1]);
  assertEquals(stops, {
    turns: 7,
    trained: 3,
    rowsWithout: 4,
    lines: [2, 3, 4, 7],
  });
  type Found = { code: string; examples: { line: number; detail: string }[] };
  const lines = (code: string) =>
    findings.find((one: Found) => one.code === code).examples.map((
      { line }: { line: number },
    ) => line);
  assertEquals(lines("stop-not-trained"), [2, 3, 7]);
  assertEquals(lines("truncated-in-answer"), [4]);
  assertEquals(lines("nothing-trained"), [5]);
  assertEquals(
    findings.find((one: Found) => one.code === "stop-not-trained").examples[0]
      .detail,
    `The stop ${IM_END} at 2 is not trained`,
  );
  assertStringIncludes(refusals[0].examples[0].detail, "labels");
});

Deno.test("audit takes the stops from --end-ids, and judges none where nobody knows them", async () => {
  const stops = async (...args: string[]) => {
    const { out } = await cli(["audit", "-", "--json", ...args], {
      stdin: ROWS,
    });
    return JSON.parse(out).stops.trained;
  };
  assertEquals(await stops(), 0);
  assertEquals(await stops("--end-ids", `${IM_END}`), 2);
  assertEquals(await stops("--end-ids", `${IM_END}, ${END_OF_TEXT}`), 3);
  const { code, err } = await cli(["audit", "-", "--end-ids", "a"], {
    stdin: ROWS,
  });
  assertEquals(code, 2);
  assertStringIncludes(err, "--end-ids must be ids");
});

Deno.test("audit goes through several files, and heads each", async () => {
  const file = "examples/chats.jsonl";
  const { code, out } = await cli(
    ["audit", file, "-", "--tokenizer", TOKENIZER],
    { stdin: ROWS },
  );
  assertEquals(code, 0);
  assertStringIncludes(out, `${file}\n`);
  assertStringIncludes(out, "\nstandard input\n7 rows");
});

Deno.test("audit ends with 1 where no row can be used", async () => {
  const { code, err } = await audit([], "{}\n{}\n");
  assertEquals(code, 1);
  assertStringIncludes(err, "standard input: none of its 2 rows can be used");
});

/** `inspect`, in this process: which rows it shows, for people and for programs. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { encodeChat, readTokenizerFolder } from "../../src/chat/mod.ts";
import { showRow } from "../../src/report/mod.ts";
import { chatLine, chatText, cli, IM_END, TOKENIZER } from "./fixture.ts";

const FILE = [
  chatLine("Is water wet?", "Ask a fish."),
  chatLine("Why?", "So.", "Really?", "Really."),
  `{"messages":[{"role":"angry","content":"!"},{"role":"assistant","content":"?"}]}`,
  chatLine("2 + 2?", "4"),
  chatLine("Bye", "Bye, fish"),
].join("\n");

const inspect = (args: string[], stdin: string = FILE, world = {}) =>
  cli(["inspect", "-", "--tokenizer", TOKENIZER, ...args], { stdin, ...world });

Deno.test("inspect shows the rows that encodeChat() makes, as showRow() shows them", async () => {
  const { code, out, err } = await inspect(["-n", "1"]);
  assertEquals([code, err], [0, ""]);
  const row = encodeChat([
    { role: "user", content: "Is water wet?" },
    { role: "assistant", content: "Ask a fish." },
  ], { tokenizer: readTokenizerFolder(TOKENIZER) });
  assertEquals(out, `${showRow(row, { line: 1 }).join("\n")}\n`);
});

Deno.test("inspect shows three conversations unless told, and names what it passed over", async () => {
  const { code, out, err } = await inspect([]);
  assertEquals(code, 0);
  assertEquals(
    [...out.matchAll(/^line (\d+)/gm)].map(([, line]) => line),
    ["1", "2", "4"],
  );
  assertMatch(err, /^line 3 is refused: .*Nobody may be angry here\n$/);
  const all = await inspect(["-n", "99"]);
  assertEquals([...all.out.matchAll(/^line (\d+)/gm)].length, 4);
});

Deno.test("inspect --json gives each token with role and reason, a line a row", async () => {
  const { code, out } = await inspect(["-n", "2", "--json"]);
  assertEquals(code, 0);
  const rows = out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(rows.map(({ line }) => line), [1, 2]);
  const [{ text, tokens, findings, certificate }] = rows;
  assertEquals(text, chatText("Is water wet?", "Ask a fish."));
  assertEquals(findings, []);
  assertEquals(certificate.runs[0].text, "Ask a fish.<|im_end|>");
  const trained = tokens.filter((token: { trained: boolean }) => token.trained);
  assertEquals(
    trained.map((token: { text: string }) => token.text).join(""),
    "Ask a fish.<|im_end|>",
  );
  assertEquals(trained.at(-1), {
    id: IM_END,
    text: "<|im_end|>",
    bytes: trained.at(-1).bytes,
    role: "assistant",
    message: 1,
    field: "end_of_turn",
    reason: "end_of_turn",
    trained: true,
    weight: 1,
  });
  assertEquals(tokens[0].reason, "template");
});

Deno.test("inspect --row and --grep choose", async () => {
  const lines = (out: string) =>
    out.trimEnd().split("\n").map((line) => JSON.parse(line).line);
  assertEquals(lines((await inspect(["--row", "4", "--json"])).out), [4]);
  const fish = await inspect(["--grep", "fish", "--json"]);
  assertEquals([lines(fish.out), fish.code], [[1, 5], 0]);
  const wrong: [string[], string][] = [
    [["--row", "3"], "line 3 of standard input was refused"],
    [["--row", "99"], "standard input has no row at line 99"],
    [["--grep", "whale"], "no row that can be shown"],
  ];
  for (const [args, words] of wrong) {
    const { code, out, err } = await inspect(args);
    assertEquals([code, out], [1, ""]);
    assertStringIncludes(err, words);
  }
});

Deno.test("inspect cuts rows and shown tokens", async () => {
  const cut = await inspect(["-n", "1", "--json", "--max-length", "38"]);
  const { tokens, findings } = JSON.parse(cut.out);
  assertEquals(tokens.length, 38);
  assertEquals(findings.at(-1).code, "truncated-in-answer");
  const few = await inspect(["-n", "1", "--max-tokens", "5"]);
  assertStringIncludes(few.out, "more tokens");
  const detail = await inspect(["-n", "1", "--detail"]);
  assert(detail.out.split("\n").length > 40);
});

Deno.test("inspect fits the terminal, and paints where colours are wanted", async () => {
  const widths = (text: string) =>
    // deno-lint-ignore no-control-regex
    text.replaceAll(/\x1b\[[\d;]*m/g, "").split("\n").map((line) =>
      line.length
    );
  for (const columns of [40, 80, 120]) {
    const { out } = await inspect([], FILE, { columns });
    assert(Math.max(...widths(out)) <= columns);
    assert(!out.includes("\x1b"));
    const painted = await inspect([], FILE, { columns, color: true });
    assertStringIncludes(painted.out, "\x1b[");
    assert(Math.max(...widths(painted.out)) <= columns);
  }
  // narrower than anything can be shown in
  assertEquals((await inspect([], FILE, { columns: 7 })).code, 0);
});

Deno.test("inspect shows rows that were tokenised elsewhere", async () => {
  const file = `{"input_ids":[72,105,33,257],"labels":[-100,-100,33,257]}
{"input_ids":[195,164,9999],"assistant_masks":[0,1,1]}`;
  const { code, out } = await inspect(["--json"], file);
  assertEquals(code, 0);
  const [first, second] = out.trimEnd().split("\n").map((line) =>
    JSON.parse(line).tokens
  );
  const show = (tokens: { text: string; trained: boolean }[]) =>
    tokens.map(({ text, trained }) => trained ? `[${text}]` : text);
  assertEquals(show(first), ["H", "i", "[!]", "[<|im_end|>]"]);
  assertEquals(show(second), ["⟨C3⟩", "[⟨A4⟩]", "[#9999]"]);
  const ids = await cli(["inspect", "-", "--json"], { stdin: file });
  assertEquals(show(JSON.parse(ids.out.split("\n")[0]!).tokens), [
    "#72",
    "#105",
    "[#33]",
    "[#257]",
  ]);
  const cut = await inspect(["--json", "--max-length", "2", "-n", "1"], file);
  assertEquals(JSON.parse(cut.out).tokens.length, 2);
});

Deno.test("inspect reads pieces of any size, and every shape of file", async () => {
  const bytes = new TextEncoder().encode(FILE);
  for (const size of [1, 2, 3, 7, 64]) {
    const stdin: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      stdin.push(bytes.subarray(at, at + size));
    }
    const args = ["inspect", "-", "--tokenizer", TOKENIZER];
    assertEquals((await cli(args, { stdin })).out, (await inspect([])).out);
  }
  const chats = FILE.split("\n").map((line) => JSON.parse(line));
  const list = await inspect(["--json"], JSON.stringify(chats, null, 2));
  assertEquals(list.out, (await inspect(["--json"])).out);
  const file = await cli(
    ["inspect", "examples/chats.jsonl", "--tokenizer", TOKENIZER, "--json"],
  );
  assertEquals(file.out.trimEnd().split("\n").length, 3);
});

Deno.test("inspect never sends a control character of a chat to the terminal", async () => {
  const evil = chatLine("\x1b]0;owned\x07\x9b31m\u202e", "\r\x1b[2J\b");
  for (const args of [[], ["--detail"], ["--json"]]) {
    const { out, err } = await inspect(args, evil);
    // deno-lint-ignore no-control-regex -- the test is about them
    assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(out + err), args[0]);
  }
});

/** What a terminal gets: readable with and without colour, and never obeyed. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { cells } from "../../src/report/cells.ts";
import { Audit } from "../../src/report/findings.ts";
import { bar, counted, percent, plain } from "../../src/report/paint.ts";
import { showRow } from "../../src/report/terminal.ts";
import { showSummary } from "../../src/report/terminal_summary.ts";
import { displayWidth, visible } from "../../src/report/visible.ts";
import type { EncodedChat, Finding } from "../../src/row.ts";
import { anyText, chatRow, chop, sampleRows } from "./rows.ts";

const RUNS = { seed: 20250304, numRuns: 80 };

const short = chatRow([
  { role: "user", content: "Why¦ not¦?" },
  { role: "assistant", content: "Be¦cause¦\n¦so¦.", weight: 0.5 },
]);

Deno.test("showRow() is readable without colour", () => {
  assertEquals(showRow(short, { line: 7, width: 60 }), [
    "line 7: 6 of 18 tokens trained (33.3 %)",
    "",
    "[0] user · 0 of 7 trained · its role is not trained",
    "    header                 <|im_start|>│user│↵",
    "    role_not_trained       Why│·not│?│<|im_end|>",
    "    template               ↵",
    "",
    "[1] assistant · 6 of 10 trained · weight 0.5",
    "    header                 <|im_start|>│assistant│↵",
    "  ▌ answer                 ⟦Be│cause│↵",
    "  ▌                        so│.⟧",
    "  ▌ end_of_turn            ⟦<|im_end|>⟧",
    "    whitespace_after_stop  ↵",
    "",
    "  ▌⟦trained⟧  │ parts tokens · a space, ↵ a newline, → a tab",
    "",
    "certificate",
    "  1 run, 6 tokens, 21 bytes; proved by marks of the same",
    "  length",
    "  tokens 11 to 17, bytes 58 to 79, message 1: content,",
    "  end_of_turn",
    "    Because↵so.<|im_end|>",
    "  ✓ every kept run's token bytes are the text's bytes",
  ]);
});

Deno.test("showRow() says the same with colour, but for the brackets", () => {
  for (const { row } of sampleRows()) {
    const colored = showRow(row, { color: true, width: 100 });
    assert(
      colored.join("").includes("\x1b[1;4;32m") ||
        row.certificate.trainedTokens === 0,
    );
    const text = (lines: string[]) =>
      lines.map((line) => plain(line).replace(/[⟦⟧│]/g, "").trim()).join("")
        .replace(/[ ▌]/g, "");
    assertEquals(text(colored), text(showRow(row, { width: 100 })));
  }
});

Deno.test("showRow() tells what was found, and about what", () => {
  const findings: Finding[] = [
    { code: "double-bos", detail: "twice", tokens: [0, 2] },
    { code: "content-trimmed", message: 1, detail: "a \x1b[2J space" },
  ];
  const lines = showRow({ ...short, findings });
  const at = lines.indexOf("findings");
  assertEquals(lines.slice(at, at + 5), [
    "findings",
    "  ■ two beginnings  tokens 0 to 2",
    "    twice",
    "  ● content trimmed  message 1",
    "    a ⟨ESC⟩[2J space",
  ]);
});

Deno.test("showRow() gives each token a line where asked to", () => {
  const lines = showRow(short, { detail: true, width: 120 });
  assertEquals(lines[2]!.trim().split(/ +/), [
    "id",
    "bytes",
    "role",
    "field",
    "reason",
    "weight",
    "token",
  ]);
  assertEquals(lines[14]!.trim().split(/ {2,}/), [
    "11",
    String(short.inputIds[11]),
    "58-60",
    "assistant",
    "content",
    "answer",
    "0.5",
    "⟦Be⟧",
  ]);
  assertEquals(lines.length, showRow(short, { detail: true }).length);
});

Deno.test("showRow() names thoughts and calls that are trained", () => {
  const row = chatRow([
    { role: "assistant", content: "Hm", field: "reasoning_content" },
    { role: "assistant", content: "f()", field: "tool_calls" },
    { role: "user", content: "g()", field: "tool_calls" },
  ]);
  const text = showRow(row).join("\n");
  assert(text.includes("▌ answer, thoughts"));
  assert(text.includes("▌ answer, tool calls"));
  assert(!text.includes("role_not_trained,"));
});

Deno.test("showRow() shows parts of a character as bytes, and which it is", () => {
  const text = showRow(sampleRows()[1]!.row).join("\n");
  assert(text.includes("⟨F0 9F⟩│⟨98⟩│⟨80⟩=😀│!"), text);
  assert(text.includes("⟨E4⟩ a byte"));
});

Deno.test("showRow() stops at maxTokens and counts the rest", () => {
  const lines = showRow(short, { maxTokens: 12 });
  assert(lines.includes("  … 6 more tokens, 5 of them trained"));
  assert(!lines.join("").includes("cause│"));
});

Deno.test("showRow() wraps wide characters where they are two columns", () => {
  const row = chatRow([{
    role: "assistant",
    content: chop("中文字符很宽".repeat(20), 2),
  }]);
  for (const width of [40, 57, 80]) {
    const lines = showRow(row, { width });
    for (const line of lines) assert(displayWidth(line) <= width, line);
    assert(lines.some((line) => displayWidth(line) > width - 6));
  }
});

/** A row of any texts, with any findings and roles. */
const anyRow: fc.Arbitrary<EncodedChat> = fc.tuple(anyText, anyText, anyText)
  .map(([role, text, detail]) =>
    chatRow([
      { role: "user", content: chop(text.toWellFormed(), 3) },
      { role, content: chop(text.toWellFormed(), 7), train: true },
    ], [{ code: "control-text", detail, message: 0 }])
  );

// deno-lint-ignore no-control-regex -- what must not be there
const CONTROL = /[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

Deno.test("showRow() never sends a control character of a chat, and keeps to its width", () => {
  const options = fc.record({
    color: fc.boolean(),
    detail: fc.boolean(),
    width: fc.integer({ min: 80, max: 140 }),
  });
  fc.assert(
    fc.property(anyRow, options, (row, options) => {
      for (const line of showRow(row, options)) {
        assert(!CONTROL.test(plain(line)), JSON.stringify(line));
        if (!options.color) assertEquals(plain(line), line);
        assert(displayWidth(plain(line)) <= options.width, line);
      }
    }),
    RUNS,
  );
});

Deno.test("showRow() says everything that the tokens say, in order", () => {
  fc.assert(
    fc.property(anyRow, (row) => {
      const said = (text: string) => text.replace(/[│⟦⟧]/g, "");
      const lines = showRow(row, { width: 120 });
      const shown = lines.slice(
        2,
        lines.findIndex((line) => line.startsWith("  ▌⟦trained⟧")),
      ).filter((line) => line.startsWith("  "));
      // two columns, the mark, the longest reason with a space on each side
      const text = shown.map((line) => line.slice(27)).join("");
      const wanted = cells(row).map(({ text }) => visible(text) || "∅");
      assertEquals(said(text), said(wanted.join("")));
    }),
    RUNS,
  );
});

Deno.test("showRow() of a row from elsewhere shows ids, and what is trained", () => {
  const lines = showRow({ inputIds: [5, 6, 7], labels: [-100, 6, 7] });
  assertEquals(lines.slice(0, 4), [
    "2 of 3 tokens trained (66.7 %)",
    "",
    "    ignored  #5",
    "  ▌ trained  ⟦#6│#7⟧",
  ]);
  assertEquals(
    showRow({ inputIds: [], labels: [] })[0],
    "0 of 0 tokens trained (0 %)",
  );
});

Deno.test("showRow() refuses options it does not know", () => {
  assertThrows(() => showRow(short, { colour: true } as never), TypeError);
  assertThrows(() => showRow(short, { width: 20 }), RangeError, "at least 40");
  assertThrows(() => showRow(short, { maxTokens: 0 }), RangeError);
  assertThrows(() => showRow(short, { color: 1 } as never), TypeError);
});

Deno.test("showSummary() puts what is wrong first, with lines to look at", () => {
  const audit = new Audit({ maxLength: 30 });
  for (const { row, line } of sampleRows()) audit.add(row, line);
  audit.add(sampleRows()[0]!.row, 6);
  audit.addRefusal(9, "not readable", "labels must have 3 elements");
  audit.addRefusal(7, "refused", "Roles must \x1b[31malternate");
  const lines = showSummary(audit.summary(), { width: 80 });
  assertEquals(lines[0], "6 rows, 357 tokens, 135 of them trained (37.8 %)");
  for (
    const line of [
      "  ■ stop not trained  1 row: line 3",
      "  ▲ straddling token  1 row: line 2",
      "  the stop is trained in 7 of 8 trained turns: line 3",
      "  ■ refused by the template  1 chat",
      "  ■ not readable  1 row",
      "    line 7: Roles must ⟨ESC⟩[31malternate",
      "  1 duplicate: line 6 repeats 1",
    ]
  ) assert(lines.includes(line), line);
  const order = [
    "findings",
    "refused",
    "trained by role",
    "tokens by reason",
    "rows",
  ]
    .map((name) => lines.indexOf(name));
  assertEquals(order, order.toSorted((a, b) => a - b));
  for (const color of [false, true]) {
    for (const width of [80, 120, 160]) {
      for (const line of showSummary(audit.summary(), { color, width })) {
        assert(!CONTROL.test(plain(line)));
        assert(displayWidth(plain(line)) <= width, line);
      }
    }
  }
});

Deno.test("showSummary() of nothing says so", () => {
  assertEquals(showSummary(new Audit().summary()), [
    "0 rows, 0 tokens, 0 of them trained (0 %)",
  ]);
  assertThrows(
    () => showSummary(new Audit().summary(), { wide: 1 } as never),
    TypeError,
  );
});

Deno.test("percent() rounds nothing to all or none that is not", () => {
  assertEquals([0, 1e-9, 0.5, 0.123456, 1 - 1e-9, 1].map(percent), [
    "0 %",
    "< 0.1 %",
    "50 %",
    "12.3 %",
    "> 99.9 %",
    "100 %",
  ]);
});

Deno.test("bar() and counted() say amounts", () => {
  assertEquals(bar(0.5, 0.25, 8), "████░░");
  assertEquals(bar(0, 1, 4), "░░░░");
  assertEquals(counted(1, "row"), "1 row");
  assertEquals(counted(1200, "row"), "1,200 rows");
});

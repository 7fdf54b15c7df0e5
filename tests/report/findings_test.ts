/** An audit: counts over a file, examples, duplicates, and bounded memory. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { cells, type ReportRow } from "../../src/report/cells.ts";
import { Audit } from "../../src/report/findings.ts";
import { fingerprint } from "../../src/report/fingerprint.ts";
import { FINDING_WORDS, REASON_WORDS } from "../../src/report/words.ts";
import { REASONS } from "../../src/row.ts";
import { chatRow, sampleRows } from "./rows.ts";

const RUNS = { seed: 20250303, numRuns: 60 };

function audited(rows: readonly ReportRow[], maxLength?: number) {
  const audit = new Audit(maxLength === undefined ? {} : { maxLength });
  rows.forEach((row, i) => audit.add(row, i + 1));
  return audit.summary();
}

Deno.test("Audit of no rows is all zeros", () => {
  const summary = new Audit().summary();
  assertEquals([summary.rows, summary.tokens, summary.share.mean], [0, 0, 0]);
  assertEquals(summary.share.min, null);
  assertEquals(summary.findings, []);
});

Deno.test("Audit counts rows, tokens and shares", () => {
  const summary = audited([
    { inputIds: [1, 2, 3, 4], labels: [-100, 2, 3, 4] },
    { inputIds: [1, 2], labels: [-100, -100] },
    { inputIds: [], labels: [] },
    { inputIds: [9], labels: [9] },
  ]);
  assertEquals(summary.rows, 4);
  assertEquals(summary.tokens, 7);
  assertEquals(summary.trainedTokens, 4);
  assertEquals(summary.share.overall, 4 / 7);
  assertEquals(summary.share.mean, (0.75 + 0 + 0 + 1) / 4);
  assertEquals(summary.share.min, { line: 2, share: 0 });
  assertEquals(summary.share.histogram, [2, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
  assertEquals(summary.nothingTrained, { rows: 2, lines: [2, 3] });
  assertEquals(summary.longest.map(({ line }) => line), [1, 2, 4, 3]);
});

Deno.test("Audit agrees with the cells, by role and by reason", () => {
  const rows = sampleRows().map(({ row }) => row);
  const summary = audited(rows);
  const all = rows.flatMap((row) => cells(row));
  for (const { role, tokens, trained } of summary.roles) {
    const own = all.filter((cell) => cell.role === role);
    assertEquals(tokens, own.length);
    assertEquals(trained, own.filter((cell) => cell.trained).length);
  }
  for (const { reason, tokens, trained } of summary.reasons) {
    const own = all.filter((cell) => cell.reason === reason);
    assertEquals(tokens, own.length);
    assertEquals(trained, own.filter((cell) => cell.trained).length);
  }
  const sum = (list: { tokens: number }[]) =>
    list.reduce((n, { tokens }) => n + tokens, 0);
  assertEquals(sum(summary.roles), all.length);
  assertEquals(sum(summary.reasons), all.length);
  assertEquals(
    summary.roles.find(({ role }) => role === "assistant")!.messages,
    6,
  );
});

Deno.test("Audit counts findings once a row, the gravest first, with examples", () => {
  const twice = chatRow([{ role: "assistant", content: "a" }], [
    { code: "straddling-token", detail: "one", tokens: [3, 4] },
    { code: "straddling-token", detail: "two", tokens: [4, 5] },
    { code: "text-normalised", detail: "note" },
  ]);
  const grave = chatRow([{ role: "assistant", content: "b" }], [
    { code: "double-bos", detail: "x".repeat(999) },
  ]);
  const { findings, straddling } = audited([twice, twice, twice, grave]);
  assertEquals(findings.map(({ code }) => code), [
    "double-bos",
    "straddling-token",
    "text-normalised",
  ]);
  const [bos, straddle] = findings;
  assertEquals([straddle!.rows, straddle!.findings], [3, 6]);
  assertEquals(straddle!.examples[2], { line: 3, detail: "one" });
  assertEquals(bos!.examples[0]!.detail.length, 401);
  assertEquals(straddling, { rows: 3, tokens: 6 });
});

Deno.test("Audit finds turns whose stop is not trained", () => {
  const { stops } = audited([
    chatRow([
      { role: "assistant", content: "a" },
      { role: "assistant", content: "b", open: true },
    ]),
    chatRow([{ role: "assistant", content: "c", train: false }]),
  ]);
  assertEquals(stops, { turns: 2, trained: 1, rowsWithout: 1, lines: [1] });
});

Deno.test("Audit groups refusals by reason and keeps the first ones", () => {
  const audit = new Audit({ examples: 2 });
  for (let line = 1; line <= 5; line++) {
    audit.addRefusal(line, "refused", `no ${line}`);
  }
  audit.addRefusal(6, "unproved", "marks differ");
  const { refused, refusals } = audit.summary();
  assertEquals(refused, 6);
  assertEquals(refusals, [
    {
      reason: "refused",
      chats: 5,
      examples: [{ line: 1, detail: "no 1" }, { line: 2, detail: "no 2" }],
    },
    {
      reason: "unproved",
      chats: 1,
      examples: [{ line: 6, detail: "marks differ" }],
    },
  ]);
});

Deno.test("Audit finds rows that occur twice, by ids and labels", () => {
  const a = { inputIds: [1, 2, 3], labels: [-100, 2, 3] };
  const same = { inputIds: Int32Array.of(1, 2, 3), labels: [-100n, 2n, 3n] };
  const other = { inputIds: [1, 2, 3], labels: [1, 2, 3] };
  const { duplicates } = audited([a, other, same as never, a]);
  assertEquals(duplicates, {
    rows: 2,
    compared: 4,
    examples: [{ line: 3, first: 1 }, { line: 4, first: 1 }],
  });
});

Deno.test("Audit says what a cut would take", () => {
  const { overlong } = audited([
    { inputIds: [1, 2, 3, 4], labels: [-100, -100, 3, 4] }, // loses half
    { inputIds: [1, 2, 3, 4], labels: [-100, -100, -100, 4] }, // loses all
    { inputIds: [1, 2, 3, 4], labels: [1, 2, 3, -100] }, // loses nothing
    { inputIds: [1, 2, 3], labels: [1, 2, 3] }, // fits
  ], 3);
  assertEquals(overlong, {
    maxLength: 3,
    rows: 3,
    answersCut: 2,
    answersLost: 1,
    trainedTokensCut: 2,
    lines: [1, 2],
  });
  assertEquals(audited([]).overlong, null);
});

Deno.test("Audit.summary() is a copy that JSON keeps", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...sampleRows())), (rows) => {
      const audit = new Audit({ maxLength: 20 });
      for (const { row, line } of rows) audit.add(row, line);
      const summary = audit.summary();
      assertEquals(JSON.parse(JSON.stringify(summary)), summary);
      const before = JSON.stringify(summary);
      audit.add(sampleRows()[0]!.row, 99);
      assertEquals(JSON.stringify(summary), before);
    }),
    RUNS,
  );
});

Deno.test("Audit keeps no more roles than it can name", () => {
  const audit = new Audit();
  for (let i = 0; i < 150; i++) {
    audit.add(chatRow([{ role: `r${i}`, content: "a" }]), i + 1);
  }
  const { roles, tokens } = audit.summary();
  assertEquals(roles.length, 101);
  assertEquals(roles.reduce((n, role) => n + role.tokens, 0), tokens);
  assert(roles.some(({ role }) => role === "…"));
});

Deno.test("Audit refuses what it cannot count", () => {
  const audit = new Audit();
  const row = { inputIds: [1], labels: [1] };
  assertThrows(() => audit.add(row, 1.5), TypeError, "line must be a whole");
  assertThrows(() => audit.addRefusal(NaN, "a", "b"), TypeError);
  assertThrows(() => audit.add({ inputIds: [1], labels: [] }, 1), RangeError);
  assertThrows(() => new Audit({ maxLength: 0 }), RangeError, "maxLength");
  assertThrows(() => new Audit({ max: 0 } as never), TypeError, "one of");
  assertEquals(audit.summary().rows, 0);
});

Deno.test("fingerprint() tells three hundred thousand rows apart", () => {
  const seen = new Set<number>();
  const ids = Int32Array.from({ length: 12 }, (_, t) => t);
  for (let i = 0; i < 300_000; i++) {
    // one token differs, here or there; in one in three its label too
    const one = ids.with(i % 12, i);
    seen.add(fingerprint(one, i % 3 === 0 ? one.with(i % 12, -100) : one));
  }
  // the row 0 to 11 itself comes up where the token is its own place
  assertEquals(seen.size, 300_000 - 12 + 4 + 1);
  for (const print of [...seen].slice(0, 100)) {
    assert(Number.isSafeInteger(print));
  }
  assert(fingerprint([1, 2], [1, 2]) !== fingerprint([2, 1], [2, 1]));
  assert(fingerprint([0], [0]) !== fingerprint([0, 0], [0, 0]));
});

Deno.test("every reason and every finding has its words", () => {
  for (const reason of REASONS) assert(REASON_WORDS[reason].length > 0);
  for (const { title, meaning } of Object.values(FINDING_WORDS)) {
    assert(title.length > 0 && meaning.endsWith("."));
  }
});

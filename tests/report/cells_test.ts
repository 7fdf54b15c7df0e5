/** Cells: what each token says, whose it is, and why it is or is not trained. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type Cell, cells } from "../../src/report/cells.ts";
import { turnsOf } from "../../src/report/stretches.ts";
import { type EncodedChat, FIELDS, REASONS } from "../../src/row.ts";
import { chatRow, sampleRows } from "./rows.ts";

const RUNS = { seed: 20250302, numRuns: 200 };

const facts = ({ text, role, field, reason, trained, weight }: Cell) => [
  text,
  role,
  field,
  reason,
  trained,
  weight,
];

Deno.test("cells() says of each token whose it is and why it is trained", () => {
  const row = chatRow([
    { role: "user", content: "Why¦?" },
    { role: "assistant", content: "So¦.", weight: 0.5 },
  ]);
  assertEquals(cells(row).map(facts), [
    ["<|im_start|>", "user", "header", "header", false, 0],
    ["user", "user", "header", "header", false, 0],
    ["\n", "user", "header", "header", false, 0],
    ["Why", "user", "content", "role_not_trained", false, 0],
    ["?", "user", "content", "role_not_trained", false, 0],
    ["<|im_end|>", "user", "end_of_turn", "role_not_trained", false, 0],
    ["\n", null, "template", "template", false, 0],
    ["<|im_start|>", "assistant", "header", "header", false, 0],
    ["assistant", "assistant", "header", "header", false, 0],
    ["\n", "assistant", "header", "header", false, 0],
    ["So", "assistant", "content", "answer", true, 0.5],
    [".", "assistant", "content", "answer", true, 0.5],
    ["<|im_end|>", "assistant", "end_of_turn", "end_of_turn", true, 0.5],
    ["\n", "assistant", "template", "whitespace_after_stop", false, 0],
  ]);
  const [, name] = cells(row);
  assertEquals([name!.index, name!.bytes, name!.message], [1, [12, 16], 0]);
  assertEquals(name!.id, row.inputIds[1]);
});

Deno.test("cells() writes parts of a character as bytes and names the character", () => {
  const row = chatRow([{
    role: "user",
    content: ["a", [0xf0, 0x9f], [0x98], [0x80, 0x62, 0xe4], [0xbd, 0xa0]],
  }]);
  const content = cells(row).slice(3, 8);
  assertEquals(content.map(({ text }) => text), [
    "a",
    "⟨F0 9F⟩",
    "⟨98⟩",
    "⟨80⟩b⟨E4⟩",
    "⟨BD A0⟩",
  ]);
  assertEquals(content.map(({ partOf }) => partOf), [
    "",
    "😀",
    "😀",
    "😀你",
    "你",
  ]);
  assertEquals(content.map(({ completes }) => completes), [
    false,
    false,
    false,
    false,
    true,
  ]);
});

Deno.test("cells() gives no weight to what is not trained", () => {
  const row = chatRow([
    { role: "user", content: "a" },
    { role: "assistant", content: "b", weight: 0.5 },
  ]);
  const weights = row.weights.map(() => 0.5);
  for (const { trained, weight } of cells({ ...row, weights })) {
    assertEquals(weight, trained ? 0.5 : 0);
  }
});

Deno.test("cells() keeps a byte order mark, and a token without bytes is empty", () => {
  const row = chatRow([{ role: "user", content: ["\ufeffa", "", "b"] }]);
  assertEquals(cells(row).slice(3, 6).map(({ text }) => text), [
    "\ufeffa",
    "",
    "b",
  ]);
});

/** The bytes that a cell's text stands for. */
function bytesOf({ text, partOf }: Cell): number[] {
  const utf8 = (part: string) => [...new TextEncoder().encode(part)];
  if (partOf === "") return utf8(text);
  return text.split(/(⟨[0-9A-F ]+⟩)/).flatMap((part) =>
    part.startsWith("⟨")
      ? part.slice(1, -1).split(" ").map((digits) => parseInt(digits, 16))
      : utf8(part)
  );
}

Deno.test("cells() says every byte, wherever the text is cut", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("a", " ", "é", "中", "😀", "\u0301") }),
      fc.infiniteStream(fc.integer({ min: 0, max: 4 })),
      (text, sizes) => {
        const bytes = new TextEncoder().encode(text);
        const tokens: number[][] = [];
        for (let at = 0; at < bytes.length;) {
          const size = sizes.next().value;
          tokens.push([...bytes.subarray(at, at + size)]);
          at += size;
        }
        const row = chatRow([{ role: "assistant", content: tokens }]);
        for (const cell of cells(row)) {
          const [start, end] = cell.bytes!;
          assertEquals(
            bytesOf(cell),
            [...new TextEncoder().encode(row.text).subarray(start, end)],
          );
          const isWhole = !cell.text.includes("⟨");
          assertEquals(cell.partOf === "", isWhole);
        }
      },
    ),
    RUNS,
  );
});

Deno.test("cells() of a row from elsewhere knows only what is trained", () => {
  const plain = cells({
    inputIds: BigInt64Array.of(5n, 6n, 7n),
    labels: BigInt64Array.of(-100n, 6n, 7n),
    weights: [9, 0.5, 1],
  });
  assertEquals(plain.map(facts), [
    ["#5", null, null, "ignored", false, 0],
    ["#6", null, null, "trained", true, 0.5],
    ["#7", null, null, "trained", true, 1],
  ]);
  assertEquals(plain[0]!.bytes, null);
  assertEquals(cells({ inputIds: [], labels: [] }), []);
});

Deno.test("cells() refuses rows whose arrays are not aligned", () => {
  assertThrows(
    () => cells({ inputIds: [1, 2], labels: [1] }),
    RangeError,
    "Cannot show row as labels must have a value for each of 2 tokens: current value is 1",
  );
  assertThrows(
    () => cells({ inputIds: [1], labels: [1], pieces: [] }),
    RangeError,
    "pieces must have a value",
  );
  assertThrows(
    () => cells({ inputIds: 3, labels: [1] } as never),
    TypeError,
    "inputIds must be an array of ids",
  );
  assertThrows(() => cells(null as never), TypeError, "must be an object");
  const row = chatRow([{ role: "user", content: "a" }]);
  const broken: EncodedChat[] = [
    { ...row, reasons: row.reasons.slice(1) },
    { ...row, offsets: row.offsets.with(2, [5, 900]) },
    { ...row, offsets: row.offsets.with(2, [5, 4]) },
  ];
  for (const one of broken) assertThrows(() => cells(one), RangeError);
});

Deno.test("turnsOf() keeps every cell in order, in stretches that are alike", () => {
  const mixed = chatRow([
    { role: "user", content: "a¦b¦c", reasons: { 1: "call_not_trained" } },
  ]);
  for (const { row } of [...sampleRows(), { row: mixed }]) {
    const all = cells(row);
    const turns = turnsOf(all);
    const stretches = turns.flatMap((turn) => turn.stretches);
    assertEquals(stretches.flatMap((stretch) => stretch.cells), all);
    for (const { cells, reason, trained, weight } of stretches) {
      assert(cells.every((cell) => cell.reason === reason));
      assert(cells.every((cell) => cell.trained === trained));
      assert(cells.every((cell) => cell.weight === weight));
    }
    for (const { message, role, tokens, trained, stretches } of turns) {
      const own = stretches.flatMap(({ cells }) => cells);
      assert(own.every((cell) => cell.message === message));
      assert(own.every((cell) => cell.role === role));
      assertEquals(tokens, own.length);
      assertEquals(trained, own.filter((cell) => cell.trained).length);
    }
  }
});

Deno.test("turnsOf() says why nothing of a turn is trained", () => {
  const row = chatRow([
    { role: "user", content: "a" },
    { role: "assistant", content: "b", train: false },
    { role: "assistant", content: "c", weight: 2 },
  ]);
  const turns = turnsOf(cells(row)).filter(({ role }) => role !== null);
  assertEquals(turns.map(({ why }) => why), [
    "role_not_trained",
    "turn_not_trained",
    null,
  ]);
  assertEquals(turns.map(({ weights }) => weights), [null, null, [2, 2]]);
});

Deno.test("the rows of these tests agree with themselves", () => {
  for (const { row } of sampleRows()) {
    const covered = row.labels.map(() => -100);
    for (const [start, end] of row.spans) {
      for (let t = start; t < end; t++) covered[t] = row.inputIds[t]!;
    }
    assertEquals(covered, row.labels);
    const { runs, trainedTokens } = row.certificate;
    const inRuns = runs.reduce((n, { tokens: [a, b] }) => n + b - a, 0);
    assertEquals(inRuns, trainedTokens);
    assertEquals(
      row.offsets.at(-1)![1],
      new TextEncoder().encode(row.text).length,
    );
    assert(row.fields.every((field) => field < FIELDS.length));
    assert(row.reasons.every((reason) => reason < REASONS.length));
  }
});

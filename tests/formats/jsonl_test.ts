/**
 * readConversations(), readTokenizedRows() and splitLines(): one record after the
 * other, whatever is wrong with the one before.
 *
 * @module
 */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import {
  type ConversationOptions,
  readConversations,
  readTokenizedRows,
  type RecordSource,
  splitLines,
} from "../../src/formats/mod.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** The line of good rows with their words, and the message of bad ones. */
async function read(
  source: RecordSource,
  options?: ConversationOptions,
): Promise<string[]> {
  const out: string[] = [];
  for await (
    const { conversation, error } of readConversations(source, options)
  ) {
    out.push(
      error
        ? error.message
        : `${conversation.line} ${conversation.messages[0]?.content}`,
    );
  }
  return out;
}

const row = (word: string) => `{"prompt": "${word}", "completion": ""}`;

Deno.test("readConversations() reads on after a bad line, and numbers every line", async () => {
  const text = [
    "\uFEFF" + row("a"),
    "",
    " \t",
    `{"prompt": "b",}`,
    row("c") + "\r",
    "5",
    row("d") + row("e"),
    row("f"),
    `{"prompt": "g", "compl`,
  ].join("\n");
  const expected = [
    "1 a",
    /^line 4: not JSON: /,
    "5 c",
    "line 6: a conversation must be an object: got number",
    /^line 7: not JSON: /,
    "8 f",
    /^line 9: not JSON: /,
  ];
  const sources: RecordSource[] = [
    text,
    bytes(text),
    text.split("\n"),
    text.split("\n").map(bytes),
    splitLines([text]),
  ];
  for (const source of sources) {
    const got = await read(source);
    assertEquals(got.length, expected.length);
    expected.forEach((wish, i) => {
      if (typeof wish === "string") assertEquals(got[i], wish);
      else assertEquals(wish.test(got[i]!), true, got[i]);
      // the parser's own line number would be taken for the file's
      assertEquals(/\(line \d+ column/.test(got[i]!), false, got[i]);
    });
  }
});

Deno.test("readConversations() gives the error's line as a number too", async () => {
  const results = await Array.fromAsync(readConversations(`\n{}\n`));
  assertEquals(results, [{
    error: {
      line: 2,
      message:
        "line 2: expected messages, conversations, prompt and completion, or instruction and output: got no keys",
    },
  }]);
});

Deno.test("readConversations() reads nothing from nothing", async () => {
  for (
    const source of ["", "\n\n", "\uFEFF", [], bytes(""), "[]", " \n[ \n ]\n"]
  ) {
    assertEquals(await read(source), []);
  }
});

Deno.test("readConversations() takes a JSON list, element by element", async () => {
  const text = `\uFEFF
[
  ${row("a[]{},")},
  ${row('b\\"]}')}, {"prompt":
   1, "completion": ""}, ${row("d")} ,
  ${row("e\\\\")}
]
`;
  const expected = [
    "1 a[]{},",
    `2 b"]}`,
    "element 3: prompt must be a string: got number",
    "4 d",
    "5 e\\",
  ];
  assertEquals(await read(text), expected);
  assertEquals(await read(bytes(text)), expected);
  assertEquals(await read(text.split("\n")), expected);
  assertEquals(await read(`[${row("a")},${row("b")}]`), ["1 a", "2 b"]);
});

Deno.test("readConversations() says what is wrong with a list, and reads the rest", async () => {
  const a = row("a");
  const cases: [string, string[]][] = [
    [`[${a},]`, ["1 a", "element 2: empty: a comma too many"]],
    [`[,${a}]`, ["element 1: empty: a comma too many", "2 a"]],
    [`[${a}`, ["1 a".replace("1 a", "element 1: the list ends in the middle")]],
    [`[${a},\n${a.slice(0, 9)}`, [
      "1 a",
      "element 2: the list ends in the middle",
    ]],
    [`[${a}]\n${a}`, ["1 a", "element 2: text behind the end of the list"]],
    [`[${a} ${a}, ${a}]`, ["element 1: not JSON", "2 a"]],
    [`[{"prompt": }, ${a}]`, ["element 1: not JSON", "2 a"]],
    ["[", ["element 1: the list ends in the middle"]],
    [`["x]`, ["element 1: the list ends in the middle"]],
  ];
  for (const [text, wish] of cases) {
    const got = await read(text);
    assertEquals(
      got.map((words, i) => words.startsWith(wish[i] ?? "?")),
      wish.map(() => true),
      `${text}: ${got}`,
    );
  }
});

Deno.test("readConversations() refuses bytes that are no UTF-8, line by line", async () => {
  const text = bytes(`${row("a")}\n${row("b")}\n${row("c")}`);
  const at = bytes(`${row("a")}\n{"prompt": "`).length;
  text[at] = 0xff;
  assertEquals(await read(text), ["1 a", "line 2: not UTF-8", "3 c"]);
  assertEquals(await read(Uint8Array.of(0xff, 0xfe, 0x7b, 0)), [
    "line 1: not UTF-8",
  ]);
});

Deno.test("readConversations() takes rows that are values", async () => {
  async function* values(): AsyncGenerator<object> {
    yield await { prompt: "a", completion: "" };
    yield { prompt: 1, completion: "" };
  }
  assertEquals(await read(values()), [
    "1 a",
    "line 2: prompt must be a string: got number",
  ]);
});

Deno.test("readConversations() hands on what its source throws", async () => {
  async function* broken(): AsyncGenerator<string> {
    yield await row("a");
    throw new Error("the disk is gone");
  }
  await assertRejects(() => read(broken()), Error, "the disk is gone");
});

Deno.test("readConversations() refuses sources and options at once", () => {
  for (const source of [5, null, undefined, {}, { length: 1 }]) {
    assertThrows(
      () => readConversations(source as unknown as RecordSource),
      TypeError,
      "Cannot read conversations as source must be text, bytes or an iterable of lines",
    );
    assertThrows(
      () => readTokenizedRows(source as unknown as RecordSource),
      TypeError,
      "Cannot read rows as source",
    );
  }
  assertThrows(
    () => readConversations("", { shape: "x" as "auto" }),
    RangeError,
    "shape must be one of",
  );
});

Deno.test("readTokenizedRows() reads on after a bad row", async () => {
  const text = `{"input_ids": [1, 2], "labels": [-100, 2]}
{"input_ids": [1, 2], "labels": [-100, 3]}

{"input_ids": [3], "labels": [3]}`;
  const results = await Array.fromAsync(readTokenizedRows(text));
  assertEquals(results, [
    {
      row: {
        line: 1,
        inputIds: Int32Array.of(1, 2),
        labels: Int32Array.of(-100, 2),
      },
    },
    {
      error: {
        line: 2,
        message:
          "line 2: labels[1] must be -100 or the id at its place, 2: got 3",
      },
    },
    { row: { line: 4, inputIds: Int32Array.of(3), labels: Int32Array.of(3) } },
  ]);
});

Deno.test("splitLines() gives the lines wherever the pieces are cut", async () => {
  const line = fc.string({ unit: "grapheme", maxLength: 6 })
    .map((text) => text.replaceAll("\n", "\u2028"));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { minLength: 1 }),
      fc.array(fc.nat(40)),
      async (lines, sizes) => {
        const text = lines.join("\n");
        const whole = bytes(text);
        const cut = <T extends string | Uint8Array>(data: T): T[] => {
          const pieces: T[] = [];
          let at = 0;
          for (const size of [...sizes, data.length]) {
            pieces.push(data.slice(at, at + size) as T);
            at += size;
          }
          return pieces;
        };
        // a text that ends in a line feed has no line behind it
        const expected = lines.at(-1) === "" ? lines.slice(0, -1) : lines;
        assertEquals(await Array.fromAsync(splitLines(cut(text))), expected);
        assertEquals(
          await Array.fromAsync(splitLines(cut(whole))),
          expected.map(bytes),
        );
      },
    ),
  );
});

Deno.test("splitLines() keeps no hold of the bytes it is given", async () => {
  const buffer = new Uint8Array(2);
  function* refill(): Generator<Uint8Array> {
    for (const pair of ["a\n", "bc", "\nd"]) {
      buffer.set(bytes(pair));
      yield buffer;
    }
  }
  const lines = await Array.fromAsync(splitLines(refill()));
  assertEquals(lines, ["a", "bc", "d"].map(bytes));
});

Deno.test("readConversations() gives any list what JSON.parse gives", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue({ noUnicodeString: false })),
      fc.constantFrom(0, 1, "\t"),
      async (values, space) => {
        const rows = values.map((value) => ({
          messages: [{ role: "user", content: JSON.stringify(value) }],
          column: value,
        }));
        const text = JSON.stringify(rows, null, space);
        const expected = rows.map((row, i) =>
          `${i + 1} ${row.messages[0]!.content}`
        );
        assertEquals(await read(text), expected);
        assertEquals(await read(text.split("\n")), expected);
      },
    ),
  );
});

/**
 * Mistakes that trainers make, planted in rows that are right, and what `audit`
 * says of each. A mistake of which nothing is said is a failure, and so is
 * anything said of rows that are right.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  chatText,
  cli,
  END_OF_TEXT,
  IM_END,
  IM_START,
  TOKENIZER,
} from "./fixture.ts";

/** ChatML in ids that are bytes, and who each token belongs to. */
interface Row {
  ids: number[];
  labels: number[];
  /** Whether each token is the user's words or stop. */
  asks: boolean[];
}

const NEWLINE = 10;
const bytes = (text: string) => [...new TextEncoder().encode(text)];

/** Turns of a user and an assistant, one after the other. */
function rightRow(...turns: string[]): Row {
  const ids: number[] = [];
  const labels: number[] = [];
  const asks: boolean[] = [];
  const push = (id: number, isTrained: boolean, isAsked = false) => {
    ids.push(id);
    labels.push(isTrained ? id : -100);
    asks.push(isAsked);
  };
  for (const [i, words] of turns.entries()) {
    const answers = i % 2 === 1;
    push(IM_START, false);
    for (const byte of bytes(answers ? "assistant\n" : "user\n")) {
      push(byte, false);
    }
    for (const id of [...bytes(words), IM_END]) push(id, answers, !answers);
    push(NEWLINE, false);
  }
  return { ids, labels, asks };
}

const ROWS = Array.from(
  { length: 4 },
  (_, i) =>
    rightRow(
      `question ${i}`,
      `answer ${7 * i}, fine`,
      `and ${i}?`,
      `last ${i}`,
    ),
);

/** Trained where it says so. */
const relabel = (
  { ids, labels, asks }: Row,
  isTrained: (t: number, wasTrained: boolean) => boolean,
): Row => ({
  ids,
  asks,
  labels: ids.map((id, t) => isTrained(t, labels[t] !== -100) ? id : -100),
});
const was = ({ labels }: Row, t: number) => (labels[t] ?? -100) !== -100;
const firstOf = ({ labels }: Row) =>
  labels.findIndex((label) => label !== -100);

/** Each mistake, and the findings it must bring; no others may come. */
const MISTAKES: Record<string, [(row: Row) => Row, string[]]> = {
  "none": [(row) => row, []],
  "the last turn only, which is a choice": [
    (row) =>
      relabel(
        row,
        (t, was) => was && t > row.ids.indexOf(IM_END, firstOf(row)),
      ),
    ["answer-not-trained"],
  ],
  "the newline behind the stop too, which is a choice": [
    (row) =>
      relabel(row, (t, isTrained) => isTrained || row.labels[t - 1] === IM_END),
    [],
  ],
  "everything": [(row) => relabel(row, () => true), ["everything-trained"]],
  "everything but the first token": [
    (row) => relabel(row, (t) => t > 0),
    ["everything-trained"],
  ],
  "nothing": [(row) => relabel(row, () => false), ["nothing-trained"]],
  "the users instead of the assistant": [
    (row) => relabel(row, (t) => row.asks[t]!),
    ["prompt-trained"],
  ],
  "spans a token late": [
    (row) => relabel(row, (t) => was(row, t - 1)),
    ["answer-partly-trained"],
  ],
  "spans a token early": [
    (row) => relabel(row, (t) => was(row, t + 1)),
    ["header-trained", "stop-not-trained"],
  ],
  "headers": [
    (row) =>
      relabel(
        row,
        (t, isTrained) =>
          isTrained || row.ids.slice(t, t + 12).some((_, i) =>
            was(row, t + i) && !was(row, t + i - 1) && i <= 11
          ),
      ),
    ["header-trained"],
  ],
  "the first prompt": [
    (row) => relabel(row, (t, isTrained) => isTrained || t < firstOf(row)),
    ["header-trained", "prompt-trained"],
  ],
  "everything behind the first answer": [
    (row) => relabel(row, (t) => t >= firstOf(row)),
    ["header-trained", "prompt-trained"],
  ],
  "not the first token of an answer": [
    (row) => relabel(row, (t, isTrained) => isTrained && t !== firstOf(row)),
    ["answer-partly-trained"],
  ],
  "not one in the middle of an answer": [
    (row) =>
      relabel(row, (t, isTrained) => isTrained && t !== firstOf(row) + 3),
    ["answer-partly-trained"],
  ],
  "no stop": [
    (row) => relabel(row, (t, isTrained) => isTrained && row.ids[t] !== IM_END),
    ["stop-not-trained"],
  ],
  "padding": [
    (row) => ({
      ...row,
      ids: [...row.ids, ...Array<number>(8).fill(END_OF_TEXT)],
      labels: [...row.labels, ...Array<number>(8).fill(END_OF_TEXT)],
    }),
    ["prompt-trained"],
  ],
  "a template without headers": [
    (row) => ({
      ...row,
      ids: row.ids.map((id) => id === IM_START ? END_OF_TEXT : id),
    }),
    ["marker-absent"],
  ],
};

async function findingsOf(rows: readonly object[], ...args: string[]) {
  const stdin = rows.map((row) => JSON.stringify(row)).join("\n");
  const { code, out } = await cli(["audit", "-", "--json", ...args], { stdin });
  assertEquals(code, 0);
  const { findings } = JSON.parse(out);
  return findings as {
    code: string;
    rows: number;
    examples: { line: number; detail: string }[];
  }[];
}

const columns = ({ ids, labels }: Row) => ({ input_ids: ids, labels });

for (const [name, [plant, wanted]] of Object.entries(MISTAKES)) {
  Deno.test(`audit of rows that train ${name}`, async () => {
    const rows = ROWS.map((row) => columns(plant(row)));
    const found = await findingsOf(rows, "--tokenizer", TOKENIZER);
    assertEquals(found.map(({ code }) => code).sort(), [...wanted].sort());
    for (const { rows } of found) assertEquals(rows, ROWS.length);
  });
}

Deno.test("audit tells a mistake in any document of a pack", async () => {
  const [a, b] = [ROWS[0]!, ROWS[1]!];
  const late = MISTAKES["spans a token late"]![0](b);
  const found = await findingsOf(
    [{
      input_ids: [...a.ids, ...late.ids],
      labels: [...a.labels, ...late.labels],
      seq_lengths: [a.ids.length, b.ids.length],
    }],
    "--tokenizer",
    TOKENIZER,
  );
  assertEquals(found.map(({ code }) => code), ["answer-partly-trained"]);
  const { detail } = found[0]!.examples[0]!;
  const start = a.ids.length + firstOf(b);
  assertStringIncludes(detail, `Of the answer at ${start}`);
  assertStringIncludes(
    detail,
    `1 tokens are not trained, the first at ${start}`,
  );
});

Deno.test("audit takes the header's ids from --header-ids where there is no tokenizer", async () => {
  const header = [IM_START, ...bytes("assistant\n")].join();
  const marks = ["--header-ids", header, "--end-ids", `${IM_END}`];
  const right = await findingsOf(ROWS.map(columns), ...marks);
  assertEquals(right, []);
  const users = MISTAKES["the users instead of the assistant"]![0];
  const found = await findingsOf(
    ROWS.map((row) => columns(users(row))),
    ...marks,
  );
  assertEquals(found.map(({ code }) => code), ["prompt-trained"]);
  const { code, err } = await cli(["audit", "-", "--header-ids", "1,x"], {
    stdin: JSON.stringify(columns(ROWS[0]!)),
  });
  assertEquals(code, 2);
  assertStringIncludes(
    err,
    '--header-ids must be ids with commas between: got "x"',
  );
});

Deno.test("audit says that everything is trained where nobody knows a marker", async () => {
  const found = await findingsOf([{ input_ids: [5, 6, 7], labels: [5, 6, 7] }]);
  assertEquals(found.map(({ code }) => code), ["everything-trained"]);
  assertEquals(
    found[0]!.examples[0]!.detail,
    "All 3 tokens are trained, the prompt's too",
  );
});

Deno.test("audit takes rows of a wrapped pack for what they are", async () => {
  const all = ROWS.flatMap(({ ids }) => ids);
  const labels = ROWS.flatMap(({ labels }) => labels);
  const codes = async (from: number, to: number) => {
    const row = {
      input_ids: all.slice(from, to),
      labels: [-100, ...labels.slice(from + 1, to)],
    };
    const found = await findingsOf(
      [row],
      "--tokenizer",
      TOKENIZER,
      "--max-length",
      `${to - from}`,
    );
    return found.map(({ code }) => code).sort();
  };
  const start = firstOf(ROWS[0]!);
  // from within an answer, its first label ignored; from within a header
  assertEquals(await codes(start + 4, all.length), []);
  assertEquals(await codes(start - 5, all.length), []);
  // into an answer that ends in the next row
  assertEquals(await codes(0, start + 4), ["truncated-in-answer"]);
  // nothing but words, in a file that shows no answers
  assertEquals(
    await codes(start + 1, start + 6),
    [
      "truncated-in-answer",
      "marker-absent",
      "everything-trained",
    ].sort(),
  );
  // and in one that does
  const middle = {
    input_ids: all.slice(start + 1, start + 6),
    labels: all.slice(start + 1, start + 6),
  };
  for (
    const rows of [[columns(ROWS[1]!), middle], [middle, columns(ROWS[1]!)]]
  ) {
    const found = await findingsOf(rows, "--tokenizer", TOKENIZER);
    assertEquals(found.map(({ code }) => code), ["stop-not-trained"]);
  }
});

Deno.test("the rows of these tests are what the tokenizer makes of a chat", async () => {
  const text = chatText("question 0", "answer 0, fine", "and 0?", "last 0");
  const { loadTokenizerFolder } = await import("../../src/cli/encoding.ts");
  const { inputIds } = loadTokenizerFolder(TOKENIZER).encode(text);
  assertEquals([...inputIds], ROWS[0]!.ids);
});

Deno.test("audit of rows from elsewhere learns from --chat-template", async () => {
  const row = JSON.stringify(columns(ROWS[0]!));
  const args = ["audit", "-", "--json", "--chat-template"];
  const missing = await cli([
    ...args,
    "nowhere.jinja",
    "--tokenizer",
    TOKENIZER,
  ], {
    stdin: row,
  });
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.err, "nowhere.jinja");
  const alone = await cli([...args, "nowhere.jinja"], { stdin: row });
  assertEquals(alone.code, 2);
  assertStringIncludes(alone.err, "--chat-template needs --tokenizer DIR");
});

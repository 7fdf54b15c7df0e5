/** One row or many: when a chat is split, into what, and what is said of it. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type ChatMessage,
  type ChatPolicy,
  checkCertificate,
  encodeChat,
  encodeChatRows,
  type EncodedChat,
} from "../../src/chat/mod.ts";
import { CHATML, GEMMA, TOOLS } from "./made_up.ts";
import { byteLevel } from "./tiny.ts";

const tokenizer = byteLevel({
  special: ["<|im_start|>", "<|im_end|>", "<end_of_turn>", "<start_of_turn>"],
});

/** Keeps the thought of the last message alone, as Qwen 3 does. */
const FORGETS = CHATML.replace(
  "{{ m.content }}",
  "{{ '<think>' ~ m.reasoning_content ~ '</think>' if m.reasoning_content and loop.last }}{{ m.content }}",
);

const user = (content: string): ChatMessage => ({ role: "user", content });
const bot = (
  content: string,
  reasoning_content = "",
  more = {},
): ChatMessage => ({
  role: "assistant",
  content,
  reasoning_content,
  ...more,
});

const THOUGHTS = [
  user("Q"),
  bot("A", "one"),
  user("R"),
  bot("B", "two"),
  user("S"),
  bot("C", "three"),
];
const PLAIN = [user("Q"), bot("A"), user("R"), bot("B")];

type Split = "auto" | "never" | "always";

function rows(
  messages: readonly ChatMessage[],
  chatTemplate: string,
  split?: Split,
  policy: ChatPolicy = {},
): EncodedChat[] {
  const made = encodeChatRows(messages, {
    tokenizer,
    chatTemplate,
    policy,
    ...(split === undefined ? {} : { split }),
  });
  for (const row of made) checkCertificate(row, tokenizer);
  return made;
}

const texts = (list: EncodedChat[]) =>
  list.map((row) => row.certificate.runs.map(({ text }) => text));
const codes = (list: EncodedChat[]) =>
  list.map(({ findings }) => findings.map(({ code }) => code));

Deno.test("encodeChatRows() makes one row where it shows what inference shows", () => {
  for (const template of [CHATML, GEMMA, TOOLS]) {
    const [row, ...others] = rows(PLAIN, template);
    assertEquals(others, []);
    const alone = encodeChat(PLAIN, { tokenizer, chatTemplate: template });
    assertEquals(row, alone);
  }
});

Deno.test("encodeChatRows() makes one row an answer where a template forgets", () => {
  const made = rows(THOUGHTS, FORGETS);
  assertEquals(texts(made), [
    ["<think>one</think>A<|im_end|>"],
    ["<think>two</think>B<|im_end|>"],
    ["<think>three</think>C<|im_end|>"],
  ]);
  assertEquals(made.map((row) => row.roles.length), [2, 4, 6]);
  for (const { text, findings } of made) {
    assert(text.match(/<think>/g)?.length === 1);
    const told = findings.filter(({ code }) => code === "history-rewritten");
    assertEquals(told.length, 1);
    const count = made.reduce((sum, row) => sum + row.inputIds.length, 0);
    assert(
      told[0]!.detail.includes(`3 rows of ${count} tokens instead of one of`),
    );
  }
  // each prefix is what inference shows
  for (const [i, { text, certificate }] of made.entries()) {
    const prompt = encodeChat([...THOUGHTS.slice(0, 2 * i + 1), {
      role: "assistant",
      content: "",
    }], {
      tokenizer,
      chatTemplate: FORGETS,
    }).text;
    const start = certificate.runs[0]!.bytes[0];
    assertEquals(text.slice(0, start), prompt.slice(0, start));
  }
});

Deno.test("encodeChatRows() keeps one row on request, and says what it lost", () => {
  const [row, ...others] = rows(THOUGHTS, FORGETS, "never");
  assertEquals(others, []);
  assertEquals(texts([row!]), [[
    "A<|im_end|>",
    "B<|im_end|>",
    "<think>three</think>C<|im_end|>",
  ]]);
  assertEquals(codes([row!]), [[
    "field-dropped",
    "field-dropped",
    "history-rewritten",
  ]]);
});

Deno.test("encodeChatRows() splits on request", () => {
  const made = rows(PLAIN, CHATML, "always");
  assertEquals(texts(made), [["A<|im_end|>"], ["B<|im_end|>"]]);
  assertEquals(codes(made), [["history-rewritten"], ["history-rewritten"]]);
  assertEquals(texts(rows(PLAIN.slice(0, 2), CHATML, "always")), [[
    "A<|im_end|>",
  ]]);
});

Deno.test("encodeChatRows() splits off the one answer that is trained", () => {
  const chat = THOUGHTS.map((message, i) => ({ ...message, train: i === 1 }));
  const made = rows(chat, FORGETS);
  assertEquals(texts(made), [["<think>one</think>A<|im_end|>"]]);
  assertEquals(made[0]!.roles.length, 2);
  // the last one stands where inference shows it anyway
  const last = rows(THOUGHTS, FORGETS, "auto", { lastTurnOnly: true });
  assertEquals(texts(last), [["<think>three</think>C<|im_end|>"]]);
  assertEquals(codes(last), [["field-dropped", "field-dropped"]]);
});

Deno.test("encodeChatRows() keeps flags, weights and policy", () => {
  const chat = [
    user("Q"),
    bot("A", "one", { weight: 0.5 }),
    user("R"),
    bot("B", "two", { train: false }),
    user("S"),
    bot("C", "three", { weight: 2 }),
  ];
  const made = rows(chat, FORGETS, "auto", { endOfTurn: false });
  assertEquals(texts(made), [["<think>one</think>A"], [
    "<think>three</think>C",
  ]]);
  const weights = made.map((row) =>
    new Set([...row.weights].filter((w) => w !== 0))
  );
  assertEquals(weights, [new Set([0.5]), new Set([2])]);
});

Deno.test("encodeChatRows() makes one row where others than answers are trained", () => {
  const made = rows(THOUGHTS, FORGETS, "auto", {
    roles: ["user", "assistant"],
  });
  assertEquals(made.length, 1);
  assertEquals(made[0]!.certificate.runs.length, 6);
  assertEquals(rows([user("Q")], CHATML).length, 1);
  assertEquals(rows([user("Q")], CHATML, "always").length, 1);
});

Deno.test("encodeChatRows() splits where a template shows earlier questions otherwise", () => {
  const numbered = CHATML.replace(
    "{{ m.content }}",
    "{{ 'last: ' if loop.last }}{{ m.content }}",
  );
  const made = rows(PLAIN, numbered);
  assertEquals(made.map((row) => row.roles.length), [2, 4]);
  assert(
    made.every(({ findings }) =>
      findings.some(({ code }) => code === "history-rewritten")
    ),
  );
});

Deno.test("encodeChatRows() takes no other word for split", () => {
  const options = { tokenizer, chatTemplate: CHATML };
  assertThrows(
    () => encodeChatRows(PLAIN, { ...options, split: "sometimes" as never }),
    RangeError,
    "split must be one of auto, never, always",
  );
  assertThrows(
    () => encodeChatRows(PLAIN, { ...options, split: true as never }),
    TypeError,
  );
});

/**
 * What `judge()` makes of rows that were tokenised elsewhere, under templates of
 * several families: rows as `encodeChat()` makes them bring nothing, each with
 * one mistake brings its finding.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  type ChatMessage,
  type ChatTokenizer,
  encodeChat,
} from "../../src/chat/mod.ts";
import { judge } from "../../src/cli/elsewhere.ts";
import type { ElsewhereRow } from "../../src/cli/report_rows.ts";
import { learnMarks } from "../../src/cli/turn_marks.ts";
import { byteLevel } from "../chat/tiny.ts";

const user = (content: string) => ({ role: "user", content });
const bot = (content: string) => ({ role: "assistant", content });
const tool = (content: string) => ({ role: "tool", content });
const call: ChatMessage = {
  role: "assistant",
  content: "",
  tool_calls: [{ function: { name: "f", arguments: {} } }],
};

const CALLS =
  "{% if m.tool_calls %}<call>{{ m.tool_calls[0].function.name }}</call>{% endif %}";

/** Whole turns between one pair of tokens; a header that names the role. */
const CHATML = byteLevel({
  special: ["<|s|>", "<|e|>", "<call>", "</call>"],
  eos: "<eos>",
  chatTemplate: "{% for m in messages %}<|s|>{{ m.role }}\n{{ m.content }}" +
    CALLS + "<|e|>\n{% endfor %}" +
    "{% if add_generation_prompt %}<|s|>assistant\n{% endif %}",
});

/** A token before each question and each answer; behind a tool's result an answer has none. */
const DEEPSEEK = byteLevel({
  special: [
    "<bos>",
    "<eos>",
    "<U>",
    "<A>",
    "<call>",
    "</call>",
    "<out>",
    "</out>",
  ],
  bos: "<bos>",
  eos: "<eos>",
  chatTemplate: "{{ bos_token }}{% for m in messages %}" +
    "{% if m.role == 'user' %}<U>{{ m.content }}" +
    "{% elif m.role == 'tool' %}<out>{{ m.content }}</out>" +
    "{% elif m.role == 'system' %}{{ m.content }}" +
    "{% else %}{% if loop.first or messages[loop.index0 - 1].role == 'user' %}<A>{% endif %}" +
    `{{ m.content }}${CALLS}<eos>{% endif %}{% endfor %}` +
    "{% if add_generation_prompt and messages[-1].role == 'user' %}<A>{% endif %}",
});

const FAMILIES = { CHATML, DEEPSEEK };

/** A row as encodeChat() makes it. */
function rowOf(
  tokenizer: ChatTokenizer,
  ...messages: ChatMessage[]
): ElsewhereRow {
  const { inputIds, labels } = encodeChat(messages, { tokenizer });
  return { inputIds, labels };
}

const pack = (...rows: ElsewhereRow[]): ElsewhereRow => {
  const cuSeqlens = [0];
  for (const { inputIds } of rows) {
    cuSeqlens.push(cuSeqlens.at(-1)! + inputIds.length);
  }
  return {
    inputIds: Int32Array.from(rows.flatMap(({ inputIds }) => [...inputIds])),
    labels: Int32Array.from(rows.flatMap(({ labels }) => [...labels])),
    cuSeqlens: Int32Array.from(cuSeqlens),
  };
};

const cut = (
  { inputIds, labels }: ElsewhereRow,
  from: number,
  to?: number,
): ElsewhereRow => ({
  inputIds: inputIds.slice(from, to),
  labels: Int32Array.of(...labels.slice(from, to).fill(-100, 0, 1)),
});

const relabel = (
  row: ElsewhereRow,
  isTrained: (t: number, was: boolean) => boolean,
): ElsewhereRow => ({
  ...row,
  labels: row.inputIds.map((id, t) =>
    isTrained(t, row.labels[t] !== -100) ? id : -100
  ),
});

function codes(tokenizer: ChatTokenizer, row: ElsewhereRow): string[] {
  const rules = { ...learnMarks(tokenizer, {}), maxLength: undefined };
  return judge(row, rules).findings.map(({ code }) => code);
}

const CHATS: readonly (readonly ChatMessage[])[] = [
  [user("Hi"), bot("Ho")],
  [user("Hi"), bot("Ho"), user("and"), bot("so")],
  [user("Hi"), call, tool("it"), bot("so"), user("?"), bot("!")],
  [user("Hi"), bot(""), user("x"), bot("y")],
  [{ role: "system", content: "be" }, user("Hi"), bot("Ho")],
  [user("Hi"), bot("one"), bot("two"), user("?"), bot("three")],
];

for (const [name, tokenizer] of Object.entries(FAMILIES)) {
  Deno.test(`nothing is odd about right rows of ${name}`, () => {
    for (const chat of CHATS) {
      const row = rowOf(tokenizer, ...chat);
      assertEquals(codes(tokenizer, row), [], JSON.stringify(chat));
      assertEquals(codes(tokenizer, pack(row, row, row)), []);
    }
  });

  Deno.test(`any one prompt's token that is trained is found, of ${name}`, () => {
    for (const chat of CHATS) {
      const row = rowOf(tokenizer, ...chat);
      const { isBlank } = learnMarks(tokenizer, {});
      for (const [at, label] of row.labels.entries()) {
        // whitespace behind a stop may be trained
        if (label !== -100 || isBlank!(row.inputIds[at]!)) continue;
        const found = codes(
          tokenizer,
          relabel(row, (t, was) => was || t === at),
        );
        const isFound = found.some((code) =>
          /^(prompt|header)-trained$/.test(code)
        );
        assertEquals(
          isFound,
          true,
          `${JSON.stringify(chat)} at ${at}: ${found}`,
        );
      }
    }
  });

  Deno.test(`any one answer's token that is not trained is found, of ${name}`, () => {
    const { isAdded, ends } = learnMarks(tokenizer, {});
    for (const chat of CHATS) {
      const row = rowOf(tokenizer, ...chat);
      const trained = [...row.labels.keys()].filter((t) =>
        row.labels[t] !== -100
      );
      for (const at of trained) {
        const id = row.inputIds[at]!;
        if (isAdded(id) && !ends.has(id)) continue; // a mark of a call, left out
        const found = codes(
          tokenizer,
          relabel(row, (t, was) => was && t !== at),
        );
        // of an answer of one token and a stop, what is left is one that is not trained
        const wanted =
          /^(answer-partly-trained|stop-not-trained|answer-not-trained)$/;
        assertEquals(
          found.some((code) => wanted.test(code)),
          true,
          `${at}: ${found}`,
        );
      }
    }
  });

  Deno.test(`what a cut left is no mistake, of ${name}`, () => {
    const row = rowOf(
      tokenizer,
      user("a question"),
      bot("an answer"),
      user("more"),
      bot("again"),
    );
    for (let from = 1; from < row.inputIds.length - 2; from++) {
      const rest = cut(row, from);
      const serious = (found: string[]) =>
        found.filter((code) => /prompt|header|partly|everything/.test(code));
      assertEquals(serious(codes(tokenizer, rest)), [], `${from}`);
      assertEquals(
        serious(codes(tokenizer, pack(row, rest, row))),
        [],
        `${from}`,
      );
    }
  });
}

Deno.test("a document that begins twice is found, behind padding too", () => {
  const row = rowOf(DEEPSEEK, user("Hi"), bot("Ho"));
  const twice = {
    inputIds: Int32Array.of(row.inputIds[0]!, ...row.inputIds),
    labels: Int32Array.of(-100, ...row.labels),
  };
  assertEquals(codes(DEEPSEEK, twice), ["double-bos"]);
  assertEquals(codes(DEEPSEEK, pack(row, twice)), ["double-bos"]);
  const padded = {
    inputIds: Int32Array.of(0, 0, ...twice.inputIds),
    labels: Int32Array.of(-100, -100, ...twice.labels),
    attentionMask: Int32Array.of(0, 0, ...twice.inputIds.map(() => 1)),
  };
  assertEquals(codes(DEEPSEEK, padded), ["double-bos"]);
  const trained = { ...padded, labels: padded.labels.slice().fill(0, 0, 2) };
  assertEquals(codes(DEEPSEEK, trained), ["prompt-trained", "double-bos"]);
});

Deno.test("documents are parted by positions where nothing else says so", () => {
  const row = rowOf(CHATML, user("Hi"), bot("Ho"));
  const whole = relabel(row, (t) => t > 0);
  const { cuSeqlens: _, ...two } = pack(row, whole);
  const positionIds = Int32Array.from([
    ...row.inputIds.keys(),
    ...row.inputIds.keys(),
  ]);
  assertEquals(codes(CHATML, { ...two, positionIds }), ["everything-trained"]);
});

Deno.test("everything trained is found in one document, padding apart, without any marks", () => {
  const rules = {
    ends: new Set<number>(),
    headers: [],
    openers: new Set<number>(),
    starts: new Set<number>(),
    bos: undefined,
    isBlank: null,
    isAdded: () => false,
    maxLength: undefined,
  };
  const row = {
    inputIds: Int32Array.of(5, 6, 7),
    labels: Int32Array.of(5, 6, 7),
  };
  const right = { ...row, labels: Int32Array.of(-100, -100, 7) };
  const found = (one: ElsewhereRow) =>
    judge(one, rules).findings.map(({ code }) => code);
  assertEquals(found(pack(right, row)), ["everything-trained"]);
  assertEquals(
    found({
      inputIds: Int32Array.of(5, 6, 7, 0, 0),
      labels: Int32Array.of(5, 6, 7, -100, -100),
      attentionMask: Int32Array.of(1, 1, 1, 0, 0),
    }),
    ["everything-trained"],
  );
  assertEquals(found(right), []);
  // a header alone says nothing of stops
  const header = {
    ...rules,
    headers: [{ ids: [6], space: [] }],
    starts: new Set([6]),
  };
  assertEquals(judge(right, header).findings, []);
});

Deno.test("a whole part may be left out, its stop alone may not be trained", () => {
  const row = rowOf(CHATML, user("Hi"), { ...call, content: "so" });
  const ids = [...row.inputIds];
  const mark = (text: string) => CHATML.addedId(text)!;
  const [from, to] = [
    ids.indexOf(mark("<call>")),
    ids.indexOf(mark("</call>")),
  ];
  const isCall = (t: number) => t >= from && t <= to;
  const stop = ids.lastIndexOf(mark("<|e|>"));
  assertEquals(codes(CHATML, relabel(row, (t, was) => was && !isCall(t))), []);
  assertEquals(codes(CHATML, relabel(row, (t) => t === stop)), [
    "answer-partly-trained",
  ]);
  const lines = rowOf(CHATML, user("Hi"), bot("a\n\nb"));
  const newlines = relabel(
    lines,
    (t, was) => was && lines.inputIds[t] !== CHATML.encode("\n").inputIds[0],
  );
  assertEquals(codes(CHATML, newlines), ["answer-partly-trained"]);
});

Deno.test("a stop that the small conversations do not show ends an answer before another turn", () => {
  const special = ["<h>", "</h>", "<eot>", "<eom>"];
  const tokenizer = byteLevel({
    special,
    eos: "<eot>",
    chatTemplate: "{% for m in messages %}<h>{{ m.role }}</h>{{ m.content }}" +
      "{{ '<eom>' if m.content == 'call' else '<eot>' }}{% endfor %}" +
      "{% if add_generation_prompt %}<h>assistant</h>{% endif %}",
  });
  const text =
    "<h>user</h>q<eot><h>assistant</h>call<eom><h>tool</h>r<eot><h>assistant</h>a<eot>";
  const { inputIds } = tokenizer.encode(text);
  const at = (marker: string, n = 0) => {
    const places = [...inputIds.keys()].filter((t) =>
      inputIds[t] === tokenizer.addedId(marker)
    );
    return places.at(n)!;
  };
  const [answer, eom, last, end] = [
    at("</h>", 1) + 1,
    at("<eom>"),
    at("</h>", -1) + 1,
    at("<eot>", -1),
  ];
  const right = (t: number) =>
    (t >= answer && t <= eom) || (t >= last && t <= end);
  const row = (isTrained: (t: number) => boolean) => ({
    inputIds,
    labels: inputIds.map((id, t) => isTrained(t) ? id : -100),
  });
  assertEquals(codes(tokenizer, row(right)), []);
  const results = row((t) => right(t) || (t > eom && t < last));
  assertEquals(codes(tokenizer, results), ["prompt-trained", "header-trained"]);
});

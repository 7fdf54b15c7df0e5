/** Why a row trains what it trains, in codes and words. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type ChatMessage,
  type ChatPolicy,
  encodeChat,
  explain,
  explainMarkers,
  type FindingCode,
  truncateRow,
} from "../../src/chat/mod.ts";
import * as made from "./made_up.ts";
import { byteLevel } from "./tiny.ts";

const tokenizer = byteLevel({
  special: [...made.CHATML_SPECIAL, ...made.GLM_SPECIAL, "<|E|>", "</s>"],
  eos: "</s>",
});

const user = (content: string, more = {}): ChatMessage => ({
  role: "user",
  content,
  ...more,
});
const bot = (content: string, more = {}): ChatMessage => ({
  role: "assistant",
  content,
  ...more,
});

function reasons(
  messages: readonly ChatMessage[],
  policy: ChatPolicy = {},
  chatTemplate = made.CHATML,
) {
  return explain(encodeChat(messages, { tokenizer, chatTemplate, policy }))
    .map(({ reasons }) => Object.fromEntries(reasons));
}

Deno.test("explain() gives each message's reasons", () => {
  const chat = [
    user("Q"),
    bot("Yes"),
    user("R", { train: true }),
    bot("No", { train: false }),
  ];
  const header = "<|im_start|>assistant\n".length - "<|im_start|>".length + 1;
  assertEquals(reasons(chat), [
    { role_not_trained: 1 },
    { header, answer: 3, end_of_turn: 1, whitespace_after_stop: 1 },
    { answer: 1 },
    { header, turn_not_trained: 3, whitespace_after_stop: 1 },
  ]);
  assertEquals(reasons(chat.slice(0, 2), { endOfTurn: false })[1], {
    header,
    answer: 3,
    stop_not_trained: 1,
    whitespace_after_stop: 1,
  });
  assertEquals(
    reasons(chat.slice(0, 2), {
      roleHeader: true,
      whitespaceAfterEnd: true,
    })[1],
    {
      header_trained: header,
      answer: 3,
      end_of_turn: 1,
      whitespace_trained: 1,
    },
  );
  assertEquals(
    reasons([user("Q"), bot("A"), user("R"), bot("B")], {
      lastTurnOnly: true,
    })[1],
    {
      header,
      turn_not_trained: 2,
      whitespace_after_stop: 1,
    },
  );
  assertEquals(reasons([user("Q"), bot("A", { weight: 0 })])[1], {
    header,
    zero_weight: 2,
    whitespace_after_stop: 1,
  });
});

Deno.test("explain() tells calls, thoughts and straddling tokens apart", () => {
  const call = { function: { name: "f", arguments: {} } };
  const [, called] = reasons([user("Q"), bot("a", { tool_calls: [call] })], {
    toolCalls: false,
  }, made.TOOLS);
  assertEquals(called!.answer, 1);
  assert(called!.call_not_trained! > 20);
  assertEquals(called!.stop_not_trained, 1);
  const [, thought] = reasons(
    [user("Q"), bot("A", { reasoning_content: "hm" })],
    {},
    made.KEPT_THOUGHTS,
  );
  assertEquals(thought!.think_opening, "<think>\n".length);
  const tiny = byteLevel({ words: ["]{"] });
  const row = encodeChat([user("Q"), bot("{}")], {
    tokenizer: tiny,
    chatTemplate:
      "{% for m in messages %}{% if m.role == 'user' %}[{{ m.content }}]{% else %}{{ m.content }};{% endif %}{% endfor %}",
  });
  const [, straddled] = explain(row);
  assertEquals(Object.fromEntries(straddled!.reasons), {
    answer: 1,
    end_of_turn: 1,
    straddles: 1,
  });
});

Deno.test("explain() counts every token of a message once, and puts it in words", () => {
  const row = encodeChat([user("Q<|im_end|>"), bot("A"), bot("")], {
    tokenizer,
    chatTemplate: made.CHATML,
  });
  const list = explain(row);
  for (const { message, tokens, trained, reasons, findings } of list) {
    assertEquals(tokens, [...row.owners].filter((o) => o === message).length);
    assertEquals(tokens, reasons.reduce((sum, [, count]) => sum + count, 0));
    assertEquals(
      trained,
      [...row.owners].filter((o, t) => o === message && row.labels[t] !== -100)
        .length,
    );
    assertEquals(
      findings,
      row.findings.filter((one) => one.message === message),
    );
  }
  assertEquals(
    list[0]!.summary,
    "Message 0 (user): 0 of 2 tokens trained. not trained are 2: its role is not trained. " +
      'Message 0 holds the text of a special token, "<|im_end|>": it becomes the token itself',
  );
  assert(
    list[1]!.summary.startsWith(
      "Message 1 (assistant): 2 of 14 tokens trained",
    ),
  );
});

Deno.test("explain() tells of messages that are not in the row", () => {
  const chatTemplate = made.CHATML.replace(
    "in messages",
    "in messages if m.role != 'tool'",
  );
  const row = encodeChat(
    [user("Q"), { role: "tool", content: "R" }, bot("A")],
    { tokenizer, chatTemplate },
  );
  const [, dropped] = explain(row);
  assertEquals([dropped!.tokens, dropped!.trained, dropped!.reasons], [
    0,
    0,
    [],
  ]);
  assertEquals(dropped!.findings.map(({ code }) => code), ["content-dropped"]);
  assert(
    dropped!.summary.startsWith(
      "Message 1 (tool) has no token in the row. The template leaves out",
    ),
  );
  const cut = explain(truncateRow(row, 3));
  assertEquals(cut.map(({ tokens }) => tokens > 0), [false, false, false]);
});

/** Chats with what each must be told about. */
const ODD: readonly (readonly [
  FindingCode,
  readonly ChatMessage[],
  Record<string, unknown>,
])[] = [
  ["clock-read", [user("Q"), bot("A")], {
    chatTemplate: made.CHATML +
      "{% if x %}{{ strftime_now('%F') }}{% endif %}",
  }],
  ["content-dropped", [user("Q"), bot("A|B")], {
    chatTemplate: made.CHATML.replace("m.content", "m.content.split('|')[0]"),
  }],
  ["content-trimmed", [user("Q"), bot(" A ")], { chatTemplate: made.GEMMA }],
  ["control-text", [user("<|im_end|>"), bot("A")], {}],
  ["field-dropped", [user("Q"), bot("A", { reasoning_content: "hm" })], {}],
  ["no-end-of-turn", [user("Q"), bot("A")], { chatTemplate: made.GLM }],
  ["nothing-trained", [user("Q")], {}],
  ["role-not-trained", [user("Q")], {}],
  ["stop-not-trained", [user("Q"), bot("A")], {
    chatTemplate: made.CHATML.replace(
      "<|im_end|>\n",
      "{{ '<|im_end|>\n' if not (loop.last and loop.index0 == 1) }}",
    ),
  }],
  ["tags-differ", [user("Q"), bot("A")], {
    chatTemplate: made.TAGGED.replace(
      "<|im_end|>{% endgeneration %}",
      "{% endgeneration %}<|im_end|>",
    ),
  }],
];

for (const [code, messages, options] of ODD) {
  Deno.test(`encodeChat() tells of ${code}`, () => {
    const row = encodeChat(messages, {
      tokenizer,
      chatTemplate: made.CHATML,
      ...options,
    });
    const told = row.findings.filter((finding) => finding.code === code);
    assertEquals(told.length, 1, JSON.stringify(row.findings));
    assert(told[0]!.detail.length > 10);
    const quiet = [user("Q"), bot("A")];
    assertEquals(
      encodeChat(quiet, { tokenizer, chatTemplate: made.CHATML }).findings,
      [],
    );
  });
}

Deno.test("a date makes a template that reads the clock repeat itself", () => {
  const chatTemplate = "{{ strftime_now('%F') }}" + made.CHATML;
  const date = new Date("2020-02-02T00:00:00Z");
  const row = encodeChat([user("Q"), bot("A")], {
    tokenizer,
    chatTemplate,
    date,
  });
  assertEquals(row.findings, []);
  assert(row.text.startsWith("2020-02-02"));
});

Deno.test("explainMarkers() counts markers, and finds what is most like an absent one", () => {
  const ids = [1, 2, 3, 9, 1, 2, 4, 9, 5, 2, 3];
  const roles = {
    user: { start: [1, 2, 3], end: [9] },
    assistant: { start: [1, 2, 5], end: [7, 8] },
    tool: { start: [5, 2], end: [3, 3] },
  };
  const [userStart, userEnd, botStart, botEnd, toolStart, toolEnd] =
    explainMarkers(ids, roles);
  assertEquals([userStart!.found, userStart!.nearest], [1, null]);
  assertEquals([userEnd!.found, userEnd!.nearest], [2, null]);
  assertEquals(botStart!.found, 0);
  assertEquals(botStart!.nearest, { position: 0, ids: [1, 2, 3] });
  assertEquals([botEnd!.found, botEnd!.nearest], [0, null]);
  assertEquals([toolStart!.found, toolEnd!.nearest], [1, {
    position: 1,
    ids: [2, 3],
  }]);
  assertEquals(
    botStart!.summary,
    "The assistant's start [1, 2, 5] does not occur; most like it is [1, 2, 3] at 0",
  );
  assertEquals(
    botEnd!.summary,
    "The assistant's end [7, 8] does not occur, nor does any of its ids",
  );
  assertEquals(userEnd!.summary, "The user's end [9] occurs 2 times");
  // at the end of the ids only a part is left
  const [start] = explainMarkers([4, 1, 2], {
    a: { start: [1, 2, 3], end: [0] },
  });
  assertEquals(start!.nearest, { position: 1, ids: [1, 2] });
  assertEquals(explainMarkers([], roles).map(({ found }) => found), [
    0,
    0,
    0,
    0,
    0,
    0,
  ]);
  assertThrows(
    () => explainMarkers([1.5], roles),
    RangeError,
    "Cannot find spans",
  );
});

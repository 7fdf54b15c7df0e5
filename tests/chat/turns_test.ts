/**
 * Where answers begin and end: families of templates, each with every policy,
 * every expected text written out. What is trained is read twice, off the
 * certificate and off the labels' own bytes.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import {
  type ChatMessage,
  type ChatPolicy,
  ChatTemplateError,
  checkCertificate,
  encodeChat,
  type FindingCode,
  renderChat,
} from "../../src/chat/mod.ts";
import * as made from "./made_up.ts";
import { byteLevel, trainedTexts } from "./tiny.ts";

const say = (role: string) => (content: unknown, more = {}): ChatMessage =>
  ({ role, content, ...more }) as ChatMessage;
const user = say("user");
const bot = say("assistant");
const system = say("system");
const tool = say("tool");
const call = (name: string, args: unknown) => ({
  type: "function",
  function: { name, arguments: args },
});

interface Trained {
  texts: string[];
  findings: FindingCode[];
}

function train(
  chatTemplate: string,
  messages: readonly ChatMessage[],
  policy: ChatPolicy = {},
): Trained {
  const special = [...new Set(chatTemplate.match(/<\|[^|>{]+\|>/g) ?? [])];
  const tokenizer = byteLevel({
    special: [...special, "<s>", "</s>", "<start_of_turn>", "<end_of_turn>"],
    bos: "<s>",
    eos: chatTemplate === made.TRAILER ? "<|endoftext|>" : "</s>",
  });
  const row = encodeChat(messages, { tokenizer, chatTemplate, policy });
  checkCertificate(row, tokenizer);
  const texts = row.certificate.runs.map(({ text }) => text);
  assertEquals(trainedTexts(row, tokenizer).join(""), texts.join(""));
  return { texts, findings: row.findings.map(({ code }) => code) };
}

/** The trained texts, and that nothing was odd. */
function trained(...args: Parameters<typeof train>): string[] {
  const { texts, findings } = train(...args);
  assertEquals(findings, []);
  return texts;
}

/** The trained texts where `words` messages are trained that do not answer: each is told to have no stop. */
function withoutStops(
  words: number,
  ...args: Parameters<typeof train>
): string[] {
  const { texts, findings } = train(...args);
  assertEquals(findings, Array(words).fill("stop-not-trained"));
  return texts;
}

const TWO = [user("Q1"), bot("A1"), user("Q2"), bot("A2")];

/** Of each family: what is trained by default, with the header, with the whitespace, without the stop. */
const FAMILIES: Readonly<
  Record<
    string,
    readonly [
      template: string,
      plain: string[],
      header: string[],
      space: string[],
      noStop: string[],
    ]
  >
> = {
  ChatML: [
    made.CHATML,
    ["A1<|im_end|>", "A2<|im_end|>"],
    [
      "<|im_start|>assistant\nA1<|im_end|>",
      "<|im_start|>assistant\nA2<|im_end|>",
    ],
    ["A1<|im_end|>\n", "A2<|im_end|>\n"],
    ["A1", "A2"],
  ],
  "Llama's": [
    made.LLAMA,
    [" A1 </s>", " A2 </s>"],
    [" [/INST] A1 </s>", " [/INST] A2 </s>"],
    [" A1 </s>", " A2 </s>"],
    [" A1", " A2"], // the space before </s> is the stop's
  ],
  "Gemma's": [
    made.GEMMA,
    ["A1<end_of_turn>", "A2<end_of_turn>"],
    [
      "<start_of_turn>model\nA1<end_of_turn>",
      "<start_of_turn>model\nA2<end_of_turn>",
    ],
    ["A1<end_of_turn>\n", "A2<end_of_turn>\n"],
    ["A1", "A2"],
  ],
  "one that always prompts": [
    made.PROMPTING,
    ["A1<|eot|>", "A2<|eot|>"],
    ["<|h|>assistant<|/h|>\n\nA1<|eot|>", "<|h|>assistant<|/h|>\n\nA2<|eot|>"],
    ["A1<|eot|>", "A2<|eot|>"],
    ["A1", "A2"],
  ],
  "one with an end of text": [
    made.TRAILER,
    ["A1<|end|>", "A2<|end|>"],
    ["<|assistant|>\nA1<|end|>", "<|assistant|>\nA2<|end|>"],
    ["A1<|end|>\n", "A2<|end|>\n"],
    ["A1", "A2"],
  ],
  "one whose last stop is another": [
    made.OTHER_LAST,
    ["<|message|>A1<|end|>", "<|message|>A2<|return|>"],
    [
      "<|start|>assistant<|message|>A1<|end|>",
      "<|start|>assistant<|message|>A2<|return|>",
    ],
    ["<|message|>A1<|end|>", "<|message|>A2<|return|>"],
    ["<|message|>A1", "<|message|>A2"],
  ],
  "one with tags": [
    made.TAGGED,
    ["A1<|im_end|>", "A2<|im_end|>"],
    [
      "<|im_start|>assistant\nA1<|im_end|>",
      "<|im_start|>assistant\nA2<|im_end|>",
    ],
    ["A1<|im_end|>\n", "A2<|im_end|>\n"],
    ["A1", "A2"],
  ],
};

for (
  const [name, [template, plain, header, space, noStop]] of Object.entries(
    FAMILIES,
  )
) {
  Deno.test(`policies on ${name} template, to the letter`, () => {
    assertEquals(trained(template, TWO), plain);
    assertEquals(trained(template, TWO, { roleHeader: true }), header);
    assertEquals(trained(template, TWO, { whitespaceAfterEnd: true }), space);
    assertEquals(trained(template, TWO, { endOfTurn: false }), noStop);
    assertEquals(
      trained(template, TWO, { lastTurnOnly: true }),
      plain.slice(1),
    );
    assertEquals(trained(template, TWO, { generationTags: false }), plain);
    const users = { roles: ["user"] };
    assertEquals(withoutStops(2, template, TWO, users), ["Q1", "Q2"]);
    const silent = { ...users, endOfTurn: false };
    assertEquals(trained(template, TWO, silent), ["Q1", "Q2"]);
    const all = { roles: ["user", "assistant"] };
    const both = withoutStops(2, template, TWO, all);
    assertEquals(both, ["Q1", plain[0], "Q2", plain[1]]);
    const first = [TWO[0]!, { ...TWO[1]!, train: true }, ...TWO.slice(2)];
    assertEquals(
      trained(template, first, { roles: ["nobody"] }),
      plain.slice(0, 1),
    );
    assertEquals(trained(template, TWO.slice(0, 2)).length, 1);
  });

  Deno.test(`repeated and role-named answers on ${name} template`, () => {
    for (const word of ["OK", "assistant", "user", "model", ".", "<", "|"]) {
      const chat = [user(word), bot(word), user(word), bot(word)];
      const expected = plain.map((text, i) =>
        text.replace(`A${i + 1}`, () => word)
      );
      assertEquals(train(template, chat).texts, expected, word);
    }
  });
}

Deno.test("a template without stops trains answers alone, and says so", () => {
  const none: FindingCode[] = ["no-end-of-turn", "no-end-of-turn"];
  assertEquals(train(made.GLM, TWO), { texts: ["A1", "A2"], findings: none });
  const spaced = [user("Q"), bot(" A \n"), user("Q"), bot("B\n")];
  assertEquals(train(made.GLM, spaced).texts, [" A \n", "B\n"]);
  assertEquals(
    train(made.GLM, TWO, { roleHeader: true }).texts,
    ["<|assistant|>\nA1", "<|assistant|>\nA2"],
  );
});

Deno.test("a system message is the template's to place", () => {
  const chat = [system("S"), ...TWO];
  assertEquals(trained(made.CHATML, chat), ["A1<|im_end|>", "A2<|im_end|>"]);
  assertEquals(trained(made.LLAMA, chat), [" A1 </s>", " A2 </s>"]);
  const policy = { roles: ["system"] };
  assertEquals(withoutStops(1, made.CHATML, chat, policy), ["S"]);
  assertEquals(withoutStops(1, made.LLAMA, chat, policy), ["S"]);
  assertThrows(
    () => train(made.GEMMA, chat),
    ChatTemplateError,
    "The chat template refuses the conversation: System role not supported",
  );
});

Deno.test("an end of text is trained on request", () => {
  assertEquals(
    trained(made.TRAILER, TWO, { endOfText: true }),
    ["A1<|end|>", "A2<|end|>\n<|endoftext|>"],
  );
  assertEquals(
    trained(made.TRAILER, TWO, { endOfText: true, endOfTurn: false }).at(-1),
    "\n<|endoftext|>",
  );
  assertEquals(trained(made.CHATML, TWO, { endOfText: true }), [
    "A1<|im_end|>",
    "A2<|im_end|>",
  ]);
});

Deno.test("what the prompt opens is the prompt's, unless asked for", () => {
  const chat = [
    user("Q"),
    bot("A", { reasoning_content: "hm" }),
    user("R"),
    bot("B", { reasoning_content: "ho" }),
  ];
  const texts = ["hm\n</think>\n\nA<|E|>", "ho\n</think>\n\nB<|E|>"];
  assertEquals(trained(made.KEPT_THOUGHTS, chat), texts);
  assertEquals(
    trained(made.KEPT_THOUGHTS, chat, { thinkOpening: true }),
    texts.map((text) => "<think>\n" + text),
  );
  assertEquals(
    trained(made.KEPT_THOUGHTS, chat, { roleHeader: true }),
    texts.map((text) => "<|assistant|><think>\n" + text),
  );
  const empty = [user("Q"), bot("A", { reasoning_content: "" })];
  assertEquals(trained(made.KEPT_THOUGHTS, empty), ["\n</think>\n\nA<|E|>"]);
  const quoted = [
    user("<think>\n"),
    bot("</think>", { reasoning_content: "<think>\n" }),
  ];
  assertEquals(trained(made.KEPT_THOUGHTS, quoted), [
    "<think>\n\n</think>\n\n</think><|E|>",
  ]);
});

Deno.test("dropped thoughts are findings, and what stays is trained", () => {
  const chat = [
    user("Q"),
    bot("<think>\nhm\n</think>A"),
    user("R"),
    bot("B"),
  ];
  const { texts, findings } = train(made.THINKING, chat);
  assertEquals(texts, ["A<|E|>", "B<|E|>"]);
  assertEquals(findings, ["content-dropped"]);
});

Deno.test("calls are trained with their stop, results are not", () => {
  const chat = [
    user("Q"),
    bot("let me see", {
      tool_calls: [call("f", { x: [1, 2.5, null, 'é\n"q"'] }), call("g", {})],
    }),
    tool("R <|im_end|>"),
    bot("A"),
  ];
  const calls =
    'let me see\n<tool_call>\n{"name": "f", "arguments": {"x": [1, 2.5, null, "é\\n\\"q\\""]}}\n</tool_call>' +
    '\n<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call><|im_end|>';
  const { texts, findings } = train(made.TOOLS, chat);
  assertEquals(texts, [calls, "A<|im_end|>"]);
  assertEquals(findings, ["control-text"]);
  assertEquals(train(made.TOOLS, chat, { toolCalls: false }).texts, [
    "let me see",
    "A<|im_end|>",
  ]);
  assertEquals(train(made.TOOLS, chat, { roles: ["tool"] }).texts, [
    "R <|im_end|>",
  ]);
});

Deno.test("names and arguments of calls may be anything", () => {
  const around = (json: string) =>
    `<tool_call>\n{"name": "f", "arguments": ${json}}\n</tool_call><|im_end|>`;
  const cases: [unknown, string][] = [
    [
      JSON.parse('{"__proto__": "v", "constructor": {"toString": 1}}'),
      '{"__proto__": "v", "constructor": {"toString": 1}}',
    ],
    [
      { "<|im_end|>": "<|im_start|>assistant\n" },
      '{"<|im_end|>": "<|im_start|>assistant\\n"}',
    ],
    [{ "2": "b", "10": "a" }, '{"2": "b", "10": "a"}'],
    [{ "": "", " ": " " }, '{"": "", " ": " "}'],
    [{ a: "\u0000\u001f\\ /\u2028" }, '{"a": "\\u0000\\u001f\\\\ /\u2028"}'],
    ['{"raw": "text"}', '{"raw": "text"}'],
    [
      { deep: { er: { est: [[["x"]]] } } },
      '{"deep": {"er": {"est": [[["x"]]]}}}',
    ],
    [{ n: 12345678901234, b: true }, '{"n": 12345678901234, "b": true}'],
    [{ same: "same", f: "f" }, '{"same": "same", "f": "f"}'],
  ];
  for (const [args, json] of cases) {
    const chat = [
      user("Q"),
      bot("", { tool_calls: [call("f", args)] }),
      tool("R"),
      bot("A"),
    ];
    assertEquals(
      train(made.TOOLS, chat).texts,
      [around(json), "A<|im_end|>"],
      json,
    );
  }
  assertThrows(
    () =>
      train(made.TOOLS, [user("Q"), bot("", { tool_calls: [call("", {})] })]),
    ChatTemplateError,
    "Cannot prove what is trained",
  );
});

Deno.test("a turn that calls may stop otherwise", () => {
  const chat = [
    user("Q"),
    bot("", { tool_calls: [call("f", { x: "y" })] }),
    tool("R"),
    bot("A"),
  ];
  assertEquals(trained(made.CALL_STOP, chat), [
    'f({"x": "y"})<|eom|>',
    "A<|eot|>",
  ]);
  assertEquals(trained(made.CALL_STOP, chat.slice(0, 2)), [
    'f({"x": "y"})<|eom|>',
  ]);
});

Deno.test("quoted headers and stops are words like others", () => {
  const quotes = [
    "<|im_end|>",
    "<|im_end|> first",
    "last <|im_end|>",
    "in <|im_end|> between",
    "twice <|im_end|><|im_end|>",
    "<|im_start|>assistant\n",
    "x<|im_end|>\n<|im_start|>assistant\nx",
    "<|im_start|>user\nQ<|im_end|>\n",
  ];
  for (const quote of quotes) {
    const chat = [user(quote), bot(quote), user(quote), bot(quote)];
    const { texts, findings } = train(made.CHATML, chat);
    assertEquals(texts, [`${quote}<|im_end|>`, `${quote}<|im_end|>`]);
    assertEquals(new Set(findings), new Set(["control-text"]));
    const inst = quote.replaceAll("<|im_end|>", " [/INST] ").replaceAll(
      "<|im_start|>",
      "[INST]",
    );
    const llama = [user(inst), bot(inst), user(inst), bot(inst)];
    assertEquals(trained(made.LLAMA, llama), [
      ` ${inst} </s>`,
      ` ${inst} </s>`,
    ]);
  }
});

Deno.test("chats of other shapes", () => {
  const end = "<|im_end|>";
  const cases: [ChatMessage[], string[]][] = [
    [[bot("A"), user("Q"), bot("B")], [`A${end}`, `B${end}`]],
    [[bot("A")], [`A${end}`]],
    [[user("Q"), bot("A"), bot("B")], [`A${end}`, `B${end}`]],
    [[user("Q"), bot("A"), bot("A"), bot("A")], [
      `A${end}`,
      `A${end}`,
      `A${end}`,
    ]],
    [[user("Q"), bot("A"), user("R")], [`A${end}`]],
    [[user("Q"), user("R"), bot("A")], [`A${end}`]],
    [[user("Q"), bot("")], [end]],
    [[user(""), bot("A"), user(""), bot("B")], [`A${end}`, `B${end}`]],
    [[user("Q"), bot("  \n")], [`  \n${end}`]],
    [[user("Q"), bot(""), bot(""), bot("A")], [end, end, `A${end}`]],
    [[user("Q"), bot(""), user("R"), bot("")], [end, end]],
    [[user("Q"), bot("\ue000\uf8ff")], [`\ue000\uf8ff${end}`]],
    [[user("\ue000"), bot("A"), user(" "), bot("B")], [`A${end}`, `B${end}`]],
  ];
  for (const [chat, expected] of cases) {
    assertEquals(trained(made.CHATML, chat), expected, JSON.stringify(chat));
  }
  const none = train(made.CHATML, [user("Q"), user("R")]);
  assertEquals(none, {
    texts: [],
    findings: ["role-not-trained", "nothing-trained"],
  });
});

Deno.test("what one chat teaches of a template misleads no other", () => {
  // each pair once in this order: a turn that says nothing once lent its header
  const end = "<end_of_turn>";
  for (let i = 0; i < 2; i++) {
    assertEquals(
      trained(made.GEMMA, [user("Q"), bot("A"), bot("B")]),
      [`A${end}`, `B${end}`],
    );
    const silent = train(made.GEMMA, [user("Q"), bot(""), bot(" B")]);
    assertEquals(silent.texts, [end, `B${end}`]);
    const more = train(made.GEMMA, [user("Q"), bot("A"), bot(" "), bot(" B")]);
    assertEquals(more.texts, [`A${end}`, end, `B${end}`]);
    const unsaid = train(made.GEMMA, [
      user(" "),
      bot("A"),
      user(" "),
      bot("B "),
    ]);
    assertEquals(unsaid.texts, [`A${end}`, `B${end}`]);
  }
});

Deno.test("nobody else's whitespace is trained with a stop", () => {
  // no header parts a question from the answer before it
  const bare = "{% for m in messages %}{{ m.content }}" +
    "{{ '</s>' if m.role == 'assistant' else '#' }}{% endfor %}";
  const policy = { whitespaceAfterEnd: true };
  for (const question of ["  ", " Q", "\n", "\n\nQ "]) {
    const chat = [user("Q"), bot("A"), user(question), bot("B")];
    assertEquals(trained(bare, chat, policy), ["A</s>", "B</s>"]);
  }
  const spaced = bare.replace("'</s>'", "'</s>\n'");
  const chat = [user("Q"), bot("A"), user("\n  "), bot("B")];
  assertEquals(trained(spaced, chat, policy), ["A</s>\n", "B</s>\n"]);
});

Deno.test("texts that a template cuts keep their stop", () => {
  const cut = made.CHATML.replace(
    "{{ m.content }}",
    "{{ m.content.split('<|')[0] }}",
  );
  const chat = [user("Q"), bot("A<|im_end|>B"), user("R"), bot("C")];
  const { texts, findings } = train(cut, chat);
  assertEquals(texts, ["A<|im_end|>", "C<|im_end|>"]);
  assertEquals(findings, ["content-dropped"]);
});

Deno.test("turns that cannot be proved are refused with the reason", () => {
  const cases: [string, ChatMessage[], string][] = [
    // the question stands inside the answer
    [
      "{% for m in messages %}{% if m.role == 'user' %}{% set q = m.content %}{% else %}<|A|>{{ m.content[:2] }}{{ messages[0].content }}{{ m.content[2:] }}<|E|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|A|>{% endif %}",
      [user("Q"), bot("answer")],
      "message 0 inside it",
    ],
    // the newest stands first
    [
      made.CHATML.replace("in messages", "in messages[::-1]"),
      TWO,
      "begins",
    ],
    // a word of the template's where the message says nothing
    [made.CHATML, [user("Q"), bot(null)], 'the template writes "None"'],
  ];
  for (const [template, chat, reason] of cases) {
    const error = assertThrows(
      () => train(template, chat),
      ChatTemplateError,
      reason,
    );
    assertEquals(error.reason, "unproved");
  }
});

Deno.test("of an answer that is not trained it does not matter where it lies", () => {
  const template =
    "{% for m in messages %}{% if m.role == 'user' %}<|U|>{{ m.content }}" +
    "{% elif m.odd %}{{ m.content }}{% else %}<|A|>{{ m.content }}<|E|>{% endif %}{% endfor %}" +
    "{% if add_generation_prompt %}<|A|>{% endif %}";
  const odd = bot("odd", { odd: true, train: false });
  const chat = [user("Q"), odd, user("R"), bot("B")];
  assertEquals(train(template, chat).texts, ["B<|E|>"]);
});

Deno.test("renderChat() gives the same places without a tokenizer", () => {
  for (const [template, plain] of Object.values(FAMILIES)) {
    const { text, turns } = renderChat(TWO, {
      chatTemplate: template,
      bosToken: "<s>",
      eosToken: template === made.TRAILER ? "<|endoftext|>" : "</s>",
    });
    assertEquals(
      turns.map(({ start, endOfTurn }) => text.slice(start, endOfTurn![1])),
      plain,
    );
    assertEquals(turns.map(({ message }) => message), [1, 3]);
  }
  const { text, turns } = renderChat(TWO, {
    chatTemplate: made.CHATML,
    policy: { roles: ["user"], endOfTurn: false },
  });
  assertEquals(turns.map(({ start, end }) => text.slice(start, end)), [
    "Q1",
    "Q2",
  ]);
  assertEquals(turns.map(({ endOfTurn }) => endOfTurn), [null, null]);
});

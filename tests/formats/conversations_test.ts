/**
 * parseConversation(): every shape a chat is stored in, by hand, and what is
 * said of those that are none.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import {
  type ConversationOptions,
  parseConversation,
} from "../../src/formats/mod.ts";

const read = (value: unknown, options?: ConversationOptions) =>
  parseConversation(value, options).messages;

/** The one message behind a question. */
function answer(message: object, options?: ConversationOptions): object {
  const asked = { role: "user", content: "q" };
  return read(
    { messages: [asked, { role: "assistant", ...message }] },
    options,
  )[1]!;
}

/** Fails unless the value is refused in these words. */
function refuses(value: unknown, words: string, options?: ConversationOptions) {
  assertThrows(
    () => parseConversation(value, { line: 7, ...options }),
    SyntaxError,
    words,
  );
}

const refusesAnswer = (message: object, words: string) =>
  refuses({ messages: [{ role: "assistant", ...message }] }, words);

Deno.test("parseConversation() hands messages on as they are", () => {
  const messages = [
    { role: "system", content: "" },
    { role: "user", content: "¿2 + 2? 🙂", name: "ann" },
    { role: "assistant", content: "4", refusal: null, extra: [1, { a: 2.5 }] },
    { role: "ipython", content: "a role of a template's own" },
  ];
  const row = { id: 9, messages, source: { any: "column" } };
  assertEquals(parseConversation(row, { line: 3 }), {
    line: 3,
    shape: "messages",
    messages,
  });
  assertEquals(parseConversation(JSON.stringify(row)), {
    line: 1,
    shape: "messages",
    messages,
  });
});

Deno.test("parseConversation() reads ShareGPT, calls and observations", () => {
  const call = `{"name": "add", "arguments": {"a": 2}}`;
  const row = {
    conversations: [
      { from: "human", value: "2 + 2?" },
      { from: "function_call", value: call },
      { from: "observation", value: "4" },
      { from: "gpt", value: "It is 4.", weight: 0.5 },
    ],
    system: "Be short.",
    tools: `[{"name": "add", "parameters": {}}]`,
  };
  assertEquals(parseConversation(row), {
    line: 1,
    shape: "sharegpt",
    messages: [
      { role: "system", content: "Be short." },
      { role: "user", content: "2 + 2?" },
      {
        role: "assistant",
        content: "",
        tool_calls: [{
          type: "function",
          function: { name: "add", arguments: { a: 2 } },
        }],
      },
      { role: "tool", content: "4" },
      { role: "assistant", content: "It is 4.", weight: 0.5 },
    ],
    tools: [{ name: "add", parameters: {} }],
  });
  // several calls at once; role and content inside conversations; the singular
  const twice = read({
    conversation: [
      { role: "user", content: "q" },
      { from: "function_call", value: `[${call}, ${call}]` },
      { from: "tool", value: "r" },
    ],
  });
  assertEquals(twice.map(({ role }) => role), ["user", "assistant", "tool"]);
  assertEquals(twice[1]?.tool_calls?.length, 2);
  refuses(
    { conversations: [{ from: "bob", value: "?" }] },
    `line 7: conversations[0].from must be one of system, human, user`,
  );
  refuses(
    { conversations: [{ from: "constructor", value: "?" }] },
    `got "constructor"`,
  );
  refuses(
    { conversations: [{ from: "function_call", value: "add(2)" }] },
    "line 7: conversations[0].value is not JSON: ",
  );
  refuses(
    { conversations: [{ value: "?" }] },
    "line 7: conversations[0] must have role and content, or from and value: got value",
  );
});

Deno.test("parseConversation() reads turns of one shape with words of the other", () => {
  const call = `{"name": "add", "arguments": {"a": 2}}`;
  for (const column of ["messages", "conversations"]) {
    const messages = read({
      [column]: [
        { role: "system", content: "Be short." },
        { role: "human", value: "2 + 2?" },
        { from: "function_call", content: call },
        { role: "observation", content: null, value: "4" },
        { from: "gpt", value: null, content: "It is 4." },
        { role: "ipython", value: "mine" },
        { role: null, from: "human", content: [{ type: "text", text: "Go" }] },
        { role: "human", content: "as it is" },
        { role: "assistant", content: "a", value: "left alone" },
      ],
    });
    assertEquals(messages, [
      { role: "system", content: "Be short." },
      { role: "user", content: "2 + 2?" },
      {
        role: "assistant",
        content: "",
        tool_calls: [{
          type: "function",
          function: { name: "add", arguments: { a: 2 } },
        }],
      },
      { role: "tool", content: "4" },
      { role: "assistant", content: "It is 4." },
      { role: "ipython", content: "mine" },
      { role: "user", content: "Go" },
      { role: "human", content: "as it is" },
      { role: "assistant", content: "a", value: "left alone" },
    ]);
  }
  refuses(
    { messages: [{ role: "gpt", value: 5 }] },
    "messages[0].value must be a string, a list of parts or null: got number",
  );
  refuses(
    { messages: [{ from: "alien", content: "?" }] },
    `messages[0].from must be one of system, human, user`,
  );
  refuses(
    { messages: [{ from: "", value: "?" }] },
    "messages[0].from is empty",
  );
  refuses(
    { messages: [{ from: "gpt" }] },
    "messages[0].value must be a string",
  );
  refuses({ messages: [{ role: "gpt" }] }, "messages[0].content must be a");
});

Deno.test("parseConversation() reads the flags of other trainers as train", () => {
  const trainOf = (turn: object) =>
    read({ messages: [{ role: "assistant", content: "a", ...turn }] });
  const flags: [object, boolean][] = [
    [{ training: false }, false],
    [{ training: true }, true],
    [{ loss: false }, false],
    [{ loss: 0 }, false],
    [{ loss: 1 }, true],
    [{ loss: true, train: null }, true],
    [{ train: false, loss: 0, training: false }, false],
    [{ role: "user", training: true }, true],
    [{ role: "user", loss: 0 }, false],
    [{ role: "model", loss: true }, true],
  ];
  for (const [turn, train] of flags) {
    const [message] = trainOf(turn);
    const { role = "assistant" } = turn as { role?: string };
    assertEquals(message, { role, content: "a", train });
  }
  // ms-swift applies it to answers alone
  for (const role of ["system", "user", "tool"]) {
    assertEquals(trainOf({ role, loss: true }), [{ role, content: "a" }]);
  }
  assertEquals(
    read({ conversations: [{ from: "gpt", value: "a", loss: 0 }] }),
    [{ role: "assistant", content: "a", train: false }],
  );
  assertEquals(
    read({
      prompt: [{ role: "assistant", content: "a", training: true }],
      completion: [{ role: "assistant", content: "b", loss: false }],
    }).map(({ train }) => train),
    [true, false],
  );
  refusesAnswer(
    { content: "a", train: true, loss: false },
    "line 7: messages[0] has train true and loss false",
  );
  refusesAnswer(
    { content: "a", training: false, loss: 1 },
    "messages[0] has training false and loss true",
  );
  refusesAnswer(
    { content: "a", loss: 0.5 },
    "messages[0].loss must be true, false, 1 or 0: got number",
  );
  refusesAnswer(
    { content: "a", training: 1 },
    "messages[0].training must be true or false: got number",
  );
});

Deno.test("parseConversation() reads prompt and completion, strings or messages", () => {
  const row = { prompt: "2 + 2?", completion: "4" };
  assertEquals(parseConversation(row), {
    line: 1,
    shape: "prompt",
    messages: [
      { role: "user", content: "2 + 2?" },
      { role: "assistant", content: "4" },
    ],
  });
  // only the completion is trained, so an answer in the prompt is not
  const lists = read({
    prompt: [
      { role: "user", content: "a" },
      { role: "assistant", content: "b" },
      { role: "assistant", content: "c", train: true },
    ],
    completion: [{ role: "assistant", content: "d" }],
  });
  assertEquals(lists.map(({ train }) => train), [
    undefined,
    false,
    true,
    undefined,
  ]);
  refuses(
    { prompt: [{ role: "user", content: "a" }], completion: "b" },
    "line 7: completion must be a list as prompt is: got string",
  );
  refuses(
    { prompt: "a", completion: ["b"] },
    "completion must be a string: got a list",
  );
});

Deno.test("parseConversation() reads instruction, input, output and history", () => {
  const row = {
    instruction: "Add.",
    input: "2 and 2",
    output: "4",
    history: [["Hi", "Hello"]],
    system: "",
  };
  assertEquals(read(row), [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello" },
    { role: "user", content: "Add.\n2 and 2" },
    { role: "assistant", content: "4" },
  ]);
  assertEquals(read({ instruction: "Hi", input: "", output: "Ho" })[0], {
    role: "user",
    content: "Hi",
  });
  refuses(
    { ...row, history: [["Hi"]] },
    "history[0] must be a question and its answer: got a list",
  );
});

Deno.test("parseConversation() takes the shape it is told, or finds it by the columns", () => {
  const both = {
    messages: [{ role: "user", content: "m" }],
    conversations: [{ from: "human", value: "c" }],
    prompt: "p",
    completion: "r",
  };
  const first = (shape: ConversationOptions["shape"]) =>
    read(both, { shape })[0]?.content;
  assertEquals(first("auto"), "m");
  assertEquals(first("messages"), "m");
  assertEquals(first("sharegpt"), "c");
  assertEquals(first("prompt"), "p");
  // null is no column
  assertEquals(read({ ...both, messages: null })[0]?.content, "c");
  refuses(
    both.messages,
    "line 7: a conversation must be an object: got a list",
  );
  refuses(
    { text: "hi" },
    "line 7: expected messages, conversations, prompt and",
  );
  refuses({}, "got no keys");
  refuses({ prompt: "p", chosen: "r" }, "got prompt, chosen");
  refuses({ input_ids: [1] }, "already tokenised");
  refuses({ messages: [] }, "messages must have at least one message");
  refuses({ messages: {} }, "messages must be a list: got an object");
  const words = "messages must be a list: got nothing";
  refuses({ prompt: "p", completion: "r" }, words, { shape: "messages" });
});

Deno.test("parseConversation() makes text parts a string, and fields of reasoning and calls", () => {
  assertEquals(
    answer({
      content: [{ type: "text", text: "a" }, { type: "text", value: "b" }],
    }),
    { role: "assistant", content: "ab" },
  );
  const call = `{"name": "f", "arguments": {"x": 1}}`;
  assertEquals(
    answer({
      content: [
        { type: "reasoning", value: "Hm." },
        { type: "text", value: "So." },
        { type: "tool_call", value: call },
        { type: "tool_call", value: call },
      ],
      loss_weight: 0.25,
    }),
    {
      role: "assistant",
      content: "So.",
      reasoning_content: "Hm.",
      tool_calls: [0, 1].map(() => ({
        type: "function",
        function: { name: "f", arguments: { x: 1 } },
      })),
      weight: 0.25,
    },
  );
  // what is no text keeps the list
  const image = { type: "image_url", image_url: { url: "data:," } };
  assertEquals(answer({ content: [{ type: "text", value: "see" }, image] }), {
    role: "assistant",
    content: [{ type: "text", text: "see" }, image],
  });
  assertEquals(answer({ content: [] }), { role: "assistant", content: "" });
});

Deno.test("parseConversation() refuses parts in an order that fields cannot say", () => {
  const text = { type: "text", text: "t" };
  const thought = { type: "reasoning", value: "r" };
  const call = { type: "tool_call", value: { name: "f" } };
  refusesAnswer(
    { content: [text, thought] },
    "line 7: messages[0].content[1] is reasoning behind content, an order",
  );
  refusesAnswer(
    { content: [call, text] },
    "content[1] is text behind a tool call",
  );
  refusesAnswer(
    { content: [thought], reasoning_content: "s" },
    "messages[0] says its reasoning in two ways",
  );
  refusesAnswer(
    { content: [call], tool_calls: [{ name: "g" }] },
    "messages[0] says its tool calls in two ways",
  );
  refusesAnswer({ content: ["t"] }, "content[0] must be an object: got string");
  refusesAnswer(
    { content: [{ text: "t" }] },
    "content[0].type must be a string: got nothing",
  );
  refusesAnswer(
    { content: [{ type: "text" }] },
    "content[0].text must be a string: got nothing",
  );
});

Deno.test("parseConversation() reads tool calls however they are written", () => {
  const made = {
    type: "function",
    function: { name: "f", arguments: { x: 1 } },
  };
  const calls = (tool_calls: unknown, options?: ConversationOptions) =>
    (answer({ content: null, tool_calls }, options) as { tool_calls: unknown })
      .tool_calls;
  assertEquals(calls([{ ...made, id: "c1" }]), [{ ...made, id: "c1" }]);
  assertEquals(calls([{ function: made.function }]), [made]);
  assertEquals(calls([made.function]), [made]);
  assertEquals(calls([{ ...made.function, id: "c2" }]), [{
    ...made,
    id: "c2",
  }]);
  assertEquals(calls(JSON.stringify([made])), [made]);

  // arguments as JSON text become the object, unless told; other text stays
  const text = [{ name: "f", arguments: `{"x": 1}` }];
  assertEquals(calls(text), [made]);
  const kept = { name: "f", arguments: `{"x": 1}` };
  assertEquals(calls(text, { toolArguments: "keep" }), [{
    type: "function",
    function: kept,
  }]);
  for (const words of ["", "x = 1", "[1]", "5", "null", `{"x": `]) {
    assertEquals(calls([{ name: "f", arguments: words }]), [{
      type: "function",
      function: { name: "f", arguments: words },
    }]);
  }
  assertEquals(calls([{ name: "f" }]), [{
    type: "function",
    function: { name: "f", arguments: {} },
  }]);

  // the older fields of OpenAI's format
  const old = read({
    messages: [
      { role: "assistant", content: null, function_call: made.function },
      { role: "function", name: "f", content: "2" },
    ],
    functions: [{ name: "f" }],
  });
  assertEquals(old, [
    { role: "assistant", content: null, tool_calls: [made] },
    { role: "tool", name: "f", content: "2" },
  ]);

  refusesAnswer(
    { tool_calls: [{}] },
    "tool_calls[0].name must be a string: got nothing",
  );
  refusesAnswer(
    { tool_calls: [{ name: "" }] },
    "tool_calls[0].name is empty",
  );
  refusesAnswer(
    { tool_calls: 1 },
    "messages[0].tool_calls must be an object: got number",
  );
  refusesAnswer(
    { tool_calls: [{ function: { name: "f", arguments: [1] } }] },
    "tool_calls[0].function.arguments must be an object, or the JSON text of one: got a list",
  );
});

Deno.test("parseConversation() allows no content only beside calls or reasoning", () => {
  const call = [{ name: "f" }];
  assertEquals("content" in answer({ tool_calls: call }), false);
  assertEquals(
    (answer({ content: null, tool_calls: call }) as { content: unknown })
      .content,
    null,
  );
  assertEquals(answer({ content: null, reasoning_content: "r" }), {
    role: "assistant",
    content: null,
    reasoning_content: "r",
  });
  for (const content of [null, undefined]) {
    refusesAnswer(
      { content, tool_calls: [], reasoning_content: null },
      "messages[0].content must be a string or a list of parts where there are no tool_calls: got n",
    );
  }
});

Deno.test("parseConversation() reads train and weight, and takes null for absent", () => {
  assertEquals(
    answer({
      content: "a",
      train: false,
      weight: null,
      loss_weight: 0,
      name: null,
    }),
    { role: "assistant", content: "a", name: null, train: false, weight: 0 },
  );
  const nulls = {
    tool_calls: null,
    function_call: null,
    reasoning_content: null,
    train: null,
  };
  assertEquals(answer({ content: "a", ...nulls }), {
    role: "assistant",
    content: "a",
  });
  assertEquals(answer({ content: "a", weight: -2, loss_weight: -2 }), {
    role: "assistant",
    content: "a",
    weight: -2,
  });
  refusesAnswer(
    { content: "a", train: 1 },
    "messages[0].train must be true or false: got number",
  );
  refusesAnswer(
    { content: "a", weight: "1" },
    "messages[0].weight must be a number: got string",
  );
  refusesAnswer(
    { content: "a", weight: 1, loss_weight: 0 },
    "messages[0] has a weight and another loss_weight",
  );
  refuses(
    `{"messages": [{"role": "assistant", "content": "a", "weight": 1e999}]}`,
    "messages[0].weight must be a finite number: got Infinity",
  );
});

Deno.test("parseConversation() puts the system column first, once", () => {
  const messages = [{ role: "user", content: "q" }];
  const said = [{ role: "system", content: "s" }, ...messages];
  assertEquals(read({ messages, system: "s" }), said);
  assertEquals(read({ messages, system: [{ type: "text", text: "s" }] }), said);
  assertEquals(read({ messages: said, system: "s" }), said);
  assertEquals(read({ messages, system: "" }), messages);
  assertEquals(read({ messages, system: null }), messages);
  refuses({ messages: said, system: "t" }, "system says one thing");
  refuses(
    { messages, system: 1 },
    "system must be a string, a list of parts or null: got number",
  );
});

Deno.test("parseConversation() reads tools from a list, a text, or texts", () => {
  const messages = [{ role: "user", content: "q" }];
  const tools = (value: unknown) =>
    parseConversation({ messages, tools: value }).tools;
  assertEquals(tools([{ name: "f" }]), [{ name: "f" }]);
  assertEquals(tools(`[{"name": "f"}]`), [{ name: "f" }]);
  assertEquals(tools(`{"name": "f"}`), [{ name: "f" }]);
  assertEquals(tools([`{"name": "f"}`]), [{ name: "f" }]);
  for (const none of ["", " ", "[]", [], null, undefined]) {
    assertEquals(tools(none), undefined);
  }
  assertEquals(
    parseConversation({ messages, functions: [{ name: "f" }] }).tools,
    [
      { type: "function", function: { name: "f" } },
    ],
  );
  refuses({ messages, tools: "f(x)" }, "line 7: tools is not JSON: ");
  refuses({ messages, tools: [1] }, "tools[0] must be an object: got number");
  refuses({ messages, tools: 1 }, "tools[0] must be an object: got number");
});

Deno.test("parseConversation() says place and kind of what has the wrong kind", () => {
  const content = (value: unknown) => ({
    messages: [
      { role: "user", content: "q" },
      { role: "assistant", content: "a" },
      { role: "user", content: value },
    ],
  });
  for (
    const [value, got] of [[4, "number"], [true, "boolean"], [{}, "an object"]]
  ) {
    refuses(
      content(value),
      `line 7: messages[2].content must be a string, a list of parts or null: got ${got}`,
    );
  }
  refuses({ messages: [null] }, "messages[0] must be an object: got null");
  refuses({ messages: ["hi"] }, "messages[0] must be an object: got string");
  refuses(
    { messages: [{ role: 1, content: "" }] },
    "messages[0].role must be a string: got number",
  );
  refuses(
    { messages: [{ role: "", content: "" }] },
    "messages[0].role is empty",
  );
  refuses("nothing", "line 7: not JSON: ");
  refuses(`{"messages": [}`, "line 7: not JSON: ");
  refuses("5", "a conversation must be an object: got number");
});

Deno.test("parseConversation() refuses half a surrogate pair wherever it is", () => {
  const half = "ab\ud83d";
  const at = (place: string) =>
    `${place} has half a surrogate pair (U+D83D) at offset 2`;
  refusesAnswer({ content: half }, at("messages[0].content"));
  refusesAnswer({ content: "🙂\udc00" }, "(U+DC00) at offset 2");
  refusesAnswer(
    { content: [{ type: "text", value: half }] },
    at("messages[0].content[0].value"),
  );
  refusesAnswer(
    { content: "", note: { deep: [half] } },
    at("messages[0].note.deep[0]"),
  );
  refusesAnswer({ content: "", [half]: 1 }, at("a key of messages[0]"));
  const escaped = JSON.stringify({ x: half });
  refusesAnswer(
    { tool_calls: [{ name: "f", arguments: escaped }] },
    at("messages[0].tool_calls[0].arguments.x"),
  );
  refuses(
    { conversations: [{ from: "human", value: half }] },
    at("conversations[0].value"),
  );
  refuses({ prompt: half, completion: "" }, at("prompt"));
  refuses({ instruction: "", input: half, output: "" }, at("input"));
  refuses(
    { messages: [{ role: "user", content: "" }], system: half },
    at("system"),
  );
  refuses(
    {
      messages: [{ role: "user", content: "" }],
      tools: JSON.stringify([half]),
    },
    at("tools[0]"),
  );
  // columns that are not read may hold what they like
  read({ messages: [{ role: "user", content: "" }], id: half });
});

Deno.test("parseConversation() refuses numbers that would be written otherwise", () => {
  const call = (args: string) =>
    `{"messages": [{"role": "assistant", "tool_calls": [{"name": "f", "arguments": ${args}}]}]}`;
  const words =
    "arguments.id is the number 12345678901234567000, beyond what is exact here (2^53)";
  refuses(call(`{"id": 12345678901234567890}`), words);
  refuses(call(`"{\\"id\\": 12345678901234567890}"`), words);
  const kept = read(call(`"{\\"id\\": 12345678901234567890}"`), {
    toolArguments: "keep",
  });
  assertEquals(
    kept[0]?.tool_calls?.[0]?.function.arguments,
    `{"id": 12345678901234567890}`,
  );
  read(call(`{"id": 9007199254740991, "x": -0.5e-7}`));
});

Deno.test("parseConversation() keeps its head in deep, huge and strange rows", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  refuses(
    `{"messages": [{"role": "user", "content": "", "x": ${deep}}]}`,
    "is nested deeper than 512 levels",
  );
  refuses(`{"messages": ${deep}}`, "messages[0] must be an object: got a list");
  const long = "a".repeat(5_000_000);
  assertEquals(
    read({ messages: [{ role: "user", content: long }] })[0]?.content,
    long,
  );

  // a prototype is never a message
  refuses(
    `{"messages": [{"__proto__": {"role": "user", "content": "x"}}]}`,
    "messages[0] has a key __proto__",
  );
  refuses(
    `{"__proto__": {"messages": []}}`,
    "a conversation has a key __proto__",
  );
  refuses(Object.create({ messages: [] }), "got no keys");
  // the last of equal keys counts, as in Python's json
  assertEquals(
    read(
      `{"messages": [{"role": "user", "role": "assistant", "content": "x", "content": "y"}]}`,
    ),
    [{ role: "assistant", content: "y" }],
  );
  const circle: Record<string, unknown> = { role: "user", content: "" };
  circle.again = circle;
  refuses({ messages: [circle] }, "nested deeper than 512");
  refuses(
    { messages: [{ role: "user", content: "", when: new Date(0) }] },
    "messages[0].when must be plain JSON",
  );
  refuses(
    { messages: [{ role: "user", content: "", big: 2n ** 60n }] },
    "messages[0].big is the number 1152921504606846976",
  );
  refuses(
    { messages: [{ role: "user", content: "", f: () => 1 }] },
    "messages[0].f must be plain JSON: got function",
  );
});

Deno.test("parseConversation() refuses options of the wrong kind or value", () => {
  const row = { prompt: "", completion: "" };
  const wrong = (options: unknown, kind: typeof TypeError, words: string) =>
    assertThrows(
      () => parseConversation(row, options as ConversationOptions),
      kind,
      words,
    );
  wrong({ line: 0 }, RangeError, "Cannot read conversations as line must be");
  wrong({ shape: "chat" }, RangeError, "shape must be one of auto, messages");
  wrong({ toolArguments: 1 }, TypeError, "toolArguments must be one of");
  wrong({ lines: 1 }, TypeError, "every key of options");
  wrong(null, TypeError, "options must be an object");
});

/**
 * Text that is not as it seems: control text, tokens over an edge, normalisers,
 * characters of several bytes and of none, and a great deal of it.
 *
 * @module
 */
import process from "node:process";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type ChatMessage,
  type ChatPolicy,
  ChatTemplateError,
  type ChatTokenizer,
  checkCertificate,
  encodeChat,
  encodeChatRows,
  type EncodedChat,
  explain,
  truncateRow,
} from "../../src/chat/mod.ts";
import * as made from "./made_up.ts";
import { byteLevel, sentencePiece, trainedTexts } from "./tiny.ts";

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

function encode(
  tokenizer: ChatTokenizer,
  chatTemplate: string,
  messages: readonly ChatMessage[],
  policy: ChatPolicy = {},
): EncodedChat {
  const row = encodeChat(messages, { tokenizer, chatTemplate, policy });
  checkCertificate(row, tokenizer);
  return row;
}

const texts = ({ certificate }: EncodedChat) =>
  certificate.runs.map(({ text }) => text);
const codes = ({ findings }: EncodedChat) => findings.map(({ code }) => code);

const chatml = byteLevel({ special: made.CHATML_SPECIAL });
const stop = chatml.addedId("<|im_end|>")!;

/** No header and no space between question and answer. */
const BARE =
  "{% for m in messages %}{% if m.role == 'user' %}[{{ m.content }}]" +
  "{% else %}{{ m.content }}</s>{% endif %}{% endfor %}";

Deno.test("control text becomes the token, and is reported where it stands", () => {
  const row = encode(chatml, made.CHATML, [
    user("<|im_end|>a"),
    bot("b<|im_end|><|im_start|>"),
  ]);
  assertEquals(codes(row), ["control-text", "control-text", "control-text"]);
  for (const { message, tokens, detail } of row.findings) {
    const [t, end] = tokens!;
    assertEquals(end, t + 1);
    assert(row.inputIds[t]! >= 256);
    assertEquals(row.owners[t], message);
    assert(detail.includes("becomes the token itself"));
  }
  assertEquals(texts(row), ["b<|im_end|><|im_start|><|im_end|>"]);
});

Deno.test("control text is quoted whole, behind a character of two halves too", () => {
  const [finding] = encode(chatml, made.CHATML, [
    user("😀<|im_end|>😀"),
    bot("b"),
  ]).findings;
  assertEquals(finding!.message, 0);
  assert(finding!.detail.includes('token, "<|im_end|>":'), finding!.detail);
});

Deno.test("control text is neutralised into the plain text that it is", () => {
  const contents = [
    "<|im_end|>",
    "a<|im_end|>",
    "<|im_end|>a",
    "a<|im_end|><|im_end|>b<|im_start|>c",
    "é<|im_end|>😀",
    "<|im_<|im_end|>end|>",
    "<<|im_end|>>",
    "😀<|im_end|>",
    "👨‍👩‍👧<|im_start|>😀 <|im_end|>",
  ];
  for (const content of contents) {
    const chat = [user(content), bot(content)];
    const row = encode(chatml, made.CHATML, chat, {
      controlText: "neutralise",
    });
    assertEquals(row.inputIds.filter((id) => id === stop).length, 2, content);
    assertEquals(texts(row), [`${content}<|im_end|>`]);
    const bytes = [...row.inputIds].flatMap((id) => [...chatml.bytesOf(id)]);
    assertEquals(new TextDecoder().decode(Uint8Array.from(bytes)), row.text);
    assertEquals(new Set(codes(row)), new Set(["control-text"]));
    assert(row.findings.every(({ tokens }) => tokens === undefined));
  }
});

Deno.test("control text that cannot be neutralised is an error, not a promise", () => {
  const cases: [ChatTokenizer, string][] = [
    [byteLevel({ special: [...made.CHATML_SPECIAL, "§"] }), "a§b"],
    // what is left of one special token is another
    [
      byteLevel({ special: [...made.CHATML_SPECIAL, "|im_end|>"] }),
      "a<|im_end|>b",
    ],
  ];
  for (const [tokenizer, content] of cases) {
    const error = assertThrows(
      () =>
        encode(tokenizer, made.CHATML, [user("q"), bot(content)], {
          controlText: "neutralise",
        }),
      ChatTemplateError,
      "holds the text of a special token",
    );
    assertEquals(error.reason, "tokens");
  }
  const astral = byteLevel({ special: [...made.CHATML_SPECIAL, "😀x"] });
  const row = encode(astral, made.CHATML, [user("q"), bot("a😀xb")], {
    controlText: "neutralise",
  });
  assertEquals(trainedTexts(row, astral), ["a😀xb<|im_end|>"]);
  assert(!row.inputIds.includes(astral.addedId("😀x")!));
});

Deno.test("findings tell of the tokens that the row has", () => {
  // before it is neutralised another token stands at each place
  const tokenizer = byteLevel({
    special: [...made.CHATML_SPECIAL, "</s>"],
    words: ["]{"],
  });
  const chat = [user("<|im_end|>"), bot("{x}")];
  const row = encode(tokenizer, BARE, chat, { controlText: "neutralise" });
  const straddling = row.findings.filter(({ code }) =>
    code === "straddling-token"
  );
  assertEquals(straddling.length, 1);
  const [t] = straddling[0]!.tokens!;
  assertEquals(
    new TextDecoder().decode(tokenizer.bytesOf(row.inputIds[t]!)),
    "]{",
  );
});

Deno.test("a token over an edge is left out, taken in, or refused", () => {
  const tokenizer = byteLevel({
    special: ["</s>"],
    words: ["]{", "}<"],
    eos: "</s>",
  });
  const chat = [user("q"), bot("{x}")];
  const row = encode(tokenizer, BARE, chat);
  assertEquals(texts(row), ["x}</s>"]);
  assertEquals(codes(row), ["straddling-token"]);
  assert(row.findings[0]!.detail.includes('"]{" (bytes 2 to 4)'));
  const included = encode(tokenizer, BARE, chat, { straddling: "include" });
  assertEquals(texts(included), ["]{x}</s>"]);
  assertEquals(codes(included), ["straddling-token"]);
  assertThrows(
    () => encode(tokenizer, BARE, chat, { straddling: "error" }),
    ChatTemplateError,
    "covers an edge of what is trained",
  );
  // at the end of an answer as well
  const tail = BARE.replace("</s>", "<e>");
  const policy = { endOfTurn: false, generationTags: false };
  assertEquals(texts(encode(tokenizer, tail, chat, policy)), ["x"]);
  assertEquals(texts(encode(tokenizer, tail, [user("q"), bot("{")])), ["<e>"]);
});

Deno.test("whitespace that a stop takes with it does not cost the stop", () => {
  for (
    const flags of [{ rstrip: true }, { lstrip: true }, {
      rstrip: true,
      lstrip: true,
    }]
  ) {
    const tokenizer = byteLevel({ special: made.CHATML_SPECIAL, flags });
    const chat = [user("q"), bot("A"), user("r"), bot("B")];
    const row = encode(tokenizer, made.CHATML, chat);
    assertEquals(trainedTexts(row, tokenizer), ["A<|im_end|>", "B<|im_end|>"]);
    assertEquals(codes(row), []);
    const spaced = encode(tokenizer, made.CHATML, [user("q"), bot(" A ")]);
    const expected = flags.lstrip ? " A<|im_end|>" : " A <|im_end|>";
    assertEquals(trainedTexts(spaced, tokenizer), [expected]);
  }
});

Deno.test("an answer that loses whitespace to the header's token is a finding", () => {
  const tokenizer = byteLevel({
    special: ["<bot>", "</s>"],
    flags: { rstrip: true },
    eos: "</s>",
  });
  const template =
    "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}" +
    "{% else %}<bot>{{ m.content }}</s>{% endif %}{% endfor %}" +
    "{% if add_generation_prompt %}<bot>{% endif %}";
  const row = encode(tokenizer, template, [user("q"), bot("  A")]);
  assertEquals(trainedTexts(row, tokenizer), ["A</s>"]);
  assertEquals(codes(row), ["straddling-token"]);
});

Deno.test("a space that is put before a text belongs to what follows it", () => {
  const special = ["<bot>", "</s>"];
  const tokenizer = sentencePiece({ special, words: [" hi"], eos: "</s>" });
  const template =
    "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}" +
    "{% else %}<bot>{{ m.content }}</s>{% endif %}{% endfor %}" +
    "{% if add_generation_prompt %}<bot>{% endif %}";
  // behind <bot> the model must say the space itself: the prompt ends before it
  const prompt = tokenizer.encode("q<bot>").inputIds;
  for (const answer of ["hi", "é", "😀", " x", "."]) {
    const row = encode(tokenizer, template, [user("q"), bot(answer)]);
    assertEquals(texts(row), [`${answer}</s>`]);
    const first = row.labels.findIndex((y) => y !== -100);
    assertEquals([...row.inputIds.slice(0, first)], [...prompt], answer);
    assert(row.labels.slice(first).every((y) => y !== -100));
  }
  // a space that is put before the next question is not the answer's
  const two = encode(tokenizer, template, [
    user("q"),
    bot("hi"),
    user("é"),
    bot("hi"),
  ]);
  assertEquals(trainedTexts(two, tokenizer), [" hi</s>", " hi</s>"]);
});

Deno.test("a sequence that begins twice is a finding", () => {
  const tokenizer = byteLevel({
    special: ["<s>", "</s>"],
    bos: "<s>",
    eos: "</s>",
  });
  const chat = [user("q"), bot("a")];
  const once = encode(tokenizer, "{{ bos_token }}" + BARE, chat);
  assertEquals(codes(once), []);
  const twice = encode(
    tokenizer,
    "{{ bos_token }}{{ bos_token }}" + BARE,
    chat,
  );
  assertEquals(twice.findings.map(({ code, tokens }) => [code, tokens]), [[
    "double-bos",
    [0, 2],
  ]]);
  assertEquals(texts(twice), ["a</s>"]);
});

Deno.test("a normaliser changes the text, not what is trained of it", () => {
  const tokenizer = byteLevel({
    special: made.CHATML_SPECIAL,
    normalizer: { type: "NFC" },
  });
  const cases: [string, string][] = [
    ["cafe\u0301", "café"],
    ["\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"],
    ["e\u0301e\u0301", "éé"],
    ["x\u0301", "x\u0301"],
    ["\u212b", "Å"],
    ["a\u0323\u0307", "ạ\u0307"],
    ["\u{1D15E}", "\u{1D157}\u{1D165}"],
  ];
  for (const [said, normal] of cases) {
    const row = encode(tokenizer, made.CHATML, [
      user(said),
      bot(said),
      user("q"),
      bot(said),
    ]);
    assertEquals(texts(row), [`${normal}<|im_end|>`, `${normal}<|im_end|>`]);
    assertEquals(codes(row), said === normal ? [] : ["text-normalised"]);
  }
  // at an edge nothing may join
  const mark = encode(tokenizer, made.CHATML, [user("e"), bot("\u0301a")]);
  assertEquals(texts(mark), ["\u0301a<|im_end|>"]);
});

Deno.test("a normaliser that joins two owners' characters is refused", () => {
  const tokenizer = byteLevel({
    special: ["</s>"],
    normalizer: { type: "NFC" },
  });
  for (
    const [before, answer] of [["e", "\u0301a"], [">", "\u0338a"], [
      "\u1112",
      "\u1161",
    ]]
  ) {
    const template = BARE.replace(
      "{{ m.content }}]",
      `{{ m.content }}]${before}`,
    );
    const error = assertThrows(
      () => encode(tokenizer, template, [user("q"), bot(answer!)]),
      ChatTemplateError,
      "normaliser",
    );
    assertEquals(error.reason, "tokens");
  }
  const lower = byteLevel({
    special: ["</s>"],
    normalizer: { type: "Lowercase" },
  });
  assertThrows(
    () => encode(lower, BARE, [user("q"), bot("Abc")]),
    ChatTemplateError,
  );
});

Deno.test("half a surrogate pair is refused in a text, and shifts nothing elsewhere", () => {
  for (const content of ["\ud800", "a\udc00b", "\udc00\ud800"]) {
    const error = assertThrows(
      () => encode(chatml, made.CHATML, [user("q"), bot(content)]),
      ChatTemplateError,
      "half a surrogate pair",
    );
    assertEquals(error.reason, "conversation");
  }
  const named =
    "{% for m in messages %}<|im_start|>{{ m.name }}é{{ m.content }}<|im_end|>" +
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>é{% endif %}";
  for (const name of ["\ud800", "\ud800é", "\udc00", "x\ud83d"]) {
    const row = encode(chatml, named, [user("q", { name }), bot("answer")]);
    assertEquals(texts(row), ["answer<|im_end|>"]);
    assertEquals(trainedTexts(row, chatml), ["answer<|im_end|>"]);
  }
});

Deno.test("characters of several bytes, of no width and of other directions", () => {
  const tokenizer = byteLevel({
    special: made.CHATML_SPECIAL,
    words: ["é", "한"],
  });
  const answers = [
    "😀",
    "👩‍👩‍👧‍👦",
    "\u{10ffff}\u{10000}",
    "\u200b\u200d\ufeff",
    "\ufeff",
    "שלום עולם",
    "\u202eabc\u202c",
    "\0",
    "\x7f\x80\x9f",
    "\u2028\u2029",
    "é한é",
    "\ue000\uf8ff\ufdd0\uffff",
    "\r\n\r",
    "\t",
  ];
  for (const answer of answers) {
    const row = encode(tokenizer, made.CHATML, [
      user(answer),
      bot(answer),
      user("q"),
      bot(answer),
    ]);
    const expected = [`${answer}<|im_end|>`, `${answer}<|im_end|>`];
    assertEquals(texts(row), expected);
    assertEquals(trainedTexts(row, tokenizer), expected);
    assertEquals(codes(row), []);
  }
});

Deno.test("a pair of surrogates over several tokens is trained whole", () => {
  const row = encode(chatml, made.CHATML, [user("😀"), bot("😀")]);
  const { tokens } = row.certificate.runs[0]!;
  assertEquals(tokens[1] - tokens[0], 5); // four bytes and the stop
  const [start, end] = [
    row.offsets[tokens[0]]![0],
    row.offsets[tokens[0] + 3]![1],
  ];
  assertEquals(end - start, 4);
});

/**
 * Runs something within seconds, and gives back what it gave. On a machine that
 * others use, the processor's time counts; it holds that of tests beside this one.
 */
function within<T>(seconds: number, run: () => T): T {
  const [start, used] = [performance.now(), process.cpuUsage()];
  const result = run();
  const { user, system } = process.cpuUsage(used);
  const wall = (performance.now() - start) / 1000;
  const took = Math.min(wall, (user + system) / 1e6);
  assert(took < seconds, `it took ${took} s`);
  return result;
}

Deno.test("a message of 1 MB is encoded in seconds", () => {
  const words = "Some words, é and 😀. ".repeat(22_000);
  const row = within(
    8,
    () => encode(chatml, made.CHATML, [user(words), bot(words)]),
  );
  assertEquals(texts(row), [`${words}<|im_end|>`]);
  within(2, () => truncateRow(row, 500_000));
});

Deno.test("2,000 messages are encoded in seconds", () => {
  const templates = [
    made.CHATML,
    made.GEMMA,
    made.GLM,
    made.TRAILER,
    made.PROMPTING,
  ];
  for (const template of templates) {
    const chat = Array.from(
      { length: 2000 },
      (_, i) => i % 2 ? bot(`answer ${i}`) : user(`question ${i}`),
    );
    const row = within(5, () => encode(chatml, template, chat));
    assertEquals(row.certificate.runs.length, 1000);
    within(3, () => checkCertificate(row, chatml));
    within(3, () => explain(row));
  }
});

Deno.test("500 calls of tools are encoded in seconds", () => {
  const chat = Array.from({ length: 1000 }, (_, i): ChatMessage =>
    [
      user(`question ${i}`),
      bot("", {
        tool_calls: [{
          function: { name: "look", arguments: { at: `place ${i}` } },
        }],
      }),
      { role: "tool", content: `result ${i}` },
      bot(`answer ${i}`),
    ][i % 4]!);
  const row = within(5, () => encode(chatml, made.TOOLS, chat));
  assertEquals(row.certificate.runs.length, 500);
});

Deno.test("10,000 control texts are encoded in seconds", () => {
  const content = "x<|im_end|>".repeat(10_000);
  for (const controlText of ["report", "neutralise"] as const) {
    const row = within(
      5,
      () =>
        encode(chatml, made.CHATML, [user("q"), bot(content)], { controlText }),
    );
    assertEquals(row.findings.length, 10_000);
    assertEquals(texts(row), [`${content}<|im_end|>`]);
  }
});

Deno.test("200 answers become 200 rows in seconds", () => {
  const chat = Array.from(
    { length: 400 },
    (_, i) => i % 2 ? bot(`a ${i}`) : user(`q ${i}`),
  );
  const options = { tokenizer: chatml, chatTemplate: made.CHATML };
  const rows = within(
    10,
    () => encodeChatRows(chat, { ...options, split: "always" }),
  );
  assertEquals(rows.length, 200);
  assertEquals(within(5, () => encodeChatRows(chat, options)).length, 1);
});

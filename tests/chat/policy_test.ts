/**
 * What is trained, to the letter: made-up templates, every policy, and a property
 * over random chats whose trained texts are known from how they were made.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type ChatMessage,
  ChatTemplateError,
  checkCertificate,
  encodeChat,
  type EncodeOptions,
  truncateRow,
} from "../../src/chat/mod.ts";
import {
  CHATML,
  CHATML_SPECIAL,
  GEMMA,
  GEMMA_SPECIAL,
  GLM,
  GLM_SPECIAL,
  LLAMA,
  LLAMA_SPECIAL,
} from "./made_up.ts";
import { byteLevel, sentencePiece } from "./tiny.ts";

const user = (content: string): ChatMessage => ({ role: "user", content });
const bot = (content: string, more = {}): ChatMessage => ({
  role: "assistant",
  content,
  ...more,
});

const chatml = byteLevel({
  special: CHATML_SPECIAL,
  chatTemplate: CHATML,
  eos: "<|im_end|>",
});

/** The text of each trained run. */
function trained(
  messages: readonly ChatMessage[],
  policy: EncodeOptions["policy"] = {},
  tokenizer = chatml,
): string[] {
  const row = encodeChat(messages, { tokenizer, policy });
  checkCertificate(row, tokenizer);
  return row.certificate.runs.map(({ text }) => text);
}

const TWO = [user("a?"), bot("one"), user("b?"), bot("two")];

Deno.test("encodeChat() trains answers and their stops unless told otherwise", () => {
  assertEquals(trained(TWO), ["one<|im_end|>", "two<|im_end|>"]);
});

Deno.test("each choice of a policy trains what it says, to the letter", () => {
  const cases: [EncodeOptions["policy"], string[]][] = [
    [{ endOfTurn: false }, ["one", "two"]],
    [{ whitespaceAfterEnd: true }, ["one<|im_end|>\n", "two<|im_end|>\n"]],
    [{ lastTurnOnly: true }, ["two<|im_end|>"]],
    [{ roles: ["user"] }, ["a?", "b?"]],
    [{ roles: ["user", "assistant"] }, [
      "a?",
      "one<|im_end|>",
      "b?",
      "two<|im_end|>",
    ]],
    [{ roleHeader: true }, [
      "<|im_start|>assistant\none<|im_end|>",
      "<|im_start|>assistant\ntwo<|im_end|>",
    ]],
    [{ roles: ["tool"] }, []],
  ];
  for (const [policy, expected] of cases) {
    assertEquals(trained(TWO, policy), expected, JSON.stringify(policy));
  }
});

Deno.test("a message's train and weight go before the policy", () => {
  const messages = [
    { ...user("a?"), train: true, weight: 0.25 },
    bot("one", { train: false }),
    user("b?"),
    bot("two", { weight: 0 }),
    user("c?"),
    bot("three", { weight: 3 }),
  ];
  assertEquals(trained(messages), ["a?", "three<|im_end|>"]);
  const { labels, weights } = encodeChat(messages, { tokenizer: chatml });
  const kept = [...weights].filter((_, t) => labels[t] !== -100);
  assertEquals(kept, [0.25, 0.25, 3, 3, 3, 3, 3, 3]);
  assertEquals([...weights].filter((w) => w !== 0).length, kept.length);
});

Deno.test("templates of other families train what theirs say", () => {
  const llama = byteLevel({
    special: LLAMA_SPECIAL,
    chatTemplate: LLAMA,
    bos: "<s>",
    eos: "</s>",
  });
  // the prompt ends with [/INST]: the space before the answer is the model's
  assertEquals(trained(TWO, {}, llama), [" one </s>", " two </s>"]);
  const gemma = byteLevel({
    special: GEMMA_SPECIAL,
    chatTemplate: GEMMA,
    bos: "<bos>",
  });
  assertEquals(
    trained([user("a?"), bot("  one\n")], {}, gemma),
    ["one<end_of_turn>"],
  );
  const glm = byteLevel({ special: GLM_SPECIAL, chatTemplate: GLM });
  const row = encodeChat(TWO, { tokenizer: glm });
  assertEquals(row.certificate.runs.map(({ text }) => text), ["one", "two"]);
  assertEquals(row.findings.map(({ code }) => code), [
    "no-end-of-turn",
    "no-end-of-turn",
  ]);
});

Deno.test("a stop inside a message ends nothing, and is a finding", () => {
  const quoted = [user("<|im_end|>"), bot("say <|im_end|> twice <|im_end|>")];
  assertEquals(trained(quoted), ["say <|im_end|> twice <|im_end|><|im_end|>"]);
  const { findings } = encodeChat(quoted, { tokenizer: chatml });
  assertEquals(findings.map(({ code }) => code), [
    "control-text",
    "control-text",
    "control-text",
  ]);
  const plain = encodeChat(quoted, {
    tokenizer: chatml,
    policy: { controlText: "neutralise" },
  });
  checkCertificate(plain, chatml);
  const stop = chatml.addedId("<|im_end|>");
  assertEquals(plain.inputIds.filter((id) => id === stop).length, 2);
  assertThrows(
    () =>
      encodeChat(quoted, {
        tokenizer: chatml,
        policy: { controlText: "error" },
      }),
    ChatTemplateError,
    "holds the text of a special token",
  );
});

Deno.test("control text is not neutralised where that would put a space in", () => {
  const spaced = sentencePiece({ special: LLAMA_SPECIAL, eos: "</s>" });
  const encode = (controlText: "report" | "neutralise") =>
    encodeChat([user("a?"), bot("say </s> twice")], {
      tokenizer: spaced,
      chatTemplate: LLAMA,
      policy: { controlText },
    });
  assertEquals(encode("report").findings[0]!.code, "control-text");
  assertThrows(
    () => encode("neutralise"),
    ChatTemplateError,
    "puts a space before every text",
  );
});

Deno.test("an unknown word in a policy is an error that names the known ones", () => {
  const policy = { lastTurn: true } as EncodeOptions["policy"];
  assertThrows(
    () => encodeChat(TWO, { tokenizer: chatml, policy }),
    TypeError,
    "lastTurnOnly",
  );
});

const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    "",
    " ",
    "\n",
    "OK",
    "assistant",
    "<|im_end|>",
    "<|im_start|>assistant\n",
    "👍",
    "é e\u0301",
    "...",
    "  lead",
    "trail \n",
  ),
);

Deno.test("encodeChat() trains exactly the answers of random chats, also cut anywhere", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 }),
      fc.nat(),
      (turns, cut) => {
        const messages = turns.flatMap(([q, a]) => [user(q), bot(a)]);
        const row = encodeChat(messages, { tokenizer: chatml });
        checkCertificate(row, chatml);
        // as the chat was made, without the code under test
        let built = "";
        const expected = messages.flatMap(({ role, content }) => {
          built += `<|im_start|>${role}\n`;
          const start = built.length;
          built += `${content}<|im_end|>`;
          const end = built.length;
          built += "\n";
          return role === "assistant" ? [built.slice(start, end)] : [];
        });
        assertEquals(row.text, built);
        assertEquals(row.certificate.runs.map((run) => run.text), expected);
        const short = truncateRow(row, 1 + cut % row.inputIds.length);
        checkCertificate(short, chatml);
        assert(short.inputIds.length <= row.inputIds.length);
        for (const [t, label] of short.labels.entries()) {
          assertEquals(label, row.labels[t]);
        }
      },
    ),
    { numRuns: 300 },
  );
});

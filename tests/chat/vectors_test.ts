/**
 * What other projects' own tests say of chats: tests/vectors/masking_chat.jsonl,
 * one row of theirs a line. The rows about ids alone are run in
 * tests/labels/masking_vectors_test.ts.
 *
 * TRL-18, a marker that is not found, warns there and masks everything; here a
 * turn that cannot be found is refused. TRL-8, labels that go before a mask, is
 * a trainer's choice between two columns: `readTokenized` wants both to agree.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type ChatMessage,
  ChatTemplateError,
  encodeChat,
  encodeChatRows,
  type EncodeOptions,
} from "../../src/chat/mod.ts";
import { CHATML, CHATML_SPECIAL } from "./made_up.ts";
import { byteLevel } from "./tiny.ts";

// deno-lint-ignore no-explicit-any
type Row = Record<string, any>;

const [, ...rows] = Deno.readTextFileSync(
  new URL("../vectors/masking_chat.jsonl", import.meta.url),
).trim().split("\n").map((line) => JSON.parse(line) as Row);

const tokenizer = byteLevel({
  special: CHATML_SPECIAL,
  chatTemplate: CHATML,
  eos: "<|im_end|>",
});

/** A chat of the given roles; each message says its own number. */
function chatOf(roles: readonly string[]): ChatMessage[] {
  return roles.map((role, i) => ({ role, content: `${i}` }));
}

/** Which messages have a trained token. */
function trainedMessages(
  messages: ChatMessage[],
  options: Partial<EncodeOptions> = {},
): number[] {
  const { spans } = encodeChat(messages, { tokenizer, ...options });
  return [...new Set(spans.map(({ message }) => message))];
}

const RUN: Record<string, (row: Row) => void> = {
  strategy: ({ roles, masked }) => {
    const messages = chatOf(roles);
    const policies: Record<string, EncodeOptions["policy"]> = {
      all: { roles: ["user", "assistant"] }, // the system prompt never is
      assistant: {},
      last: { lastTurnOnly: true },
    };
    for (const [name, mask] of Object.entries(masked as Row)) {
      const policy = policies[name];
      assert(policy !== undefined, name);
      const expected = (mask as number[]).flatMap((m, i) => m ? [] : [i]);
      assertEquals(trainedMessages(messages, { policy }), expected, name);
    }
    const policy = { strategy: "most" } as EncodeOptions["policy"];
    assertThrows(() => trainedMessages(messages, { policy }), TypeError);
  },

  "prefix-cuts": ({ roles, out }) => {
    const names = { u: "user", a: "assistant" };
    const messages = chatOf(
      (roles as string).split(" ").map((r) => names[r as "u" | "a"]),
    );
    const cut = encodeChatRows(messages, { tokenizer, split: "always" });
    assertEquals(cut.map((row) => row.roles.length), out);
    for (const [i, row] of cut.entries()) {
      const runs = row.certificate.runs.map(({ message }) => message);
      assertEquals(runs, [out[i] - 1]); // the last answer alone
    }
  },

  // labels as a policy would make them: the last stretch alone stays
  "last-turn": ({ labels, out }) => {
    const stretches = (list: number[]) =>
      list.map((y) => y === -100 ? " " : "x").join("").trim().split(/ +/);
    const messages = chatOf(["user", "assistant", "user", "assistant"]);
    const count = (policy: EncodeOptions["policy"]) =>
      encodeChat(messages, { tokenizer, policy }).certificate.runs.length;
    assertEquals(count({}), stretches(labels).length);
    assertEquals(count({ lastTurnOnly: true }), stretches(out).length);
  },

  // whether the stop is trained, read off a template's own tags
  "stop-check": ({ out }) => {
    const messages = chatOf(["user", "assistant"]);
    const tagged = (stopInside: boolean) =>
      "{% for m in messages %}<|im_start|>{{ m.role }}\n" +
      "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}" +
      (stopInside
        ? "<|im_end|>{% endgeneration %}"
        : "{% endgeneration %}<|im_end|>") +
      "{% else %}{{ m.content }}<|im_end|>{% endif %}\n{% endfor %}" +
      "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    const isTrained = (chatTemplate: string) =>
      encodeChat(messages, { tokenizer, chatTemplate }).findings
        .every(({ code }) => code !== "stop-not-trained");
    assertEquals(isTrained(tagged(true)), out);
    assertEquals(isTrained(tagged(false)), false);
    assertThrows(
      () => isTrained("{{ raise_exception('no') }}"),
      ChatTemplateError,
      "no",
    );
  },
};

Deno.test("masking_chat.jsonl has what this file runs", () => {
  assertEquals(rows.map(({ id }) => id), ["TRL-19", "TT-1", "LF-3", "NAM-3"]);
});

for (const row of rows) {
  Deno.test(`${row.id}: ${row.op}, after ${row.src}`, () => RUN[row.op]!(row));
}

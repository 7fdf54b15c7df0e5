/** What was given and is not in the text is a finding: flags of other trainers, thoughts under another name, tools. */
import { assertEquals } from "@std/assert";
import {
  type ChatMessage,
  encodeChatRows,
  renderChat,
} from "../../src/chat/mod.ts";
import { CHATML } from "./made_up.ts";
import { byteLevel } from "./tiny.ts";

const READER =
  "{% for tool in tools or [] %}{% if tool.function %}{{ tool.function.name }};{% endif %}{% endfor %}" +
  "{% for m in messages %}<|{{ m.role }}|>{{ m.reasoning or '' }}" +
  "{% if m.loss %}!{% endif %}{{ m.content }}<|end|>{% endfor %}" +
  "{% if add_generation_prompt %}<|assistant|>{% endif %}";

const tool = (name: string) => ({ type: "function", function: { name } });

function unread(
  chatTemplate: string,
  more: Record<string, unknown>,
  tools?: readonly unknown[],
): string[] {
  const messages: ChatMessage[] = [
    { role: "user", content: "Q" },
    { role: "assistant", content: "A", ...more },
  ];
  const { findings } = renderChat(messages, { chatTemplate, tools });
  return findings.filter(({ code }) => code === "field-dropped")
    .map(({ detail }) => detail);
}

Deno.test("a field that the template does not read is a finding", () => {
  const told = (field: string) => [
    `The template does not show "${field}" of message 1`,
  ];
  assertEquals(unread(CHATML, { loss: false }), told("loss"));
  assertEquals(unread(CHATML, { training: 0 }), told("training"));
  assertEquals(unread(CHATML, { reasoning: "so" }), told("reasoning"));
  assertEquals(unread(CHATML, { "": "x" }), told(""));
  const spans = [{ begin_offset: 0, end_offset: 1, train: false }];
  assertEquals(unread(CHATML, { train_detail: spans }), told("train_detail"));
  // in the template's text, but only as a part of another name
  assertEquals(
    unread(`{# enable_thinking #}${CHATML}`, { thinking: "so" }),
    told("thinking"),
  );
});

Deno.test("what the template reads, what is empty, and what only names is none", () => {
  assertEquals(unread(READER, { loss: false, reasoning: "so" }), []);
  assertEquals(unread(READER, { reasoning: " so\n" }), []);
  assertEquals(
    unread(CHATML, { reasoning: "", thinking: null, parts: [] }),
    [],
  );
  assertEquals(unread(CHATML, { name: "Ada", id: 3, tool_call_id: "c" }), []);
  assertEquals(unread(CHATML, { train: true, weight: 2 }), []);
});

Deno.test("a text that the template could have read and did not is a finding", () => {
  // only of the last message
  const last = "{% for m in messages %}{{ m.content }}" +
    "{% if loop.last %}{{ m.thought }}{% endif %}!{% endfor %}";
  const say = (content: string, thought: string) => ({
    role: "assistant",
    content,
    thought,
  });
  const { findings } = renderChat(
    [say("A", "first"), say("B", "second"), say("C", "third")],
    { chatTemplate: last },
  );
  assertEquals(
    findings.map(({ detail }) => detail).filter((words) =>
      /thought/.test(words)
    ),
    ['The template does not show "thought" of message 0, nor of 1 others'],
  );
});

Deno.test("tools that the template leaves out are a finding", () => {
  assertEquals(unread(CHATML, {}, [tool("look"), { name: "find" }]), [
    'The template leaves out 2 of 2 tools: "look", "find"',
  ]);
  assertEquals(unread(READER, {}, [tool("look")]), []);
  assertEquals(unread(READER, {}, [tool("look"), { name: "find" }]), [
    'The template leaves out 1 of 2 tools: "find"',
  ]);
  assertEquals(unread(CHATML, {}, [{ type: "web" }]), [
    "The template leaves out 1 of 1 tools",
  ]);
  assertEquals(unread(CHATML, {}, []), []);
});

Deno.test("history that is rewritten is told where other roles are trained too", () => {
  const chatTemplate = "{% for m in messages %}<|{{ m.role }}|>" +
    "{% if loop.last %}{{ m.reasoning_content }}{% endif %}{{ m.content }}<|end|>{% endfor %}" +
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";
  const tokenizer = byteLevel({
    special: ["<|user|>", "<|assistant|>", "<|end|>"],
  });
  const user = { role: "user", content: "Q" };
  const bot = { role: "assistant", content: "A", reasoning_content: "T" };
  const rewritten = (split: "auto" | "always") =>
    encodeChatRows([user, bot, user, bot], {
      tokenizer,
      chatTemplate,
      split,
      policy: { roles: ["user", "assistant"] },
    }).map(({ findings }) =>
      findings.filter(({ code }) => code === "history-rewritten").map((
        { detail },
      ) => detail)
    );
  const why =
    "it is one row all the same, as messages are trained that do not answer";
  assertEquals(rewritten("auto"), [[
    `The template drops part of message 1 once the chat goes on: ${why}`,
  ]]);
  assertEquals(rewritten("always"), [[
    `One row per answer was asked for: ${why}`,
  ]]);
});

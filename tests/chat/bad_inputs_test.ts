/**
 * Whatever comes in: a certified row, or an error of this library that says what
 * is wrong. Never another error, a hang, or a row that its certificate does not
 * fit.
 *
 * @module
 */
import { assert } from "@std/assert";
import fc from "fast-check";
import {
  type ChatMessage,
  ChatTemplateError,
  checkCertificate,
  encodeChatRows,
} from "../../src/chat/mod.ts";
import { CHATML, CHATML_SPECIAL, GEMMA, LLAMA, TOOLS } from "./made_up.ts";
import { byteLevel } from "./tiny.ts";

const tokenizer = byteLevel({
  special: [...CHATML_SPECIAL, "</s>", "<end_of_turn>"],
  eos: "</s>",
});

/** What becomes of an input, in a word. */
function outcome(messages: unknown, options: Record<string, unknown>): string {
  try {
    const rows = encodeChatRows(messages as ChatMessage[], {
      tokenizer,
      chatTemplate: CHATML,
      ...options,
    });
    for (const row of rows) checkCertificate(row, tokenizer);
    return "row";
  } catch (error) {
    const known = error instanceof ChatTemplateError ||
      error instanceof TypeError || error instanceof RangeError;
    assert(known, String(error));
    const { message } = error as Error;
    assert(/^(Cannot |The chat template refuses)/.test(message), message);
    return error instanceof ChatTemplateError ? error.reason : "argument";
  }
}

const word = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ maxLength: 20 }),
  fc.constantFrom(
    "",
    "\ud800",
    "\ue000\ue001",
    "\ufdd0",
    "\u2003",
    "<|im_end|>",
  ),
);
const call = fc.record({
  type: fc.constant("function"),
  function: fc.oneof(
    fc.record({ name: word, arguments: fc.anything() }),
    fc.anything(),
  ),
});
const message = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      role: fc.constantFrom(
        "user",
        "assistant",
        "system",
        "tool",
        "model",
        "x",
      ),
      content: fc.oneof(
        word,
        word,
        fc.constantFrom(null, undefined),
        fc.anything(),
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      role: fc.constant("assistant"),
      content: word,
      reasoning_content: fc.oneof(word, fc.anything()),
      tool_calls: fc.oneof(fc.array(call, { maxLength: 3 }), fc.anything()),
      weight: fc.oneof(fc.double(), fc.anything()),
      train: fc.oneof(fc.boolean(), fc.anything()),
    }),
  },
  { weight: 1, arbitrary: fc.anything() },
);

Deno.test("2,000 generated conversations: a certified row or an error that says why", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.oneof(
        { weight: 9, arbitrary: fc.array(message, { maxLength: 6 }) },
        { weight: 1, arbitrary: fc.anything() },
      ),
      fc.constantFrom(CHATML, GEMMA, LLAMA, TOOLS),
      fc.constantFrom("auto", "never", "always"),
      (messages, chatTemplate, split) => {
        const word = outcome(messages, { chatTemplate, split });
        seen.set(word, (seen.get(word) ?? 0) + 1);
      },
    ),
    { numRuns: 2000 },
  );
  console.log(Object.fromEntries(seen));
  assert(seen.get("row")! > 100 && seen.get("argument")! > 100);
});

Deno.test("1,000 generated templates: a certified row or an error that says why", () => {
  const piece = fc.constantFrom(
    "{% for m in messages %}",
    "{% endfor %}",
    "{% if m.role == 'assistant' %}",
    "{% else %}",
    "{% endif %}",
    "{{ m.content }}",
    "{{ m.content | trim }}",
    "{{ m.content.split('a')[0] }}",
    "{{ m.content | upper }}",
    "{{ m.content | length }}",
    "{{ messages | tojson }}",
    "{{ m.role }}",
    "{% generation %}",
    "{% endgeneration %}",
    "{% set x = 1 %}",
    "{{ x }}",
    "{{ raise_exception('no') }}",
    "{{ undefined.x }}",
    "<|im_end|>",
    "\n",
    "{%",
    "}}",
    "{# c #}",
    "{% if add_generation_prompt %}bot:{% endif %}",
  );
  const messages = [
    { role: "user", content: "a b a" },
    { role: "assistant", content: "banana split" },
    { role: "user", content: "again?" },
    { role: "assistant", content: "a" },
  ];
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      outcome(messages, { chatTemplate: pieces.join("") });
      outcome(messages, {
        chatTemplate: `{% for m in messages %}${pieces.join("")}{% endfor %}`,
      });
    }),
    { numRuns: 1000 },
  );
});

Deno.test("large and odd inputs end in seconds", () => {
  const big = "word ".repeat(200_000); // 1 MB
  const deep = JSON.parse("[".repeat(400) + "]".repeat(400));
  const many = Array.from({ length: 1000 }, (_, i) => ({
    role: i % 2 ? "assistant" : "user",
    content: `turn ${i}`,
  }));
  const cases: [unknown, Record<string, unknown>][] = [
    [[{ role: "user", content: big }, { role: "assistant", content: big }], {
      split: "never",
    }],
    [many, { split: "never" }],
    [[{
      role: "assistant",
      content: "",
      tool_calls: [{
        function: { name: "f", arguments: deep },
      }],
    }], {}],
    [[{ role: "user", content: "x" }], { chatTemplate: " ".repeat(1e6) }],
    [[{ role: "user", content: "x" }], {
      chatTemplate: "{% for i in range(99999) %}{% for j in range(99999) %}x" +
        "{% endfor %}{% endfor %}",
    }],
    [[{ role: "user", content: "x" }], {
      chatTemplate: "{% set n = namespace(x='aa') %}{% for i in range(90) %}" +
        "{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    }],
    [[{ role: "user", content: "x" }], {
      chatTemplate: "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    }],
    [[{ role: "user", content: "x" }], {
      chatTemplate: "{{ " + "(".repeat(9e4),
    }],
  ];
  for (const [messages, options] of cases) {
    const start = performance.now();
    outcome(messages, options);
    const took = performance.now() - start;
    assert(
      took < 20_000,
      `${took} ms: ${JSON.stringify(options).slice(0, 80)}`,
    );
  }
});

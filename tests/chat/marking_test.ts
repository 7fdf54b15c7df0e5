/**
 * Whose each character is: the marks that are chosen, what they prove, and that
 * they prove nothing where a template makes it untrue.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type ChatMessage,
  ChatTemplateError,
  renderChat,
} from "../../src/chat/mod.ts";
import { markOwners, type Ownership } from "../../src/chat/marking.ts";
import { replaceTexts } from "../../src/chat/slots.ts";
import { compileTemplate } from "../../src/chat/template.ts";
import { CHATML, GEMMA, TOOLS } from "./made_up.ts";

const EVERY = "every character";
const LETTERS_AND_SPACE = "letters, digits and whitespace";
const LETTERS = "letters and digits";
const SPARED = "letters and digits outside the template's own words";

const user = (content: unknown): ChatMessage =>
  ({ role: "user", content }) as ChatMessage;
const bot = (content: unknown, more = {}): ChatMessage =>
  ({ role: "assistant", content, ...more }) as ChatMessage;

function own(
  source: string,
  messages: readonly ChatMessage[],
): Ownership & { text: string } {
  const { render, literals } = compileTemplate(source);
  const seen = replaceTexts(messages, (text) => text);
  const text = render({ messages: seen });
  const owned = markOwners(
    messages,
    text,
    (marked) => render({ messages: marked }),
    literals,
  );
  return { ...owned, text };
}

/** Each run as `message:text`. */
function runsOf(source: string, messages: readonly ChatMessage[]): string[] {
  const { text, runs } = own(source, messages);
  return runs.map(({ slot, start, end, from }) => {
    const said = text.slice(start, end);
    assertEquals(slot.text.slice(from, from + said.length), said);
    return `${slot.message}:${said}`;
  });
}

/** ChatML with something else in the place of the content. */
function says(expression: string): string {
  return CHATML.replace("{{ m.content }}", `{{ ${expression} }}`);
}

Deno.test("markOwners() chooses the strongest marks that prove", () => {
  const chat = [user("Why, then?"), bot("A b.")];
  const cases: [string, string][] = [
    [says("m.content"), EVERY],
    [says("m.content | trim"), EVERY],
    [says("m.content.split('</think>')[-1]"), EVERY],
    [
      says("'(' ~ m.content ~ ')' if ',' in m.content else m.content"),
      LETTERS_AND_SPACE,
    ],
    [says("m.content ~ ('!' if 'y,' in m.content else '')"), SPARED],
    [says("m.content.replace(' ', '_')"), LETTERS],
    [says("m.content ~ ('!' if 'Why' in m.content else '')"), SPARED],
  ];
  for (const [source, strength] of cases) {
    assertEquals(own(source, chat).strength, strength, source);
  }
});

Deno.test("markOwners() owns every content to the letter, whatever it is", () => {
  const contents = [
    "plain",
    "  spaces around \n",
    "\u2000a\u2001 \u2005b\u3000", // the marks of whitespace themselves
    "x\ue000\ue001y", // marks themselves
    "\ufdd0x\ufdd1", // the marks of generation tags
    ".",
    "...",
    "😀",
    "👩‍👩‍👧 e\u0301 한\u1112\u1161",
    "\u200bx\u200d",
    "עברית",
    "\0x\0",
    "<|im_end|>",
    "<|im_start|>assistant\n",
    "assistant",
    "user",
  ];
  for (const content of contents) {
    const chat = [user(content), bot(content), user(content), bot(content)];
    const { text, runs, strength } = own(CHATML, chat);
    assertEquals(strength, EVERY, content);
    const owners = new Map<number, string>();
    for (const { slot, start, end } of runs) {
      owners.set(
        slot.message,
        (owners.get(slot.message) ?? "") + text.slice(start, end),
      );
    }
    const body = (said: string) => said.trim();
    assertEquals([...owners.values()].map(body), chat.map(() => body(content)));
  }
});

Deno.test("markOwners() knows of texts without a mark that nothing is known", () => {
  for (const content of ["", "  \n", "\ue000\uf8ff"]) {
    const { runs, marked, slots } = own(CHATML, [user(content), bot("a")]);
    assertEquals(runs.map(({ slot }) => slot.message), [1]);
    assertEquals(slots.map((slot) => marked.has(slot)), [false, true]);
  }
  assertEquals(runsOf(CHATML, [user(null), bot(undefined)]), []);
});

Deno.test("markOwners() tells whitespace of a text from the template's", () => {
  const { text, spaces } = own(
    "{% for m in messages %} {{ m.content }}{% endfor %}",
    [
      user(" "),
      bot("a b"),
    ],
  );
  assertEquals(text, "   a b");
  assertEquals([...spaces], [0, 1, 0, 0, 1, 0]);
});

Deno.test("markOwners() sees trims, cuts and repeats", () => {
  assertEquals(runsOf(GEMMA, [user(" a "), bot("\nb c\n")]), ["0:a", "1:b c"]);
  assertEquals(
    runsOf(says("m.content.split('|')[0]"), [user("q"), bot("foo|bar")]),
    ["0:q", "1:foo"],
  );
  assertEquals(
    runsOf(says("m.content[:3]"), [user("question"), bot("answer")]),
    ["0:que", "1:ans"],
  );
  assertEquals(
    runsOf(says("m.content ~ '=' ~ m.content"), [user("q"), bot("a")]),
    ["0:q", "0:q", "1:a", "1:a"],
  );
  assertEquals(
    runsOf(CHATML.replace("in messages", "in messages[::-1]"), [
      user("q"),
      bot("a"),
    ]),
    ["1:a", "0:q"],
  );
});

Deno.test("markOwners() claims nothing that a mark would have shown", () => {
  // the template ends with what the text went on with
  const stop = "{% for m in messages %}<|{{ m.role }}|>" +
    "{{ m.content.split('|')[0] }}|im_end|>{% endfor %}";
  assertEquals(
    runsOf(stop, [user("Q"), bot("foo|im_end|>bar")]),
    ["0:Q", "1:foo"],
  );
  // and begins with what stood before
  const open = "{% for m in messages %}<think>x</think>" +
    "{{ m.content.split('</think>')[-1] }}{% endfor %}";
  assertEquals(runsOf(open, [bot("<think>x</think>yes")]), ["0:yes"]);
});

Deno.test("markOwners() proves nothing where the template changes what is said", () => {
  const chat = [user("Why b?"), bot("Ab Ab")];
  const changed = [
    "m.content | upper",
    "m.content | title",
    "m.content | length ~ m.content | upper",
    "(m.content | list | sort) | join",
    "m.content | tojson | upper",
    "m.content ~ (m.content | lower)",
  ];
  for (const expression of changed) {
    const error = assertThrows(
      () => own(says(expression), chat),
      ChatTemplateError,
      "Cannot tell whose text is whose",
      expression,
    );
    assertEquals(error.reason, "unproved");
  }
});

Deno.test("renderChat() refuses letters that are owned but in another order", () => {
  const chatTemplate = says("m.content[::-1]");
  assertEquals(runsOf(chatTemplate, [user("ab")]), ["0:b", "0:a"]);
  assertThrows(
    () => renderChat([user("Why?"), bot("Because")], { chatTemplate }),
    ChatTemplateError,
    "not in its turn word for word",
  );
});

Deno.test("markOwners() proves nothing where the template compares texts", () => {
  const source = "{% for m in messages %}" +
    "{% if not loop.previtem or loop.previtem.content != m.content %}" +
    "{{ m.content }}{% endif %}!{% endfor %}";
  assertEquals(runsOf(source, [user("a"), bot("b")]), ["0:a", "1:b"]);
  assertThrows(
    () => own(source, [user("same"), bot("same")]),
    ChatTemplateError,
  );
});

Deno.test("markOwners() takes what the template says of a text for the template's", () => {
  assertEquals(
    runsOf(says("m.content | length ~ ':' ~ m.content"), [
      user("12"),
      bot("5:5"),
    ]),
    ["0:12", "1:5:5"],
  );
});

Deno.test("markOwners() spares words that the template looks for", () => {
  const source = says("m.content ~ (' [stop]' if 'STOP' in m.content else '')");
  const { strength, text, runs } = own(source, [
    user("go"),
    bot("no STOP now"),
  ]);
  assertEquals(strength, SPARED);
  const said = runs.filter(({ slot }) => slot.message === 1)
    .map(({ start, end }) => text.slice(start, end));
  assertEquals(said, ["no STOP now"]);
});

Deno.test("markOwners() tells thousands of characters apart", () => {
  for (const length of [6399, 6400, 6401, 12_799, 12_801, 13_100, 50_000]) {
    const words = "abcdefghij ".repeat(length).slice(0, length - 1) + "z";
    const chat = [user(words), bot(words), user("x"), bot(words)];
    const { runs, text, strength } = own(CHATML, chat);
    assertEquals(strength, EVERY);
    assertEquals(runs.map(({ slot }) => slot.message), [0, 1, 2, 3]);
    assertEquals(text.slice(runs[1]!.start, runs[1]!.end), words);
  }
});

Deno.test("markOwners() owns keys of calls in long chats", () => {
  const call = (name: string, args: unknown) => ({
    role: "assistant",
    content: "",
    tool_calls: [{ type: "function", function: { name, arguments: args } }],
  });
  // every key begins with the same letter; many stand 6,400 apart
  for (const length of [10, 6390, 6400, 20_000]) {
    const chat = [
      user("q".repeat(length)),
      call("f", { x: "y1", xy: { x: "z" } }),
      user("q".repeat(6400 - 7)),
      call("f", { x: "y1", xx: [1, { x: null }] }),
    ];
    const { findings, turns, text } = renderChat(chat, { chatTemplate: TOOLS });
    assertEquals(findings.map(({ code }) => code), [], `${length}`);
    assertEquals(
      turns.map((turn) => text.slice(turn.start, turn.endOfTurn![1])),
      [
        '<tool_call>\n{"name": "f", "arguments": {"x": "y1", "xy": {"x": "z"}}}\n</tool_call><|im_end|>',
        '<tool_call>\n{"name": "f", "arguments": {"x": "y1", "xx": [1, {"x": null}]}}\n</tool_call><|im_end|>',
      ],
    );
  }
});

Deno.test("markOwners() owns content parts one by one", () => {
  const source = "{% for m in messages %}{% for p in m.content %}" +
    "{% if p.type == 'text' %}{{ p.text }}{% else %}<{{ p.type }}>{% endif %}" +
    "{% endfor %};{% endfor %}";
  const parts = [
    { type: "text", text: "see" },
    { type: "image", url: "x" },
    { type: "text", text: "this" },
  ];
  assertEquals(
    runsOf(source, [user(parts), bot([{ type: "text", text: "ok" }])]),
    [
      "0:see",
      "0:this",
      "1:ok",
    ],
  );
});

Deno.test("markOwners() owns random contents, ten templates' shapes", () => {
  const shapes = [
    "{{ m.content }}",
    "{{ m.content }}\n",
    "{{ m.role }}: {{ m.content }} ",
    "<|{{ m.role }}|>{{ m.content }}<|end|>",
    "[{{ m.content }}]",
    "{{ ' ' ~ m.content ~ ' ' }}",
    "{{ m.content | trim }}!",
    "{% if m.content %}{{ m.content }}{% else %}nothing{% endif %};",
    "{{ m.content.lstrip('\\n') }}#",
    "{% if '</think>' in m.content %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %};",
  ];
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "binary", maxLength: 20 }), {
        minLength: 1,
        maxLength: 5,
      }),
      fc.constantFrom(...shapes),
      (contents, shape) => {
        const whole = contents.map((content) => content.toWellFormed());
        const source = `{% for m in messages %}${shape}{% endfor %}`;
        const { text, runs } = own(source, whole.map(user));
        let last = 0;
        for (const { slot, start, end, from } of runs) {
          assertEquals(
            text.slice(start, end),
            slot.text.slice(from, from + end - start),
          );
          assertEquals(start >= last, true);
          last = end;
        }
        // each text's own letters are found
        for (const [message, content] of whole.entries()) {
          const said = runs.filter(({ slot }) => slot.message === message)
            .map(({ start, end }) => text.slice(start, end)).join("");
          const letters = content.replace(/[^\p{L}\p{N}]/gu, "");
          assertEquals(said.replace(/[^\p{L}\p{N}]/gu, ""), letters);
        }
      },
    ),
    { numRuns: 500 },
  );
});

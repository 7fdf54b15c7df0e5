/**
 * Templates: how their text is read, what they may do, and that a hostile one
 * ends. Expected texts are those of Jinja2 3.1.6, set up as Hugging Face does.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  ChatTemplateError,
  type ChatTemplateErrorReason,
} from "../../src/chat/errors.ts";
import { compileTemplate } from "../../src/chat/template.ts";
import { understandChat } from "../../src/chat/rendering.ts";

function render(
  source: string,
  templateOptions: Record<string, unknown> = {},
): string {
  return compileTemplate(source).render({ messages: [], templateOptions });
}

/** Each template's text with what Jinja2 makes of it. */
function assertRenders(cases: readonly (readonly [string, string])[]): void {
  for (const [source, text] of cases) {
    assertEquals(render(source), text, JSON.stringify(source));
  }
}

Deno.test("render() reads every line ending as \\n", () => {
  assertRenders([
    ["a\r\n{% if true %}\r\nb\r{% endif %}\r\nc\r\n", "a\nb\nc"],
    ["a\r\n\r\n", "a\n"],
  ]);
  assertEquals(render("{{ x }}", { x: "\r\n" }), "\r\n"); // a value stays
});

Deno.test("render() drops one newline at the end, and no more", () => {
  assertRenders([["a\n", "a"], ["a\n\n", "a\n"], ["a", "a"], ["\n", ""], [
    "",
    "",
  ]]);
});

Deno.test("render() trims blocks and strips what stands before them on their line", () => {
  assertRenders([
    ["a\n  {% if true %}\n  b\n  {% endif %}\n  c", "a\n  b\n  c"],
    ["  {# c #}\nx", "x"],
    ["a  {% if true %}b{% endif %}", "a  b"],
    ["{{ 1 }}\n{{ 2 }}\n", "1\n2"],
    ["a {{- 'b' -}} c", "abc"],
    ["a {%- if true -%} b {%- endif -%} c", "abc"],
  ]);
});

Deno.test("generation tags take the whitespace modifiers that every block takes", () => {
  for (const before of ["", "-"]) {
    for (const after of ["", "-"]) {
      const around = (open: string, close: string) =>
        `x\n  {%${before} ${open} ${after}%}\n  y\n  {%${before} ${close} ${after}%}\n  z`;
      const tagged = around("generation", "endgeneration");
      const plain = around("if true", "endif");
      const { render, renderTagged, hasGenerationTags } = compileTemplate(
        tagged,
      );
      const text = render({ messages: [] });
      assertEquals(text, compileTemplate(plain).render({ messages: [] }));
      assertEquals(hasGenerationTags, true);
      const marked = renderTagged({ messages: [] });
      assertEquals(marked.replace(/[\ufdd0\ufdd1]/g, ""), text);
      const inside = /\ufdd0([^]*)\ufdd1/.exec(marked)![1]!;
      assertEquals(inside.trim(), "y");
      assertEquals(inside.startsWith(" "), after === "");
      assertEquals(inside.endsWith("\n"), before === "");
    }
  }
  assertEquals(render("{%generation%}a{%endgeneration%}"), "a");
});

Deno.test("generation tags in a comment are no tags", () => {
  const { hasGenerationTags } = compileTemplate("{# {% generation %} #}a");
  assertEquals(hasGenerationTags, false);
});

Deno.test("what a generation block sets is its own", () => {
  assertRenders([
    [
      "{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}",
      "21",
    ],
    ["{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "2"],
    [
      "{% set n = namespace(x=1) %}{% generation %}{% set n.x = 2 %}{% endgeneration %}{{ n.x }}",
      "2",
    ],
  ]);
});

Deno.test("loops: what they go over, bind and know", () => {
  assertRenders([
    ["{% for c in 'aé😀' %}{{ c }}-{% endfor %}", "a-é-😀-"],
    ["{% for k in {'a': 1} %}{{ k }}{% endfor %}", "a"],
    ["{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"],
    [
      "{% for i, (a, b) in [[1, [2, 3]]] %}{{ i }}{{ a }}{{ b }}{% endfor %}",
      "123",
    ],
    ["{% for x in nothing %}a{% else %}b{% endfor %}", "b"],
    ["{% for i in [] %}a{% else %}b{% endfor %}", "b"],
    [
      "{% for i in [1, 2, 3] if i != 2 %}{{ loop.index }}{{ i }}{{ loop.last }}{% endfor %}",
      "11False23True",
    ],
    [
      "{% for i in [4, 5] %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.length }}{{ loop.first }};{% endfor %}",
      "0212True;1102False;",
    ],
    [
      "{% for i in [1, 2] %}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}",
      "21",
    ],
    [
      "{% for i in range(2) %}{% for j in range(2) %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
      "00 01 10 11 ",
    ],
  ]);
  assertThrows(
    () => render("{% for x in none %}{% endfor %}"),
    ChatTemplateError,
  );
  assertThrows(
    () => render("{% for a, b in [[1]] %}{% endfor %}"),
    ChatTemplateError,
  );
});

Deno.test("each turn of a loop has variables of its own", () => {
  assertRenders([
    [
      "{% for i in [1, 2] %}{% if x is defined %}!{% endif %}{% set x = i %}{{ x }}{% endfor %}",
      "12",
    ],
    [
      "{% set x = 0 %}{% for i in [1] %}{% set x = i %}{% endfor %}{{ x }}",
      "0",
    ],
    [
      "{% set n = namespace(x=0) %}{% for i in [1, 2] %}{% set n.x = n.x + i %}{% endfor %}{{ n.x }}",
      "3",
    ],
    [
      "{% for i in [1] %}{% endfor %}{{ i is defined }}{{ loop is defined }}",
      "FalseFalse",
    ],
  ]);
});

Deno.test("break and continue keep what was written before them", () => {
  assertRenders([
    [
      "{% for i in [1, 2, 3] %}a{{ i }}{% if i == 2 %}z{% continue %}{% endif %}b{% endfor %}",
      "a1ba2za3b",
    ],
    [
      "{% for i in [1, 2] %}{% for j in [1, 2] %}{{ i }}{{ j }}{% if j == 1 %}{% break %}{% endif %}{% endfor %}{% endfor %}",
      "1121",
    ],
    [
      "{% for i in [1, 2] %}{% generation %}a{% if i == 1 %}{% continue %}{% endif %}b{% endgeneration %}{% endfor %}",
      "aab",
    ],
  ]);
  // many of them, so that nothing is left open by one
  const many = "{% for i in range(5000) %}{% if true %}{% if true %}" +
    "{% continue %}{% endif %}{% endif %}{% endfor %}ok";
  assertEquals(render(many), "ok");
  assertThrows(
    () => render("{% break %}"),
    ChatTemplateError,
    "outside of a loop",
  );
});

Deno.test("macros: defaults, calls of themselves, what they see", () => {
  assertRenders([
    [
      "{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}",
      "1213",
    ],
    [
      "{% macro f(n) %}{% if n %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
      "321",
    ],
    [
      "{% macro f() %}{{ y }}{% endmacro %}{% for y in [1, 2] %}{{ f() }}{% endfor %}",
      "",
    ],
    ["{% set y = 5 %}{% macro f() %}{{ y }}{% endmacro %}{{ f() }}", "5"],
    [
      "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{% endcall %}",
      "<x>",
    ],
    ["{% set x %}a{{ 1 }}{% endset %}{{ x }}", "a1"],
    ["{% filter upper %}ab{% endfilter %}", "AB"],
  ]);
});

Deno.test("characters are code points", () => {
  assertRenders([
    [
      "{{ 'a😀b'[1] }}{{ 'a😀b'[-1] }}{{ 'a😀b'[1:] }}{{ 'a😀b' | length }}",
      "😀b😀b3",
    ],
    ["{{ '😀b' | first }}{{ 'b😀' | last }}{{ '' | first }}", "😀😀"],
    ["{{ 'ab'[5] }}{{ 'ab'[0] }}", "a"],
  ]);
});

Deno.test("a variable of the caller may not hide what a template needs", () => {
  assertEquals(
    render("{{ true }}{{ none }}{{ range(2) }}", {
      true: 5,
      none: 6,
      range: 7,
    }),
    "TrueNone[0, 1]",
  );
  assertEquals(
    render("{% set n = namespace(a=1) %}{{ n.a }}", { namespace: 1 }),
    "1",
  );
  assertEquals(
    render("{{ enable_thinking }}", { enable_thinking: false }),
    "False",
  );
});

Deno.test("raise_exception() refuses in the template's own words", () => {
  for (const words of ["Roles must alternate!", "100% “so” — {{ x }}", ""]) {
    const error = assertThrows(
      () => render("{{ raise_exception(words) }}", { words }),
      ChatTemplateError,
    );
    assertEquals(error.reason, "refused");
    assertEquals(
      error.message,
      `The chat template refuses the conversation: ${words}`,
    );
  }
});

Deno.test("what is no template is refused as one", () => {
  const wrong = [
    "{% for %}",
    "{{ 'abc",
    "{% if x %}",
    "{% unknown %}",
    "{{ x y }}",
    "{% endif %}",
    "{% endgeneration %}",
    "{% generation %}",
    "{#",
    "{{ 1 | nofilter }}",
    "{{ 1 is notest }}",
    "{{ f() }}",
    "{{ 5() }}",
  ];
  for (const source of wrong) {
    const error = assertThrows(
      () => render(source),
      ChatTemplateError,
      "Cannot render chat template",
      source,
    );
    assertEquals(error.reason, "template", source);
  }
  assertThrows(
    () => compileTemplate(5 as never),
    TypeError,
    "Cannot render chat",
  );
});

/** What hostile templates do, by name. */
const HOSTILE: Readonly<Record<string, string>> = {
  "loops that write nothing":
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
  "a macro without an end": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
  "a macro that calls itself twice":
    "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
  "a text that doubles":
    "{% set n = namespace(x='ab') %}{% for i in range(100) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
  "a list that doubles":
    "{% set n = namespace(x=[1]) %}{% for i in range(100) %}{% set n.x = n.x + n.x %}{% endfor %}",
  "lists in lists, printed":
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
  "lists in lists, as JSON":
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x | tojson }}",
  "lists in lists, compared":
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x == [n.x] }}",
  "a replacement of itself":
    "{% set n = namespace(x='aa') %}{% for i in range(20) %}{% set n.x = n.x.replace('a', n.x) %}{% endfor %}",
  "an indent": "{{ 'a\\nb' | indent(1000000000) }}",
  "a range": "{{ range(1000000000) }}",
  "a range by nothing": "{{ range(0, 10, 0) }}",
  "many ranges":
    "{% for i in range(100000) %}{% set y = range(100000) %}{% endfor %}",
  "many searches":
    "{% set x = range(100000) %}{% for i in range(100000) %}{{ -1 in x }}{% endfor %}",
  "many copies":
    "{% set x = range(100000) %}{% for i in range(100000) %}{% set y = x[::-1] %}{% endfor %}",
  "a list that grows":
    "{% set n = namespace(x=[]) %}{% for i in range(100000) %}{% set n.x = n.x + [i] %}{% endfor %}",
  "much JSON":
    "{% set x = range(100000) %}{% for i in range(100000) %}{% set y = x | tojson %}{% endfor %}",
  "letters of a long text":
    "{% set n = namespace(x='abcdefgh') %}{% for i in range(22) %}{% set n.x = n.x ~ n.x %}{% endfor %}{% for c in n.x %}{% endfor %}",
  "a namespace in itself": "{% set n = namespace() %}{% set n.x = n %}{{ n }}",
  "parentheses": "{{ " + "(".repeat(100_000) + "1" + ")".repeat(100_000) +
    " }}",
  "blocks in blocks": "{% if true %}".repeat(10_000) +
    "{% endif %}".repeat(10_000),
  "a long sum": "{{ 1" + " + 1".repeat(50_000) + " }}",
  "1 MB": "x".repeat(1 << 20),
  "100,000 spaces": "a" + " ".repeat(100_000) + "{% if a %}",
  "100,000 newlines": "a" + "\n".repeat(100_000) + "{{ a }}",
};

for (const [name, source] of Object.entries(HOSTILE)) {
  Deno.test(`a hostile template ends: ${name}`, () => {
    const start = performance.now();
    const error = assertThrows(() => render(source), ChatTemplateError);
    assertEquals<ChatTemplateErrorReason>(error.reason, "limit", error.message);
    assert(error.message.startsWith("Cannot render chat template"));
    // about a second alone; beside other tests on shared cores it takes longer
    assert(performance.now() - start < 30_000);
  });
}

Deno.test("a template of 250 kB is within the limits", () => {
  assertEquals(render("x".repeat(250_000)).length, 250_000);
  assertEquals(render("{{ a }}".repeat(35_000)), "");
});

Deno.test("2,000 messages of a real size are within the limits", () => {
  const messages = Array.from({ length: 2000 }, (_, i) => ({
    role: i % 2 ? "assistant" : "user",
    content: `${i} words`.repeat(50),
  }));
  const chatTemplate = "{% set n = namespace(out='', seen=[]) %}" +
    "{% for m in messages %}{% set n.seen = n.seen + [m.role] %}" +
    "{% set n.out = n.out ~ m.role ~ ':' ~ m.content ~ '<e>' %}{% endfor %}" +
    "{{ n.out }}{% if add_generation_prompt %}assistant:{% endif %}";
  const { turns } = understandChat(messages, { chatTemplate });
  assertEquals(turns.length, 1000);
});

Deno.test("compileTemplate() keeps what it compiled, and forgets the oldest", () => {
  const first = compileTemplate("first {{ x }}");
  assert(compileTemplate("first {{ x }}") === first);
  for (let i = 0; i < 40; i++) compileTemplate(`other ${i}`);
  assert(compileTemplate("first {{ x }}") !== first);
});

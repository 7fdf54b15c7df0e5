/** What Jinja expects of Python, as Python does it; expected values are those of Python 3.11 and Jinja2 3.1.6. */
import { assertEquals, assertThrows } from "@std/assert";
import { ChatTemplateError } from "../../src/chat/errors.ts";
import {
  isPythonSpace,
  lstrip,
  rstrip,
  split,
  strip,
} from "../../src/chat/python.ts";
import { strftime } from "../../src/chat/strftime.ts";
import { compileTemplate } from "../../src/chat/template.ts";

function render(
  source: string,
  templateOptions: Record<string, unknown> = {},
): string {
  return compileTemplate(source).render({ messages: [], templateOptions });
}

/** Each expression printed, with what Python prints. */
function assertPrints(
  cases: readonly (readonly [expression: string, printed: string])[],
  variables: Record<string, unknown> = {},
): void {
  for (const [expression, printed] of cases) {
    const source = `{{ ${expression} }}`;
    assertEquals(render(source, variables), printed, expression);
  }
}

Deno.test("isPythonSpace() knows what str.isspace knows, not what \\s does", () => {
  for (const space of "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u2003\u2028\u3000") {
    assertEquals(isPythonSpace(space), true, JSON.stringify(space));
  }
  for (const other of "\ufeff\u200b\u180e\0a") {
    assertEquals(isPythonSpace(other), false, JSON.stringify(other));
  }
});

Deno.test("strip() and its kin take off a set of characters", () => {
  assertEquals(strip("\n\n\t a\n", "\n"), "\t a");
  assertEquals(lstrip("abcab", "ba"), "cab");
  assertEquals(rstrip("abcab", "ba"), "abc");
  assertEquals(strip("\ufeff a \ufeff"), "\ufeff a \ufeff");
  assertEquals(strip("\x1c a \x85"), "a");
  assertEquals(strip("a", ""), "a");
  assertEquals(strip(" \n "), "");
  assertEquals(strip("😀a😀😀", "😀"), "a");
  assertEquals(rstrip("a😀", "\ude00"), "a😀"); // half of a pair is no character
  assertEquals(rstrip("\ude00", "\ude00"), "");
  assertEquals(lstrip("", "x"), "");
});

Deno.test("strip() takes its argument inside a template", () => {
  assertPrints([
    ["'  x'.lstrip('\\n')", "  x"],
    ["'\\n\\n  x\\n'.strip('\\n')", "  x"],
    ["'x..'.rstrip('.')", "x"],
    ["' x '.strip(none)", "x"],
    ["' x '.strip()", "x"],
    ["'--x--' | trim('-')", "x"],
    ["'\ufeff x ' | trim", "\ufeff x"],
  ]);
});

Deno.test("split() cuts as Python's does", () => {
  assertEquals(split(" a  b "), ["a", "b"]);
  assertEquals(split(" a  b  c ", undefined, 1), ["a", "b  c "]);
  assertEquals(split(" a b ", undefined, 0), ["a b "]);
  assertEquals(split("a,b,c", ",", 1), ["a", "b,c"]);
  assertEquals(split("a,b", ",", 0), ["a,b"]);
  assertEquals(split("", ","), [""]);
  assertEquals(split(""), []);
  assertThrows(() => split("a", ""), Error, "empty separator");
  assertPrints([
    ["'a b c'.split(maxsplit=1)", "['a', 'b c']"],
    ["'a-b-c'.split(sep='-', maxsplit=1)", "['a', 'b-c']"],
    ["'a-b-c'.rsplit('-', 1)", "['a-b', 'c']"],
    ["'a-b-c'.rsplit('-')", "['a', 'b', 'c']"],
    ["'x</t>y</t>z'.split('</t>')[-1]", "z"],
    ["'a\\r\\nb\\x0bc\\n'.splitlines()", "['a', 'b', 'c']"],
    ["'a\\r\\nb\\rc'.splitlines(keepends=true)", "['a\\r\\n', 'b\\r', 'c']"],
    ["'a=b=c'.partition('=')", "['a', '=', 'b=c']"],
    ["'a=b=c'.rpartition('=')", "['a=b', '=', 'c']"],
    ["'abc'.rpartition('=')", "['', '', 'abc']"],
  ]);
  assertThrows(
    () => render("{{ 'a'.split(by='-') }}"),
    ChatTemplateError,
    "no argument by",
  );
});

Deno.test("string methods that the interpreter lacks", () => {
  assertPrints([
    ["'abcb'.find('b')", "1"],
    ["'abcb'.rfind('b')", "3"],
    ["'abcb'.find('x')", "-1"],
    ["'abcb'.count('b')", "2"],
    ["'-'.join(['a', 'b'])", "a-b"],
    ["'abc'.removeprefix('ab')", "c"],
    ["'abc'.removesuffix('')", "abc"],
    ["'abc'.removesuffix('bc')", "a"],
    ["'12'.isdigit()", "True"],
    ["''.isspace()", "False"],
    ["'\\x1f'.isspace()", "True"],
    ["'aé'.isalpha()", "True"],
    ["'a1 '.isalnum()", "False"],
    ["'aXa'.replace('a', 'b', 1)", "bXa"],
    ["'aXa' | replace('a', 'b')", "bXb"],
    ["'abc'.startswith('ab')", "True"],
    ["'abc'.upper()", "ABC"],
  ]);
  assertThrows(() => render("{{ '-'.join([1]) }}"), ChatTemplateError);
});

Deno.test("values are printed as str and repr print them", () => {
  assertPrints([
    ["none", "None"],
    ["true", "True"],
    ["x", ""],
    ["1", "1"],
    ["1.0", "1.0"],
    ["-0.5", "-0.5"],
    ["[1, 'a', none, true, 1.5]", "[1, 'a', None, True, 1.5]"],
    ["{'a': {'b': []}}", "{'a': {'b': []}}"],
    ["(1, 2)", "(1, 2)"],
    ['["it\'s"]', '["it\'s"]'],
    ["['say \"hi\"']", "['say \"hi\"']"],
    ["['a\\n\\t\\\\']", "['a\\n\\t\\\\']"],
    ["'a' ~ none ~ 1", "aNone1"],
    ["'a' ~ [1]", "a[1]"],
    ["none | string", "None"],
    ["[none, 'a'] | join('-')", "None-a"],
    ["none | trim", "None"],
  ]);
});

Deno.test("repr() escapes what Python does not print", () => {
  const x = ["\u200b\xa0\u2028😀 \x7f\xad\x00", 'it\'s "so"'];
  assertPrints([
    [
      "x",
      "['\\u200b\\xa0\\u2028😀 \\x7f\\xad\\x00', 'it\\'s \"so\"']",
    ],
  ], { x });
});

Deno.test("floats are written as Python writes them", () => {
  const x = [1.5e-5, 1e-7, 0.1, 0.0001];
  assertPrints([
    ["x", "[1.5e-05, 1e-07, 0.1, 0.0001]"],
    ["16.0 * 1000", "16000.0"],
    ["10.0 ** 15", "1000000000000000.0"],
    ["10.0 ** 16", "1e+16"],
    ["-(10.0 ** 22)", "-1e+22"],
    ["7 / 2", "3.5"],
    ["4 / 2", "2.0"],
    ["-0.0", "-0.0"],
  ], { x });
});

Deno.test("== compares as Python does", () => {
  assertPrints([
    ["'1' == 1", "False"],
    ["1 == 1.0", "True"],
    ["true == 1", "True"],
    ["none == false", "False"],
    ["none == 0", "False"],
    ["x == none", "False"],
    ["x == y", "True"],
    ["'' == none", "False"],
    ["[1, [2]] == [1, [2]]", "True"],
    ["[1] == ['1']", "False"],
    ["{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "True"],
    ["{'a': 1} != {'a': 2}", "True"],
    ["'a' != 'a'", "False"],
  ]);
});

Deno.test("% takes the divisor's sign", () => {
  assertPrints([
    ["-1 % 2", "1"],
    ["5 % -3", "-1"],
    ["4 % 2", "0"],
    ["-4 % 2", "0"],
  ]);
  assertThrows(
    () => render("{{ 1 % 0 }}"),
    ChatTemplateError,
    "divided by zero",
  );
});

Deno.test("* repeats a text, within limits", () => {
  assertPrints([
    ["'=-' * 3", "=-=-=-"],
    ["3 * 'a'", "aaa"],
    ["'a' * 0 ~ 'b' * -1", ""],
    ["'' * 1000000000000", ""],
    ["2 * 3", "6"],
  ]);
  for (const wrong of ["'a' * 'b'", "'a' * 1.5"]) {
    assertThrows(() => render(`{{ ${wrong} }}`), ChatTemplateError);
  }
  const error = assertThrows(
    () => render("{{ 'aa' * 1000000000 }}"),
    ChatTemplateError,
    "current value is 2000000000",
  );
  assertEquals(error.reason, "limit");
});

Deno.test("+ joins text to text alone", () => {
  assertPrints([["'a' + 'b'", "ab"], ["1 + 1", "2"], ["[1] + [2]", "[1, 2]"]]);
  for (const wrong of ["'a' + 1", "1 + 'a'", "'a' + {'b': 1}", "none + 'a'"]) {
    const error = assertThrows(
      () => render(`{{ ${wrong} }}`),
      ChatTemplateError,
      undefined,
      wrong,
    );
    assertEquals(error.reason, "template");
  }
});

Deno.test("filters as in Jinja", () => {
  assertPrints([
    ["'abc' | list", "['a', 'b', 'c']"],
    ["'a😀' | list | length", "2"],
    ["'abc' | first ~ 'abc' | last", "ac"],
    ["[1, 2, 3] | select('odd') | list", "[1, 3]"],
    ["[1, 2, 3] | reject('odd') | list", "[2]"],
    ["[0, 1, ''] | select | list", "[1]"],
    ["['a', 'b'] | select('in', 'xa') | list", "['a']"],
    ["[{'a': 1}, {'a': 0}] | selectattr('a') | list | length", "1"],
    ["'' | selectattr('a') | list", "[]"],
    ["{'b': 'é'} | tojson", '{"b": "é"}'],
    ["x | default('d')", "d"],
    ["[3, 1] | sort", "[1, 3]"],
  ]);
  assertThrows(
    () => render("{{ x | tojson }}"),
    ChatTemplateError,
    "what is undefined has no JSON",
  );
});

Deno.test("an attribute of what is undefined is an error that names it", () => {
  assertEquals(render("{{ messages.length }}{{ x }}"), "0");
  const error = assertThrows(
    () => render("{{ x.y.z }}"),
    ChatTemplateError,
    "x is undefined and has no y",
  );
  assertEquals(error.reason, "template");
});

Deno.test("strftime() writes English dates in UTC", () => {
  const date = new Date("2024-02-05T04:07:09Z");
  const cases: [string, string][] = [
    ["%d %b %Y", "05 Feb 2024"],
    ["%A, %B %-d", "Monday, February 5"],
    ["%a %y-%m-%d", "Mon 24-02-05"],
    ["%H:%M:%S %I %p", "04:07:09 04 AM"],
    ["%-H %-I", "4 4"],
    ["%j", "036"],
    ["%-j", "36"],
    ["%F %T %D", "2024-02-05 04:07:09 02/05/24"],
    ["100%%", "100%"],
    ["%%F %%d", "%F %d"],
    ["%Z|%z", "|"],
  ];
  for (const [format, written] of cases) {
    assertEquals(strftime(date, format), written, format);
  }
  const noon = new Date("2024-12-31T12:00:00Z");
  assertEquals(strftime(noon, "%I %p %j"), "12 PM 366");
  assertEquals(strftime(new Date("2024-01-01T00:00:00Z"), "%-H %I"), "0 12");
  assertThrows(() => strftime(date, "%Q"), Error, "unknown %Q");
});

Deno.test("strftime_now says the date that was given, and no other", () => {
  const { render, readsClock } = compileTemplate("{{ strftime_now('%F') }}");
  const date = new Date("2000-02-29T23:59:59Z");
  assertEquals(render({ messages: [], date }), "2000-02-29");
  assertEquals(readsClock, true);
  const today = new Date().toISOString().slice(0, 10);
  assertEquals(render({ messages: [] }), today);
});

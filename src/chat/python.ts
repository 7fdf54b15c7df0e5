/**
 * What Jinja templates expect of Python: its strings' methods, how it prints
 * and compares values. Only what the interpreter lacks or does
 * in another way stands here.
 *
 * Source: Python's own documentation of `str` and `repr`; the
 * whitespace is that of `str.isspace`, which is not JavaScript's.
 *
 * @module
 */

/** A value inside the interpreter: its class's name, and what it holds. */
export interface RuntimeValue {
  readonly type: string;
  // deno-lint-ignore no-explicit-any
  readonly value: any;
  toString(): string;
}

// JavaScript's \s has U+FEFF, which Python's has not, and lacks U+001C..1F and U+0085.
const SPACES =
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004" +
  "\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";

const isSpace: ReadonlySet<string> = new Set(SPACES);

/** Whether Python's `str.strip` takes this character off. */
export function isPythonSpace(character: string): boolean {
  return isSpace.has(character);
}

/** `text.lstrip(characters)`: a set of characters, whitespace where there is none. */
export function lstrip(text: string, characters?: string): string {
  const cut = characters === undefined ? isSpace : new Set(characters);
  let start = 0;
  for (const character of text) {
    if (!cut.has(character)) break;
    start += character.length;
  }
  return text.slice(start);
}

/** `text.rstrip(characters)`. */
export function rstrip(text: string, characters?: string): string {
  const cut = characters === undefined ? isSpace : new Set(characters);
  let end = text.length;
  while (end > 0) {
    const isPair = (text.codePointAt(end - 2) ?? 0) > 0xffff;
    const start = isPair ? end - 2 : end - 1;
    if (!cut.has(text.slice(start, end))) break;
    end = start;
  }
  return text.slice(0, end);
}

/** `text.strip(characters)`. */
export function strip(text: string, characters?: string): string {
  return rstrip(lstrip(text, characters), characters);
}

/** `text.split()` and `text.split(separator, most)`. */
export function split(text: string, separator?: string, most = -1): string[] {
  if (separator === "") throw new Error("empty separator");
  if (separator !== undefined) {
    const parts = text.split(separator);
    return most < 0 || parts.length <= most + 1
      ? parts
      : [...parts.slice(0, most), parts.slice(most).join(separator)];
  }
  const words: string[] = [];
  let rest = lstrip(text);
  while (rest !== "") {
    let end = 0;
    if (most >= 0 && words.length >= most) end = rest.length;
    while (end < rest.length && !isSpace.has(rest.charAt(end))) end++;
    words.push(rest.slice(0, end));
    rest = lstrip(rest.slice(end));
  }
  return words;
}

/** `text.rsplit(separator, most)`: at most `most` cuts, from the right. */
function rsplit(text: string, separator?: string, most = -1): string[] {
  if (most < 0) return split(text, separator);
  if (separator === undefined) throw new Error("rsplit() needs a separator");
  const parts = split(text, separator);
  const kept = Math.max(parts.length - most, 1);
  return [parts.slice(0, kept).join(separator), ...parts.slice(kept)];
}

function partition(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0
    ? [text, "", ""]
    : [text.slice(0, at), separator, text.slice(at + separator.length)];
}

function rpartition(text: string, separator: string): string[] {
  const at = text.lastIndexOf(separator);
  return at < 0
    ? ["", "", text]
    : [text.slice(0, at), separator, text.slice(at + separator.length)];
}

// deno-lint-ignore no-control-regex
const LINE_END = /(\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029])/;

type Method = (
  text: string,
  // deno-lint-ignore no-explicit-any
  ...args: any[]
) => string | number | boolean | string[];

/** Methods of Python's strings that the interpreter lacks or gets wrong, by name. */
export const STRING_METHODS: ReadonlyMap<string, Method> = new Map<
  string,
  Method
>([
  // None as an argument means the same as none at all
  ["strip", (text, set) => strip(text, set ?? undefined)],
  ["lstrip", (text, set) => lstrip(text, set ?? undefined)],
  ["rstrip", (text, set) => rstrip(text, set ?? undefined)],
  ["split", (text, by, most) => split(text, by ?? undefined, most)],
  ["rsplit", (text, by, most) => rsplit(text, by ?? undefined, most)],
  ["splitlines", (text, keep) => {
    const parts = text.split(LINE_END);
    const lines = parts.flatMap((part, i) =>
      i % 2 === 1 ? [] : [keep ? part + (parts[i + 1] ?? "") : part]
    );
    if (parts.at(-1) === "") lines.pop();
    return lines;
  }],
  ["partition", partition],
  ["rpartition", rpartition],
  ["find", (text, part) => text.indexOf(part)],
  ["rfind", (text, part) => text.lastIndexOf(part)],
  ["count", (text, part) => text.split(part).length - 1],
  ["join", (text, parts) => stringsOf(parts).join(text)],
  [
    "removeprefix",
    (text, part) => text.startsWith(part) ? text.slice(part.length) : text,
  ],
  [
    "removesuffix",
    (text, part) =>
      part !== "" && text.endsWith(part) ? text.slice(0, -part.length) : text,
  ],
  ["isdigit", (text) => /^\p{Nd}+$/u.test(text)],
  ["isspace", (text) => text !== "" && lstrip(text) === ""],
  ["isalpha", (text) => /^\p{L}+$/u.test(text)],
  ["isalnum", (text) => /^[\p{L}\p{Nd}]+$/u.test(text)],
]);

/** Where the named arguments of Python's string methods stand. */
export const NAMED_ARGUMENTS: Readonly<Record<string, number>> = {
  sep: 0,
  maxsplit: 1,
  keepends: 0,
};

function stringsOf(parts: readonly RuntimeValue[]): string[] {
  return parts.map((part) => {
    if (part.type === "StringValue") return part.value as string;
    throw new Error(`join() expected a string: got ${part.type}`);
  });
}

/** Python's `str(value)`. */
export function pythonStr(value: RuntimeValue): string {
  if (value.type === "StringValue") return value.value;
  return value.type === "UndefinedValue" ? "" : pythonRepr(value);
}

/** Python's `repr(value)`. */
function pythonRepr({ type, value, ...rest }: RuntimeValue): string {
  const inside = (one: RuntimeValue) => pythonRepr(one);
  switch (type) {
    case "NullValue":
      return "None";
    case "UndefinedValue":
      return "Undefined";
    case "BooleanValue":
      return value ? "True" : "False";
    case "FloatValue":
      return pythonFloat(value);
    case "StringValue":
      return quote(value);
    case "ArrayValue":
      return `[${value.map(inside).join(", ")}]`;
    case "TupleValue":
      return `(${value.map(inside).join(", ")}${
        value.length === 1 ? "," : ""
      })`;
    case "ObjectValue":
    case "NamespaceValue":
      return `{${
        [...value].map(([key, one]: [string, RuntimeValue]) =>
          `${quote(key)}: ${inside(one)}`
        ).join(", ")
      }}`;
    case "FunctionValue":
      throw new Error("a function has no text");
  }
  return String(value ?? rest);
}

function pythonFloat(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  // Python writes exponents from 1e16 up and below 1e-4, of two digits at least
  if (size >= 1e16 || (size < 1e-4 && size > 0)) {
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** A string as Python shows it inside a list or dict. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = "";
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };
    out += named[character as keyof typeof named] ??
      (character === mark
        ? `\\${mark}`
        : character !== " " && UNPRINTED.test(character)
        ? escaped(code)
        : character);
  }
  return mark + out + mark;
}

// what `str.isprintable` denies, but for private use (its marks must pass) and
// what no Unicode of the day assigns
const UNPRINTED = /[\p{Cc}\p{Cf}\p{Cs}\p{Z}]/u;

function escaped(code: number): string {
  const [letter, width] = code < 0x100
    ? ["x", 2] as const
    : code < 0x10000
    ? ["u", 4] as const
    : ["U", 8] as const;
  return `\\${letter}${code.toString(16).padStart(width, "0")}`;
}

/** The remainder of a division, whose sign is the divisor's; in JavaScript it is the dividend's. */
export function pythonModulo(dividend: number, divisor: number): number {
  if (divisor === 0) throw new Error("nothing can be divided by zero");
  const rest = dividend % divisor;
  return rest !== 0 && rest < 0 !== divisor < 0 ? rest + divisor : rest;
}

/** Python's `a == b`: no string equals a number, None equals None alone, lists and dicts by value. */
export function pythonEquals(a: RuntimeValue, b: RuntimeValue): boolean {
  const kind = ({ type }: RuntimeValue) =>
    /^(Integer|Float|Boolean)/.test(type)
      ? "number"
      : type === "TupleValue"
      ? "ArrayValue"
      : type;
  if (kind(a) !== kind(b)) return false;
  switch (kind(a)) {
    case "number":
      return Number(a.value) === Number(b.value);
    case "NullValue":
    case "UndefinedValue":
      return true;
    case "ArrayValue":
      return a.value.length === b.value.length &&
        a.value.every((one: RuntimeValue, i: number) =>
          pythonEquals(one, b.value[i])
        );
    case "ObjectValue":
      return a.value.size === b.value.size &&
        [...a.value].every(([key, one]) =>
          b.value.has(key) && pythonEquals(one, b.value.get(key))
        );
  }
  return a.value === b.value;
}

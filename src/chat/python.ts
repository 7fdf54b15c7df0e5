/**
 * What Jinja templates expect of Python: its strings' methods, how it prints
 * and compares values, and its dates. Only what the interpreter lacks or does
 * in another way stands here.
 *
 * Source: Python's own documentation of `str`, `repr` and `strftime`; the
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
    const pair = end > 1 && /^[\ud800-\udbff][\udc00-\udfff]$/
      .test(text.slice(end - 2, end));
    const start = pair ? end - 2 : end - 1;
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
  ["splitlines", (text) => {
    // deno-lint-ignore no-control-regex
    const lines = text.split(/\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/);
    if (lines.at(-1) === "") lines.pop();
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
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return `${value}.0`;
  return String(value).replace(/e([+-])(\d)$/, "e$10$2");
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
        : code < 0x20 || (code > 0x7e && code < 0xa1) || code === 0xad
        ? `\\x${code.toString(16).padStart(2, "0")}`
        : character);
  }
  return mark + out + mark;
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

const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday";
const MONTHS = "January February March April May June July August September " +
  "October November December";

/** Python's `date.strftime(format)` in UTC and English. */
export function strftime(date: Date, format: string): string {
  const pad = (n: number, width = 2) => String(n).padStart(width, "0");
  const day = DAYS.split(" ")[date.getUTCDay()]!;
  const month = MONTHS.split(" ")[date.getUTCMonth()]!;
  const hour = date.getUTCHours();
  const year = date.getUTCFullYear();
  const dayOfYear = (Date.UTC(year, date.getUTCMonth(), date.getUTCDate()) -
        Date.UTC(year, 0, 1)) / 86_400_000 + 1;
  const fields: Record<string, string> = {
    A: day,
    a: day.slice(0, 3),
    B: month,
    b: month.slice(0, 3),
    d: pad(date.getUTCDate()),
    H: pad(hour),
    I: pad(hour % 12 || 12),
    j: pad(dayOfYear, 3),
    M: pad(date.getUTCMinutes()),
    m: pad(date.getUTCMonth() + 1),
    p: hour < 12 ? "AM" : "PM",
    S: pad(date.getUTCSeconds()),
    Y: String(year),
    y: pad(year % 100),
    Z: "",
    z: "",
    "%": "%",
  };
  const combined = format.replaceAll("%F", "%Y-%m-%d")
    .replaceAll("%T", "%H:%M:%S").replaceAll("%D", "%m/%d/%y");
  return combined.replace(/%(-?)([A-Za-z%])/g, (whole, minus, letter) => {
    const text = fields[letter];
    if (text === undefined) throw new Error(`strftime_now: unknown ${whole}`);
    return minus === "" ? text : text.replace(/^0+(?=.)/, "");
  });
}

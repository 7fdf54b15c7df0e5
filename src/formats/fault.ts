/**
 * What is wrong with data, in the words of its reader: the place, what was
 * wanted, what came. Faults of data are SyntaxErrors, one class to catch; faults
 * of the caller stay TypeErrors and RangeErrors, made in checks.ts.
 *
 * @module
 */

/** What is wrong with one line of a file, or one element of a list. */
export interface LineError {
  /** The line's number in the file, or the element's in its list, from 1. */
  readonly line: number;
  /** Place, wish and what came, as in `line 7: messages[2].content must be ...`. */
  readonly message: string;
}

/** An object of a file. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * How deep a message may be nested. No tool call known is deeper than a dozen;
 * what comes behind (a template's tojson, Python's json) recurses, and Python
 * gives up at 1000.
 */
const MAX_DEPTH = 512;

/** Throws: the value at `place` is not what `wish` says. */
export function fault(place: string, wish: string, value: unknown): never {
  throw new SyntaxError(`${place} must be ${wish}: got ${kind(value)}`);
}

/** Runs a reader; what is wrong with the data is said to be at this line or element. */
export function at<T>(unit: string, line: number, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new SyntaxError(`${unit} ${line}: ${cause.message}`, { cause });
  }
}

/** The kind of a value, with its article. */
export function kind(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return typeof value;
}

/** A value in an error message: on one line, however long it is. */
export function short(value: unknown): string {
  if (typeof value !== "string") {
    return typeof value === "object" ? kind(value) : String(value);
  }
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
}

/** The keys of an object, for an error message. */
export function keysOf(value: Fields): string {
  const keys = Object.keys(value);
  const head = keys.slice(0, 8).map((key) => key.slice(0, 40)).join(", ");
  return (head || "no keys") + (keys.length > 8 ? ", ..." : "");
}

/** A value of JSON text; engines that recurse may also overflow here. */
export function parseJson(place: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // what V8 adds would be taken for the line of the file
    const reason = String(cause instanceof Error ? cause.message : cause)
      .replace(/ \(line \d+ column \d+\)/, "");
    const name = place === "" ? "not JSON" : `${place} is not JSON`;
    throw new SyntaxError(`${name}: ${reason}`, { cause });
  }
}

/** An object. A key `__proto__` would become another object's prototype one copy later. */
export function readFields(place: string, value: unknown): Fields {
  if (
    typeof value !== "object" || value === null || Array.isArray(value) ||
    ArrayBuffer.isView(value)
  ) {
    fault(place, "an object", value);
  }
  if (Object.hasOwn(value, "__proto__")) {
    throw new SyntaxError(`${place} has a key __proto__, which is refused`);
  }
  return value as Fields;
}

/** The field's own value; undefined where it is absent or null, as data sets write what is absent. */
export function own(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] ?? undefined : undefined;
}

/** A list. */
export function readList(place: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  fault(place, "a list", value);
}

/** A string. */
export function readString(place: string, value: unknown): string {
  if (typeof value === "string") return value;
  fault(place, "a string", value);
}

/**
 * Throws unless the value is JSON that survives: every string is Unicode, every
 * number is what was written, and nothing is nested too deep. It keeps its own
 * stack, so depth cannot overflow it.
 */
export function checkPlain(place: string, root: unknown): void {
  const stack = [{ place, value: root, depth: 0 }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { place, value, depth } = next;
    if (typeof value !== "object" || value === null) {
      checkLeaf(place, value);
      continue;
    }
    if (depth > MAX_DEPTH) {
      throw new SyntaxError(
        `${
          root === value ? place : place.slice(0, 80)
        } is nested deeper than ${MAX_DEPTH} levels`,
      );
    }
    const visit = (child: unknown, name: () => string): void => {
      if (typeof child === "object" && child !== null) {
        stack.push({ place: name(), value: child, depth: depth + 1 });
      } else if (!isGoodLeaf(child)) checkLeaf(name(), child);
    };
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        visit(value[i], () => `${place}[${i}]`);
      }
      continue;
    }
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      fault(place, "plain JSON", value);
    }
    for (const [key, child] of Object.entries(value)) {
      if (!key.isWellFormed()) checkLeaf(`a key of ${place}`, key);
      visit(child, () => `${place}.${key.slice(0, 40)}`);
    }
  }
}

function isGoodLeaf(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value === "number") {
    return Number.isFinite(value) &&
      (Number.isSafeInteger(value) || !Number.isInteger(value));
  }
  return typeof value === "boolean" || value === null || value === undefined;
}

function checkLeaf(place: string, value: unknown): void {
  if (isGoodLeaf(value)) return;
  if (typeof value === "string") {
    const offset = loneSurrogate(value);
    const unit = value.charCodeAt(offset).toString(16).toUpperCase();
    throw new SyntaxError(
      `${place} has half a surrogate pair (U+${unit}) at offset ${offset}, which no encoding of text can hold`,
    );
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new SyntaxError(
      `${place} must be a finite number: got ${value}, as which a number beyond 1.8e308 is read`,
    );
  }
  if (typeof value === "number" || typeof value === "bigint") {
    throw new SyntaxError(
      `${place} is the number ${value}, beyond what is exact here (2^53): write it as a string`,
    );
  }
  fault(place, "plain JSON", value);
}

/** The UTF-16 offset of the first surrogate without its other half. */
function loneSurrogate(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i)!;
    if (code > 0xffff) i++; // a whole pair
    else if (code >= 0xd800 && code <= 0xdfff) return i;
  }
  return -1;
}

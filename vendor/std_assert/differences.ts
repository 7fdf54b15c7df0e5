/**
 * Deep comparison that says where two values differ.
 *
 * Numbers compare as in `@std/assert`: NaN equals NaN, and 0 equals -0.
 *
 * @module
 */

type Keyed = Record<PropertyKey, unknown>;

/** Yields one line for each place where two values differ; nothing if they are equal. */
export function* differences(
  actual: unknown,
  expected: unknown,
  path = "value",
  seen: Map<unknown, unknown> = new Map(),
): Generator<string, void, undefined> {
  if (same(actual, expected)) return;
  if (!isObject(actual) || !isObject(expected)) {
    yield `${path}: actual ${show(actual)}, expected ${show(expected)}`;
    return;
  }
  if (kind(actual) !== kind(expected)) {
    const [a, e] = [kind(actual), kind(expected)].map((k) => k?.name);
    yield `${path}: actual a ${a}, expected a ${e}`;
    return;
  }
  if (seen.get(actual) === expected) return;
  seen.set(actual, expected);

  // Values whose content is not in their properties.
  const [a, e] = [asText(actual), asText(expected)];
  if (a !== e) yield `${path}: actual ${a}, expected ${e}`;
  if (actual instanceof Set) {
    yield* setDifferences(actual, expected as Set<unknown>, path);
    return;
  }
  if (actual instanceof Map) {
    yield* mapDifferences(
      actual,
      expected as Map<unknown, unknown>,
      path,
      seen,
    );
    return;
  }
  const left = actual instanceof ArrayBuffer ? new Uint8Array(actual) : actual;
  const right = expected instanceof ArrayBuffer
    ? new Uint8Array(expected)
    : expected;

  if (isIndexed(left) && isIndexed(right)) {
    if (left.length !== right.length) {
      yield `${path}.length: actual ${left.length}, expected ${right.length}`;
    }
    const length = Math.min(left.length, right.length);
    for (let i = 0; i < length; i++) {
      if (same(left[i], right[i])) continue;
      yield* differences(left[i], right[i], `${path}[${i}]`, seen);
    }
    if (ArrayBuffer.isView(left)) return;
  }
  const keys = new Set([...ownKeys(left), ...ownKeys(right)]);
  for (const key of keys) {
    const at = `${path}.${String(key)}`;
    if (!(key in right)) yield `${at}: not expected`;
    else if (!(key in left)) yield `${at}: missing`;
    else {
      yield* differences((left as Keyed)[key], (right as Keyed)[key], at, seen);
    }
  }
}

/** A value in few words: at most 120 characters. */
export function show(value: unknown): string {
  const text = describe(value, 2);
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

function same(a: unknown, b: unknown): boolean {
  return a === b || Object.is(a, b);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isIndexed(value: object): value is ArrayLike<unknown> & object {
  return Array.isArray(value) ||
    (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** The class; an object without one counts as a plain object. */
// deno-lint-ignore ban-types
function kind(value: object): Function {
  return value.constructor ?? Object;
}

/** Own enumerable names and symbols, less the indices that isIndexed covers. */
function ownKeys(value: object): PropertyKey[] {
  const names = isIndexed(value) ? [] : Object.keys(value);
  const symbols = Object.getOwnPropertySymbols(value).filter((symbol) =>
    Object.prototype.propertyIsEnumerable.call(value, symbol)
  );
  return [...names, ...symbols];
}

function asText(value: object): string {
  if (value instanceof Date) return String(value.getTime());
  if (value instanceof RegExp || value instanceof URL) return String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  return "";
}

function* setDifferences(
  actual: Set<unknown>,
  expected: Set<unknown>,
  path: string,
): Generator<string, void, undefined> {
  const holds = (set: Set<unknown>, wanted: unknown) =>
    set.has(wanted) ||
    (isObject(wanted) &&
      [...set].some((one) => differences(one, wanted).next().done));
  for (const one of actual) {
    if (!holds(expected, one)) {
      yield `${path}: holds ${show(one)}, not expected`;
    }
  }
  for (const one of expected) {
    if (!holds(actual, one)) yield `${path}: ${show(one)} is missing`;
  }
}

function* mapDifferences(
  actual: Map<unknown, unknown>,
  expected: Map<unknown, unknown>,
  path: string,
  seen: Map<unknown, unknown>,
): Generator<string, void, undefined> {
  for (const key of new Set([...actual.keys(), ...expected.keys()])) {
    const at = `${path}.get(${show(key)})`;
    if (!expected.has(key)) yield `${at}: not expected`;
    else if (!actual.has(key)) yield `${at}: missing`;
    else yield* differences(actual.get(key), expected.get(key), at, seen);
  }
}

function describe(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `[Function ${value.name}]`;
  if (Object.is(value, -0)) return "-0";
  if (!isObject(value)) return String(value);
  const name = kind(value).name;
  const text = asText(value);
  if (text !== "") return `${name} ${text}`;
  if (depth === 0) return `[${name}]`;
  if (isIndexed(value)) {
    const head = Array.from(
      { length: Math.min(value.length, 20) },
      (_, i) => describe(value[i], depth - 1),
    );
    if (value.length > head.length) head.push("…");
    const list = `[${head.join(", ")}]`;
    return name === "Array" ? list : `${name}(${value.length}) ${list}`;
  }
  if (value instanceof Set || value instanceof Map) {
    return `${name} ${describe([...value], depth)}`;
  }
  const fields = Object.entries(value).map(([key, field]) =>
    `${key}: ${describe(field, depth - 1)}`
  );
  const body = fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
  return name === "Object" ? body : `${name} ${body}`;
}

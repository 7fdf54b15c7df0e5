/**
 * Jinja's filters that the interpreter lacks, or applies in another way than
 * Jinja does.
 *
 * @module
 */
import { Environment, type Interpreter } from "@huggingface/jinja";
import {
  pythonEquals,
  pythonStr,
  type RuntimeValue,
  split,
  strip,
} from "./python.ts";

/** A value inside the interpreter. */
export type Value = ReturnType<Interpreter["evaluate"]>;

/** What a filter does with its operand; undefined leaves it to the interpreter. */
type Filter = (
  operand: RuntimeValue,
  args: () => RuntimeValue[],
  scope: Environment,
) => Value | undefined;

/** A JavaScript value as the interpreter holds it. */
export function toRuntime(value: unknown): Value {
  return new Environment().set("value", value);
}

function listOf(values: Value[]): Value {
  const list = toRuntime([]);
  list.value = values;
  return list;
}

const isText = ({ type }: RuntimeValue) => type === "StringValue";
const isFalse = (value: RuntimeValue) => !(value as Value).__bool__().value;

const attributes = (select: boolean): Filter => (operand) => {
  if (isFalse(operand)) return listOf([]);
  // the characters of a text have no attributes
  return isText(operand)
    ? toRuntime(select ? [] : [...operand.value])
    : undefined;
};

const tests = (wanted: boolean): Filter => (operand, args, scope) => {
  if (isFalse(operand)) return listOf([]);
  const [test, ...rest] = args();
  const items = isText(operand)
    ? [...operand.value].map(toRuntime)
    : operand.value as Value[];
  const run = test === undefined
    ? (one: Value) => one.__bool__().value
    : test.value === "in"
    ? (one: Value, list: Value) =>
      isWithin(one as RuntimeValue, list as RuntimeValue)
    : scope.tests.get(test.value);
  if (run === undefined) throw new Error(`Unknown test: ${test?.value}`);
  return listOf(
    items.filter((one) => run(one, ...rest as Value[]) === wanted),
  );
};

function isWithin(one: RuntimeValue, { type, value }: RuntimeValue): boolean {
  if (type === "StringValue") return value.includes(one.value);
  if (type === "ObjectValue") return value.has(one.value);
  return value.some((other: RuntimeValue) => pythonEquals(one, other));
}

const ends = (pattern: RegExp): Filter => (operand) =>
  isText(operand) ? toRuntime(pattern.exec(operand.value)?.[0]) : undefined;

/** How many characters a text has; a pair of surrogates is one. */
function lengthOf(text: string): number {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, "-").length;
}

/** Filters by name. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  // trim takes anything in Jinja, None as "None"
  [
    "trim",
    (operand, args) => toRuntime(strip(pythonStr(operand), args()[0]?.value)),
  ],
  ["string", (operand) => toRuntime(pythonStr(operand))],
  [
    "list",
    (operand) => isText(operand) ? toRuntime([...operand.value]) : undefined,
  ],
  [
    "count",
    ({ value }) =>
      toRuntime(
        typeof value === "string"
          ? lengthOf(value)
          : value.length ?? value.size ?? 0,
      ),
  ],
  [
    "length",
    (operand) =>
      isText(operand) ? toRuntime(lengthOf(operand.value)) : undefined,
  ],
  ["first", ends(/^[^]/u)],
  ["last", ends(/[^]$/u)],
  ["replace", (operand, args) => {
    const [from, to, ...rest] = args();
    return isText(operand) && rest.length === 0 && from && to
      ? toRuntime(split(operand.value, from.value).join(to.value))
      : undefined;
  }],
  [
    "join",
    (operand, args) =>
      operand.type === "ArrayValue"
        ? toRuntime(operand.value.map(pythonStr).join(args()[0]?.value ?? ""))
        : undefined,
  ],
  ["tojson", ({ type }) => {
    if (type === "UndefinedValue") {
      throw new Error("what is undefined has no JSON");
    }
    return undefined;
  }],
  ["select", tests(true)],
  ["reject", tests(false)],
  ["selectattr", attributes(true)],
  ["rejectattr", attributes(false)],
]);

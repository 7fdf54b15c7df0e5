/**
 * The parts of Jinja's `for`: what it goes over, what it binds, what its body
 * knows of the loop, and how it is left.
 *
 * @module
 */
import type { Environment } from "@huggingface/jinja";
import { toRuntime, type Value } from "./filters.ts";
import type { AnyNode } from "./outputs.ts";
import type { RuntimeValue } from "./python.ts";

/** What `break` and `continue` throw: text that was written before them stays. */
export class LoopExit extends Error {
  /** What was written in this turn of the loop. */
  text = "";
  /** Whether the loop ends, or goes on with the next item. */
  readonly kind: "Break" | "Continue";

  /** Leaves a turn of a loop. */
  constructor(kind: "Break" | "Continue") {
    super(`${kind.toLowerCase()} stands outside of a loop`);
    this.kind = kind;
  }
}

/** What a loop goes over: items, keys, characters; nothing where it is undefined. */
export function itemsOf({ type, value }: RuntimeValue): Value[] {
  switch (type) {
    case "ArrayValue":
    case "TupleValue":
      return value;
    case "ObjectValue":
      return [...value.keys()].map(toRuntime);
    case "StringValue":
      return [...value].map(toRuntime);
    case "UndefinedValue":
      return [];
  }
  throw new Error(`a loop cannot go over ${type}`);
}

/** Sets the variable of a loop, or several where its items are lists. */
export function bind(
  scope: Environment,
  target: AnyNode,
  item: Value,
): Environment {
  if (target.type !== "TupleLiteral") {
    scope.setVariable(target.value, item);
    return scope;
  }
  const parts = itemsOf(item as RuntimeValue);
  if (parts.length !== target.value.length) {
    throw new Error(
      `a loop has ${target.value.length} variables for ${parts.length} values`,
    );
  }
  target.value.forEach((one: AnyNode, i: number) =>
    bind(scope, one, parts[i]!)
  );
  return scope;
}

/** The variable `loop`. */
export function loopOf(items: readonly Value[], i: number): Value {
  const { length } = items;
  const loop = toRuntime({
    index: i + 1,
    index0: i,
    revindex: length - i,
    revindex0: length - i - 1,
    first: i === 0,
    last: i === length - 1,
    length,
  });
  const undefinedValue = toRuntime(undefined);
  (loop.value as Map<string, Value>)
    .set("previtem", items[i - 1] ?? undefinedValue)
    .set("nextitem", items[i + 1] ?? undefinedValue);
  return loop;
}

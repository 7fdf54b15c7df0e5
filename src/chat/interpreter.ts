/**
 * Jinja as Hugging Face runs it: the parser and interpreter of
 * `@huggingface/jinja`, with what they leave to be wished of Python put right
 * where each node is evaluated, and a limit on what a template may cost.
 *
 * It writes no Jinja of its own: a node that Python and the interpreter agree
 * on goes straight through.
 *
 * @module
 */
import {
  type Environment,
  Environment as Scope,
  Interpreter,
} from "@huggingface/jinja";
import { ChatTemplateError } from "./errors.ts";
import { FILTERS, toRuntime, type Value } from "./filters.ts";
import {
  pythonEquals,
  pythonStr,
  type RuntimeValue,
  STRING_METHODS,
} from "./python.ts";

/**
 * Nodes a rendering may evaluate. A real template costs some hundred a message,
 * so this is a conversation of some thousand messages; an endless loop hits it
 * within seconds.
 */
const MOST_STEPS = 2_000_000;

/** UTF-16 units a single value may hold: far above any chat, far below the engine's own limit. */
const MOST_TEXT = 1 << 26;

type Node = Parameters<Interpreter["evaluate"]>[0];

/** A node of the tree, as far as it is looked into here. */
// deno-lint-ignore no-explicit-any
type AnyNode = { readonly type: string } & Record<string, any>;

/** A value that has been computed already, in the place of the node that made it. */
function done(value: Value): Node {
  return { type: "Done", value } as unknown as Node;
}

function literal(value: string): Node {
  return { type: "StringLiteral", value } as unknown as Node;
}

/**
 * Wraps every expression that stands where text is written, so that its value
 * is printed as Python prints it: None, True, {'a': 1}.
 */
export function markOutputs(node: unknown): void {
  if (typeof node !== "object" || node === null) return;
  if (node instanceof Map) {
    for (const [key, value] of node) [key, value].forEach(markOutputs);
    return;
  }
  for (const [key, value] of Object.entries(node)) {
    if (Array.isArray(value) && BLOCKS.has(key)) {
      value.forEach((child: AnyNode, i) => {
        if (EXPRESSION.test(child.type)) {
          value[i] = { type: "Output", expression: child };
        }
      });
    }
    markOutputs(value);
  }
}

const BLOCKS: ReadonlySet<string> = new Set([
  "body",
  "alternate",
  "defaultBlock",
]);

const EXPRESSION =
  /^(Identifier|\w+Expression|Ternary|(Integer|Float|Array|Tuple|Object)Literal)$/;

/** The name of the condition that stands for a generation tag. */
export const GENERATION = "generation_block_of_the_chat_template";

/** Stands for `{% generation %}` in tagged text: a noncharacter, which no interchange has. */
export const TAG_OPEN = "\ufdd0";
/** Stands for `{% endgeneration %}`. */
export const TAG_CLOSE = "\ufdd1";

/** The interpreter, for one rendering. */
export class PythonInterpreter extends Interpreter {
  #steps = 0;
  readonly #tagged: boolean;

  /** With `tagged`, what generation tags enclose stands between marks. */
  constructor(environment: Environment, tagged: boolean) {
    super(environment);
    this.#tagged = tagged;
  }

  /** Evaluates a node, as Python would. */
  override evaluate(node: Node, scope: Environment): Value {
    if (++this.#steps > MOST_STEPS) {
      throw new ChatTemplateError(
        "limit",
        `Cannot render chat template as it must end within ${MOST_STEPS} steps: it has a loop without an end, or nearly`,
      );
    }
    const value = this.#evaluate(node as unknown as AnyNode, scope) ??
      super.evaluate(node, scope);
    if (value.type === "StringValue") {
      const { length } = value.value as string;
      if (length > MOST_TEXT) {
        throw new ChatTemplateError(
          "limit",
          `Cannot render chat template as its text must stay within ${MOST_TEXT} characters: current value is ${length}`,
        );
      }
    }
    return value;
  }

  /** What differs from the interpreter's own ways; undefined where nothing does. */
  #evaluate(node: AnyNode | undefined, scope: Environment): Value | undefined {
    switch (node?.type) {
      case "Done":
        return node.value;
      case "Output":
        return this.#text(pythonStr(this.#value(node.expression, scope)));
      case "BinaryExpression":
        return this.#binary(node, scope);
      case "CallExpression":
        return this.#call(node, scope);
      case "FilterExpression":
        return this.#filter(node, scope);
      case "MemberExpression":
        return this.#member(node, scope);
      case "For":
        return this.#for(node, scope);
      case "If":
        return node.test.value === GENERATION
          ? this.#generation(node.body, scope)
          : undefined;
    }
    return undefined;
  }

  #value(node: AnyNode, scope: Environment): RuntimeValue {
    return this.evaluate(node as unknown as Node, scope) as RuntimeValue;
  }

  #text(text: string): Value {
    return super.evaluate(literal(text), this.global);
  }

  #binary(node: AnyNode, scope: Environment): Value | undefined {
    const operator: string = node.operator.value;
    if (!["+", "~", "==", "!=", "%"].includes(operator)) return undefined;
    const left = this.#value(node.left, scope);
    const right = this.#value(node.right, scope);
    switch (operator) {
      case "==":
        return toRuntime(pythonEquals(left, right));
      case "!=":
        return toRuntime(!pythonEquals(left, right));
      case "~":
        return this.#text(pythonStr(left) + pythonStr(right));
      case "%":
        if (left.type === "IntegerValue" && right.type === "IntegerValue") {
          // the sign is the divisor's in Python, the dividend's in JavaScript
          const rest = left.value % right.value;
          return toRuntime(
            rest !== 0 && (rest < 0) !== (right.value < 0)
              ? rest + right.value
              : rest,
          );
        }
        break;
      case "+": {
        const texts = [left, right].map(({ type }) => type === "StringValue");
        if (texts[0] && texts[1]) return this.#text(left.value + right.value);
        if (texts[0] || texts[1]) {
          throw new Error(
            `can only join text to text: got ${left.type} + ${right.type}`,
          );
        }
      }
    }
    const computed = {
      ...node,
      left: done(left as Value),
      right: done(right as Value),
    };
    return super.evaluate(computed as unknown as Node, scope);
  }

  /** `text.method(...)` for the methods of Python's strings. */
  #call(node: AnyNode, scope: Environment): Value | undefined {
    const { callee, args } = node;
    if (callee.type !== "MemberExpression" || callee.computed) return undefined;
    const method = STRING_METHODS.get(callee.property.value);
    if (method === undefined) return undefined;
    const object = this.#value(callee.object, scope);
    if (object.type !== "StringValue") {
      const known = { ...callee, object: done(object as Value) };
      const computed = { ...node, callee: known };
      return super.evaluate(computed as unknown as Node, scope);
    }
    const values = args.map((one: AnyNode) => {
      const isNamed = one.type === "KeywordArgumentExpression";
      return this.#value(isNamed ? one.value : one, scope).value;
    });
    return toRuntime(method(object.value, ...values));
  }

  #filter(node: AnyNode, scope: Environment): Value | undefined {
    const { filter } = node;
    const name: string = filter.callee?.value ?? filter.value;
    const apply = FILTERS.get(name);
    if (apply === undefined) return undefined;
    const operand = this.#value(node.operand, scope);
    const args: AnyNode[] = filter.args ?? [];
    // a filter that is the interpreter's own reads its arguments itself
    const values = () => args.map((one) => this.#value(one, scope));
    const result = apply(operand, values, scope);
    if (result !== undefined) return result;
    const computed = { ...node, operand: done(operand as Value) };
    return super.evaluate(computed as unknown as Node, scope);
  }

  /** A generation block: what it sets is its own. */
  #generation(body: AnyNode[], scope: Environment): Value {
    const block = { type: "Program", body };
    const text = this.#value(block, new Scope(scope)).value;
    return this.#text(this.#tagged ? TAG_OPEN + text + TAG_CLOSE : text);
  }

  /** An attribute of what is undefined is an error, not one more undefined. */
  #member(node: AnyNode, scope: Environment): Value | undefined {
    const object = this.#value(node.object, scope);
    if (object.type === "UndefinedValue") {
      throw new Error(
        `${nameOf(node.object)} is undefined and has no ${
          nameOf(node.property)
        }`,
      );
    }
    const computed = { ...node, object: done(object as Value) };
    return super.evaluate(computed as unknown as Node, scope);
  }

  /** `for` over a string goes over its characters. */
  #for(node: AnyNode, scope: Environment): Value | undefined {
    const { iterable } = node;
    if (iterable.type === "SelectExpression") return undefined;
    const value = this.#value(iterable, scope);
    const items = value.type === "StringValue"
      ? toRuntime([...value.value])
      : value;
    const computed = { ...node, iterable: done(items as Value) };
    return super.evaluate(computed as unknown as Node, scope);
  }
}

/** A node as an error names it. */
function nameOf(node: AnyNode): string {
  if (node.type === "MemberExpression") {
    return `${nameOf(node.object)}.${nameOf(node.property)}`;
  }
  return typeof node.value === "string" ? node.value : "it";
}

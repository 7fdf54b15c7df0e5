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
import { Budget } from "./budget.ts";
import { FILTERS, toRuntime, type Value } from "./filters.ts";
import { bind, itemsOf, LoopExit, loopOf } from "./loops.ts";
import {
  type AnyNode,
  done,
  GENERATION,
  literal,
  nameOf,
  type Node,
  TAG_CLOSE,
  TAG_OPEN,
} from "./outputs.ts";
import {
  NAMED_ARGUMENTS,
  pythonEquals,
  pythonModulo,
  pythonStr,
  type RuntimeValue,
  STRING_METHODS,
} from "./python.ts";

/** Filters that make a list of a text's characters. */
const SPREADING: ReadonlySet<string> = new Set(
  "list select reject join unique sort".split(" "),
);

/** The interpreter, for one rendering. */
export class PythonInterpreter extends Interpreter {
  readonly #budget = new Budget();
  readonly #tagged: boolean;

  /** With `tagged`, what generation tags enclose stands between marks. */
  constructor(environment: Environment, tagged: boolean) {
    super(environment);
    this.#tagged = tagged;
  }

  /** Evaluates a node, as Python would. */
  override evaluate(node: Node, scope: Environment): Value {
    this.#budget.enter();
    const value = this.#evaluate(node as unknown as AnyNode, scope) ??
      super.evaluate(node, scope);
    this.#budget.leave();
    if (node?.type === "CallExpression" && Array.isArray(value.value)) {
      this.#budget.spend(value.value.length / 4);
    }
    return this.#budget.hold(value as RuntimeValue) as Value;
  }

  /** What differs from the interpreter's own ways; undefined where nothing does. */
  #evaluate(node: AnyNode | undefined, scope: Environment): Value | undefined {
    switch (node?.type) {
      case "Done":
        return node.value;
      case "Output":
        return this.#text(this.#str(this.#value(node.expression, scope)));
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
        return this.#if(node, scope);
      case "Macro":
        return this.#macro(node, scope);
      case "Break":
      case "Continue":
        throw new LoopExit(node.type);
    }
    return undefined;
  }

  #value(node: AnyNode, scope: Environment): RuntimeValue {
    return this.evaluate(node as unknown as Node, scope) as RuntimeValue;
  }

  #text(text: string): Value {
    return super.evaluate(literal(text), this.global);
  }

  #str(value: RuntimeValue): string {
    if (typeof value.value === "object") this.#budget.readDeep(value);
    return pythonStr(value);
  }

  /** The text of some statements; what stands before a `break` is kept. */
  #block(statements: readonly AnyNode[], scope: Environment): string {
    let text = "";
    for (const statement of statements) {
      try {
        const value = this.#value(statement, scope);
        const { type } = value;
        if (type === "StringValue") text += value.value;
        else if (type !== "NullValue" && type !== "UndefinedValue") {
          text += value.toString();
        }
      } catch (error) {
        if (error instanceof LoopExit) error.text = text + error.text;
        throw error;
      }
    }
    return text;
  }

  #binary(node: AnyNode, scope: Environment): Value | undefined {
    const operator: string = node.operator.value;
    if (["and", "or"].includes(operator)) return undefined;
    const left = this.#value(node.left, scope);
    const right = this.#value(node.right, scope);
    if (operator === "==" || operator === "!=") {
      this.#budget.readDeep(left);
      this.#budget.readDeep(right);
    } else if (operator === "in" || operator === "not in") {
      this.#budget.read(right);
    } else if (Array.isArray(left.value)) {
      this.#budget.read(left);
      this.#budget.read(right);
    }
    switch (operator) {
      case "==":
        return toRuntime(pythonEquals(left, right));
      case "!=":
        return toRuntime(!pythonEquals(left, right));
      case "~":
        return this.#text(this.#str(left) + this.#str(right));
      case "%":
        if (left.type !== "IntegerValue" || right.type !== left.type) break;
        return toRuntime(pythonModulo(left.value, right.value));
      case "*": {
        const [text, times] = left.type === "StringValue"
          ? [left, right]
          : [right, left];
        if (text.type !== "StringValue" || times.type !== "IntegerValue") break;
        return this.#text(this.#budget.repeat(text.value, times.value));
      }
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
    const object = this.#value(callee.object, scope);
    if (object.type === "UndefinedValue") return undefined;
    this.#budget.read(object);
    const method = STRING_METHODS.get(callee.property.value);
    if (method === undefined || object.type !== "StringValue") {
      const known = { ...callee, object: done(object as Value) };
      const computed = { ...node, callee: known };
      return super.evaluate(computed as unknown as Node, scope);
    }
    const values: unknown[] = [];
    for (const one of args) {
      const isNamed = one.type === "KeywordArgumentExpression";
      const place = isNamed ? NAMED_ARGUMENTS[one.key.value] : values.length;
      if (place === undefined) throw new Error(`no argument ${one.key.value}`);
      values[place] = this.#value(isNamed ? one.value : one, scope).value;
    }
    const result = method(object.value, ...values);
    if (Array.isArray(result)) this.#budget.spend(result.length);
    return toRuntime(result);
  }

  #filter(node: AnyNode, scope: Environment): Value | undefined {
    const { filter } = node;
    const name: string = filter.callee?.value ?? filter.value;
    const operand = this.#value(node.operand, scope);
    if (name === "tojson" || name === "string") this.#budget.readDeep(operand);
    else this.#budget.read(operand);
    if (operand.type === "StringValue" && SPREADING.has(name)) {
      this.#budget.spread(operand.value);
    }
    const args: AnyNode[] = filter.args ?? [];
    // a filter that is the interpreter's own reads its arguments itself
    const values = () => args.map((one) => this.#value(one, scope));
    const result = FILTERS.get(name)?.(operand, values, scope);
    if (result !== undefined) return result;
    const computed = { ...node, operand: done(operand as Value) };
    return super.evaluate(computed as unknown as Node, scope);
  }

  /** A condition, or a generation block: what that sets is its own. */
  #if({ test, body, alternate }: AnyNode, scope: Environment): Value {
    if (test.value === GENERATION) {
      const text = this.#block(body, new Scope(scope));
      return this.#text(this.#tagged ? TAG_OPEN + text + TAG_CLOSE : text);
    }
    const holds = this.evaluate(test as unknown as Node, scope).__bool__();
    return this.#text(this.#block(holds.value ? body : alternate, scope));
  }

  /** A macro sees what stands around it, not what stands around its call. */
  #macro(node: AnyNode, scope: Environment): Value {
    const made = super.evaluate(node as unknown as Node, scope);
    const macro = scope.lookupVariable(node.name.value);
    const call = macro.value as (args: unknown[], from: Environment) => Value;
    macro.value = (args: unknown[], from: Environment) => {
      const around = new Scope(scope);
      const caller = from.variables.get("caller");
      if (caller !== undefined) around.setVariable("caller", caller);
      return call(args, around);
    };
    return made;
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
    if (node.property.type === "SliceExpression") this.#budget.read(object);
    else if (
      node.computed && object.type === "StringValue" &&
      /[\ud800-\udbff]/.test(object.value)
    ) {
      const at = this.#value(node.property, scope);
      this.#budget.spread(object.value);
      if (at.type === "IntegerValue") {
        return toRuntime([...object.value].at(at.value));
      }
    }
    const computed = { ...node, object: done(object as Value) };
    return super.evaluate(computed as unknown as Node, scope);
  }

  /** A loop: each turn of it has variables of its own. */
  #for(node: AnyNode, scope: Environment): Value {
    const { iterable, loopvar, body, defaultBlock } = node;
    const isChosen = iterable.type === "SelectExpression";
    const list = this.#value(isChosen ? iterable.lhs : iterable, scope);
    if (list.type === "StringValue") this.#budget.spread(list.value);
    let items = itemsOf(list);
    this.#budget.spend(items.length);
    if (isChosen) {
      items = items.filter((item) => {
        const around = bind(new Scope(scope), loopvar, item);
        return this.evaluate(iterable.test, around).__bool__().value;
      });
    }
    const { depth } = this.#budget;
    let text = "";
    for (let i = 0; i < items.length; i++) {
      const around = bind(new Scope(scope), loopvar, items[i]!);
      around.setVariable("loop", loopOf(items, i));
      try {
        text += this.#block(body, around);
      } catch (error) {
        if (!(error instanceof LoopExit)) throw error;
        text += error.text;
        this.#budget.depth = depth;
        if (error.kind === "Break") break;
      }
    }
    return this.#text(
      items.length > 0 ? text : this.#block(defaultBlock, scope),
    );
  }
}

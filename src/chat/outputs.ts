/**
 * Where a template writes. Every expression that stands where text goes is
 * wrapped, so that its value is printed as Python prints it; and what a
 * generation tag becomes has its name here.
 *
 * @module
 */
import type { Interpreter } from "@huggingface/jinja";
import type { Value } from "./filters.ts";

/** A node as the interpreter takes it. */
export type Node = Parameters<Interpreter["evaluate"]>[0];

/** A node of the tree, as far as it is looked into here. */
// deno-lint-ignore no-explicit-any
export type AnyNode = { readonly type: string } & Record<string, any>;

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

/** A node as an error names it. */
export function nameOf(node: AnyNode): string {
  if (node.type === "MemberExpression") {
    return `${nameOf(node.object)}.${nameOf(node.property)}`;
  }
  return typeof node.value === "string" ? node.value : "it";
}

/** A value that has been computed already, in the place of the node that made it. */
export function done(value: Value): Node {
  return { type: "Done", value } as unknown as Node;
}

/** A text in the place of a node. */
export function literal(value: string): Node {
  return { type: "StringLiteral", value } as unknown as Node;
}

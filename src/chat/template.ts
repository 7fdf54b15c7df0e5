/**
 * A chat template: Jinja text from a model's own files, compiled once, rendered
 * for many conversations. Time stands still while it renders.
 *
 * Nothing is changed about what a template says. What may not run is refused
 * with the template's own words or the interpreter's.
 *
 * @module
 */
import { Environment, parse, tokenize } from "@huggingface/jinja";
import { outOfRange, wrongKind } from "../checks.ts";
import { ChatTemplateError } from "./errors.ts";
import { PythonInterpreter } from "./interpreter.ts";
import { GENERATION, markOutputs } from "./outputs.ts";
import { strftime } from "./strftime.ts";

/** What a template is rendered with. */
export interface RenderInput {
  /** The conversation, as the template is to see it. */
  readonly messages: readonly unknown[];
  /** Function signatures. */
  readonly tools?: readonly unknown[] | undefined;
  /** The text of the token that begins a sequence (default ""). */
  readonly bosToken?: string | undefined;
  /** The text of the token that ends one (default ""). */
  readonly eosToken?: string | undefined;
  /** Whether the header of an answer follows the last message (default false). */
  readonly addGenerationPrompt?: boolean;
  /** What the template's clock says, in UTC (default: the day of the call). */
  readonly date?: Date | undefined;
  /** Further variables of the template, such as `enable_thinking`. */
  readonly templateOptions?: Readonly<Record<string, unknown>> | undefined;
}

/** A compiled template. */
export interface ChatTemplate {
  /** The Jinja text. */
  readonly source: string;
  /** The string literals of the template that have a letter or digit. */
  readonly literals: readonly string[];
  /** Whether it marks the assistant's text with `{% generation %}`. */
  readonly hasGenerationTags: boolean;
  /** Whether it can ask for the date. */
  readonly readsClock: boolean;
  /** The conversation as text. */
  render(input: RenderInput): string;
  /** The same text, TAG_OPEN and TAG_CLOSE around what the generation tags enclose. */
  renderTagged(input: RenderInput): string;
}

/** Longer templates than this are not templates; real ones have up to 20,000 characters. */
const MOST_SOURCE = 1 << 18;

/** Runs of whitespace beyond this would cost the lexer's patterns the square of their length. */
const MOST_SPACES = 512;

/** Jinja's own limit in its sandbox, MAX_RANGE. */
const MOST_RANGE = 100_000;

const GENERATION_TAG = /\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}/g;

const compiled = new Map<string, ChatTemplate>();

/** How many compiled templates are kept. */
const KEPT = 32;

/** Compiles a template, or finds it compiled. */
export function compileTemplate(source: string): ChatTemplate {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  const template = compile(source);
  if (compiled.size >= KEPT) {
    compiled.delete(compiled.keys().next().value as string);
  }
  compiled.set(source, template);
  return template;
}

function compile(source: string): ChatTemplate {
  if (typeof source !== "string") {
    throw new TypeError(
      `Cannot render chat as chatTemplate must be a string: current value is ${typeof source}`,
    );
  }
  if (source.length > MOST_SOURCE) {
    throw refuse("limit", `it must stay within ${MOST_SOURCE} characters`);
  }
  // Jinja reads every line ending as \n
  const text = source.replace(/\r\n?/g, "\n");
  if (new RegExp(`\\s{${MOST_SPACES}}`).test(text)) {
    throw refuse("limit", `it must hold no ${MOST_SPACES} spaces in a row`);
  }
  // a block that the parser knows; the interpreter tells it by its name
  const program = parseTemplate(
    text.replace(
      GENERATION_TAG,
      (_, before: string, end: string | undefined, after: string) =>
        `{%${before} ${end ? "endif" : `if ${GENERATION}`} ${after}%}`,
    ),
  );
  return {
    source,
    literals: program.literals,
    hasGenerationTags: program.isTagged,
    readsClock: /strftime_now/.test(text),
    render: (input) => run(program, input, false),
    renderTagged: (input) => run(program, input, true),
  };
}

interface Program {
  readonly tree: ReturnType<typeof parse>;
  readonly literals: readonly string[];
  readonly isTagged: boolean;
}

function parseTemplate(text: string): Program {
  try {
    const tokens = tokenize(text, { lstrip_blocks: true, trim_blocks: true });
    const literals = tokens.filter(({ type, value }) =>
      type === "StringLiteral" && /[\p{L}\p{N}]/u.test(value)
    ).map(({ value }) => value);
    const tree = parse(tokens);
    markOutputs(tree);
    const isTagged = tokens.some(({ value }) => value === GENERATION);
    return { tree, literals: [...new Set(literals)], isTagged };
  } catch (cause) {
    throw refuse(kindOf(cause), wordsOf(cause), cause);
  }
}

function run(
  { tree }: Program,
  input: RenderInput,
  tagged: boolean,
): string {
  const environment = new Environment();
  // the variables first: a template option may not hide what a template needs
  const variables: Record<string, unknown> = {
    ...input.templateOptions,
    messages: input.messages,
    tools: input.tools ?? null,
    documents: input.templateOptions?.documents ?? null,
    bos_token: input.bosToken ?? "",
    eos_token: input.eosToken ?? "",
    add_generation_prompt: input.addGenerationPrompt ?? false,
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    raise_exception: (words: string) => {
      throw new Refusal(String(words));
    },
    strftime_now: (format: string) => strftime(dateOf(input), format),
  };
  try {
    for (const [name, value] of Object.entries(variables)) {
      if (name !== "namespace") environment.set(name, value);
    }
    return String(new PythonInterpreter(environment, tagged).run(tree).value);
  } catch (cause) {
    if (cause instanceof ChatTemplateError) throw cause;
    if (cause instanceof Refusal) {
      throw new ChatTemplateError(
        "refused",
        `The chat template refuses the conversation: ${cause.message}`,
        { cause },
      );
    }
    throw refuse(kindOf(cause), wordsOf(cause), cause);
  }
}

/** What `raise_exception` throws, told from what the interpreter throws. */
class Refusal extends Error {}

/** The day of a call that names none: midnight, so that a day's runs agree. */
export function dateOf({ date }: { date?: Date | string | undefined }): Date {
  if (date === undefined) {
    return new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000);
  }
  const read = typeof date === "string" ? new Date(date) : date;
  if (!(read instanceof Date)) {
    wrongKind("render chat", "date must be a Date or its ISO text", date);
  }
  if (Number.isNaN(read.getTime())) {
    outOfRange("render chat", "date must be a day", date);
  }
  return read;
}

function range(from: number, to?: number, step = 1): number[] {
  const [start, end] = to === undefined ? [0, from] : [from, to];
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (!(count <= MOST_RANGE)) {
    throw refuse("limit", `range() must stay within ${MOST_RANGE} numbers`);
  }
  return Array.from({ length: count }, (_, i) => start + i * step);
}

function refuse(
  reason: "limit" | "template",
  words: string,
  cause?: unknown,
): ChatTemplateError {
  return new ChatTemplateError(
    reason,
    `Cannot render chat template: ${words}`,
    { cause },
  );
}

/** The engine's own limits, of its stack and of its strings, throw RangeErrors. */
function kindOf(cause: unknown): "limit" | "template" {
  return cause instanceof RangeError ? "limit" : "template";
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

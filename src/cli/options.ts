/**
 * The options of a command as a table: what is parsed and what `--help` says
 * are the same rows, so neither can drift from the other. What is not in the
 * table is an error that names the nearest thing that is.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { wrapWords } from "../report/visible.ts";
import { oneLine, UsageError } from "./errors.ts";

/** One option. */
export interface OptionSpec {
  /** What it does, as help says it. */
  readonly help: string;
  /** What its value is called in help; without one it is a flag. */
  readonly value?: string;
  /** One letter that stands for it. */
  readonly short?: string;
  /** Whether it may be said several times. */
  readonly repeat?: true;
}

/** Options by their long names. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** A part of a command's options, under a heading in its help. */
export interface OptionGroup {
  /** The heading. */
  readonly title: string;
  /** The options, in the order help shows them. */
  readonly options: OptionSpecs;
}

/** What help says of a command. */
export interface CommandHelp {
  /** Its name. */
  readonly name: string;
  /** What follows the name, such as `FILE --tokenizer DIR [OPTIONS]`. */
  readonly usage: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What it does, in paragraphs. */
  readonly about: readonly string[];
  /** Its options. */
  readonly groups: readonly OptionGroup[];
  /** What one might type. */
  readonly examples: readonly string[];
}

/** What every command takes. */
const COMMON: OptionGroup = {
  title: "Other",
  options: { help: { short: "h", help: "show this" } },
};

/** A parsed command line. */
export class Args {
  /** What was said without a dash, `-` among it. */
  readonly positionals: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;
  readonly #names: ReadonlyMap<string, string>;

  /** Made by {@link parseCommand}. */
  constructor(
    positionals: readonly string[],
    values: ReadonlyMap<string, readonly string[]>,
    names: ReadonlyMap<string, string>,
  ) {
    this.positionals = positionals;
    this.#values = values;
    this.#names = names;
  }

  /** An option as it was typed: `-n` or `--count`. */
  name(name: string): string {
    return this.#names.get(name) ?? `--${name}`;
  }

  /** Whether an option was said. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** What was said of an option, if it was. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  /** What was said of an option that may be said several times. */
  texts(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** What was said of an option, or an error that names it. */
  required(name: string, why: string): string {
    const value = this.text(name);
    if (value !== undefined) return value;
    throw new UsageError(`--${name} is needed: ${why}`);
  }

  /** A whole number of at least `least`. */
  count(name: string, least: number): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > 0x7fffffff) {
      throw new UsageError(
        `${this.name(name)} must be a whole number of at least ${least}: got ${
          quote(value)
        }`,
      );
    }
    return number;
  }

  /** One of some words. */
  word<T extends string>(name: string, words: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined || words.includes(value as T)) {
      return value as T | undefined;
    }
    throw new UsageError(
      `${this.name(name)} must be one of ${words.join(", ")}: got ${
        quote(value)
      }`,
    );
  }

  /** The only positional. */
  onePositional(name: string, what: string): string {
    const [value, ...more] = this.positionals;
    if (value === undefined) {
      throw new UsageError(`${name} is needed: ${what}`);
    }
    if (more.length > 0) {
      throw new UsageError(
        `one ${name} at a time: got ${
          this.positionals.map(quote).join(" and ")
        }`,
      );
    }
    return value;
  }
}

/** A word of the command line as a message shows it. */
export function quote(value: string): string {
  const short = value.length > 60 ? `${value.slice(0, 60)}…` : value;
  return `"${oneLine(short)}"`;
}

/** Parses what follows a command's name. */
export function parseCommand(help: CommandHelp, args: readonly string[]): Args {
  const specs: OptionSpecs = Object.assign(
    {},
    ...[...help.groups, COMMON].map(({ options }) => options),
  );
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(specs).map(([name, { short, value }]) => [name, {
        type: value === undefined ? "boolean" : "string",
        ...(short === undefined ? {} : { short }),
      }]),
    ),
    strict: false, // its errors are not one line
    allowPositionals: true,
    tokens: true,
  });
  const positionals: string[] = [];
  const values = new Map<string, string[]>();
  const names = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    const spec = Object.hasOwn(specs, name) ? specs[name]! : null;
    if (spec === null) throw new UsageError(unknown(rawName, specs));
    if (spec.value === undefined && value !== undefined) {
      throw new UsageError(`--${name} takes no value: got ${quote(value)}`);
    }
    // a value that looks like an option is one whose value was forgotten
    const isForgotten = value === undefined ||
      (!inlineValue && /^-./.test(value) && !/^-\d/.test(value));
    if (spec.value !== undefined && (isForgotten || value === "")) {
      throw new UsageError(
        `${rawName} needs a value: ${rawName} ${spec.value}`,
      );
    }
    const said = values.get(name) ?? [];
    if (said.length > 0 && !spec.repeat && said[0] !== (value ?? "")) {
      throw new UsageError(`--${name} is said twice`);
    }
    values.set(name, [...said, value ?? ""]);
    names.set(name, rawName);
  }
  return new Args(positionals, values, names);
}

function unknown(rawName: string, specs: OptionSpecs): string {
  const near = nearest(rawName.replace(/^-+/, ""), Object.keys(specs));
  return `there is no option ${oneLine(rawName)}` +
    (near === null ? "" : `: did you mean --${near}?`);
}

/** The word most like another, if it is like enough. */
export function nearest(word: string, words: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const one of words) {
    const distance = editDistance(word, one);
    if (distance < least) [best, least] = [one, distance];
  }
  return best;
}

/** How many letters must be put in, left out or changed (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
      ));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The name of the program. */
export const PROGRAM = "sft-loss";

/** Columns of help; it is as wide on paper as on a screen. */
const WIDTH = 80;

/** Columns before what an option does. */
const INDENT = 28;

/** A command's help. */
export function helpOf(
  { name, usage, about, groups, examples }: CommandHelp,
): string {
  const lines = [`Usage: ${PROGRAM} ${name} ${usage}`];
  for (const paragraph of about) lines.push("", ...wrapWords(paragraph, WIDTH));
  for (const { title, options } of [...groups, COMMON]) {
    lines.push("", `${title}:`);
    for (const [name, spec] of Object.entries(options)) {
      lines.push(...describe(name, spec));
    }
  }
  if (examples.length > 0) lines.push("", "Examples:");
  for (const example of examples) lines.push(`  ${PROGRAM} ${example}`);
  return `${lines.join("\n")}\n`;
}

function describe(name: string, { short, value, help }: OptionSpec): string[] {
  const head = `  ${short === undefined ? "    " : `-${short}, `}--${name}` +
    (value === undefined ? "" : ` ${value}`);
  const words = wrapWords(help, WIDTH - INDENT);
  const [first, ...rest] = head.length < INDENT - 1
    ? [head.padEnd(INDENT) + words[0], ...words.slice(1)]
    : [head, ...words];
  return [first!, ...rest.map((line) => " ".repeat(INDENT) + line)];
}

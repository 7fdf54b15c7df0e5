/**
 * A world for the command line: streams that are strings, and a tokenizer whose
 * tokens are bytes, so that every id can be read by eye. Its folder is made by
 * this file: `deno run --allow-write=tests/cli tests/cli/fixture.ts`.
 *
 * @module
 */
import type { CliIo, Output } from "../../src/cli/io.ts";
import { run } from "../../src/cli/main.ts";

/** The tokenizer's folder: ids 0 to 255 are bytes. */
export const TOKENIZER = "tests/cli/tokenizer";

/** The ids of its special tokens. */
export const IM_START = 256, IM_END = 257, END_OF_TEXT = 258;

const SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"];

/** ChatML. A message of the role "angry" is refused, as real templates refuse some. */
const CHAT_TEMPLATE = `{% for m in messages %}` +
  `{% if m.role == 'angry' %}{{ raise_exception('Nobody may be angry here') }}{% endif %}` +
  `<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}` +
  `{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}`;

/** GPT-2's letters for the 256 bytes: printable ones stand for themselves. */
function byteLetters(): string[] {
  const isPlain = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from(
    { length: 256 },
    (_, byte) => String.fromCharCode(isPlain(byte) ? byte : next++),
  );
}

/** The folder's files, by name. */
export function tokenizerFiles(): Record<string, string> {
  const json = {
    added_tokens: SPECIAL.map((content, i) => ({
      id: 256 + i,
      content,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      vocab: Object.fromEntries(
        byteLetters().map((letter, id) => [letter, id]),
      ),
      merges: [],
    },
  };
  const config = {
    bos_token: null,
    eos_token: "<|endoftext|>",
    chat_template: CHAT_TEMPLATE,
  };
  return {
    "tokenizer.json": `${JSON.stringify(json)}\n`,
    "tokenizer_config.json": `${JSON.stringify(config, null, 2)}\n`,
  };
}

/** One line of a file of chats: turns as user and assistant in turn. */
export function chatLine(...turns: string[]): string {
  const messages = turns.map((content, i) => ({
    role: i % 2 === 0 ? "user" : "assistant",
    content,
  }));
  return JSON.stringify({ messages });
}

/** A file of chats as the ids of its turns would be: the text of a chat. */
export function chatText(...turns: string[]): string {
  return turns.map((content, i) =>
    `<|im_start|>${i % 2 === 0 ? "user" : "assistant"}\n${content}<|im_end|>\n`
  ).join("");
}

/** How a command ended, and what it said. */
export interface Ended {
  code: number;
  out: string;
  err: string;
}

/** What the world is like. */
export interface World {
  /** Standard input, as one piece or several. */
  stdin?: string | Uint8Array | readonly Uint8Array[];
  /** Whether the outputs are terminals, and how wide. */
  columns?: number;
  /** Whether colours are wanted. */
  color?: boolean;
}

/** Streams that are strings. */
export function createIo(
  { stdin = "", columns, color = false }: World = {},
): { io: CliIo; out: () => string; err: () => string; interrupt: () => void } {
  const bytes = typeof stdin === "string"
    ? [new TextEncoder().encode(stdin)]
    : stdin instanceof Uint8Array
    ? [stdin]
    : stdin;
  const cleanups = new Set<() => void>();
  const written = ["", ""];
  const output = (index: 0 | 1): Output => ({
    write: (data) => {
      written[index] += typeof data === "string"
        ? data
        : new TextDecoder().decode(data);
      return Promise.resolve();
    },
    isTerminal: columns !== undefined,
    columns,
    color,
  });
  return {
    io: {
      stdin: {
        async *[Symbol.asyncIterator]() {
          for (const piece of bytes) if (piece.length > 0) yield await piece;
        },
      },
      stdout: output(0),
      stderr: output(1),
      onInterrupt: (cleanup) => {
        cleanups.add(cleanup);
        return () => void cleanups.delete(cleanup);
      },
    },
    out: () => written[0]!,
    err: () => written[1]!,
    interrupt: () => cleanups.forEach((cleanup) => cleanup()),
  };
}

/** Runs a command line in this process. */
export async function cli(args: string[], world: World = {}): Promise<Ended> {
  const { io, out, err } = createIo(world);
  const code = await run(args, io);
  return { code, out: out(), err: err() };
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(tokenizerFiles())) {
    Deno.writeTextFileSync(`${TOKENIZER}/${name}`, text);
  }
}

/**
 * The shapes in which chats are stored, read into one. Detection goes by the
 * columns' names, never by guesses about the words in them:
 *
 * | shape | columns |
 * |---|---|
 * | `messages` | `messages: [{ role, content, ... }]` |
 * | `sharegpt` | `conversations: [{ from, value }]` |
 * | `prompt` | `prompt` and `completion`, both strings or both lists of messages; or `instruction`, `input?`, `output`, `history?` |
 *
 * Beside any of them `system` and `tools`; every other column is left alone.
 *
 * A turn may have the other shape's words, all of them or one, as in files that
 * were put together: `{ role, value }`, `{ from, content }`. Where `from` or
 * `value` stands, the roles are ShareGPT's: `human` is `user`, `gpt` `assistant`,
 * `observation` `tool`, and what a `function_call` says is its calls. A role
 * beside `content` is handed on as it is, as a template may have roles of its own.
 *
 * @module
 */
import { checkOptions, readCount, readWord } from "../checks.ts";
import type { ChatMessage, Conversation } from "../row.ts";
import type { ToolArguments } from "./calls.ts";
import {
  at,
  checkPlain,
  fault,
  type Fields,
  keysOf,
  own,
  parseJson,
  readFields,
  readList,
  readString,
} from "./fault.ts";
import { readContent, readTurns } from "./turns.ts";

const ACTION = "read conversations";

/** How conversations are read. */
export interface ConversationOptions {
  /** Which columns hold the chat; found by their names unless said. */
  shape?: "auto" | Conversation["shape"];
  /**
   * What becomes of tool-call arguments that are the JSON text of an object:
   * `"parse"` (default) makes them the object, because templates write
   * `arguments | tojson`, which would quote a string once more; `"keep"` leaves
   * the text, for templates that check `arguments is string` or add strings.
   * Text that is not an object's stays text either way.
   */
  toolArguments?: ToolArguments;
}

/** Options that passed the border. */
export interface ConversationSettings {
  readonly shape: "auto" | Conversation["shape"];
  readonly toolArguments: ToolArguments;
}

/** What is wrong with a row that is no conversation because it holds ids already. */
export const IS_TOKENIZED = "the row is already tokenised";

const KNOWN: ReadonlySet<string> = new Set(["shape", "toolArguments"]);

/** Checks the options of a reader of conversations. */
export function readSettings(
  options: ConversationOptions,
): ConversationSettings {
  checkOptions(ACTION, "options", options, KNOWN);
  const words = ["auto", "messages", "sharegpt", "prompt"] as const;
  return {
    shape: readWord(ACTION, "shape", options.shape, [...words]),
    toolArguments: readWord(ACTION, "toolArguments", options.toolArguments, [
      "parse",
      "keep",
    ]),
  };
}

/**
 * Reads one conversation.
 *
 * The template sees each message as it is, but for what is said in two ways in
 * the wild and in one way here: parts of text become a string; parts of
 * reasoning `reasoning_content`; parts and columns that call tools `tool_calls`;
 * `loss_weight` becomes `weight`; axolotl's `training` and ms-swift's `loss` (also
 * 1 and 0; of prompts it says nothing unless it is false) become `train`, and must
 * not contradict each other. Of two equal keys the last counts, as in
 * Python's json. A `null` means that the field is absent, as data sets of fixed
 * columns write it; `content` alone may stay null, beside calls or reasoning.
 *
 * @param value The line's text, or its value.
 * @param options Its line, the first being 1, and how to read it.
 * @returns The conversation.
 * @throws {SyntaxError} When it is not a conversation; the message names the line and the place in it.
 * @throws {TypeError} When an option is of the wrong kind.
 * @throws {RangeError} When an option is out of range.
 *
 * @example One line of ShareGPT
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { parseConversation } from "@sft/loss/formats";
 *
 * const line = `{"conversations": [
 *   {"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}
 * ], "system": "Be short."}`;
 * assertEquals(parseConversation(line, { line: 1 }).messages, [
 *   { role: "system", content: "Be short." },
 *   { role: "user", content: "2 + 2?" },
 *   { role: "assistant", content: "4" },
 * ]);
 *
 * assertThrows(
 *   () => parseConversation({ messages: [{ role: "user", content: 4 }] }, { line: 7 }),
 *   SyntaxError,
 *   "line 7: messages[0].content must be a string, a list of parts or null: got number",
 * );
 * ```
 */
export function parseConversation(
  value: unknown,
  options: ConversationOptions & { line?: number } = {},
): Conversation {
  checkOptions(ACTION, "options", options, new Set([...KNOWN, "line"]));
  const { line: given, ...rest } = options;
  const line = readCount(ACTION, "line", given, 1) ?? 1;
  const settings = readSettings(rest);
  return at("line", line, () => {
    const row = typeof value === "string" ? parseJson("", value) : value;
    return readConversation(row, line, settings);
  });
}

/** Reads the value of a row; faults name the place in it only. */
export function readConversation(
  value: unknown,
  line: number,
  { shape: wanted, toolArguments }: ConversationSettings,
): Conversation {
  const row = readFields("a conversation", value);
  const shape = wanted === "auto" ? shapeOf(row) : wanted;
  const messages = shape === "prompt"
    ? readPrompt(row, toolArguments)
    : shape === "messages"
    ? readTurns("messages", row.messages, toolArguments)
    : readTurns(
      "conversations",
      own(row, "conversations") ?? row.conversation,
      toolArguments,
    );
  const tools = readTools(row);
  return {
    line,
    shape,
    messages: withSystem(row, messages),
    ...(tools.length > 0 ? { tools } : {}),
  };
}

/** The shape whose columns are there; `messages` first, as it says most. */
function shapeOf(row: Fields): Conversation["shape"] {
  const has = (key: string) => own(row, key) !== undefined;
  if (has("messages")) return "messages";
  if (has("conversations") || has("conversation")) return "sharegpt";
  if (has("prompt") && has("completion")) return "prompt";
  if (has("instruction") && has("output")) return "prompt";
  if (has("input_ids")) {
    throw new SyntaxError(`${IS_TOKENIZED}: read it as such`);
  }
  throw new SyntaxError(
    "expected messages, conversations, prompt and completion, or instruction and output: got " +
      keysOf(row),
  );
}

/**
 * A question and its answer. The completion is what is trained (TRL's meaning),
 * so answers inside the prompt get `train: false` unless they say otherwise.
 */
function readPrompt(row: Fields, toolArguments: ToolArguments): ChatMessage[] {
  if (own(row, "prompt") === undefined) return readInstruction(row);
  const { prompt, completion } = row;
  if (Array.isArray(prompt) && Array.isArray(completion)) {
    const asked = readTurns("prompt", prompt, toolArguments);
    return [
      ...asked.map((turn) =>
        turn.role === "assistant" ? { train: false, ...turn } : turn
      ),
      ...readTurns("completion", completion, toolArguments),
    ];
  }
  if (Array.isArray(prompt)) {
    fault("completion", "a list as prompt is", completion);
  }
  return [
    said("user", "prompt", prompt),
    said("assistant", "completion", completion),
  ];
}

/** Alpaca's columns: the input goes under the instruction, earlier turns are pairs. */
function readInstruction(row: Fields): ChatMessage[] {
  const asked = said("user", "instruction", row.instruction);
  const { content: input } = said("user", "input", own(row, "input") ?? "");
  const history = readList("history", own(row, "history") ?? []);
  return [
    ...history.flatMap((pair, i) => {
      const place = `history[${i}]`;
      const turns = readList(place, pair);
      if (turns.length !== 2) fault(place, "a question and its answer", pair);
      return [
        said("user", `${place}[0]`, turns[0]),
        said("assistant", `${place}[1]`, turns[1]),
      ];
    }),
    input === "" ? asked : { ...asked, content: `${asked.content}\n${input}` },
    said("assistant", "output", row.output),
  ];
}

function said(role: string, place: string, value: unknown): ChatMessage {
  const content = readString(place, value);
  checkPlain(place, content);
  return { role, content };
}

/** The system column before the turns; said there and in the first turn, it must be the same. */
function withSystem(row: Fields, messages: ChatMessage[]): ChatMessage[] {
  const column = own(row, "system");
  if (column === undefined || column === "") return messages;
  checkPlain("system", column);
  const { content } = readContent("system", column, "keep");
  const [first] = messages;
  if (first?.role !== "system") {
    return [{ role: "system", content }, ...messages];
  }
  if (first.content === content) return messages;
  throw new SyntaxError("system says one thing, and the first message another");
}

/** `tools`, or `functions` as they were called before, as a list or the JSON text of one. */
function readTools(row: Fields): unknown[] {
  const old = own(row, "tools") === undefined;
  const name = old ? "functions" : "tools";
  const given = own(row, name);
  const text = typeof given === "string" ? given.trim() : null;
  if (given === undefined || text === "") return [];
  const value = text === null ? given : parseJson(name, text);
  checkPlain(name, value);
  const list = Array.isArray(value) ? value : [value];
  return list.map((element: unknown, i) => {
    const place = `${name}[${i}]`;
    const tool = readFields(
      place,
      typeof element === "string" ? parseJson(place, element) : element,
    );
    checkPlain(place, tool);
    return old ? { type: "function", function: tool } : tool;
  });
}

/**
 * Reads chats from JSON lines and turns three file shapes into one.
 *
 * | shape | a line |
 * |---|---|
 * | `messages` | `{ messages: [{ role, content, ... }], tools? }` |
 * | `sharegpt` | `{ conversations: [{ from, value }], system?, tools? }` |
 * | `prompt` | `{ prompt, completion }` |
 *
 * It takes text, not a path, so it runs anywhere. It checks only what it
 * reads; whether a chat template accepts the result is the template's word.
 *
 * @module
 */

/** A call of a tool, as in the OpenAI chat format. */
export interface ToolCall {
  /** The only kind of tool there is. */
  readonly type: "function";
  /** What is called, and with what. */
  readonly function: {
    readonly name: string;
    /** An object, or the JSON text of one. */
    readonly arguments: Readonly<Record<string, unknown>> | string;
  };
}

/** One message of a chat, as in the OpenAI chat format. */
export interface Message {
  /** Who speaks. */
  readonly role: "system" | "user" | "assistant" | "tool";
  /** Never null: a message that only calls tools has the content "". */
  readonly content: string;
  /** What a reasoning model thought before it answered. */
  readonly reasoning_content?: string;
  /** The tools that an assistant turn calls, in order. */
  readonly tool_calls?: readonly ToolCall[];
}

/** One conversation of a file. */
export interface Chat {
  /** The line in the file, the first being 1. */
  readonly line: number;
  /** The shape that the line had. */
  readonly shape: "messages" | "sharegpt" | "prompt";
  /** The turns in order, the system prompt first where there is one. */
  readonly messages: readonly Message[];
  /** Function signatures, handed to the chat template as they are. */
  readonly tools?: readonly unknown[];
}

/**
 * Reads every conversation of a JSON lines text. Blank lines are skipped.
 *
 * @param text The whole file.
 * @returns The chats, in the order of the file.
 * @throws {SyntaxError} When a line is not a chat; the message names the line.
 */
export function readChats(text: string): Chat[] {
  const chats: Chat[] = [];
  // Some editors put a byte order mark before the text; JSON forbids it.
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  for (const [index, source] of lines.entries()) {
    if (source.trim() === "") continue;
    const line = index + 1;
    try {
      chats.push({ line, ...readChat(JSON.parse(source)) });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SyntaxError(`Cannot read the chat of line ${line}: ${reason}`, {
        cause,
      });
    }
  }
  return chats;
}

type Fields = Record<string, unknown>;

function readChat(value: unknown): Omit<Chat, "line"> {
  const chat = fields(value, "a chat");
  const tools = chat.tools == null ? {} : { tools: readTools(chat.tools) };
  if ("messages" in chat) {
    const messages = list(chat.messages, "messages").map(readMessage);
    return { shape: "messages", messages, ...tools };
  }
  if ("conversations" in chat) {
    const turns = list(chat.conversations, "conversations").map(readTurn);
    const system: Message[] = chat.system == null
      ? []
      : [{ role: "system", content: string(chat.system, "system") }];
    return { shape: "sharegpt", messages: [...system, ...turns], ...tools };
  }
  if ("prompt" in chat && "completion" in chat) {
    const messages: Message[] = [
      { role: "user", content: string(chat.prompt, "prompt") },
      { role: "assistant", content: string(chat.completion, "completion") },
    ];
    return { shape: "prompt", messages, ...tools };
  }
  throw new SyntaxError(
    "expected messages, conversations, or prompt and completion: got " +
      (Object.keys(chat).join(", ") || "no field"),
  );
}

function readMessage(value: unknown, index: number): Message {
  const place = `messages[${index}]`;
  const message = fields(value, place);
  const role = message.role;
  if (
    role !== "system" && role !== "user" && role !== "assistant" &&
    role !== "tool"
  ) {
    throw new SyntaxError(`${place}.role is unknown: ${JSON.stringify(role)}`);
  }
  const thought = message.reasoning_content;
  const calls = message.tool_calls;
  return {
    role,
    // A call without words has the content null in many files.
    content: message.content === null && calls != null
      ? ""
      : string(message.content, `${place}.content`),
    ...thought == null
      ? {}
      : { reasoning_content: string(thought, `${place}.reasoning_content`) },
    ...calls == null ? {} : {
      tool_calls: list(calls, `${place}.tool_calls`).map((call, i) =>
        readCall(
          fields(call, `${place}.tool_calls[${i}]`).function,
          `${place}.tool_calls[${i}].function`,
        )
      ),
    },
  };
}

function readTurn(value: unknown, index: number): Message {
  const place = `conversations[${index}]`;
  const turn = fields(value, place);
  const content = string(turn.value, `${place}.value`);
  switch (turn.from) {
    case "system":
      return { role: "system", content };
    case "human":
      return { role: "user", content };
    case "gpt":
      return { role: "assistant", content };
    case "observation":
      return { role: "tool", content };
    case "function_call": {
      // One call, or a list of calls made at once.
      const parsed: unknown = JSON.parse(content);
      const calls = Array.isArray(parsed) ? parsed : [parsed];
      return {
        role: "assistant",
        content: "",
        tool_calls: calls.map((call) => readCall(call, `${place}.value`)),
      };
    }
  }
  throw new SyntaxError(
    `${place}.from is unknown: ${JSON.stringify(turn.from)}`,
  );
}

function readCall(value: unknown, place: string): ToolCall {
  const call = fields(value, place);
  const name = string(call.name, `${place}.name`);
  const args = typeof call.arguments === "string"
    ? call.arguments
    : fields(call.arguments, `${place}.arguments`);
  return { type: "function", function: { name, arguments: args } };
}

/** ShareGPT files often hold the tools as JSON text. */
function readTools(value: unknown): unknown[] {
  return list(typeof value === "string" ? JSON.parse(value) : value, "tools");
}

function fields(value: unknown, place: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Fields;
  }
  throw new SyntaxError(`${place} must be an object: got ${kind(value)}`);
}

function list(value: unknown, place: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new SyntaxError(`${place} must be a list: got ${kind(value)}`);
}

function string(value: unknown, place: string): string {
  if (typeof value === "string") return value;
  throw new SyntaxError(`${place} must be a string: got ${kind(value)}`);
}

function kind(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "list" : typeof value;
}

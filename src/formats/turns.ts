/**
 * One turn of a chat, however its file writes it, as one ChatMessage: the
 * content as a string or parts, the reasoning and the calls in fields of their
 * own, what says of its training as `train` and `weight`. It judges no roles and no order; whether a
 * chat template accepts the result is the template's word.
 *
 * @module
 */
import type { ChatMessage, ContentPart, ToolCall } from "../row.ts";
import { readCalls, type ToolArguments } from "./calls.ts";
import { FLAGS, readTrain, readWeight } from "./flags.ts";
import {
  checkPlain,
  fault,
  type Fields,
  keysOf,
  own,
  readFields,
  readList,
  readString,
  short,
} from "./fault.ts";

/** ShareGPT's names of the roles, and ours. */
const ROLES: ReadonlyMap<string, string> = new Map([
  ["system", "system"],
  ["human", "user"],
  ["user", "user"],
  ["gpt", "assistant"],
  ["chatgpt", "assistant"],
  ["assistant", "assistant"],
  ["function_call", "assistant"],
  ["observation", "tool"],
  ["function_response", "tool"],
  ["tool", "tool"],
]);

/** Fields that are read here; every other one is handed on as it is. */
const READ: ReadonlySet<string> = new Set([
  "role",
  "content",
  "reasoning_content",
  "tool_calls",
  "function_call",
  ...FLAGS,
]);

/**
 * Turns in order: `{ role, content }`, ShareGPT's `{ from, value }`, or one word
 * of each, as files have that were put together from several.
 */
export function readTurns(
  place: string,
  value: unknown,
  toolArguments: ToolArguments,
): ChatMessage[] {
  const turns = readList(place, value);
  if (turns.length === 0) {
    throw new SyntaxError(`${place} must have at least one message`);
  }
  return turns.map((turn, i) =>
    readTurn(`${place}[${i}]`, turn, toolArguments)
  );
}

function readTurn(
  place: string,
  value: unknown,
  toolArguments: ToolArguments,
): ChatMessage {
  const turn = readFields(place, value);
  const weight = readWeight(place, turn);
  checkPlain(place, turn);
  const by = own(turn, "role") === undefined ? "from" : "role";
  if (by === "from" && own(turn, "from") === undefined) {
    throw new SyntaxError(
      `${place} must have role and content, or from and value: got ${
        keysOf(turn)
      }`,
    );
  }
  const speaker = readString(`${place}.${by}`, turn[by]);
  if (speaker === "") throw new SyntaxError(`${place}.${by} is empty`);
  const [usual, other] = by === "role"
    ? ["content", "value"] as const
    : ["value", "content"] as const;
  const name = own(turn, usual) === undefined && own(turn, other) !== undefined
    ? other
    : usual;
  const said = turn[name];
  const role = speaker === "function" ? "tool" : speaker;
  if (by === "role" && name === "content") {
    const calls: ToolCall[] = [];
    return makeMessage(
      { place, turn, weight, role, said, name, calls, toolArguments },
    );
  }

  // beside from or value the names are ShareGPT's; a role may still be a template's own
  const known = ROLES.get(speaker);
  if (known === undefined && by === "from") {
    throw new SyntaxError(
      `${place}.from must be one of ${[...ROLES.keys()].join(", ")}: got ${
        short(speaker)
      }`,
    );
  }
  const { from: _, value: __, ...rest } = turn;
  const isCall = speaker === "function_call";
  return makeMessage({
    place,
    turn: rest,
    weight,
    role: known ?? role,
    said: isCall ? "" : said,
    name,
    calls: isCall ? readCalls(`${place}.${name}`, said, toolArguments) : [],
    toolArguments,
  });
}

/** The message of a turn whose role is known. */
function makeMessage({
  place,
  turn,
  weight,
  role,
  said,
  name,
  calls,
  toolArguments,
}: {
  place: string;
  turn: Fields;
  weight: number | undefined;
  role: string;
  said: unknown;
  name: string;
  calls: ToolCall[];
  toolArguments: ToolArguments;
}): ChatMessage {
  const rest = Object.fromEntries(
    Object.entries(turn).filter(([key]) => !READ.has(key)),
  );

  // what was called: in a field, in the older field, or among the parts
  const parts = readContent(`${place}.${name}`, said, toolArguments);
  const ways = [
    calls,
    readCalls(`${place}.tool_calls`, own(turn, "tool_calls"), toolArguments),
    readCalls(
      `${place}.function_call`,
      own(turn, "function_call"),
      toolArguments,
    ),
    parts.calls,
  ].filter((way) => way.length > 0);
  if (ways.length > 1) {
    throw new SyntaxError(`${place} says its tool calls in two ways`);
  }
  const [called] = ways;

  // what was thought
  const thought = own(turn, "reasoning_content");
  if (thought !== undefined && parts.reasoning !== undefined) {
    throw new SyntaxError(`${place} says its reasoning in two ways`);
  }
  const reasoning = thought === undefined
    ? parts.reasoning
    : readString(`${place}.reasoning_content`, thought);

  const silent = said === null || said === undefined;
  if (silent && called === undefined && reasoning === undefined) {
    fault(
      `${place}.${name}`,
      "a string or a list of parts where there are no tool_calls",
      said,
    );
  }
  const train = readTrain(place, turn, role);
  return {
    role,
    ...(said === undefined ? {} : { content: parts.content }),
    ...rest,
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
    ...(called === undefined ? {} : { tool_calls: called }),
    ...(train === undefined ? {} : { train }),
    ...(weight === undefined ? {} : { weight }),
  };
}

/** What a content says. */
interface Said {
  content: string | readonly ContentPart[] | null;
  reasoning?: string;
  calls: ToolCall[];
}

/** Text is joined into a string, as most templates want one; a list stays a list only for what is no text. */
export function readContent(
  place: string,
  value: unknown,
  toolArguments: ToolArguments,
): Said {
  if (value === undefined || value === null) {
    return { content: null, calls: [] };
  }
  if (typeof value === "string") return { content: value, calls: [] };
  if (!Array.isArray(value)) {
    fault(place, "a string, a list of parts or null", value);
  }
  const parts: ContentPart[] = [];
  const thoughts: string[] = [];
  const calls: ToolCall[] = [];
  // reasoning, content, calls: the order in which a template writes the fields
  let stage = 0;
  value.forEach((element: unknown, i: number) => {
    const here = `${place}[${i}]`;
    const part = readFields(here, element);
    const type = readString(`${here}.type`, own(part, "type"));
    const isThought = type === "reasoning" || type === "thinking";
    const next = isThought ? 0 : type === "tool_call" ? 2 : 1;
    if (next < stage) {
      throw new SyntaxError(
        `${here} is ${type} behind ${
          stage === 2 ? "a tool call" : "content"
        }, an order that a message's fields cannot say`,
      );
    }
    stage = next;
    const text = own(part, "text") ?? own(part, "value");
    if (type === "text") {
      const { value: _, ...rest } = part;
      parts.push({ ...rest, type, text: readString(`${here}.text`, text) });
    } else if (isThought) {
      const words = text ?? own(part, "thinking");
      thoughts.push(readString(`${here}.value`, words));
    } else if (type === "tool_call") {
      calls.push(...readCalls(`${here}.value`, text, toolArguments));
    } else parts.push({ ...part, type });
  });
  const isText = parts.every(({ type }) => type === "text");
  return {
    content: isText ? parts.map(({ text }) => text).join("") : parts,
    ...(thoughts.length > 0 ? { reasoning: thoughts.join("") } : {}),
    calls,
  };
}

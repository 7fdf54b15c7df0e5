/**
 * Tool calls, however a file writes them: `{ type, function: { name, arguments } }`
 * as in the OpenAI chat format, the function alone, one or a list of them, or the
 * JSON text of any of these. Whether the tool exists is not asked.
 *
 * @module
 */
import type { ToolCall } from "../row.ts";
import {
  checkPlain,
  fault,
  type Fields,
  own,
  parseJson,
  readFields,
  readString,
} from "./fault.ts";

/**
 * What becomes of arguments that are JSON text. Templates of the Hugging Face
 * format write `arguments | tojson`, which would quote a string once more, so an
 * object is what they want (and what transformers asks for); `"keep"` is for
 * templates that put the text itself together, as those of DeepSeek do.
 */
export type ToolArguments = "parse" | "keep";

/** No calls, one call or a list of them, as objects or as the JSON text of them. */
export function readCalls(
  place: string,
  value: unknown,
  toolArguments: ToolArguments,
): ToolCall[] {
  if (value === undefined) return [];
  let calls: unknown = value;
  if (typeof value === "string") {
    calls = parseJson(place, value);
    checkPlain(place, calls);
  }
  if (!Array.isArray(calls)) return [readCall(place, calls, toolArguments)];
  return calls.map((call, i) =>
    readCall(`${place}[${i}]`, call, toolArguments)
  );
}

function readCall(
  place: string,
  value: unknown,
  toolArguments: ToolArguments,
): ToolCall {
  const call = readFields(place, value);
  if (own(call, "function") === undefined) {
    // the function alone: what belongs to the call moves out of it
    const { type, id, ...bare } = call;
    return {
      ...(id === undefined || id === null ? {} : { id }),
      type: typeof type === "string" ? type : "function",
      function: readFunction(place, bare, toolArguments),
    };
  }
  const inner = readFields(`${place}.function`, call.function);
  return {
    ...call,
    type: own(call, "type") === undefined
      ? "function"
      : readString(`${place}.type`, call.type),
    function: readFunction(`${place}.function`, inner, toolArguments),
  };
}

function readFunction(
  place: string,
  call: Fields,
  toolArguments: ToolArguments,
): ToolCall["function"] {
  const name = readString(`${place}.name`, own(call, "name"));
  if (name === "") throw new SyntaxError(`${place}.name is empty`);
  const given = own(call, "arguments") ?? {};
  let parsed: unknown = given;
  if (typeof given === "string" && toolArguments === "parse") {
    parsed = objectOf(given) ?? given;
  } else if (typeof given !== "string") {
    if (typeof given !== "object" || Array.isArray(given)) {
      fault(`${place}.arguments`, "an object, or the JSON text of one", given);
    }
  }
  checkPlain(`${place}.arguments`, parsed);
  return { ...call, name, arguments: parsed };
}

/** The object that a JSON text is, or null. */
function objectOf(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null; // words, not JSON: they stay as they are
  }
}

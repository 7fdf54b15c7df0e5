/**
 * What was given and is not in the text: fields of messages that no part of the
 * template asks for, as other trainers' flags, and tools. What the message says
 * (content, thoughts, calls) is looked for in its turn, by content_check.ts.
 *
 * @module
 */
import type { ChatMessage, Finding } from "../row.ts";
import { strip } from "./python.ts";
import { shorten } from "./tags.ts";

/** Fields that are looked for elsewhere, or name things without being said. */
const OTHERS: ReadonlySet<string> = new Set([
  "role",
  "content",
  "reasoning_content",
  "tool_calls",
  "train",
  "weight",
  "name",
  "id",
  "tool_call_id",
]);

/** A finding for each field, and for the tools, that the text does not hold. */
export function findUnread(
  messages: readonly ChatMessage[],
  tools: readonly unknown[] | undefined,
  source: string,
  text: string,
): Finding[] {
  const unread = new Map<string, number[]>();
  for (const [index, message] of messages.entries()) {
    for (const [field, value] of Object.entries(message)) {
      if (OTHERS.has(field) || isEmpty(value)) continue;
      const isRead = isNamed(field, source) &&
        (typeof value !== "string" || text.includes(strip(value)));
      if (isRead) continue;
      unread.set(field, [...unread.get(field) ?? [], index]);
    }
  }
  const findings = [...unread].map(([field, indices]): Finding => {
    const more = indices.length === 1
      ? ""
      : `, nor of ${indices.length - 1} others`;
    return {
      code: "field-dropped",
      detail: `The template does not show ${
        JSON.stringify(shorten(field))
      } of message ${indices[0]}${more}`,
    };
  });
  const names = (tools ?? []).map(nameOf);
  const lost = names.filter((name) =>
    name === null ? !isNamed("tools", source) : !text.includes(name)
  );
  if (lost.length > 0) {
    const named = lost.flatMap((name) =>
      name === null ? [] : [JSON.stringify(shorten(name))]
    );
    findings.push({
      code: "field-dropped",
      detail: `The template leaves out ${lost.length} of ${names.length} tools${
        named.length === 0 ? "" : `: ${shorten(named.join(", "))}`
      }`,
    });
  }
  return findings;
}

/** Whether a template has a name as a word of its own. */
function isNamed(name: string, source: string): boolean {
  if (name === "") return false;
  const isWord = (at: number) => /[\p{L}\p{N}_]/u.test(source.charAt(at));
  for (let at = source.indexOf(name); at >= 0;) {
    if (!isWord(at - 1) && !isWord(at + name.length)) return true;
    at = source.indexOf(name, at + 1);
  }
  return false;
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value === "string") return strip(value) === "";
  return Array.isArray(value) && value.length === 0;
}

/** A tool's name, as OpenAI's format has it or flat. */
function nameOf(tool: unknown): string | null {
  const of = (value: unknown): string | null => {
    const name = (value as { name?: unknown } | null)?.name;
    return typeof name === "string" && name !== "" ? name : null;
  };
  return of((tool as { function?: unknown } | null)?.function) ?? of(tool);
}

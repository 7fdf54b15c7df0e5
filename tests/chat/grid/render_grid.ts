/**
 * The grid: every real template with every conversation, and what Jinja2 made
 * of each pair. The tests of rendering, spans and certificates all run over it.
 *
 * It compares hashes; what a text should be is in `tests/vectors/chat_render.jsonl`
 * and nowhere else, so a difference shows that it is there, not where.
 *
 * @module
 */
import { CONVERSATIONS, type GridConversation } from "./conversations.ts";
import { type GridTemplate, LEFT_OUT, loadTemplates } from "./templates.ts";

/** The day on which the vectors were made. */
export const GRID_DATE: Date = new Date("2024-07-26T00:00:00Z");

/** What Jinja2 made of a pair: a text's hash, or why there is none. */
export type Verdict =
  | { readonly hash: string }
  /** The template's own words, the first 60 characters. */
  | { readonly refused: string }
  /** Jinja's or Python's words. */
  | { readonly error: string };

/** One template with one conversation. */
export interface GridPair {
  /** `template × conversation`, by id. */
  readonly name: string;
  /** The template. */
  readonly template: GridTemplate;
  /** The conversation. */
  readonly conversation: GridConversation;
  /** What Jinja2 says, without and with the generation prompt. */
  readonly expected: readonly [plain: Verdict, prompted: Verdict];
  /** What both are rendered with, but for `addGenerationPrompt`. */
  readonly input: {
    readonly messages: GridConversation["messages"];
    readonly tools?: readonly unknown[];
    readonly bosToken?: string;
    readonly eosToken?: string;
    readonly date: Date;
  };
}

/** The vectors as they stand in the file. */
export interface GridVectors {
  /** The first line: sources, versions, the date, and a hash of each conversation. */
  readonly head: {
    readonly date: string;
    readonly conversations: Readonly<Record<string, string>>;
  };
  /** The other lines by template id. */
  readonly lines: ReadonlyMap<string, {
    readonly id: string;
    readonly sha256: string;
    readonly renders: Readonly<Record<string, readonly [string, string]>>;
  }>;
}

/** Reads `tests/vectors/chat_render.jsonl`. */
export function readVectors(): GridVectors {
  const url = new URL("../../vectors/chat_render.jsonl", import.meta.url);
  const [head, ...lines] = Deno.readTextFileSync(url).trim().split("\n")
    .map((line) => JSON.parse(line));
  return { head, lines: new Map(lines.map((line) => [line.id, line])) };
}

/** SHA-256 of a text in UTF-8, in hex. */
export async function sha256(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(
    new Uint8Array(hash),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}

/** Whether a text is the one that Jinja2 made. */
export async function isText(text: string, verdict: Verdict): Promise<boolean> {
  if (!("hash" in verdict)) return false;
  return (await sha256(text)).startsWith(verdict.hash);
}

/**
 * Runs `visit` for every pair, template by template, and gives back what it
 * returned. A template that has changed since the vectors were made throws.
 */
export async function forEachPair<T>(
  visit: (pair: GridPair) => T | Promise<T>,
): Promise<T[]> {
  const { lines } = readVectors();
  const results: T[] = [];
  for (const template of await loadTemplates()) {
    const line = lines.get(template.id);
    if (line?.sha256 !== await sha256(template.template)) {
      throw new Error(`${template.id} is not the template of the vectors`);
    }
    for (const conversation of CONVERSATIONS) {
      const [plain, prompted] = line.renders[conversation.id] ?? [];
      if (plain === undefined || prompted === undefined) {
        throw new Error(`The vectors lack ${conversation.id}`);
      }
      const { bosToken, eosToken } = template;
      const { messages, tools } = conversation;
      const pair: GridPair = {
        name: `${template.id} × ${conversation.id}`,
        template,
        conversation,
        expected: [toVerdict(plain), toVerdict(prompted)],
        input: {
          messages,
          ...(tools === undefined ? {} : { tools }),
          ...(bosToken === undefined ? {} : { bosToken }),
          ...(eosToken === undefined ? {} : { eosToken }),
          date: GRID_DATE,
        },
      };
      results.push(await visit(pair));
    }
  }
  return results;
}

function toVerdict(entry: string): Verdict {
  const [, kind, words = ""] = /^(refused|error):(.*)$/s.exec(entry) ?? [];
  if (kind === "refused") return { refused: words };
  if (kind === "error") return { error: words };
  return { hash: entry };
}

/** The templates of the vectors that this run does not have, by id. */
export { LEFT_OUT };

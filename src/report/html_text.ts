/**
 * Text on its way into HTML. Whatever comes from a chat passes here: in markup
 * it is revealed and escaped, in data it is JSON in which no tag can begin.
 *
 * @module
 */
import { inline } from "./visible.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Our own text, safe in markup and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Text of a chat, on one line, with what cannot be seen written by name. */
export function safe(text: string): string {
  return escapeHtml(inline(text));
}

/**
 * A value as the text of a `<script type="application/json">`: no `<` is left,
 * so neither `</script` nor `<!--` can stand in it (HTML, section 4.12.1.3).
 */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c")
    .replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

/** A number between 0 and 1 as a CSS percentage. */
export function cssPercent(share: number): string {
  return `${Math.round(1e4 * share) / 100}%`;
}

/**
 * A conversation token by token, the trained ones marked.
 *
 * @module
 */
import { IGNORE_INDEX } from "../../mod.ts";
import type { Conversation } from "./data.ts";
import { displayWidth, paint, type Terminal } from "./terminal.ts";

/** One token, or several that form a character together. */
export interface Piece {
  /** What the tokens say. */
  text: string;
  /** How many there are. */
  tokens: number;
  /** Whether they are trained. */
  trained: boolean;
}

/**
 * Cuts ids into pieces of whole characters. A token is bytes, and a rare
 * character can take several of them; decoded alone each gives U+FFFD.
 */
export function splitPieces(
  inputIds: ArrayLike<number>,
  labels: ArrayLike<number>,
  decode: (ids: number[]) => string,
): Piece[] {
  const pieces: Piece[] = [];
  let ids: number[] = [];
  for (let t = 0; t < inputIds.length; t++) {
    ids.push(inputIds[t]!);
    const trained = labels[t] !== IGNORE_INDEX;
    const text = decode(ids);
    const border = t + 1 === inputIds.length ||
      (labels[t + 1] !== IGNORE_INDEX) !== trained;
    if (text.endsWith("\uFFFD") && !border) continue;
    pieces.push({ text, tokens: ids.length, trained });
    ids = [];
  }
  return pieces;
}

/** Makes white space visible: a space is ·, a newline ↵. */
export function visible(text: string): string {
  return text.replaceAll(" ", "·").replaceAll("\n", "↵").replaceAll("\t", "→");
}

/**
 * The lines of a conversation. Trained tokens have a look of their own; without
 * colour, trained stretches stand in ⟦ ⟧.
 */
export function showTokens(
  terminal: Terminal,
  conversation: Conversation,
  decode: (ids: number[]) => string,
): string[] {
  const { inputIds, labels } = conversation;
  const lines: string[] = [];
  let line = "", width = 0, inside = false;
  const end = () => {
    lines.push("  " + line);
    line = "";
    width = 0;
  };
  const pieces = splitPieces(inputIds, labels, decode);
  for (const [i, { text, trained }] of pieces.entries()) {
    let shown = visible(text);
    const closes = trained && !pieces[i + 1]?.trained;
    if (!terminal.colour) {
      shown = (trained && !inside ? "⟦" : "") + shown + (closes ? "⟧" : "");
      inside = trained;
    }
    const room = displayWidth(shown) + (width === 0 ? 0 : 1);
    if (width + room > terminal.columns - 4) end();
    if (width > 0) line += paint(terminal, "quiet", "│");
    line += paint(terminal, trained ? "trained" : "quiet", shown);
    width += displayWidth(shown) + (width === 0 ? 0 : 1);
    if (text.endsWith("\n")) end();
  }
  if (width > 0) end();
  return lines;
}

/**
 * The tokens that cost most, with what stands before them.
 *
 * @module
 */
import type { ChatTokenizer } from "../chat/mod.ts";
import { type Screen, table } from "../report/paint.ts";
import { clip, displayWidth, visible } from "../report/visible.ts";
import type { LossInputs } from "./loss_inputs.ts";
import type { LossJob } from "./loss_options.ts";
import type { Losses } from "./loss_score.ts";
import { pieceOf } from "./report_rows.ts";

/** Tokens before a costly one that are shown. */
const BEFORE = 12;

/** A row that costs. */
export interface CostlyRow {
  readonly row: number;
  readonly sequence: number | null;
  readonly position: number;
  readonly id: number;
  readonly loss: number;
  readonly text: string | null;
  readonly before: string | null;
}

/** A loss as a report shows it. */
export function number(x: number): string {
  return Number.isFinite(x) ? x.toPrecision(9) : String(x);
}

/** The costliest tokens, each behind what stands before it, as much as fits. */
export function worstLines(
  worst: readonly CostlyRow[],
  screen: Screen,
): string[] {
  const numbers = table([
    ["row", "sequence", "position", "id", "loss", "p"],
    ...worst.map((one) => [
      `${one.row}`,
      one.sequence === null ? "-" : `${one.sequence}`,
      `${one.position}`,
      `${one.id}`,
      number(one.loss),
      Math.exp(-one.loss).toPrecision(2),
    ]),
  ], [0, 1, 2, 3, 4, 5]);
  return numbers.map((line, i) => {
    const one = worst[i - 1]; // the first line is the head
    if (one === undefined || one.text === null) return line;
    const room = screen.width - displayWidth(line) - 2;
    const token = clip(`⟦${visible(one.text)}⟧`, Math.max(room, 8));
    const before = lastColumns(
      visible(one.before ?? ""),
      room - displayWidth(token),
    );
    return `${line}  ${before}${token}`;
  });
}

/** As much of the end of a text as fits into so many columns. */
function lastColumns(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  const kept = Array.from(text);
  while (kept.length > 0 && displayWidth(`…${kept.join("")}`) > columns) {
    kept.shift();
  }
  return kept.length === 0 ? "" : `…${kept.join("")}`;
}

/** In which sequence a row stands, and where in it. */
export function placeOf(
  { sequences }: Losses,
  row: number,
): { sequence: number | null; position: number } {
  if (sequences.length <= 2) return { sequence: null, position: row };
  let [low, high] = [0, sequences.length - 1];
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (sequences[middle]! <= row) low = middle;
    else high = middle;
  }
  return { sequence: low, position: row - sequences[low]! };
}

/** The scored rows with the largest finite loss, the largest first. */
export function worstRows(
  losses: Losses,
  { inputIds }: LossInputs,
  { worst, ignoreIndex, shift }: LossJob,
  tokenizer: ChatTokenizer | null,
): CostlyRow[] {
  const { perToken, targets, sequences } = losses;
  const scored: number[] = [];
  for (let row = 0; row < targets.length; row++) {
    const loss = perToken[row]!;
    if (targets[row] !== ignoreIndex && !Number.isNaN(loss)) scored.push(row);
  }
  scored.sort((a, b) => perToken[b]! - perToken[a]! || a - b);
  return scored.slice(0, worst).map((row) => {
    const place = placeOf(losses, row);
    const id = targets[row]!;
    const text = (ids: Iterable<number>) =>
      tokenizer === null
        ? null
        : Array.from(ids, (id) => pieceOf(tokenizer, id)).join("");
    const last = shift ? row + 1 : row; // the ids that the row has seen
    const first = Math.max(
      sequences[place.sequence ?? 0] ?? 0,
      last - BEFORE,
    );
    return {
      row,
      ...place,
      id,
      loss: perToken[row]!,
      text: text([id]),
      before: inputIds === null ? null : text(inputIds.subarray(first, last)),
    };
  });
}

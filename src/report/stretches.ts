/**
 * Cells in the order they are read: turn by turn, and within a turn in stretches
 * of one field and one reason.
 *
 * @module
 */
import type { Field } from "../row.ts";
import type { Cell } from "./cells.ts";
import type { CellReason } from "./words.ts";

/** Neighbouring tokens that are alike in all but what they say. */
export interface Stretch {
  /** What they are; null where nobody knows. */
  readonly field: Field | null;
  /** Why they are or are not trained. */
  readonly reason: CellReason;
  /** Whether they are trained. */
  readonly trained: boolean;
  /** The weight of each in the loss. */
  readonly weight: number;
  /** The tokens, at least one. */
  readonly cells: Cell[];
}

/** Neighbouring tokens of one message, or of none. */
export interface Turn {
  /** The message's index, or -1. */
  readonly message: number;
  /** Who speaks; null for nobody. */
  readonly role: string | null;
  /** Its stretches, at least one. */
  readonly stretches: Stretch[];
  /** How many tokens it has. */
  readonly tokens: number;
  /** How many of them are trained. */
  readonly trained: number;
  /** The least and the greatest weight of its trained tokens; null where there are none. */
  readonly weights: readonly [least: number, greatest: number] | null;
  /** Why nothing of it is trained; null where something is. */
  readonly why: CellReason | null;
}

/** The turns of a row's cells, in order. */
export function turnsOf(cells: readonly Cell[]): Turn[] {
  const turns: Turn[] = [];
  for (let from = 0, to = 0; from < cells.length; from = to) {
    const { message, role } = cells[from]!;
    while (to < cells.length && cells[to]!.message === message) to++;
    turns.push(turnOf(message, role, cells.slice(from, to)));
  }
  return turns;
}

function turnOf(message: number, role: string | null, cells: Cell[]): Turn {
  const stretches: Stretch[] = [];
  for (const cell of cells) {
    const last = stretches.at(-1);
    if (last !== undefined && isAlike(last, cell)) last.cells.push(cell);
    else {
      const { field, reason, trained, weight } = cell;
      stretches.push({ field, reason, trained, weight, cells: [cell] });
    }
  }
  const weights = cells.filter(({ trained }) => trained)
    .map(({ weight }) => weight);
  return {
    message,
    role,
    stretches,
    tokens: cells.length,
    trained: weights.length,
    weights: weights.length === 0 ? null : [
      weights.reduce((a, b) => Math.min(a, b)),
      weights.reduce((a, b) => Math.max(a, b)),
    ],
    why: weights.length > 0 ? null : mainReason(stretches),
  };
}

function isAlike(stretch: Stretch, cell: Cell): boolean {
  return stretch.field === cell.field && stretch.reason === cell.reason &&
    stretch.trained === cell.trained && stretch.weight === cell.weight;
}

/** What every turn has, whether it is trained or not, explains nothing. */
const EVERYWHERE: ReadonlySet<CellReason> = new Set([
  "header",
  "template",
  "whitespace_after_stop",
  "stop_not_trained",
]);

/** The reason of the longest stretch, one that explains something if there is one. */
function mainReason(stretches: readonly Stretch[]): CellReason {
  const rank = ({ reason, cells }: Stretch) =>
    EVERYWHERE.has(reason) ? 1 - 1 / cells.length : cells.length;
  return stretches.reduce((a, b) => rank(b) > rank(a) ? b : a).reason;
}

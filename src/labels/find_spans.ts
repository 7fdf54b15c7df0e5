/**
 * Spans of trained turns, found by role markers in the ids.
 *
 * A scanner, not a pairing of questions with answers: it knows every role's own
 * opening and closing marker, so two user turns in a row, tool results between
 * answers and a first turn by the assistant need no special case. One pass from
 * the left; at each place outside a turn the longest opening marker that matches
 * begins a turn, and the turn runs to its own role's closing marker, or to the
 * end of the row. Text inside a turn is never searched for openings.
 *
 * @module
 */
import {
  type Action,
  asGiven,
  flag,
  optional,
  optionsReader,
  outOfRange,
  readIds,
  word,
  wrongKind,
} from "../checks.ts";
import type {
  EndOfTurn,
  FindSpansOptions,
  TokenIds,
  TokenSpan,
} from "../contract.ts";

type Role = ReturnType<typeof readMarkers> & { name: string; trained: boolean };

/** A turn's content [start, end), and where its closing marker ends: at `end` if it has none, or none that belongs to it. */
interface Turn {
  trained: boolean;
  start: number;
  end: number;
  after: number;
}

const ACTION = "find spans";
const readOptions = optionsReader({
  roles: asGiven<FindSpansOptions["roles"]>,
  train: asGiven<FindSpansOptions["train"]>,
  endOfTurn: word<EndOfTurn>(["turn", "all", "last", "none"]),
});
const readMarkers = optionsReader({
  start: readMarker,
  end: readMarker,
  includeStart: flag,
  includeEnd: optional(flag),
});

/**
 * Finds the spans of the turns to train.
 *
 * The longest opening marker wins. A turn whose end is missing runs to the end
 * of the row (a truncated answer stays trained). With `includeEnd: false` the
 * closing ids are neither trained nor consumed, so they can open the next turn.
 * `endOfTurn: "last"` trains only the last closing marker found, of any role,
 * and `"all"` those of every role.
 *
 * @param inputIds [N] token ids.
 * @param options The markers of each role and which roles to train.
 * @returns Half-open spans in order, none empty, for `maskLabels`.
 * @throws {RangeError} A trained role has no markers, a marker is empty, or two roles open alike.
 * @throws {TypeError} An argument is of the wrong kind, or a key is misspelt.
 *
 * @example Train the assistant's turns, the end-of-turn id included
 * ```ts
 * import { findSpans } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * const roles = {
 *   user: { start: [1, 3], end: [9] },
 *   assistant: { start: [1, 2], end: [9] },
 * };
 * const ids = [1, 3, 7, 9, 1, 2, 8, 8, 9, 5];
 * assertEquals(findSpans(ids, { roles, train: ["assistant"] }), [[6, 9]]);
 * ```
 */
export function findSpans(
  inputIds: TokenIds,
  options: FindSpansOptions,
): TokenSpan[] {
  const { endOfTurn, ...markers } = readOptions(ACTION, options);
  const roles = readRoles(markers);
  const ids = readIds(ACTION, "inputIds", inputIds);
  const turns: Turn[] = [];
  for (let at = 0; at < ids.length;) {
    const role = roles.find((role) => matches(ids, at, role.start));
    if (role === undefined) {
      at++;
      continue;
    }
    const inside = at + role.start.length;
    let end = inside;
    while (end < ids.length && !matches(ids, end, role.end)) end++;
    const closed = end < ids.length && role.includeEnd !== false;
    const after = closed ? end + role.end.length : end;
    const start = role.includeStart ? at : inside;
    turns.push({ trained: role.trained, start, end, after });
    at = after;
  }
  const last = turns.findLast(({ end, after }) => end < after);
  return turns.flatMap((turn) => {
    const { trained, start, end, after } = turn;
    const trainEnd = endOfTurn === "all" || endOfTurn === "turn" && trained ||
      endOfTurn === "last" && turn === last;
    const from = trained ? start : end, to = trainEnd ? after : end;
    return from < to ? [[from, to] as const] : [];
  });
}

function matches(ids: Int32Array, at: number, marker: Int32Array): boolean {
  if (at + marker.length > ids.length) return false;
  for (let i = 0; i < marker.length; i++) {
    if (ids[at + i] !== marker[i]) return false;
  }
  return true;
}

/** The roles, longest opening marker first, so that the first match is the longest. */
function readRoles({ roles, train }: FindSpansOptions): Role[] {
  if (typeof roles !== "object" || roles === null) {
    wrongKind(ACTION, "roles must be an object", roles);
  }
  if (!Array.isArray(train)) {
    wrongKind(ACTION, "train must be a list of names of roles", train);
  }
  for (const name of train) {
    if (Object.hasOwn(roles, name)) continue;
    const names = Object.keys(roles).join(", ");
    outOfRange(
      ACTION,
      `train must name roles that have markers (${names})`,
      name,
    );
  }
  const list = Object.entries(roles).map(([name, markers]): Role => ({
    ...readMarkers(ACTION, markers, `roles.${name}`),
    name,
    trained: train.includes(name),
  }));
  list.sort((a, b) => b.start.length - a.start.length);
  list.forEach(({ name, start }, i) => {
    const twin = list.slice(0, i).find((other) =>
      other.start.length === start.length && matches(other.start, 0, start)
    );
    if (twin === undefined) return;
    outOfRange(
      ACTION,
      `every role must open in its own way, but ${twin.name} and ${name} open alike`,
      start,
    );
  });
  return list;
}

function readMarker(action: Action, name: string, value: unknown): Int32Array {
  const marker = readIds(action, name, value as TokenIds);
  if (marker.length === 0) {
    outOfRange(action, `${name} must hold an id`, marker);
  }
  // ours: what is read after it may be code of the caller's
  return marker.slice();
}

/**
 * Why a row trains what it trains, message by message, in words and codes.
 *
 * @module
 */
import { checkObject, readIds } from "../checks.ts";
import { IGNORE_INDEX, type RoleMarkers, type TokenIds } from "../contract.ts";
import {
  type EncodedChat,
  type Finding,
  type Reason,
  REASON_WORDS,
  REASONS,
  TRAINED_REASONS,
} from "../row.ts";

/** What became of one message. */
export interface Explanation {
  /** Its index. */
  readonly message: number;
  /** Who speaks. */
  readonly role: string;
  /** How many tokens of the row are its own, header and stop included. */
  readonly tokens: number;
  /** How many of them are trained. */
  readonly trained: number;
  /** Its reasons with how many tokens each, most first. */
  readonly reasons: readonly (readonly [reason: Reason, tokens: number])[];
  /** What is odd about it. */
  readonly findings: readonly Finding[];
  /** All of it in a sentence. */
  readonly summary: string;
}

/**
 * Explains a row: for each message, how many of its tokens are trained and why.
 *
 * @param row A row as `encodeChat` made it, truncated or not.
 * @returns One explanation a message, in order. Findings about no message are in `row.findings` alone.
 *
 * @example
 * ```ts
 * import { encodeChat, explain, loadTokenizer } from "@sft/loss/chat";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = loadTokenizer({
 *   tokenizerJson: {
 *     pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
 *     decoder: { type: "ByteLevel" },
 *     model: { type: "BPE", vocab: { a: 0, b: 1, "!": 2 }, merges: [] },
 *   },
 *   tokenizerConfig: {},
 * });
 * const chatTemplate =
 *   "{% for m in messages %}{{ m.content }}!{% endfor %}";
 * const row = encodeChat(
 *   [{ role: "user", content: "a" }, { role: "assistant", content: "bb" }],
 *   { tokenizer, chatTemplate },
 * );
 * const [user, assistant] = explain(row);
 * assertEquals(user!.reasons[0]![0], "role_not_trained");
 * assertEquals(assistant!.trained, 3);
 * ```
 */
export function explain(row: EncodedChat): Explanation[] {
  const seen = row.roles.map(() => ({
    counts: new Map<Reason, number>(),
    tokens: 0,
    trained: 0,
    findings: [] as Finding[],
  }));
  for (const [t, message] of row.owners.entries()) {
    const one = seen[message];
    if (one === undefined) continue; // nobody's
    const reason = REASONS[row.reasons[t]!]!;
    one.counts.set(reason, (one.counts.get(reason) ?? 0) + 1);
    one.tokens++;
    if (row.labels[t] !== IGNORE_INDEX) one.trained++;
  }
  for (const finding of row.findings) {
    seen[finding.message ?? -1]?.findings.push(finding);
  }
  return seen.map(({ counts, tokens, trained, findings }, message) => {
    const role = row.roles[message]!;
    const reasons = [...counts].sort((a, b) => b[1] - a[1]);
    return {
      message,
      role,
      tokens,
      trained,
      reasons,
      findings,
      summary: summarise(message, role, tokens, trained, reasons, findings),
    };
  });
}

function summarise(
  message: number,
  role: string,
  tokens: number,
  trained: number,
  reasons: readonly (readonly [Reason, number])[],
  findings: readonly Finding[],
): string {
  const why = reasons
    .filter(([reason]) => REASONS.indexOf(reason) >= TRAINED_REASONS)
    .map(([reason, count]) => `${count}: ${REASON_WORDS[reason]}`).join("; ");
  const parts = [
    tokens === 0
      ? `Message ${message} (${role}) has no token in the row`
      : `Message ${message} (${role}): ${trained} of ${tokens} tokens trained`,
    ...(why === "" ? [] : [`not trained are ${why}`]),
    ...findings.map(({ detail }) => detail),
  ];
  return parts.join(". ");
}

/** What became of one role's markers in a row of ids. */
export interface MarkerExplanation {
  /** The role. */
  readonly role: string;
  /** Which marker. */
  readonly edge: "start" | "end";
  /** How often it occurs. */
  readonly found: number;
  /** Where ids stand that are most like it, where it does not occur; null where none of its ids occurs. */
  readonly nearest:
    | { readonly position: number; readonly ids: number[] }
    | null;
  /** All of it in a sentence. */
  readonly summary: string;
}

/**
 * Explains why markers are or are not found in a row of ids, for rows that were
 * tokenised elsewhere: a marker that is absent comes with the ids that are most
 * like it, which differ where it was tokenised in another context.
 *
 * @param inputIds [N] token ids.
 * @param roles The markers, as `findSpans` takes them.
 * @returns One explanation for each role's start and end.
 * @throws {TypeError} An argument is of the wrong kind.
 * @throws {RangeError} An id does not fit into int32.
 *
 * @example A marker whose last id merged with what follows it
 * ```ts
 * import { explainMarkers } from "@sft/loss/chat";
 * import { assertEquals } from "@std/assert";
 *
 * const roles = { assistant: { start: [1, 2, 3], end: [9] } };
 * const [start] = explainMarkers([7, 1, 2, 4, 8, 9], roles);
 * assertEquals(start!.found, 0);
 * assertEquals(start!.nearest, { position: 1, ids: [1, 2, 4] });
 * ```
 */
export function explainMarkers(
  inputIds: TokenIds,
  roles: Readonly<Record<string, RoleMarkers>>,
): MarkerExplanation[] {
  const ids = readIds("find spans", "inputIds", inputIds);
  checkObject("find spans", "roles", roles);
  return Object.entries(roles).flatMap(([role, markers]) => {
    checkObject("find spans", `roles.${role}`, markers);
    return (["start", "end"] as const).map((edge) => {
      const marker = readIds(
        "find spans",
        `roles.${role}.${edge}`,
        markers[edge],
      );
      return explainMarker(ids, role, edge, Array.from(marker));
    });
  });
}

function explainMarker(
  ids: Int32Array,
  role: string,
  edge: "start" | "end",
  marker: number[],
): MarkerExplanation {
  let found = 0;
  let best = 0;
  let position = -1;
  for (let at = 0; at < ids.length; at++) {
    let same = 0;
    for (let i = 0; i < marker.length; i++) {
      if (ids[at + i] === marker[i]) same++;
    }
    if (same === marker.length) found++;
    if (same > best) [best, position] = [same, at];
  }
  const nearest = found > 0 || position < 0 ? null : {
    position,
    ids: [...ids.subarray(position, position + marker.length)],
  };
  const name = `The ${role}'s ${edge} [${marker.join(", ")}]`;
  const summary = found > 0
    ? `${name} occurs ${found} times`
    : nearest === null
    ? `${name} does not occur, nor does any of its ids`
    : `${name} does not occur; most like it is [${
      nearest.ids.join(", ")
    }] at ${position}`;
  return { role, edge, found, nearest, summary };
}

/**
 * What is known of each character of a rendered chat: whose it is, what it is,
 * and, under a policy, why it is or is not trained.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import {
  type ChatMessage,
  type Field,
  FIELDS,
  type Reason,
  REASONS,
} from "../row.ts";
import { skipSpaces } from "./calibration.ts";
import { ChatTemplateError } from "./errors.ts";
import type { Ownership } from "./marking.ts";
import { type FullPolicy, isAnswer } from "./policy.ts";
import type { Chat, Turn } from "./understood.ts";

/** What is known of each character. */
export interface CharacterFacts {
  /** A message's index or -1. */
  readonly owners: Int32Array;
  /** An index into FIELDS. */
  readonly fields: Uint8Array;
  /** An index into REASONS. */
  readonly reasons: Uint8Array;
}

const FIELD = Object.fromEntries(FIELDS.map((name, i) => [name, i])) as Record<
  Field,
  number
>;
const REASON = Object.fromEntries(
  REASONS.map((name, i) => [name, i]),
) as Record<Reason, number>;

/** Whose each character is, what it is, and why it is or is not trained. */
export function explainCharacters(
  messages: readonly ChatMessage[],
  policy: FullPolicy,
  text: string,
  owned: Ownership,
  turns: readonly Turn[],
  trained: readonly boolean[],
  { calibration }: Chat,
): CharacterFacts {
  const owners = new Int32Array(text.length).fill(-1);
  const fields = new Uint8Array(text.length).fill(FIELD.template);
  const reasons = new Uint8Array(text.length).fill(REASON.template);
  const because = (index: number, reason: Reason): Reason => {
    if (trained[index]) {
      return messages[index]!.weight === 0 ? "zero_weight" : reason;
    }
    return policy.roles.includes(messages[index]!.role)
      ? "turn_not_trained"
      : "role_not_trained";
  };
  const paint = (
    [start, end]: TokenSpan,
    message: number,
    field: Field | null,
    reason: Reason,
  ) => {
    owners.fill(message, start, end);
    if (field !== null) fields.fill(FIELD[field], start, end);
    reasons.fill(REASON[reason], start, end);
  };
  // what the assistant says first, then the texts of all over it, so that a
  // text's own field shows
  for (const turn of turns) {
    const { message: index, start, end, openingStart, endOfTurn } = turn;
    const header = calibration.header !== "" &&
        text.slice(turn.headerStart, openingStart).endsWith(calibration.header)
      ? openingStart - calibration.header.length
      : turn.headerStart;
    const headed = policy.roleHeader && trained[index];
    paint(
      [header, openingStart],
      index,
      "header",
      headed ? because(index, "header_trained") : "header",
    );
    const opened = policy.thinkOpening || policy.roleHeader;
    paint(
      [openingStart, start],
      index,
      "template",
      opened ? because(index, "answer") : "think_opening",
    );
    const called = (messages[index]!.tool_calls?.length ?? 0) > 0;
    const calls = called ? startOfCalls(owned, index, start) : end;
    paint([start, calls], index, "template", because(index, "answer"));
    paint(
      [calls, end],
      index,
      "tool_calls",
      policy.toolCalls ? because(index, "answer") : "call_not_trained",
    );
    if (endOfTurn === null) continue;
    const stopped = policy.endOfTurn && (policy.toolCalls || !called);
    paint(
      endOfTurn,
      index,
      "end_of_turn",
      stopped ? because(index, "end_of_turn") : "stop_not_trained",
    );
    const behind = skipSpaces(text, endOfTurn[1]);
    const said = owned.spaces.subarray(0, behind).indexOf(1, endOfTurn[1]);
    const spaces: TokenSpan = [endOfTurn[1], said < 0 ? behind : said];
    paint(
      spaces,
      index,
      "template",
      policy.whitespaceAfterEnd
        ? because(index, "whitespace_trained")
        : "whitespace_after_stop",
    );
    const { trailer } = calibration;
    if (
      policy.endOfText && trailer !== "" &&
      text.startsWith(trailer, endOfTurn[1])
    ) {
      const stop = endOfTurn[1];
      paint(
        [stop, stop + trailer.length],
        index,
        "end_of_turn",
        because(index, "end_of_turn"),
      );
    }
  }
  const turnOf = new Map(turns.map((turn) => [turn.message, turn]));
  for (const { slot, start, end } of owned.runs) {
    const turn = turnOf.get(slot.message);
    // a header's own characters may equal those of a text that was cut
    const shown = Math.max(start, turn?.openingStart ?? 0);
    owners.fill(slot.message, shown, end);
    fields.fill(FIELD[slot.field], shown, end);
    if (turn === undefined) {
      const isLost = isAnswer(messages[slot.message]!) && trained[slot.message];
      if (isLost) {
        throw new ChatTemplateError(
          "unproved",
          `Cannot tell where the answer of message ${slot.message} begins and ends`,
        );
      }
      const why = because(slot.message, "answer");
      reasons.fill(REASON[why], start, end);
    } else if (end > turn.end) {
      throw new ChatTemplateError(
        "unproved",
        `Cannot prove message ${slot.message} as its text runs over the end of its turn`,
      );
    }
  }
  return { owners, fields, reasons };
}

/** Where the calls begin: behind the last of what the message says in words. */
function startOfCalls(
  { runs }: Ownership,
  message: number,
  start: number,
): number {
  let from = start;
  for (const run of runs) {
    if (run.slot.message !== message) continue;
    if (run.slot.field !== "tool_calls") from = Math.max(from, run.end);
  }
  return from;
}

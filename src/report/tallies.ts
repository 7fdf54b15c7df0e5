/**
 * Counting one chat, and the empty sheet that an audit fills in.
 *
 * @module
 */
import { IGNORE_INDEX } from "../contract.ts";
import {
  type EncodedChat,
  type FindingCode,
  type Reason,
  REASONS,
} from "../row.ts";
import type { ReasonShare, Summary } from "./summary.ts";
import { findingWords, LEVEL_MARKS } from "./words.ts";

const STOP = REASONS.indexOf("end_of_turn" satisfies Reason);
const ANSWER = REASONS.indexOf("answer" satisfies Reason);

/** Bars of the histogram of shares. */
const SHARES = 10;

/** Tokens of one message, or of nobody. */
export interface MessageCount {
  /** Its index, -1 for nobody. */
  message: number;
  /** Who speaks; null for nobody. */
  role: string | null;
  /** Its tokens, header and stop included. */
  tokens: number;
  /** How many of them are trained. */
  trained: number;
  /** Whether anything it says is trained. */
  answers: boolean;
  /** Whether its stop is trained. */
  stops: boolean;
}

/** Counts a chat's tokens by message, nobody's last, and by reason; those without tokens are left out. */
export function countChat(
  { labels, owners, reasons, roles }: EncodedChat,
): { messages: MessageCount[]; reasons: ReasonShare[] } {
  const messages = [...roles, null].map((role, m): MessageCount => ({
    message: m === roles.length ? -1 : m,
    role,
    tokens: 0,
    trained: 0,
    answers: false,
    stops: false,
  }));
  const shares = REASONS.map((reason): ReasonShare => ({
    reason,
    tokens: 0,
    trained: 0,
  }));
  for (let t = 0; t < labels.length; t++) {
    const message = messages.at(owners[t]!) ?? messages.at(-1)!;
    const share = shares[reasons[t]!];
    const trained = labels[t] === IGNORE_INDEX ? 0 : 1;
    message.tokens++;
    message.trained += trained;
    if (reasons[t] === ANSWER) message.answers = true;
    if (reasons[t] === STOP) message.stops = true;
    if (share === undefined) continue;
    share.tokens++;
    share.trained += trained;
  }
  const some = ({ tokens }: { tokens: number }) => tokens > 0;
  return { messages: messages.filter(some), reasons: shares.filter(some) };
}

/** A summary of nothing. */
export function emptySummary(maxLength: number | undefined): Summary {
  return {
    rows: 0,
    refused: 0,
    tokens: 0,
    trainedTokens: 0,
    share: {
      overall: 0,
      mean: 0,
      min: null,
      histogram: new Array(SHARES).fill(0),
    },
    nothingTrained: { rows: 0, lines: [] },
    stops: { turns: 0, trained: 0, rowsWithout: 0, lines: [] },
    straddling: { rows: 0, tokens: 0 },
    findings: [],
    refusals: [],
    duplicates: { rows: 0, compared: 0, examples: [] },
    roles: [],
    reasons: [],
    longest: [],
    overlong: maxLength === undefined ? null : {
      maxLength,
      rows: 0,
      answersCut: 0,
      answersLost: 0,
      trainedTokensCut: 0,
      lines: [],
    },
  };
}

/** The value of a key, made where there is none. */
export function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}

/** The gravest findings first: a rank. */
export function gravity(code: FindingCode): number {
  return Object.keys(LEVEL_MARKS).indexOf(findingWords(code).level);
}

/** How much of an error's or a finding's words an example keeps, in UTF-16 units. */
const MAX_DETAIL = 400;

/** The beginning of long words; an error may quote a whole chat. */
export function short(text: string): string {
  return text.length <= MAX_DETAIL
    ? text
    : `${text.slice(0, MAX_DETAIL).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

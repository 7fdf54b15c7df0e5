/**
 * From characters to tokens: whose each token is, what it is, and why it is or
 * is not trained. A token is trained when all its bytes are; one that covers an
 * edge follows the policy.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import { type Finding, type Reason, REASONS, TRAINED_REASONS } from "../row.ts";
import { byteStarts } from "./byte_offsets.ts";
import { ChatTemplateError } from "./errors.ts";
import type { OwnedText } from "./normalised.ts";
import type { FullPolicy } from "./policy.ts";
import type { ChatTokenizer, Tokens } from "./tokenizer.ts";

/** What is known of each token. */
export interface TokenFacts {
  /** A message's index or -1. */
  readonly owners: Int32Array;
  /** An index into FIELDS. */
  readonly fields: Uint8Array;
  /** An index into REASONS. */
  readonly reasons: Uint8Array;
  /** Of each token, 1 where a message's own text is in it. */
  readonly said: Uint8Array;
  /** Of each token, 1 where it takes whitespace with it. */
  readonly takesSpace: Uint8Array;
}

const STRADDLES = REASONS.indexOf("straddles" satisfies Reason);

/**
 * Of each token the bytes that it writes: its range, less the whitespace that a
 * special token takes with it and that no id stands for.
 */
function writtenBytes(
  { inputIds, offsets, text }: Tokens,
  { isSpecial, bytesOf }: ChatTokenizer,
): readonly TokenSpan[] {
  let bytes: Uint8Array | undefined;
  return offsets.map((range, t): TokenSpan => {
    const id = inputIds[t]!;
    const [start, end] = range;
    const own = isSpecial(id) ? bytesOf(id) : null;
    if (own === null || own.length >= end - start) return range;
    bytes ??= new TextEncoder().encode(text);
    let from = start;
    while (from < end - own.length && bytes[from] !== own[0]) from++;
    return [from, from + own.length];
  });
}

/** Reads what is known of each token off the characters that it writes. */
export function readTokenFacts(
  { text, owners, fields, reasons, said }: OwnedText,
  tokens: Tokens,
  tokenizer: ChatTokenizer,
  policy: FullPolicy,
  findings: Finding[],
): TokenFacts {
  const starts = byteStarts(text);
  const { offsets } = tokens;
  const written = writtenBytes(tokens, tokenizer);
  const count = offsets.length;
  const facts: TokenFacts = {
    owners: new Int32Array(count),
    fields: new Uint8Array(count),
    reasons: new Uint8Array(count),
    said: new Uint8Array(count),
    takesSpace: new Uint8Array(count),
  };
  let c = 0;
  for (let t = 0; t < count; t++) {
    const [from, to] = written[t]!;
    // the characters it covers, those it covers in part as well
    while (c + 1 < text.length && starts[c + 1]! <= from) c++;
    let first = -1; // the first trained character
    let edge = -1; // a character that is not trained
    let own = 0;
    let d = c;
    do {
      if (reasons[d]! < TRAINED_REASONS) first = first < 0 ? d : first;
      else if (edge < 0) edge = d;
      own |= said[d] ?? 0;
      d++;
    } while (d < text.length && starts[d]! < to);
    // a space put before a text has no bytes, and goes with what follows it: a
    // prompt that ends here has no such token, so that the answer begins with it
    const straddles = first >= 0 && edge >= 0;
    const isTrained = first >= 0 &&
      (edge < 0 || (straddles && policy.straddling === "include"));
    const shown = isTrained ? first : edge >= 0 ? edge : c;
    facts.owners[t] = owners[straddles ? first : shown] ?? -1;
    facts.fields[t] = fields[shown] ?? 0;
    facts.reasons[t] = straddles && !isTrained
      ? STRADDLES
      : reasons[shown] ?? 0;
    facts.said[t] = own;
    // whitespace of an answer that a token beside it takes is lost to training
    const [start, end] = offsets[t]!;
    let e = c;
    while (start < from && e > 0 && starts[e]! > start) e--;
    const takesSpace = end - start > to - from;
    facts.takesSpace[t] = takesSpace ? 1 : 0;
    let isLost = false;
    for (let d = e; takesSpace && d < text.length && starts[d]! < end; d++) {
      if (!isTrained && reasons[d]! < TRAINED_REASONS) isLost = true;
    }
    if (straddles || isLost) {
      report(t, start, end, text, starts, e, policy, findings);
    }
  }
  return facts;
}

function report(
  t: number,
  from: number,
  to: number,
  text: string,
  starts: Uint32Array,
  c: number,
  policy: FullPolicy,
  findings: Finding[],
): void {
  let end = c + 1;
  while (end < text.length && starts[end]! < to) end++;
  const written = JSON.stringify(text.slice(c, end));
  const detail = `Token ${t}, ${written} (bytes ${from} to ${to}), covers an ` +
    `edge of what is trained`;
  if (policy.straddling === "error") {
    throw new ChatTemplateError("tokens", `Cannot encode chat: ${detail}`);
  }
  findings.push({
    code: "straddling-token",
    detail: `${detail}: it is ${policy.straddling}d`,
    tokens: [t, t + 1],
  });
}

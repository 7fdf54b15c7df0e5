/**
 * The certificate: for each kept run of tokens, its bytes are the text's bytes,
 * every byte's owner is allowed by the policy, and the content stands in the
 * message. Without one there is no row.
 *
 * The first is checked here against the vocabulary; the second against the
 * characters' reasons; the third was checked when the chat was rendered, by
 * plain search of the messages' texts in their turns.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import { IGNORE_INDEX } from "../contract.ts";
import {
  type Certificate,
  type CertifiedRun,
  type EncodedChat,
  type Field,
  FIELDS,
  type OwnedSpan,
} from "../row.ts";
import { ChatTemplateError } from "./errors.ts";
import type { ChatTokenizer } from "./tokenizer.ts";

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** What a certificate is made from. */
export type CertifiedRow = Pick<
  EncodedChat,
  "inputIds" | "labels" | "text" | "offsets" | "owners" | "fields"
>;

const CHECKED = [
  "every kept run's token bytes are the text's bytes",
  "every kept byte's owner is allowed by the policy",
  "each trained turn holds its message's words, found without the marks",
] as const;

/**
 * Certifies a row, or throws.
 *
 * @param isTrained Of each byte of the text, whether the policy allows it.
 */
export function certify(
  row: CertifiedRow,
  tokenizer: Pick<ChatTokenizer, "bytesOf">,
  proof: string,
  isTrained: (byte: number) => boolean,
): Certificate {
  const bytes = new TextEncoder().encode(row.text);
  const runs = keptRuns(row, bytes);
  let trainedTokens = 0;
  let trainedBytes = 0;
  for (const { tokens, bytes: [from, to] } of runs) {
    for (let t = tokens[0]; t < tokens[1]; t++) {
      checkToken(row, t, bytes, tokenizer);
    }
    for (let at = from; at < to; at++) {
      if (!isTrained(at)) refuse(tokens, `byte ${at} is not the policy's`);
    }
    trainedTokens += tokens[1] - tokens[0];
    trainedBytes += to - from;
  }
  return { runs, trainedTokens, trainedBytes, proof, checked: CHECKED };
}

/** Stretches of trained tokens of one message. */
function keptRuns(
  { labels, offsets, owners, fields }: CertifiedRow,
  bytes: Uint8Array,
): CertifiedRun[] {
  const runs: CertifiedRun[] = [];
  for (let t = 0; t < labels.length; t++) {
    if (labels[t] === IGNORE_INDEX) continue;
    const start = t;
    const message = owners[t]!;
    const seen: Field[] = [];
    while (
      t < labels.length && labels[t] !== IGNORE_INDEX && owners[t] === message
    ) {
      const field = FIELDS[fields[t++]!]!;
      if (!seen.includes(field)) seen.push(field);
    }
    const range: TokenSpan = [offsets[start]![0], offsets[t - 1]![1]];
    runs.push({
      tokens: [start, t],
      bytes: range,
      message,
      fields: seen,
      text: utf8.decode(bytes.subarray(...range)),
    });
    t--;
  }
  return runs;
}

/** Throws unless a trained token is its own label, and stands at its place. */
function checkToken(
  row: CertifiedRow,
  t: number,
  bytes: Uint8Array,
  tokenizer: Pick<ChatTokenizer, "bytesOf">,
): void {
  if (row.labels[t] !== row.inputIds[t]) {
    refuse([t, t + 1], "its label is another id");
  }
  checkBytes(row, t, bytes, tokenizer);
}

/** Throws unless a token's own bytes, but for spaces that its kind adds or takes, stand at its place. */
export function checkBytes(
  { inputIds, offsets }: CertifiedRow,
  t: number,
  bytes: Uint8Array,
  tokenizer: Pick<ChatTokenizer, "bytesOf">,
): void {
  const [from, to] = offsets[t]!;
  const own = tokenizer.bytesOf(inputIds[t]!);
  if (standsAt(bytes, from, to, own)) return;
  const text = bytes.subarray(from, to);
  if (isWithin(own, text) || isWithin(text, own)) return;
  refuse([t, t + 1], `its bytes are not those of token ${inputIds[t]}`);
}

function standsAt(
  bytes: Uint8Array,
  from: number,
  to: number,
  own: Uint8Array,
): boolean {
  if (own.length !== to - from) return false;
  for (let i = 0; i < own.length; i++) {
    if (bytes[from + i] !== own[i]) return false;
  }
  return true;
}

/** Whether one holds the other, and beside it spaces alone: a prefix of the tokenizer's, or spaces that a token takes. */
function isWithin(inner: Uint8Array, outer: Uint8Array): boolean {
  const isSpace = (byte: number) =>
    byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
  for (let at = 0; at + inner.length <= outer.length; at++) {
    if (
      standsAt(outer, at, at + inner.length, inner) &&
      outer.subarray(at + inner.length).every(isSpace)
    ) return true;
    if (!isSpace(outer[at]!)) return false;
  }
  return false;
}

export function refuse([start, end]: TokenSpan, reason: string): never {
  throw new ChatTemplateError(
    "unproved",
    `Cannot certify tokens ${start} to ${end}: ${reason}`,
  );
}

/** Trained spans, cut where message or field changes. */
export function ownedSpans(
  labels: Int32Array,
  owners: Int32Array,
  fields: Uint8Array,
): OwnedSpan[] {
  const spans: OwnedSpan[] = [];
  for (let t = 0; t < labels.length; t++) {
    if (labels[t] === IGNORE_INDEX) continue;
    const start = t;
    while (
      t + 1 < labels.length && labels[t + 1] !== IGNORE_INDEX &&
      owners[t + 1] === owners[start] && fields[t + 1] === fields[start]
    ) t++;
    spans.push(
      Object.assign([start, t + 1] as const, {
        message: owners[start]!,
        field: FIELDS[fields[start]!]!,
      }),
    );
  }
  return spans;
}

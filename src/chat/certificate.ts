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

/** Throws unless a token's own bytes, but for spaces that its kind adds or takes, stand at its place. */
function checkToken(
  { inputIds, offsets, labels }: CertifiedRow,
  t: number,
  bytes: Uint8Array,
  tokenizer: Pick<ChatTokenizer, "bytesOf">,
): void {
  if (labels[t] !== inputIds[t]) refuse([t, t + 1], "its label is another id");
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

function refuse([start, end]: TokenSpan, reason: string): never {
  throw new ChatTemplateError(
    "unproved",
    `Cannot certify tokens ${start} to ${end}: ${reason}`,
  );
}

/**
 * Checks a stored row against its certificate and a tokenizer: the runs cover
 * exactly the trained tokens, and every kept token's bytes are the text's.
 *
 * @param row A row as `encodeChat` made it, or as it came back from a file.
 * @param tokenizer The tokenizer of its ids.
 * @throws {ChatTemplateError} The row is not what its certificate says.
 *
 * @example A label that was changed afterwards
 * ```ts
 * import { checkCertificate, encodeChat, loadTokenizer } from "@sft/loss/chat";
 * import { assertThrows } from "@std/assert";
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
 *   "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}!{% endif %}{% endfor %}";
 * const row = encodeChat(
 *   [{ role: "user", content: "a" }, { role: "assistant", content: "b" }],
 *   { tokenizer, chatTemplate },
 * );
 * checkCertificate(row, tokenizer);
 * row.labels[0] = row.inputIds[0]!;
 * assertThrows(() => checkCertificate(row, tokenizer));
 * ```
 */
export function checkCertificate(
  row: CertifiedRow & Pick<EncodedChat, "certificate">,
  tokenizer: Pick<ChatTokenizer, "bytesOf">,
): void {
  const { runs, trainedTokens, trainedBytes, proof } = row.certificate;
  const within = new Uint8Array(3 * row.text.length);
  for (const { bytes: [from, to] } of runs) {
    within.fill(1, Math.max(from, 0), to);
  }
  const allowed = (byte: number) => within[byte] === 1;
  const again = certify(row, tokenizer, proof, allowed);
  const shape = (list: readonly CertifiedRun[]) =>
    JSON.stringify(
      list.map((
        { tokens, bytes, message, text },
      ) => [tokens, bytes, message, text]),
    );
  if (
    again.trainedTokens !== trainedTokens ||
    again.trainedBytes !== trainedBytes || shape(again.runs) !== shape(runs)
  ) {
    throw new ChatTemplateError(
      "unproved",
      `Cannot confirm the certificate: it is for ${trainedTokens} tokens in ${runs.length} runs, the row trains ${again.trainedTokens} in ${again.runs.length}`,
    );
  }
}

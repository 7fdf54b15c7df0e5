/**
 * A row cut to a length, with everything that is known of it cut alike.
 *
 * @module
 */
import { outOfRange } from "../checks.ts";
import { IGNORE_INDEX, type TokenSpan } from "../contract.ts";
import {
  type CertifiedRun,
  type EncodedChat,
  FIELDS,
  type Finding,
  type OwnedSpan,
} from "../row.ts";

// a text may begin with U+FEFF, which a decoder takes off unless told not to
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Cuts a row to its first `maxLength` tokens. Spans and certificate are
 * clipped, and what the cut took of the answers is a finding.
 *
 * @param row A row of any length; it is not changed.
 * @param maxLength How many tokens stay, a whole number of at least 1.
 * @returns The row itself where it is short enough, else a shorter one.
 * @throws {RangeError} `maxLength` is out of range.
 *
 * @example
 * ```ts
 * import { encodeChat, loadTokenizer, truncateRow } from "@sft/loss/chat";
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
 * const cut = truncateRow(row, 3);
 * assertEquals([...cut.labels], [-100, -100, 1]);
 * assertEquals(cut.certificate.trainedTokens, 1);
 * assertEquals(cut.findings.at(-1)?.code, "truncated-in-answer");
 * ```
 */
export function truncateRow(row: EncodedChat, maxLength: number): EncodedChat {
  if (!Number.isSafeInteger(maxLength) || maxLength < 1) {
    outOfRange(
      "encode chat",
      "maxLength must be a whole number of at least 1",
      maxLength,
    );
  }
  if (row.inputIds.length <= maxLength) return row;
  const labels = row.labels.slice(0, maxLength);
  const offsets = row.offsets.slice(0, maxLength);
  const bytes = new TextEncoder().encode(row.text);
  const end = offsets.at(-1)![1];
  const spans = row.spans.flatMap((span): OwnedSpan[] =>
    span[0] >= maxLength ? [] : [
      Object.assign(clip(span, maxLength), {
        message: span.message,
        field: span.field,
      }),
    ]
  );
  const runs = row.certificate.runs.flatMap((run): CertifiedRun[] => {
    if (run.tokens[0] >= maxLength) return [];
    const tokens = clip(run.tokens, maxLength);
    const cutEnd = offsets[tokens[1] - 1]![1];
    const range: TokenSpan = [run.bytes[0], cutEnd];
    const text = utf8.decode(bytes.subarray(...range));
    const kept = row.fields.subarray(...tokens);
    const fields = run.fields.filter((field) =>
      kept.includes(FIELDS.indexOf(field))
    );
    return [{ ...run, tokens, bytes: range, fields, text }];
  });
  let trainedTokens = 0;
  for (const label of labels) if (label !== IGNORE_INDEX) trainedTokens++;
  return {
    ...row,
    inputIds: row.inputIds.slice(0, maxLength),
    labels,
    weights: row.weights.slice(0, maxLength),
    offsets,
    spans,
    owners: row.owners.slice(0, maxLength),
    fields: row.fields.slice(0, maxLength),
    reasons: row.reasons.slice(0, maxLength),
    text: textUpTo(bytes, end),
    findings: [
      ...row.findings.filter(({ tokens }) =>
        tokens === undefined || tokens[1] <= maxLength
      ),
      ...cutFindings(row, maxLength, trainedTokens),
    ],
    certificate: {
      ...row.certificate,
      runs,
      trainedTokens,
      trainedBytes: runs.reduce((sum, { bytes: [a, b] }) => sum + b - a, 0),
    },
  };
}

function clip([start, end]: TokenSpan, length: number): TokenSpan {
  return [start, Math.min(end, length)];
}

/** The text of the first bytes, a character that the cut went through included. */
function textUpTo(bytes: Uint8Array, end: number): string {
  let whole = end;
  while (whole < bytes.length && (bytes[whole]! & 0xc0) === 0x80) whole++;
  return utf8.decode(bytes.subarray(0, whole));
}

function cutFindings(
  { certificate, inputIds, labels, owners }: EncodedChat,
  maxLength: number,
  trainedTokens: number,
): Finding[] {
  const lost = certificate.trainedTokens - trainedTokens;
  if (lost === 0) return [];
  const where = `The cut at ${maxLength} of ${inputIds.length} tokens`;
  if (trainedTokens === 0) {
    return [
      {
        code: "truncated-in-prompt",
        detail: `${where} leaves none of ${lost} trained tokens`,
      },
      { code: "nothing-trained", detail: "No token is trained" },
    ];
  }
  const all = new Map<number, number>();
  const taken = new Map<number, number>();
  const count = (tally: Map<number, number>, message: number) =>
    tally.set(message, (tally.get(message) ?? 0) + 1);
  for (const [t, label] of labels.entries()) {
    if (label === IGNORE_INDEX) continue;
    count(all, owners[t]!);
    if (t >= maxLength) count(taken, owners[t]!);
  }
  return [...taken].map(([message, cut]): Finding => {
    const own = all.get(message)!;
    return {
      code: "truncated-in-answer",
      message,
      detail: `${where} takes ${
        cut === own ? `all ${own}` : `${cut} of ${own}`
      } trained tokens of message ${message}`,
    };
  });
}

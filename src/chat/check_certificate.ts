/**
 * A stored row held against its certificate again.
 *
 * @module
 */
import { IGNORE_INDEX } from "../contract.ts";
import {
  type CertifiedRun,
  type EncodedChat,
  type Field,
  FIELDS,
  REASONS,
  TRAINED_REASONS,
} from "../row.ts";
import {
  type CertifiedRow,
  certify,
  checkBytes,
  ownedSpans,
  refuse,
} from "./certificate.ts";
import { ChatTemplateError } from "./errors.ts";
import type { ChatTokenizer } from "./tokenizer.ts";

/** What a stored row must hold to be checked. */
export type StoredRow =
  & CertifiedRow
  & Pick<EncodedChat, "certificate" | "reasons" | "spans" | "weights">;

/**
 * Checks a stored row against its certificate and a tokenizer: every token,
 * trained or not, is the text's bytes at its place, one behind the other; the
 * runs cover exactly the trained tokens; labels, spans, reasons and fields agree;
 * weights are 0 where nothing is trained and one number for each message.
 *
 * Not in the row as proof are the policy, who said what, how large a weight was
 * to be, and text behind the last token (a row may be cut): owners and reasons
 * are only held against each other. To prove those again, encode the
 * conversation again.
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
  row: StoredRow,
  tokenizer: Pick<ChatTokenizer, "bytesOf">,
): void {
  checkShape(row);
  checkTokens(row, tokenizer);
  checkCompanions(row);
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
        { tokens, bytes, message, fields, text },
      ) => [tokens, bytes, message, fields, text]),
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

/** The arrays of a row that hold one value for each token. */
const ALIGNED = [
  "inputIds",
  "labels",
  "weights",
  "offsets",
  "owners",
  "fields",
  "reasons",
] as const;

/** Throws unless all is there, and of one length. */
function checkShape(row: StoredRow): void {
  const fail = (name: string, wanted: string, got: unknown): never => {
    throw new ChatTemplateError(
      "unproved",
      `Cannot confirm the certificate: ${name} must ${wanted}: current value is ${got}`,
    );
  };
  const tokens = row?.inputIds?.length;
  for (const name of ALIGNED) {
    const length = row?.[name]?.length;
    if (length === undefined || length !== tokens) {
      fail(name, `hold a value for each of ${tokens ?? "its"} tokens`, length);
    }
  }
  if (typeof row.text !== "string") {
    fail("text", "be a string", typeof row.text);
  }
  if (!Array.isArray(row.spans)) fail("spans", "be a list", typeof row.spans);
  if (!Array.isArray(row.certificate?.runs)) {
    fail("certificate", "have runs", typeof row.certificate?.runs);
  }
}

/** Throws unless every token, in order, is what the text says at its place, with nothing between. */
function checkTokens(
  row: CertifiedRow,
  tokenizer: Pick<ChatTokenizer, "bytesOf">,
): void {
  const bytes = new TextEncoder().encode(row.text);
  let done = 0;
  for (let t = 0; t < row.inputIds.length; t++) {
    const [from, to] = row.offsets[t]!;
    if (from !== done || to < from || to > bytes.length) {
      refuse(
        [t, t + 1],
        `its bytes must begin at ${done}: current value is [${from}, ${to}]`,
      );
    }
    try {
      checkBytes(row, t, bytes, tokenizer);
    } catch (error) {
      if (error instanceof ChatTemplateError) throw error;
      refuse([t, t + 1], error instanceof Error ? error.message : `${error}`);
    }
    done = to;
  }
}

/** Of each reason to train, the fields that have it. */
const FIELDS_OF: readonly (readonly Field[])[] = [
  ["content", "reasoning_content", "tool_calls", "template"], // answer
  ["end_of_turn"],
  ["header"],
  ["template"], // whitespace behind the stop
];

/** Throws unless what stands beside the labels says what they say. */
function checkCompanions(row: StoredRow): void {
  const { labels, weights, reasons, spans, owners, fields } = row;
  const weightOf = new Map<number, number>();
  for (let t = 0; t < labels.length; t++) {
    const isTrained = labels[t] !== IGNORE_INDEX;
    const says = isTrained ? "trained" : "not trained";
    const reason = reasons[t]!;
    if (reason < TRAINED_REASONS !== isTrained) {
      refuse([t, t + 1], `its label is ${says}, its reason says otherwise`);
    }
    const field = FIELDS[fields[t]!]!;
    if (isTrained && !FIELDS_OF[reason]!.includes(field)) {
      refuse(
        [t, t + 1],
        `its reason is ${REASONS[reason]}, its field ${field}`,
      );
    }
    const weight = weights[t]!;
    if (!Number.isFinite(weight) || weight !== 0 !== isTrained) {
      refuse([t, t + 1], `its label is ${says}, its weight is ${weight}`);
    }
    if (!isTrained) continue;
    const first = weightOf.get(owners[t]!) ?? weight;
    weightOf.set(owners[t]!, first);
    if (weight !== first) {
      refuse(
        [t, t + 1],
        `its weight is ${weight}, its message's first is ${first}`,
      );
    }
  }
  const owned = ownedSpans(labels, owners, fields);
  const isSame = owned.length === spans.length &&
    owned.every((span, i) =>
      span[0] === spans[i]![0] && span[1] === spans[i]![1] &&
      // JSON keeps the pair, not what it carries
      span.message === (spans[i]!.message ?? span.message) &&
      span.field === (spans[i]!.field ?? span.field)
    );
  if (isSame) return;
  throw new ChatTemplateError(
    "unproved",
    `Cannot confirm the certificate: the labels train ${
      JSON.stringify(owned)
    }, the spans are ${JSON.stringify(spans)}`,
  );
}

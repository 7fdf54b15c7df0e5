/**
 * A chat as a row: ids, labels, weights, and the proof.
 *
 * The conversation is rendered whole and tokenised once. Nothing is tokenised
 * in parts and glued, no marker is searched among ids, and no length of one
 * tokenisation is subtracted from another's.
 *
 * @module
 */
import { checkObject, wrongKind } from "../checks.ts";
import { IGNORE_INDEX } from "../contract.ts";
import {
  type Certificate,
  type ChatMessage,
  type EncodedChat,
  type Finding,
  TRAINED_REASONS,
} from "../row.ts";
import { byteStarts } from "./byte_offsets.ts";
import { type CertifiedRow, certify, ownedSpans } from "./certificate.ts";
import { controlTokens, encodeInParts, reportControl } from "./control_text.ts";
import { whyDropped } from "./history.ts";
import { followNormaliser, type OwnedText } from "./normalised.ts";
import { type RenderOptions, understandChat } from "./rendering.ts";
import { readTokenFacts, type TokenFacts } from "./token_reasons.ts";
import type { ChatTokenizer, Tokens } from "./tokenizer.ts";
import type { Rendering } from "./understood.ts";

/** What a chat is encoded with. */
export interface EncodeOptions extends Omit<RenderOptions, "chatTemplate"> {
  /** The model's tokenizer. */
  tokenizer: ChatTokenizer;
  /** The chat template, where it is not the tokenizer's own. */
  chatTemplate?: string;
}

/**
 * Encodes a chat: token ids, labels in which exactly what the policy names is
 * trained, a weight for each, and a certificate that says so.
 *
 * @param messages The conversation; a message's `train` goes before the policy's roles, its `weight` is its tokens' weight.
 * @param options The tokenizer, the template and its variables, the policy.
 * @returns The row. N tokens; labels are aligned with the ids, only the loss shifts.
 * @throws {ChatTemplateError} The template refuses the chat, or a span cannot be proved.
 * @throws {TypeError} An argument is of the wrong kind.
 * @throws {RangeError} An argument is out of range.
 *
 * @example ChatML, with a tokenizer of six tokens
 * ```ts
 * import { encodeChat, loadTokenizer } from "@sft/loss/chat";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = loadTokenizer({
 *   tokenizerJson: {
 *     added_tokens: [
 *       { id: 4, content: "<user>", special: true },
 *       { id: 5, content: "<bot>", special: true },
 *       { id: 6, content: "<end>", special: true },
 *     ],
 *     pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
 *     decoder: { type: "ByteLevel" },
 *     model: { type: "BPE", vocab: { h: 0, i: 1, o: 2, k: 3 }, merges: [] },
 *   },
 *   tokenizerConfig: { eos_token: "<end>" },
 * });
 * const chatTemplate = "{% for m in messages %}" +
 *   "{{ '<user>' if m.role == 'user' else '<bot>' }}{{ m.content }}<end>" +
 *   "{% endfor %}{% if add_generation_prompt %}<bot>{% endif %}";
 * const row = encodeChat([
 *   { role: "user", content: "hi" },
 *   { role: "assistant", content: "ok" },
 * ], { tokenizer, chatTemplate });
 * assertEquals([...row.inputIds], [4, 0, 1, 6, 5, 2, 3, 6]);
 * assertEquals([...row.labels], [-100, -100, -100, -100, -100, 2, 3, 6]);
 * assertEquals(row.certificate.runs[0]!.text, "ok<end>");
 * ```
 */
export function encodeChat(
  messages: readonly ChatMessage[],
  options: EncodeOptions,
): EncodedChat {
  const rendering = understandChat(messages, understandOptions(options));
  const dropped = whyDropped(rendering);
  if (dropped !== null) {
    rendering.findings.push({
      code: "history-rewritten",
      detail: `${dropped}: encodeChatRows with one row per answer keeps it`,
    });
  }
  return encodeRendering(rendering, options.tokenizer);
}

/** Options with what the tokenizer's files say filled in. */
export function understandOptions(options: EncodeOptions): RenderOptions {
  // which of them make several rows is read by encodeChatRows
  checkObject("encode chat", "options", options);
  const { tokenizer, split: _, ...given } = options as EncodeOptions & {
    split?: unknown;
  };
  if (typeof tokenizer?.encode !== "function") {
    wrongKind("encode chat", "tokenizer must be a tokenizer", tokenizer);
  }
  const chatTemplate = given.chatTemplate ?? tokenizer.chatTemplate;
  if (chatTemplate === undefined) {
    wrongKind(
      "encode chat",
      "chatTemplate must be given where the tokenizer has none",
      chatTemplate,
    );
  }
  const { bosToken, eosToken } = tokenizer;
  return { bosToken, eosToken, ...given, chatTemplate };
}

/** Encodes a chat that is rendered already. */
export function encodeRendering(
  rendering: Rendering,
  tokenizer: ChatTokenizer,
): EncodedChat {
  const { messages, policy, text } = rendering;
  const findings = [...rendering.findings];
  const before: OwnedText = { ...rendering, said: saidCharacters(rendering) };
  let tokens = tokenizer.encode(text);
  let owned = followNormaliser(before, tokens.text);
  let told: Finding[] = []; // of this tokenisation
  const neutralise = policy.controlText === "neutralise";
  const first = neutralise
    ? { ...policy, straddling: "exclude" } as const
    : policy;
  let facts = readTokenFacts(owned, tokens, tokenizer, first, told);
  const control = controlTokens(tokens, facts, tokenizer);
  if (control.length > 0) {
    reportControl(control, tokens, owned, policy.controlText, findings);
  }
  if (neutralise) {
    if (control.length > 0) {
      tokens = encodeInParts(tokenizer, owned.text, tokens, control);
      owned = followNormaliser(before, tokens.text);
    }
    facts = readTokenFacts(owned, tokens, tokenizer, policy, told = []);
    const left = controlTokens(tokens, facts, tokenizer);
    if (left.length > 0) reportControl(left, tokens, owned, "error", findings);
  }
  findings.push(...told);
  if (tokens.text !== text) {
    findings.push({
      code: "text-normalised",
      detail: "The tokenizer's normaliser changes the text: offsets are of " +
        "what it made",
    });
  }
  const { inputIds, offsets } = tokens;
  const { owners, fields, reasons } = facts;
  const labels = new Int32Array(inputIds.length).fill(IGNORE_INDEX);
  const weights = new Float64Array(inputIds.length);
  for (let t = 0; t < labels.length; t++) {
    if (reasons[t]! >= TRAINED_REASONS) continue;
    labels[t] = inputIds[t]!;
    weights[t] = messages[owners[t]!]?.weight ?? 1;
  }
  const row = { inputIds, labels, text: owned.text, offsets, owners, fields };
  const certificate = certify(
    row,
    tokenizer,
    rendering.proof,
    trainedBytes(owned, facts, tokens, policy.straddling === "include"),
  );
  reportRow(rendering, row, certificate, tokenizer, findings);
  return {
    ...row,
    weights,
    spans: ownedSpans(labels, owners, fields),
    certificate,
    findings,
    reasons,
    roles: messages.map(({ role }) => role),
  };
}

/** 1 for each character that is a message's own. */
function saidCharacters({ owned, text }: Rendering): Uint8Array {
  const said = new Uint8Array(text.length);
  for (const { start, end } of owned.runs) said.fill(1, start, end);
  return said;
}

/** Whether the policy allows a byte; those of straddling tokens where they are included, and whitespace that a trained token takes. */
function trainedBytes(
  { text, reasons }: OwnedText,
  facts: TokenFacts,
  { offsets }: Tokens,
  included: boolean,
): (byte: number) => boolean {
  const starts = byteStarts(text);
  const allowed = new Uint8Array(starts[text.length]!);
  for (let c = 0; c < text.length; c++) {
    if (reasons[c]! >= TRAINED_REASONS) continue;
    for (let byte = starts[c]!; byte < starts[c + 1]!; byte++) {
      allowed[byte] = 1;
    }
  }
  facts.reasons.forEach((reason, t) => {
    const [start, end] = offsets[t]!;
    if (reason >= TRAINED_REASONS) return;
    if (included || facts.takesSpace[t]) allowed.fill(1, start, end);
  });
  return (byte) => allowed[byte] === 1;
}

function reportRow(
  { messages, turns, trained, policy, calibration }: Rendering,
  { inputIds }: CertifiedRow,
  { runs, trainedTokens }: Certificate,
  tokenizer: ChatTokenizer,
  findings: Finding[],
): void {
  const bos = tokenizer.addedId(tokenizer.bosToken);
  if (bos !== undefined && inputIds[0] === bos && inputIds[1] === bos) {
    findings.push({
      code: "double-bos",
      detail: `The row begins with ${tokenizer.bosToken} twice`,
      tokens: [0, 2],
    });
  }
  if (!trained.includes(true)) {
    findings.push({
      code: "role-not-trained",
      detail: `No message is of a trained role: the roles are ${
        [...new Set(messages.map(({ role }) => role))].join(", ")
      }; trained are ${policy.roles.join(", ")}`,
    });
  }
  if (trainedTokens === 0) {
    findings.push({ code: "nothing-trained", detail: "No token is trained" });
  }
  for (const { message, endOfTurn, headerStart, start } of turns) {
    if (!trained[message]) continue;
    if (start === headerStart && calibration.header !== "") {
      findings.push({
        code: "marker-absent",
        message,
        detail: `No header stands before the answer: ${
          JSON.stringify(calibration.header)
        }`,
      });
    }
    if (endOfTurn !== null) continue;
    findings.push(
      calibration.stops.length === 0
        ? {
          code: "no-end-of-turn",
          message,
          detail: "The template ends an answer with no stop of its own",
        }
        : {
          code: "stop-not-trained",
          message,
          detail: `The answer ends without ${
            calibration.stops.map((stop) => JSON.stringify(stop)).join(" or ")
          }`,
        },
    );
  }
  if (!policy.endOfTurn) return;
  for (const message of new Set(runs.map(({ message }) => message))) {
    if (turns.some((turn) => turn.message === message)) continue;
    findings.push({
      code: "stop-not-trained",
      message,
      detail:
        `Message ${message} is trained as far as its words go: a stop is ` +
        `trained behind answers only, and its role is ${
          JSON.stringify(messages[message]?.role)
        }`,
    });
  }
}

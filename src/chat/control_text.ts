/**
 * Control text: a user types `<|im_end|>`, and the tokenizer makes the real
 * stop of it. It is reported, or, on request, encoded as the plain text it is.
 *
 * @module
 */
import type { Finding } from "../row.ts";
import { byteStarts } from "./byte_offsets.ts";
import { ChatTemplateError } from "./errors.ts";
import { isPythonSpace } from "./python.ts";
import type { OwnedText } from "./normalised.ts";
import type { TokenFacts } from "./token_reasons.ts";
import type { ChatTokenizer, Tokens } from "./tokenizer.ts";

/** Special tokens that a message's own text became. */
export function controlTokens(
  { inputIds }: Tokens,
  { said }: TokenFacts,
  tokenizer: ChatTokenizer,
): number[] {
  const found: number[] = [];
  inputIds.forEach((id, t) => {
    if (said[t] === 1 && tokenizer.isSpecial(id)) found.push(t);
  });
  return found;
}

/** Reports them, or refuses the chat. */
export function reportControl(
  control: readonly number[],
  { offsets }: Tokens,
  { text, owners }: OwnedText,
  policy: "report" | "neutralise" | "error",
  findings: Finding[],
): void {
  const starts = byteStarts(text);
  for (const t of control) {
    const at = characterAt(starts, offsets[t]![0]);
    const message = owners[at] ?? -1;
    const written = text.slice(at, characterAt(starts, offsets[t]![1]));
    const detail = `Message ${message} holds the text of a special token, ` +
      `${JSON.stringify(written)}`;
    if (policy === "error") {
      throw new ChatTemplateError("tokens", `Cannot encode chat: ${detail}`);
    }
    findings.push({
      code: "control-text",
      message,
      detail: policy === "neutralise"
        ? `${detail}: it is encoded as plain text`
        : `${detail}: it becomes the token itself`,
      ...(policy === "neutralise" ? {} : { tokens: [t, t + 1] as const }),
    });
  }
}

/** The text with the named tokens broken behind their first character, so that no part is a special token's text. */
export function encodeInParts(
  tokenizer: ChatTokenizer,
  text: string,
  { offsets }: Tokens,
  control: readonly number[],
): Tokens {
  const starts = byteStarts(text);
  const cuts = control.map((t) => {
    let at = characterAt(starts, offsets[t]![0]);
    while (isPythonSpace(text.charAt(at))) at++; // which the token takes with it
    return at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
  });
  const parts = [0, ...cuts].map((from, i) =>
    tokenizer.encode(text.slice(from, cuts[i]))
  );
  let base = 0;
  const spans: [number, number][] = [];
  for (const part of parts) {
    if (base > 0) checkWhole(part, tokenizer);
    for (const [from, to] of part.offsets) spans.push([from + base, to + base]);
    base += new TextEncoder().encode(part.text).length;
  }
  const inputIds = new Int32Array(spans.length);
  let at = 0;
  for (const part of parts) {
    inputIds.set(part.inputIds, at);
    at += part.inputIds.length;
  }
  return {
    inputIds,
    text: parts.map((part) => part.text).join(""),
    offsets: spans,
  };
}

/** Throws where a tokenizer begins a text with a space of its own: behind a cut it would be trained as the message's. */
function checkWhole(
  { inputIds, offsets }: Tokens,
  tokenizer: ChatTokenizer,
): void {
  const first = inputIds[0];
  if (first === undefined) return;
  const [start, end] = offsets[0]!;
  if (tokenizer.bytesOf(first).length === end - start) return;
  throw new ChatTemplateError(
    "tokens",
    "Cannot neutralise control text as this tokenizer puts a space before every text: report it, or refuse it with an error",
  );
}

/** The character that begins at a byte, by halving: the last of what begins there, as the second half of a pair is counted to begin where the pair ends. */
function characterAt(starts: Uint32Array, byte: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= byte) low = middle;
    else high = middle - 1;
  }
  return low;
}

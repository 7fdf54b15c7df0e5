/**
 * What a tokenizer's Unicode normaliser does to a rendered chat, and whose its
 * characters are afterwards.
 *
 * The text is normalised in stretches that begin at an ASCII character (a
 * starter that joins nothing before it) or where the owner changes; where the
 * stretches joined are the whole text normalised, each character of the result
 * belongs to its stretch.
 *
 * @module
 */
import { ChatTemplateError } from "./errors.ts";

/** A text with what is known of each of its characters. */
export interface OwnedText {
  readonly text: string;
  /** Of each character, a message's index or -1. */
  readonly owners: Int32Array;
  /** Of each character, an index into FIELDS. */
  readonly fields: Uint8Array;
  /** Of each character, an index into REASONS. */
  readonly reasons: Uint8Array;
  /** Of each character, 1 where it is a message's own. */
  readonly said: Uint8Array;
}

/** The same for the normalised text. */
export function followNormaliser(
  before: OwnedText,
  normalised: string,
): OwnedText {
  if (normalised === before.text) return before;
  const { text, owners, fields, reasons, said } = before;
  // any one normal form keeps ASCII, so the form is known by what it does
  const form = (["NFC", "NFD", "NFKC", "NFKD"] as const).find((one) =>
    text.normalize(one) === normalised
  );
  const after: OwnedText = {
    text: normalised,
    owners: new Int32Array(normalised.length),
    fields: new Uint8Array(normalised.length),
    reasons: new Uint8Array(normalised.length),
    said: new Uint8Array(normalised.length),
  };
  const same = (a: number, b: number) =>
    owners[a] === owners[b] && fields[a] === fields[b] &&
    reasons[a] === reasons[b] && said[a] === said[b];
  let at = 0;
  for (let start = 0; start < text.length;) {
    let end = start + 1;
    while (
      end < text.length && text.charCodeAt(end) >= 0x80 && same(start, end)
    ) end++;
    const stretch = text.slice(start, end).normalize(form);
    if (form === undefined || !normalised.startsWith(stretch, at)) {
      throw new ChatTemplateError(
        "tokens",
        `Cannot follow the tokenizer's normaliser: it joins characters of two owners at ${start}`,
      );
    }
    after.owners.fill(owners[start]!, at, at + stretch.length);
    after.fields.fill(fields[start]!, at, at + stretch.length);
    after.reasons.fill(reasons[start]!, at, at + stretch.length);
    after.said.fill(said[start]!, at, at + stretch.length);
    at += stretch.length;
    start = end;
  }
  if (at !== normalised.length) {
    throw new ChatTemplateError(
      "tokens",
      "Cannot follow the tokenizer's normaliser: it adds characters",
    );
  }
  return after;
}

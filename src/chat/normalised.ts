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
  // the form is known by what it does
  for (const form of ["NFC", "NFD", "NFKC", "NFKD"]) {
    const after = follow(before, normalised, form);
    if (after !== null) return after;
  }
  throw new ChatTemplateError(
    "tokens",
    "Cannot follow the tokenizer's normaliser: it joins characters of two owners, or changes what no normal form does",
  );
}

/** What each stretch became under a form; null where that is not the normalised text. */
function follow(
  { text: given, owners, fields, reasons, said }: OwnedText,
  normalised: string,
  form: string,
): OwnedText | null {
  const text = given.toWellFormed(); // as tokenised
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
    // added tokens are left as they are, and join nothing behind them
    const whole = text.slice(start, end);
    const became = [
      whole.normalize(form),
      whole.charAt(0) + whole.slice(1).normalize(form),
      whole,
    ].find((one) => normalised.startsWith(one, at));
    if (became === undefined) return null;
    const from = at;
    at += became.length;
    after.owners.fill(owners[start]!, from, at);
    after.fields.fill(fields[start]!, from, at);
    after.reasons.fill(reasons[start]!, from, at);
    after.said.fill(said[start]!, from, at);
    start = end;
  }
  return at === normalised.length ? after : null;
}

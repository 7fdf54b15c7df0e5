/**
 * Which bytes of a text each token is. Tokenizers in JavaScript give ids and no
 * offsets, so they are rebuilt: a pointer walks over the text's UTF-8 bytes, and
 * every token must be exactly the bytes that stand there.
 *
 * Tokens are written in one of two ways. Byte-level: each character stands for a
 * byte, by GPT-2's alphabet of 256 printable characters. SentencePiece: U+2581
 * stands for a space, and `<0xNN>` for a byte that has no token; a space may be
 * put before a text that had none. Added tokens are their own text.
 *
 * Nothing is searched and nothing is guessed: a token that does not fit where
 * the pointer stands is an error.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import { ChatTemplateError } from "./errors.ts";

/** How a tokenizer writes its tokens. */
export type TokenAlphabet = "byte-level" | "sentencepiece";

/** What the walk needs to know of a token that was added to the vocabulary. */
export interface AddedToken {
  /** Its text. */
  readonly content: string;
  /** Whether it takes the whitespace before it with it. */
  readonly lstrip?: boolean;
  /** Whether it takes the whitespace behind it with it. */
  readonly rstrip?: boolean;
}

const utf8 = new TextEncoder();

/**
 * GPT-2's alphabet: bytes that are printable in Latin-1 stand for themselves,
 * the others, in order, for U+0100 and up.
 */
function byteOfCharacter(): Uint8Array {
  const bytes = new Uint8Array(0x144);
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const isPrintable = byte >= 0x21 && byte <= 0x7e ||
      byte >= 0xa1 && byte <= 0xac || byte >= 0xae;
    bytes[isPrintable ? byte : next++] = byte;
  }
  return bytes;
}

/** The bytes that a token stands for, whatever text it comes from. */
export function createTokenBytes(
  alphabet: TokenAlphabet,
): (token: string) => Uint8Array {
  const cache = new Map<string, Uint8Array>();
  const byteOf = byteOfCharacter();
  const read = (token: string): Uint8Array => {
    if (alphabet === "byte-level") {
      const bytes = new Uint8Array(token.length);
      for (let i = 0; i < token.length; i++) {
        const code = token.charCodeAt(i);
        const isByte = code < byteOf.length &&
          (byteOf[code] !== 0 || code === 0x100);
        if (!isByte) return utf8.encode(token); // an added token among them
        bytes[i] = byteOf[code]!;
      }
      return bytes;
    }
    const byte = /^<0x([0-9A-F]{2})>$/.exec(token);
    return byte !== null
      ? Uint8Array.of(parseInt(byte[1]!, 16))
      : utf8.encode(token.replaceAll("\u2581", " "));
  };
  return (token) => {
    let bytes = cache.get(token);
    if (bytes === undefined) cache.set(token, bytes = read(token));
    return bytes;
  };
}

/** A token as the walk takes it. */
export interface WalkedToken {
  /** The token as the tokenizer writes it. */
  readonly token: string;
  /** Set where it is an added one. */
  readonly added: AddedToken | undefined;
}

/**
 * Half-open byte ranges of tokens over a text. They cover it from end to end,
 * but for whitespace that an added token takes with it, which is counted to it.
 *
 * @param bytes The text in UTF-8.
 * @param tokens Its tokens, in order.
 * @returns One range for each token.
 * @throws {ChatTemplateError} A token is not what stands in the text.
 */
export function walkTokens(
  bytes: Uint8Array,
  tokens: readonly WalkedToken[],
  alphabet: TokenAlphabet,
  tokenBytes: (token: string) => Uint8Array,
): TokenSpan[] {
  const offsets: TokenSpan[] = new Array(tokens.length);
  let at = 0;
  let takesSpaces = false; // the token before takes what whitespace follows it
  let mayPrefix = true; // a space may have been put before what follows
  for (let t = 0; t < tokens.length; t++) {
    const { token, added } = tokens[t]!;
    const isAdded = added !== undefined;
    let own = isAdded ? utf8.encode(added.content) : tokenBytes(token);
    let start = at;
    if (!fits(bytes, at, own)) {
      // some vocabularies write the spaces of an added token as U+2581
      const spaced = isAdded ? tokenBytes(token) : own;
      const skipped = takesSpaces || added?.lstrip === true
        ? skipSpaces(bytes, at)
        : at;
      if (fits(bytes, at, spaced)) own = spaced;
      else if (skipped > at && fits(bytes, skipped, own)) {
        // whitespace that the one added token or the other takes
        if (takesSpaces) {
          offsets[t - 1] = [offsets[t - 1]![0], skipped];
          start = skipped;
        }
        at = skipped;
      } else if (
        alphabet === "sentencepiece" && mayPrefix && own[0] === 0x20 &&
        fits(bytes, at, own.subarray(1))
      ) own = own.subarray(1);
      else {
        throw new ChatTemplateError(
          "tokens",
          `Cannot lay tokens over the text as token ${t} must be what stands at byte ${at}: ` +
            `current value is ${JSON.stringify(token)}, the text goes on ${
              JSON.stringify(snippet(bytes, at))
            }`,
        );
      }
    }
    at += own.length;
    offsets[t] = [start, at];
    takesSpaces = added?.rstrip === true;
    mayPrefix = isAdded;
  }
  if (takesSpaces && at < bytes.length) {
    const end = skipSpaces(bytes, at);
    offsets[tokens.length - 1] = [offsets[tokens.length - 1]![0], end];
    at = end;
  }
  if (at !== bytes.length) {
    throw new ChatTemplateError(
      "tokens",
      `Cannot lay tokens over the text as they must end with it, at byte ${bytes.length}: ` +
        `they end at ${at}, before ${JSON.stringify(snippet(bytes, at))}`,
    );
  }
  return offsets;
}

function fits(bytes: Uint8Array, at: number, own: Uint8Array): boolean {
  if (at + own.length > bytes.length) return false;
  for (let i = 0; i < own.length; i++) {
    if (bytes[at + i] !== own[i]) return false;
  }
  return true;
}

/** Where the ASCII whitespace at `at` ends. */
function skipSpaces(bytes: Uint8Array, at: number): number {
  let end = at;
  while (
    end < bytes.length &&
    (bytes[end] === 0x20 || bytes[end]! >= 0x09 && bytes[end]! <= 0x0d)
  ) end++;
  return end;
}

function snippet(bytes: Uint8Array, at: number): string {
  return new TextDecoder().decode(bytes.subarray(at, at + 24));
}

/**
 * Of each UTF-16 unit of a text, the byte at which its character begins; one
 * entry more for the end. A low surrogate has its character's end.
 */
export function byteStarts(text: string): Uint32Array {
  const starts = new Uint32Array(text.length + 1);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    starts[i] = at;
    const unit = text.charCodeAt(i);
    if (unit < 0x80) at += 1;
    else if (unit < 0x800) at += 2;
    else if (unit >= 0xd800 && unit < 0xdc00) {
      at += 4;
      starts[++i] = at; // the pair's second half
    } else at += 3;
  }
  starts[text.length] = at;
  return starts;
}

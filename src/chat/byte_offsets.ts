/**
 * Which bytes of a text each token is. Tokenizers in JavaScript give ids and no
 * offsets, so they are rebuilt: a pointer walks over the text's UTF-8 bytes, and
 * every token must be exactly the bytes that stand there.
 *
 * Tokens are written in one of two ways. Byte-level: each character stands for a
 * byte, by GPT-2's alphabet of 256 printable characters. SentencePiece: U+2581
 * stands for a space, and `<0xNN>` for a byte that has no token. A space may be
 * put before a text, and behind each added token. Added tokens are their own text.
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
  /** Its text in UTF-8. */
  readonly bytes: Uint8Array;
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

/** How a tokenizer's tokens lie over a text. */
export interface Walk {
  readonly alphabet: TokenAlphabet;
  /** The bytes of a token that is not added. */
  readonly tokenBytes: (token: string) => Uint8Array;
  /** The added tokens, by their text. */
  readonly added: ReadonlyMap<string, AddedToken>;
  /** Whether a space is put before every stretch, also one that begins with a space; else one may be, where none is. */
  readonly prefixesAll: boolean;
}

/**
 * Half-open byte ranges of tokens over a text. They cover it from end to end:
 * whitespace that an added token takes with it is counted to it, and a space
 * that was put before the text has no bytes.
 *
 * @param bytes The text in UTF-8.
 * @param tokens Its tokens, in order, as the tokenizer writes them.
 * @returns One range for each token.
 * @throws {ChatTemplateError} A token is not what stands in the text.
 */
export function walkTokens(
  bytes: Uint8Array,
  tokens: readonly string[],
  { alphabet, tokenBytes, added, prefixesAll }: Walk,
): TokenSpan[] {
  const offsets: TokenSpan[] = new Array(tokens.length);
  const spaced = alphabet === "sentencepiece";
  let at = 0;
  let mayPrefix = true; // a space may have been put before what follows
  for (let t = 0; t < tokens.length; t++) {
    const token = tokens[t]!;
    const own = added.get(token);
    const start = at;
    let end = own === undefined ? -1 : endOf(bytes, at, own.bytes, false);
    if (end < 0 && own?.lstrip === true) {
      end = endOf(bytes, skipSpaces(bytes, at), own.bytes, false);
    }
    const isAdded = end >= 0;
    if (!isAdded) {
      const written = tokenBytes(token);
      const mustDrop = mayPrefix && prefixesAll;
      end = mustDrop ? -1 : endOf(bytes, at, written, spaced);
      if (end < 0 && mayPrefix && written[0] === 0x20) {
        end = endOf(bytes, at, written.subarray(1), spaced);
      }
    }
    if (end < 0) {
      throw new ChatTemplateError(
        "tokens",
        `Cannot lay tokens over the text as token ${t} must be what stands at byte ${at}: ` +
          `current value is ${JSON.stringify(token)}, the text goes on ${
            JSON.stringify(snippet(bytes, at))
          }`,
      );
    }
    at = isAdded && own?.rstrip === true ? skipSpaces(bytes, end) : end;
    offsets[t] = [start, at];
    mayPrefix = isAdded;
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

/**
 * Where a token's bytes end that stand at a place of a text, -1 where they do
 * not. Of U+2581 in a text SentencePiece makes what it makes of a space.
 */
function endOf(
  bytes: Uint8Array,
  start: number,
  own: Uint8Array,
  spaced: boolean,
): number {
  let at = start;
  for (let i = 0; i < own.length; i++) {
    if (bytes[at] === own[i]) at++;
    else if (
      spaced && own[i] === 0x20 && bytes[at] === 0xe2 &&
      bytes[at + 1] === 0x96 && bytes[at + 2] === 0x81
    ) at += 3;
    else return -1;
  }
  return at;
}

/** Where the whitespace at `at` ends: what JavaScript's `trim` takes. */
function skipSpaces(bytes: Uint8Array, at: number): number {
  let end = at;
  while (end < bytes.length) {
    const lead = bytes[end]!;
    const next = end +
      (lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);
    if (decode(bytes, end, next).trim() !== "") break;
    end = next;
  }
  return end;
}

function snippet(bytes: Uint8Array, at: number): string {
  return decode(bytes, at, at + 24);
}

function decode(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder("utf-8", { ignoreBOM: true })
    .decode(bytes.subarray(start, end));
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
    else if (isPair(unit, text.charCodeAt(i + 1))) {
      at += 4;
      starts[++i] = at; // the pair's second half
    } else at += 3;
  }
  starts[text.length] = at;
  return starts;
}

function isPair(high: number, low: number): boolean {
  return high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000;
}

/**
 * Tiny tokenizers for tests: every byte has a token, merges are given by hand,
 * and special tokens are named. No sample of a real vocabulary; what matters is
 * that they write tokens in the two ways that real ones do.
 *
 * @module
 */
import { type ChatTokenizer, loadTokenizer } from "../../src/chat/mod.ts";

/** What a tiny tokenizer is made of. */
export interface TinyOptions {
  /** Texts that are special tokens, in the order of their ids. */
  readonly special?: readonly string[];
  /** Texts that are one token, made by merges from the left: `]{` is `]` + `{`. */
  readonly words?: readonly string[];
  /** The normaliser of the file. */
  readonly normalizer?: unknown;
  /** The text that begins a sequence. */
  readonly bos?: string;
  /** The text that ends one. */
  readonly eos?: string;
  /** The chat template of the config. */
  readonly chatTemplate?: string;
  /** Fields of every special token, such as `lstrip`. */
  readonly flags?: Readonly<Record<string, unknown>>;
  /** Characters that the SentencePiece-like one has no piece for, beside those beyond ASCII. */
  readonly without?: string;
}

/** GPT-2's alphabet, written anew: the character of each byte. */
const ALPHABET: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const shown = byte >= 0x21 && byte <= 0x7e || byte >= 0xa1 && byte !== 0xad;
    return String.fromCharCode(shown ? byte : next++);
  });
})();

function mergesOf(words: readonly (readonly string[])[]) {
  const merges: [string, string][] = [];
  const known = new Set<string>();
  for (const letters of words) {
    for (let n = 2; n <= letters.length; n++) {
      const whole = letters.slice(0, n).join("");
      if (known.has(whole)) continue;
      known.add(whole);
      merges.push([letters.slice(0, n - 1).join(""), letters[n - 1]!]);
    }
  }
  return merges;
}

function files(
  vocab: Record<string, number>,
  merges: [string, string][],
  options: TinyOptions,
  json: Record<string, unknown>,
  model: Record<string, unknown> = {},
): {
  tokenizerJson: Record<string, unknown>;
  tokenizerConfig: Record<string, unknown>;
} {
  for (const pair of merges) vocab[pair.join("")] ??= Object.keys(vocab).length;
  const first = Object.keys(vocab).length;
  const added = (options.special ?? []).map((content, i) => ({
    id: vocab[content] ?? first + i,
    content,
    special: true,
    normalized: false,
    ...options.flags,
  }));
  return {
    tokenizerJson: {
      added_tokens: added,
      post_processor: null,
      model: { type: "BPE", vocab, merges, ...model },
      ...json,
    },
    tokenizerConfig: {
      bos_token: options.bos ?? null,
      eos_token: options.eos ?? null,
      ...(options.chatTemplate === undefined
        ? {}
        : { chat_template: options.chatTemplate }),
    },
  };
}

/** The two files of {@link byteLevel}'s tokenizer. */
export function byteLevelFiles(
  options: TinyOptions = {},
): ReturnType<typeof files> {
  const vocab = Object.fromEntries(ALPHABET.map((c, byte) => [c, byte]));
  const merges = mergesOf(
    (options.words ?? []).map((word) =>
      [...new TextEncoder().encode(word)].map((byte) => ALPHABET[byte]!)
    ),
  );
  return files(vocab, merges, options, {
    normalizer: options.normalizer ?? null,
    pre_tokenizer: {
      type: "ByteLevel",
      add_prefix_space: false,
      use_regex: false,
    },
    decoder: { type: "ByteLevel" },
  });
}

/** A byte-level tokenizer, as GPT-2's, Llama 3's and Qwen's: id = byte, then words, then special tokens. */
export function byteLevel(options: TinyOptions = {}): ChatTokenizer {
  return loadTokenizer(byteLevelFiles(options));
}

/**
 * A SentencePiece-like tokenizer, as Llama 2's: a space is put before a text,
 * spaces are U+2581, and what has no piece is written in bytes.
 */
export function sentencePiece(options: TinyOptions = {}): ChatTokenizer {
  const vocab: Record<string, number> = { "<unk>": 0 };
  for (let byte = 0; byte < 256; byte++) {
    const hex = byte.toString(16).toUpperCase().padStart(2, "0");
    vocab[`<0x${hex}>`] = Object.keys(vocab).length;
  }
  const letters = Array.from(
    { length: 94 },
    (_, i) => String.fromCharCode(0x21 + i),
  ).filter((letter) => !(options.without ?? "").includes(letter));
  for (const piece of ["\u2581", ...letters]) {
    vocab[piece] = Object.keys(vocab).length;
  }
  const merges = mergesOf(
    (options.words ?? []).map((word) => [...word.replaceAll(" ", "\u2581")]),
  );
  return loadTokenizer(files(
    vocab,
    merges,
    options,
    {
      normalizer: options.normalizer ?? {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "\u2581" },
          { type: "Replace", pattern: { String: " " }, content: "\u2581" },
        ],
      },
      pre_tokenizer: null,
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "\u2581" }, content: " " },
          { type: "ByteFallback" },
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 1, stop: 0 },
        ],
      },
    },
    { byte_fallback: true, fuse_unk: true, unk_token: "<unk>" },
  ));
}

/** The text of each stretch of tokens that have a label, read from the ids' own bytes. */
export function trainedTexts(
  row: { inputIds: Int32Array; labels: Int32Array },
  tokenizer: Pick<ChatTokenizer, "bytesOf">,
): string[] {
  const texts: string[] = [];
  let bytes: number[] = [];
  for (let t = 0; t <= row.labels.length; t++) {
    if (t < row.labels.length && row.labels[t] !== -100) {
      bytes.push(...tokenizer.bytesOf(row.labels[t]!));
    } else if (bytes.length > 0) {
      texts.push(
        new TextDecoder("utf-8", { ignoreBOM: true }).decode(
          Uint8Array.from(bytes),
        ),
      );
      bytes = [];
    }
  }
  return texts;
}

/**
 * A tokenizer as this library needs it: text to ids with the bytes of each, and
 * ids back to bytes. Made from the two files that every Hugging Face model
 * has; the ids are those of `@huggingface/tokenizers`.
 *
 * Segments of a text between added tokens are encoded one by one, as every
 * tokenizer does, and those that repeat, such as headers, system prompts and
 * tool lists, are encoded once.
 *
 * @module
 */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { checkObject, outOfRange, wrongKind } from "../checks.ts";
import {
  type AddedToken,
  createTokenBytes,
  type TokenAlphabet,
  walkTokens,
} from "./byte_offsets.ts";
import { createEncode, type Tokens } from "./segments.ts";

export type { Tokens } from "./segments.ts";

/** What `encodeChat` needs of a tokenizer. Any object with these serves. */
export interface ChatTokenizer {
  /** The chat template of the model's files, if they have one. */
  readonly chatTemplate?: string | undefined;
  /** The text of the token that begins a sequence, "" where there is none. */
  readonly bosToken: string;
  /** The text of the token that ends one, "" where there is none. */
  readonly eosToken: string;
  /** Tokenises a whole text; adds nothing to it. */
  encode(text: string): Tokens;
  /** The bytes of one token. */
  bytesOf(id: number): Uint8Array;
  /** The id of an added token's text, undefined where it is none. */
  addedId(text: string): number | undefined;
  /** Whether an id is a special token's, which no text of a message should be. */
  isSpecial(id: number): boolean;
}

/** The two files of a model's tokenizer, parsed or as JSON text. */
export interface TokenizerFiles {
  /** `tokenizer.json`. */
  tokenizerJson: unknown;
  /** `tokenizer_config.json`. */
  tokenizerConfig: unknown;
  /** `chat_template.jinja`, where the model has it as a file of its own. */
  chatTemplate?: string;
}

const ACTION = "load tokenizer";

const utf8 = new TextEncoder();

type TokenizerJson = ConstructorParameters<typeof HuggingFaceTokenizer>[0];

// deno-lint-ignore no-explicit-any
type Fields = Record<string, any>;

/**
 * Makes a tokenizer from a model's two files.
 *
 * @param files `tokenizer.json` and `tokenizer_config.json`, parsed or as JSON text.
 * @returns The tokenizer, with the chat template of the files.
 * @throws {SyntaxError} A text is not JSON.
 * @throws {TypeError} A file is of the wrong kind.
 * @throws {RangeError} The model is of a kind whose tokens cannot be laid over bytes.
 *
 * @example A tokenizer of bytes
 * ```ts
 * import { loadTokenizer } from "@sft/loss/chat";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = loadTokenizer({
 *   tokenizerJson: {
 *     added_tokens: [{ id: 2, content: "<|im_end|>", special: true }],
 *     normalizer: null,
 *     pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
 *     decoder: { type: "ByteLevel" },
 *     post_processor: null,
 *     model: { type: "BPE", vocab: { h: 0, i: 1 }, merges: [] },
 *   },
 *   tokenizerConfig: { eos_token: "<|im_end|>" },
 * });
 * const { inputIds, offsets } = tokenizer.encode("hi<|im_end|>");
 * assertEquals([...inputIds], [0, 1, 2]);
 * assertEquals(offsets, [[0, 1], [1, 2], [2, 12]]);
 * ```
 */
export function loadTokenizer(files: TokenizerFiles): ChatTokenizer {
  checkObject(ACTION, "files", files);
  // what a file leaves out is null
  const json: Fields = {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
    ...readFile("tokenizerJson", files.tokenizerJson),
  };
  const config = readFile("tokenizerConfig", files.tokenizerConfig);
  const model = new HuggingFaceTokenizer(json as TokenizerJson, config);
  const alphabet = alphabetOf(json);
  const tokenBytes = createTokenBytes(alphabet);
  const added = new Map<string, AddedToken & { id: number }>();
  const addedById = new Map<number, string>();
  const special = new Set<number>();
  for (const token of json.added_tokens) {
    const { id, content } = token;
    added.set(content, { ...token, bytes: utf8.encode(content) });
    addedById.set(id, content);
    if (token.special) special.add(id);
  }
  const prefixesAll = JSON.stringify(json.normalizer).includes('"Prepend"');
  const walk = { alphabet, tokenBytes, added, prefixesAll };
  const encode = createEncode(json, config, (text, normal) => {
    const { ids, tokens } = model.encode(text, { add_special_tokens: false });
    const offsets = walkTokens(utf8.encode(normal), tokens, walk);
    return { inputIds: Int32Array.from(ids), text: normal, offsets };
  });
  return {
    chatTemplate: files.chatTemplate ?? templateOf(config),
    bosToken: textOf(config.bos_token),
    eosToken: textOf(config.eos_token),
    encode,
    bytesOf: (id) => {
      const own = addedById.get(id);
      // added tokens of nothing but U+2581 stand for spaces, as Gemma's
      const isWord = own !== undefined &&
        (alphabet === "byte-level" || /[^\u2581]/.test(own));
      if (isWord) return utf8.encode(own);
      const token = own ?? model.id_to_token(id);
      if (token === undefined) {
        outOfRange("read tokens", "an id must be in the vocabulary", id);
      }
      return tokenBytes(token);
    },
    addedId: (text) => added.get(text)?.id,
    isSpecial: (id) => special.has(id),
  };
}

function readFile(name: string, value: unknown): Fields {
  const parsed: unknown = typeof value === "string" ? JSON.parse(value) : value;
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    wrongKind(ACTION, `${name} must be an object or its JSON text`, parsed);
  }
  return parsed as Fields;
}

/** How a model writes its tokens, by what its files say turns them into text. */
function alphabetOf(json: Fields): TokenAlphabet {
  const written = JSON.stringify([json.decoder, json.pre_tokenizer]);
  if (written.includes('"ByteLevel"')) return "byte-level";
  const spaced = JSON.stringify([
    json.decoder,
    json.pre_tokenizer,
    json.normalizer,
  ]);
  if (spaced.includes("\u2581") || spaced.includes('"Metaspace"')) {
    return "sentencepiece";
  }
  return outOfRange(
    ACTION,
    "its tokens must be byte-level or SentencePiece's, so that each is some bytes of the text",
    json.decoder?.type ?? json.model?.type ?? "unknown",
  );
}

/** A token of the config: a text, or an object that has one. */
function textOf(token: unknown): string {
  if (typeof token === "string") return token;
  const content = (token as Fields | null | undefined)?.content;
  return typeof content === "string" ? content : "";
}

/** The chat template of a config: a text, or a list of named ones with a default. */
function templateOf({ chat_template: template }: Fields): string | undefined {
  if (typeof template === "string") return template;
  if (!Array.isArray(template)) return undefined;
  const named = template.find(({ name }) => name === "default") ?? template[0];
  return typeof named?.template === "string" ? named.template : undefined;
}

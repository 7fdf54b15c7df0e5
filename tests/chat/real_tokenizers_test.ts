/**
 * Real tokenizers against their native twins: the ids of every text, and the
 * bytes of every token, as `tests/vectors/offsets.jsonl` has them; then what
 * rests on offsets, labels that end in an emoji or begin at token 0.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import type { ChatMessage, EncodedChat } from "../../src/row.ts";
import {
  ChatTemplateError,
  checkCertificate,
  encodeChat,
} from "../../src/chat/mod.ts";
import { type ChatTokenizer, loadTokenizer } from "../../src/chat/tokenizer.ts";
import { arbitraryText } from "./real/arbitrary.ts";
import { differs, type PackedSpans, unpackSpans } from "./real/offsets.ts";
import { isFor, TEXTS } from "./real/texts.ts";
import { LEFT_OUT, loadFiles, NAMES, withTokens } from "./real/tokenizers.ts";

/** What differs and is known to, `tokenizer × text`, each with the reason. */
const KNOWN: Readonly<Record<string, string>> = {
  "qwen3+prefix × spaces/bom":
    "@huggingface/tokenizers 0.2.0 counts U+FEFF as whitespace in GPT-2's pattern",
};

const utf8 = new TextEncoder();

/** One line of the vectors: ids, ranges, and the normalised text where it is another. */
interface VectorLine {
  readonly tokenizer: string;
  readonly texts: Readonly<
    Record<string, readonly [number[], PackedSpans, string?]>
  >;
}

function readVectors(): VectorLine[] {
  const url = new URL("../vectors/offsets.jsonl", import.meta.url);
  const [, ...lines] = Deno.readTextFileSync(url).trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

const tokenizers = new Map<string, Promise<ChatTokenizer>>();

/** A tokenizer by name; each is loaded once. */
function load(name: string): Promise<ChatTokenizer> {
  let loaded = tokenizers.get(name);
  if (loaded === undefined) {
    loaded = loadFiles(name).then(loadTokenizer);
    tokenizers.set(name, loaded);
  }
  return loaded;
}

/** "" where ids, text and offsets are the native ones. */
function compare(
  tokenizer: ChatTokenizer,
  text: string,
  [ids, packed, normal = text]: VectorLine["texts"][string],
): string {
  try {
    const found = tokenizer.encode(text);
    if (found.text !== normal) return "another text";
    if (found.inputIds.join() !== ids.join()) return "other ids";
    return differs(normal, found.offsets, unpackSpans(packed)) ?? "";
  } catch (error) {
    return String(error);
  }
}

for (const { tokenizer: name, texts } of readVectors()) {
  if (!NAMES.includes(name)) continue;
  Deno.test(`encode() gives the native ids and bytes: ${name}`, async () => {
    const tokenizer = await load(name);
    const wanted = Object.keys(TEXTS).filter((id) => isFor(id, name));
    assertEquals(
      Object.keys(texts),
      wanted,
      "run scripts/make_offset_vectors.ts",
    );
    const differing: string[] = [];
    let tokens = 0;
    for (const id of wanted) {
      const difference = compare(tokenizer, TEXTS[id]!, texts[id]!);
      tokens += texts[id]![0].length;
      if (difference !== "") differing.push(`${name} × ${id}: ${difference}`);
    }
    console.log(
      `${name}: ${
        wanted.length - differing.length
      } of ${wanted.length} texts, ${tokens} tokens`,
    );
    const known = Object.keys(KNOWN).filter((key) =>
      key.startsWith(`${name} ×`)
    );
    assertEquals(differing.map((line) => line.split(": ")[0]), known);
  });
}

/** The tokens' ranges follow one another over the whole text. */
function assertTiled(text: string, offsets: readonly (readonly number[])[]) {
  let at = 0;
  for (const [start, end] of offsets) {
    assertEquals(start, at);
    assert(end! >= start!);
    at = end!;
  }
  assertEquals(at, utf8.encode(text).length);
}

for (const name of NAMES) {
  Deno.test(`encode() in stretches is encode() whole: ${name}`, async () => {
    const { tokenizerJson, tokenizerConfig } = await loadFiles(name);
    const tokenizer = await load(name);
    const whole = new Tokenizer(
      tokenizerJson as ConstructorParameters<typeof Tokenizer>[0],
      tokenizerConfig,
    );
    fc.assert(
      fc.property(arbitraryText, (text) => {
        const { inputIds, text: normal, offsets } = tokenizer.encode(text);
        const { ids } = whole.encode(text, { add_special_tokens: false });
        assertEquals([...inputIds], ids);
        assertTiled(normal, offsets);
      }),
      { numRuns: 300 },
    );
  });
}

Deno.test("encode() encodes whole where an added token wants a single word", async () => {
  for (const name of ["qwen3", "llama2"]) {
    const files = withTokens(await loadFiles(name), [
      ["<|word|>", { single_word: true }],
    ]);
    const tokenizer = loadTokenizer(files);
    const whole = new Tokenizer(
      files.tokenizerJson as ConstructorParameters<typeof Tokenizer>[0],
      files.tokenizerConfig,
    );
    const text = TEXTS["control/words"]!;
    const { inputIds, offsets } = tokenizer.encode(text);
    const { ids } = whole.encode(text, { add_special_tokens: false });
    assertEquals([...inputIds], ids);
    assertTiled(text, offsets);
  }
});

Deno.test("encode() does not normalise an added token together with what follows", async () => {
  const tokenizer = await load("qwen3");
  const { inputIds, text } = tokenizer.encode("<|im_end|>\u0338 >\u0338");
  assertEquals(text, "<|im_end|>\u0338 \u226f");
  assertEquals(inputIds[0], tokenizer.addedId("<|im_end|>"));
});

Deno.test("encode() remembers what repeats, and gives it again", async () => {
  const files = await loadFiles("qwen3");
  const [warm, text] = [loadTokenizer(files), TEXTS["control/chatml"]!];
  const first = warm.encode(text);
  assertEquals(warm.encode(text), first);
  assertEquals(
    warm.encode(text + text).inputIds.subarray(first.inputIds.length),
    first.inputIds,
  );
});

for (const name of ["qwen3", "llama2"]) {
  Deno.test(`every piece of a split character lies in it: ${name}`, async () => {
    const tokenizer = await load(name);
    let split = 0;
    for (const [id, text] of Object.entries(TEXTS)) {
      if (!id.startsWith("emoji/")) continue;
      const found = tokenizer.encode(text);
      const bytes = utf8.encode(found.text);
      found.offsets.forEach(([start, end], t) => {
        // its own bytes stand there, but for a space that was put before them
        const own = tokenizer.bytesOf(found.inputIds[t]!);
        const stands = bytes.subarray(start, end);
        const prefix = t === 0 && own.length > stands.length ? 1 : 0;
        assertEquals(own.subarray(prefix), stands);
        if (stands.length > 0 && (stands[0]! & 0xc0) === 0x80) split++;
      });
    }
    assert(split > 20, `only ${split} pieces begin inside a character`);
  });
}

const BARE = "{% for m in messages %}{{ m.content }}{{ eos_token }}" +
  "{% endfor %}";

/** What a row trains, as bytes of its text. */
function trainedText({ text, labels, offsets }: EncodedChat): string {
  const bytes = utf8.encode(text);
  const kept = [...labels].flatMap((label, t) =>
    label === -100 ? [] : [...bytes.subarray(...offsets[t]!)]
  );
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
    .decode(Uint8Array.from(kept));
}

/** Encodes with the tokenizer's own template, or one of bare contents. */
async function encode(
  name: string,
  messages: ChatMessage[],
  chatTemplate?: string,
): Promise<[row: EncodedChat, tokenizer: ChatTokenizer]> {
  const tokenizer = await load(name);
  const row = encodeChat(messages, {
    tokenizer,
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
  });
  checkCertificate(row, tokenizer);
  return [row, tokenizer];
}

/** The texts that no row may train, and why. */
const REFUSED: readonly (readonly [text: string, of: RegExp, why: RegExp])[] = [
  ["odd/surrogates", /^/, /whole Unicode/],
  // the ids say spaces where the text has U+2581
  ["control/deepseek", /llama2|gemma3/, /Cannot certify/],
  ["odd/alphabet", /llama2|gemma3/, /Cannot certify/],
  // a control token that takes whitespace beyond ASCII
  ["control/wide", /\+strip|\+always/, /Cannot certify/],
];

for (const name of NAMES) {
  Deno.test(`encodeChat() certifies every text as an answer: ${name}`, async () => {
    const tokenizer = await load(name);
    const stop = tokenizer.eosToken;
    const refused: string[] = [];
    for (const [id, text] of Object.entries(TEXTS)) {
      const messages = [
        { role: "user", content: text },
        { role: "assistant", content: text },
        { role: "assistant", content: "" },
      ];
      try {
        const row = encodeChat(messages, { tokenizer, chatTemplate: BARE });
        checkCertificate(row, tokenizer);
        const own = tokenizer.encode(text + stop + text + stop + stop);
        assertEquals(row.inputIds, own.inputIds, id);
        assert(own.text.endsWith(trainedText(row)), id);
      } catch (error) {
        if (!(error instanceof ChatTemplateError)) throw error;
        const why = REFUSED.find(([text, of]) => text === id && of.test(name));
        assertMatch(error.message, why?.[2] ?? /^$/, id);
        refused.push(id);
      }
    }
    const wanted = REFUSED.filter(([, of]) => of.test(name)).map(([id]) => id);
    assertEquals(refused.sort(), wanted.sort());
  });
}

const ENDINGS = ["🥳", "👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "𓂀", "𠀋", "e\u0301", "한", "…"];

Deno.test("encodeChat() trains all pieces of an emoji that ends an answer", async () => {
  for (const ending of ENDINGS) {
    for (
      const [name, template] of [
        ["qwen3", undefined],
        ["qwen3", BARE],
        ["llama2", BARE],
      ] as const
    ) {
      const [row, tokenizer] = await encode(name, [
        { role: "user", content: `Hi ${ending}` },
        { role: "assistant", content: `Yes ${ending}` },
      ], template);
      const stop = name === "qwen3" ? "<|im_end|>" : "</s>";
      const own = name === "qwen3" ? ending.normalize("NFC") : ending;
      // Qwen3 opens the last answer with an empty think block
      const think = template === undefined ? "<think>\n\n</think>\n\n" : "";
      assertEquals(trainedText(row), `${think}Yes ${own}${stop}`);
      // and its last pieces are what the end of the answer is made of
      const alone = tokenizer.encode(`${stop}Yes ${own}`).inputIds.subarray(1);
      const last = row.inputIds.lastIndexOf(tokenizer.addedId(stop)!);
      const pieces = row.labels.subarray(last - alone.length + 1, last);
      assertEquals(pieces, alone.subarray(1));
    }
  }
});

Deno.test("encodeChat() trains an answer that begins at token 0", async () => {
  for (const name of ["qwen3", "llama2"]) {
    for (const content of ["Yes.", "🥳", " a", "{", "\u0301x", "한"]) {
      const [row] = await encode(
        name,
        [{ role: "assistant", content }, { role: "user", content: "Why?" }],
        BARE,
      );
      const stop = name === "qwen3" ? "<|im_end|>" : "</s>";
      assertEquals(row.labels[0], row.inputIds[0], `${name}: ${content}`);
      assertEquals(trainedText(row), content + stop);
      assertEquals(row.owners[0], 0);
    }
  }
});

Deno.test("encodeChat() trains whitespace that begins an answer", async () => {
  for (
    const content of [
      " a",
      "  a",
      "\ta",
      "\u00a0a",
      "\u3000a",
      "\n a",
      "\ufeffa",
    ]
  ) {
    for (
      const [name, template] of [
        [
          "qwen3",
          "{% for m in messages %}<|im_start|>{{ m.content }}" +
          "<|im_end|>{% endfor %}" +
          "{% if add_generation_prompt %}<|im_start|>{% endif %}",
        ],
        ["qwen3", BARE],
        ["llama2", BARE],
      ] as const
    ) {
      const [row] = await encode(name, [
        { role: "user", content: "Hi" },
        { role: "assistant", content },
      ], template);
      const stop = name === "qwen3" ? "<|im_end|>" : "</s>";
      assertEquals(trainedText(row), content + stop, `${name}: ${content}`);
      assertEquals(row.certificate.runs[0]!.text, content + stop);
    }
  }
});

/** Phi 3: its control tokens take the whitespace behind them. */
const PHI = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}" +
  "<|end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|assistant|>\n{% endif %}";

Deno.test("encodeChat() gives whitespace to the token that takes it", async () => {
  for (const name of ["qwen3+strip", "llama2+strip"]) {
    const [row, tokenizer] = await encode(name, [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Yes 🥳" },
    ], PHI);
    const header = [...row.inputIds].lastIndexOf(
      tokenizer.addedId("<|assistant|>")!,
    );
    const [start, end] = row.offsets[header]!;
    const bytes = utf8.encode(row.text);
    const covered = new TextDecoder().decode(bytes.subarray(start, end));
    assertEquals(covered, "<|assistant|>\n");
    assertEquals(row.labels[header], -100);
    assertEquals(row.certificate.runs[0]!.text.startsWith("Yes 🥳"), true);
  }
});

Deno.test({
  name: `encode() of big tokenizers (set GRID=all): ${
    LEFT_OUT.join(", ") || "all are in"
  }`,
  ignore: LEFT_OUT.length > 0,
  fn: () => assertEquals(LEFT_OUT, []),
});

/**
 * The walk over bytes, the stretches it is done in, and the normaliser it
 * follows, on tokens written by hand. Real tokenizers are in
 * `real_tokenizers_test.ts`.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  byteStarts,
  createTokenBytes,
  type TokenAlphabet,
  walkTokens,
} from "../../src/chat/byte_offsets.ts";
import { ChatTemplateError } from "../../src/chat/errors.ts";
import type { TokenSpan } from "../../src/contract.ts";
import { followNormaliser, type OwnedText } from "../../src/chat/normalised.ts";
import { createEncode } from "../../src/chat/segments.ts";
import { loadTokenizer } from "../../src/chat/tokenizer.ts";
import { codePointStarts, packSpans, unpackSpans } from "./real/offsets.ts";

const utf8 = new TextEncoder();

/** Bytes as a byte-level tokenizer writes them, by the rule of its alphabet. */
const writeBytes = (text: string) => {
  const printable = (byte: number) =>
    byte > 32 && byte < 127 || byte > 160 && byte !== 173;
  return [...utf8.encode(text)].map((byte) => {
    let below = 0;
    for (let b = 0; b < byte; b++) if (!printable(b)) below++;
    return String.fromCharCode(printable(byte) ? byte : 256 + below);
  }).join("");
};

interface Added {
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
}

function walk(
  text: string,
  tokens: readonly string[],
  { alphabet = "sentencepiece", prefixesAll = false, added = {} }: {
    alphabet?: TokenAlphabet;
    prefixesAll?: boolean;
    added?: Record<string, Added>;
  } = {},
) {
  return walkTokens(utf8.encode(text), tokens, {
    alphabet,
    prefixesAll,
    tokenBytes: createTokenBytes(alphabet),
    added: new Map(
      Object.entries(added).map(([content, flags]) => [
        content,
        { ...flags, bytes: utf8.encode(content) },
      ]),
    ),
  });
}

Deno.test("createTokenBytes() reads every byte of the byte-level alphabet", () => {
  const read = createTokenBytes("byte-level");
  for (let code = 0; code < 0x800; code++) {
    const character = String.fromCharCode(code);
    assertEquals(read(writeBytes(character)), utf8.encode(character));
  }
  assertEquals(read("Ġ"), Uint8Array.of(32));
  assertEquals(read("Ā"), Uint8Array.of(0));
  // what is not of the alphabet is its own text
  assertEquals(read("<｜a｜>"), utf8.encode("<｜a｜>"));
});

Deno.test("createTokenBytes() reads SentencePiece's spaces and bytes", () => {
  const read = createTokenBytes("sentencepiece");
  assertEquals(read("▁▁a▁"), utf8.encode("  a "));
  assertEquals(read("<0xE2>"), Uint8Array.of(0xe2));
  assertEquals(read("<0xe2>"), utf8.encode("<0xe2>"));
});

Deno.test("walkTokens() gives each piece of a split character its bytes", () => {
  const [a, b, c] = [["ðŁ", "ĺ"], ["ģ"], ["!"]] as const;
  const tokens = [...a, ...b, ...c];
  assertEquals(walk("😁!", tokens, { alphabet: "byte-level" }), [
    [0, 2],
    [2, 3],
    [3, 4],
    [4, 5],
  ]);
  const bytes = ["<0xF0>", "<0x9F>", "<0x98>", "<0x81>", "!"];
  assertEquals(walk("😁!", ["▁", ...bytes]), [
    [0, 0],
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 5],
  ]);
});

Deno.test("walkTokens() tells a space that was put before a text", () => {
  // where none stood
  assertEquals(walk("a b", ["▁a", "▁b"]), [[0, 1], [1, 3]]);
  assertEquals(walk(" a", ["▁a"]), [[0, 2]]);
  // before every text: the first space of the tokens is never one of the text
  const all = { prefixesAll: true };
  assertEquals(walk("a b", ["▁a", "▁b"], all), [[0, 1], [1, 3]]);
  assertEquals(walk(" a", ["▁", "▁a"], all), [[0, 0], [0, 2]]);
  assertEquals(walk("  a", ["▁▁", "▁a"], all), [[0, 1], [1, 3]]);
  assertThrows(() => walk(" a", ["▁a"], all), ChatTemplateError, "byte 0");
  // and again behind an added token
  const added = { ...all, added: { "<s>": {} } };
  assertEquals(walk("<s>a<s> a", ["<s>", "▁a", "<s>", "▁", "▁a"], added), [
    [0, 3],
    [3, 4],
    [4, 7],
    [7, 7],
    [7, 9],
  ]);
  assertThrows(
    () => walk("ab", ["▁a", "▁b"], all),
    ChatTemplateError,
    "byte 1",
  );
});

Deno.test("walkTokens() takes U+2581 for what SentencePiece takes it", () => {
  assertEquals(walk("▁a b", ["▁a", "▁b"]), [[0, 4], [4, 6]]);
  assertEquals(walk("x▁ ▁", ["x", "▁▁▁"]), [[0, 1], [1, 8]]);
  assertThrows(
    () => walk("▁a", ["Ġa"], { alphabet: "byte-level" }),
    ChatTemplateError,
  );
});

Deno.test("walkTokens() reads an added token as its text, or as spaces", () => {
  const added = { "▁▁": {}, "▁x": {} };
  assertEquals(walk("  a", ["▁▁", "a"], { added }), [[0, 2], [2, 3]]);
  assertEquals(walk("▁▁a▁x", ["▁▁", "a", "▁x"], { added }), [
    [0, 6],
    [6, 7],
    [7, 11],
  ]);
});

Deno.test("walkTokens() gives whitespace to the added token that takes it", () => {
  const added = {
    "<r>": { rstrip: true },
    "<l>": { lstrip: true },
    "<s>": {},
  };
  for (const space of [" ", "\n\n", "\t ", "\u00a0", "\u3000\u2003\ufeff"]) {
    const wide = utf8.encode(space).length;
    assertEquals(walk(`<r>${space}a`, ["<r>", "a"], { added }), [
      [0, 3 + wide],
      [3 + wide, 4 + wide],
    ]);
    assertEquals(walk(`a${space}<l>`, ["a", "<l>"], { added }), [
      [0, 1],
      [1, 4 + wide],
    ]);
    // of two that would take it, the first
    assertEquals(walk(`<r>${space}<l>`, ["<r>", "<l>"], { added }), [
      [0, 3 + wide],
      [3 + wide, 6 + wide],
    ]);
    assertEquals(walk(`<r>${space}`, ["<r>"], { added }), [[0, 3 + wide]]);
    assertThrows(
      () => walk(`<s>${space}x`, ["<s>", "x"], { added }),
      ChatTemplateError,
    );
  }
  // a space that is put before the stretch behind it has no bytes
  assertEquals(
    walk("<r>  a", ["<r>", "▁a"], { added, prefixesAll: true }),
    [[0, 5], [5, 6]],
  );
});

Deno.test("walkTokens() refuses what does not fit", () => {
  const say = (run: () => unknown, words: string) =>
    assertThrows(run, ChatTemplateError, words);
  say(() => walk("ab", ["a"]), "they end at 1");
  say(() => walk("ab", ["a", "c"]), 'value is "c"');
  say(() => walk("a", ["a", "a"]), "byte 1");
  say(() => walk("é", ["e"]), "byte 0");
  say(() => walk("", ["a"]), "byte 0");
  say(() => walk("a", []), "they end at 0");
  say(() => walk("\ufeffa", ["a"]), "\ufeffa");
  assertEquals(walk("", []), []);
});

Deno.test("walkTokens() lays any cut of any text", () => {
  const texts = fc.string({ unit: "binary", maxLength: 20 });
  fc.assert(fc.property(texts, fc.array(fc.nat(5)), (text, lengths) => {
    const letters = writeBytes(text);
    const tokens: string[] = [];
    for (let at = 0, i = 0; at < letters.length; i++) {
      const length = 1 + (lengths[i % lengths.length] ?? 0);
      tokens.push(letters.slice(at, at += length));
    }
    let at = 0;
    const wanted = tokens.map(({ length }): TokenSpan => [at, at += length]);
    assertEquals(walk(text, tokens, { alphabet: "byte-level" }), wanted);
  }));
});

Deno.test("byteStarts() says where each character begins", () => {
  assertEquals([...byteStarts("aé한😀b")], [0, 1, 3, 6, 10, 10, 11]);
  assertEquals([...byteStarts("")], [0]);
  // half a pair is three bytes, as it is encoded
  assertEquals([...byteStarts("\ud83db\ude00")], [0, 3, 4, 7]);
  assertEquals([...byteStarts("\ud83d\ud83d\ude00")], [0, 3, 7, 7]);
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const wanted = codePointStarts(text);
      const starts = byteStarts(text);
      assertEquals(starts[text.length], utf8.encode(text).length);
      assertEquals([...new Set(starts)], wanted);
    }),
  );
});

Deno.test("packSpans() and unpackSpans() undo each other", () => {
  const spans = [[0, 2], [0, 4], [4, 4], [6, 7]] as const;
  assertEquals(packSpans(spans), [2, [-2, 4], 0, [2, 1]]);
  assertEquals(unpackSpans(packSpans(spans)), spans.map(([a, b]) => [a, b]));
});

/** An encode over letters that counts how often it was asked. */
function letters(json: Record<string, unknown>) {
  const asked: string[] = [];
  const encode = createEncode(
    {
      normalizer: null,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false },
      ...json,
    },
    {},
    (text, normal) => {
      asked.push(text);
      const starts = codePointStarts(normal);
      return {
        text: normal,
        inputIds: Int32Array.from(normal, (letter) => letter.codePointAt(0)!),
        offsets: starts.slice(1).map((end, t) => [starts[t]!, end] as const),
      };
    },
  );
  return { encode, asked };
}

const END = { id: 1, content: "<e>", special: true, normalized: false };

Deno.test("createEncode() encodes a stretch once, and joins what it remembers", () => {
  const { encode, asked } = letters({ added_tokens: [END] });
  const { inputIds, text, offsets } = encode("né<e>né<e><e>né");
  assertEquals(asked, ["né", "<e>", ""]);
  assertEquals(text, "né<e>né<e><e>né");
  assertEquals(String.fromCodePoint(...inputIds), text);
  const starts = codePointStarts(text);
  assertEquals(offsets.map(([start]) => start), starts.slice(0, -1));
  assertEquals(offsets.map(([, end]) => end), starts.slice(1));
  assertEquals(encode("").offsets, []);
  assertEquals(asked, ["né", "<e>", ""]);
});

Deno.test("createEncode() cuts at the longest added token, the first that stands", () => {
  const tokens = ["<e>", "<e>>", "e>"].map((content, id) => ({
    ...END,
    id,
    content,
  }));
  const { encode, asked } = letters({ added_tokens: tokens });
  encode("a<e>>e>b.*");
  assertEquals(asked, ["a", "<e>>", "", "e>", "b.*"]);
});

Deno.test("createEncode() encodes whole where tokens reach over a cut", () => {
  const prefix = { type: "ByteLevel", add_prefix_space: true };
  const metaspace = { type: "Metaspace", replacement: "▁" };
  for (
    const json of [
      { added_tokens: [{ ...END, lstrip: true }] },
      { added_tokens: [{ ...END, rstrip: true }] },
      { added_tokens: [{ ...END, single_word: true }] },
      { added_tokens: [END], pre_tokenizer: prefix },
      { added_tokens: [END], pre_tokenizer: metaspace },
      { added_tokens: [END], pre_tokenizer: null },
      { added_tokens: [] },
      // sought in the normalised text, so no cut of the text as it is
      {
        added_tokens: [{ ...END, normalized: true }],
        normalizer: { type: "NFC" },
      },
    ]
  ) {
    const { encode, asked } = letters(json);
    assertEquals(encode("a<e>b").text, "a<e>b");
    assertEquals(asked, ["a<e>b"], JSON.stringify(json));
  }
});

Deno.test("createEncode() normalises between added tokens, not over them", () => {
  for (const flags of [{}, { rstrip: true }]) {
    const { encode } = letters({
      added_tokens: [{ ...END, ...flags }],
      normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }] },
    });
    assertEquals(encode("e\u0301<e>\u0338>\u0338").text, "é<e>\u0338≯");
  }
  for (const flags of [{}, { rstrip: true }]) {
    const { encode } = letters({
      added_tokens: [{ ...END, ...flags, content: "<｜e｜>" }],
      normalizer: { type: "NFKC" },
    });
    assertEquals(encode("ｅ<｜e｜>｜").text, "e<｜e｜>|");
  }
});

Deno.test("createEncode() makes half a surrogate pair what UTF-8 makes it", () => {
  const { encode } = letters({ added_tokens: [END] });
  assertEquals(encode("a\ud83d<e>\ude00").text, "a\ufffd<e>\ufffd");
});

Deno.test("bytesOf() reads an added token of nothing but U+2581 as spaces", () => {
  const tokenizerJson = (pre_tokenizer: unknown) => ({
    added_tokens: [
      { id: 0, content: "▁▁", special: false, normalized: false },
      { id: 1, content: "<▁>", special: true, normalized: false },
    ],
    pre_tokenizer,
    model: { type: "BPE", vocab: { "▁▁": 0, a: 2 }, merges: [] },
  });
  const bytes = (pre_tokenizer: unknown) => {
    const tokenizer = loadTokenizer({
      tokenizerJson: tokenizerJson(pre_tokenizer),
      tokenizerConfig: {},
    });
    return [0, 1, 2].map((id) =>
      new TextDecoder().decode(tokenizer.bytesOf(id))
    );
  };
  assertEquals(bytes({ type: "Metaspace" }), ["  ", "<▁>", "a"]);
  assertEquals(bytes({ type: "ByteLevel" }), ["▁▁", "<▁>", "a"]);
});

/** A text whose characters have owners, one digit for each. */
function owned(text: string, owners: string): OwnedText {
  return {
    text,
    owners: Int32Array.from(owners, Number),
    fields: new Uint8Array(text.length),
    reasons: new Uint8Array(text.length),
    said: new Uint8Array(text.length),
  };
}

Deno.test("followNormaliser() gives what characters became to their owner", () => {
  const cases: [text: string, owners: string, became: string, after: string][] =
    [
      ["ae\u0301b", "0112", "aéb", "012"],
      ["ab", "01", "ab", "01"],
      ["é", "1", "e\u0301", "11"],
      ["xﬁy", "012", "xfiy", "0112"],
      // an added token joins nothing behind it
      ["<e>\u0338x", "00011", "<e>\u0338x", "00011"],
      ["<e>\u0338e\u0301", "000111", "<e>\u0338é", "00011"],
      ["<e>\u0338и\u0306", "000000", "<e>\u0338й", "00000"],
      ["<e>\u0338e\u0301", "000000", "<e>\u0338é", "00000"],
      // nor is it changed
      ["<｜>ｆ", "0001", "<｜>f", "0001"],
      ["a\ud83db", "012", "a\ufffdb", "012"],
    ];
  for (const [text, owners, became, after] of cases) {
    const found = followNormaliser(owned(text, owners), became);
    assertEquals(found.text, became);
    assertEquals(found.owners.join(""), after, JSON.stringify(text));
  }
});

Deno.test("followNormaliser() refuses what two owners' characters became", () => {
  const say = (text: string, owners: string, became: string) =>
    assertThrows(
      () => followNormaliser(owned(text, owners), became),
      ChatTemplateError,
      "Cannot follow",
    );
  say("e\u0301", "01", "é");
  say("\u1112\u1161", "01", "하");
  // and what no normal form does
  say("abc", "000", "ABC");
  say("abc", "000", "ab");
  say("abc", "000", "abcd");
});

Deno.test("followNormaliser() follows every normal form over every text", () => {
  const texts = fc.array(
    fc.constantFrom("a", "e\u0301", "é", "ﬁ", "한", "\u1112\u1161", "😀", " "),
  );
  const forms = fc.constantFrom("NFC", "NFD", "NFKC", "NFKD");
  fc.assert(fc.property(texts, forms, (parts, form) => {
    const owners = parts.map((part, i) => String(i % 10).repeat(part.length));
    const became = parts.map((part) => part.normalize(form));
    const found = followNormaliser(
      owned(parts.join(""), owners.join("")),
      became.join(""),
    );
    assertEquals(
      found.owners.join(""),
      became.map((part, i) => String(i % 10).repeat(part.length)).join(""),
    );
  }));
});

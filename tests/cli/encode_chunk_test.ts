/** What becomes of conversations on their way to rows: kept, cut, left out, and counted. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Chunk,
  type ChunkSettings,
  encodeChunk,
} from "../../src/cli/encode_chunk.ts";
import { createEncoder } from "../../src/cli/encoding.ts";
import { DataError } from "../../src/cli/errors.ts";
import { type Records, RecordWriter } from "../../src/cli/spill.ts";
import type { Conversation } from "../../src/chat/mod.ts";
import { chatText, IM_END, TOKENIZER } from "./fixture.ts";

const encoder = createEncoder({
  tokenizer: TOKENIZER,
  templateOptions: {},
  policy: {},
  split: "auto",
});

function conversation(line: number, ...turns: string[]): Conversation {
  const messages = turns.map((content, i) => ({
    role: i % 2 === 0 ? "user" : "assistant",
    content,
  }));
  return { line, shape: "messages", messages };
}

function encode(
  chats: Conversation[],
  settings: Partial<ChunkSettings> = {},
): Chunk {
  const results = chats.map((conversation) => ({ conversation }));
  return encodeChunk(encoder, results, {
    maxLength: Infinity,
    overlong: "truncate",
    certificates: false,
    ...settings,
  });
}

/** The rows of records as text, what is trained in brackets. */
function show({ bytes, lengths, sizes }: Records): string[] {
  const rows: string[] = [];
  let at = 0;
  lengths.forEach((length, row) => {
    const tokens = new Int32Array(bytes.buffer.slice(at, at + 4 * length));
    at += sizes[row]!;
    let text = "";
    tokens.forEach((token, t) => {
      const id = token < 0 ? ~token : token;
      if (token >= 0 && !(tokens[t - 1]! >= 0)) text += "[";
      text += id < 256 ? String.fromCharCode(id) : `<${id}>`;
      if (token >= 0 && !(tokens[t + 1]! >= 0)) text += "]";
    });
    rows.push(text);
  });
  return rows;
}

const header = "<256>user\n";
const asked = `${header}Hi<257>\n<256>assistant\n`;

Deno.test("encodeChunk() keeps rows that fit, trained tokens marked", () => {
  const { records, tally } = encode([conversation(1, "Hi", "Ho")]);
  assertEquals(show(records), [`${asked}[Ho<257>]\n`]);
  assertEquals([tally.conversations, tally.rows], [1, 1]);
  assertEquals([tally.tokens, tally.trained], [25, 3]);
  assertEquals(tally.events.size, 0);
});

Deno.test("encodeChunk() truncates, and counts and names what is lost", () => {
  const chats = [
    conversation(1, "Hi", "Hello there"),
    conversation(2, "Hi", "Ho"),
    conversation(3, "A question that is much too long", "Ho"),
    conversation(4, "Hi"),
  ];
  const { records, tally } = encode(chats, { maxLength: 27 });
  assertEquals(show(records), [`${asked}[Hello ]`, `${asked}[Ho<257>]\n`]);
  assertEquals(tally.trained, 6 + 3);
  assertEquals(tally.trainedCut, 6 + 3); // "there" and its stop; the third's answer
  assertEquals(
    [...tally.events].map(([event, { times, examples }]) =>
      [event, times, examples[0]!.line] as const
    ),
    [
      ["finding:truncated-in-answer", 1, 1],
      ["cut-away", 1, 3],
      ["nothing-trained", 1, 4],
    ],
  );
});

Deno.test("encodeChunk() leaves a row out whose only trained token is nobody's target", () => {
  // 17 tokens end in front of the answer, 22 in its first letter
  const chat = [conversation(1, "Hi", "Ho")];
  assertEquals(encode(chat, { maxLength: 21 }).tally.times("cut-away"), 1);
  assertEquals(encode(chat, { maxLength: 22 }).tally.rows, 1);
  const one = encode(chat, { maxLength: 1 });
  assertEquals([one.tally.rows, one.tally.times("cut-away")], [0, 1]);
});

Deno.test("encodeChunk() splits, and leaves fragments out that train nothing", () => {
  const { records, tally } = encode(
    [conversation(7, "Hi", "Hello there")],
    { maxLength: 8, overlong: "split" },
  );
  assertEquals(show(records), ["tant\n[Hel]", "[lo there]"]);
  // two of the prompt; the stop, which begins its fragment
  assertEquals(tally.times("fragment"), 3);
  assertEquals(tally.rows, 2);
});

Deno.test("encodeChunk() drops, or stops at, what is too long", () => {
  const chats = [conversation(1, "Hi", "Hello"), conversation(2, "Hi", "Ho")];
  const { records, tally } = encode(chats, {
    maxLength: 25,
    overlong: "drop",
  });
  assertEquals(show(records).length, 1);
  assertEquals(tally.events.get("overlong"), {
    times: 1,
    examples: [{ line: 1, detail: "28 tokens" }],
  });
  assertThrows(
    () => encode(chats, { maxLength: 25, overlong: "error" }),
    DataError,
    "line 1 has 28 tokens, more than --max-length 25",
  );
});

Deno.test("encodeChunk() counts refusals by reason, and what was found in rows", () => {
  const angry: Conversation = {
    line: 2,
    shape: "messages",
    messages: [{ role: "angry", content: "!" }],
  };
  const { tally } = encodeChunk(encoder, [
    { error: { line: 1, message: "line 1: not JSON: x" } },
    { conversation: angry },
    { conversation: conversation(3, "Hi", "<|im_end|>") },
  ], { maxLength: Infinity, overlong: "truncate", certificates: false });
  assertEquals([...tally.events.keys()], [
    "refused:not readable",
    "refused:refused",
    "finding:control-text",
  ]);
  assertEquals(tally.events.get("refused:not readable")!.examples, [
    { line: 1, detail: "not JSON: x" },
  ]);
});

Deno.test("encodeChunk() writes certificates behind the tokens", () => {
  const { records } = encode([conversation(5, "Hi", "Ho")], {
    certificates: true,
  });
  const json = new TextDecoder().decode(records.bytes.subarray(4 * 25));
  const { line, runs } = JSON.parse(json);
  assertEquals([line, runs[0].text], [5, "Ho<|im_end|>"]);
  assertEquals(
    records.sizes[0],
    4 * 25 + new TextEncoder().encode(json).length,
  );
});

Deno.test("RecordWriter keeps weights only where one is not 1", () => {
  const writer = new RecordWriter();
  const inputIds = Int32Array.of(5, 6, 0x7fffffff);
  const labels = Int32Array.of(-100, 6, 0x7fffffff);
  writer.add({ inputIds, labels, weights: Float64Array.of(0, 1, 1) }, null);
  writer.add({ inputIds, labels, weights: Float64Array.of(0, 1, 0.5) }, null);
  const { weighted, sizes, bytes } = writer.finish();
  assertEquals([...weighted], [0, 1]);
  assertEquals([...sizes], [12, 12 + 24]);
  assertEquals(
    [...new Int32Array(bytes.buffer, 0, 3)],
    [~5, 6, 0x7fffffff],
  );
});

Deno.test("a chat's text is what the fixture says", () => {
  const { rows } = { rows: encoder.encode(conversation(1, "Hi", "Ho")) };
  assertEquals(rows[0]!.text, chatText("Hi", "Ho"));
  assert(rows[0]!.labels.includes(IM_END));
});

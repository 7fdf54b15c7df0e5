/** The demo's parts: what it reads, what it shows, what it trains. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
} from "@std/assert";
import { compare } from "../../examples/demo/agreement.ts";
import { drawChart } from "../../examples/demo/chart.ts";
import {
  type Conversation,
  packBatch,
  readChats,
  readConversation,
  readVocabulary,
} from "../../examples/demo/data.ts";
import { Model, seeded } from "../../examples/demo/model.ts";
import { clip, displayWidth, table } from "../../examples/demo/terminal.ts";
import { targetRows, train } from "../../examples/demo/train.ts";
import { loadQwen3 } from "../../examples/qwen3.ts";
import { createLossWorkspace, IGNORE_INDEX } from "../../mod.ts";
import { type ChatTokenizer, checkCertificate } from "../../src/chat/mod.ts";

const CHATS = new URL("../../examples/chats.jsonl", import.meta.url);
const PLAIN = { colour: false, columns: 80 };

let loaded: Promise<{ qwen3: ChatTokenizer; conversations: Conversation[] }>;

/** The tokenizer and the encoded chats, read once for all tests. */
function load(): typeof loaded {
  loaded ??= (async () => {
    const [text, qwen3] = await Promise.all([
      Deno.readTextFile(CHATS),
      loadQwen3(),
    ]);
    const conversations = (await readChats(text))
      .map((chat) => readConversation(chat, qwen3));
    return { qwen3, conversations };
  })();
  return loaded;
}

Deno.test("chats.jsonl has 32 chats or more, three shapes, five languages", async () => {
  const chats = await readChats(await Deno.readTextFile(CHATS));
  assert(chats.length >= 32);
  assertEquals(
    [...new Set(chats.map(({ shape }) => shape))].sort(),
    ["messages", "prompt", "sharegpt"],
  );
  const marks = {
    ja: /[ぁ-ヿ]/,
    zh: /^[^ぁ-ヿ]*[一-鿿][^ぁ-ヿ]*$/,
    es: /[¿¡]/,
  };
  for (const mark of [...Object.values(marks), /[äöüß]/, /\bthe\b/]) {
    const found = chats.filter(({ messages }) =>
      mark.test(messages.map(({ content }) => content).join(" "))
    );
    assert(found.length >= 4, `${mark} ${found.length}`);
  }
});

Deno.test("readChats() names the line that it cannot read", async () => {
  const good = `{"prompt": "a", "completion": "b"}`;
  await assertRejects(
    () => readChats(`${good}\n\n{"prompt": 1, "completion": "b"}`),
    SyntaxError,
    "line 3: prompt must be",
  );
  await assertRejects(() => readChats(`${good}\n{`), SyntaxError, "line 2: ");
});

Deno.test("readConversation() trains what the assistant says and its <|im_end|>, in every chat", async () => {
  const { qwen3, conversations } = await load();
  for (const { chat, row, spans } of conversations) {
    const { text, offsets, labels, inputIds } = row;
    checkCertificate(row, qwen3);
    const bytes = new TextEncoder().encode(text);
    const said = row.certificate.runs.map(({ bytes: range }) =>
      new TextDecoder().decode(bytes.subarray(...range))
    );
    // As the text has it, cut without the tokenizer.
    const turns = text.split("<|im_start|>assistant\n").slice(1)
      .map((rest) => rest.slice(0, rest.indexOf("<|im_end|>") + 10));
    assertEquals(said, turns);
    // As the messages have it.
    const messages = chat.messages.filter(({ role }) => role === "assistant");
    assertEquals(said.length, messages.length);
    for (const [i, { content, tool_calls }] of messages.entries()) {
      if (tool_calls === undefined) {
        const answer = String(content).split("</think>").at(-1)!.trimStart();
        assert(said[i]!.endsWith(`${answer}<|im_end|>`), said[i]);
      }
      for (const call of tool_calls ?? []) {
        assert(said[i]!.includes(call.function.name), said[i]);
      }
    }
    assertEquals(offsets.at(-1)![1], bytes.length);
    for (const [t, label] of labels.entries()) {
      const trained = spans.assistant!.some(([a, b]) => a <= t && t < b);
      assertEquals(label, trained ? inputIds[t] : IGNORE_INDEX);
    }
  }
});

Deno.test("packBatch() re-bases spans and scores no id outside the vocabulary", async () => {
  const { conversations } = await load();
  const vocabulary = readVocabulary(conversations.slice(0, 2));
  const pair = [conversations[1]!, conversations[2]!];
  const { inputIds, labels, cuSeqlens } = packBatch(
    pair,
    vocabulary,
    "assistant",
  );
  const lengths = pair.map(({ row }) => row.inputIds.length);
  assertEquals([...cuSeqlens], [0, lengths[0]!, lengths[0]! + lengths[1]!]);
  const expected = pair.flatMap(({ row }) => [...row.labels]).map((label) => {
    const slot = vocabulary.slotOf(label);
    return slot === vocabulary.unseen ? IGNORE_INDEX : slot;
  });
  assertEquals([...labels], expected);
  assert(inputIds.includes(vocabulary.unseen));
  assert(inputIds.every((id) => id < vocabulary.size));
});

Deno.test("targetRows() never reaches across a border", () => {
  const inputIds = Int32Array.of(1, 2, 3, 4, 5);
  const labels = Int32Array.of(1, 2, -100, 4, 5);
  const cuSeqlens = Int32Array.of(0, 3, 5);
  assertEquals(targetRows({ inputIds, labels, cuSeqlens }), [0, 3]);
});

Deno.test("displayWidth() counts wide characters twice and marks not at all", () => {
  assertEquals(displayWidth("abc"), 3);
  assertEquals(displayWidth("好、ア한"), 8);
  assertEquals(displayWidth("e\u0301"), 1);
  assertEquals(displayWidth("😊✨👩‍🍳"), 6);
  assertEquals(clip("什么是填充？", 7), "什么是…");
  assertEquals(clip("short", 5), "short");
});

Deno.test("table() lines up columns with wide characters", () => {
  const rows = [["好", "1"], ["abc", "10"]];
  assertEquals(table(PLAIN, ["name", "n"], rows, ["n"]), [
    "  name   n",
    "  好     1",
    "  abc   10",
  ]);
});

Deno.test("drawChart() draws curves from end to end, solid and dotted, with values at their ends", () => {
  const paint = (text: string) => text;
  const lines = drawChart(
    [
      { name: "a ", values: [2, 1, 0.25], dotted: false, paint },
      { name: "b ", values: [1, 1, 1], dotted: true, paint },
    ],
    { columns: 21, lines: 4, range: [0, 2] },
    "0",
    "9",
  );
  assertEquals(lines, [
    " 2 ┤⠑⢄⡀              ",
    "   │  ⠈⠢⡀            ",
    " 1 ┤⠉ ⠉ ⠉⠑⠭⣀⠉  b 1.00",
    "   │        ⠑⠢ a 0.25",
    " 0 └──────────       ",
    "    0        9       ",
  ]);
  const same = { name: "", values: [2], dotted: false, paint };
  const size = { columns: 12, lines: 2, range: [1, 2] as const };
  assertEquals(drawChart([same, same], size, "", "1"), [
    " 2 ┤⠉⠉⠉ 2.00",
    "   │    2.00",
    " 1 └───     ",
    "      1     ",
  ]);
});

Deno.test("Model.backward() agrees with central differences", () => {
  const model = new Model({ vocabSize: 5, context: 2, width: 3, hidden: 4 }, 7);
  const ids = [0, 1, 2, 3, 3, 4, 0], cuSeqlens = [0, 3, 7];
  const rows = [0, 1, 3, 5, 6];
  const random = seeded(8);
  const gradLogits = new Float64Array(7 * 5);
  for (const row of rows) {
    for (let k = 0; k < 5; k++) gradLogits[row * 5 + k] = random() - 0.5;
  }
  // A loss that is linear in the logits, so that its gradient is known.
  const loss = () => {
    const logits = new Float64Array(7 * 5);
    model.forward(ids, cuSeqlens, rows, logits);
    return logits.reduce((sum, logit, i) => sum + logit * gradLogits[i]!, 0);
  };
  loss();
  model.backward(ids, cuSeqlens, rows, gradLogits);
  const { all } = model.weights, h = 1e-5;
  for (let i = 0; i < all.length; i++) {
    const weight = all[i]!;
    all[i] = weight + h;
    const above = loss();
    all[i] = weight - h;
    const below = loss();
    all[i] = weight;
    assertAlmostEquals(
      model.gradient.all[i]!,
      (above - below) / (2 * h),
      1e-9,
      `parameter ${i}`,
    );
  }
});

Deno.test("train() learns, and twice the same", async () => {
  const { conversations } = await load();
  const training = conversations.slice(0, 4);
  const vocabulary = readVocabulary(training);
  using workspace = createLossWorkspace({
    rows: 600,
    vocabSize: vocabulary.size,
  });
  const plan = {
    training,
    heldOut: training,
    vocabulary,
    workspace,
    steps: 12,
    batchSize: 2,
    measureEvery: 4,
  };
  const steps: number[] = [];
  const run = train(plan, "assistant", (step) => steps.push(step));
  assertEquals(steps.length, 12);
  assertEquals(run.assistant.length, 4);
  assert(run.assistant.at(-1)! < run.assistant[0]! - 0.5, `${run.assistant}`);
  assertEquals(train(plan, "assistant", () => {}).assistant, run.assistant);
});

Deno.test("compare() finds both builds within the allowed errors", () => {
  const random = seeded(3);
  const logits = Float32Array.from({ length: 6 * 50 }, () => 8 * random() - 4);
  const batch = {
    inputIds: Int32Array.of(1, 2, 3, 4, 5, 6),
    labels: Int32Array.of(-100, 2, 3, -100, 5, 6),
    cuSeqlens: Int32Array.of(0, 3, 6),
  };
  for (const deterministic of [false, true]) {
    const { lossError, gradientError } = compare(logits, batch, deterministic);
    assert(lossError <= 1e-6, `${lossError}`);
    assert(gradientError <= 2e-6, `${gradientError}`);
  }
});

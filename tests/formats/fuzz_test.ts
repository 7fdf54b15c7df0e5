/**
 * Thousands of broken files: good ones with bytes flipped, cut or doubled, and
 * values swapped for odd ones. Each must give a sound result or an error of the
 * promised class, with its line where there is one; never a crash, never a wait.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
} from "@std/assert";
import * as fc from "fast-check";
import {
  type Conversation,
  decodeNpy,
  decodeSafetensors,
  encodeNpy,
  encodeSafetensors,
  type LineError,
  readConversations,
  readTokenizedRows,
  type Tensor,
  type TokenizedRow,
} from "../../src/formats/mod.ts";

const RUNS = { numRuns: 1500, seed: 20250 };

const GOOD_CHATS: readonly object[] = [
  {
    messages: [
      { role: "system", content: "Be short." },
      { role: "user", content: [{ type: "text", text: "2 + 2?" }] },
      {
        role: "assistant",
        content: null,
        tool_calls: [{
          id: "c1",
          type: "function",
          function: { name: "add", arguments: `{"a": 2, "b": [2]}` },
        }],
        train: true,
      },
      { role: "tool", content: "4", tool_call_id: "c1" },
      {
        role: "assistant",
        content: [{ type: "reasoning", value: "Hm." }, {
          type: "text",
          value: "4 🙂",
        }],
        loss_weight: 0.5,
      },
    ],
    tools: `[{"type": "function", "function": {"name": "add"}}]`,
  },
  {
    conversations: [
      { from: "human", value: "2 + 2?" },
      { from: "function_call", value: `{"name": "add", "arguments": {}}` },
      { from: "observation", value: "4" },
      { from: "gpt", value: "4" },
    ],
    system: "s",
  },
  { prompt: "q", completion: "a" },
  { instruction: "q", input: "i", output: "a", history: [["x", "y"]] },
];

const GOOD_ROWS: readonly object[] = [
  {
    input_ids: [5, 6, 7],
    labels: [-100, 6, 7],
    attention_mask: [1, 1, 1],
    position_ids: [0, 1, 2],
    seq_lengths: [1, 2],
    loss_weights: [0, 1, 0.5],
  },
  { input_ids: [1, 2], completion_mask: [0, 1], cu_seqlens: [0, 2] },
];

/** What nobody expects where it stands. */
const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, true, 0, -1, 1.5, 1e20, 2 ** 31, NaN, "", "\ud800", "[", "{}"],
    ...[[], {}, [[]], [null], { type: "text" }, { role: "user" }, "__proto__"],
    JSON.parse(`{"__proto__": {"role": "user", "content": "x"}}`),
  ),
  fc.jsonValue(),
);

/** A copy in which the value at the nth place, counted depth first, is another. */
function swap(
  value: unknown,
  counter: { left: number },
  other: unknown,
): unknown {
  if (counter.left-- === 0) return other;
  if (Array.isArray(value)) return value.map((v) => swap(v, counter, other));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => [key, swap(v, counter, other)]),
  );
}

type Edit = {
  kind: "flip" | "cut" | "drop" | "double" | "keep";
  at: number;
  to: number;
};

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom("flip", "cut", "drop", "double", "keep"),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  to: fc.nat(255),
});

/** The bytes with one thing done to them. */
function apply(bytes: Uint8Array, { kind, at, to }: Edit): Uint8Array {
  const i = Math.floor(at * bytes.length);
  if (bytes.length === 0) return bytes;
  if (kind === "flip") return bytes.with(i, to);
  if (kind === "cut") return bytes.slice(0, i);
  if (kind === "drop") {
    return Uint8Array.of(...bytes.slice(0, i), ...bytes.slice(i + 1 + to % 8));
  }
  if (kind === "double") {
    return Uint8Array.of(
      ...bytes.slice(0, i),
      ...bytes.slice(Math.max(i - to, 0)),
    );
  }
  return bytes;
}

/** A file of good records, swapped and edited: the middle line is the victim. */
function brokenFile(good: readonly object[]): fc.Arbitrary<Uint8Array> {
  return fc.record({
    victim: fc.constantFrom(...good),
    place: fc.nat(40),
    other: odd,
    edits: fc.array(edit, { maxLength: 2 }),
    isList: fc.boolean(),
  }).map(({ victim, place, other, edits, isList }) => {
    const broken = JSON.stringify(swap(victim, { left: place }, other)) ?? "";
    const middle = edits.reduce(apply, new TextEncoder().encode(broken));
    const [before, after] = [good[0], good[good.length - 1]].map((row) =>
      new TextEncoder().encode(JSON.stringify(row))
    );
    const [open, between, close] = isList ? ["[", ",", "]"] : ["", "\n", ""];
    const byte = (text: string) => new TextEncoder().encode(text);
    return Uint8Array.of(
      ...[...byte(open!), ...before!, ...byte(between!), ...middle],
      ...[...byte(between!), ...after!, ...byte(close!)],
    );
  });
}

function checkError({ line, message }: LineError): void {
  assert(Number.isInteger(line) && line >= 1, message);
  assertMatch(message, /^(line|element) \d+: /);
  assertEquals(message.split(" ")[1], `${line}:`);
}

function checkConversation({ line, messages, tools }: Conversation): void {
  assert(line >= 1 && messages.length > 0);
  assert(JSON.stringify([messages, tools]).isWellFormed());
  assert(
    !/\\ud[89a-f]/.test(
      JSON.stringify([messages, tools]).replaceAll("\\\\", ""),
    ),
  );
  for (
    const { role, content, train, weight, reasoning_content, tool_calls }
      of messages
  ) {
    assert(typeof role === "string" && role !== "");
    const isSaid = typeof content === "string" || Array.isArray(content);
    assert(
      isSaid || tool_calls !== undefined || reasoning_content !== undefined,
    );
    assert(train === undefined || typeof train === "boolean");
    assert(weight === undefined || Number.isFinite(weight));
    assert(["undefined", "string"].includes(typeof reasoning_content));
    for (const call of tool_calls ?? []) {
      assert(
        typeof call.function.name === "string" && call.function.name !== "",
      );
      assert(["string", "object"].includes(typeof call.function.arguments));
    }
  }
  for (const tool of tools ?? []) {
    assert(typeof tool === "object" && tool !== null);
  }
}

function checkRow(
  { inputIds, labels, weights, attentionMask, cuSeqlens }: TokenizedRow,
): void {
  assertEquals(labels.length, inputIds.length);
  assert(labels.every((y, t) => y === -100 || y === inputIds[t]));
  assert(inputIds.every((id) => id >= 0));
  assert(weights === undefined || weights.every(Number.isFinite));
  assert(
    attentionMask === undefined || attentionMask.length === inputIds.length,
  );
  if (cuSeqlens) {
    assertEquals(cuSeqlens[0], 0);
    assert(cuSeqlens.at(-1)! <= inputIds.length);
  }
}

Deno.test("readConversations() gives a sound result or an error for any file", async () => {
  let errors = 0, good = 0;
  await fc.assert(
    fc.asyncProperty(brokenFile(GOOD_CHATS), async (file) => {
      for await (const { conversation, error } of readConversations(file)) {
        if (error) checkError(error);
        else checkConversation(conversation);
        if (error) errors++;
        else good++;
      }
    }),
    RUNS,
  );
  assert(
    errors > RUNS.numRuns / 3 && good > RUNS.numRuns,
    `${errors} and ${good}`,
  );
});

Deno.test("readTokenizedRows() gives a sound row or an error for any file", async () => {
  let errors = 0, good = 0;
  await fc.assert(
    fc.asyncProperty(brokenFile(GOOD_ROWS), async (file) => {
      for await (const { row, error } of readTokenizedRows(file)) {
        if (error) checkError(error);
        else checkRow(row);
        if (error) errors++;
        else good++;
      }
    }),
    RUNS,
  );
  assert(
    errors > RUNS.numRuns / 3 && good > RUNS.numRuns,
    `${errors} and ${good}`,
  );
});

Deno.test("readConversations() never loses the lines around a bad one", async () => {
  const [good] = GOOD_CHATS;
  const line = JSON.stringify(good);
  await fc.assert(
    fc.asyncProperty(brokenFile(GOOD_CHATS), async (file) => {
      const middle = new TextDecoder().decode(file).replaceAll(/[\r\n]/g, " ");
      // a bracket first would make the whole file a list
      const text = `${line}\n${middle}\n${line}`;
      const results = await Array.fromAsync(readConversations(text));
      assertEquals(results[0]?.conversation?.messages.length, 5);
      assertEquals(results.at(-1)?.conversation?.line, 3);
    }),
    { ...RUNS, numRuns: 500 },
  );
});

function checkTensor({ shape, data }: Tensor): void {
  assertEquals(data.length, shape.reduce((product, size) => product * size, 1));
}

/** A sound result, or an error of the promised classes. */
function decodes<T>(decode: () => T, check: (value: T) => void): boolean {
  let value: T;
  try {
    value = decode();
  } catch (error) {
    if (!(error instanceof RangeError)) assertInstanceOf(error, SyntaxError);
    assertMatch(
      (error as Error).message,
      /^(not a |Cannot decode )/,
    );
    return false;
  }
  check(value);
  return true;
}

Deno.test("decodeNpy() gives a sound tensor or an error for any bytes", () => {
  const good = encodeNpy({
    dtype: "i32",
    shape: [2, 2],
    data: new Int32Array(4),
  });
  let sound = 0;
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      const file = edits.reduce(apply, good);
      if (decodes(() => decodeNpy(file), checkTensor)) sound++;
    }),
    RUNS,
  );
  assert(sound > 0 && sound < RUNS.numRuns);
  fc.assert(fc.property(
    fc.uint8Array({ maxLength: 200 }),
    fc.boolean(),
    (bytes, hasMagic) => {
      const file = hasMagic
        ? Uint8Array.of(...good.subarray(0, 8), ...bytes)
        : bytes;
      decodes(() => decodeNpy(file), checkTensor);
    },
  ));
});

Deno.test("decodeSafetensors() gives sound tensors or an error for any bytes", () => {
  const good = encodeSafetensors(
    new Map<string, Tensor>([
      ["a", { dtype: "i32", shape: [2, 2], data: new Int32Array(4) }],
      ["b", { dtype: "u8", shape: [3], data: new Uint8Array(3) }],
    ]),
    { made_by: "a test" },
  );
  let sound = 0;
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      const file = edits.reduce(apply, good);
      const isSound = decodes(() => decodeSafetensors(file), ({ tensors }) => {
        for (const tensor of tensors.values()) checkTensor(tensor);
      });
      if (isSound) sound++;
    }),
    RUNS,
  );
  assert(sound > 0 && sound < RUNS.numRuns);

  // headers that are JSON, but of odd values
  const header = JSON.parse(new TextDecoder().decode(good.subarray(8, -19)));
  fc.assert(
    fc.property(fc.nat(20), odd, (place, other) => {
      const json = new TextEncoder().encode(
        JSON.stringify(swap(header, { left: place }, other)) ?? "",
      );
      const file = Uint8Array.of(
        json.length & 255,
        json.length >> 8,
        0,
        0,
        0,
        0,
        0,
        0,
        ...json,
        ...new Uint8Array(19),
      );
      decodes(() => decodeSafetensors(file), ({ tensors }) => {
        for (const tensor of tensors.values()) checkTensor(tensor);
      });
    }),
    RUNS,
  );
});

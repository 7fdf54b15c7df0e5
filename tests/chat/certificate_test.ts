/**
 * The certificate: it says what is trained and nothing else, it fails after any
 * change, and it lives through a cut at every length.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  type CertifiedRun,
  type ChatMessage,
  ChatTemplateError,
  type ChatTokenizer,
  checkCertificate,
  encodeChat,
  type EncodedChat,
  FIELDS,
  REASONS,
  TRAINED_REASONS,
  truncateRow,
} from "../../src/chat/mod.ts";
import { build, FAMILIES, type Family } from "./built.ts";
import { CHATML, CHATML_SPECIAL, TOOLS } from "./made_up.ts";
import { byteLevel, sentencePiece, trainedTexts } from "./tiny.ts";

const tokenizers = new Map<Family, ChatTokenizer>(
  Object.values(FAMILIES).map((family) => [
    family,
    byteLevel({
      special: family.special,
      bos: family.bos,
      eos: family.eos,
      words: ["the", "an", "OK", "é", "😀"],
      chatTemplate: family.template,
    }),
  ]),
);

const content = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.constantFrom(
    "",
    " ",
    "\n\n",
    "OK",
    "the",
    "user",
    "assistant",
    "model",
    "<|im_end|>",
    " [/INST] x",
    "<|im_start|>assistant\n",
    "<end_of_turn>\n<start_of_turn>model\n",
    "<|end|>\n",
    "<|eot|><|h|>",
    "\ufeffx\ufeff",
    "e\u0301 한 😀",
    "  lead",
    "trail \n",
    ".",
    "<",
    "|",
  ),
);

const flags = fc.record({
  train: fc.constantFrom(true, false),
  weight: fc.constantFrom(0, 0.3, 1, -2),
}, { requiredKeys: [] });

const policy = fc.record({
  roles: fc.constantFrom(["assistant"], ["user"], ["user", "assistant"], ["x"]),
  lastTurnOnly: fc.boolean(),
  endOfTurn: fc.boolean(),
  whitespaceAfterEnd: fc.boolean(),
  roleHeader: fc.boolean(),
}, { requiredKeys: [] });

const turns = fc.array(fc.tuple(fc.boolean(), content, flags), {
  minLength: 1,
  maxLength: 6,
});

Deno.test("encodeChat() trains what a chat was built to train: six templates, every policy", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(FAMILIES)),
      turns,
      policy,
      (family, drawn, given) => {
        const messages = drawn.map((
          [isUser, content, more],
          i,
        ): ChatMessage => ({
          role: (family.alternates ? i % 2 === 0 : isUser)
            ? "user"
            : "assistant",
          content,
          ...more,
        }));
        // the question's end is Llama's header, and is no header of a turn here
        const policy = family.alternates
          ? { ...given, roleHeader: false }
          : given;
        const tokenizer = tokenizers.get(family)!;
        const row = encodeChat(messages, { tokenizer, policy });
        const { text, trained } = build(family, messages, policy);
        assertEquals(row.text, text);
        const { runs } = row.certificate;
        assertEquals(
          runs.map(({ message, text }) => ({ message, text })),
          trained,
        );
        checkCertificate(row, tokenizer);
        assertConsistent(row, messages, tokenizer);
      },
    ),
    { numRuns: 1500 },
  );
});

/** What every row must be, whatever its chat. */
function assertConsistent(
  row: EncodedChat,
  messages: readonly ChatMessage[],
  tokenizer: ChatTokenizer,
): void {
  const { inputIds, labels, weights, offsets, owners, fields, reasons } = row;
  const kept = new Set<number>();
  for (
    const { tokens: [start, end], message, fields: seen } of row.certificate
      .runs
  ) {
    for (let t = start; t < end; t++) {
      kept.add(t);
      assertEquals(owners[t], message);
      assert(seen.includes(FIELDS[fields[t]!]!));
    }
  }
  let at = 0;
  for (let t = 0; t < inputIds.length; t++) {
    assertEquals(labels[t], kept.has(t) ? inputIds[t] : -100);
    assertEquals(reasons[t]! < TRAINED_REASONS, kept.has(t));
    const weight = kept.has(t) ? messages[owners[t]!]!.weight ?? 1 : 0;
    assertEquals(weights[t], weight);
    assertEquals(offsets[t]![0], at);
    at = offsets[t]![1];
  }
  assertEquals(at, new TextEncoder().encode(row.text).length);
  assertEquals(row.certificate.trainedTokens, kept.size);
  const inSpans = new Set<number>();
  for (const span of row.spans) {
    for (let t = span[0]; t < span[1]; t++) {
      assertEquals(inSpans.has(t), false);
      inSpans.add(t);
      assertEquals([owners[t], FIELDS[fields[t]!]], [span.message, span.field]);
    }
  }
  assertEquals(inSpans, kept);
  assertEquals(
    trainedTexts(row, tokenizer).join(""),
    row.certificate.runs.map(({ text }) => text).join(""),
  );
  assertEquals(
    row.certificate.trainedBytes,
    row.certificate.runs.reduce((sum, { bytes: [a, b] }) => sum + b - a, 0),
  );
}

const chatml = byteLevel({
  special: CHATML_SPECIAL,
  chatTemplate: CHATML,
  words: ["the ", " answer"],
});

/** A chat of several runs, of one token and of many. */
function rowOf(): EncodedChat {
  return encodeChat([
    { role: "user", content: "Ask the question" },
    { role: "assistant", content: "the answer is é😀" },
    { role: "user", content: "again" },
    { role: "assistant", content: "the answer" },
  ], { tokenizer: chatml });
}

type Mutable = {
  -readonly [K in keyof EncodedChat]: EncodedChat[K];
};

/** Changes of a row, each of which its certificate must not survive. */
const CHANGES: Readonly<Record<string, (row: Mutable) => void>> = {
  "a label more": ({ labels, inputIds }) => labels[0] = inputIds[0]!,
  "a label less, inside": ({ labels, certificate }) =>
    labels[certificate.runs[0]!.tokens[0] + 2] = -100,
  "a label less, at a start": ({ labels, certificate }) =>
    labels[certificate.runs[0]!.tokens[0]] = -100,
  "a label less, at an end": ({ labels, certificate }) =>
    labels[certificate.runs.at(-1)!.tokens[1] - 1] = -100,
  "no label": ({ labels }) => labels.fill(-100),
  "another label": ({ labels, certificate }) =>
    labels[certificate.runs[0]!.tokens[0]] = 65,
  "another id": ({ inputIds, certificate }) =>
    inputIds[certificate.runs[0]!.tokens[0]] = 65,
  "another id and label": ({ inputIds, labels, certificate }) => {
    const [t] = certificate.runs[1]!.tokens;
    inputIds[t] = labels[t] = 65;
  },
  "an id that is none": ({ inputIds, labels, certificate }) => {
    const [t] = certificate.runs[1]!.tokens;
    inputIds[t] = labels[t] = 99_999;
  },
  "ids turned about": ({ inputIds, labels, certificate }) => {
    const [start, end] = certificate.runs[0]!.tokens;
    inputIds.subarray(start, end).reverse();
    labels.subarray(start, end).reverse();
  },
  "labels one on": ({ labels }) => labels.copyWithin(1, 0),
  "offsets one on": (row) =>
    row.offsets = row.offsets.map(([a, b]) => [a + 1, b + 1]),
  "one offset longer": (row) => {
    const [t] = row.certificate.runs[0]!.tokens;
    row.offsets = row.offsets.with(t, [
      row.offsets[t]![0],
      row.offsets[t]![1] + 1,
    ]);
  },
  "no offsets": (row) => row.offsets = row.offsets.map(() => [0, 0] as const),
  "another letter": (row) => row.text = row.text.replace("is é", "us é"),
  "a letter more before": (row) => row.text = ` ${row.text}`,
  "a letter less": (row) => row.text = row.text.replace("😀", ""),
  "another owner": ({ owners, certificate }) =>
    owners[certificate.runs[0]!.tokens[0]] = 3,
  "all owners": ({ owners }) => owners.fill(0),
  "a run less": (row) => change(row, (runs) => runs.slice(1)),
  "no run": (row) => change(row, () => []),
  "a run twice": (row) => change(row, (runs) => [...runs, runs[0]!]),
  "runs turned about": (row) => change(row, (runs) => [...runs].reverse()),
  "a run of others": (row) =>
    change(row, ([first, ...rest]) => [{ ...first!, message: 2 }, ...rest]),
  "a longer run": (row) =>
    change(row, ([first, ...rest]) => [{
      ...first!,
      tokens: [first!.tokens[0] - 1, first!.tokens[1]],
    }, ...rest]),
  "bytes of a run": (row) =>
    change(row, ([first, ...rest]) => [{
      ...first!,
      bytes: [first!.bytes[0], first!.bytes[1] - 1],
    }, ...rest]),
  "a run's text": (row) =>
    change(row, ([first, ...rest]) => [{ ...first!, text: "other" }, ...rest]),
  "a run's fields": (row) =>
    change(row, ([first, ...rest]) => [{
      ...first!,
      fields: ["tool_calls"],
    }, ...rest]),
  "another id where nothing is trained": ({ inputIds, labels }) => {
    const t = labels.indexOf(-100);
    inputIds[t] = inputIds[t]! === 1 ? 2 : 1;
  },
  "two ids exchanged where nothing is trained": ({ inputIds }) => {
    const t = inputIds.findIndex((id, t) => t > 0 && id !== inputIds[t - 1]);
    [inputIds[t - 1], inputIds[t]] = [inputIds[t]!, inputIds[t - 1]!];
  },
  "an offset back": (row) => row.offsets = row.offsets.with(1, row.offsets[0]!),
  "no weight": ({ weights, labels }) =>
    weights[labels.findIndex((label) => label >= 0)] = 0,
  "a weight of nothing trained": ({ weights, labels }) =>
    weights[labels.indexOf(-100)] = 1,
  "a weight that is no number": ({ weights, labels }) =>
    weights[labels.findIndex((label) => label >= 0)] = NaN,
  "another reason": ({ reasons, labels }) =>
    reasons[labels.findIndex((label) => label >= 0)] = REASONS.indexOf(
      "header",
    ),
  "the reason of a header": ({ reasons, labels }) =>
    reasons[labels.findIndex((label) => label >= 0)] = REASONS.indexOf(
      "header_trained",
    ),
  "another weight inside a message": ({ weights, labels }) =>
    weights[labels.findIndex((label) => label >= 0)] = 0.25,
  "a label less than ids": (row) => row.labels = row.labels.slice(0, -1),
  "a weight more than ids": (row) =>
    row.weights = Float64Array.of(...row.weights, 0),
  "no weights at all": (row) => Reflect.deleteProperty(row, "weights"),
  "no spans at all": (row) => Reflect.deleteProperty(row, "spans"),
  "no certificate at all": (row) => Reflect.deleteProperty(row, "certificate"),
  "a hole in the text": (row) => {
    const t = row.offsets.findIndex(([a, b]) => b - a > 1);
    row.offsets = row.offsets.with(t, [
      row.offsets[t]![0] + 1,
      row.offsets[t]![1],
    ]);
  },
  "a reason to train": ({ reasons, labels }) =>
    reasons[labels.indexOf(-100)] = REASONS.indexOf("answer"),
  "a span less": (row) => row.spans = row.spans.slice(1),
  "a longer span": (row) =>
    row.spans = row.spans.map((span) =>
      Object.assign([span[0], span[1] + 1] as const, {
        message: span.message,
        field: span.field,
      })
    ),
  "a span of another message": (row) =>
    row.spans = row.spans.map((span) =>
      Object.assign([span[0], span[1]] as const, {
        message: span.message + 1,
        field: span.field,
      })
    ),
  "its count of tokens": (row) =>
    row.certificate = { ...row.certificate, trainedTokens: 1 },
  "its count of bytes": (row) =>
    row.certificate = { ...row.certificate, trainedBytes: 1 },
};

function change(
  row: Mutable,
  runs: (runs: readonly CertifiedRun[]) => readonly CertifiedRun[],
): void {
  row.certificate = { ...row.certificate, runs: runs(row.certificate.runs) };
}

for (const [name, apply] of Object.entries(CHANGES)) {
  Deno.test(`checkCertificate() refuses a row after a change: ${name}`, () => {
    const row: Mutable = rowOf();
    checkCertificate(row, chatml);
    apply(row);
    const error = assertThrows(
      () => checkCertificate(row, chatml),
      ChatTemplateError,
    );
    assert(error.message.startsWith("Cannot "));
  });
}

Deno.test("checkCertificate() passes a row that went through JSON", () => {
  const row = rowOf();
  const stored = JSON.parse(JSON.stringify({
    ...row,
    inputIds: [...row.inputIds],
    labels: [...row.labels],
    owners: [...row.owners],
    fields: [...row.fields],
    reasons: [...row.reasons],
    weights: [...row.weights],
  }));
  checkCertificate(stored, chatml);
});

Deno.test("checkCertificate() tells one kind of whitespace from another", () => {
  const tokenizer = tokenizers.get(FAMILIES.ChatML!)!;
  const row = encodeChat([
    { role: "user", content: "?" },
    { role: "assistant", content: "a  b\nc" },
  ], { tokenizer });
  const byteOf = (t: number) => tokenizer.bytesOf(row.inputIds[t]!);
  const isSpace = (t: number) => /^\s$/.test(String.fromCharCode(...byteOf(t)));
  const idOf = (text: string) => tokenizer.encode(text).inputIds[0]!;
  let changed = 0;
  for (const [t, label] of row.labels.entries()) {
    if (label < 0 || !isSpace(t)) continue;
    for (const id of [" ", "\n", "\t"].map(idOf)) {
      if (id === label) continue;
      const inputIds = row.inputIds.slice();
      const labels = row.labels.slice();
      inputIds[t] = labels[t] = id;
      assertThrows(
        () => checkCertificate({ ...row, inputIds, labels }, tokenizer),
        ChatTemplateError,
        `its bytes are not those of token ${id}`,
      );
      changed++;
    }
  }
  assertEquals(changed, 6);
});

Deno.test("a certificate says how it was proved", () => {
  const { certificate } = rowOf();
  assertEquals(certificate.proof, "marks on every character");
  assertEquals(certificate.checked.length, 3);
  assertEquals(certificate.runs.map(({ fields }) => fields), [
    ["content", "end_of_turn"],
    ["content", "end_of_turn"],
  ]);
});

const call = {
  type: "function",
  function: { name: "look", arguments: { at: "é" } },
};

/** Rows to cut, with their tokenizers. */
const ROWS: Readonly<Record<string, () => [EncodedChat, ChatTokenizer]>> = {
  "two answers": () => [rowOf(), chatml],
  "a call": () => [
    encodeChat([
      { role: "user", content: "Q" },
      { role: "assistant", content: "", tool_calls: [call] },
      { role: "tool", content: "R" },
      { role: "assistant", content: "A😀" },
    ], { tokenizer: chatml, chatTemplate: TOOLS }),
    chatml,
  ],
  "an answer that begins the text": () => {
    const tokenizer = byteLevel({ special: ["</s>"], eos: "</s>" });
    const chatTemplate =
      "{% for m in messages %}{{ m.content }}</s>{% endfor %}";
    const messages = [{ role: "assistant", content: "\ufeffé" }, {
      role: "user",
      content: "😀",
    }];
    return [encodeChat(messages, { tokenizer, chatTemplate }), tokenizer];
  },
  "SentencePiece": () => {
    const tokenizer = sentencePiece({
      special: CHATML_SPECIAL,
      words: [" an", "swer"],
    });
    const messages = [{ role: "user", content: "é" }, {
      role: "assistant",
      content: "an answer 😀",
    }];
    return [
      encodeChat(messages, { tokenizer, chatTemplate: CHATML }),
      tokenizer,
    ];
  },
  "every role, weights": () => [
    encodeChat([
      { role: "user", content: "Q", weight: 0.5 },
      { role: "assistant", content: "A", weight: -1 },
      { role: "assistant", content: "B", weight: 0 },
    ], {
      tokenizer: chatml,
      policy: {
        roles: ["user", "assistant"],
        whitespaceAfterEnd: true,
        roleHeader: true,
      },
    }),
    chatml,
  ],
};

for (const [name, make] of Object.entries(ROWS)) {
  Deno.test(`truncateRow() keeps the certificate at every length: ${name}`, () => {
    const [row, tokenizer] = make();
    checkCertificate(row, tokenizer);
    const { length } = row.inputIds;
    assertStrictEquals(truncateRow(row, length), row);
    assertStrictEquals(truncateRow(row, length + 1), row);
    for (let n = 1; n < length; n++) {
      const cut = truncateRow(row, n);
      checkCertificate(cut, tokenizer);
      assertEquals([...cut.inputIds], [...row.inputIds].slice(0, n));
      assertEquals([...cut.labels], [...row.labels].slice(0, n));
      assertEquals([...cut.weights], [...row.weights].slice(0, n));
      assertEquals([...cut.reasons], [...row.reasons].slice(0, n));
      assertEquals(cut.offsets, row.offsets.slice(0, n));
      assert(row.text.startsWith(cut.text));
      const end = row.offsets[n - 1]![1];
      const bytes = new TextEncoder().encode(cut.text).length;
      assert(bytes >= end && bytes < end + 4);
      // targets law: what the whole row trains is what the cut keeps and what it reports
      const kept = [...cut.labels].filter((y) => y !== -100).length;
      assertEquals(cut.certificate.trainedTokens, kept);
      const lost = row.certificate.trainedTokens - kept;
      const inSpans = cut.spans.reduce((sum, [a, b]) => sum + b - a, 0);
      assertEquals(inSpans, kept);
      assert(cut.spans.every(([a, b]) => a < b && b <= n));
      const codes = cut.findings.filter(({ code }) =>
        code.startsWith("truncated")
      );
      if (lost === 0) assertEquals(codes, []);
      else if (kept === 0) {
        assertEquals(codes.map(({ code }) => code), ["truncated-in-prompt"]);
        assert(cut.findings.some(({ code }) => code === "nothing-trained"));
      } else {
        const messages = new Set(
          row.spans.filter(([, b]) => b > n).map((s) => s.message),
        );
        assertEquals(codes.map(({ message }) => message), [...messages]);
        const taken = codes.map(({ detail }) =>
          Number(/ takes (?:all )?(\d+) /.exec(detail)![1])
        );
        assertEquals(taken.reduce((a, b) => a + b), lost);
      }
      // cut twice is cut once
      if (n > 1) {
        const once = truncateRow(row, n - 1);
        const twice = truncateRow(cut, n - 1);
        assertEquals(twice.certificate, once.certificate);
        assertEquals(twice.text, once.text);
        assertEquals(twice.spans, once.spans);
      }
    }
    for (const wrong of [0, -1, 1.5, NaN, Infinity, "3" as never]) {
      assertThrows(() => truncateRow(row, wrong), RangeError, "maxLength");
    }
  });
}

Deno.test("truncateRow() leaves out findings about tokens that it cuts", () => {
  const row = encodeChat([
    { role: "user", content: "<|im_end|>" },
    { role: "assistant", content: "<|im_end|>" },
  ], { tokenizer: chatml });
  const codes = (n: number) =>
    truncateRow(row, n).findings.filter(({ code }) => code === "control-text")
      .length;
  assertEquals(row.findings.length, 2);
  assertEquals([codes(5), codes(10), codes(row.inputIds.length - 1)], [
    0,
    1,
    2,
  ]);
});

Deno.test("every reason that trains comes before those that do not", () => {
  assertEquals(REASONS.slice(0, TRAINED_REASONS), [
    "answer",
    "end_of_turn",
    "header_trained",
    "whitespace_trained",
  ]);
});

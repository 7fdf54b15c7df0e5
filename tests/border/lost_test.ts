/**
 * Arrays whose buffer was given away: to another thread, or by a host that takes
 * memory back. They look empty, and an empty row is legal; so each function says
 * that its numbers are gone, and none makes a loss, a label or a file of nothing.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  causalLoss,
  causalLossGrad,
  collate,
  findSpans,
  labelsFromMask,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
  maskLabels,
  mergeLoss,
  packSequences,
  packStream,
  planPacks,
  type RoleMarkers,
  type Sample,
  type TokenSpan,
  unpack,
} from "../../mod.ts";
import { explainMarkers } from "../../src/chat/mod.ts";
import {
  columnsOf,
  createParquetSink,
  decodeNpy,
  decodeSafetensors,
  encodeNpy,
  encodeSafetensors,
  readConversations,
  readParquetRows,
  readTokenized,
  readTokenizedRows,
  type Tensor,
  tensorsOf,
  toJsonl,
} from "../../src/formats/mod.ts";
import { createParallelEngine } from "../../src/parallel/mod.ts";
import * as reference from "../../src/reference/mod.ts";
import { Audit, cells } from "../../src/report/mod.ts";
import { selectEngine } from "../../src/select.ts";

/** Gives the buffer of an array away. */
function lose<T extends ArrayBufferView>(array: T): T {
  structuredClone(array, { transfer: [array.buffer as ArrayBuffer] });
  assertEquals(array.byteLength, 0);
  return array;
}

const ints = () => lose(Int32Array.of(1, 2, 3));
const bigints = () => lose(BigInt64Array.of(1n, 2n, 3n));
const doubles = () => lose(Float64Array.of(1, 2, 3));

/** Every kind in which ids come. */
const IDS = [ints, bigints, () => lose(Uint16Array.of(1, 2, 3))];

function assertLost(run: () => unknown, name: string): void {
  assertThrows(
    run,
    TypeError,
    `${name} must not have lost their buffer (it was transferred, or shrunk under them)`,
  );
}

const roles = { assistant: { start: [1], end: [3] } };
const train = ["assistant"];

Deno.test("maskLabels(), labelsFromMask() and findSpans() refuse ids, masks and markers without a buffer", () => {
  for (const ids of IDS) {
    assertLost(() => maskLabels(ids(), []), "inputIds");
    assertLost(() => labelsFromMask(ids(), []), "inputIds");
    assertLost(() => findSpans(ids(), { roles, train }), "inputIds");
    assertLost(() => explainMarkers(ids(), roles), "inputIds");
    const marker = { start: ids(), end: [3] } as unknown as RoleMarkers;
    assertLost(
      () => findSpans([1, 2, 3], { roles: { assistant: marker }, train }),
      "roles.assistant.start",
    );
  }
  const mask = () => lose(Uint8Array.of(0, 1, 1));
  assertLost(() => labelsFromMask([], mask()), "mask");
  // what is empty and healthy is legal
  assertEquals(maskLabels(new Int32Array(0), []), new Int32Array(0));
  assertEquals(
    labelsFromMask(new Int32Array(0), new Uint8Array(0)),
    new Int32Array(0),
  );
  assertEquals(findSpans(new BigInt64Array(0), { roles, train }), []);
});

Deno.test("ids that are lost while spans or a mask are read are an error", () => {
  const ids = Int32Array.of(1, 2, 3);
  const spans = function* (): Generator<TokenSpan> {
    yield [0, 1];
    lose(ids);
    yield [1, 2];
  };
  assertLost(() => maskLabels(ids, spans()), "inputIds");

  const others = Int32Array.of(1, 2, 3);
  const mask = [1, 1, 1];
  Object.defineProperty(mask, 1, { get: () => +!!lose(others) });
  assertLost(() => labelsFromMask(others, mask), "inputIds");
});

Deno.test("every loss refuses labels, weights and borders without a buffer", async () => {
  const engine = await createParallelEngine({ threads: 2 });
  try {
    const losses = [
      maskedCrossEntropy,
      maskedCrossEntropyGrad,
      reference.maskedCrossEntropy,
      reference.maskedCrossEntropyGrad,
      engine.maskedCrossEntropy.bind(engine),
      engine.maskedCrossEntropyGrad.bind(engine),
    ];
    const causal = [
      causalLoss,
      causalLossGrad,
      reference.causalLoss,
      reference.causalLossGrad,
      engine.causalLoss.bind(engine),
      engine.causalLossGrad.bind(engine),
    ];
    const none = () => new Float32Array(0);
    for (const loss of [...losses, ...causal]) {
      for (const options of [undefined, {}]) {
        for (const ids of IDS) {
          assertLost(() => loss(none(), ids(), options), "labels");
        }
        assertLost(
          () => loss(lose(new Float32Array(6)), [], options),
          "logits",
        );
      }
      for (const list of [ints, doubles]) {
        const lost = (name: string) => () =>
          loss(none(), [], { vocabSize: 3, [name]: list() });
        assertLost(lost("tokenWeights"), "tokenWeights");
        assertLost(lost("classWeights"), "classWeights");
        assertLost(lost("cuSeqlens"), "cuSeqlens");
      }
      const tensor = { data: none(), dims: ints() as unknown as [0] };
      assertLost(() => loss(tensor, []), "dims");
      assertEquals(loss(none(), new Int32Array(0)).loss, 0);
    }
    for (const loss of [losses[1]!, losses[3]!, losses[5]!, causal[1]!]) {
      const upstream = doubles();
      assertLost(
        () => loss(none(), [], { upstream } as object),
        "upstream",
      );
    }
    for (const loss of causal) {
      assertLost(() => loss(none(), { labels: ints() }), "labels");
      assertLost(
        () => loss(none(), { labels: [], cuSeqlens: ints() }),
        "cuSeqlens",
      );
      assertLost(
        () => loss(none(), { labels: [], tokenWeights: doubles() }),
        "tokenWeights",
      );
    }
  } finally {
    engine.dispose();
  }
});

Deno.test("mergeLoss() refuses results whose arrays were given away", () => {
  const options = {
    perToken: true,
    logSumExp: true,
    sequenceLength: 1,
    reduction: "sequence",
  } as const;
  const result = () => maskedCrossEntropy(new Float32Array(4), [1, 0], options);
  for (const name of ["perToken", "logSumExp"] as const) {
    const part = result();
    lose(part[name]!);
    assertLost(() => mergeLoss([part, result()]), name);
  }
  for (const name of ["sum", "weightSum", "activeTokens"] as const) {
    const part = result();
    lose(part.perSequence![name]);
    assertLost(() => mergeLoss([result(), part]), `perSequence.${name}`);
  }
});

Deno.test("packing refuses samples and lengths without a buffer", async () => {
  const options = { maxLength: 8 };
  const samples: [string, () => Sample][] = [
    ["inputIds", () => ({ inputIds: ints() })],
    ["inputIds", () => ({ inputIds: bigints() })],
    ["labels", () => ({ inputIds: [], labels: ints() })],
    ["weights", () => ({ inputIds: [], weights: doubles() })],
  ];
  for (const [name, sample] of samples) {
    const place = `samples[1].${name}`;
    const list = () => [{ inputIds: [5] }, sample()];
    assertLost(() => packSequences(list(), options), place);
    assertLost(() => collate(list(), { padTokenId: 0 }), place);
    await assertRejects(
      () => Array.fromAsync(packStream(list(), options)),
      TypeError,
      `${place} must not have lost their buffer`,
    );
  }
  assertLost(() => planPacks(ints(), options), "lengths");
  assertEquals(planPacks(new Int32Array(0), options).packCount, 0);
  const empty = { inputIds: new Int32Array(0), weights: new Float64Array(0) };
  assertEquals(packSequences([empty], options).inputIds.length, 0);
});

Deno.test("layouts whose arrays were given away make no others", () => {
  const samples = [{ inputIds: [5, 6], weights: [1, 1] }];
  const pad = { padTokenId: 0 };
  for (
    const name of ["inputIds", "labels", "documentIds", "tokenWeights"] as const
  ) {
    const packed = packSequences(samples, { maxLength: 4 });
    const batch = collate(samples, pad);
    lose(packed[name]!);
    lose(batch[name]!);
    assertLost(() => packed.padded(pad), name);
    assertLost(() => packed.flat(pad), name);
    assertLost(() => packed.denseMask(), name);
    assertLost(() => unpack(packed), name);
    assertLost(() => batch.denseMask(), name);
  }
});

Deno.test("samples that are lost while later ones are read are an error", () => {
  const both = (): Sample[] => {
    const first = Int32Array.of(1, 2);
    const samples = [{ inputIds: first }, { inputIds: [3] }];
    return Object.defineProperty(samples, 1, {
      get: () => {
        lose(first);
        return { inputIds: [3] };
      },
    });
  };
  assertLost(
    () => packSequences(both(), { maxLength: 8 }),
    "samples[0].inputIds",
  );
  assertLost(
    () => collate(both(), { padTokenId: 0 }),
    "samples[0].inputIds",
  );
});

Deno.test("packSequences() and collate() keep what a generator gave, however it uses its buffers again", () => {
  const chats = function* (): Generator<Sample> {
    const inputIds = Int32Array.of(1, 2), labels = Int32Array.of(-100, 2);
    yield { inputIds, labels };
    inputIds.fill(7);
    labels.fill(7);
    yield { inputIds, labels };
    lose(inputIds);
    lose(labels);
    yield { inputIds: [9] };
  };
  const options = { maxLength: 8 } as const;
  const packed = packSequences(chats(), { ...options, strategy: "first-fit" });
  assertEquals([...packed.inputIds], [1, 2, 7, 7, 9]);
  assertEquals([...packed.labels], [-100, 2, -100, 7, -100]);
  const batch = collate(chats(), { padTokenId: 0 });
  assertEquals([...batch.inputIds], [1, 2, 7, 7, 9, 0]);
  assertEquals([...batch.labels], [-100, 2, 7, 7, 9, -100]);
});

Deno.test("packStream() keeps what it was given, however its giver uses the buffer again", async () => {
  const chats = async function* (): AsyncGenerator<Sample> {
    const inputIds = Int32Array.of(1, 2), labels = Int32Array.of(-100, 2);
    yield { inputIds, labels };
    await Promise.resolve();
    inputIds.fill(7);
    labels.fill(7);
    yield { inputIds, labels };
    lose(inputIds);
    lose(labels);
    yield { inputIds: [9] };
  };
  const packs = await Array.fromAsync(packStream(chats(), { maxLength: 8 }));
  assertEquals(packs.map(({ inputIds }) => [...inputIds]), [[1, 2, 7, 7, 9]]);
  assertEquals([...packs[0]!.labels], [-100, 2, -100, 7, -100]);
});

Deno.test("formats refuse values and files without a buffer", async () => {
  const tensor = (): Tensor => ({ dtype: "i32", shape: [0], data: ints() });
  assertLost(() => encodeNpy(tensor()), "tensor.data");
  assertLost(
    () => encodeSafetensors(new Map([["a", tensor()]])),
    'tensors.get("a").data',
  );
  const bytes = () => lose(new Uint8Array(8));
  assertLost(() => decodeNpy(bytes()), "bytes");
  assertLost(() => decodeSafetensors(bytes()), "bytes");
  assertLost(() => readConversations(bytes()), "source");
  assertLost(() => readTokenizedRows(bytes()), "source");
  assertLost(() => readParquetRows(bytes()), "source");

  assertLost(() => columnsOf({ inputIds: ints(), labels: [] }), "inputIds");
  assertLost(() => columnsOf({ inputIds: [], labels: ints() }), "labels");
  const weights = doubles();
  assertLost(() => columnsOf({ inputIds: [], labels: [], weights }), "weights");
  const sink = await createParquetSink({
    columns: { input_ids: "list<int32>", loss_weights: "list<double>" },
    write: () => {},
  });
  for (const name of ["input_ids", "loss_weights"]) {
    const row = { input_ids: [1], loss_weights: [1], [name]: doubles() };
    await assertRejects(
      () => sink.add([row]),
      TypeError,
      `rows[0].${name} must not have lost their buffer`,
    );
  }
  // rows that are values: what is wrong with one is told as of any
  for (const row of [{ input_ids: ints() }, { loss_weights: doubles() }]) {
    assertThrows(
      () => readTokenized({ input_ids: [], labels: [], ...row }),
      SyntaxError,
      "must not have lost its buffer",
    );
  }

  const batch = collate([{ inputIds: [], weights: [] }], { padTokenId: 0 });
  for (
    const [name, column] of [
      ["inputIds", "input_ids"],
      ["labels", "labels"],
      ["attentionMask", "attention_mask"],
      ["positionIds", "position_ids"],
      ["tokenWeights", "loss_weights"],
    ]
  ) {
    assertLost(() => tensorsOf({ ...batch, [name!]: doubles() }), column!);
  }
  const columns = columnsOf({ inputIds: Int32Array.of(5), labels: [5] });
  lose(columns.input_ids);
  assertLost(() => toJsonl(columns), "input_ids");
});

Deno.test("reports refuse rows without a buffer", () => {
  for (const name of ["inputIds", "labels", "weights"] as const) {
    const row = () => ({
      inputIds: [],
      labels: [],
      [name]: name === "weights" ? doubles() : ints(),
    });
    assertLost(() => cells(row()), name);
    if (name === "weights") continue; // an audit counts no weights
    assertLost(() => new Audit().add(row(), 1), name);
  }
});

Deno.test("selectEngine() refuses logits without a buffer", async () => {
  for (const lost of [ints(), { data: doubles(), dims: [0, 3] }]) {
    await assertRejects(
      () => selectEngine({ logits: lost as unknown as Float32Array }),
      TypeError,
      "logits must not have lost their buffer",
    );
  }
  const { engine } = await selectEngine({ logits: new Float32Array(0) });
  assert(engine === "wasm");
});

/**
 * columnsOf(), toJsonl(), tensorsOf(): rows of every origin under the trainers'
 * names, and back.
 *
 * @module
 */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { collate, packSequences } from "../../mod.ts";
import {
  columnsOf,
  type ColumnsOptions,
  readTokenized,
  type StorableRow,
  tensorsOf,
  toJsonl,
} from "../../src/formats/mod.ts";

const row = { inputIds: [5, 6, 7], labels: [-100, 6, 7] };

function refuses(
  wrong: object,
  kind: typeof RangeError,
  words: string,
  options?: ColumnsOptions,
): void {
  assertThrows(
    () => columnsOf({ ...row, ...wrong } as StorableRow, options),
    kind,
    `Cannot write columns as ${words}`,
  );
}

Deno.test("columnsOf() names what a row has, and fills in what it has not", () => {
  assertEquals(columnsOf(row), {
    input_ids: Int32Array.of(5, 6, 7),
    labels: Int32Array.of(-100, 6, 7),
    attention_mask: Int32Array.of(1, 1, 1),
    position_ids: Int32Array.of(0, 1, 2),
  });
  const ids = Int32Array.of(5);
  const { input_ids } = columnsOf({ inputIds: ids, labels: [5] });
  assertStrictEquals(input_ids.buffer, ids.buffer); // not copied

  const told = columnsOf({
    ...row,
    attentionMask: [0, 1, 1],
    positionIds: [0, 0, 1],
    weights: [0, 0.5, 2],
    certificate: { trainedTokens: 2 },
  });
  assertEquals(told.attention_mask, Int32Array.of(0, 1, 1));
  assertEquals(told.position_ids, Int32Array.of(0, 0, 1));
  assertEquals(told.loss_weights, Float64Array.of(0, 0.5, 2));
  assertEquals(told.certificate, `{"trainedTokens":2}`);
});

Deno.test("columnsOf() adds or leaves out what it is told", () => {
  const weighted = columnsOf(row, { weights: true, certificate: true });
  assertEquals(weighted.loss_weights, Float64Array.of(0, 1, 1));
  assertEquals(weighted.certificate, "null");
  const bare = columnsOf(
    { ...row, weights: [1, 1, 1], certificate: {}, cuSeqlens: [0, 3] },
    { weights: false, certificate: false, borders: "none" },
  );
  assertEquals(Object.keys(bare), [
    "input_ids",
    "labels",
    "attention_mask",
    "position_ids",
  ]);
});

Deno.test("columnsOf() knows the documents and the padding of a pack", () => {
  const samples = [
    { inputIds: [5, 6, 7], spans: [[1, 3]] as const },
    { inputIds: [8, 9], weights: [1, 0.5] },
  ];
  const { packs } = packSequences(samples, { maxLength: 8 });
  const pack = packs[0]!.flat({ padTokenId: 0, length: 6 });
  const columns = columnsOf(pack);
  assertEquals(columns.attention_mask, Int32Array.of(1, 1, 1, 1, 1, 0));
  assertEquals(columns.position_ids, Int32Array.of(0, 1, 2, 0, 1, 0));
  assertEquals(columns.seq_lengths, Int32Array.of(3, 2));
  assertEquals(columns.loss_weights?.length, 6);
  const { positionIds: _, ...bare } = pack;
  assertEquals(columnsOf(bare).position_ids, columns.position_ids);
  assertEquals(
    columnsOf(pack, { borders: "cu_seqlens" }).cu_seqlens,
    Int32Array.of(0, 3, 5),
  );
});

Deno.test("columnsOf() refuses arrays that do not fit", () => {
  refuses({ labels: [1] }, RangeError, "labels.length must equal 3");
  refuses({ weights: [1] }, RangeError, "weights.length must equal 3");
  refuses(
    { weights: [1, 1, Infinity] },
    RangeError,
    "weights[2] must be finite",
  );
  refuses({ positionIds: [1] }, RangeError, "positionIds.length must equal 3");
  refuses(
    { attentionMask: [1] },
    RangeError,
    "attentionMask.length must equal 3",
  );
  refuses(
    { inputIds: [1, 2, 2 ** 40] },
    RangeError,
    "inputIds[2] must be a whole number within int32",
  );
  for (const cuSeqlens of [[0, 4], [1, 3], [0, 2, 1], []]) {
    refuses(
      { cuSeqlens },
      RangeError,
      "cuSeqlens must start at 0, never fall and end within 3",
    );
  }
  refuses({ inputIds: "567" }, TypeError, "inputIds must be an array");
  refuses(
    {},
    TypeError,
    "every key of options",
    { border: "none" } as ColumnsOptions,
  );
  refuses(
    {},
    RangeError,
    "borders must be one of",
    { borders: "x" } as unknown as ColumnsOptions,
  );
  assertThrows(
    () => columnsOf(null as unknown as StorableRow),
    TypeError,
    "row must be an object",
  );
});

Deno.test("toJsonl() and readTokenized() give a row back", () => {
  const line = fc.array(
    fc.record({
      id: fc.nat(200_000),
      keep: fc.boolean(),
      weight: fc.double({ noNaN: true, noDefaultInfinity: true }),
    }),
  );
  fc.assert(fc.property(line, fc.string(), (tokens, certificate) => {
    const inputIds = Int32Array.from(tokens, ({ id }) => id);
    const labels = Int32Array.from(tokens, ({ id, keep }) => keep ? id : -100);
    const weights = Float64Array.from(tokens, ({ weight }) => weight || 0); // JSON has no -0
    const columns = columnsOf({
      inputIds,
      labels,
      weights,
      certificate,
      cuSeqlens: [0, tokens.length],
    });
    const text = toJsonl(columns);
    assertEquals(text.indexOf("\n"), text.length - 1);
    const back = readTokenized(text);
    assertEquals(back.inputIds, inputIds);
    assertEquals(back.labels, labels);
    assertEquals(back.weights, weights);
    assertEquals(back.cuSeqlens, Int32Array.of(0, tokens.length));
    assertEquals(JSON.parse(JSON.parse(text).certificate), certificate);
  }));
  assertEquals(
    JSON.parse(toJsonl(columnsOf({ inputIds: [], labels: [] }))).input_ids,
    [],
  );
});

Deno.test("tensorsOf() gives a padded batch its names and shapes", () => {
  const samples = [{ inputIds: [5, 6, 7], weights: [1, 0.1, 1] }, {
    inputIds: [8],
  }];
  const batch = collate(samples, { padTokenId: 0 });
  const tensors = tensorsOf(batch);
  assertEquals([...tensors.keys()], [
    "input_ids",
    "labels",
    "attention_mask",
    "position_ids",
    "loss_weights",
  ]);
  assertEquals(tensors.get("input_ids"), {
    dtype: "i32",
    shape: [2, 3],
    data: Int32Array.of(5, 6, 7, 8, 0, 0),
  });
  assertEquals(
    tensors.get("loss_weights")?.data,
    Float32Array.of(1, 0.1, 1, 1, 0, 0),
  );

  const { packs } = packSequences(samples, { maxLength: 8 });
  const padded = tensorsOf(packs[0]!.padded({ padTokenId: 0, length: 6 }));
  const borders = padded.get("cu_seqlens");
  assertEquals(borders?.shape, [borders!.data.length]);
  assertThrows(
    () => tensorsOf({ ...batch, labels: new Int32Array(5), dims: [2, 3] }),
    RangeError,
    "Cannot write columns as labels must have 6 values: current value is 5",
  );
});

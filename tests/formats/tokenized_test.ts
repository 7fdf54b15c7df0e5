/**
 * readTokenized(): rows as trainers store them, and every way in which labels
 * and ids can disagree.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import { readTokenized } from "../../src/formats/mod.ts";

const ids = [5, 6, 7, 8];

function refuses(value: unknown, words: string): void {
  assertThrows(
    () => readTokenized(value, { line: 3 }),
    SyntaxError,
    `line 3: ${words}`,
  );
}

const refusesRow = (columns: object, words: string) =>
  refuses({ input_ids: ids, labels: ids, ...columns }, words);

Deno.test("readTokenized() reads ids and labels of every kind of array", () => {
  const labels = [-100, 6, 7, -100];
  const expected = {
    line: 1,
    inputIds: Int32Array.from(ids),
    labels: Int32Array.from(labels),
  };
  const forms: [unknown, unknown][] = [
    [ids, labels],
    [ids.map(BigInt), labels.map(BigInt)],
    [Uint16Array.from(ids), Int16Array.from(labels)],
    [
      BigInt64Array.from(ids.map(BigInt)),
      BigInt64Array.from(labels.map(BigInt)),
    ],
  ];
  for (const [input_ids, given] of forms) {
    assertEquals(
      readTokenized({ input_ids, labels: given, text: "?" }),
      expected,
    );
  }
  assertEquals(
    readTokenized(JSON.stringify({ input_ids: ids, labels })),
    expected,
  );
  assertEquals(
    readTokenized({ input_ids: [], labels: [] }).labels,
    new Int32Array(),
  );
});

Deno.test("readTokenized() keeps no hold of the arrays it is given", () => {
  const input_ids = Int32Array.from(ids);
  const row = readTokenized({
    input_ids,
    labels: input_ids,
    completion_mask: [0, 1, 1, 1],
  });
  input_ids.fill(0);
  assertEquals(row.inputIds, Int32Array.from(ids));
  assertEquals(row.labels, Int32Array.of(-100, 6, 7, 8));
});

Deno.test("readTokenized() trains what every mask trains", () => {
  const labels = (
    columns: object,
  ) => [...readTokenized({ input_ids: ids, ...columns }).labels];
  for (
    const name of [
      "assistant_masks",
      "assistant_mask",
      "completion_mask",
      "loss_mask",
      "mask",
    ]
  ) {
    assertEquals(labels({ [name]: [0, 1, 0, 1] }), [-100, 6, -100, 8]);
  }
  assertEquals(labels({ mask: [false, true, true, false] }), [
    -100,
    6,
    7,
    -100,
  ]);
  assertEquals(
    labels({ completion_mask: [0, 1, 1, 1], assistant_masks: [1, 1, 0, 1] }),
    [-100, 6, -100, 8],
  );
  assertEquals(
    labels({ labels: [-100, -100, 7, 8], completion_mask: [1, 1, 1, 0] }),
    [-100, -100, 7, -100],
  );
  // null is no column, and a mask of special tokens says nothing of training
  assertEquals(
    labels({ labels: ids, mask: null, special_tokens_mask: [1, 0, 0, 0] }),
    ids,
  );
  refuses(
    { input_ids: ids, special_tokens_mask: [0, 0, 0, 0] },
    "expected labels or a mask (assistant_masks, assistant_mask, completion_mask, loss_mask, mask): got input_ids, special",
  );
  refusesRow(
    { mask: [0, 1, 2, 0] },
    "mask[2] must be a whole number from 0 to 1: got 2",
  );
});

Deno.test("readTokenized() names labels that are shifted, and those that are wrong", () => {
  const label = (...labels: number[]) => ({ labels });
  refusesRow(
    label(6, 7, 8, -100),
    "labels are the ids shifted by one (labels[t] is input_ids[t + 1])",
  );
  refusesRow(
    label(-100, 7, 8, 0),
    "labels are the ids shifted by one (labels[t] is input_ids[t + 1])",
  );
  refusesRow(
    label(-100, 5, 6, 7),
    "labels are the ids shifted by one (labels[t] is input_ids[t - 1])",
  );
  refusesRow(
    label(-100, 7, 7, -100),
    "labels[1] must be -100 or the id at its place, 6: got 7",
  );
  refusesRow(
    label(-100, -100, -100, 9),
    "labels[3] must be -100 or the id at its place, 8: got 9",
  );
  refusesRow(label(5, 6, 7, -1), "labels[3] must be -100");
  // where both readings hold, the aligned one is meant
  assertEquals(
    readTokenized({ input_ids: [4, 4, 4], labels: [4, 4, -100] }).labels,
    Int32Array.of(4, 4, -100),
  );
});

Deno.test("readTokenized() reads what else trainers store", () => {
  const row = readTokenized({
    input_ids: [5, 6, 7, 8, 0],
    labels: [5, 6, 7, 8, -100],
    attention_mask: [1, 1, 2, 2, 0],
    position_ids: [0, 1, 0, 1, 0],
    seq_lengths: [2, 2],
    cu_seqlens: [0, 2, 4],
    loss_weights: [0, 0.5, 1, -1, 0],
  });
  assertEquals(row.attentionMask, Int32Array.of(1, 1, 2, 2, 0));
  assertEquals(row.positionIds, Int32Array.of(0, 1, 0, 1, 0));
  assertEquals(row.cuSeqlens, Int32Array.of(0, 2, 4));
  assertEquals(row.weights, Float64Array.of(0, 0.5, 1, -1, 0));
  const sizes = readTokenized({
    input_ids: ids,
    labels: ids,
    seq_lengths: [3, 0, 1],
  });
  assertEquals(sizes.cuSeqlens, Int32Array.of(0, 3, 3, 4));
});

Deno.test("readTokenized() refuses columns that do not fit the ids", () => {
  const short = "must have the 4 elements of input_ids: got 3";
  for (const name of ["labels", "mask", "attention_mask", "position_ids"]) {
    refusesRow({ [name]: [1, 1, 1] }, `${name} ${short}`);
  }
  refusesRow({ loss_weights: [1, 1, 1] }, `loss_weights ${short}`);
  refusesRow(
    { loss_weights: [1, 1, "1", 1] },
    "loss_weights[2] must be a finite number: got string",
  );
  refusesRow(
    { loss_weights: [1, 1, NaN, 1] },
    "loss_weights[2] must be a finite number",
  );
  refusesRow(
    { attention_mask: [1, 1, 1, 0] },
    "position 3 is trained though its attention_mask is 0",
  );
  refusesRow(
    { seq_lengths: [2, 3] },
    "seq_lengths must end within the 4 tokens of the row: got 5",
  );
  refusesRow({ seq_lengths: [2, -1] }, "seq_lengths[1] must be a whole number");
  refusesRow({ cu_seqlens: [0, 5] }, "cu_seqlens must end within the 4 tokens");
  refusesRow(
    { cu_seqlens: [1, 4] },
    "cu_seqlens must begin with 0 and never fall: got 1, 4",
  );
  refusesRow(
    { cu_seqlens: [0, 3, 2] },
    "cu_seqlens must begin with 0 and never fall",
  );
  refusesRow({ cu_seqlens: [] }, "cu_seqlens must begin with 0");
  refusesRow(
    { cu_seqlens: [0, 4], seq_lengths: [2, 2] },
    "seq_lengths and cu_seqlens name other documents",
  );
});

Deno.test("readTokenized() refuses ids that are none", () => {
  refuses({ labels: [] }, "expected input_ids: got labels");
  refuses(
    { input_ids: "1 2" },
    "input_ids must be a list of numbers: got string",
  );
  refuses([1, 2], "a row must be an object: got a list");
  refuses("{", "not JSON: ");
  const cases: [unknown, string][] = [
    [-1, "-1"],
    [1.5, "1.5"],
    [2 ** 31, "2147483648"],
    [NaN, "NaN"],
    ["5", "string"],
    [null, "null"],
    [[5], "a list"],
    [2n ** 40n, "1099511627776"],
  ];
  for (const [id, got] of cases) {
    refuses(
      { input_ids: [1, id] },
      `input_ids[1] must be a whole number from 0 to 2147483647: got ${got}`,
    );
  }
  assertThrows(
    () => readTokenized({}, { line: 1.5 }),
    RangeError,
    "Cannot read rows as line must be",
  );
  const many = new Array(300_000).fill(1);
  assertEquals(
    readTokenized({ input_ids: many, labels: many, seq_lengths: many })
      .cuSeqlens?.length,
    300_001,
  );
});

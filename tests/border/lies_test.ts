/**
 * Arrays that do not tell the truth of themselves: a `length` of their own, lists
 * that claim more than any memory holds, bytes whose methods mean something else.
 * What counts is what a typed array is; lists are asked for their length once.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  causalLossGrad,
  findSpans,
  labelsFromMask,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
  maskLabels,
  mergeLoss,
  packSequences,
  planPacks,
  unpack,
} from "../../mod.ts";
import {
  columnsOf,
  createParquetSink,
  decodeNpy,
  decodeSafetensors,
  encodeNpy,
  encodeSafetensors,
  parquetColumnsOf,
  readParquetRows,
  readTokenized,
  readTokenizedRows,
  splitLines,
} from "../../src/formats/mod.ts";
import { createParallelEngine } from "../../src/parallel/mod.ts";
import * as reference from "../../src/reference/mod.ts";
import { cells } from "../../src/report/mod.ts";
import { assertBits } from "../conformance/bits.ts";
import { normalLogits } from "../engines.ts";

/** The array, which from now on claims another length, memory and kind. */
function liar<T extends ArrayBufferView>(array: T, length: number): T {
  const own = {
    length,
    byteLength: 4 * length,
    byteOffset: 64,
    buffer: new ArrayBuffer(0),
    constructor: undefined,
    subarray: () => array,
    slice: () => [],
    set: () => {},
    [Symbol.toStringTag]: "Matrix",
  };
  for (const key of Reflect.ownKeys(own)) {
    const value = Reflect.get(own, key);
    Object.defineProperty(array, key, { value });
  }
  return array;
}

/** What says such things by its class. */
class Claims extends Float32Array {
  override get length(): 2 {
    return 2;
  }
}
class ClaimsIds extends Int32Array {
  override get length(): 0 {
    return 0;
  }
}

const N = 4, V = 30;
const logits = normalLogits(N * V, 2);
const labels = [3, -100, 29, 0];

Deno.test("a length that an array claims changes no loss", async () => {
  const engine = await createParallelEngine({ threads: 2 });
  try {
    const functions = [
      [maskedCrossEntropy, maskedCrossEntropyGrad],
      [reference.maskedCrossEntropy, reference.maskedCrossEntropyGrad],
      [
        engine.maskedCrossEntropy.bind(engine),
        engine.maskedCrossEntropyGrad.bind(engine),
      ],
    ] as const;
    for (const [score, differentiate] of functions) {
      const expected = score(logits, labels);
      const slopes = differentiate(logits, labels);
      for (const length of [0, 2, N * V + V, 2 ** 40]) {
        const few = liar(logits.slice(), length);
        const ids = liar(Int32Array.from(labels), length);
        for (const options of [undefined, {}]) {
          assertEquals(score(few, labels, options), expected);
          assertEquals(score(logits, ids, options), expected);
          assertEquals(score(few, ids, options), expected);
          assertEquals(
            score({ data: few, dims: [N, V] }, ids, options),
            expected,
          );
        }
        const ones = liar(new Float32Array(N).fill(1), length);
        const list = { tokenWeights: ones, upstream: ones };
        assertEquals(differentiate(few, ids, list), slopes);
        const classWeights = liar(new Float64Array(V).fill(1), length);
        const cuSeqlens = liar(Int32Array.of(0, N), length);
        assertEquals(
          score(few, ids, { classWeights, cuSeqlens }),
          score(logits, labels, { cuSeqlens: [0, N] }),
        );
      }
      const claims = new Claims(logits);
      const claimed = ClaimsIds.from(labels);
      assertEquals([claims.length, claimed.length], [2, 0]);
      assertEquals(score(claims, claimed), expected);
      assertEquals(differentiate(claims, claimed), slopes);
    }
    // in place the array that was passed is the one that is written
    for (const differentiate of [functions[0][1], functions[2][1]]) {
      const given = liar(logits.slice(), 2);
      const { gradLogits } = differentiate(given, labels, { into: "in-place" });
      assert(gradLogits === given);
      const plain = new Float32Array(logits);
      differentiate(plain, labels, { into: "in-place" });
      const { prototype } = Object.getPrototypeOf(Uint8Array);
      const buffer = Reflect.get(prototype, "buffer", given);
      assertBits(new Float32Array(buffer), plain);
    }
  } finally {
    engine.dispose();
  }
});

Deno.test("a length that an array claims changes no labels, packs or files", async () => {
  const ids = () => liar(Int32Array.of(5, 6, 7), 1);
  const wide = () => liar(BigInt64Array.of(5n, 6n, 7n), 1);
  const roles = { assistant: { start: [5], end: [7] } };
  for (const inputIds of [ids, wide]) {
    assertEquals([...maskLabels(inputIds(), [[1, 3]])], [-100, 6, 7]);
    const mask = liar(Uint8Array.of(0, 1, 1), 7);
    assertEquals([...labelsFromMask(inputIds(), mask)], [-100, 6, 7]);
    const train = ["assistant"];
    assertEquals(findSpans(inputIds(), { roles, train }), [[1, 3]]);
    const sample = {
      inputIds: inputIds(),
      labels: inputIds(),
      weights: liar(Float64Array.of(1, 2, 3), 9),
    };
    const packed = packSequences([sample], { maxLength: 8 });
    assertEquals([...packed.inputIds], [5, 6, 7]);
    assertEquals([...packed.tokenWeights!], [0, 2, 3]);
    const [back] = unpack(packed);
    assertEquals(back, {
      inputIds: inputIds === ids
        ? Int32Array.of(5, 6, 7)
        : BigInt64Array.of(5n, 6n, 7n),
      labels: inputIds === ids
        ? Int32Array.of(5, 6, 7)
        : BigInt64Array.of(5n, 6n, 7n),
      weights: Float64Array.of(1, 2, 3),
    });
    const row = columnsOf({ inputIds: inputIds(), labels: inputIds() });
    assertEquals([...row.labels], [5, 6, 7]);
    const cell = cells({ inputIds: inputIds(), labels: inputIds() });
    assertEquals(cell.map(({ id }) => id), [5, 6, 7]);
    assertEquals(
      readTokenized({ input_ids: inputIds(), labels: inputIds() }).labels,
      Int32Array.of(5, 6, 7),
    );
  }
  assertEquals(planPacks(ids(), { maxLength: 9 }).packCount, 3);
  const tensor = { dtype: "i32", shape: [3], data: ids() } as const;
  const read = decodeNpy(liar(encodeNpy(tensor), 3));
  assertEquals(read.data, Int32Array.of(5, 6, 7));
  const file = encodeSafetensors(new Map([["a", tensor]]));
  const { tensors } = decodeSafetensors(liar(file, 3));
  assertEquals(tensors.get("a"), read);

  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const row = {
    input_ids: ids(),
    loss_weights: liar(Float64Array.of(1, 2), 9),
  };
  const sink = await createParquetSink({
    columns: { input_ids: "list<int32>", loss_weights: "list<double>" },
    write: (bytes) => void pieces.push(bytes.slice()),
  });
  await sink.add([row]);
  await sink.finish();
  const parquet = new Uint8Array(await new Blob(pieces).arrayBuffer());
  const rows = await Array.fromAsync(readParquetRows(liar(parquet, 3)));
  assertEquals(rows, [{ input_ids: [5, 6, 7], loss_weights: [1, 2] }]);

  const part = maskedCrossEntropy(logits, labels, { perToken: true });
  liar(part.perToken!, 1);
  const whole = maskedCrossEntropy(logits, labels, { perToken: true });
  assertEquals(mergeLoss([part]), whole);
});

Deno.test("Node's Buffer is bytes like any, though its slice does not copy", async () => {
  const tensor = { dtype: "i32", shape: [3], data: Int32Array.of(5, 6, 7) };
  const ids = tensor as { dtype: "i32"; shape: number[]; data: Int32Array };
  // small ones share a pool, so that their memory does not begin with them
  assertEquals(decodeNpy(Buffer.from(encodeNpy(ids))), ids);
  const file = encodeSafetensors(new Map([["a", ids]]));
  assertEquals(decodeSafetensors(Buffer.from(file)).tensors.get("a"), ids);

  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const row = columnsOf({ inputIds: [5, 6, 7], labels: [-100, 6, 7] });
  const sink = await createParquetSink({
    columns: parquetColumnsOf(row),
    write: (bytes) => void pieces.push(bytes.slice()),
  });
  await sink.add([row]);
  await sink.finish();
  const parquet = Buffer.concat(pieces);
  for await (const value of readParquetRows(parquet)) {
    assertEquals(readTokenized(value).labels, row.labels);
  }

  const line = `{"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}`;
  for (
    const source of [Buffer.from(`${line}\n${line}`), [
      Buffer.from(line),
      Buffer.from(line),
    ]]
  ) {
    const read = await Array.fromAsync(readTokenizedRows(source));
    assertEquals(read.map(({ row }) => row?.labels), [row.labels, row.labels]);
  }
  // a reader that fills the same memory again
  const memory = Buffer.alloc(3);
  const chunks = function* () {
    yield memory.fill("a");
    yield memory.fill("b");
  };
  const [only] = await Array.fromAsync(splitLines(chunks()));
  assertEquals(new TextDecoder().decode(only as Uint8Array), "aaabbb");
});

Deno.test("a list that claims to be longer than any memory is an error in our words", () => {
  for (const length of [2 ** 33, Number.MAX_SAFE_INTEGER]) {
    const list = { length };
    const wish = "length must be below 2³¹: current value is";
    const calls: (() => unknown)[] = [
      () => maskLabels(list, []),
      () => labelsFromMask(list, []),
      () => findSpans(list, { roles: {}, train: [] }),
      () => packSequences([{ inputIds: list }], { maxLength: 8 }),
      () => planPacks(list, { maxLength: 8 }),
      () => columnsOf({ inputIds: list, labels: [] }),
      () => maskedCrossEntropy(logits, labels, { cuSeqlens: list }),
    ];
    for (const call of calls) assertThrows(call, RangeError, wish);
    // and where the length must fit another
    const others: (() => unknown)[] = [
      () => labelsFromMask([1], list),
      () => maskedCrossEntropy(logits, list),
      () => maskedCrossEntropy(logits, list, { vocabSize: V }),
      () => maskedCrossEntropy(logits, labels, { tokenWeights: list }),
      () => maskedCrossEntropy(logits, labels, { classWeights: list }),
      () => maskedCrossEntropy(new Float32Array(0), [], { classWeights: list }),
      () => maskedCrossEntropyGrad(logits, labels, { upstream: list }),
      () => causalLossGrad(logits, { labels: list }),
      () => cells({ inputIds: [1], labels: list }),
    ];
    for (const call of others) assertThrows(call, RangeError, "Cannot ");
  }
  // what fits into int32 and not into memory
  const { Int32Array: Real } = globalThis;
  const most = { length: 0x7fffffff };
  try {
    globalThis.Int32Array = new Proxy(Real, {
      construct() {
        throw new RangeError("Array buffer allocation failed");
      },
    });
    assertThrows(
      () => maskLabels(most, []),
      RangeError,
      "Cannot mask labels as inputIds.length must fit into memory: current value is 2147483647",
    );
  } finally {
    globalThis.Int32Array = Real;
  }
});

Deno.test("a list that changes its length while it is read is no short loss", () => {
  const changing = (...lengths: number[]) => {
    const list: Record<number, number> = { 0: 1, 1: 2, 2: 3 };
    return Object.defineProperty(list, "length", {
      get: () => lengths.length > 1 ? lengths.shift() : lengths[0],
    }) as ArrayLike<number>;
  };
  // whatever it says afterwards, no label of it is missing
  for (const later of [0, 3, 99]) {
    for (const first of [2, 3]) {
      const few = normalLogits(first * 31, 4); // no whole number of columns for other counts
      const expected = maskedCrossEntropy(few, [1, 2, 3].slice(0, first));
      for (let at = 1; at < 6; at++) {
        const list = changing(...Array(at).fill(first), later);
        try {
          assertEquals(maskedCrossEntropy(few, list), expected);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          assert(error.message.startsWith("Cannot compute"), error.message);
        }
      }
    }
  }
});

Deno.test("an error shows what an array is, whatever it claims", () => {
  const odd = liar(Int32Array.of(1, 2, 3), 2 ** 40);
  assertThrows(
    () => maskedCrossEntropy(odd as unknown as Float32Array, [1]),
    TypeError,
    "current value is Int32Array[1, 2, 3]",
  );
  assertThrows(
    () => maskLabels([1], [Object.create(null)]),
    TypeError,
    "span 0 must be a pair [start, end): current value is an object with no keys",
  );
  assertThrows(
    () => maskLabels([1], [[Object.create(null), 1, 2] as never]),
    TypeError,
    "current value is [an object, 1, 2]",
  );
  assertThrows(
    () => maskLabels(new DataView(new ArrayBuffer(8)) as never, []),
    TypeError,
    "inputIds must be an array of whole numbers",
  );
});

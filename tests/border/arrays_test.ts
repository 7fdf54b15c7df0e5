/**
 * Arrays as hosts hand them out: shared, frozen, of a subclass, of another realm,
 * over buffers that grow, shrink or are gone. Each is the plain array's result, or
 * an error that says why not.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { runInNewContext } from "node:vm";
import {
  causalLossGrad,
  collate,
  findSpans,
  labelsFromMask,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
  maskLabels,
  mergeLoss,
  packSequences,
} from "../../mod.ts";
import type { GradOptions, LossOptions } from "../../src/contract.ts";
import { assertBits } from "../conformance/bits.ts";
import { normalLogits } from "../engines.ts";

const N = 12, V = 700;
const logits = normalLogits(N * V, 5);
const labels = Int32Array.from({ length: N }, (_, i) => i % 4 ? 7 * i : -100);
const OPTIONS: LossOptions[] = [
  {},
  { perToken: true, metrics: true },
  { shift: true, sequenceLength: 4, reduction: "sequence" },
  { vocabSize: V - 3, rowStride: V },
];
const IN_PLACE: GradOptions = { into: "in-place" };

/** These logits and labels give what the plain ones give, in every way; the logits are put back. */
function assertSame(given: Float32Array, givenLabels: ArrayLike<number>): void {
  const ids = givenLabels as Int32Array;
  for (const options of OPTIONS) {
    assertEquals(
      maskedCrossEntropy(given, ids, options),
      maskedCrossEntropy(logits, labels, options),
    );
    assertEquals(
      maskedCrossEntropyGrad(given, ids, options),
      maskedCrossEntropyGrad(logits, labels, options),
    );
    const expected = logits.slice();
    maskedCrossEntropyGrad(expected, labels, { ...options, ...IN_PLACE });
    const result = maskedCrossEntropyGrad(given, ids, {
      ...options,
      ...IN_PLACE,
    });
    assert(result.gradLogits === given);
    assertBits(given, expected);
    given.set(logits);
  }
  // and few enough to go the short way
  assertEquals(
    maskedCrossEntropy(given.subarray(0, 2 * V), ids.slice(0, 2)),
    maskedCrossEntropy(logits.slice(0, 2 * V), labels.slice(0, 2)),
  );
}

/** A float array over `buffer`, with the logits in it. */
function fill<T extends Float32Array>(array: T): T {
  array.set(logits);
  return array;
}

Deno.test("arrays over a SharedArrayBuffer are arrays like any", () => {
  const shared = fill(new Float32Array(new SharedArrayBuffer(4 * N * V)));
  const ids = new Int32Array(new SharedArrayBuffer(4 * N));
  ids.set(labels);
  assertSame(shared, ids);
  const weights = new Float32Array(new SharedArrayBuffer(4 * N)).fill(2);
  assertEquals(
    maskedCrossEntropy(shared, ids, { tokenWeights: weights }),
    maskedCrossEntropy(logits, labels, {
      tokenWeights: new Float32Array(N).fill(2),
    }),
  );
  assertEquals(maskLabels(ids, [[1, 3]]), maskLabels(labels, [[1, 3]]));
  // results are plain data, never shared with anybody
  const { perToken } = maskedCrossEntropy(shared, ids, { perToken: true });
  assert(perToken!.buffer instanceof ArrayBuffer);
});

Deno.test("frozen arrays and options are read, and left as they are", () => {
  const inputIds = Object.freeze([1, 5, 0, 2, 6, 7, 0]);
  const roles = Object.freeze({
    user: Object.freeze({ start: Object.freeze([1]), end: Object.freeze([0]) }),
    assistant: Object.freeze({
      start: Object.freeze([2]),
      end: Object.freeze([0]),
    }),
  });
  const train = Object.freeze(["assistant"]);
  const spans = findSpans(inputIds, Object.freeze({ roles, train }));
  const frozen = Object.freeze(spans.map((span) => Object.freeze(span)));
  const ids = Object.freeze([...maskLabels(inputIds, frozen)]);
  assertEquals(ids, [-100, -100, -100, -100, 6, 7, 0]);
  assertEquals(
    [...labelsFromMask(inputIds, Object.freeze([0, 0, 0, 0, 1, 1, 1]))],
    [...ids],
  );
  const options = Object.freeze({
    tokenWeights: Object.freeze(ids.map(() => 1)),
    classWeights: Object.freeze(Array(8).fill(1)),
    cuSeqlens: Object.freeze([0, 3, 7]),
    upstream: Object.freeze(ids.map(() => 2)),
  });
  const tensor = Object.freeze({
    data: normalLogits(7 * 8, 1),
    dims: Object.freeze([7, 8]),
  });
  const { loss, gradLogits } = causalLossGrad(tensor, ids, options);
  const plain = causalLossGrad(tensor.data, [...ids], {
    cuSeqlens: [0, 3, 7],
    upstream: 2,
  });
  assertEquals([loss, gradLogits], [plain.loss, plain.gradLogits]);
  const parts = Object.freeze([Object.freeze(maskedCrossEntropy(tensor, ids))]);
  assertEquals(mergeLoss(parts).sum, parts[0]!.sum);

  const samples = Object.freeze([
    Object.freeze({ inputIds, labels: ids }),
    Object.freeze({ inputIds: Object.freeze([3, 4]), labels: [3, 4] }),
  ]);
  const pack = packSequences(samples, Object.freeze({ maxLength: 16 }));
  assertEquals(pack.packs.length, 1);
  collate(samples, Object.freeze({ padTokenId: 0 }));
  assertEquals(samples[1]!.inputIds, [3, 4]);
});

/** As tensor libraries make them: another constructor, and more than numbers. */
class Matrix extends Float32Array {
  readonly columns: number;
  constructor(rows: number, columns: number) {
    if (typeof columns !== "number") throw new Error("no columns");
    super(rows * columns);
    this.columns = columns;
  }
}

class Tokens extends Int32Array {
  constructor(count: number) {
    if (typeof count !== "number") throw new Error("no count");
    super(count);
  }
  override slice(): Int32Array<ArrayBuffer> {
    return Int32Array.from(this);
  }
}

Deno.test("a subclass is its numbers: its constructor and methods are not called", () => {
  class Strict extends Matrix {
    override subarray(): never {
      throw new Error("subarray was called");
    }
    override slice(): never {
      throw new Error("slice was called");
    }
    override set(): never {
      throw new Error("set was called");
    }
  }
  const given = new Strict(N, V);
  const ids = new Tokens(N);
  Int32Array.prototype.set.call(ids, labels);
  for (const options of OPTIONS) {
    Float32Array.prototype.set.call(given, logits);
    assertEquals(
      maskedCrossEntropy(given, ids, options),
      maskedCrossEntropy(logits, labels, options),
    );
    const written = logits.slice();
    maskedCrossEntropyGrad(written, labels, { ...options, ...IN_PLACE });
    const result = maskedCrossEntropyGrad(given, ids, {
      ...options,
      ...IN_PLACE,
    });
    assert(result.gradLogits === given);
    assertBits(given, written);
  }
  assertEquals(maskLabels(ids, [[2, 5]]), maskLabels(labels, [[2, 5]]));
});

Deno.test("arrays of another realm are arrays like any", () => {
  const theirs = fill(runInNewContext(`new Float32Array(${N * V})`));
  assert(!(theirs instanceof Float32Array));
  assertSame(theirs, runInNewContext(`Int32Array.of(${labels})`));
  assertSame(theirs, runInNewContext(`[${labels}]`));
  const bits = runInNewContext(`Uint16Array.of(0x3f80, 0x4000)`);
  assertEquals(
    maskedCrossEntropy(bits, [0], { dtype: "bf16" }).loss,
    maskedCrossEntropy(Float32Array.of(1, 2), [0]).loss,
  );
});

Deno.test("what only looks like an array is no array", () => {
  const fake = Object.create(Float32Array.prototype);
  const proxy = new Proxy(new Float32Array(3), {});
  const named = { [Symbol.toStringTag]: "Float16Array", length: 3 };
  for (const logits of [fake, proxy, named]) {
    for (const options of [undefined, {}]) {
      assertThrows(
        () => maskedCrossEntropy(logits, [0], options),
        TypeError,
        "logits must be a Float32Array",
      );
    }
  }
});

Deno.test("an array over a resizable buffer counts as long as it is when the call begins", () => {
  const bytes = 4 * N * V;
  for (
    const buffer of [
      new ArrayBuffer(bytes, { maxByteLength: 2 * bytes }),
      new SharedArrayBuffer(bytes, { maxByteLength: 2 * bytes }),
    ]
  ) {
    const tracking = fill(new Float32Array(buffer));
    const fixed = new Float32Array(buffer, 0, N * V);
    assertSame(tracking, labels);
    assertSame(fixed, labels);
    if (buffer instanceof ArrayBuffer) buffer.resize(2 * bytes);
    else buffer.grow(2 * bytes);
    assertSame(fixed, labels);
    assertSame(tracking.subarray(0, N * V), labels);
    const twice = Int32Array.of(...labels, ...labels.fill(-100, N));
    const result = maskedCrossEntropy(tracking, twice.fill(-100, N));
    assertEquals(result.sum, maskedCrossEntropy(logits, labels).sum);
  }
});

Deno.test("a buffer that shrank between calls is a shape that does not fit, or gone", () => {
  const buffer = new ArrayBuffer(4 * N * V, { maxByteLength: 4 * N * V });
  const tracking = fill(new Float32Array(buffer));
  const fixed = new Float32Array(buffer, 0, N * V);
  buffer.resize(4 * (N - 1) * V);
  const { loss } = maskedCrossEntropy(tracking, labels.subarray(0, N - 1));
  const rest = maskedCrossEntropy(
    logits.subarray(0, (N - 1) * V),
    labels.subarray(0, N - 1),
  );
  assertEquals(loss, rest.loss);
  // 11 rows in 12 labels are no whole number of columns
  assertThrows(() => maskedCrossEntropy(tracking, labels), RangeError);
  assertThrows(
    () => maskedCrossEntropy(tracking, labels, { vocabSize: V }),
    RangeError,
    `logits.length must equal ${N} rows of ${V}`,
  );
  for (const ids of [labels, new Int32Array(0)]) {
    assertThrows(
      () => maskedCrossEntropy(fixed, ids),
      TypeError,
      "logits must not have lost their buffer",
    );
  }
});

Deno.test("a buffer that was transferred is an error, not a loss of nothing", () => {
  const given = logits.slice(), ids = labels.slice();
  structuredClone([given, ids], { transfer: [given.buffer, ids.buffer] });
  assertEquals([given.length, ids.length], [0, 0]);
  for (const run of [maskedCrossEntropy, maskedCrossEntropyGrad]) {
    assertThrows(
      () => run(given, ids),
      TypeError,
      "logits must not have lost their buffer",
    );
  }
  // other arrays that were given away: lost_test.ts
  // what is empty and healthy is legal
  assertEquals(maskedCrossEntropy(new Float32Array(0), []).loss, 0);
});

Deno.test("a buffer that shrinks while options are read is an error, and nothing is written", () => {
  const bytes = 4 * N * V;
  const whole = logits.slice();
  for (const key of ["tokenWeights", "upstream"] as const) {
    const buffer = new ArrayBuffer(bytes, { maxByteLength: bytes });
    const given = fill(new Float32Array(buffer));
    const list = Array(N).fill(1);
    Object.defineProperty(list, 5, {
      get: () => {
        if (buffer.byteLength === bytes) buffer.resize(bytes / 2);
        return 1;
      },
    });
    assertThrows(
      () => maskedCrossEntropyGrad(given, labels, { [key]: list, ...IN_PLACE }),
      RangeError,
      `logits.length must stay ${N * V} while labels and options are read`,
    );
    assertBits(given, whole.subarray(0, given.length));
  }
});

Deno.test("labels that change while options are read are what they were, or an error", () => {
  const wild = 2 ** 30; // a gigabyte or four behind the row
  for (const key of ["tokenWeights", "classWeights", "upstream"] as const) {
    for (const into of ["new", "in-place"] as const) {
      const ids = labels.slice();
      const list = Array(key === "classWeights" ? V : N).fill(1);
      Object.defineProperty(list, 3, {
        get: () => {
          ids.fill(wild);
          return 1;
        },
      });
      const options = { [key]: list, into, perToken: true };
      const result = maskedCrossEntropyGrad(logits.slice(), ids, options);
      const expected = maskedCrossEntropyGrad(logits, labels, {
        perToken: true,
      });
      assertEquals(result.perToken, expected.perToken);
      assertBits(result.gradLogits, expected.gradLogits);
      assertEquals(ids[0], wild);
    }
  }
});

Deno.test("a buffer that shrinks while the labels of a plain call are read is an error", () => {
  for (const size of [40, 48, 0]) {
    const buffer = new ArrayBuffer(60, { maxByteLength: 60 });
    const labels = [1, 2, 3];
    Object.defineProperty(labels, 1, {
      get: () => {
        buffer.resize(size);
        return 2;
      },
    });
    assertThrows(
      () => maskedCrossEntropy(new Float32Array(buffer), labels),
      RangeError,
      "logits.length must stay 15 while labels and options are read",
    );
  }
});

Deno.test("labels that are bigints are labels in a plain call too", () => {
  const labels = [1n, 2n, -100n] as unknown as number[];
  const { loss } = maskedCrossEntropy(new Float32Array(15), labels);
  assert(Math.abs(loss - Math.log(5)) < 1e-6);
});

/**
 * Memory at its limits: 4 GiB, a machine that has no more, views that are held
 * while it grows, workspaces that are gone.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  createLossWorkspace,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
  maskLabels,
} from "../../mod.ts";
import { createParallelEngine } from "../../src/parallel/mod.ts";
import { KernelMemory, rowTablesSize, SLACK } from "../../src/wasm/memory.ts";
import { fastestBuild } from "../../src/wasm/loader.ts";
import { assertBits } from "../conformance/bits.ts";
import { normalLogits } from "../engines.ts";

const V = 1024;

/** Where memory may end: 4 GiB less a page. */
const END = 65535 * 65536;

/** The last two rows of some logits, scored and differentiated in place, give what they give elsewhere. */
function assertLastRows(
  all: Float32Array,
  score: typeof maskedCrossEntropy,
  slope: typeof maskedCrossEntropyGrad,
): void {
  const rows = normalLogits(2 * V, 3), labels = [1, V - 1];
  const last = all.subarray(all.length - 2 * V);
  assert(END - last.byteOffset - last.byteLength < 8 * V, "not at the end");
  last.set(rows);
  const options = { perToken: true, metrics: true };
  assertEquals(
    score(last, labels, options),
    maskedCrossEntropy(rows, labels, options),
  );
  const { gradLogits } = maskedCrossEntropyGrad(rows, labels);
  slope(last, labels, { into: "in-place" });
  assertBits(last, gradLogits);
}

// the system gives pages when they are touched, so these gigabytes cost none

Deno.test("the last rows below 4 GiB are rows like any, and one more is refused", () => {
  const { heap } = new KernelMemory(fastestBuild());
  const room = END - heap - rowTablesSize(V) - SLACK;
  const rows = Math.floor(room / (4 * V));
  const workspace = createLossWorkspace({ rows, vocabSize: V });
  assertLastRows(workspace.logits, maskedCrossEntropy, maskedCrossEntropyGrad);
  workspace.dispose();
  assertThrows(
    () => createLossWorkspace({ rows: rows + 1, vocabSize: V }),
    RangeError,
    "must stay below 4 GiB: use fewer rows at a time, or shorter ones",
  );
});

Deno.test("threads work at addresses beyond 2 GiB, and so does the next call", async () => {
  using engine = await createParallelEngine({ threads: 2 });
  // nothing was called yet: what a call needs comes to lie behind these rows
  const workspace = engine.createWorkspace({ rows: 2200, vocabSize: 2 ** 18 });
  const rows = workspace.logits.subarray(0, 2 ** 18);
  const uniform = Math.log(2 ** 18);
  const near = (loss: number) =>
    assert(Math.abs(loss - uniform) < 1e-5, String(loss));
  near(engine.maskedCrossEntropy(rows.slice(), [1]).loss);
  near(engine.maskedCrossEntropyGrad(rows, [1]).loss);
  const classWeights = new Float32Array(2 ** 18).fill(1);
  near(engine.maskedCrossEntropy(rows, [1], { classWeights }).loss);
  workspace.dispose();
  near(engine.maskedCrossEntropy(new Float32Array(2 ** 18), [1]).loss);
});

Deno.test("what threads want of their memory, and what is left of it, are told as they are", async () => {
  using engine = await createParallelEngine({ threads: 2 });
  const vocabSize = 2 ** 18;
  const uniform = Math.log(vocabSize);
  const most = engine.createWorkspace({ rows: 3500, vocabSize });
  const last = most.logits.subarray(-vocabSize);
  const { loss } = engine.maskedCrossEntropy(last, [5]); // lays its tables behind it
  assert(Math.abs(loss - uniform) < 1e-5, String(loss));
  const { message } = assertThrows(
    () => engine.createWorkspace({ rows: 1000, vocabSize }),
    RangeError,
    "Cannot reserve shared WASM memory as it must stay below 4 GiB, of which",
  );
  const [, left = "", wanted] =
    /of which (\d+) bytes are left in one piece .*: current value is (\d+) bytes$/
      .exec(message) ?? [];
  assertEquals(Number(wanted), 4 * 1000 * vocabSize);
  const rows = Math.floor(Number(left) / 1024);
  assert(rows > 0 && Number(left) < END - 4 * 3500 * vocabSize, message);
  engine.createWorkspace({ rows, vocabSize: 256 }).dispose();
  assertThrows(
    () => engine.createWorkspace({ rows: rows + 1, vocabSize: 256 }),
    RangeError,
    "bytes are left",
  );
});

Deno.test("a large workspace of threads leaves its room to a larger one, though calls lie behind it", async () => {
  const V = 4096, row = 4 * V;
  await withSmallMemory(64, async () => {
    using engine = await createParallelEngine({ threads: 2 });
    assertEquals(engine.reason, null);
    const logits = normalLogits(80 * V, 6);
    const labels = Int32Array.from({ length: 80 }, (_, i) => i % 3 ? i : -100);
    const sets = [{}, { metrics: true, perToken: true }, { softcap: 3 }];
    const same = (given: Float32Array) => {
      for (const options of sets) {
        assertEquals(
          engine.maskedCrossEntropyGrad(given, labels, options),
          maskedCrossEntropyGrad(logits, labels, options),
        );
      }
    };
    const small = engine.createWorkspace({ rows: 80, vocabSize: V });
    small.logits.set(logits);
    const large = engine.createWorkspace({
      rows: 36e6 / row | 0,
      vocabSize: V,
    });
    same(small.logits);
    same(logits);
    large.dispose();
    // as much is there if what calls need lies elsewhere, which nobody notices
    const larger = engine.createWorkspace({
      rows: 50e6 / row | 0,
      vocabSize: V,
    });
    assert(larger.logits.every((x) => x === 0));
    larger.logits.fill(7);
    same(small.logits);
    same(logits);
    assert(larger.logits.every((x) => x === 7));
    assertThrows(
      () => engine.createWorkspace({ rows: 50e6 / row | 0, vocabSize: V }),
      RangeError,
      `Cannot reserve ${(50e6 / row | 0) * row} bytes of shared WASM memory`,
    );
    same(small.logits);
  });
});

/** While `test` runs, the host gives memories of at most so many megabytes, as phones do. */
async function withSmallMemory(
  megabytes: number,
  test: () => Promise<void>,
): Promise<void> {
  const { Memory } = WebAssembly;
  WebAssembly.Memory = new Proxy(Memory, {
    construct(target, [given]) {
      if (given.maximum > 16 * megabytes) {
        throw new RangeError("could not allocate memory");
      }
      return new target(given);
    },
  });
  try {
    await test();
  } finally {
    WebAssembly.Memory = Memory;
  }
}

Deno.test("the same in the memory that threads share", async () => {
  const engine = await createParallelEngine({ threads: 2 });
  try {
    // what a call needs beside the logits has its room first (less than 64 rows' worth)
    engine.maskedCrossEntropy(new Float32Array(2 * V), [0, 0], {
      metrics: true,
    });
    const probe = engine.createWorkspace({ rows: 1, vocabSize: V });
    const room = END - probe.logits.byteOffset - SLACK;
    probe.dispose();
    const rows = Math.floor(room / (4 * V));
    const workspace = engine.createWorkspace({ rows, vocabSize: V });
    assertLastRows(
      workspace.logits,
      engine.maskedCrossEntropy.bind(engine),
      engine.maskedCrossEntropyGrad.bind(engine),
    );
    // no room is left for what must be copied in; what has room still works
    assertThrows(
      () => engine.maskedCrossEntropy(new Float32Array(64 * V), [0]),
      RangeError,
      "must stay below 4 GiB",
    );
    const some = workspace.logits.subarray(0, V);
    some.fill(0);
    assertEquals(engine.maskedCrossEntropy(some, [0]).activeTokens, 1);
    workspace.dispose();
    assertThrows(
      () => engine.createWorkspace({ rows: rows + 64, vocabSize: V }),
      RangeError,
      "must stay below 4 GiB",
    );
  } finally {
    engine.dispose();
  }
});

/** While `test` runs, memory does not grow. */
function withoutMemory(test: () => void): void {
  const { grow } = WebAssembly.Memory.prototype;
  WebAssembly.Memory.prototype.grow = () => {
    throw new RangeError("WebAssembly.Memory.grow(): Unable to grow");
  };
  try {
    test();
  } finally {
    WebAssembly.Memory.prototype.grow = grow;
  }
}

Deno.test("a machine that has no more memory is an error that says what to do, and nothing is lost", async () => {
  const engine = await createParallelEngine({ threads: 2 });
  try {
    const N = 3, large = new Float32Array(N * 2 ** 20);
    large.fill(7);
    const labels = new Int32Array(N);
    const small = normalLogits(40, 1);
    const before = maskedCrossEntropy(small, [1, 2]);
    withoutMemory(() => {
      const attempts = [
        () => maskedCrossEntropy(large, labels),
        () => maskedCrossEntropyGrad(large, labels, { into: "in-place" }),
        () =>
          engine.maskedCrossEntropyGrad(large, labels, { into: "in-place" }),
        () => createLossWorkspace({ rows: 10, vocabSize: 2 ** 20 }),
        () => engine.createWorkspace({ rows: 10, vocabSize: 2 ** 20 }),
        () => maskLabels(new Int32Array(2 ** 20), [[0, 5]]),
      ];
      for (const attempt of attempts) {
        assertThrows(
          attempt,
          RangeError,
          "the machine has no more: use fewer rows at a time, or shorter ones",
        );
      }
      assertEquals(maskedCrossEntropy(small, [1, 2]), before);
      assertEquals(engine.maskedCrossEntropy(small, [1, 2]), before);
    });
    assert(large.every((x) => x === 7));
    const { loss } = maskedCrossEntropy(large, labels);
    assertEquals(engine.maskedCrossEntropy(large, labels).loss, loss);
  } finally {
    engine.dispose();
  }
});

Deno.test("results and workspaces that are held do not notice that memory grows", async () => {
  const engine = await createParallelEngine({ threads: 2 });
  try {
    const N = 5, rows = normalLogits(N * 50, 2), labels = [1, 2, 3, -100, 4];
    const options = { perToken: true, logSumExp: true };
    const one = createLossWorkspace({ rows: N, vocabSize: 50 });
    const two = engine.createWorkspace({ rows: N, vocabSize: 50 });
    one.logits.set(rows);
    two.logits.set(rows);
    const held = [
      maskedCrossEntropyGrad(rows, labels, options),
      maskedCrossEntropyGrad(one.logits, labels, options),
      engine.maskedCrossEntropyGrad(rows, labels, options),
      engine.maskedCrossEntropyGrad(two.logits, labels, options),
    ];
    const copy = structuredClone(held[0]);
    for (const V of [2 ** 18, 2 ** 20, 2 ** 22]) {
      const large = new Float32Array(V);
      maskedCrossEntropyGrad(large, [0], { metrics: true });
      engine.maskedCrossEntropyGrad(large, [0], { metrics: true });
      maskLabels(new Int32Array(V), [[0, V]]);
      for (const result of held) assertEquals(result, copy);
      assertBits(one.logits, rows);
      assertBits(two.logits, rows);
      assertEquals(maskedCrossEntropyGrad(one.logits, labels, options), copy);
      assertEquals(
        engine.maskedCrossEntropyGrad(two.logits, labels, options),
        copy,
      );
    }
    one.dispose();
  } finally {
    engine.dispose();
  }
});

Deno.test("the view of a workspace that was disposed of is an array like any", () => {
  const rows = normalLogits(3 * 50, 4), labels = [1, 49, -100];
  const workspace = createLossWorkspace({ rows: 3, vocabSize: 50 });
  const view = workspace.logits;
  view.set(rows);
  workspace.dispose();
  assertThrows(
    () => workspace.logits,
    TypeError,
    "Cannot use workspace as it was disposed: create a new one",
  );
  assertEquals(
    maskedCrossEntropy(view, labels),
    maskedCrossEntropy(rows, labels),
  );
  const { gradLogits } = maskedCrossEntropyGrad(rows, labels);
  maskedCrossEntropyGrad(view, labels, { into: "in-place" });
  assertBits(view, gradLogits);
  // and its place is nobody else's
  const next = createLossWorkspace({ rows: 3, vocabSize: 50 });
  next.logits.fill(1);
  assertBits(view, gradLogits);
  next.dispose();
});

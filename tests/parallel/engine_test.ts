/**
 * createParallelEngine() as callers meet it: results, workspaces, what there is
 * instead of threads, and what is refused.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import * as root from "../../mod.ts";
import {
  createParallelEngine,
  type ParallelEngine,
} from "../../src/parallel/mod.ts";
import { openEngine } from "../../src/parallel/parallel_engine.ts";
import { assertBits } from "../conformance/bits.ts";
import { normalLogits } from "../engines.ts";

/** A test with an engine of two threads that leaves nothing behind. */
function onEngine(
  name: string,
  test: (engine: ParallelEngine) => void | Promise<void>,
): void {
  Deno.test({
    name,
    sanitizeResources: true,
    sanitizeOps: true,
    fn: async () => {
      const engine = await createParallelEngine({ threads: 2 });
      try {
        assertEquals([engine.threads, engine.reason], [2, null]);
        await test(engine);
      } finally {
        engine.dispose();
      }
    },
  });
}

const N = 300, V = 500;
const logits = normalLogits(N * V, 1);
const labels = Int32Array.from({ length: N }, (_, i) => i % 3 ? i : -100);
const half = Uint16Array.from(logits, (x) => 0x3f80 + (x * 16 & 0x7f));

onEngine("its functions are the root module's, to the last bit", (engine) => {
  const options = [
    {},
    { deterministic: true },
    { metrics: true, perToken: true, logSumExp: true },
    { reduction: "sequence", sequenceLength: 30 },
  ] as const;
  for (const set of options) {
    assertEquals(
      engine.maskedCrossEntropy(logits, labels, set),
      root.maskedCrossEntropy(logits, labels, set),
    );
    assertEquals(
      engine.causalLoss(logits, { labels }, set),
      root.causalLoss(logits, { labels }, set),
    );
    assertEquals(
      engine.maskedCrossEntropyGrad(logits, labels, set),
      root.maskedCrossEntropyGrad(logits, labels, set),
    );
    assertEquals(
      engine.causalLossGrad(logits, { labels }, set),
      root.causalLossGrad(logits, { labels }, set),
    );
  }
  const dtype = "bf16";
  const dims = [10, 30, V];
  assertEquals(
    engine.causalLossGrad({ data: half, dims }, { labels }, { dtype }),
    root.causalLossGrad({ data: half, dims }, { labels }, { dtype }),
  );
});

onEngine("parts from an engine and from the root module merge", (engine) => {
  const whole = root.maskedCrossEntropy(logits, labels);
  const cut = 100;
  const merged = root.mergeLoss([
    engine.maskedCrossEntropy(
      logits.subarray(0, cut * V),
      labels.subarray(0, cut),
    ),
    root.maskedCrossEntropy(logits.subarray(cut * V), labels.subarray(cut)),
  ]);
  assertEquals(merged, whole);
});

onEngine("a workspace is used where it is, in whole or in part", (engine) => {
  const workspace = engine.createWorkspace({ rows: N, vocabSize: V });
  assertEquals([workspace.rows, workspace.vocabSize], [N, V]);
  assertInstanceOf(workspace.logits.buffer, SharedArrayBuffer);
  assert(workspace.logits.every((x) => x === 0));
  workspace.logits.set(logits);
  const some = workspace.logits.subarray(10 * V, 20 * V);
  assertEquals(
    engine.maskedCrossEntropy(some, labels.subarray(10, 20)),
    root.maskedCrossEntropy(logits.slice(10 * V, 20 * V), labels.slice(10, 20)),
  );
  const expected = root.maskedCrossEntropyGrad(logits, labels).gradLogits;
  const { gradLogits } = engine.maskedCrossEntropyGrad(
    workspace.logits,
    labels,
    { into: "in-place" },
  );
  assert(gradLogits === workspace.logits);
  assertBits(workspace.logits, expected);
});

onEngine(
  "workspaces do not meet, and survive the memory's growth",
  (engine) => {
    const small = engine.createWorkspace({ rows: 3, vocabSize: 5 });
    small.logits.set(Array.from({ length: 15 }, (_, i) => i));
    const before = engine.maskedCrossEntropy(small.logits, [4, 0, 2]);
    const halves = engine.createWorkspace({
      rows: 4,
      vocabSize: 7,
      dtype: "f16",
    });
    halves.logits.fill(0x3c00);
    const large = engine.createWorkspace({ rows: 1000, vocabSize: 5000 });
    large.logits.fill(9);
    engine.maskedCrossEntropy(new Float32Array(5e6), new Int32Array(1000), {
      metrics: true,
    });
    assertEquals(small.logits.at(-1), 14);
    assertEquals(engine.maskedCrossEntropy(small.logits, [4, 0, 2]), before);
    assert(halves.logits.every((x) => x === 0x3c00));
    assert(large.logits.every((x) => x === 9));

    // what was given back is given out again, empty
    const { byteOffset } = large.logits;
    large.dispose();
    const next = engine.createWorkspace({ rows: 1000, vocabSize: 5000 });
    assertEquals(next.logits.byteOffset, byteOffset);
    assert(next.logits.every((x) => x === 0));
  },
);

/** A list of ones that does something when its third is read. */
function listThat(act: () => void, length = N): number[] {
  let done = false;
  return Object.defineProperty(Array(length).fill(1), 2, {
    get: () => {
      if (!done) act();
      done = true;
      return 1;
    },
  });
}

for (const into of ["new", "in-place"] as const) {
  onEngine(
    `a workspace disposed of while labels or options are read is refused (${into})`,
    (engine) => {
      const inUse = () => {
        const workspace = engine.createWorkspace({ rows: N, vocabSize: V });
        workspace.logits.set(logits);
        return workspace;
      };
      type Case = (list: number[]) => [ArrayLike<number>, root.GradOptions];
      const cases: Case[] = [
        (list) => [list, {}],
        (tokenWeights) => [labels, { tokenWeights }],
        (upstream) => [labels, { upstream }],
      ];
      for (const make of cases) {
        // another may take its place at once, and must not be read or written
        for (const again of [false, true]) {
          const workspace = inUse();
          const view = workspace.logits;
          let other: root.LossWorkspace | undefined;
          const list = listThat(() => {
            workspace.dispose();
            if (again) other = inUse();
          });
          const [ids, options] = make(list);
          assertThrows(
            () =>
              engine.maskedCrossEntropyGrad(view, ids, { ...options, into }),
            TypeError,
            "Cannot compute loss as its logits lie in a workspace that was disposed: create a new one",
          );
          if (other) assertBits(other.logits, logits);
          other?.dispose();
        }
      }
    },
  );
}

Deno.test("an engine disposed of while labels or options are read is refused", async () => {
  for (const name of ["labels", "tokenWeights", "upstream"]) {
    const engine = await createParallelEngine({ threads: 2 });
    const list = listThat(() => engine.dispose());
    const ids = name === "labels" ? list : labels;
    const options = name === "labels" ? {} : { [name]: list };
    assertThrows(
      () => engine.maskedCrossEntropyGrad(logits, ids, options),
      TypeError,
      "Cannot compute loss as the engine was disposed: create a new one",
    );
  }
  for (const threads of [1, 2]) {
    const engine = await createParallelEngine({ threads });
    const size = {
      get rows() {
        engine.dispose();
        return 2;
      },
      vocabSize: 3,
    };
    assertThrows(
      () => engine.createWorkspace(size),
      TypeError,
      "Cannot create workspace as the engine was disposed: create a new one",
    );
  }
});

onEngine("a disposed workspace is refused, also by its old view", (engine) => {
  const workspace = engine.createWorkspace({ rows: 2, vocabSize: 3 });
  const other = engine.createWorkspace({ rows: 2, vocabSize: 3 });
  const view = workspace.logits;
  workspace.dispose();
  workspace.dispose();
  assertThrows(() => workspace.logits, TypeError, "was disposed");
  assertThrows(
    () => engine.maskedCrossEntropy(view, [0, 1]),
    TypeError,
    "lie in a workspace that was disposed",
  );
  assertEquals(engine.maskedCrossEntropy(other.logits, [0, 1]).activeTokens, 2);
});

onEngine(
  "a root workspace, and another engine's, are arrays like any",
  async (engine) => {
    const expected = root.maskedCrossEntropy(logits, labels);
    const own = root.createLossWorkspace({ rows: N, vocabSize: V });
    own.logits.set(logits);
    assertEquals(engine.maskedCrossEntropy(own.logits, labels), expected);
    own.dispose();

    const second = await createParallelEngine({ threads: 3 });
    const theirs = second.createWorkspace({ rows: N, vocabSize: V });
    theirs.logits.set(logits);
    assertEquals(engine.maskedCrossEntropy(theirs.logits, labels), expected);
    assertEquals(root.maskedCrossEntropy(theirs.logits, labels), expected);
    assertEquals(second.maskedCrossEntropy(theirs.logits, labels), expected);
    const options = { into: "in-place" } as const;
    const grad = root.maskedCrossEntropyGrad(logits, labels).gradLogits;
    engine.maskedCrossEntropyGrad(theirs.logits, labels, options);
    assertBits(theirs.logits, grad);
    second.dispose();
  },
);

onEngine(
  "what is wrong is refused as everywhere, and nothing is written",
  (engine) => {
    const workspace = engine.createWorkspace({ rows: 2, vocabSize: 3 });
    workspace.logits.fill(7);
    const options = { into: "in-place" } as const;
    assertThrows(
      () => engine.maskedCrossEntropyGrad(workspace.logits, [0, 3], options),
      RangeError,
      "labels[1] must be -100 (ignored) or a class in [0, 3)",
    );
    assert(workspace.logits.every((x) => x === 7));
    assertThrows(
      () => engine.createWorkspace({ rows: 2 ** 20, vocabSize: 2 ** 20 }),
      RangeError,
      "must stay below 4 GiB",
    );
    assertThrows(
      () => engine.createWorkspace({ rows: 0, vocabSize: 3 }),
      RangeError,
      "rows must be a whole number of at least 1",
    );
    assertEquals(
      engine.maskedCrossEntropy(workspace.logits, [0, 2]).sum > 2,
      true,
    );
  },
);

onEngine(
  "dispose() may be called twice; what was disposed of throws",
  (engine) => {
    engine.dispose();
    engine[Symbol.dispose]();
    for (
      const use of [
        () => engine.maskedCrossEntropy(logits, labels),
        () => engine.causalLossGrad(logits, { labels }),
        () => engine.createWorkspace({ rows: 1, vocabSize: 1 }),
      ]
    ) {
      assertThrows(
        use,
        TypeError,
        "as the engine was disposed: create a new one",
      );
    }
    assertEquals(engine.threads, 1);
  },
);

Deno.test("createParallelEngine() refuses what is no number of threads", async () => {
  for (const threads of [0, -1, 1.5, 65, NaN, Infinity]) {
    await assertRejects(
      () => createParallelEngine({ threads }),
      RangeError,
      "threads must be",
    );
  }
  await assertRejects(
    () => createParallelEngine({ threads: "2" as unknown as number }),
    TypeError,
    "threads must be a number",
  );
  await assertRejects(
    () => createParallelEngine({ workers: 2 } as object),
    TypeError,
    "every key of options must be one of threads",
  );
});

Deno.test("one thread is an engine too, with nothing to explain", async () => {
  const engine = await createParallelEngine({ threads: 1 });
  assertAlone(engine);
  assertEquals(engine.reason, null);
  engine.dispose();
});

Deno.test("without being told, there are as many threads as processors", async () => {
  const engine = await createParallelEngine();
  assertEquals(engine.threads, Math.min(64, navigator.hardwareConcurrency));
  engine.dispose();
});

/** Works, on one thread, as the root module does. */
function assertAlone(engine: ParallelEngine): void {
  assertEquals(engine.threads, 1);
  const workspace = engine.createWorkspace({ rows: N, vocabSize: V });
  workspace.logits.set(logits);
  const expected = root.maskedCrossEntropyGrad(logits, labels);
  assertEquals(
    engine.maskedCrossEntropyGrad(workspace.logits, labels),
    expected,
  );
  assertEquals(engine.maskedCrossEntropy(logits, labels).loss, expected.loss);
  workspace.dispose();
}

/** With a name of the host's replaced; every name is put back. */
async function without(
  names: Record<string, unknown>,
  test: () => Promise<void>,
): Promise<void> {
  const host = globalThis as unknown as Record<string, unknown>;
  const saved = Object.keys(names).map((name) =>
    [name, Object.getOwnPropertyDescriptor(host, name)!] as const
  );
  try {
    for (const [name, value] of Object.entries(names)) {
      Object.defineProperty(host, name, { value, configurable: true });
    }
    await test();
  } finally {
    for (const [name, own] of saved) Object.defineProperty(host, name, own);
  }
}

/** A Worker that the host lets be made, and then refuses. */
class RefusedWorker {
  onerror: ((event: Event) => void) | null = null;
  constructor() {
    setTimeout(
      () => this.onerror?.(new Event("error", { cancelable: true })),
      1,
    );
  }
  postMessage(): void {}
  terminate(): void {}
}

const FALLBACKS = [
  {
    name: "no SharedArrayBuffer",
    names: { SharedArrayBuffer: undefined },
    reason: /no SharedArrayBuffer: a page must be cross-origin isolated/,
  },
  {
    name: "no Worker",
    names: { Worker: undefined },
    reason: /no threads could be started: this host has no Worker/,
  },
  {
    name: "a policy that refuses workers, by an event",
    names: { Worker: RefusedWorker },
    reason: /refused \(a Content-Security-Policy needs worker-src blob:\)/,
  },
  {
    name: "a policy that refuses workers, by an exception",
    names: {
      Worker: class {
        constructor() {
          throw new DOMException("not allowed by worker-src", "SecurityError");
        }
      },
    },
    reason: /could be started: not allowed by worker-src/,
  },
];

for (const { name, names, reason } of FALLBACKS) {
  Deno.test({
    name: `on a host with ${name} it goes on with one thread, and says why`,
    sanitizeResources: true,
    sanitizeOps: true,
    fn: () =>
      without(names, async () => {
        const engine = await openEngine({ threads: 3, host: "web" });
        assertMatch(engine.reason!, reason);
        assertAlone(engine);
        engine.dispose();
      }),
  });
}

Deno.test("on a host that gives no memory it goes on with one thread, and says why", async () => {
  const { Memory } = WebAssembly;
  Object.defineProperty(WebAssembly, "Memory", {
    value: class {
      constructor() {
        throw new RangeError("could not allocate memory");
      }
    },
    configurable: true,
  });
  try {
    const engine = await openEngine({ threads: 2 });
    assertStringIncludes(engine.reason!, "could not allocate memory");
    assertAlone(engine);
  } finally {
    Object.defineProperty(WebAssembly, "Memory", { value: Memory });
  }
});

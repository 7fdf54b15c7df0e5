/**
 * Threads at work, and threads that end or fail at it: an error, never a hang, and
 * an engine that goes on.
 *
 * @module
 */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Crew, type CrewOptions } from "../../src/parallel/crew.ts";
import { CrewEngine } from "../../src/parallel/engine.ts";
import { Workspaces } from "../../src/parallel/workspaces.ts";
import { WasmEngine } from "../../src/wasm/engine.ts";
import { loss, normalLogits } from "../engines.ts";
import { board, flatJob, lossesOf, openWatched, until } from "./jobs.ts";
import { assertSame } from "./same.ts";

const HOSTS = ["node", "web"] as const;

/** A test whose crew leaves nothing behind; every sanitizer is on. */
function onCrew(
  name: string,
  options: CrewOptions,
  test: (crew: Crew) => void | Promise<void>,
): void {
  for (const host of HOSTS) {
    Deno.test({
      name: `${name} [${host} threads]`,
      sanitizeResources: true,
      sanitizeOps: true,
      sanitizeExit: true,
      fn: async () => {
        const crew = await Crew.open({ ...options, host });
        try {
          await test(crew);
        } finally {
          crew.close();
        }
      },
    });
  }
}

/** Small losses that must come out right, whatever happened before. */
function assertWorks(crew: Crew): void {
  const V = 10, rows = 7;
  const logits = new Float32Array(rows * V);
  for (const build of crew.builds) {
    const engine = new CrewEngine(crew, build);
    const result = loss(engine, logits, new Int32Array(rows));
    assertAlmostEquals(result.loss, Math.log(V), 1e-6);
  }
}

onCrew("threads work by themselves", { threads: 3 }, (crew) => {
  const [build] = crew.builds, { done, held } = board(crew);
  for (let round = 0; round < 20; round++) {
    const job = flatJob(crew, 50, 16);
    crew.begin(build!, job);
    crew.publish(build!, 50, false);
    until(() => done() === 50 * (round + 1)); // this thread does nothing
    crew.finish(build!);
    for (const x of lossesOf(crew, job)) assertAlmostEquals(x, Math.log(16));
  }
  assertEquals([held(1), held(2)], [0, 0]);
});

onCrew("all threads take part", { threads: 3 }, (crew) => {
  const [build] = crew.builds, { held } = board(crew);
  // pieces of eight times the same million on the float64 path: 0.1 s each, so
  // that on a busy machine, too, every thread comes while some are left
  const job = flatJob(crew, 6, 2 ** 20, {
    metrics: 1,
    rows: 48,
    pieceRows: 8,
    rowBytes: 0,
  });
  crew.begin(build!, job);
  crew.publish(build!, 6, false);
  const came = new Set<number>();
  until(() => {
    for (const thread of [1, 2]) if (held(thread) > 0) came.add(thread);
    return came.size === 2;
  });
  crew.finish(build!);
  const expected = 20 * Math.LN2;
  for (const x of lossesOf(crew, job)) assertAlmostEquals(x, expected, 1e-9);
});

onCrew("a thread that fails is an error, and the rest goes on", {
  threads: 2,
}, (crew) => {
  const [build] = crew.builds, { held } = board(crew);
  // the second row lies beyond the memory: who takes it traps
  const far = crew.memory.memory.buffer.byteLength - 128;
  const job = flatJob(crew, 2, 16, { logits: far, rowBytes: 2 ** 20 });
  crew.begin(build!, job);
  crew.publish(build!, 2, false);
  until(() => held(1) < 0);
  assertThrows(() => crew.finish(build!), Error, "thread 1 has failed");
  assertEquals(crew.threads, 1);
  assertStringIncludes(crew.reason!, "thread 1 has failed");
  assertWorks(crew);
});

onCrew("a failure of the caller's own thread ends the others", {
  threads: 2,
}, (crew) => {
  const [build] = crew.builds;
  const far = crew.memory.memory.buffer.byteLength;
  const job = flatJob(crew, 1, 16, { logits: far });
  crew.begin(build!, job);
  crew.publish(build!, 1, true);
  assertThrows(() => crew.finish(build!), WebAssembly.RuntimeError);
  assertEquals(crew.threads, 1);
  assertWorks(crew);
});

onCrew("a thread that vanishes with a piece is an error within its time", {
  threads: 2,
  patience: 300,
}, (crew) => {
  const [build] = crew.builds, { left, pretend } = board(crew);
  crew.begin(build!, flatJob(crew, 1, 16));
  crew.publish(build!, 1, true);
  // what memory looks like when thread 1 took the piece and was no more
  assertEquals(left(), 1);
  pretend(1);
  const start = performance.now();
  assertThrows(() => crew.finish(build!), Error, "thread 1 has not answered");
  const took = performance.now() - start;
  assert(took > 250 && took < 5000, `${took} ms`);
  assertEquals(crew.threads, 1);
  assertWorks(crew);
});

onCrew(
  "a slow thread is waited for, longer than patience, as long as others come on",
  {
    threads: 2,
    patience: 5,
  },
  (crew) => {
    const [build] = crew.builds;
    const rows = 100, start = performance.now();
    const job = flatJob(crew, 1, 2 ** 18, { metrics: 1, rows, rowBytes: 0 });
    crew.begin(build!, job);
    const end = crew.progress(build!) + rows;
    crew.publish(build!, rows, false);
    // the other thread does them all
    for (let seen = end - rows; seen !== end; seen = crew.progress(build!)) {
      crew.pause(build!, seen);
    }
    assert(performance.now() - start > 60, "nothing was slow");
    assertEquals([crew.threads, crew.reason], [2, null]);
  },
);

Deno.test({
  name: "a thread that is killed at work is an error, and the rest goes on",
  sanitizeResources: true,
  sanitizeOps: true,
  fn: async () => {
    const { crew, made } = await openWatched({ threads: 2, patience: 500 });
    try {
      const [build] = crew.builds, { held } = board(crew);
      // a piece of 1024 times the same million, some ten seconds' work
      const job = flatJob(crew, 2, 2 ** 20, {
        metrics: 1,
        rows: 1025,
        pieceRows: 1024,
        rowBytes: 0,
      });
      crew.begin(build!, job);
      crew.publish(build!, 2, false);
      until(() => held(1) > 0);
      made[0]!.terminate();
      assertThrows(() => crew.finish(build!), Error, "has not answered");
      assertEquals(crew.threads, 1);
      assertWorks(crew);
    } finally {
      crew.close();
    }
  },
});

Deno.test({
  name: "a thread that ends while idle is missed by nobody, and said",
  sanitizeResources: true,
  sanitizeOps: true,
  fn: async () => {
    const threads = nodeThreads();
    const made: { terminate(): Promise<unknown> }[] = [];
    const original = threads.Worker;
    threads.Worker = class extends original {
      constructor(text: string, options: object) {
        super(text, options);
        made.push(this);
      }
    };
    const crew = await Crew.open({ threads: 3, host: "node" });
    threads.Worker = original;
    try {
      await made[0]!.terminate();
      assertWorks(crew);
      assertEquals(crew.threads, 2);
      assertStringIncludes(crew.reason!, "thread 1 is gone");
      assertWorks(crew);
      // a thread has the scratch row of its number, whoever is gone
      const workspaces = new Workspaces(crew);
      const [build] = crew.builds;
      const engine = new CrewEngine(crew, build!);
      const twin = new WasmEngine(build!);
      const sets = [{ metrics: true }, { softcap: 9 }];
      for (let round = 0; round < 5; round++) {
        const other = workspaces.create({ rows: 100, vocabSize: 1000 });
        other.logits.fill(7);
        const shape = [200, 2000, 2000] as const;
        assertSame(engine, twin, workspaces, shape, "f32", sets);
        assert(other.logits.every((x) => x === 7), "another's logits");
      }
    } finally {
      crew.close();
    }
  },
});

interface NodeThreads {
  Worker: new (text: string, options: object) => {
    terminate(): Promise<unknown>;
  };
}

function nodeThreads(): NodeThreads {
  const { process } = globalThis as unknown as {
    process: { getBuiltinModule(name: string): NodeThreads };
  };
  return process.getBuiltinModule("node:worker_threads");
}

Deno.test("a crew that cannot start leaves nothing and says why", async () => {
  const { Worker: original } = globalThis;
  globalThis.Worker = class {
    constructor() {
      throw new DOMException("blob: is not allowed", "SecurityError");
    }
  } as unknown as typeof Worker;
  try {
    await assertRejects(
      () => Crew.open({ threads: 3, host: "web" }),
      Error,
      "blob: is not allowed",
    );
  } finally {
    globalThis.Worker = original;
  }
});

onCrew("close() may be called twice, and what was computed stays", {
  threads: 2,
}, (crew) => {
  const engine = new CrewEngine(crew, crew.builds[0]!);
  const logits = normalLogits(40, 1);
  const before = loss(engine, logits, [1, 2, 3, 4], { perToken: true });
  const copy = before.perToken!.slice();
  loss(engine, new Float32Array(4000), new Int32Array(40));
  crew.close();
  crew.close();
  assertEquals(before.perToken, copy);
});

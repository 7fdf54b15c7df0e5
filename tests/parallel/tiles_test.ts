/**
 * Few rows are cut into tiles of columns, and have the bits of one thread all the
 * same: every option of the float64 path, type and place, labels at every edge,
 * rows that are not finite; and threads that end on the way.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { LossOptions } from "../../src/contract.ts";
import { Crew } from "../../src/parallel/crew.ts";
import { CrewEngine } from "../../src/parallel/engine.ts";
import { Workspaces } from "../../src/parallel/workspaces.ts";
import { WasmEngine } from "../../src/wasm/engine.ts";
import type { Build } from "../../src/wasm/loader.ts";
import { assertBits } from "../conformance/bits.ts";
import { loss, lossGrad, normalLogits, seeded } from "../engines.ts";
import { board, openWatched } from "./jobs.ts";
import { assertSame, encode } from "./same.ts";

/** Rows for their values: each takes another way through the phases. */
const ROWS: Record<string, (row: Float32Array) => void> = {
  "like a model's": () => {},
  "a spike in the last tile": (row) => row[row.length - 2] = 300,
  "ties of the largest": (row) => [7, 1030].forEach((k) => row[k] = 90),
  "all equal": (row) => row.fill(-2),
  "zeros of both signs": (row) =>
    row.forEach((_, k) => row[k] = k % 3 ? 0 : -0),
  "all -inf": (row) => row.fill(-Infinity),
  "all -inf but the first": (row) => row.fill(-Infinity, 1),
  "a NaN in a tile": (row) => row[1500] = NaN,
  "a NaN in the last column": (row) => row[row.length - 1] = NaN,
  "a +inf in the last column": (row) => row[row.length - 1] = Infinity,
  "far apart": (row) => row.forEach((x, k) => row[k] = 1e4 * x),
};

/** Options that put rows on the float64 path, alone and together. */
function optionSets(rows: number, V: number): LossOptions[] {
  const random = seeded(V);
  const some = (n: number) => Array.from({ length: n }, () => 2 * random());
  return [
    { metrics: true },
    { labelSmoothing: 0.1 },
    { softcap: 20 },
    { logitScale: -0.5 },
    { zLoss: 1e-3, softcap: 20, metrics: true },
    { classWeights: some(V), labelSmoothing: 1, zLoss: 1e-3 },
    { classWeights: some(V).map((c) => c > 1 ? 0 : c), logitScale: 2 },
    { classWeights: new Float32Array(V), metrics: true, reduction: "sum" },
    { tokenWeights: some(rows), softcap: 1, denominator: 3 },
    { tokenWeights: new Float32Array(rows), metrics: true, denominator: 3 },
  ];
}

/** How often a row went from one phase to the next. */
function countPhases(crew: Crew): { count: number } {
  const phases = { count: 0 };
  const after = crew.after.bind(crew);
  crew.after = (build) => {
    phases.count++;
    return after(build);
  };
  return phases;
}

/** Asserts the bits of one thread under every option, and that rows were cut under each. */
function assertTiled(
  crew: Crew,
  build: Build,
  [rows, V, stride]: readonly [number, number, number],
  labels: Int32Array,
  spoil: (row: Float32Array) => void = () => {},
): void {
  const engine = new CrewEngine(crew, build, 1025);
  const twin = new WasmEngine(build);
  const workspaces = new Workspaces(crew);
  const phases = countPhases(crew);
  for (const dtype of ["f32", "bf16", "f16"] as const) {
    const values = normalLogits(rows * stride, V);
    for (let i = 0; i < rows; i++) {
      spoil(values.subarray(i * stride, i * stride + V));
    }
    const batch = { logits: encode(values, dtype), labels };
    for (const set of optionSets(rows, V)) {
      const shape = [rows, V, stride] as const;
      phases.count = 0;
      assertSame(engine, twin, workspaces, shape, dtype, [set], batch);
      // two losses and four gradients
      assert(phases.count >= 6, `${dtype}, ${Object.keys(set)}: not in tiles`);
    }
  }
}

for (const threads of [2, 3, 16]) {
  Deno.test(`${threads} threads at one row give the bits of one`, async () => {
    const crew = await Crew.open({ threads });
    try {
      let at = 0;
      for (const build of crew.builds) {
        for (const [V, stride] of [[2049, 2049], [5001, 5004]] as const) {
          const places = [V - 1, 0, 7, 1023, 1024];
          for (const spoil of Object.values(ROWS)) {
            const labels = Int32Array.of(places[at++ % places.length]!);
            assertTiled(crew, build, [1, V, stride], labels, spoil);
          }
        }
      }
      assertEquals(crew.threads, threads);
    } finally {
      crew.close();
    }
  });
}

Deno.test("a label that is itself not finite gives the bits of one thread", async () => {
  const crew = await Crew.open({ threads: 2 });
  try {
    for (const value of [NaN, Infinity, -Infinity]) {
      assertTiled(crew, crew.builds[0]!, [1, 3001, 3001], Int32Array.of(3000), (
        row,
      ) => row[3000] = value);
    }
  } finally {
    crew.close();
  }
});

Deno.test("ignored rows and padding are zeros beside rows in tiles", async () => {
  const crew = await Crew.open({ threads: 5 });
  try {
    const labels = Int32Array.of(-100, 5, -100, 6000, -100);
    for (const build of crew.builds) {
      assertTiled(crew, build, [5, 6001, 6008], labels);
    }
  } finally {
    crew.close();
  }
});

Deno.test("rows are cut where they are long and few, and there alone", async () => {
  const crew = await Crew.open({ threads: 4 });
  const phases = countPhases(crew);
  try {
    const engine = new CrewEngine(crew, crew.builds[0]!);
    const isCut = (rows: number, V: number, options: LossOptions) => {
      phases.count = 0;
      const logits = new Float32Array(rows * V);
      loss(engine, logits, new Int32Array(rows).fill(3), options);
      return phases.count > 0;
    };
    const metrics = { metrics: true };
    assert(isCut(1, 32768, metrics));
    assert(!isCut(4, 32768, metrics), "each thread has a row");
    assert(!isCut(3, 32768, metrics), "all but one have a row");
    assert(!isCut(1, 32767, metrics), "too short");
    for (const option of [{}, { zLoss: 1 }]) {
      assert(!isCut(1, 32768, option), "the float32 path");
    }
    const none = { labelSmoothing: 0.1, classWeights: new Float32Array(32768) };
    assert(!isCut(1, 32768, none), "no class weighs: the float32 path");
    phases.count = 0;
    const labels = Int32Array.of(-100, 3, -100, -100);
    loss(engine, new Float32Array(4 * 32768), labels, { softcap: 9 });
    assert(phases.count > 0, "one is scored");
  } finally {
    crew.close();
  }
});

/** One row in four phases, by the last of these. */
const FOUR = { metrics: true, softcap: 30 };

for (const last of [1, 2, 3, 4]) {
  Deno.test(`a thread that ends in phase ${last} of a row costs no bit, or is an error`, async () => {
    const { crew, made } = await openWatched({ threads: 3, patience: 300 });
    try {
      const [build] = crew.builds;
      const workspaces = new Workspaces(crew);
      const after = crew.after.bind(crew);
      let phases = 0;
      crew.after = (build) => {
        if (++phases === last) made[0]!.terminate();
        return after(build);
      };
      const engine = new CrewEngine(crew, build!, 1025);
      const twin = new WasmEngine(build!);
      const hold = () =>
        assertSame(engine, twin, workspaces, [1, 9000, 9000], "f32", [FOUR], {
          logits: normalLogits(9000, 1),
          labels: Int32Array.of(4000),
        });
      try {
        hold();
      } catch (error) {
        // it was at a tile of the next phase
        assertStringIncludes(String(error), "goes on with one thread");
        hold();
      }
      assert(phases >= last);
    } finally {
      crew.close();
    }
  });

  Deno.test(`a thread that is gone with a tile of phase ${last} is an error, and the rest goes on`, async () => {
    const { crew } = await openWatched({ threads: 2, patience: 100 });
    try {
      const [build] = crew.builds;
      const publish = crew.publish.bind(crew);
      let phases = 0;
      crew.publish = (build, pieces, alone) => {
        publish(build, pieces, alone);
        if (++phases === last) board(crew).lose();
      };
      const engine = new CrewEngine(crew, build!, 1025);
      const workspace = new Workspaces(crew).create({
        rows: 1,
        vocabSize: 9000,
      });
      const logits = normalLogits(9000, 1);
      workspace.logits.set(logits);
      const options = { ...FOUR, into: "in-place" } as const;
      assertThrows(
        () => lossGrad(engine, workspace.logits, [4000], options),
        Error,
        "goes on with one thread",
      );
      assertEquals(crew.threads, 1);
      workspace.logits.set(logits);
      const found = lossGrad(engine, workspace.logits, [4000], options);
      const wanted = lossGrad(new WasmEngine(build!), logits, [4000], options);
      assertEquals(found.loss, wanted.loss);
      assertBits(workspace.logits, logits, "in place");
    } finally {
      crew.close();
    }
  });
}

/**
 * Rows that are fewer than the threads are cut into tiles of columns, and have the
 * bits of one thread all the same: every option, type and place, labels at every
 * edge, rows that are not finite.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Crew } from "../../src/parallel/crew.ts";
import { CrewEngine } from "../../src/parallel/engine.ts";
import { Workspaces } from "../../src/parallel/workspaces.ts";
import { WasmEngine } from "../../src/wasm/engine.ts";
import { loss, normalLogits } from "../engines.ts";
import { assertSame, encode, optionSets } from "./same.ts";

/** Rows for their values: each takes another way through the phases. */
const ROWS: Record<string, (row: Float32Array) => void> = {
  "like a model's": () => {},
  "a spike in the last tile": (row) => row[row.length - 2] = 300,
  "ties of the largest": (row) => [7, 1030].forEach((k) => row[k] = 90),
  "all equal": (row) => row.fill(-2),
  "all -inf": (row) => row.fill(-Infinity),
  "all -inf but the first": (row) => row.fill(-Infinity, 1),
  "a NaN in a tile": (row) => row[1500] = NaN,
  "a +inf in the last column": (row) => row[row.length - 1] = Infinity,
  "far apart": (row) => row.forEach((x, k) => row[k] = 1e4 * x),
};

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

for (const threads of [2, 3, 5]) {
  Deno.test(`${threads} threads at one row give the bits of one`, async () => {
    const crew = await Crew.open({ threads });
    const phases = countPhases(crew);
    const workspaces = new Workspaces(crew);
    try {
      for (const build of crew.builds) {
        const engine = new CrewEngine(crew, build, 1025);
        const twin = new WasmEngine(build);
        for (const [V, stride] of [[2049, 2049], [5001, 5004]] as const) {
          const places = [0, 7, 1023, 1024, V - 1];
          let at = 0;
          for (const spoil of Object.values(ROWS)) {
            for (const dtype of ["f32", "bf16", "f16"] as const) {
              const values = normalLogits(stride, V);
              spoil(values.subarray(0, V));
              const batch = {
                logits: encode(values, dtype),
                labels: Int32Array.of(places[at++ % places.length]!),
              };
              const sets = optionSets(1, V);
              assertSame(
                engine,
                twin,
                workspaces,
                [1, V, stride],
                dtype,
                sets,
                batch,
              );
            }
          }
        }
      }
      assert(phases.count > 1000, `${phases.count} phases`);
      assertEquals(crew.threads, threads);
    } finally {
      crew.close();
    }
  });
}

Deno.test("ignored rows, silent ones and padding are zeros beside a row in tiles", async () => {
  const crew = await Crew.open({ threads: 3 });
  const phases = countPhases(crew);
  const workspaces = new Workspaces(crew);
  try {
    const build = crew.builds[0]!;
    const engine = new CrewEngine(crew, build, 1025);
    const V = 3001, stride = 3008;
    for (const dtype of ["f32", "bf16", "f16"] as const) {
      const logits = encode(normalLogits(5 * stride, 3), dtype);
      const labels = Int32Array.of(-100, 5, -100, 3000, -100);
      const sets = [
        ...optionSets(5, V),
        { metrics: true, tokenWeights: [1, 0, 1, 2, 1] },
        { softcap: 5, denominator: 2 },
      ];
      const twin = new WasmEngine(build);
      assertSame(engine, twin, workspaces, [5, V, stride], dtype, sets, {
        logits,
        labels,
      });
    }
    assert(phases.count > 100, `${phases.count} phases`);
  } finally {
    crew.close();
  }
});

Deno.test("rows are cut where whole ones would leave threads without, and there alone", async () => {
  const crew = await Crew.open({ threads: 2 });
  const phases = countPhases(crew);
  try {
    const engine = new CrewEngine(crew, crew.builds[0]!);
    const isCut = (rows: number, V: number, metrics: boolean) => {
      phases.count = 0;
      loss(engine, new Float32Array(rows * V), new Int32Array(rows), {
        metrics,
      });
      return phases.count > 0;
    };
    assert(isCut(1, 16384, true));
    assert(isCut(3, 16384, true));
    assert(!isCut(2, 16384, true), "each thread has a row");
    assert(!isCut(5, 16384, true), "all but one are busy");
    assert(!isCut(1, 16383, true), "too short");
    assert(!isCut(1, 16384, false), "the float32 path");
    const labels = Int32Array.of(-100, 3, -100);
    phases.count = 0;
    loss(engine, new Float32Array(3 * 16384), labels, { softcap: 9 });
    assert(phases.count > 0, "one is scored");
  } finally {
    crew.close();
  }
});

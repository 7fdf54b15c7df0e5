/**
 * Threads change no bit: every option, type and shape, in a workspace and outside,
 * on 1 to 5 threads, against the one-thread engine of the same build.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Crew } from "../../src/parallel/crew.ts";
import { CrewEngine } from "../../src/parallel/engine.ts";
import { Workspaces } from "../../src/parallel/workspaces.ts";
import { WasmEngine } from "../../src/wasm/engine.ts";
import { loss, lossGrad, seeded } from "../engines.ts";
import { assertSame } from "./same.ts";

for (const threads of [1, 2, 3, 5]) {
  Deno.test(`${threads} threads give the bits of one, whatever is asked`, async () => {
    // pieces of a few rows, so that even these are shared out
    const crew = await Crew.open({ threads, pieceBytes: 2000 });
    // what is given away is for the clock to say; here chance does
    const random = seeded(threads);
    crew.trade.gives = () => random() < 0.7;
    const workspaces = new Workspaces(crew);
    try {
      for (const build of crew.builds) {
        const engine = new CrewEngine(crew, build);
        const twin = new WasmEngine(build);
        for (const dtype of ["f32", "bf16", "f16"] as const) {
          for (
            const shape of [[1, 5, 5], [61, 37, 40], [9, 1500, 1500]] as const
          ) assertSame(engine, twin, workspaces, shape, dtype);
        }
      }
      assertEquals(crew.threads, threads);
    } finally {
      crew.close();
    }
  });
}

Deno.test("pieces of their usual size give the bits of one thread", async () => {
  const crew = await Crew.open({ threads: 2 });
  const workspaces = new Workspaces(crew);
  try {
    for (const build of crew.builds) {
      const engine = new CrewEngine(crew, build);
      const twin = new WasmEngine(build);
      for (const shape of [[40, 32000, 32064], [2500, 300, 300]] as const) {
        assertSame(engine, twin, workspaces, shape, "f32", [{}]);
      }
      assertSame(engine, twin, workspaces, [9, 9000, 9000], "bf16");
    }
  } finally {
    crew.close();
  }
});

Deno.test("logits in a workspace are never copied, however far memory has grown", async () => {
  const crew = await Crew.open({ threads: 2 });
  const workspaces = new Workspaces(crew);
  try {
    const engine = new CrewEngine(crew, crew.builds[0]!);
    const labels = new Int32Array(3);
    const early = workspaces.create({ rows: 3, vocabSize: 100 });
    const late = workspaces.create({ rows: 3, vocabSize: 2 ** 20 });
    for (const { logits } of [early, late]) {
      loss(engine, logits, labels);
      lossGrad(engine, logits, labels, { into: "in-place" });
      loss(engine, logits.subarray(0, logits.length / 3), [0]);
    }
    assertEquals(crew.rooms.copies.at, 0); // there is no room for copies
    loss(engine, new Float32Array(300), labels);
    assertEquals(crew.rooms.copies.at > 0, true);
  } finally {
    crew.close();
  }
});

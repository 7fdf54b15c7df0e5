/**
 * Threads change no bit: every option, type and shape, in a workspace and outside,
 * on 1 to 5 threads, against the one-thread engine of the same build.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type {
  GradOptions,
  LogitsType,
  LossOptions,
} from "../../src/contract.ts";
import { encodeBf16, encodeF16 } from "../../src/half.ts";
import { Crew } from "../../src/parallel/crew.ts";
import { CrewEngine } from "../../src/parallel/engine.ts";
import { Workspaces } from "../../src/parallel/workspaces.ts";
import { WasmEngine } from "../../src/wasm/engine.ts";
import { assertBits } from "../conformance/bits.ts";
import { loss, lossGrad, normalLogits, seeded } from "../engines.ts";

const PARTS = ["perToken", "logSumExp"] as const;

/** Each option of DESIGN 2.2 that changes a number. */
function optionSets(rows: number, V: number): LossOptions[] {
  const random = seeded(rows + V);
  const some = (n: number) => Array.from({ length: n }, () => 2 * random());
  return [
    {},
    { reduction: "sequence", sequenceLength: 1 },
    { reduction: "sample", shift: true },
    { metrics: true },
    { labelSmoothing: 0.1 },
    { zLoss: 1e-3 },
    { softcap: 20 },
    { logitScale: -0.5 },
    { tokenWeights: some(rows), denominator: 3 },
    { classWeights: some(V), labelSmoothing: 0.2, metrics: true },
    {
      classWeights: new Float32Array(V),
      labelSmoothing: 0.2,
      reduction: "sum",
    },
  ];
}

/** Rows of one type, some ignored, some off the float32 path, some not finite. */
function batch(rows: number, stride: number, V: number, dtype: LogitsType) {
  const values = normalLogits(rows * stride, rows + V);
  const random = seeded(V);
  const labels = Int32Array.from(
    { length: rows },
    () => random() < 0.25 ? -100 : Math.floor(random() * V),
  );
  for (let i = 0; i < rows; i += 5) {
    const at = i * stride + Math.floor(random() * V);
    values[at] = [300, -1e9, -Infinity, NaN][i % 4]!;
  }
  const encode = { bf16: encodeBf16, f16: encodeF16 };
  const logits = dtype === "f32"
    ? values
    : Uint16Array.from(values, encode[dtype]);
  return { logits, labels };
}

function assertSame(
  engine: CrewEngine,
  twin: WasmEngine,
  workspaces: Workspaces,
  [rows, V, stride]: readonly [number, number, number],
  dtype: LogitsType,
  sets: readonly LossOptions[] = optionSets(rows, V),
): void {
  const { logits, labels } = batch(rows, stride, V, dtype);
  const workspace = workspaces.create({ rows, vocabSize: stride, dtype });
  for (const set of sets) {
    const options: GradOptions = {
      ...set,
      dtype,
      vocabSize: V,
      rowStride: stride,
      perToken: true,
      logSumExp: true,
      upstream: Float64Array.from(labels, (y) => 0.5 + y % 7),
    };
    const what = `${rows} x ${V} of ${stride}, ${dtype}, ${Object.keys(set)}`;
    const expected = loss(twin, logits, labels, options);
    const check = (actual: typeof expected) => {
      for (const part of PARTS) {
        assertBits(actual[part]!, expected[part]!, `${what}: ${part}`);
      }
      const { perToken: _, logSumExp: __, ...numbers } = actual;
      const { perToken: ___, logSumExp: ____, ...wanted } = expected;
      assertEquals(numbers, wanted, what);
    };
    workspace.logits.set(logits);
    check(loss(engine, logits, labels, options));
    check(loss(engine, workspace.logits, labels, options));

    const dense = lossGrad(twin, logits, labels, options).gradLogits;
    for (const from of [logits, workspace.logits]) {
      const { gradLogits, ...rest } = lossGrad(engine, from, labels, options);
      assertBits(gradLogits, dense, `${what}: new`);
      check(rest);
    }
    assertBits(workspace.logits, logits, `${what}: left alone`);

    const inPlace = { ...options, into: "in-place" } as const;
    const written = logits.slice();
    lossGrad(twin, written, labels, inPlace);
    for (const into of [logits.slice(), workspace.logits]) {
      const { gradLogits, ...rest } = lossGrad(engine, into, labels, inPlace);
      assertEquals(gradLogits === into, true);
      assertBits(into, written, `${what}: in place`);
      check(rest);
    }
  }
  workspace.dispose();
}

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

/**
 * What threads are held to: every option and type, in a workspace and outside,
 * against the one-thread engine of the same build, to the last bit.
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
import type { CrewEngine } from "../../src/parallel/engine.ts";
import type { Workspaces } from "../../src/parallel/workspaces.ts";
import type { WasmEngine } from "../../src/wasm/engine.ts";
import { assertBits } from "../conformance/bits.ts";
import { loss, lossGrad, normalLogits, seeded } from "../engines.ts";

const PARTS = ["perToken", "logSumExp"] as const;

/** Each option of DESIGN 2.2 that changes a number. */
export function optionSets(rows: number, V: number): LossOptions[] {
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

/** Rows of logits of one type, and their labels. */
export interface Batch {
  logits: Float32Array | Uint16Array;
  labels: Int32Array;
}

/** Values in the storage of a type. */
export function encode(
  values: Float32Array,
  dtype: LogitsType,
): Batch["logits"] {
  if (dtype === "f32") return values;
  return Uint16Array.from(values, dtype === "bf16" ? encodeBf16 : encodeF16);
}

/** Rows of one type, some ignored, some off the float32 path, some not finite. */
export function batchOf(
  rows: number,
  stride: number,
  V: number,
  dtype: LogitsType,
): Batch {
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
  return { logits: encode(values, dtype), labels };
}

/** Asserts that an engine gives the bits of another, from logits in a workspace and outside. */
export function assertSame(
  engine: CrewEngine,
  twin: WasmEngine,
  workspaces: Workspaces,
  [rows, V, stride]: readonly [number, number, number],
  dtype: LogitsType,
  sets: readonly LossOptions[] = optionSets(rows, V),
  { logits, labels }: Batch = batchOf(rows, stride, V, dtype),
): void {
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

/**
 * Faults planted in the shaders, each of which these few checks must find: a
 * check that no fault makes fail proves nothing. The faults are edits of the
 * texts; one whose place is gone is an error too.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { decodeBf16, encodeBf16 } from "../../src/half.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { ROW_TEXTS } from "../../src/webgpu/engine.ts";
import { BLOCK } from "../../src/webgpu/storage_wgsl.ts";
import { gradError, lossError, normalLogits } from "../engines.ts";
import { flatProblem } from "../reference/problem.ts";
import type { Answer, Question, Way } from "./ask.ts";
import { putToGpus } from "./lanes.ts";
import type { TestedGpu } from "./verbs.ts";

/** Which question a fault is looked for with: `blocks` unless said, since its kernels are soonest compiled. */
type Asked = "blocks" | "rows" | "narrow blocks" | "narrow rows" | "weighted";

/** Each fault: what it is, the edit, and what finds it. */
const FAULTS: Record<
  string,
  [find: string, replace: string, asked?: Asked]
> = {
  "mask: a silent row has a gradient": [
    "(job.flags & SILENT) != 0u || ",
    "",
    "weighted",
  ],
  "mask: the label's column is among the others": [
    "(columns < vec4(P.vocab)) & (columns != vec4(label))",
    "(columns < vec4(P.vocab))",
  ],
  "mask: another column is taken for the label's": [
    "columns == vec4(s.label)",
    "columns + 1u == vec4(s.label)",
  ],
  "clamp: columns behind the last are read": [
    "min(columns, vec4(P.vocab - 1u))",
    "columns",
  ],
  "clamp: columns behind the last are counted": [
    "(columns < vec4(P.vocab)) & ",
    "(columns < vec4(0xffffffffu)) & ",
  ],
  "scale: the factor of the gradient is lost": [
    "return s.factor * slope",
    "return slope",
  ],
  "scale: the mass is not divided by": ["s.perMass;", "1.0;"],
  "scale: blocks are not brought to one reference": [
    "found.others = e * part.others;",
    "found.others = part.others;",
  ],
  "scale: an octave too few": [
    "let k = r.n - octave;",
    "let k = r.n - octave + 1.0;",
  ],
  "barrier: sums are read before they are written": [
    "  sums[t] = sum;\n  workgroupBarrier();",
    "  sums[t] = sum;",
  ],
  "barrier: tops are read before they are written": [
    "  marks[t] = mark;\n  workgroupBarrier();",
    "  marks[t] = mark;",
  ],
  "loop variable: a block is scanned twice": [
    "let part = scanBlock(base, block, ",
    "let part = scanBlock(base, 0u, ",
    "rows",
  ],
  "loop variable: half of the sixteenths are added": [
    "for (var k = 1u; k < 16u; k++) { found += sumsOf16[k]; }",
    "for (var k = 1u; k < 8u; k++) { found += sumsOf16[k]; }",
  ],
  "loop variable: a stride too long": [
    "for (var k = first + t; k < end; k += 4u * GROUP) {",
    "for (var k = first + t; k < end; k += 8u * GROUP) {",
  ],
  "window offset: every window has the first one's jobs": [
    "let job = jobs[P.firstRow + row];\n  let base = row * P.stride;\n  var found",
    "let job = jobs[row];\n  let base = row * P.stride;\n  var found",
    "narrow rows",
  ],
  "window offset: every window writes the first one's records": [
    "if (t == 0u) { records[P.firstRow + row] = found; }",
    "if (t == 0u) { records[row] = found; }",
    "narrow rows",
  ],
  "window offset: the blocks of every window have the first one's jobs": [
    "let job = jobs[P.firstRow + row];\n  if (isOff(job)) { return; }",
    "let job = jobs[row];\n  if (isOff(job)) { return; }",
    "narrow blocks",
  ],
  "tail: the last word of a row of halves is not written": [
    "let words = (end + 1u) >> 1u;",
    "let words = end >> 1u;",
    "narrow blocks",
  ],
  "tail: the seam is not sealed": [
    "if (row < P.rows) { stitch(row); }",
    "",
    "narrow blocks",
  ],
  "tail: the padding keeps what it was": [
    "select(first + BLOCK, width, block + 1u == P.blocks)",
    "select(first + BLOCK, P.vocab, block + 1u == P.blocks)",
  ],
  "tail: the columns behind the last whole block are left out": [
    "block < P.blocks; block++) {\n      let part",
    "block + 1u < P.blocks; block++) {\n      let part",
    "rows",
  ],
  "NaN: a row that holds one looks finite": [
    "return (row.flags & BAD) != 0u || ",
    "return ",
  ],
  "half: rounded towards zero": [
    "return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;",
    "return bits >> 16u;",
    "narrow blocks",
  ],
};

/** A small question that asks about much. */
function questionOf(asked: Asked): [Question, Way] {
  const shared = asked !== "rows" && asked !== "narrow rows";
  if (asked.startsWith("narrow")) {
    const N = 130, V = 33;
    const problem = flatProblem(
      Uint16Array.from(normalLogits(N * V, 4), encodeBf16),
      Int32Array.from({ length: N }, (_, i) => i % V),
      { dtype: "bf16" },
    );
    const coefficients = new Float64Array(N).fill(0.125);
    const way = { shared, bindingLimit: 128 * 2 * V };
    return [{ problem, coefficients, into: "in-place" }, way];
  }

  const V = BLOCK + 515, N = 5, stride = V + 2;
  const logits = normalLogits(N * stride, 3);
  // the largest logit is in the second block; in the first row so far above that nothing else weighs
  for (let i = 0; i < N; i++) logits[i * stride + BLOCK + 300]! += i ? 9 : 150;
  // padding that would be seen
  for (let i = 0; i < N; i++) logits.fill(30, i * stride + V, (i + 1) * stride);
  logits.fill(NaN, 3 * stride, 4 * stride);
  logits[4 * stride + 100] = NaN;
  const targets = Int32Array.of(7, V - 1, BLOCK + 300, -100, 3);
  const problem = flatProblem(logits, targets, {
    vocabSize: V,
    rowStride: stride,
    rowWeights: Float64Array.of(1, 2, 1, 1, 1),
    classWeights: asked === "weighted"
      ? Float64Array.from({ length: V }, (_, k) => k === 3 ? 0 : 1)
      : null,
  });
  const coefficients = Float64Array.of(0.25, 0.5, 1, 1, 1);
  return [{ problem, coefficients, into: "in-place" }, {
    shared,
  }];
}

/** Asks a question of the kernels of these texts; what comes back says what is wrong: nothing, with ours. */
async function putTo(
  gpu: TestedGpu,
  texts: readonly string[],
  asked: Asked,
): Promise<() => Promise<string | null>> {
  const [question, way] = questionOf(asked);
  const read = await gpu.submit([question], { ...way, texts });
  return async () => {
    const [answer] = await read();
    return faultOf(question, answer!);
  };
}

/** The first difference of an answer from the reference, or null. */
function faultOf(
  { problem, coefficients }: Question,
  { scores, gradient }: Answer,
): string | null {
  const { rows, vocabSize, rowStride, dtype } = problem;
  const exact = new Float64Array(rows * vocabSize);
  const truth = referenceEngine.differentiate(problem, coefficients!, {
    array: exact,
    dtype: "f64",
    rowStride: vocabSize,
  });
  for (let i = 0; i < rows; i++) {
    const a = scores.perToken[i]!, e = truth.perToken[i]!;
    if (!(lossError(a, e) <= 1e-6)) return `perToken[${i}] ${a}, not ${e}`;
  }
  const grad = dtype === "f32"
    ? new Float32Array(gradient!)
    : Float32Array.from(new Uint16Array(gradient!), decodeBf16);
  const bound = dtype === "f32" ? 5e-6 : 2 ** -8;
  for (let i = 0; i < rows; i++) {
    const row = grad.subarray(i * rowStride, (i + 1) * rowStride);
    const wanted = exact.subarray(i * vocabSize, (i + 1) * vocabSize);
    const error = gradError(row.subarray(0, vocabSize), wanted, vocabSize);
    if (!(error <= bound)) return `gradient of row ${i} is off by ${error}`;
    if (row.subarray(vocabSize).some((x) => x !== 0)) return `padding of ${i}`;
  }
  return null;
}

for (
  const asked of [
    "blocks",
    "rows",
    "narrow blocks",
    "narrow rows",
    "weighted",
  ] as const
) {
  putToGpus(
    `the kernels as they are pass the checks of planted faults: ${asked}`,
    async (gpu) => {
      const read = await putTo(gpu, ROW_TEXTS, asked);
      return async () => assertEquals(await read(), null);
    },
    asked !== "blocks" && asked !== "narrow blocks",
  );
}

/** Faults that a slow compiler is given too. */
const FOR_ALL: ReadonlySet<string> = new Set([
  "mask: another column is taken for the label's",
  "tail: the seam is not sealed",
]);

for (
  const [name, [find, replace, asked = "blocks"]] of Object.entries(FAULTS)
) {
  putToGpus(
    `a planted fault is found: ${name}`,
    async (gpu) => {
      const planted = ROW_TEXTS.map((text) => text.replace(find, replace));
      assert(
        planted.some((text, i) => text !== ROW_TEXTS[i]),
        "the place of this fault is gone",
      );
      const read = await putTo(gpu, planted, asked);
      return async () => assert(await read() !== null, "nobody noticed");
    },
    !FOR_ALL.has(name),
  );
}

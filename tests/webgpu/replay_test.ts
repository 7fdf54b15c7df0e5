/**
 * The way from a test to a GPU and back, with GPUs that are made up: honest ones
 * pass, one that lies in a single row does not, whichever rows were asked for.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { LossProblem } from "../../src/engine.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { loss, lossError, lossGrad, normalLogits } from "../engines.ts";
import { problemOf } from "../reference/problem.ts";
import type { Answer, Question } from "./ask.ts";
import { select } from "./few_kernels.ts";
import { ReplayEngine, submitAll } from "./replay.ts";
import type { TestedGpu } from "./verbs.ts";
import { pack, unpack } from "./wire.ts";

const N = 40, V = 5;

/** What the reference says, in the form of a GPU's answer; its last row is a lie if one is told. */
function answer(
  { problem, coefficients, into }: Question,
  lie: number,
): Answer {
  const { rows, vocabSize } = problem;
  const array = new Float64Array(rows * vocabSize);
  const target = { array, dtype: "f64", rowStride: vocabSize } as const;
  const factors = coefficients ?? new Float64Array(rows);
  const scores = referenceEngine.differentiate(problem, factors, target);
  scores.perToken[rows - 1]! += lie;
  array[array.length - 1]! += lie;
  const gradient = into === "none" ? null : Float32Array.from(array).buffer;
  return { scores, gradient };
}

function madeUp(isSlow: boolean, lie: number): TestedGpu {
  const ask = (questions: readonly Question[]) =>
    Promise.resolve(
      // by way of the wire, as a page gets and gives them
      questions.map((question) => {
        const got = unpack<Question>(pack(question).buffer);
        return unpack<Answer>(pack(answer(got, lie)).buffer);
      }),
    );
  return {
    isSlow,
    ask,
    submit: (questions) => Promise.resolve(() => ask(questions)),
    runPlan: () => Promise.reject(new Error("not made up")),
    runShader: () => Promise.reject(new Error("not made up")),
  };
}

for (const isSlow of [false, true]) {
  for (const into of ["none", "new"] as const) {
    Deno.test(`a ${isSlow ? "slow" : "fast"} GPU is judged by what it says: ${into}`, async () => {
      const engine = new ReplayEngine();
      const logits = normalLogits(N * V, 3);
      const labels = Array.from({ length: N }, (_, i) => i % V);
      const test = () => {
        const options = { perToken: true, metrics: true };
        const expected = loss(referenceEngine, logits, labels, options);
        const found = into === "none"
          ? loss(engine, logits, labels, options)
          : lossGrad(engine, logits, labels, options);
        expected.perToken!.forEach((e, i) =>
          assert(lossError(found.perToken![i]!, e) <= 1e-6, `row ${i}`)
        );
      };
      const recorded = engine.record(test);
      const honest = await submitAll(madeUp(isSlow, 0), recorded);
      engine.replay(recorded, await honest(), test);
      const lying = await (await submitAll(madeUp(isSlow, 1e-3), recorded))();
      assertThrows(() => engine.replay(recorded, lying, test), Error, "row 39");
    });
  }
}

Deno.test("select() has a loss alone from the gradient of the same problem, and of no other", () => {
  const rows = [[1, 2, 3], [4, 5, 6]];
  const problem = problemOf(rows, [0, 1], { metrics: true });
  const other = problemOf(rows, [0, 2], { metrics: true });
  const ask = (
    problem: LossProblem,
    into: Question["into"],
  ): Question => ({
    problem,
    coefficients: into === "none" ? null : Float64Array.of(1, 1),
    into,
  });
  const questions = [
    ask(problem, "none"),
    ask(problem, "new"),
    ask(other, "none"),
    ask({ ...problem, zLoss: 1 }, "new"),
  ];
  const slow = select(questions, true);
  assertEquals(slow.answers.map((from) => from?.index), [0, 0, 1, undefined]);
  assertEquals(slow.asked.map(({ into }) => into), ["new", "new"]);
  const fast = select(questions, false);
  assertEquals(fast.answers.map((from) => from?.index), [0, 0, 2, 1]);

  // without options the loss has kernels of its own, and they are asked
  const plain = problemOf(rows, [0, 1]);
  const { answers } = select([ask(plain, "none"), ask(plain, "new")], false);
  assertEquals(answers.map((from) => from?.index), [1, 0]);
});

Deno.test("unpack() gives what was packed, to the last bit", () => {
  const tree = {
    numbers: [0, -0, NaN, Infinity, -Infinity, 1e-320],
    arrays: [Float32Array.of(NaN, -0), Uint16Array.of(7), Int32Array.of(-1)],
    parts: new Float64Array([1, 2, 3, 4]).subarray(1, 3),
    bytes: Uint16Array.of(1, 2, 3).buffer,
    rest: { text: "½", none: null, flag: true },
  };
  const found = unpack<typeof tree>(pack(tree).buffer);
  assert(found.numbers.every((x, i) => Object.is(x, tree.numbers[i])));
  assertEquals(found.parts, Float64Array.of(2, 3));
  assertEquals(found.arrays, tree.arrays);
  assertEquals(new Uint16Array(found.bytes), Uint16Array.of(1, 2, 3));
  assertEquals(found.rest, tree.rest);
});

/**
 * WebGPU as one of the engines, so that the suite of the others judges it, test
 * by test, unchanged. An engine answers at once and a GPU does not; so each test
 * runs twice. The first time every problem is written down and the reference or
 * WASM answers in its place. Then a GPU solves them all. The second time its
 * answers are given, to exactly the same questions: one that differs is an error.
 * Every further GPU needs only a second run of its own.
 *
 * @module
 */
import { assert, assertEquals, fail } from "@std/assert";
import type {
  Engine,
  GradTarget,
  LossProblem,
  RowScores,
} from "../../src/engine.ts";
import { halfBits } from "../../src/half.ts";
import { referenceEngine } from "../../src/reference/engine.ts";
import { WasmEngine } from "../../src/wasm/engine.ts";
import type { Answer, Question } from "./ask.ts";
import { type PartAnswer, select } from "./few_kernels.ts";
import type { TestedGpu } from "./verbs.ts";

/** The first run of a test. */
export interface Recorded {
  questions: readonly Question[];
  /** What the reference said, in the order in which it was asked. */
  truths: readonly Truth[];
}

/** What the reference said once: it is slow, and says the same again. */
interface Truth {
  scores: RowScores;
  array: Float64Array | null;
}

/** How many questions a GPU is given at once. */
const MOST = 100;

/** The engine of the first run and of the second. */
export class ReplayEngine implements Engine {
  readonly name = "webgpu";
  readonly maskLabels: Engine["maskLabels"] = referenceEngine.maskLabels;
  readonly exp: Engine["exp"] = referenceEngine.exp;
  readonly #stand = new WasmEngine("simd");
  #questions: Question[] = [];
  #answers: (PartAnswer | null)[] | null = null;

  score(problem: LossProblem): RowScores {
    return this.#answer({ problem, coefficients: null, into: "none" }, null);
  }

  differentiate(
    problem: LossProblem,
    coefficients: Float64Array,
    target: GradTarget,
  ): RowScores {
    const into = target.array === problem.logits ? "in-place" : "new";
    return this.#answer({ problem, coefficients, into }, target);
  }

  #answer(question: Question, target: GradTarget | null): RowScores {
    if (this.#answers === null) {
      this.#questions.push(copyOf(question));
      return this.#standIn(question, target);
    }
    const asked = this.#questions.shift();
    const answer = this.#answers.shift();
    if (asked === undefined || answer === undefined) {
      fail("The second run asks more than the first");
    }
    assertSame(question, asked);
    if (answer === null) return this.#standIn(question, target);
    if (answer.rows !== undefined) {
      const scores = this.#standIn(question, target);
      return overlay(scores, target, answer, question.problem.vocabSize);
    }
    if (target !== null) {
      bytes(target.array as Float32Array).set(new Uint8Array(answer.gradient!));
    }
    return answer.scores;
  }

  #standIn(
    { problem, coefficients }: Question,
    target: GradTarget | null,
  ): RowScores {
    return target === null
      ? this.#stand.score(problem)
      : this.#stand.differentiate(problem, coefficients!, target);
  }

  /** Runs a test for the first time. */
  record(test: () => unknown): Recorded {
    this.#questions = [];
    this.#answers = null;
    const truths = withReference(null, () => once(test));
    return { questions: this.#questions, truths };
  }

  /** Runs it for the second time, with the answers of a GPU; WASM stands in for those that it was not asked for. */
  replay(
    { questions, truths }: Recorded,
    answers: readonly (PartAnswer | null)[],
    test: () => unknown,
  ): void {
    this.#questions = [...questions];
    this.#answers = [...answers];
    try {
      withReference(truths, () => once(test));
      assertEquals(this.#questions.length, 0, "The second run asks less");
    } finally {
      this.#answers = null;
    }
  }

  /** Runs a test twice, with a GPU in between. */
  async run(gpu: TestedGpu, test: () => unknown): Promise<void> {
    const recorded = this.record(test);
    const read = await submitAll(gpu, recorded);
    this.replay(recorded, await read(), test);
  }
}

/** Puts the questions of a test to a GPU; what comes back waits for the answers, null where it was not asked. */
export async function submitAll(
  gpu: TestedGpu,
  { questions }: Recorded,
): Promise<() => Promise<(PartAnswer | null)[]>> {
  const { asked, answers } = select(questions, gpu.isSlow);
  const reads: (() => Promise<Answer[]>)[] = [];
  for (let i = 0; i < asked.length; i += MOST) {
    reads.push(await gpu.submit(asked.slice(i, i + MOST)));
  }
  return async () => {
    const found: Answer[] = [];
    for (const read of reads) found.push(...await read());
    return answers.map((from) =>
      from && { ...found[from.index]!, rows: from.rows }
    );
  };
}

/** A test that waits would let another one in between. */
function once(test: () => unknown): void {
  if (test() instanceof Promise) fail("A test on an engine does not wait");
}

/** Runs with a reference that remembers what it says, or says what is remembered. */
function withReference(
  known: readonly Truth[] | null,
  run: () => void,
): readonly Truth[] {
  const { score, differentiate } = referenceEngine;
  const truths: Truth[] = [];
  let next = 0;
  const say = (
    compute: () => RowScores,
    target: GradTarget | null,
  ): RowScores => {
    if (known === null) {
      const scores = compute();
      const array = (target?.array as Float64Array | undefined)?.slice();
      truths.push({ scores, array: array ?? null });
      return scores;
    }
    const { scores, array } = known[next++]!;
    if (array !== null) (target!.array as Float64Array).set(array);
    return scores;
  };
  Object.assign(referenceEngine, {
    score: (problem: LossProblem) => say(() => score(problem), null),
    differentiate: (
      problem: LossProblem,
      coefficients: Float64Array,
      target: GradTarget,
    ) => say(() => differentiate(problem, coefficients, target), target),
  });
  try {
    run();
  } finally {
    Object.assign(referenceEngine, { score, differentiate });
  }
  return truths;
}

/** Puts an answer of some rows over those of all. */
function overlay(
  scores: RowScores,
  target: GradTarget | null,
  { rows, gradient, scores: found }: PartAnswer,
  vocabSize: number,
): RowScores {
  const made = new Float32Array(gradient ?? new ArrayBuffer(0));
  rows!.forEach((row, k) => {
    for (const key of ["perToken", "logSumExp", "nll", "entropy"] as const) {
      scores[key][row] = found[key][k]!;
    }
    scores.flags[row] = found.flags[k]!;
    (target?.array as Float32Array | undefined)?.set(
      made.subarray(k * vocabSize, (k + 1) * vocabSize),
      row * vocabSize,
    );
  });
  return scores;
}

function bytes(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A question whose arrays nobody else writes. */
function copyOf({ problem, coefficients, into }: Question): Question {
  const { logits, dtype } = problem;
  const own = dtype === "f32"
    ? (logits as Float32Array).slice()
    : halfBits(logits as Uint16Array).slice();
  return {
    problem: { ...problem, logits: own, targets: problem.targets.slice() },
    coefficients: coefficients?.slice() ?? null,
    into,
  };
}

/** Every field of two questions is the same; arrays to the last bit. */
function assertSame(a: Question, b: Question): void {
  assertEquals(a.into, b.into);
  assertArray(a.coefficients, b.coefficients, "coefficients");
  for (const key of Object.keys(b.problem) as (keyof LossProblem)[]) {
    const x = a.problem[key], y = b.problem[key];
    if (ArrayBuffer.isView(y)) assertArray(x, y, key);
    else assertEquals(x, y, key);
  }
}

function assertArray(a: unknown, b: unknown, what: string): void {
  if (a === null || b === null) return assertEquals(a, b, what);
  const x = bytes(a as Float32Array), y = bytes(b as Float32Array);
  let same = x.length === y.length;
  for (let i = 0; same && i < x.length; i++) same = x[i] === y[i];
  assert(same, `The second run has other ${what}`);
}

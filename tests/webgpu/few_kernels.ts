/**
 * What a GPU is asked of a test. The suite wants a hundred kernels, and each
 * takes a compiler a fifth of a second, where the GPU is software, or several. So
 * a loss alone under some but not all options is had from the gradient of the same
 * problem: the kernels are the same up to the gradient. And several options together
 * are asked of the kernels of blocks, which are sooner compiled than those of whole
 * rows; those meet each option alone and all together.
 *
 * A slow compiler, as SwiftShader has, is asked for less: every option alone in
 * float32, none and all together in every type, a gradient in place without
 * options; no loss without a gradient; and of many rows and questions a few,
 * since a row's numbers depend on it alone.
 *
 * @module
 */
import { constantsOf } from "../../src/webgpu/spec.ts";
import type { Answer, Question } from "./ask.ts";

/** Rows of a question to a slow compiler at most. */
const MOST_ROWS = 8;

/** Of a test with very many questions a slow compiler is asked some: an odd step, since losses and gradients take turns. */
const stepOf = (count: number) => count > 500 ? 7 : 1;

/** An answer that may be of some rows only. */
export type PartAnswer = Answer & { rows?: readonly number[] };

/** What is asked, and which of it answers each question of the test; null where none does. */
export interface Selection {
  asked: Question[];
  answers: ({ index: number; rows?: readonly number[] } | null)[];
}

/** How many of the options that make another kernel a question has, and how many there are. */
function optionsOf({ problem, into }: Question): [count: number, all: number] {
  const { CAPPED, SHAPED, SMOOTHED, WEIGHTED, METRICS, Z_LOSS } = constantsOf({
    ...problem,
    into,
  });
  const on = [CAPPED || SHAPED, SMOOTHED, WEIGHTED, METRICS, Z_LOSS];
  return [on.filter(Boolean).length, on.length];
}

function isPlain(question: Question): boolean {
  return optionsOf(question)[0] === 0;
}

/** No option, one in float32, or all of them. */
function isCommon(question: Question): boolean {
  const [count, all] = optionsOf(question);
  const isHalf = question.problem.dtype !== "f32";
  return count === 0 || count === all || (count === 1 && !isHalf);
}

/** Whether a slow compiler is asked. */
function isForSlow(question: Question): boolean {
  const { problem, into } = question;
  if (isPlain(question)) return true;
  if (into === "in-place") return false;
  if (problem.metrics && hasSubnormal(problem.logits)) return false;
  return isCommon(question);
}

/** A device may take subnormal numbers for 0, as SwiftShader does; which of them is the largest is then not to be said. */
function hasSubnormal(logits: ArrayLike<number>): boolean {
  if (!(logits instanceof Float32Array)) return false;
  return logits.some((x) => x !== 0 && Math.abs(x) < 2 ** -126);
}

/** Some rows of a question, from first to last. */
function someRows(question: Question): [Question, rows?: readonly number[]] {
  const { problem, coefficients } = question;
  const { rows, rowStride, logits, targets, rowWeights } = problem;
  if (rows <= MOST_ROWS || question.into === "in-place") return [question];
  const step = (rows - 1) / (MOST_ROWS - 1);
  const chosen = Array.from(
    { length: MOST_ROWS },
    (_, k) => Math.round(k * step),
  );
  const few = (logits as Float32Array).slice(0, MOST_ROWS * rowStride);
  chosen.forEach((row, k) => {
    const from = row * rowStride;
    few.set(
      (logits as Float32Array).subarray(from, from + rowStride),
      k * rowStride,
    );
  });
  const of = (list: Float64Array | null) =>
    list && Float64Array.from(chosen, (row) => list[row]!);
  const asked = {
    ...problem,
    rows: MOST_ROWS,
    logits: few,
    targets: Int32Array.from(chosen, (row) => targets[row]!),
    rowWeights: of(rowWeights),
  };
  return [
    { ...question, problem: asked, coefficients: of(coefficients) },
    chosen,
  ];
}

/** The same for questions about the same problem, and as good as always for no others. */
function keyOf({ problem }: Question): string {
  return JSON.stringify(problem, (_, value) => {
    if (!ArrayBuffer.isView(value)) return value;
    const { buffer, byteOffset, byteLength } = value;
    let hash = byteLength;
    for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) {
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    return hash;
  });
}

/** What of a test is asked. */
export function select(
  questions: readonly Question[],
  isSlow: boolean,
): Selection {
  const asked: Question[] = [];
  const answers: Selection["answers"] = questions.map(() => null);
  const put = (i: number, question: Question) => {
    if (!isSlow) {
      const several = isCommon(question) ? {} : { shared: true };
      answers[i] = { index: asked.push({ ...question, ...several }) - 1 };
      return;
    }
    // kernels of blocks are sooner compiled than those of whole rows: of these one
    const { problem, into } = question;
    const isRows = isPlain(question) && problem.dtype === "f32" &&
      into === "new";
    const shared = !isRows;
    const [few, rows] = someRows({ ...question, shared });
    answers[i] = { index: asked.push(few) - 1, rows };
  };

  const step = isSlow ? stepOf(questions.length) : 1;
  const chosen = [...questions.entries()].filter(([i, question]) =>
    i % step === 0 && (!isSlow || isForSlow(question))
  );
  const gradients = new Map<string, number>();
  for (const [i, question] of chosen) {
    if (question.into === "none") continue;
    put(i, question);
    if (question.into === "new") gradients.set(keyOf(question), i);
  }
  for (const [i, question] of chosen) {
    if (question.into !== "none") continue;
    const [count, all] = optionsOf(question);
    const isAsked = !isSlow && (count === 0 || count === all);
    const same = isAsked ? undefined : gradients.get(keyOf(question));
    if (same !== undefined) {
      answers[i] = answers[same]!;
    } else if (!isSlow) {
      put(i, question);
    } else {
      const coefficients = new Float64Array(question.problem.rows);
      put(i, { ...question, coefficients, into: "new" });
    }
  }
  return { asked, answers };
}

/**
 * What the tests of kernels want of a GPU, wherever it is: in this process, or
 * behind a browser's page. Needs nothing of Deno, so that a page has it too.
 *
 * @module
 */
import type { Heap } from "../../src/webgpu/heap.ts";
import { type Answer, type Question, submit, type Way } from "./ask.ts";
import { type PlanAnswer, type PlanJob, runPlan } from "./plan_job.ts";
import { runShader } from "./shader.ts";

/** What a GPU does. */
export interface Verbs {
  /** Puts questions to the row kernels and waits for the answers. */
  ask(questions: readonly Question[], way?: Way): Promise<Answer[]>;
  /** Runs a batch by way of a plan. */
  runPlan(job: PlanJob): Promise<PlanAnswer>;
  /** Runs a shader of the test's own over a buffer. */
  runShader(
    code: string,
    words: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
    step: number,
  ): Promise<ArrayBuffer>;
}

/** A GPU under test. */
export interface TestedGpu extends Verbs {
  /** Puts questions; what comes back waits for the answers. */
  submit(
    questions: readonly Question[],
    way?: Way,
  ): Promise<() => Promise<Answer[]>>;
  /** Whether its compiler takes seconds for each kernel. */
  readonly isSlow: boolean;
}

/** The GPU of a device of this realm. */
export function gpuOf(heap: Heap): TestedGpu {
  return {
    isSlow: false,
    submit: (questions, way) => submit(heap, questions, way),
    ask: async (questions, way) => {
      const read = await submit(heap, questions, way);
      return await read();
    },
    runPlan: (job) => runPlan(heap, job),
    runShader: (code, words, step) => runShader(heap, code, words, step),
  };
}

/**
 * Trains a model on packed batches with `causalLossGrad`, and measures it on
 * conversations it never sees.
 *
 * @module
 */
import {
  causalLoss,
  causalLossGrad,
  IGNORE_INDEX,
  type LossWorkspace,
} from "../../mod.ts";
import {
  type Batch,
  type Conversation,
  packBatch,
  type Vocabulary,
} from "./data.ts";
import { Model, seeded } from "./model.ts";

/** What is trained, on what, and for how long. */
export interface Plan {
  /** The conversations to learn from. */
  training: readonly Conversation[];
  /** The conversations to be judged by. */
  heldOut: readonly Conversation[];
  /** The ids in use. */
  vocabulary: Vocabulary;
  /** Where logits are written; holds any batch. */
  workspace: LossWorkspace;
  /** Steps of Adam. */
  steps: number;
  /** Conversations per step. */
  batchSize: number;
  /** Steps from one measurement to the next. */
  measureEvery: number;
}

/** A trained model and how it got there. */
export interface Run {
  model: Model;
  /** Held-out loss per assistant token, at each measurement. */
  assistant: number[];
  /** Held-out loss per user token. */
  user: number[];
}

// Small, so that what a model learns of one thing it lacks for another. At this
// rate the held-out losses fall until step 400 or so, then both models overfit.
const SIZES = { context: 3, width: 12, hidden: 16 };
const LEARNING_RATE = 0.01;
const SEED = 1;

/** The rows that have a target: row t, if token t + 1 of its conversation is trained. */
export function targetRows({ labels, cuSeqlens }: Batch): number[] {
  const rows: number[] = [];
  for (let s = 1; s < cuSeqlens.length; s++) {
    for (let t = cuSeqlens[s - 1]!; t < cuSeqlens[s]! - 1; t++) {
      if (labels[t + 1] !== IGNORE_INDEX) rows.push(t);
    }
  }
  return rows;
}

/** Rows of the workspace for a batch, with the model's logits where there is a target. */
export function logitsOf(
  model: Model,
  batch: Batch,
  workspace: LossWorkspace,
): Float32Array {
  const { inputIds, cuSeqlens } = batch;
  // The workspace is made without a dtype, so its logits are float32.
  const logits = (workspace.logits as Float32Array)
    .subarray(0, inputIds.length * model.sizes.vocabSize);
  model.forward(inputIds, cuSeqlens, targetRows(batch), logits);
  return logits;
}

/** Trains on the tokens of one role, or on everything. Same seed, same batches. */
export function train(
  plan: Plan,
  role: string,
  report: (step: number, loss: number) => void,
): Run {
  const { training, vocabulary, workspace, steps, batchSize } = plan;
  const model = new Model({ vocabSize: vocabulary.size, ...SIZES }, SEED);
  const run: Run = { model, assistant: [], user: [] };
  const random = seeded(SEED);
  let queue: Conversation[] = [];
  for (let step = 0; step < steps; step++) {
    if (step % plan.measureEvery === 0) measure(plan, run);
    if (queue.length < batchSize) queue = shuffled(training, random);
    const batch = packBatch(queue.splice(0, batchSize), vocabulary, role);

    const logits = logitsOf(model, batch, workspace);
    const { loss, gradLogits } = causalLossGrad(logits, batch, {
      into: "in-place",
    });
    const rows = targetRows(batch);
    model.backward(batch.inputIds, batch.cuSeqlens, rows, gradLogits);
    model.step(LEARNING_RATE);
    report(step + 1, loss);
  }
  measure(plan, run);
  return run;
}

function measure({ heldOut, vocabulary, workspace }: Plan, run: Run): void {
  for (const role of ["assistant", "user"] as const) {
    const batch = packBatch(heldOut, vocabulary, role);
    const logits = logitsOf(run.model, batch, workspace);
    run[role].push(causalLoss(logits, batch).loss);
  }
}

/** Fisher and Yates. */
function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

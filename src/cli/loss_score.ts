/**
 * Logits on labels, some rows at a time: the parts are merged to the bits of one
 * call, and every reduction is made of the same sums.
 *
 * @module
 */
import {
  type Logits,
  type LossResult,
  maskedCrossEntropy,
  mergeLoss,
  type Metrics,
  type Reduction,
} from "../../mod.ts";
import { countTargets } from "../labels/sequences.ts";
import { shiftLeft } from "../labels/shift.ts";
import { reduced } from "../loss/result.ts";
import { exactTerms, roundedSum } from "../reference/exact_sum.ts";
import { type CliIo, createBreath } from "./io.ts";
import type { LossInputs } from "./loss_inputs.ts";
import type { LossJob } from "./loss_options.ts";
import { Progress } from "./progress.ts";

/** Bytes of logits that are scored at a time. */
const BYTES_AT_ONCE = 1 << 25;

const REDUCTIONS: readonly Reduction[] = ["token", "sample", "sequence", "sum"];

/** What the rows cost. */
export interface Losses {
  /** By reduction. */
  readonly results: Readonly<Record<Reduction, LossResult>>;
  /** What a model is judged by. */
  readonly metrics: Metrics;
  /** [N] the loss of each row. */
  readonly perToken: Float64Array;
  /** [N] what each row is scored against. */
  readonly targets: Int32Array;
  /** [S + 1] borders of the sequences. */
  readonly sequences: Int32Array;
}

/** Scores all rows. */
export async function score(
  { logits, dtype, vocabSize, labels, borders, end }: LossInputs,
  { shift, ignoreIndex, transform }: LossJob,
  io: CliIo,
): Promise<Losses> {
  const { rows, columns } = logits;
  // what no row is scored against: padding, and the label behind a sequence
  const targets = (shift ? shiftLeft(labels, borders, ignoreIndex) : labels)
    .slice().fill(ignoreIndex, end);
  const bytes = columns * (dtype === "f32" ? 4 : 2);
  const step = Math.max(1, Math.floor(BYTES_AT_ONCE / bytes));
  const progress = new Progress(io, "scoring", "rows");
  const breathe = createBreath();
  const parts: LossResult[] = [];
  for (let start = 0; start < rows || parts.length === 0; start += step) {
    const stop = Math.min(start + step, rows);
    parts.push(maskedCrossEntropy(
      logits.read(start, stop) as Logits,
      targets.subarray(start, stop),
      {
        ...transform,
        ignoreIndex,
        dtype,
        vocabSize,
        rowStride: columns,
        reduction: "sum",
        perToken: true,
        metrics: true,
      },
    ));
    await progress.show(stop, stop / rows);
    await breathe();
  }
  await progress.end();
  const whole = mergeLoss(parts);
  const perToken = whole.perToken!;

  // one sequence where no borders are; none holds what lies behind the last
  const covered = borders ?? Int32Array.of(0, rows);
  const found = covered.findIndex((border) => border >= end);
  const sequences = covered.subarray(0, Math.max(found, 0) + 1);
  const count = sequences.length - 1;
  const sum = new Float64Array(count);
  const active = new Int32Array(count);
  for (let s = 0; s < count; s++) {
    const [from, to] = [sequences[s]!, sequences[s + 1]!];
    sum[s] = roundedSum(exactTerms(perToken.subarray(from, to)));
    for (let t = from; t < to; t++) {
      if (targets[t] !== ignoreIndex) active[s]!++;
    }
  }
  const weightSum = Float64Array.from(active); // every token counts once
  const perSequence = { sum, weightSum, activeTokens: active };
  const weighing = {
    weightSum: whole.weightSum,
    weightSumTerms: whole.weightSumTerms,
    activeTokens: whole.activeTokens,
    perSequence,
    activeSequences: active.reduce((n, tokens) => tokens > 0 ? n + 1 : n, 0),
  };
  const totalTokens = countTargets(rows, borders, shift);
  const results = REDUCTIONS.map((reduction) =>
    [
      reduction,
      reduced(
        { reduction, denominator: undefined, totalTokens },
        whole.sumTerms,
        weighing,
        whole.nonFiniteRows,
        perSequence,
      ),
    ] as const
  );
  return {
    results: Object.fromEntries(results) as Losses["results"],
    metrics: whole.metrics!,
    perToken,
    targets,
    sequences,
  };
}

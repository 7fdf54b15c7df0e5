/**
 * `loss`: what logits cost on labels, in every reduction, sequence by sequence,
 * and where they cost most. Logits are read some rows at a time, and the parts
 * are merged to the bits of one call.
 *
 * @module
 */
import {
  type Logits,
  type LossResult,
  maskedCrossEntropy,
  mergeLoss,
  type Reduction,
} from "../../mod.ts";
import { countTargets } from "../labels/sequences.ts";
import { shiftLeft } from "../labels/shift.ts";
import { reduced, type Sums } from "../loss/result.ts";
import { exactTerms, roundedSum } from "../reference/exact_sum.ts";
import { loadTokenizerFolder } from "./encoding.ts";
import { jsonLine } from "./errors.ts";
import { type CliIo, createBreath } from "./io.ts";
import { type LossInputs, openLossInputs } from "./loss_inputs.ts";
import { LOSS, type LossJob, readLossJob } from "./loss_options.ts";
import { type Losses, reportLosses, summaryOfLosses } from "./loss_report.ts";
import { parseCommand } from "./options.ts";
import { Progress } from "./progress.ts";

/** Bytes of logits that are scored at a time. */
const BYTES_AT_ONCE = 1 << 25;

const REDUCTIONS: readonly Reduction[] = ["token", "sample", "sequence", "sum"];

/** Runs the command. */
export async function loss(
  line: readonly string[],
  io: CliIo,
): Promise<number> {
  const job = readLossJob(parseCommand(LOSS, line));
  const tokenizer = job.tokenizer === undefined
    ? null
    : loadTokenizerFolder(job.tokenizer);
  const inputs = openLossInputs(job);
  let losses: Losses;
  try {
    losses = await score(inputs, job, io);
  } finally {
    inputs.logits.close();
  }
  if (job.json) {
    const json = summaryOfLosses(losses, inputs, job, tokenizer);
    await io.stdout.write(jsonLine(json));
  } else {
    const lines = reportLosses(losses, inputs, job, tokenizer, io.stdout);
    await io.stdout.write(`${lines.join("\n")}\n`);
  }
  return 0;
}

/** Scores all rows. */
async function score(
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
  const sums: Omit<Sums, "reduction"> = {
    given: undefined,
    sumTerms: whole.sumTerms,
    weighing: {
      weightSum: whole.weightSum,
      weightSumTerms: whole.weightSumTerms,
      activeTokens: whole.activeTokens,
      perSequence: { weightSum, activeTokens: active },
      activeSequences: active.reduce((n, tokens) => tokens > 0 ? n + 1 : n, 0),
    },
    totalTokens: countTargets(rows, borders, shift),
    nonFiniteRows: whole.nonFiniteRows,
    perSequence: { sum, weightSum, activeTokens: active },
  };
  const results = REDUCTIONS.map((reduction) =>
    [reduction, reduced({ ...sums, reduction })] as const
  );
  return {
    results: Object.fromEntries(results) as Losses["results"],
    metrics: whole.metrics!,
    perToken,
    targets,
    sequences,
  };
}

/**
 * What `loss` says: the losses, the sequences, the costliest tokens.
 *
 * @module
 */
import type { Reduction } from "../../mod.ts";
import type { ChatTokenizer } from "../chat/mod.ts";
import { number, placeOf, worstLines, worstRows } from "./costly_rows.ts";
import {
  count,
  counted,
  paint,
  percent,
  type Screen,
  table,
} from "../report/paint.ts";
import type { LossInputs } from "./loss_inputs.ts";
import type { LossJob } from "./loss_options.ts";
import type { Output } from "./io.ts";
import type { Losses } from "./loss_score.ts";

/** Rows whose loss is no number that are named. */
const NAMED = 10;

/** All of it for people, in lines. */
export function reportLosses(
  losses: Losses,
  inputs: LossInputs,
  job: LossJob,
  tokenizer: ChatTokenizer | null,
  output: Output,
): string[] {
  const screen: Screen = {
    color: output.color,
    width: Math.max(40, output.columns ?? 80),
  };
  const { results, metrics, perToken } = losses;
  const { activeTokens, totalTokens } = results.token;
  const heading = (words: string) => paint(screen, "heading", words);
  const lines = [
    heading(
      `${counted(activeTokens, "token")} scored of ${
        counted(totalTokens, "position")
      }, ${count(inputs.vocabSize)} classes`,
    ),
    "",
    heading("loss"),
    ...table(
      Object.values(results).map(({ reduction, loss }) => [
        reduction,
        number(loss),
        MEANING[reduction],
      ]),
      [1],
    ),
    "",
    heading("metrics"),
    ...table([
      ["perplexity", number(metrics.perplexity)],
      [
        "accuracy",
        percent(metrics.accuracy),
        `${count(metrics.correct)} of ${count(activeTokens)}`,
      ],
      ["entropy", number(metrics.entropy)],
    ], [1]),
  ];
  if (activeTokens === 0) {
    lines.splice(1, 0, "nothing is scored, so every loss is 0");
  }
  const broken = rowsWhere(perToken, (x) => !Number.isFinite(x));
  if (broken.length > 0) {
    const bad = broken.slice(0, NAMED).map((row) => {
      const { sequence, position } = placeOf(losses, row);
      const where = sequence === null
        ? ""
        : ` (sequence ${sequence}, position ${position})`;
      return `  row ${row}${where}: ${
        Number.isNaN(perToken[row])
          ? "NaN or infinite logits"
          : "the label's logit is -inf"
      }`;
    });
    const more = broken.length - bad.length;
    lines.push(
      "",
      paint(
        screen,
        "serious",
        `■ ${counted(broken.length, "row")} without a finite loss`,
      ),
      ...bad,
      ...more > 0 ? [`  and ${count(more)} more`] : [],
    );
  }
  lines.push(...sequenceLines(losses, job, heading));
  const worst = worstRows(losses, inputs, job, tokenizer);
  if (worst.length > 0) {
    lines.push(
      "",
      heading("costliest tokens"),
      ...worstLines(worst, screen),
    );
  }
  return lines;
}

const MEANING: Readonly<Record<Reduction, string>> = {
  token: "mean over scored tokens",
  sample: "mean over all positions",
  sequence: "mean over sequences of their means",
  sum: "sum over scored tokens",
};

function sequenceLines(
  { results, sequences }: Losses,
  { sequences: most }: LossJob,
  heading: (words: string) => string,
): string[] {
  const { sum, activeTokens } = results.token.perSequence!;
  if (sum.length < 2 || most === 0) return [];
  const rows = Array.from(sum.subarray(0, most), (total, s) => [
    `${s}`,
    count(sequences[s + 1]! - sequences[s]!),
    count(activeTokens[s]!),
    number(activeTokens[s] === 0 ? 0 : total / activeTokens[s]!),
    number(total),
  ]);
  const more = sum.length - rows.length;
  return [
    "",
    heading("sequences"),
    ...table(
      [["", "rows", "scored", "mean", "sum"], ...rows],
      [0, 1, 2, 3, 4],
    ),
    ...more > 0 ? [`  and ${count(more)} more`] : [],
  ];
}

/** All of it for programs. */
export function summaryOfLosses(
  losses: Losses,
  inputs: LossInputs,
  job: LossJob,
  tokenizer: ChatTokenizer | null,
): Record<string, unknown> {
  const { results, metrics, perToken, sequences } = losses;
  const { activeTokens, totalTokens, nonFiniteRows } = results.token;
  const { sum, activeTokens: active } = results.token.perSequence!;
  return {
    vocabSize: inputs.vocabSize,
    rows: perToken.length,
    loss: Object.fromEntries(
      Object.values(results).map(({ reduction, loss }) => [
        reduction,
        jsonNumber(loss),
      ]),
    ),
    activeTokens,
    totalTokens,
    nonFiniteRows,
    perplexity: jsonNumber(metrics.perplexity),
    accuracy: metrics.accuracy,
    correct: metrics.correct,
    entropy: jsonNumber(metrics.entropy),
    sequences: Array.from(sum, (total, s) => ({
      start: sequences[s],
      end: sequences[s + 1],
      activeTokens: active[s],
      sum: jsonNumber(total),
    })),
    notFinite: rowsWhere(perToken, (x) => !Number.isFinite(x)),
    worst: worstRows(losses, inputs, job, tokenizer).map((one) => ({
      ...one,
      loss: jsonNumber(one.loss),
    })),
  };
}

/** JSON has no NaN and no infinity; as words they are at least told apart. */
function jsonNumber(x: number): number | string {
  return Number.isFinite(x) ? x : String(x);
}

function rowsWhere(
  values: Float64Array,
  accept: (value: number) => boolean,
): number[] {
  const rows: number[] = [];
  values.forEach((value, row) => {
    if (accept(value)) rows.push(row);
  });
  return rows;
}

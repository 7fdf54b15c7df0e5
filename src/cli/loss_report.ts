/**
 * What `loss` says: the losses, the sequences, the costliest tokens.
 *
 * @module
 */
import type { LossResult, Metrics, Reduction } from "../../mod.ts";
import type { ChatTokenizer } from "../chat/mod.ts";
import {
  count,
  counted,
  paint,
  percent,
  type Screen,
  table,
} from "../report/paint.ts";
import { clip, visible } from "../report/visible.ts";
import type { LossInputs } from "./loss_inputs.ts";
import type { LossJob } from "./loss_options.ts";
import type { Output } from "./io.ts";
import { pieceOf } from "./report_rows.ts";

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

/** Rows whose loss is no number that are named. */
const NAMED = 10;

/** Tokens before a costly one that are shown. */
const BEFORE = 12;

/** A row that costs. */
interface CostlyRow {
  readonly row: number;
  readonly sequence: number | null;
  readonly position: number;
  readonly id: number;
  readonly loss: number;
  readonly text: string | null;
  readonly before: string | null;
}

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
      ...table([
        ["row", "sequence", "position", "id", "loss", "p", ""],
        ...worst.map((one) => [
          `${one.row}`,
          one.sequence === null ? "-" : `${one.sequence}`,
          `${one.position}`,
          `${one.id}`,
          number(one.loss),
          Math.exp(-one.loss).toPrecision(2),
          one.text === null
            ? ""
            : `${one.before === null ? "" : `…${visible(one.before)}`}⟦${
              visible(one.text)
            }⟧`,
        ]),
      ], [0, 1, 2, 3, 4, 5]).map((line) => clip(line, screen.width)),
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

function number(x: number): string {
  return Number.isFinite(x) ? x.toPrecision(9) : String(x);
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

/** In which sequence a row stands, and where in it. */
function placeOf(
  { sequences }: Losses,
  row: number,
): { sequence: number | null; position: number } {
  if (sequences.length <= 2) return { sequence: null, position: row };
  let [low, high] = [0, sequences.length - 1];
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (sequences[middle]! <= row) low = middle;
    else high = middle;
  }
  return { sequence: low, position: row - sequences[low]! };
}

/** The scored rows with the largest finite loss, the largest first. */
function worstRows(
  losses: Losses,
  { inputIds }: LossInputs,
  { worst, ignoreIndex, shift }: LossJob,
  tokenizer: ChatTokenizer | null,
): CostlyRow[] {
  const { perToken, targets, sequences } = losses;
  const scored: number[] = [];
  for (let row = 0; row < targets.length; row++) {
    const loss = perToken[row]!;
    if (targets[row] !== ignoreIndex && !Number.isNaN(loss)) scored.push(row);
  }
  scored.sort((a, b) => perToken[b]! - perToken[a]! || a - b);
  return scored.slice(0, worst).map((row) => {
    const place = placeOf(losses, row);
    const id = targets[row]!;
    const text = (ids: Iterable<number>) =>
      tokenizer === null
        ? null
        : Array.from(ids, (id) => pieceOf(tokenizer, id)).join("");
    const last = shift ? row + 1 : row; // the ids that the row has seen
    const first = Math.max(
      sequences[place.sequence ?? 0] ?? 0,
      last - BEFORE,
    );
    return {
      row,
      ...place,
      id,
      loss: perToken[row]!,
      text: text([id]),
      before: inputIds === null ? null : text(inputIds.subarray(first, last)),
    };
  });
}

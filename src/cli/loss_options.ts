/**
 * What `loss` may be told, and what its help says of it.
 *
 * @module
 */
import { IGNORE_INDEX } from "../contract.ts";
import { UsageError } from "./errors.ts";
import { type Args, type CommandHelp, quote } from "./options.ts";

/** What `loss --help` says. */
export const LOSS: CommandHelp = {
  name: "loss",
  usage: "--logits FILE.npy --labels FILE.npy [OPTIONS]",
  summary: "what logits cost: every reduction, each sequence, the worst tokens",
  about: [
    "Logits [N, V] or [B, T, V] as <f4, <f2, or <u2 with --dtype bf16; labels [N] " +
    "or [B, T] as whole numbers, -100 where nothing is scored. Row i is scored " +
    "against labels[i]; with --shift against labels[i + 1] of its own sequence, " +
    "as a language model means it.",
    "Logits are read some rows at a time, so they may be larger than memory.",
  ],
  groups: [
    {
      title: "Input",
      options: {
        logits: { value: "FILE.npy", help: "the model's logits" },
        labels: { value: "FILE.npy", help: "the labels" },
        dtype: { value: "TYPE", help: "how <u2 logits are read: bf16 or f16" },
        "vocab-size": {
          value: "V",
          help: "columns that count, where the vocabulary is padded",
        },
        "ignore-index": {
          value: "N",
          help: `the label of what is not scored (default ${IGNORE_INDEX})`,
        },
      },
    },
    {
      title: "Sequences",
      options: {
        shift: { help: "score each row against the next label" },
        causal: { help: "the same" },
        "sequence-length": {
          value: "T",
          help: "all sequences have this length (default: T of [B, T, V])",
        },
        "cu-seqlens": {
          value: "FILE.npy",
          help: "borders of sequences of any length, a leading 0; what lies " +
            "behind the last is padding",
        },
      },
    },
    {
      title: "Loss",
      options: {
        softcap: {
          value: "X",
          help: "logits become X · tanh(logits / X) first",
        },
        "logit-scale": { value: "X", help: "logits are multiplied by X first" },
      },
    },
    {
      title: "Output",
      options: {
        worst: {
          value: "N",
          help: "how many of the costliest tokens are named (default 10)",
        },
        sequences: {
          value: "N",
          help: "how many sequences are listed (default 20)",
        },
        tokenizer: { value: "DIR", help: "shows the text of tokens" },
        "input-ids": {
          value: "FILE.npy",
          help: "shows what stands before them, with --tokenizer",
        },
        json: { help: "all of it as one JSON object" },
      },
    },
  ],
  examples: [
    "loss --logits logits.npy --labels labels.npy --shift",
    "loss --logits bf16.npy --dtype bf16 --labels labels.npy --tokenizer qwen3",
  ],
};

/** What is to be done. */
export interface LossJob {
  /** The file of the logits. */
  readonly logits: string;
  /** The file of the labels. */
  readonly labels: string;
  /** How 16-bit patterns are read. */
  readonly dtype: "bf16" | "f16" | undefined;
  /** Columns that count. */
  readonly vocabSize: number | undefined;
  /** The label of what is not scored. */
  readonly ignoreIndex: number;
  /** Whether rows are scored against the next label. */
  readonly shift: boolean;
  /** The length of all sequences. */
  readonly sequenceLength: number | undefined;
  /** The file of the borders. */
  readonly cuSeqlens: string | undefined;
  /** Options of the loss itself. */
  readonly transform: { softcap?: number; logitScale?: number };
  /** How many tokens are named. */
  readonly worst: number;
  /** How many sequences are listed. */
  readonly sequences: number;
  /** The folder of the tokenizer. */
  readonly tokenizer: string | undefined;
  /** The file of the ids. */
  readonly inputIds: string | undefined;
  /** Whether programs want to know. */
  readonly json: boolean;
}

/** Reads what is to be done. */
export function readLossJob(args: Args): LossJob {
  if (args.positionals.length > 0) {
    throw new UsageError(
      `loss reads --logits and --labels: got ${quote(args.positionals[0]!)}`,
    );
  }
  const softcap = readNumber(args, "softcap", (x) => x > 0, "above 0");
  const logitScale = readNumber(args, "logit-scale", (x) => x !== 0, "not 0");
  const ignoreIndex = readNumber(
    args,
    "ignore-index",
    (x) => (x | 0) === x,
    "whole and within int32",
  );
  const sequenceLength = args.count("sequence-length", 1);
  const cuSeqlens = args.text("cu-seqlens");
  if (sequenceLength !== undefined && cuSeqlens !== undefined) {
    throw new UsageError(
      "--sequence-length and --cu-seqlens cannot both be said",
    );
  }
  const inputIds = args.text("input-ids");
  const tokenizer = args.text("tokenizer");
  if (inputIds !== undefined && tokenizer === undefined) {
    throw new UsageError("--input-ids are shown as text: say --tokenizer DIR");
  }
  return {
    logits: args.required("logits", "a .npy file, [N, V] or [B, T, V]"),
    labels: args.required("labels", "a .npy file, [N] or [B, T]"),
    dtype: args.word("dtype", ["bf16", "f16"]),
    vocabSize: args.count("vocab-size", 1),
    ignoreIndex: ignoreIndex ?? IGNORE_INDEX,
    shift: args.has("shift") || args.has("causal"),
    sequenceLength,
    cuSeqlens,
    transform: {
      ...(softcap === undefined ? {} : { softcap }),
      ...(logitScale === undefined ? {} : { logitScale }),
    },
    worst: args.count("worst", 0) ?? 10,
    sequences: args.count("sequences", 0) ?? 20,
    tokenizer,
    inputIds,
    json: args.has("json"),
  };
}

function readNumber(
  args: Args,
  name: string,
  accept: (x: number) => boolean,
  wish: string,
): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number) && accept(number)) {
    return number;
  }
  throw new UsageError(
    `--${name} must be a number ${wish}: got ${quote(text)}`,
  );
}

/**
 * What `prepare` may be told, and what its help says of it.
 *
 * @module
 */
import type { Overlong, PackStrategy } from "../packing/types.ts";
import { isSameFile } from "./atomic_write.ts";
import {
  MODEL_OPTIONS,
  POLICY_OPTIONS,
  READING_OPTIONS,
} from "./encoding_options.ts";
import { UsageError } from "./errors.ts";
import { failOnHelp, type Limit, type Other, readLimits } from "./fail_on.ts";
import type { Args, CommandHelp } from "./options.ts";
import { endingOf, ENDINGS } from "./outputs.ts";

/** The most workers; each holds a tokenizer of its own. */
const MOST_WORKERS = 64;

/** What `--fail-on` counts beside findings. */
const COUNTED: readonly Other[] = ["any", "refused"];

/** What `prepare --help` says. */
export const PREPARE: CommandHelp = {
  name: "prepare",
  usage: "FILE --tokenizer DIR --output OUT [OPTIONS]",
  summary: "make the rows that a trainer reads, packed if you like",
  about: [
    "Reads conversations (JSONL, one JSON list, or parquet; - is standard " +
    "input), encodes them, and writes input_ids, labels, attention_mask, " +
    "position_ids, where they are needed seq_lengths or cu_seqlens and " +
    "loss_weights, on request the certificate. Labels are aligned with the ids; " +
    "only the loss shifts.",
    "Rows wait on disk, in the folder of OUT, so memory holds their lengths " +
    "only. OUT appears when it is whole. A row with nothing to train is left " +
    "out and named, as a chat is that its template refuses; where none is left, " +
    "or more is wrong than --fail-on allows, there is no OUT and the exit code is 1.",
  ],
  groups: [
    {
      title: "Output",
      options: {
        output: {
          short: "o",
          value: "OUT",
          help: "a name that ends in .jsonl, .parquet, .safetensors or .npy; " +
            "rows.npy becomes rows.input_ids.npy and so on, a file a column",
        },
        lengths: {
          value: "COLUMN",
          help:
            "how packed rows name their documents: seq_lengths (default), " +
            "cu_seqlens (the default of padded files) or none",
        },
        certificates: { help: "add a column that proves each row, as JSON" },
        "pad-id": {
          value: "ID",
          help: "the id of padding in .safetensors and .npy (default: the " +
            "end-of-text token's)",
        },
        "pad-to-multiple-of": {
          value: "N",
          help: "round the length of padded rows up to a multiple of N",
        },
        "fail-on": {
          value: "WHAT[=LIMIT]",
          repeat: true,
          help: failOnHelp("write nothing and exit 1", COUNTED),
        },
        json: { help: "say on standard output, as JSON, what became of it" },
      },
    },
    {
      title: "Length",
      options: {
        "max-length": {
          value: "N",
          help: "the most tokens a row may have (default: any)",
        },
        overlong: {
          value: "HOW",
          help:
            "what becomes of longer ones: truncate (default; an answer that " +
            "is cut is counted and named), split, drop or error; --pack wrapped " +
            "cuts where a pack ends",
        },
        pack: {
          value: "HOW",
          help:
            "bfd (best fit decreasing), first-fit, wrapped or none (default)",
        },
      },
    },
    {
      title: "Work",
      options: {
        workers: {
          value: "N",
          help: "threads that encode, each with a tokenizer of its own " +
            "(default 1; 0: the main thread); the result is the same",
        },
      },
    },
    MODEL_OPTIONS,
    READING_OPTIONS,
    POLICY_OPTIONS,
  ],
  examples: [
    "prepare chats.jsonl --tokenizer qwen3 -o train.parquet --max-length 4096 --pack bfd",
    "prepare - --tokenizer qwen3 -o train.jsonl < chats.jsonl",
  ],
};

/** What is to be done. */
export interface Job {
  /** The file that is read. */
  readonly input: string;
  /** The file that is written. */
  readonly output: string;
  /** Whether its rows are of one length. */
  readonly isPadded: boolean;
  /** How rows are packed. */
  readonly pack: PackStrategy | "none";
  /** The most tokens of a row; Infinity for any. */
  readonly maxLength: number;
  /** What becomes of longer ones. */
  readonly overlong: Overlong;
  /** Which column names the documents of a pack. */
  readonly lengths: "seq_lengths" | "cu_seqlens" | "none";
  /** Whether certificates are written. */
  readonly certificates: boolean;
  /** The id of padding, where it is said. */
  readonly padId: number | undefined;
  /** What the length of padded rows is a multiple of. */
  readonly padToMultipleOf: number;
  /** How many threads encode; 0: the main one. */
  readonly workers: number;
  /** How much may be wrong before nothing is written. */
  readonly limits: readonly Limit[];
  /** Whether programs want to know, too. */
  readonly json: boolean;
}

/** Reads what is to be done; the chats' own options are read elsewhere. */
export function readJob(args: Args): Job {
  const input = args.onePositional("FILE", "the conversations, or -");
  const output = args.required(
    "output",
    "a .jsonl, .parquet, .safetensors or .npy file",
  );
  const isPadded = ENDINGS[endingOf(output)] === "padded";
  const pack = args.word("pack", ["bfd", "first-fit", "wrapped", "none"]) ??
    "none";
  const maxLength = args.count("max-length", 1);
  if (pack !== "none" && maxLength === undefined) {
    throw new UsageError(`--pack ${pack} needs --max-length N`);
  }
  const lengths = args.word("lengths", ["seq_lengths", "cu_seqlens", "none"]) ??
    (isPadded ? "cu_seqlens" : "seq_lengths");
  if (isPadded && lengths === "seq_lengths") {
    throw new UsageError(
      "--lengths seq_lengths has another length in every row, which a padded file cannot hold: say cu_seqlens",
    );
  }
  const certificates = args.has("certificates");
  if (isPadded && certificates) {
    throw new UsageError(
      "--certificates are text, which a tensor cannot hold: write .jsonl or .parquet",
    );
  }
  const workers = args.count("workers", 0) ?? 1;
  if (workers > MOST_WORKERS) {
    throw new UsageError(`--workers must be at most ${MOST_WORKERS}`);
  }
  if (isSameFile(input, output)) {
    throw new UsageError("--output must not be the file that is read");
  }
  const overlong = args.word("overlong", [
    "truncate",
    "split",
    "drop",
    "error",
  ]);
  return {
    input,
    output,
    isPadded,
    pack,
    maxLength: maxLength ?? Infinity,
    overlong: overlong ?? (pack === "wrapped" ? "split" : "truncate"),
    lengths,
    certificates,
    padId: args.count("pad-id", 0),
    padToMultipleOf: args.count("pad-to-multiple-of", 1) ?? 1,
    workers,
    limits: readLimits(args.texts("fail-on"), COUNTED),
    json: args.has("json"),
  };
}

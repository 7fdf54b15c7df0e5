/**
 * `audit`: a whole file in numbers, what is wrong with it first, and an exit
 * code for scripts. It keeps no rows, so a file may be longer than memory.
 *
 * @module
 */
import type { ChatTokenizer } from "../chat/mod.ts";
import { isEncodedChat } from "../report/cells.ts";
import { Audit, showSummary, type Summary } from "../report/mod.ts";
import { count, paint } from "../report/paint.ts";
import { type ElsewhereRules, judge } from "./elsewhere.ts";
import {
  createEncoder,
  type Encoder,
  loadTokenizerFolder,
} from "./encoding.ts";
import {
  MODEL_OPTIONS,
  POLICY_OPTIONS,
  readEncoding,
  READING_OPTIONS,
  readReading,
} from "./encoding_options.ts";
import { DataError, jsonLine, oneLine } from "./errors.ts";
import { failOnHelp, FoundRows, type Other, readLimits } from "./fail_on.ts";
import { type CliIo, createBreath } from "./io.ts";
import { OddRows } from "./odd_rows.ts";
import {
  type Args,
  type CommandHelp,
  parseCommand,
  PROGRAM,
} from "./options.ts";
import { Progress } from "./progress.ts";
import { type Input, openInput } from "./read_input.ts";
import { chatRows, tokenizedRows } from "./report_rows.ts";
import { readMarks } from "./marks_options.ts";

/** What `--fail-on` counts beside findings. */
const COUNTED: readonly Other[] = [
  "any",
  "refused",
  "duplicates",
  "answers-cut",
];

/** What `audit --help` says. */
export const AUDIT: CommandHelp = {
  name: "audit",
  usage: "FILE... [--tokenizer DIR] [OPTIONS]",
  summary: "a whole file: how much is trained, what was found, what is refused",
  about: [
    "Reads conversations (which need --tokenizer), or rows that were tokenised " +
    "elsewhere: input_ids with labels or a 0/1 mask, as TRL, axolotl or Unsloth " +
    "store them. JSONL, one JSON list, or parquet; - is standard input.",
    "Of rows from elsewhere, --tokenizer (or --header-ids and --end-ids) says by " +
    "which ids an answer begins and ends. What is trained is compared with the " +
    "answers: prompts and headers that are trained, answers that are not trained " +
    "whole, stops that are left out.",
  ],
  groups: [
    {
      title: "Audit",
      options: {
        "fail-on": {
          value: "WHAT[=LIMIT]",
          repeat: true,
          help: failOnHelp("exit 1", COUNTED),
        },
        "max-length": {
          value: "N",
          help: "count what a cut at N tokens would take of the answers",
        },
        "end-ids": {
          value: "IDS",
          help: "the ids by which a turn ends, with commas between",
        },
        "header-ids": {
          value: "IDS",
          help: "the ids that open an answer, with commas between",
        },
        examples: {
          value: "N",
          help: "how many lines are named of each kind (default 5)",
        },
        json: { help: "the summary as one JSON object a file" },
      },
    },
    MODEL_OPTIONS,
    READING_OPTIONS,
    POLICY_OPTIONS,
  ],
  examples: [
    "audit chats.jsonl --tokenizer qwen3 --max-length 4096 --fail-on serious",
    "audit train.parquet --tokenizer qwen3 --fail-on prompt-trained=1%",
  ],
};

/** Runs the command. */
export async function audit(
  line: readonly string[],
  io: CliIo,
): Promise<number> {
  const args = parseCommand(AUDIT, line);
  if (args.positionals.length === 0) {
    args.onePositional("FILE", "the rows to look at, or -");
  }
  const limits = readLimits(args.texts("fail-on"), COUNTED);
  const tools = createTools(args);
  let code = 0;
  for (const [i, path] of args.positionals.entries()) {
    const input = await openInput(path, io);
    const found = new FoundRows();
    const summary = await summarise(input, args, tools, found, io);
    await say(summary, input.name, i, args, io);
    const above = found.above(limits, {
      refused: summary.refused,
      duplicates: summary.duplicates.rows,
      "answers-cut": summary.overlong?.answersCut ?? 0,
    });
    for (const words of above) {
      code = 1;
      await io.stderr.write(`${PROGRAM}: ${input.name}: ${words}\n`);
    }
    if (summary.rows > 0) continue;
    throw new DataError(
      summary.refused === 0
        ? `${input.name} holds no rows`
        : `${input.name}: none of its ${
          count(summary.refused)
        } rows can be used`,
    );
  }
  return code;
}

/** What is loaded once for all files, when the first of them needs it. */
interface Tools {
  encoder(): Encoder;
  tokenizer(): ChatTokenizer | null;
}

function createTools(args: Args): Tools {
  let encoder: Encoder | null = null;
  let tokenizer: ChatTokenizer | null = null;
  return {
    encoder: () => encoder ??= createEncoder(readEncoding(args)),
    tokenizer: () => {
      const folder = args.text("tokenizer");
      if (folder === undefined) return null;
      return tokenizer ??= encoder?.tokenizer ?? loadTokenizerFolder(folder);
    },
  };
}

async function summarise(
  input: Input,
  args: Args,
  tools: Tools,
  found: FoundRows,
  io: CliIo,
): Promise<Summary> {
  const maxLength = args.count("max-length", 1);
  const examples = args.count("examples", 0);
  const audit = new Audit({
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(examples === undefined ? {} : { examples }),
  });
  const progress = new Progress(io, "auditing", "rows");
  const breathe = createBreath();
  let done = 0;
  const step = async () => {
    const { size, position } = input;
    await progress.show(
      ++done,
      size === undefined ? undefined : position / size,
    );
    await breathe();
  };
  let complete = (summary: Summary) => summary;
  if (input.isTokenized) {
    const tokenizer = tools.tokenizer();
    const rules: ElsewhereRules = {
      ...readMarks(args, tokenizer),
      maxLength,
    };
    const odd = new OddRows(found);
    complete = (summary) => odd.complete(summary);
    for await (const one of tokenizedRows(input, null)) {
      if (one.rows === null) {
        audit.addRefusal(one.line, one.refusal.reason, one.refusal.message);
      }
      for (const row of one.rows ?? []) {
        audit.add(row, one.line);
        odd.add(judge(row, rules), one.line);
      }
      await step();
    }
  } else {
    const rows = chatRows(input, readReading(args), tools.encoder());
    for await (const one of rows) {
      if (one.rows === null) {
        audit.addRefusal(one.line, one.refusal.reason, one.refusal.message);
      }
      for (const row of one.rows ?? []) {
        audit.add(row, one.line);
        if (isEncodedChat(row)) found.add(row.findings.map(({ code }) => code));
      }
      await step();
    }
  }
  await progress.end();
  return complete(audit.summary());
}

/** Says it, for people or for programs. */
async function say(
  summary: Summary,
  name: string,
  index: number,
  args: Args,
  io: CliIo,
): Promise<void> {
  if (args.has("json")) {
    return await io.stdout.write(jsonLine({ file: name, ...summary }));
  }
  const screen = {
    color: io.stdout.color,
    width: Math.max(40, io.stdout.columns ?? 80),
  };
  const lines = showSummary(summary, screen);
  if (args.positionals.length > 1) {
    const heading = paint(screen, "heading", oneLine(name));
    lines.unshift(...index === 0 ? [] : ["", ""], heading);
  }
  await io.stdout.write(`${lines.join("\n")}\n`);
}

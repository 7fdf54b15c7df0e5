/**
 * `inspect`: rows one by one, every token with who says it and why it is or is
 * not trained. It shows and judges nothing.
 *
 * @module
 */
import { cells, showRow } from "../report/mod.ts";
import { isEncodedChat, type ReportRow } from "../report/cells.ts";
import {
  createEncoder,
  loadTokenizerFolder,
  type Refusal,
} from "./encoding.ts";
import {
  MODEL_OPTIONS,
  POLICY_OPTIONS,
  readEncoding,
  READING_OPTIONS,
  readReading,
} from "./encoding_options.ts";
import { DataError, jsonLine, oneLine, UsageError } from "./errors.ts";
import { readPacking, type Show, writeHtml } from "./inspect_html.ts";
import { type CliIo, createBreath } from "./io.ts";
import { type Args, type CommandHelp, parseCommand } from "./options.ts";
import { type Input, openInput } from "./read_input.ts";
import {
  chatRows,
  cutRow,
  type LineRows,
  textOf,
  tokenizedRows,
} from "./report_rows.ts";

/** How many rows are shown unless said. */
const ROWS = 3;

/** How many refusals are named while rows are looked for. */
const REFUSALS = 5;

/** What `inspect --help` says. */
export const INSPECT: CommandHelp = {
  name: "inspect",
  usage: "FILE --tokenizer DIR [OPTIONS]",
  summary: "show rows: what each token is, and why it is or is not trained",
  about: [
    "Reads conversations (JSONL, one JSON list, or parquet; - is standard " +
    "input) and shows their first rows token by token, with what was found and " +
    "the certificate. A space is ·, a newline ↵, a tab →; trained tokens are bold " +
    "and underlined, or stand in ⟦ ⟧ where there is no colour.",
    "Of a file of rows that are tokenised already (input_ids with labels or a " +
    "mask) it shows ids, or texts where --tokenizer is given.",
  ],
  groups: [
    {
      title: "Rows",
      options: {
        count: {
          short: "n",
          value: "N",
          help:
            `how many conversations are shown (default ${ROWS}; all of them with --html)`,
        },
        row: {
          value: "LINE",
          help: "show the conversation of this line alone",
        },
        grep: {
          value: "TEXT",
          help: "show those whose rendered text has this in it",
        },
        "max-length": {
          value: "N",
          help: "cut rows to N tokens, as a trainer would",
        },
      },
    },
    {
      title: "Output",
      options: {
        detail: {
          help: "a line for each token: id, bytes, role, field, reason, weight",
        },
        "max-tokens": {
          value: "N",
          help: "show at most N tokens of a row (default: all)",
        },
        json: { help: "one JSON object a line: tokens, findings, certificate" },
        html: {
          value: "FILE",
          help: "write a report for a browser instead, one file by itself",
        },
        pack: {
          value: "HOW",
          help:
            "with --html and --max-length: show how the rows would be packed, " +
            "bfd, first-fit or wrapped",
        },
      },
    },
    MODEL_OPTIONS,
    READING_OPTIONS,
    POLICY_OPTIONS,
  ],
  examples: [
    "inspect chats.jsonl --tokenizer qwen3",
    "inspect chats.jsonl --tokenizer qwen3 --row 17 --detail",
    "inspect chats.jsonl --tokenizer qwen3 --html report.html",
    "inspect chats.jsonl --tokenizer qwen3 --html report.html --max-length 4096 --pack bfd",
  ],
};

/** What of a file is looked at. */
interface Choice {
  /** How many conversations. */
  readonly most: number;
  /** The line of the only one. */
  readonly only: number | undefined;
  /** What is in its text. */
  readonly text: string | undefined;
  /** The most tokens of a row. */
  readonly maxLength: number | undefined;
}

/** Runs the command. */
export async function inspect(
  line: readonly string[],
  io: CliIo,
): Promise<number> {
  const args = parseCommand(INSPECT, line);
  const path = args.onePositional("FILE", "the rows to look at, or -");
  const html = args.text("html");
  if (args.has("json") && html !== undefined) {
    throw new UsageError("--json and --html cannot both be said");
  }
  const choice: Choice = {
    most: args.count("count", 1) ?? (html === undefined ? ROWS : Infinity),
    only: args.count("row", 1),
    text: args.text("grep"),
    maxLength: args.count("max-length", 1),
  };
  const packing = readPacking(args, html, choice.maxLength);
  const input = await openInput(path, io);
  const lines = linesOf(input, args);
  const refused: Refusal[] = [];
  const found = html === undefined
    ? await look(lines, choice, refused, io, showing(args, io))
    : await writeHtml(
      html,
      input.name,
      packing,
      io,
      (show) => look(lines, choice, refused, io, show),
    );
  const more = refused.length - REFUSALS;
  if (more > 0) await io.stderr.write(`and ${more} more refused\n`);
  if (found > 0) return 0;
  throw new DataError(nothingFound(input.name, choice, refused));
}

function nothingFound(
  name: string,
  { only, text }: Choice,
  refused: readonly Refusal[],
): string {
  if (only !== undefined) {
    return refused.length > 0
      ? `line ${only} of ${name} was refused`
      : `${name} has no row at line ${only}`;
  }
  if (text !== undefined && refused.length === 0) {
    return `no row of ${name} has ${JSON.stringify(text)} in its text`;
  }
  return `${name} has no row that can be shown`;
}

/** The file's rows, of whichever kind they are. */
function linesOf(
  input: Input,
  args: Args,
): AsyncGenerator<LineRows, void, void> {
  if (!input.isTokenized) {
    const encoder = createEncoder(readEncoding(args));
    return chatRows(input, readReading(args), encoder);
  }
  const folder = args.text("tokenizer");
  const tokenizer = folder === undefined ? null : loadTokenizerFolder(folder);
  return tokenizedRows(input, tokenizer);
}

/** Shows the rows that are chosen and names the first refusals; returns how many rows there were. */
async function look(
  lines: AsyncGenerator<LineRows, void, void>,
  { most, only, text, maxLength }: Choice,
  refused: Refusal[],
  io: CliIo,
  show: Show,
): Promise<number> {
  const breathe = createBreath();
  let chats = 0;
  let shown = 0;
  for await (const found of lines) {
    await breathe();
    const { line } = found;
    if (only !== undefined && line > only) break;
    if (only !== undefined && line !== only) continue;
    if (found.rows === null) {
      refused.push(found.refusal);
      if (refused.length > REFUSALS) continue;
      const { message } = found.refusal;
      await io.stderr.write(`line ${line} is refused: ${oneLine(message)}\n`);
      continue;
    }
    const wanted = found.rows.filter((row) =>
      text === undefined || textOf(row).includes(text)
    );
    for (const row of wanted) {
      await show(maxLength === undefined ? row : cutRow(row, maxLength), line);
      shown++;
    }
    if (wanted.length > 0 && ++chats >= most) break;
  }
  return shown;
}

/** Rows on standard output, for people or for programs. */
function showing(args: Args, io: CliIo): Show {
  if (args.has("json")) {
    return (row, line) => io.stdout.write(jsonOf(row, line));
  }
  const maxTokens = args.count("max-tokens", 1);
  const options = {
    color: io.stdout.color,
    width: Math.max(40, io.stdout.columns ?? 80),
    detail: args.has("detail"),
    ...(maxTokens === undefined ? {} : { maxTokens }),
  };
  let isFirst = true;
  return async (row, line) => {
    const lines = showRow(row, { ...options, line });
    if (!isFirst) lines.unshift("", "");
    isFirst = false;
    await io.stdout.write(`${lines.join("\n")}\n`);
  };
}

/** A row as one line of JSON. */
function jsonOf(row: ReportRow, line: number): string {
  const chat = isEncodedChat(row) ? row : null;
  return jsonLine({
    line,
    text: chat?.text ?? null,
    tokens: cells(row).map((cell) => ({
      id: cell.id,
      text: cell.text,
      bytes: cell.bytes,
      role: cell.role,
      message: cell.message,
      field: cell.field,
      reason: cell.reason,
      trained: cell.trained,
      weight: cell.weight,
    })),
    findings: chat?.findings ?? [],
    certificate: chat?.certificate ?? null,
  });
}

/** What `prepare` is given here, and what it should make of it. */
import type { Sample } from "../../../mod.ts";
import { encodeChat, readTokenizerFolder } from "../../../src/chat/mod.ts";
import {
  readParquetRows,
  readTokenizedRows,
  type TokenizedRow,
} from "../../../src/formats/mod.ts";
import { chatLine, cli, type Ended, TOKENIZER } from "../fixture.ts";

/** Sixty chats of different lengths. */
export const TURNS: readonly string[][] = Array.from(
  { length: 60 },
  (_, i): string[] => {
    const word = (n: number) =>
      "abcdefghij".slice(0, 1 + n % 9).repeat(1 + n % 4);
    return i % 3 === 0
      ? [word(i), word(i * 7), word(i * 5), word(i + 4)]
      : [word(i * 3), word(i * 11)];
  },
);

/** The same as a file. */
export const FILE: string = TURNS.map((turns) => chatLine(...turns)).join("\n");

/** Their rows by the library. */
export function samples(turns: readonly string[][] = TURNS): Sample[] {
  const tokenizer = readTokenizerFolder(TOKENIZER);
  return turns.map((turns) => {
    const messages = turns.map((content, i) => ({
      role: i % 2 === 0 ? "user" : "assistant",
      content,
    }));
    const { inputIds, labels } = encodeChat(messages, { tokenizer });
    return { inputIds, labels };
  });
}

/** Runs `prepare` on text. */
export function prepare(
  output: string,
  args: string[] = [],
  stdin: string | Uint8Array = FILE,
): Promise<Ended> {
  const command = ["prepare", "-", "--tokenizer", TOKENIZER, "-o", output];
  // a thread takes its time to start, and changes nothing: one test says so
  const workers = args.includes("--workers") ? [] : ["--workers", "0"];
  return cli([...command, ...workers, ...args], { stdin });
}

/** The rows of a file that was prepared. */
export async function readRows(path: string): Promise<TokenizedRow[]> {
  const bytes = Deno.readFileSync(path);
  const source = path.endsWith("parquet") ? readParquetRows(bytes) : bytes;
  const rows: TokenizedRow[] = [];
  for await (const { row, error } of readTokenizedRows(source)) {
    if (error) throw new Error(error.message);
    rows.push(row);
  }
  return rows;
}

/** Ids and labels as plain lists. */
export function plain({ inputIds, labels }: Sample): number[][] {
  return [inputIds, labels!].map((list) => Array.from(list, Number));
}

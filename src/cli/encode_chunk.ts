/**
 * Some conversations as records that can be packed: encoded, cut to length,
 * what trains nothing left out, everything that was lost counted and named. The
 * same function runs in the main thread and in workers, so their results are
 * the same bytes.
 *
 * @module
 */
import { truncateRow } from "../chat/mod.ts";
import { IGNORE_INDEX } from "../contract.ts";
import type { ConversationResult } from "../formats/mod.ts";
import type { Overlong } from "../packing/types.ts";
import type { EncodedChat, FindingCode } from "../row.ts";
import { count } from "../report/paint.ts";
import { type Encoder, tryEncode } from "./encoding.ts";
import { DataError } from "./errors.ts";
import { type Records, RecordWriter } from "./spill.ts";
import { Tally } from "./tally.ts";

/** What becomes of rows. */
export interface ChunkSettings {
  /** The most tokens a row may have; Infinity for any. */
  readonly maxLength: number;
  /** What becomes of longer ones. */
  readonly overlong: Overlong;
  /** Whether certificates are kept. */
  readonly certificates: boolean;
}

/** What came of some conversations. */
export interface Chunk {
  /** The rows. */
  readonly records: Records;
  /** What happened to them. */
  readonly tally: Tally;
}

/** Encodes conversations in order. */
export function encodeChunk(
  encoder: Encoder,
  results: readonly ConversationResult[],
  settings: ChunkSettings,
): Chunk {
  const tally = new Tally();
  const writer = new RecordWriter();
  for (const { conversation, error } of results) {
    tally.conversations++;
    if (conversation === undefined) {
      tally.note(
        "refused:not readable",
        error.line,
        withoutPlace(error.message),
      );
      continue;
    }
    const { rows, refusal } = tryEncode(encoder, conversation);
    if (refusal !== undefined) {
      const { line, reason, message } = refusal;
      tally.note(`refused:${reason}`, line, message);
    } else {
      for (const row of rows) {
        addRow(row, conversation.line, settings, tally, writer);
      }
    }
  }
  return { records: writer.finish(), tally };
}

/** A reader's words without the line, which is said anyway. */
export function withoutPlace(message: string): string {
  return message.replace(/^(line|element) \d+: /, "");
}

/** How many trained tokens can be learnt: the first is nobody's target. */
function targets(labels: Int32Array, start: number, end: number): number {
  let found = 0;
  for (let t = start + 1; t < end; t++) {
    if (labels[t] !== IGNORE_INDEX) found++;
  }
  return found;
}

function addRow(
  row: EncodedChat,
  line: number,
  { maxLength, overlong, certificates }: ChunkSettings,
  tally: Tally,
  writer: RecordWriter,
): void {
  const length = row.inputIds.length;
  const proof = certificates
    ? (part: EncodedChat, start: number) =>
      JSON.stringify({
        line,
        ...(start === 0 ? {} : { start }),
        ...part.certificate,
      })
    : () => null;
  const all = targets(row.labels, 0, length);
  if (all === 0) {
    tally.found.add(codesOf(row, "nothing-trained"));
    const why = row.findings.find(({ code }) => code === "role-not-trained");
    tally.note("nothing-trained", line, why?.detail ?? "No token is trained");
    return;
  }
  if (length <= maxLength) return keep(row, line, tally, writer, proof(row, 0));

  const size = `${count(length)} tokens`;
  switch (overlong) {
    case "error":
      throw new DataError(
        `line ${line} has ${size}, more than --max-length ${maxLength}: ` +
          "--overlong truncate, split or drop would say what to do with it",
      );
    case "drop":
      tally.found.add(codesOf(row));
      tally.note("overlong", line, size);
      return;
    case "truncate": {
      const cut = truncateRow(row, maxLength);
      tally.trainedCut += row.certificate.trainedTokens -
        cut.certificate.trainedTokens;
      if (targets(cut.labels, 0, maxLength) > 0) {
        keep(cut, line, tally, writer, proof(cut, 0));
      } else {
        tally.found.add(codesOf(cut, "nothing-trained"));
        tally.note("cut-away", line, size);
      }
      return;
    }
    case "split":
      for (let start = 0; start < length; start += maxLength) {
        const end = Math.min(start + maxLength, length);
        if (targets(row.labels, start, end) === 0) {
          tally.note(
            "fragment",
            line,
            `tokens ${start} to ${end} of ${length}`,
          );
        } else addFragment(row, start, end, tally, writer, proof(row, start));
      }
      noteFindings(row, line, tally);
  }
}

/** A row as it is. */
function keep(
  row: EncodedChat,
  line: number,
  tally: Tally,
  writer: RecordWriter,
  proof: string | null,
): void {
  addFragment(row, 0, row.inputIds.length, tally, writer, proof);
  noteFindings(row, line, tally);
}

/** Tokens `start` to `end` of a row. */
function addFragment(
  { inputIds, labels, weights }: EncodedChat,
  start: number,
  end: number,
  tally: Tally,
  writer: RecordWriter,
  proof: string | null,
): void {
  const part = {
    inputIds: inputIds.subarray(start, end),
    labels: labels.subarray(start, end),
    weights: weights.subarray(start, end),
  };
  writer.add(part, proof);
  tally.rows++;
  tally.tokens += end - start;
  for (const label of part.labels) if (label !== IGNORE_INDEX) tally.trained++;
}

/** Counts what is odd about a row, each kind once. */
function noteFindings(row: EncodedChat, line: number, tally: Tally): void {
  tally.found.add(codesOf(row));
  const seen = new Set<string>();
  for (const { code, detail } of row.findings) {
    if (seen.has(code)) continue;
    seen.add(code);
    tally.note(`finding:${code}`, line, detail);
  }
}

/** What was found in a row, and what else is true of it. */
function codesOf({ findings }: EncodedChat, ...more: FindingCode[]): string[] {
  return [...findings.map(({ code }) => code), ...more];
}

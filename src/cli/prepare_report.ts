/**
 * What `prepare` says when it is done: what was written, and what became of
 * every conversation that was not.
 *
 * @module
 */
import { count, counted, percent } from "../report/paint.ts";
import { wrapWords } from "../report/visible.ts";
import { findingWords, refusalWords } from "../report/words.ts";
import { filesOf } from "./outputs.ts";
import type { Job } from "./prepare_options.ts";
import { duration } from "./progress.ts";
import type { Event, Tally } from "./tally.ts";

/** What was written. */
export interface Written {
  /** Rows. */
  readonly rows: number;
  /** Tokens of the longest. */
  readonly longest: number;
  /** Tokens per place in the packs; null where nothing is packed. */
  readonly fill: number | null;
  /** Trained tokens that are no targets: their documents begin with them. */
  readonly lostTargets: number;
}

/** What became of a file, for people. */
export function reportPrepared(
  tally: Tally,
  { output, maxLength }: Pick<Job, "output" | "maxLength">,
  { rows, longest, fill, lostTargets }: Written,
  seconds: number,
  columns: number | undefined,
): string {
  const lines = [
    `${filesOf(output)}: ${counted(rows, "row")} of up to ${
      counted(longest, "token")
    } from ${counted(tally.conversations, "conversation")}`,
    fact(
      "trained",
      `${count(tally.trained)} of ${counted(tally.tokens, "token")} (${
        percent(tally.trained / tally.tokens)
      })`,
    ),
  ];
  if (fill !== null) {
    const words = `${counted(tally.rows, "document")}, ${percent(fill)} full`;
    lines.push(fact("packed", words));
  }
  if (lostTargets > 0) {
    const words = counted(lostTargets, "trained token");
    lines.push(fact("borders", `${words} first in a document, not learnt`));
  }
  const rate = count(Math.round(tally.conversations / seconds));
  const time = `${duration(seconds)}, ${rate} conversations/s`;
  return lines.map((line) => `${line}\n`).join("") +
    reportEvents(tally, maxLength, columns) + `${fact("time", time)}\n`;
}

/** The same for programs. */
export function summaryOf(
  tally: Tally,
  output: string,
  written: Written,
): Record<string, unknown> {
  return {
    output,
    ...written,
    conversations: tally.conversations,
    documents: tally.rows,
    tokens: tally.tokens,
    trainedTokens: tally.trained,
    trainedTokensCut: tally.trainedCut,
    events: Object.fromEntries(tally.events),
  };
}

/** What happened to rows: refused, left out, cut, then what was found. */
export function reportEvents(
  tally: Tally,
  maxLength: number,
  columns: number | undefined,
): string {
  const lines: string[] = [];
  const tell = (event: Event, title: string, words: (n: string) => string) => {
    const found = tally.events.get(event);
    if (found === undefined) return;
    const unit = title === "refused" ? "chat" : "row";
    lines.push(fact(title, words(counted(found.times, unit))));
    for (const { line, detail } of found.examples) {
      const note = `line ${line}${detail === "" ? "" : `: ${detail}`}`;
      // on paper a note stays one line, for grep
      const wrapped = columns === undefined
        ? [note]
        : wrapWords(note, Math.max(columns, 40) - 6);
      lines.push(
        ...wrapped.map((text, i) => `${i === 0 ? "    " : "      "}${text}`),
      );
    }
    const more = found.times - found.examples.length;
    if (more > 0) lines.push(`    and ${count(more)} more`);
  };
  for (const [event, code] of eventsOf(tally, "refused:")) {
    tell(event, "refused", (n) => `${n}: ${refusalWords(code)}`);
  }
  tell("nothing-trained", "left out", (n) => `${n} with nothing to train`);
  tell(
    "cut-away",
    "left out",
    (n) => `${n} with nothing to train once cut at ${maxLength} tokens`,
  );
  tell("overlong", "left out", (n) => `${n} longer than ${maxLength} tokens`);
  tell(
    "fragment",
    "left out",
    (n) => `${n} that train nothing, cut from a longer one`,
  );
  if (tally.trainedCut > 0) {
    const words = counted(tally.trainedCut, "trained token");
    lines.push(fact("cut", `${words} behind the first ${maxLength} of a row`));
  }
  for (const [event, code] of eventsOf(tally, "finding:")) {
    tell(event, "found", (n) => `${findingWords(code).title} in ${n}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function eventsOf(tally: Tally, kind: string): [event: Event, code: string][] {
  return [...tally.events.keys()].filter((event) => event.startsWith(kind))
    .map((event) => [event, event.slice(kind.length)]);
}

function fact(title: string, words: string): string {
  return `  ${title.padEnd(10)}${words}`;
}

/**
 * What became of a file's rows, in counts with the first lines of each, small
 * enough to be sent by a worker and added up in the order of the file.
 *
 * @module
 */
import { oneLine } from "./errors.ts";
import { FoundRows } from "./fail_on.ts";

/** A line, and something about it. */
export interface Note {
  /** Where it stands in its file. */
  readonly line: number;
  /** In words, "" where the line says all. */
  readonly detail: string;
}

/** How often something happened. */
export interface Count {
  /** Times. */
  times: number;
  /** The first of them. */
  readonly examples: Note[];
}

/**
 * What can happen to a row, beside findings (`finding:CODE`) and refusals
 * (`refused:REASON`).
 *
 * - `cut-away`: the cut left nothing to train, so the row is left out
 * - `nothing-trained`: there never was anything
 * - `overlong`: it is too long and left out, as was asked for
 * - `fragment`: a fragment of a long row trains nothing and is left out
 */
export type Event =
  | `finding:${string}`
  | `refused:${string}`
  | "cut-away"
  | "nothing-trained"
  | "overlong"
  | "fragment";

/** How many lines are named of each. */
const EXAMPLES = 5;

/** Longer words of a line are cut. */
const MOST_WORDS = 300;

/** What is left of a tally that was sent. */
type Sent =
  & Omit<Tally, "note" | "add" | "times" | "refused" | "found">
  & { readonly found: Pick<FoundRows, "rows" | "counts"> };

/** Counts over rows; plain data but for its methods. */
export class Tally {
  /** Conversations that were read, refused ones too. */
  conversations = 0;
  /** Rows that go on. */
  rows = 0;
  /** Their tokens. */
  tokens = 0;
  /** Those of them that are trained. */
  trained = 0;
  /** Trained tokens that the cut took. */
  trainedCut = 0;
  /** What happened. */
  readonly events: Map<Event, Count> = new Map();
  /** Rows that were made, also those that do not go on, by what was found in them. */
  readonly found: FoundRows = new FoundRows();

  /** Counts an event of a line. */
  note(event: Event, line: number, detail = ""): void {
    const count = this.#count(event);
    count.times++;
    const isNamed = count.examples.at(-1)?.line === line; // rows of one chat
    if (isNamed || count.examples.length >= EXAMPLES) return;
    const words = oneLine(detail);
    count.examples.push({
      line,
      detail: words.length > MOST_WORDS
        ? `${words.slice(0, MOST_WORDS)}…`
        : words,
    });
  }

  /** Adds what came later in the file; it may have been sent by a worker. */
  add(later: Sent): void {
    this.conversations += later.conversations;
    this.rows += later.rows;
    this.tokens += later.tokens;
    this.trained += later.trained;
    this.trainedCut += later.trainedCut;
    this.found.merge(later.found);
    for (const [event, { times, examples }] of later.events) {
      const count = this.#count(event);
      count.times += times;
      count.examples.push(
        ...examples.slice(0, EXAMPLES - count.examples.length),
      );
    }
  }

  /** Chats that did not become rows. */
  get refused(): number {
    let chats = 0;
    for (const [event, { times }] of this.events) {
      if (event.startsWith("refused:")) chats += times;
    }
    return chats;
  }

  /** How often something happened. */
  times(event: Event): number {
    return this.events.get(event)?.times ?? 0;
  }

  #count(event: Event): Count {
    let count = this.events.get(event);
    if (count === undefined) {
      this.events.set(event, count = { times: 0, examples: [] });
    }
    return count;
  }
}

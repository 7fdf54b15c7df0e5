/**
 * Whether rows that lie outside the shared memory are worth giving to other
 * threads. The caller's thread alone can copy them, and where processors are far
 * apart it writes at 2 GB/s instead of 20 to memory that still lies in another's
 * cache: then it has scored a row in less time than it takes to give it away. Which
 * it is depends on where the system has put the threads this minute, so it is
 * measured.
 *
 * @module
 */

/** How much of its own time a piece may cost to give away. */
const WORTH = 0.9;

/**
 * After so many pieces kept, some are given away to see whether that has changed.
 * Several, and the best of them counts, for the first finds everybody asleep and
 * any may be interrupted; where processors are far apart all are slow.
 */
const ASK_AFTER = 256, ASKED = 8;

/** What it costs to keep a piece and to give it away. */
export class Trade {
  /** Milliseconds a byte of copying for others, in and out: of the last few pieces. */
  readonly #rates: number[] = [];
  /** Milliseconds a byte of a piece of this job that was kept, all of it. */
  #own = Infinity;
  #kept = 0;
  #asking = ASKED;

  /** A new job: what its rows cost to score is not known. */
  begin(): void {
    this.#own = Infinity;
  }

  /** Whether the next piece is to be given away; the first of a job never is. */
  gives(): boolean {
    if (this.#own === Infinity) return false;
    return this.#asking > 0 || Math.min(...this.#rates) < WORTH * this.#own;
  }

  /** A piece was kept. */
  keep(milliseconds: number, bytes: number): void {
    // the first rows of a job find everything cold, so the least counts
    this.#own = Math.min(this.#own, milliseconds / bytes);
    if (++this.#kept < ASK_AFTER) return;
    this.#kept = 0;
    this.#asking = ASKED;
  }

  /** A piece was given away, and taken back. */
  give(milliseconds: number, bytes: number): void {
    this.#rates.push(milliseconds / bytes);
    if (this.#rates.length > ASKED) this.#rates.shift();
    if (this.#asking > 0) this.#asking--;
  }
}

/**
 * One line on a terminal that says how far it is, how fast, and how long it will
 * take. Where nobody looks, nothing is written.
 *
 * @module
 */
import { count } from "../report/paint.ts";
import { clip } from "../report/visible.ts";
import type { CliIo } from "./io.ts";

/** Milliseconds between two looks of the line. */
const EVERY = 100;

/** Says how far some work is. */
export class Progress {
  readonly #io: CliIo;
  readonly #title: string;
  readonly #unit: string;
  readonly #start = performance.now();
  #shown = -Infinity;

  /** Progress of work that counts `unit`, such as rows. */
  constructor(io: CliIo, title: string, unit: string) {
    this.#io = io;
    this.#title = title;
    this.#unit = unit;
  }

  /** So many are done, and this share of the whole, where it is known. */
  async show(done: number, share: number | undefined): Promise<void> {
    if (!this.#io.stderr.isTerminal) return;
    const now = performance.now();
    if (now - this.#shown < EVERY) return;
    this.#shown = now;
    const seconds = (now - this.#start) / 1000;
    const text = describe(this.#title, this.#unit, done, share, seconds);
    const width = (this.#io.stderr.columns ?? 80) - 1;
    await this.#io.stderr.write(`\r${clip(text, width)}\x1b[K`);
  }

  /** Takes the line away. */
  async end(): Promise<void> {
    if (this.#shown > -Infinity) await this.#io.stderr.write("\r\x1b[K");
  }
}

/** What the line says. */
export function describe(
  title: string,
  unit: string,
  done: number,
  share: number | undefined,
  seconds: number,
): string {
  const parts = [`${count(done)} ${unit}`];
  if (share !== undefined) {
    parts.unshift(`${String(Math.floor(100 * share)).padStart(3)} %`);
  }
  // the first second says little of the rest
  if (seconds >= 1) {
    parts.push(`${count(Math.round(done / seconds))} ${unit}/s`);
    if (share !== undefined && share > 0) {
      parts.push(`${duration(seconds * (1 / share - 1))} left`);
    }
  }
  return `${title}  ${parts.join("  ")}`;
}

/** A time in words: `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

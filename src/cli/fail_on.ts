/**
 * `--fail-on`: how much of what may be found. Without it what was found is told,
 * and nothing fails.
 *
 * @module
 */
import { FINDING_WORDS, type Level } from "../report/mod.ts";
import { counted, percent } from "../report/paint.ts";
import { findingWords, LEVEL_MARKS } from "../report/words.ts";
import { UsageError } from "./errors.ts";
import { nearest, quote } from "./options.ts";

/** The levels, the gravest first. */
const LEVELS = Object.keys(LEVEL_MARKS) as Level[];

/** What can be counted beside codes and levels, in words. */
const OTHERS = {
  any: "with a finding",
  refused: "refused",
  duplicates: "that occur before",
  "answers-cut": "whose answer would be cut at --max-length",
} as const;

/** What can be counted beside codes and levels. */
export type Other = keyof typeof OTHERS;

/** What help says of it, where these others can be counted. */
export function failOnHelp(act: string, others: readonly Other[]): string {
  return `${act} above this. WHAT is a level (${
    LEVELS.join(", ")
  }, each with the graver ones and what is refused), a finding such as nothing-trained, or ${
    others.join(", ")
  }; LIMIT is a number of rows or a share such as 1%, 0 unless said. A LIMIT alone means any`;
}

/** A limit. */
export interface Limit {
  /** What is counted. */
  readonly what: string;
  /** How many rows may have it, or which share of them. */
  readonly most: number;
  /** Whether it is a share. */
  readonly isShare: boolean;
}

/** Reads limits such as `nothing-trained`, `serious=1%`, `5`. */
export function readLimits(
  texts: readonly string[],
  others: readonly Other[],
): Limit[] {
  return texts.map((text) => {
    const [what, limit] = /^[\d.]+%?$/.test(text)
      ? ["any", text]
      : text.includes("=")
      ? [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]
      : [text, "0"];
    const known = [
      ...LEVELS,
      ...others,
      ...Object.keys(FINDING_WORDS),
    ];
    if (!known.includes(what!)) {
      const near = nearest(what!, known);
      throw new UsageError(
        `--fail-on knows no ${quote(what!)}` +
          (near === null
            ? `: it must be one of ${known.join(", ")}`
            : `: did you mean ${near}?`),
      );
    }
    const isShare = limit!.endsWith("%");
    const number = Number(isShare ? limit!.slice(0, -1) : limit);
    const isGood = /^\d+(\.\d+)?%?$/.test(limit!) &&
      (isShare ? number <= 100 : Number.isSafeInteger(number));
    if (!isGood) {
      throw new UsageError(
        `--fail-on ${what} must be a number of rows or a share such as 1%: got ${
          quote(limit!)
        }`,
      );
    }
    return { what: what!, most: isShare ? number / 100 : number, isShare };
  });
}

/** Rows by what was found in them; plain data but for its methods. */
export class FoundRows {
  /** Rows that were looked at. */
  rows = 0;
  /** Of each code and level, rows in which it, or for a level a graver one, was found. */
  readonly counts: Map<string, number> = new Map();

  /** Adds a row with these findings, each code once or more. */
  add(codes: Iterable<string>): void {
    this.rows++;
    const found = new Set(codes);
    if (found.size === 0) return;
    const levels = [...found].map((code) =>
      LEVELS.indexOf(findingWords(code).level)
    );
    const gravest = Math.min(...levels);
    const names = [...found, "any", ...LEVELS.slice(gravest)];
    for (const name of names) this.#count(name, 1);
  }

  /** Adds rows that were counted elsewhere. */
  merge({ rows, counts }: Pick<FoundRows, "rows" | "counts">): void {
    this.rows += rows;
    for (const [name, count] of counts) this.#count(name, count);
  }

  /** What is above its limit, in words. */
  above(
    limits: readonly Limit[],
    others: Readonly<Partial<Record<Other, number>>>,
  ): string[] {
    const refused = others.refused ?? 0;
    const all = this.rows + refused;
    return limits.flatMap(({ what, most, isShare }) => {
      // what is refused is worse than any finding
      const counts = what === "any" || LEVELS.includes(what as Level);
      const found = others[what as Other] ??
        (this.counts.get(what) ?? 0) + (counts ? refused : 0);
      if (found <= (isShare ? most * all : most)) return [];
      const graver = LEVELS.slice(0, LEVELS.indexOf(what as Level) + 1);
      const words = counts
        ? `${refused > 0 ? "refused or " : ""}with a finding${
          what === "any" ? "" : ` that is ${graver.join(" or ")}`
        }`
        : what in OTHERS
        ? OTHERS[what as Other]
        : `with ${findingWords(what).title}`;
      const limit = isShare ? percent(most) : String(most);
      return [
        `${
          counted(found, "row")
        } ${words}, more than --fail-on allows (${limit})`,
      ];
    });
  }

  #count(name: string, count: number): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + count);
  }
}

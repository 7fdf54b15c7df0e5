/**
 * `--fail-on`: how much of what may be found. Without it an audit only tells.
 *
 * @module
 */
import { FINDING_WORDS, type Level, type Summary } from "../report/mod.ts";
import { counted, percent } from "../report/paint.ts";
import { findingWords, LEVEL_MARKS } from "../report/words.ts";
import { UsageError } from "./errors.ts";
import { nearest, quote } from "./options.ts";

/** The levels, the gravest first. */
const LEVELS = Object.keys(LEVEL_MARKS) as Level[];

/** What can be counted beside codes and levels. */
const OTHERS = {
  any: "with a finding",
  refused: "refused",
  duplicates: "that occur before",
  "answers-cut": "whose answer would be cut at --max-length",
} as const;

/** What help says of it. */
export const FAIL_ON_HELP: string = `exit 1 above this. WHAT is a level (${
  LEVELS.join(", ")
}, each with the graver ones), a finding such as nothing-trained, or ${
  Object.keys(OTHERS).join(", ")
}; LIMIT is a number of rows or a share such as 1%, 0 unless said. A LIMIT alone means any`;

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
export function readLimits(texts: readonly string[]): Limit[] {
  return texts.map((text) => {
    const [what, limit] = /^[\d.]+%?$/.test(text)
      ? ["any", text]
      : text.includes("=")
      ? [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]
      : [text, "0"];
    const known = [
      ...LEVELS,
      ...Object.keys(OTHERS),
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

/** Counts rows by what was found in them. */
export class FoundRows {
  readonly #rows = new Map<string, number>();

  /** Adds a row with these findings, each code once or more. */
  add(codes: Iterable<string>): void {
    const found = new Set(codes);
    if (found.size === 0) return;
    const levels = [...found].map((code) =>
      LEVELS.indexOf(findingWords(code).level)
    );
    const gravest = Math.min(...levels);
    const names = [...found, "any", ...LEVELS.slice(gravest)];
    for (const name of names) {
      this.#rows.set(name, (this.#rows.get(name) ?? 0) + 1);
    }
  }

  /** What is above its limit, in words. */
  above(limits: readonly Limit[], summary: Summary): string[] {
    const all = summary.rows + summary.refused;
    return limits.flatMap(({ what, most, isShare }) => {
      const found = what === "refused"
        ? summary.refused
        : what === "duplicates"
        ? summary.duplicates.rows
        : what === "answers-cut"
        ? summary.overlong?.answersCut ?? 0
        : this.#rows.get(what) ?? 0;
      if (found <= (isShare ? most * all : most)) return [];
      const words = what in OTHERS
        ? OTHERS[what as keyof typeof OTHERS]
        : LEVELS.includes(what as Level)
        ? `with a finding that is ${
          LEVELS.slice(0, LEVELS.indexOf(what as Level) + 1).join(" or ")
        }`
        : `with ${findingWords(what).title}`;
      const limit = isShare ? percent(most) : String(most);
      return [
        `${
          counted(found, "row")
        } ${words}, more than --fail-on allows (${limit})`,
      ];
    });
  }
}

/**
 * What is known of a whole file: plain data that JSON keeps, made by `Audit`.
 * Nothing here computes.
 *
 * @module
 */
import type { FindingCode } from "../row.ts";
import type { CellReason } from "./words.ts";

/** A kind of finding over a file. */
export interface FindingCount {
  /** What it is. */
  code: FindingCode;
  /** How often it was found. */
  findings: number;
  /** In how many rows. */
  rows: number;
  /** The first of those rows, each once, with what was seen there first. */
  examples: LineNote[];
}

/** Chats that did not become rows, or rows that could not be read, of one kind. */
export interface RefusalCount {
  /** The kind, as the error names it. */
  reason: string;
  /** How many. */
  chats: number;
  /** The first of them, with the error's words. */
  examples: LineNote[];
}

/** A line of the file, and something about it. */
export interface LineNote {
  /** The line, the first being 1. */
  line: number;
  /** In words. */
  detail: string;
}

/** Tokens of one role. */
export interface RoleShare {
  /** The role; null for what nobody says (the template's own text), and for rows without roles. */
  role: string | null;
  /** How many messages have a token of it. */
  messages: number;
  /** How many tokens. */
  tokens: number;
  /** How many of them are trained. */
  trained: number;
}

/** Tokens of one reason. */
export interface ReasonShare {
  /** Why they are or are not trained. */
  reason: CellReason;
  /** How many tokens. */
  tokens: number;
  /** How many of them are trained: all or none, unless a file disagrees with itself. */
  trained: number;
}

/** How long a row is. */
export interface RowLength {
  /** Its line. */
  line: number;
  /** Its tokens. */
  tokens: number;
  /** How many of them are trained. */
  trained: number;
}

/** A file of rows in numbers. JSON keeps all of it. */
export interface Summary {
  /** Rows, in all. */
  rows: number;
  /** Chats that did not become rows, and rows that could not be read. */
  refused: number;
  /** Tokens, in all. */
  tokens: number;
  /** Trained tokens, in all. */
  trainedTokens: number;
  /** Trained tokens per token. */
  share: {
    /** Of all tokens together. */
    overall: number;
    /** The mean over rows. */
    mean: number;
    /** The row with the least; null where there is no row. */
    min: { line: number; share: number } | null;
    /** [10] rows by their share: below 10 %, below 20 %, ..., up to 100 %. */
    histogram: number[];
  };
  /** Rows in which nothing is trained, and the first of their lines. */
  nothingTrained: { rows: number; lines: number[] };
  /** Turns that are trained, those of them whose stop is trained too, and rows where one is not. */
  stops: {
    turns: number;
    trained: number;
    rowsWithout: number;
    lines: number[];
  };
  /** Rows with tokens that cover an edge of what is trained. */
  straddling: { rows: number; tokens: number };
  /** What was found, the gravest first, then the most frequent. */
  findings: FindingCount[];
  /** Refusals by reason, the most frequent first. */
  refusals: RefusalCount[];
  /** Rows whose ids and labels an earlier one has too. */
  duplicates: {
    /** How many. */
    rows: number;
    /** How many rows were compared: all, unless there are more than an audit remembers. */
    compared: number;
    /** The first of them, with the line that has the same. */
    examples: { line: number; first: number }[];
  };
  /** Tokens by role, the most first. */
  roles: RoleShare[];
  /** Tokens by reason, the most first. */
  reasons: ReasonShare[];
  /** The longest rows, the longest first. */
  longest: RowLength[];
  /** What a cut at `maxLength` would take; null where none was asked about. */
  overlong: {
    /** The most tokens a row may have. */
    maxLength: number;
    /** Rows that have more. */
    rows: number;
    /** Those of them that would lose trained tokens. */
    answersCut: number;
    /** Those that would lose all of them. */
    answersLost: number;
    /** Trained tokens that would be lost. */
    trainedTokensCut: number;
    /** The first of the rows that would lose some. */
    lines: number[];
  } | null;
}

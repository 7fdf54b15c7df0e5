/**
 * The two ways in which a command ends badly, and the exit code of each. An
 * error is one line that says what was wanted; nobody is shown a stack.
 *
 * | code | |
 * |---|---|
 * | 0 | it is done, and clean |
 * | 1 | the data: findings above `--fail-on`, a file that is refused, no row that survives |
 * | 2 | the command: an option, a file that is not there, a folder that cannot be written |
 * | 128 + n | ended by signal n: 130 Ctrl-C, 143 kill, 141 the reader of a pipe went away |
 *
 * @module
 */
import { inline } from "../report/visible.ts";

/** The command line asks for what cannot be done: exit code 2. */
export class UsageError extends Error {
  /** `"UsageError"`. */
  override readonly name: string = "UsageError";
}

/** The data cannot be used: exit code 1. */
export class DataError extends Error {
  /** `"DataError"`. */
  override readonly name: string = "DataError";
}

/** Whoever read the output has gone, as in `| head -1`: no error at all. */
export class PipeClosed extends Error {
  /** `"PipeClosed"`. */
  override readonly name: string = "PipeClosed";
}

/** What the system says when a file cannot be used, in a few words. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBUSY: "it is busy",
  EEXIST: "it exists already",
  EFBIG: "the file would be too large",
  EIO: "the device failed",
  EISDIR: "it is a folder",
  ELOOP: "too many symbolic links",
  EMFILE: "too many files are open",
  ENAMETOOLONG: "its name is too long",
  ENOENT: "no such file",
  ENOSPC: "no space is left on the device",
  ENOTDIR: "a part of its path is no folder",
  EPERM: "it is not permitted",
  EROFS: "the file system is read-only",
};

/** Why a file could not be used. */
export function fileReason(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === "string" && code in REASONS) return REASONS[code]!;
  return oneLine(error instanceof Error ? error.message : String(message));
}

/** An error's words on one line, with nothing in them that a terminal would obey. */
export function oneLine(message: string): string {
  return inline(message.trim());
}

// Controls beyond ASCII's, and what turns a line around (Unicode UAX #9).
const OBEYED = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A value as one line of JSON, with nothing in it that a terminal would obey. */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value).replace(
    OBEYED,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `${json}\n`;
}

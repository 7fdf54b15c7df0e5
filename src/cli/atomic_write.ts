/**
 * Files that are whole or not there. What is written goes into a file beside the
 * target; only when all of it is on the disk does it take the target's name. An
 * error, Ctrl-C or a kill takes the file beside the target away again.
 *
 * @module
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileReason, oneLine, UsageError } from "./errors.ts";
import type { CliIo } from "./io.ts";

let made = 0;

/** A path beside `target` that nobody else uses. */
export function pathBeside(target: string, kind: string): string {
  const name = `.${basename(target)}.${process.pid}-${made++}.${kind}`;
  return join(dirname(target), name);
}

/** Where a path leads: a link's target is replaced, not the link. */
function targetOf(path: string): string {
  let stat;
  try {
    stat = statSync(path);
  } catch {
    return path; // it is to be made
  }
  if (stat.isFile()) return realpathSync(path);
  throw new UsageError(
    `cannot write ${oneLine(path)}: it is ${
      stat.isDirectory() ? "a folder" : "no ordinary file"
    }`,
  );
}

/** Whether two paths lead to one file. */
export function isSameFile(a: string, b: string): boolean {
  try {
    const one = statSync(a);
    const other = statSync(b);
    return one.ino === other.ino && one.dev === other.dev;
  } catch {
    return false;
  }
}

/** A file that is being written. */
export class AtomicFile {
  /** The path it will have. */
  readonly path: string;
  readonly #target: string;
  readonly #temporary: string;
  readonly #forget: () => void;
  #descriptor: number | null = null;
  #position = 0;

  /**
   * Makes the file beside `path`.
   *
   * @throws {UsageError} It cannot be made.
   */
  constructor(path: string, io: CliIo) {
    this.path = path;
    this.#target = targetOf(path);
    this.#temporary = pathBeside(this.#target, "part");
    this.#forget = io.onInterrupt(() => this.discard());
    try {
      this.#descriptor = openSync(this.#temporary, "wx");
    } catch (error) {
      this.#forget();
      throw this.#failure(error);
    }
  }

  /** Writes bytes behind those that were appended. */
  append(bytes: Uint8Array): void {
    this.writeAt(bytes, this.#position);
    this.#position += bytes.length;
  }

  /** Writes bytes at a place of the file. */
  writeAt(bytes: Uint8Array, position: number): void {
    try {
      writeAll(this.#descriptor!, bytes, position);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Gives the file its name. */
  commit(): void {
    try {
      fsyncSync(this.#descriptor!);
      closeSync(this.#descriptor!);
      this.#descriptor = null;
      renameSync(this.#temporary, this.#target);
    } catch (error) {
      throw this.#failure(error);
    }
    this.#forget();
  }

  /** Takes the file away, unless it has its name. */
  discard(): void {
    this.#forget();
    try {
      if (this.#descriptor !== null) closeSync(this.#descriptor);
      this.#descriptor = null;
      unlinkSync(this.#temporary);
    } catch {
      // it is not there any more
    }
  }

  #failure(error: unknown): UsageError {
    const isMissing = (error as { code?: unknown }).code === "ENOENT" &&
      !existsSync(dirname(this.#target));
    const reason = isMissing ? "its folder does not exist" : fileReason(error);
    return new UsageError(`cannot write ${oneLine(this.path)}: ${reason}`);
  }
}

/** Writes all bytes at a place of a file. */
export function writeAll(
  descriptor: number,
  bytes: Uint8Array,
  position: number,
): void {
  for (let at = 0; at < bytes.length;) {
    at += writeSync(
      descriptor,
      bytes,
      at,
      bytes.length - at,
      position + at,
    );
  }
}

/**
 * Rows on disk, so that memory holds their lengths only: 13 bytes a row. They
 * are written in the order of the file and read in any other, a stretch at a
 * time, as packing wants them.
 *
 *     record   tokens               weights            certificate
 *              4 bytes each         8 bytes each       JSON
 *              id where trained,    where one is       where they are
 *              else ~id             not 1              asked for
 *
 * A row is in the machine's byte order; the file lives as long as its process.
 *
 * @module
 */
import { closeSync, existsSync, openSync, readSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { IGNORE_INDEX } from "../contract.ts";
import { pathBeside, writeAll } from "./atomic_write.ts";
import { fileReason, oneLine, UsageError } from "./errors.ts";
import type { CliIo } from "./io.ts";

/** Records of some rows, one behind the other. */
export interface Records {
  /** All of their bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** [R] tokens of each. */
  readonly lengths: Int32Array;
  /** [R] bytes of each. */
  readonly sizes: Int32Array;
  /** [R] 1 where it has weights. */
  readonly weighted: Uint8Array;
}

/** What of a row is kept. */
export interface SpilledRow {
  /** [N] token ids. */
  readonly inputIds: Int32Array;
  /** [N] labels aligned with the ids. */
  readonly labels: Int32Array;
  /** [N] loss weights, where one of a trained token is not 1. */
  readonly weights?: Float64Array;
}

/** Makes records of rows. */
export class RecordWriter {
  readonly #parts: Uint8Array[] = [];
  readonly #lengths: number[] = [];
  readonly #sizes: number[] = [];
  readonly #weighted: number[] = [];

  /** Adds a row, and what proves it. */
  add(
    { inputIds, labels, weights }: SpilledRow,
    certificate: string | null,
  ): void {
    const tokens = new Int32Array(inputIds.length);
    let isWeighted = false;
    for (let t = 0; t < tokens.length; t++) {
      const isTrained = labels[t] !== IGNORE_INDEX;
      tokens[t] = isTrained ? inputIds[t]! : ~inputIds[t]!;
      if (isTrained && weights !== undefined && weights[t] !== 1) {
        isWeighted = true;
      }
    }
    const parts = [bytesOf(tokens)];
    if (isWeighted) parts.push(bytesOf(weights!.slice()));
    if (certificate !== null) {
      parts.push(new TextEncoder().encode(certificate));
    }
    this.#parts.push(...parts);
    this.#lengths.push(tokens.length);
    this.#sizes.push(parts.reduce((size, part) => size + part.length, 0));
    this.#weighted.push(isWeighted ? 1 : 0);
  }

  /** The records. */
  finish(): Records {
    const sizes = Int32Array.from(this.#sizes);
    const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return {
      bytes,
      lengths: Int32Array.from(this.#lengths),
      sizes,
      weighted: Uint8Array.from(this.#weighted),
    };
  }
}

function bytesOf({ buffer }: Int32Array | Float64Array): Uint8Array {
  return new Uint8Array(buffer);
}

/** Numbers that come one after the other, in an array that doubles. */
class Growing<T extends Int32Array | Float64Array | Uint8Array> {
  #values: T;
  #length = 0;
  readonly #make: (length: number) => T;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#values = make(1024);
  }

  get length(): number {
    return this.#length;
  }

  get values(): T {
    return this.#values.subarray(0, this.#length) as T;
  }

  at(index: number): number {
    return this.#values[index]!;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const longer = this.#make(2 * this.#length);
      longer.set(this.#values as never);
      this.#values = longer;
    }
    this.#values[this.#length++] = value;
  }
}

/** Rows in a file without a name. */
export class Spill {
  readonly #target: string;
  readonly #path: string;
  readonly #descriptor: number;
  readonly #forget: () => void;
  readonly #offsets = new Growing((n) => new Float64Array(n));
  readonly #lengths = new Growing((n) => new Int32Array(n));
  readonly #weighted = new Growing((n) => new Uint8Array(n));
  #isNamed = true;
  #end = 0;

  /**
   * Makes the file in the folder of `target`, where there is room for what is made of it.
   *
   * @throws {UsageError} It cannot be made.
   */
  constructor(target: string, io: CliIo) {
    this.#target = target;
    this.#path = pathBeside(target, "spill");
    try {
      this.#descriptor = openSync(this.#path, "wx+");
    } catch (error) {
      throw this.#failure(error);
    }
    this.#forget = io.onInterrupt(() => this.close());
    // where an open file may lose its name, not even kill -9 leaves it behind
    try {
      unlinkSync(this.#path);
      this.#isNamed = false;
    } catch {
      // it keeps its name until it is closed
    }
  }

  /** [R] tokens of each row. */
  get lengths(): Int32Array {
    return this.#lengths.values;
  }

  /** Whether a row has weights. */
  get hasWeights(): boolean {
    return this.#weighted.values.includes(1);
  }

  /** How many bytes are on disk. */
  get size(): number {
    return this.#end;
  }

  /** Writes rows behind those that are there. */
  add({ bytes, lengths, sizes, weighted }: Records): void {
    try {
      writeAll(this.#descriptor, bytes, this.#end);
    } catch (error) {
      throw this.#failure(error);
    }
    lengths.forEach((length, i) => {
      this.#offsets.push(this.#end);
      this.#lengths.push(length);
      this.#weighted.push(weighted[i]!);
      this.#end += sizes[i]!;
    });
  }

  /** The tokens of a row from `start`, `length` of them. */
  read(row: number, start: number, length: number): SpilledRow {
    const offset = this.#offsets.at(row);
    const inputIds = new Int32Array(length);
    this.#fill(bytesOf(inputIds), offset + 4 * start);
    const labels = new Int32Array(length);
    for (let t = 0; t < length; t++) {
      const token = inputIds[t]!;
      labels[t] = token < 0 ? IGNORE_INDEX : token;
      if (token < 0) inputIds[t] = ~token;
    }
    if (this.#weighted.at(row) === 0) return { inputIds, labels };
    const weights = new Float64Array(length);
    const at = offset + 4 * this.#lengths.at(row) + 8 * start;
    this.#fill(bytesOf(weights), at);
    return { inputIds, labels, weights };
  }

  /** What proves a row, as it was given. */
  certificate(row: number): string {
    const tokens = this.#lengths.at(row);
    const start = this.#offsets.at(row) + 4 * tokens +
      (this.#weighted.at(row) === 1 ? 8 * tokens : 0);
    const isLast = row === this.#offsets.length - 1;
    const end = isLast ? this.#end : this.#offsets.at(row + 1);
    const bytes = new Uint8Array(end - start);
    this.#fill(bytes, start);
    return new TextDecoder().decode(bytes);
  }

  /** Gives the disk its room back. */
  close(): void {
    this.#forget();
    try {
      closeSync(this.#descriptor);
      if (this.#isNamed) unlinkSync(this.#path);
    } catch {
      // it is gone already
    }
  }

  #fill(bytes: Uint8Array, position: number): void {
    for (let at = 0; at < bytes.length;) {
      const rest = bytes.length - at;
      const count = readSync(this.#descriptor, bytes, at, rest, position + at);
      if (count === 0) throw new Error("the spilled rows are cut short");
      at += count;
    }
  }

  #failure(error: unknown): UsageError {
    const folder = dirname(this.#target);
    const isMissing = (error as { code?: unknown }).code === "ENOENT" &&
      !existsSync(folder);
    const reason = isMissing ? "there is no such folder" : fileReason(error);
    return new UsageError(`cannot write to ${oneLine(folder)}: ${reason}`);
  }
}

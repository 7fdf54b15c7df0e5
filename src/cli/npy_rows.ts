/**
 * A .npy file read some rows at a time, for logits that are larger than memory.
 * Whether the header is one, `decodeNpy` says; here only the shape is read, so
 * that values can be found without reading those before them.
 *
 * @module
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { decodeNpy, type Tensor, type TensorType } from "../formats/mod.ts";
import { sizeOf, tensorOf } from "../formats/tensor.ts";
import { DataError, fileReason, oneLine, UsageError } from "./errors.ts";

/** As much of a file as a header that is read may take. */
const HEAD = 10_012;

/** The shape in a header: at least `(0,)`, which fits where it stood. */
const SHAPE = /(['"]shape['"]\s*:\s*)(\(\s*\d[\d,\s]*\))/;

/** An array in a file. A row is the last dimension. */
export class NpyRows {
  /** What the file is called in messages. */
  readonly name: string;
  /** The size of each dimension. */
  readonly shape: readonly number[];
  /** How values are stored. */
  readonly dtype: TensorType;
  readonly #descriptor: number;
  readonly #start: number;

  /**
   * Opens a file and reads its header.
   *
   * @throws {UsageError} It cannot be opened.
   * @throws {DataError} It is no .npy file that is read here.
   */
  constructor(path: string) {
    this.name = oneLine(path);
    try {
      this.#descriptor = openSync(path, "r");
    } catch (error) {
      throw new UsageError(`cannot read ${this.name}: ${fileReason(error)}`);
    }
    try {
      const stat = fstatSync(this.#descriptor);
      if (!stat.isFile()) {
        throw new UsageError(
          `cannot read ${this.name}: it is no ordinary file`,
        );
      }
      const head = this.#read(0, Math.min(stat.size, HEAD));
      const { start, shape, dtype } = readHead(head, this.name);
      this.#start = start;
      this.shape = shape;
      this.dtype = dtype;
      const wanted = this.rows * this.columns * sizeOf(dtype);
      if (stat.size - start !== wanted) {
        throw new DataError(
          `${this.name} must have ${wanted} bytes of data for its shape [${
            shape.join(", ")
          }]: it has ${stat.size - start}`,
        );
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The size of the last dimension. */
  get columns(): number {
    return this.shape.at(-1)!;
  }

  /** The other dimensions as one. */
  get rows(): number {
    return this.shape.slice(0, -1).reduce((product, n) => product * n, 1);
  }

  /** Rows `start` to before `end`. */
  read(start: number, end: number): Tensor["data"] {
    const rowBytes = this.columns * sizeOf(this.dtype);
    const position = this.#start + start * rowBytes;
    const bytes = this.#read(position, (end - start) * rowBytes);
    return tensorOf(
      "decode npy",
      this.dtype,
      [end - start, this.columns],
      bytes,
    ).data;
  }

  /** Closes the file. */
  close(): void {
    closeSync(this.#descriptor);
  }

  #read(position: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const rest = length - at;
      const count = readSync(this.#descriptor, bytes, at, rest, position + at);
      if (count === 0) throw new DataError(`${this.name} is cut short`);
      at += count;
    }
    return bytes;
  }
}

/** Where the data starts, their shape and their type. */
function readHead(
  head: Uint8Array,
  name: string,
): { start: number; shape: number[]; dtype: TensorType } {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const isFirst = head[6] === 1; // version 1 has a shorter length
  const start = head.length < 12
    ? head.length
    : isFirst
    ? 10 + view.getUint16(8, true)
    : 12 + view.getUint32(8, true);
  const header = head.slice(0, start);
  const found = SHAPE.exec(new TextDecoder("latin1").decode(header));
  const [, key = "", tuple = ""] = found ?? [];
  if (found !== null) {
    // the header of no values: is it one that is read here?
    const empty = "(0,)".padEnd(tuple.length);
    for (let i = 0; i < empty.length; i++) {
      header[found.index + key.length + i] = empty.charCodeAt(i);
    }
  }
  try {
    const { dtype } = decodeNpy(found === null ? head : header);
    if (found === null) {
      throw new SyntaxError("its shape is (): it has no rows");
    }
    const shape = tuple.split(",").map((size) => size.replace(/[()\s]/g, ""))
      .filter((size) => size !== "").map(Number);
    return { start, shape, dtype };
  } catch (error) {
    throw new DataError(`${name}: ${oneLine((error as Error).message)}`);
  }
}

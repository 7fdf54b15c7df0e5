/**
 * The records of a text: its lines, or the elements of the one JSON list it is.
 * Nothing is parsed here, so one record that is broken cannot spoil the others;
 * memory holds one record at a time.
 *
 * @module
 */
import { readView, wrongKind } from "../checks.ts";
import { kindOf } from "../typed_arrays.ts";

/** One record: its text, what its number counts, and its number from 1. */
export interface TextRecord {
  readonly unit: "line" | "element";
  readonly number: number;
  /** The text; where it cannot be had, why. */
  readonly text: string | SyntaxError;
}

/**
 * Cuts text or bytes that come in pieces of any size into lines, at line feeds
 * and nowhere else (U+2028 is an ordinary character of JSON, so `node:readline`
 * is no help). The line feed is not part of the line.
 *
 * @param chunks The pieces, all text or all bytes.
 * @returns The lines, as text or as bytes.
 * @throws {TypeError} When a piece is neither, or there are none to ask for.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { splitLines } from "@sft/loss/formats";
 *
 * const lines = await Array.fromAsync(splitLines(["a\nb", "c\n"]));
 * assertEquals(lines, ["a", "bc"]);
 * ```
 */
export async function* splitLines<T extends string | Uint8Array>(
  chunks: Iterable<T> | AsyncIterable<T>,
): AsyncGenerator<string | Uint8Array, void, void> {
  if (
    typeof chunks !== "object" || chunks === null ||
    !(Symbol.iterator in chunks || Symbol.asyncIterator in chunks)
  ) {
    wrongKind(
      "split lines",
      "chunks must give one piece after another",
      chunks,
    );
  }
  let pending: T[] = []; // pieces of the line that has begun
  for await (const given of chunks) {
    const chunk = readChunk(given);
    let from = 0;
    for (let to; (to = feedAt(chunk, from)) >= 0; from = to + 1) {
      pending.push(cut(chunk, from, to));
      yield join(pending);
      pending = [];
    }
    if (from < chunk.length) pending.push(cut(chunk, from, chunk.length));
  }
  if (pending.length > 0) yield join(pending);
}

/** Text as it is, bytes as plain ones: the slice of Node's Buffer does not copy. */
function readChunk<T extends string | Uint8Array>(chunk: T): T {
  if (typeof chunk === "string") return chunk;
  if (kindOf(chunk) !== "Uint8Array") {
    wrongKind("split lines", "chunks must be text or bytes", chunk);
  }
  return readView("split lines", "chunks", chunk);
}

function feedAt(chunk: string | Uint8Array, from: number): number {
  return typeof chunk === "string"
    ? chunk.indexOf("\n", from)
    : chunk.indexOf(10, from);
}

/** A copy, as whoever reads a file may fill the same bytes again. */
function cut<T extends string | Uint8Array>(
  chunk: T,
  from: number,
  to: number,
): T {
  return chunk.slice(from, to) as T;
}

function join(pieces: (string | Uint8Array)[]): string | Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  if (typeof pieces[0] === "string") return pieces.join("");
  const bytes = new Uint8Array(
    pieces.reduce((length, piece) => length + piece.length, 0),
  );
  let at = 0;
  for (const piece of pieces as Uint8Array[]) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** A line as text, or why it is none. */
export function decodeLine(line: string | Uint8Array): string | SyntaxError {
  if (typeof line === "string") return line;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(line);
  } catch (cause) {
    return new SyntaxError("not UTF-8", { cause });
  }
}

/**
 * Cuts a JSON list into the texts of its elements, line by line. Strings and
 * brackets are followed, nothing else; an element whose quotes or brackets do
 * not close takes what follows with it.
 */
export class ListCutter {
  #depth = 0;
  #inString = false;
  #element: string[] = [];
  #count = 0;
  #hasComma = false;
  #isOver = false;

  /** The elements that end in this text. The first text begins with the list's bracket. */
  *push(text: string): Generator<TextRecord, void, void> {
    const marks = /["\\[\]{},]/g;
    let from = 0; // where what is not yet kept begins
    for (let mark; !this.#isOver && (mark = marks.exec(text)) !== null;) {
      const at = mark.index;
      if (this.#inString) {
        if (mark[0] === "\\") marks.lastIndex = at + 2;
        else if (mark[0] === '"') this.#inString = false;
        continue;
      }
      switch (mark[0]) {
        case '"':
          this.#inString = true;
          break;
        case "[":
        case "{":
          if (this.#depth++ === 0) from = at + 1;
          break;
        case ",":
          if (this.#depth !== 1) break;
          yield this.#next(text.slice(from, at));
          this.#hasComma = true;
          from = at + 1;
          break;
        case "]":
        case "}":
          if (--this.#depth > 0) break;
          this.#isOver = true;
          this.#element.push(text.slice(from, at));
          if (this.#hasComma || !this.#isBlank()) yield this.#next("");
          from = at + 1;
      }
    }
    if (this.#isOver) {
      if (text.slice(from).trim() === "") return;
      yield this.#next(new SyntaxError("text behind the end of the list"));
    } else this.#element.push(text.slice(from), "\n");
  }

  /** What is left when the text ends. */
  *end(): Generator<TextRecord, void, void> {
    if (this.#isOver) return;
    yield this.#next(new SyntaxError("the list ends in the middle"));
  }

  #isBlank(): boolean {
    return this.#element.every((piece) => piece.trim() === "");
  }

  #next(rest: string | SyntaxError): TextRecord {
    const text = typeof rest === "string"
      ? this.#element.join("") + rest
      : rest;
    this.#element = [];
    const isEmpty = typeof text === "string" && text.trim() === "";
    return {
      unit: "element",
      number: ++this.#count,
      text: isEmpty ? new SyntaxError("empty: a comma too many") : text,
    };
  }
}

/**
 * Workspaces in the memory that threads share: which there are, and whose an
 * array is.
 *
 * @module
 */
import type {
  LogitsType,
  LossWorkspace,
  WorkspaceOptions,
} from "../contract.ts";
import { readSize } from "../wasm/workspace.ts";
import type { SharedMemory } from "./memory.ts";

/** The workspaces of one engine. */
export class Workspaces {
  readonly #memory: SharedMemory;
  /** The bytes of each that is in use. */
  readonly #live = new Set<{ at: number; end: number }>();

  constructor(memory: SharedMemory) {
    this.#memory = memory;
  }

  create(options: WorkspaceOptions): LossWorkspace {
    const { rows, vocabSize, dtype } = readSize(options);
    const length = rows * vocabSize;
    const bytes = length * (dtype === "f32" ? 4 : 2);
    const at = this.#memory.allocateZeros(bytes);
    const { buffer } = this.#memory.memory;
    const logits = dtype === "f32"
      ? new Float32Array(buffer, at, length)
      : new Uint16Array(buffer, at, length);
    const place = { at, end: at + bytes };
    this.#live.add(place);
    return new SharedWorkspace(logits, rows, vocabSize, dtype, () => {
      this.#live.delete(place);
      this.#memory.free(at);
    });
  }

  /** Throws if an array lies in this memory, but in no workspace that is in use. */
  check(array: ArrayBufferView): void {
    if (!this.#memory.holds(array)) return;
    const { byteOffset, byteLength } = array;
    for (const { at, end } of this.#live) {
      if (byteOffset >= at && byteOffset + byteLength <= end) return;
    }
    throw new TypeError(
      "Cannot compute loss as its logits lie in a workspace that was disposed: create a new one",
    );
  }
}

class SharedWorkspace implements LossWorkspace {
  #logits: Float32Array | Uint16Array | null;
  readonly rows: number;
  readonly vocabSize: number;
  readonly dtype: LogitsType;
  readonly #free: () => void;

  constructor(
    logits: Float32Array | Uint16Array,
    rows: number,
    vocabSize: number,
    dtype: LogitsType,
    free: () => void,
  ) {
    this.#logits = logits;
    this.rows = rows;
    this.vocabSize = vocabSize;
    this.dtype = dtype;
    this.#free = free;
  }

  get logits(): Float32Array | Uint16Array {
    if (this.#logits === null) {
      throw new TypeError(
        "Cannot use workspace as it was disposed: create a new one",
      );
    }
    return this.#logits;
  }

  dispose(): void {
    if (this.#logits === null) return;
    this.#logits = null;
    this.#free();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

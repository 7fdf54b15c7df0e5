/**
 * Workspaces in the memory that threads share: which there are, and whose an
 * array is.
 *
 * @module
 */
import type {
  Logits,
  LogitsType,
  LossWorkspace,
  WorkspaceOptions,
} from "../contract.ts";
import { isTensor } from "../loss/shape.ts";
import { isLost, kindOf, plainView } from "../typed_arrays.ts";
import { readSize } from "../wasm/workspace.ts";
import type { Crew } from "./crew.ts";
import type { SharedMemory } from "./memory.ts";

/** The bytes of a workspace that is in use. */
interface Place {
  at: number;
  end: number;
}

/** The workspaces of one engine. */
export class Workspaces {
  readonly #memory: SharedMemory;
  readonly #live = new Set<Place>();

  readonly #crew: Crew;

  constructor(crew: Crew) {
    this.#memory = crew.memory;
    this.#crew = crew;
  }

  create(options: WorkspaceOptions): LossWorkspace {
    const { rows, vocabSize, dtype } = readSize(options);
    const length = rows * vocabSize;
    const bytes = length * (dtype === "f32" ? 4 : 2);
    const at = this.#allocate(bytes);
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

  /** Zeros; where they do not fit, once more without what is only kept from call to call. */
  #allocate(bytes: number): number {
    try {
      return this.#memory.allocateZeros(bytes);
    } catch {
      this.#crew.rooms.release();
      return this.#memory.allocateZeros(bytes);
    }
  }

  /**
   * A check of these logits for later: it throws if they lie in this memory, but
   * no more in the workspace in which they lie now. Another may have its place.
   */
  watch(logits: Logits): (array: ArrayBufferView) => void {
    const data = isTensor(logits) ? logits.data : logits;
    const place = isPresent(data) ? this.#placeOf(plainView(data)) : undefined;
    return (array) => {
      if (!this.#memory.holds(array)) return;
      const now = this.#placeOf(array);
      if (now !== undefined && now === place) return;
      throw new TypeError(
        "Cannot compute loss as its logits lie in a workspace that was disposed: create a new one",
      );
    };
  }

  #placeOf(array: ArrayBufferView): Place | undefined {
    if (!this.#memory.holds(array)) return undefined;
    const { byteOffset, byteLength } = array;
    for (const place of this.#live) {
      const { at, end } = place;
      if (byteOffset >= at && byteOffset + byteLength <= end) return place;
    }
    return undefined;
  }
}

function isPresent(data: unknown): data is ArrayBufferView {
  return kindOf(data) !== undefined && !isLost(data as ArrayBufferView);
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

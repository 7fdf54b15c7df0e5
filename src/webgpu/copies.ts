/**
 * The logits and the gradient of a batch that lives on the host: one copy of each
 * on the device for all batches of a plan, since what is written, computed and
 * copied back stands in the queue in that order.
 *
 * @module
 */
import { outOfRange } from "../checks.ts";
import { readBack } from "./handle.ts";
import { type Heap, upload } from "./heap.ts";
import { bytesOfRows, type RowSpec } from "./spec.ts";

const ACTION = "compute loss";

/** The copies of one plan. */
export class Copies {
  readonly logits: GPUBuffer;
  /** The new gradient, where there is one. */
  readonly made: GPUBuffer | null;
  readonly #heap: Heap;
  readonly #spec: RowSpec;

  constructor(heap: Heap, spec: RowSpec) {
    this.#heap = heap;
    this.#spec = spec;
    const [rowBytes = 0, madeBytes] = bytesOfRows(spec);
    // both are checked before one is made
    const sizes = [rowBytes, madeBytes ?? 0].map((bytes) => spec.rows * bytes);
    const most = heap.device.limits.maxBufferSize;
    ["logits", "gradLogits"].forEach((label, i) => {
      if (sizes[i]! <= most) return;
      outOfRange(
        ACTION,
        `${label} must fit into one buffer of ${most} bytes (use fewer rows at a time)`,
        sizes[i],
      );
    });
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    const usage = STORAGE | COPY_SRC | COPY_DST;
    this.logits = heap.create("logits", sizes[0]!, usage);
    this.made = madeBytes === undefined
      ? null
      : heap.create("gradLogits", sizes[1]!, usage);
  }

  /** Sends the logits to the device. */
  send(stored: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>): void {
    this.#checkHeld(stored);
    upload(this.#heap.device, this.logits, wholeWords(stored));
  }

  /** Brings the gradient back, null if there is none; it is asked for before this returns. */
  async bring(): Promise<ArrayBuffer | null> {
    if (this.#spec.into === "none") return null;
    const [bytes] = await readBack(this.#heap, [this.made ?? this.logits]);
    return bytes!;
  }

  /** Puts a gradient over the logits it is of. */
  putBack(
    gradient: ArrayBuffer,
    stored: Float32Array | Uint16Array,
  ): void {
    this.#checkHeld(stored);
    const { buffer, byteOffset, byteLength } = stored;
    new Uint8Array(buffer, byteOffset, byteLength).set(
      new Uint8Array(gradient, 0, byteLength),
    );
  }

  /** Throws where the logits are not what they were: code of the caller's ran in between, and may have taken or shrunk their buffer. */
  #checkHeld({ length }: Float32Array | Uint16Array): void {
    const wanted = this.#spec.rows * this.#spec.rowStride;
    if (length === wanted) return;
    outOfRange(
      ACTION,
      `logits.length must stay ${wanted} until run() is done`,
      length,
    );
  }

  /** Destroys them. */
  dispose(): void {
    this.#heap.destroy(this.logits, this.made);
  }
}

/** An array, with half a word behind it where it ends in the middle of one. */
function wholeWords(
  array: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>,
): ArrayBufferView<ArrayBuffer> {
  if (array.byteLength % 4 === 0) return array;
  const words = new Uint16Array(array.length + 1);
  words.set(array);
  return words;
}

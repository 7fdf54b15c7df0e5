/**
 * Slots: the buffers of one batch in flight. A slot belongs to its handle from
 * encode until the handle is read or released, so nothing that is still waiting
 * on the device is written to.
 *
 * @module
 */
import type { RowBuffers, RowKernels } from "./engine.ts";
import type { Heap } from "./heap.ts";
import { STAMP, STAMP_SHIFT } from "./storage_wgsl.ts";
import type { WeighBuffers, Weigher } from "./weigher.ts";

/** Handles that may be neither read nor released; more would be a leak. */
export const MAX_IN_FLIGHT = 64;

/** As many stamps as there are bits for. */
const MAX_STAMP = STAMP >>> STAMP_SHIFT;

/** The buffers of one batch in flight. */
export interface Slot {
  /** The number of the batch. */
  stamp: number;
  rows: RowBuffers;
  /** For a batch whose labels live on the device; made when one first comes. */
  weigh: WeighBuffers | null;
  /** Sequences that `weigh` has room for. */
  sequences: number;
  /** Host arrays that went along with such a batch, by name. */
  uploads: Map<string, GPUBuffer>;
}

/** The slots of one plan. */
export class Slots {
  readonly #heap: Heap;
  readonly #kernels: RowKernels;
  readonly #free: Slot[] = [];
  readonly #taken = new Set<Slot>();
  #stamp = 0;

  constructor(heap: Heap, kernels: RowKernels) {
    this.#heap = heap;
    this.#kernels = kernels;
  }

  /** A slot that nobody holds. */
  take(): Slot {
    if (this.#taken.size >= MAX_IN_FLIGHT) {
      throw new RangeError(
        `Cannot compute loss as at most ${MAX_IN_FLIGHT} handles may be neither read nor released: read() those whose numbers you want and release() the others, after submitting`,
      );
    }
    const slot = this.#free.pop() ?? {
      stamp: 0,
      rows: this.#kernels.allocate(),
      weigh: null,
      sequences: 0,
      uploads: new Map(),
    };
    this.#taken.add(slot);
    // never 0, which is what a new buffer holds
    this.#stamp = this.#stamp % MAX_STAMP + 1;
    slot.stamp = this.#stamp;
    return slot;
  }

  /** Room for weighing so many sequences. */
  weighing(slot: Slot, weigher: Weigher, sequences: number): WeighBuffers {
    if (slot.weigh === null || slot.sequences < sequences) {
      if (slot.weigh) this.#heap.destroy(...Object.values(slot.weigh));
      slot.weigh = weigher.allocate(sequences);
      slot.sequences = sequences;
    }
    return slot.weigh;
  }

  /** A buffer of the slot for an array of the host. */
  upload(
    slot: Slot,
    name: string,
    array: Int32Array | Float32Array,
  ): GPUBuffer {
    let buffer = slot.uploads.get(name);
    if (buffer === undefined) {
      const { STORAGE, COPY_DST } = GPUBufferUsage;
      buffer = this.#heap.create(name, array.byteLength, STORAGE | COPY_DST);
      slot.uploads.set(name, buffer);
    }
    const bytes = array as Float32Array<ArrayBuffer>;
    if (bytes.length > 0) this.#heap.device.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  }

  /** Gives a slot back. */
  give(slot: Slot): void {
    if (this.#taken.delete(slot)) this.#free.push(slot);
  }

  /** Destroys all slots, those that are held too. */
  dispose(): void {
    for (const { rows, weigh, uploads } of [...this.#free, ...this.#taken]) {
      this.#heap.destroy(...Object.values(rows), ...uploads.values());
      if (weigh !== null) this.#heap.destroy(...Object.values(weigh));
    }
    this.#free.length = 0;
    this.#taken.clear();
  }
}

/**
 * The buffers that we made, each counted until it is destroyed, so that a leak
 * shows; and ranges of buffers that callers made.
 *
 * @module
 */

/** The buffers of one device that are ours. */
export class Heap {
  readonly device: GPUDevice;
  readonly #live = new Set<GPUBuffer>();
  /** Bytes of all of them. */
  bytes = 0;

  constructor(device: GPUDevice) {
    this.device = device;
  }

  /** How many buffers there are. */
  get count(): number {
    return this.#live.size;
  }

  /** A buffer of at least `bytes`. */
  create(label: string, bytes: number, usage: number): GPUBuffer {
    const size = Math.max(32, Math.ceil(bytes / 16) * 16);
    const buffer = this.device.createBuffer({ label, size, usage });
    this.#live.add(buffer);
    this.bytes += size;
    return buffer;
  }

  /** Destroys buffers; those that are gone are let pass. */
  destroy(...buffers: readonly (GPUBuffer | null)[]): void {
    for (const buffer of buffers) {
      if (buffer === null || !this.#live.delete(buffer)) continue;
      this.bytes -= buffer.size;
      buffer.destroy();
    }
  }

  /** Destroys them all. */
  clear(): void {
    this.destroy(...this.#live);
  }
}

/** A range of a buffer. */
export interface Range {
  buffer: GPUBuffer;
  /** In bytes. */
  offset: number;
  /** In bytes. */
  size: number;
}

/** All of a buffer. */
export function whole(buffer: GPUBuffer): Range {
  return { buffer, offset: 0, size: buffer.size };
}

/** Writes bytes to the start of a buffer; their number is a multiple of 4. */
export function upload(
  device: GPUDevice,
  buffer: GPUBuffer,
  data: ArrayBuffer | ArrayBufferView<ArrayBuffer>,
): void {
  // Deno's queue panics at a write of nothing
  if (data.byteLength > 0) device.queue.writeBuffer(buffer, 0, data);
}

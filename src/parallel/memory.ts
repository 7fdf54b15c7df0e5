/**
 * One shared linear memory, handed out in blocks. Growing it moves nothing: views
 * made before stay valid, they only do not reach what is new.
 *
 * @module
 */
import { align, SLACK } from "../wasm/memory.ts";

const PAGE = 65536;

/** 4 GiB less one page: no end of a block may wrap around to address 0. */
const MAX_PAGES = 65535;

interface Block {
  at: number;
  bytes: number;
}

/** Memory that threads share, and the host's views of all of it. */
export class SharedMemory {
  readonly memory: WebAssembly.Memory;
  f32!: Float32Array;
  u16!: Uint16Array;
  i32!: Int32Array;
  f64!: Float64Array;
  /** Blocks in use, by address. */
  readonly #blocks: Block[] = [];
  /** What lies from here on was never handed out. */
  #used = 0;
  /** Every buffer this memory has ever shown itself as: each growth makes another. */
  readonly #buffers = new WeakSet<ArrayBufferLike>();

  constructor() {
    this.memory = reserveAddresses();
    this.#view();
  }

  /** A block of at least `bytes` bytes, readable a little beyond, that holds whatever was there before. */
  allocate(bytes: number): number {
    const size = align(bytes + SLACK);
    let at = 0, index = 0, left = 0;
    for (const block of this.#blocks) {
      left = Math.max(left, block.at - at);
      if (left >= size) break;
      at = block.at + block.bytes;
      index++;
    }
    left = Math.max(left, MAX_PAGES * PAGE - at);
    if (left < size) {
      throw new RangeError(
        `Cannot reserve shared WASM memory as it must stay below 4 GiB, of which ${
          Math.max(left - SLACK, 0)
        } bytes are left in one piece (use fewer rows at a time, or shorter ones): current value is ${bytes} bytes`,
      );
    }
    this.#grow(at + size, bytes);
    this.#blocks.splice(index, 0, { at, bytes: size });
    this.#used = Math.max(this.#used, at + size);
    return at;
  }

  /** The same, all zeros. What was never handed out holds none else, and is not touched: it may be gigabytes. */
  allocateZeros(bytes: number): number {
    const used = this.#used;
    const at = this.allocate(bytes);
    if (at < used) this.touch(at, Math.min(bytes, used - at));
    return at;
  }

  /** Writes zeros to a block. */
  touch(at: number, bytes: number): void {
    new Uint8Array(this.memory.buffer).fill(0, at, at + bytes);
  }

  /** Gives a block back. */
  free(at: number): void {
    const index = this.#blocks.findIndex((block) => block.at === at);
    if (index >= 0) this.#blocks.splice(index, 1);
  }

  /** Whether an array's buffer is this memory. */
  holds(array: { buffer: ArrayBufferLike }): boolean {
    return this.#buffers.has(array.buffer);
  }

  /** Makes sure that the memory reaches up to `end`, for a block of `bytes` bytes. */
  #grow(end: number, bytes: number): void {
    const has = this.memory.buffer.byteLength;
    if (end <= has) return;
    const pages = Math.ceil(end / PAGE);
    try {
      this.memory.grow(pages - has / PAGE);
    } catch (cause) {
      throw new RangeError(
        `Cannot reserve ${bytes} bytes of shared WASM memory, the machine has no more: use fewer rows at a time, or shorter ones`,
        { cause },
      );
    }
    this.#view();
  }

  #view(): void {
    const { buffer } = this.memory;
    this.#buffers.add(buffer);
    this.f32 = new Float32Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }
}

/**
 * A memory that may grow as far as the host lets it: a shared one has its whole
 * range of addresses set aside at once, and phones refuse 4 GiB of them.
 */
function reserveAddresses(): WebAssembly.Memory {
  for (let maximum = MAX_PAGES;; maximum >>= 1) {
    try {
      return new WebAssembly.Memory({ initial: 4, maximum, shared: true });
    } catch (error) {
      if (maximum < 1024) throw error;
    }
  }
}

/** A block that grows when more is asked of it; what it held is lost then. */
export class Room {
  readonly #memory: SharedMemory;
  readonly #touched: boolean;
  #bytes = -1;
  /** Where it is. */
  at = 0;

  /** With `touched`, all of it is there at once, and not when it is written to. */
  constructor(memory: SharedMemory, touched = false) {
    this.#memory = memory;
    this.#touched = touched;
  }

  /** Gives the block back, until it is asked for again. */
  release(): void {
    if (this.#bytes >= 0) this.#memory.free(this.at);
    this.#bytes = -1;
  }

  /** Makes sure of `bytes` bytes, and returns where they are. */
  reserve(bytes: number): number {
    if (bytes <= this.#bytes) return this.at;
    this.release();
    this.at = this.#memory.allocate(bytes);
    this.#bytes = bytes;
    // the system gives a page when it is touched first, which is slow
    if (this.#touched) this.#memory.touch(this.at, bytes);
    return this.at;
  }
}

/** Rooms for the parts of a problem, kept from call to call. */
export class Rooms {
  /** What is known of each row, and what is found. */
  readonly rows: Room;
  /** The class weights, and each thread's scratch row. */
  readonly classes: Room;
  /** Copies of pieces that lie elsewhere. */
  readonly copies: Room;

  constructor(memory: SharedMemory) {
    this.rows = new Room(memory);
    this.classes = new Room(memory);
    this.copies = new Room(memory, true);
  }

  /** Gives all of them back, between calls. */
  release(): void {
    for (const room of [this.rows, this.classes, this.copies]) room.release();
  }
}

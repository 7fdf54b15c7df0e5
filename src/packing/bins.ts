/**
 * The two searches behind packing: pieces of given lengths go into bins of one
 * capacity. Lengths only; no tokens, no samples. Both cost O(n log n) at most.
 *
 * A capacity of more than all pieces together holds no more than that, so the
 * callers cap it there, and memory is bounded by what there is to pack.
 *
 * @module
 */

/** A bin for each piece, and how many bins there are. */
export interface Bins {
  /** [M] The pieces in the order they were placed; null where that is the order they came in. */
  order: Int32Array | null;
  /** [M] The bin of each piece. */
  bin: Int32Array;
  /** How many bins there are, numbered as they were opened. */
  count: number;
}

/**
 * Best fit decreasing: the longest piece first, equals in the order they came;
 * each goes into a bin with the least sufficient room, the one that has had
 * exactly that room for longest. These are TRL's rules, tie by tie.
 *
 * The bins of equal room stand in a queue of their own, linked through `next`;
 * a set of the rooms that occur finds the least sufficient one. O(M + capacity).
 */
export function bestFitDecreasing(lengths: Int32Array, capacity: number): Bins {
  const order = longestFirst(lengths, capacity);
  const bin = new Int32Array(lengths.length);
  const rooms = new SortedSet(capacity);
  const first = new Int32Array(capacity + 1).fill(-1);
  const last = new Int32Array(capacity + 1);
  const next = new Int32Array(lengths.length);
  let count = 0;
  for (const piece of order) {
    const length = lengths[piece]!;
    let room = rooms.atLeast(length);
    let chosen: number;
    if (room < 0) {
      chosen = count++;
      room = capacity;
    } else {
      chosen = first[room]!;
      first[room] = next[chosen]!;
      if (first[room] === -1) rooms.delete(room);
    }
    bin[piece] = chosen;
    room -= length;
    if (room === 0) continue;
    next[chosen] = -1;
    if (first[room] === -1) {
      first[room] = chosen;
      rooms.add(room);
    } else next[last[room]!] = chosen;
    last[room] = chosen;
  }
  return { order, bin, count };
}

/** Indices by falling length, equals in order: a counting sort. */
function longestFirst(lengths: Int32Array, capacity: number): Int32Array {
  const from = new Int32Array(capacity + 1);
  for (const length of lengths) from[length]!++;
  for (let length = capacity, at = 0; length >= 0; length--) {
    const count = from[length]!;
    from[length] = at;
    at += count;
  }
  const order = new Int32Array(lengths.length);
  for (let i = 0; i < lengths.length; i++) order[from[lengths[i]!]!++] = i;
  return order;
}

/**
 * First fit: pieces in the order they come, each into the lowest bin with room.
 *
 * A tree over all bins there could be, opened or not: a node holds the most room
 * below it, so going left wherever that suffices finds the lowest. O(M log M).
 */
export function firstFit(lengths: Int32Array, capacity: number): Bins {
  let leaves = 1;
  while (leaves < lengths.length) leaves *= 2;
  // node i has the children 2i and 2i + 1; the leaves are [leaves, 2·leaves)
  const room = new Int32Array(2 * leaves).fill(capacity);
  const bin = new Int32Array(lengths.length);
  let count = 0;
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i]!;
    let node = 1;
    while (node < leaves) {
      node *= 2;
      if (room[node]! < length) node++;
    }
    bin[i] = node - leaves;
    count = Math.max(count, bin[i]! + 1);
    room[node]! -= length;
    for (let up = node >> 1; up > 0; up >>= 1) {
      const most = Math.max(room[2 * up]!, room[2 * up + 1]!);
      if (most === room[up]) break;
      room[up] = most;
    }
  }
  return { order: null, bin, count };
}

/**
 * A set of whole numbers in [0, most] that finds the least member from a number
 * on. Bit x of the lowest level says whether x is in the set; bit w of the level
 * above, whether word w holds any; so 7 levels of 32-bit words cover int32.
 */
class SortedSet {
  readonly #levels: Int32Array[] = [];

  constructor(most: number) {
    do {
      most = Math.floor(most / 32) + 1; // words of this level
      this.#levels.push(new Int32Array(most));
    } while (most-- > 1);
  }

  add(x: number): void {
    for (const words of this.#levels) {
      words[x >> 5]! |= 1 << (x & 31);
      x >>= 5;
    }
  }

  delete(x: number): void {
    for (const words of this.#levels) {
      words[x >> 5]! &= ~(1 << (x & 31));
      if (words[x >> 5] !== 0) return;
      x >>= 5;
    }
  }

  /** The least member that is at least x, or -1. */
  atLeast(x: number): number {
    const levels = this.#levels;
    // up, until a word has a member at x or behind it
    for (let level = 0; level < levels.length; level++) {
      const words = levels[level]!;
      if (x >> 5 >= words.length) return -1;
      const rest = words[x >> 5]! & (-1 << (x & 31));
      if (rest !== 0) {
        // and down again, along the lowest bits
        x = (x & ~31) + lowestBit(rest);
        while (level-- > 0) x = (x << 5) + lowestBit(levels[level]![x]!);
        return x;
      }
      x = (x >> 5) + 1;
    }
    return -1;
  }
}

/** The place of the lowest bit that is set. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

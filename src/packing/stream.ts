/**
 * Packs of a stream that may have no end: first fit among the packs that wait.
 *
 * @module
 */
import { count, int32, optionsReader, word, wrongKind } from "../checks.ts";
import { IGNORE_INDEX } from "../contract.ts";
import type { Sample } from "../row.ts";
import { packRead } from "./pack.ts";
import type { PackedBatch } from "./packed.ts";
import { PLANNING, type Planning, refuseOverlong } from "./plan.ts";
import { owned, type ReadSample, readSample } from "./samples.ts";
import type { Overlong, PackStreamOptions } from "./types.ts";

const ACTION = "pack a stream";
/** How many packs wait unless said: more fill better and hold more memory, and bench/packing_bench.ts shows what is gained. */
const OPEN_PACKS = 64;

const readOptions = optionsReader({
  maxLength: PLANNING.maxLength,
  openPacks: count(1),
  overlong: word<Overlong>(["error", "truncate", "drop"]),
  ignoreIndex: int32(IGNORE_INDEX),
});

/** A pack that waits for samples. */
interface OpenPack<S extends Sample> {
  readonly read: ReadSample<S>[];
  /** How many tokens there is room for. */
  room: number;
}

/**
 * Packs samples as they come, each into the first of at most `openPacks` waiting
 * packs that has room. A pack is handed out when it is full, or when it is the
 * fullest and the next sample needs a new one; those that are left come last.
 *
 * With as many waiting packs as there are packs this is `packSequences` with
 * `"first-fit"`, but for the order in which packs come.
 *
 * @param samples Ids with labels, or with spans, or all of them trained; a list, or whatever gives one after another.
 * @param options `maxLength`; `openPacks`; `overlong`, for samples longer than that; `ignoreIndex`.
 * @returns One packed batch a pack, its samples counted from 0. A sample that was dropped is named by the next pack, and a last batch without a pack names those that have none.
 * @throws {RangeError} A sample is longer than `maxLength` and `overlong` does not say what to do; labels are not aligned; a span, a weight or an option is out of range. Packs handed out before stay good.
 * @throws {TypeError} Something is of the wrong kind.
 *
 * @example Packs of six while chats come in
 * ```ts
 * import { packStream } from "@sft/loss";
 * import { assertEquals } from "@std/assert";
 *
 * async function* chats() {
 *   yield { inputIds: [1, 5, 2, 7] };
 *   yield { inputIds: [1, 6, 6, 2] };
 *   yield { inputIds: [3, 4] };
 * }
 * const packs: number[][] = [];
 * for await (const pack of packStream(chats(), { maxLength: 6 })) {
 *   packs.push([...pack.inputIds]);
 * }
 * assertEquals(packs, [[1, 5, 2, 7, 3, 4], [1, 6, 6, 2]]);
 * ```
 */
export function packStream<S extends Sample>(
  samples: Iterable<S> | AsyncIterable<S>,
  options: PackStreamOptions,
): AsyncGenerator<PackedBatch<S>, void, void> {
  const { openPacks = OPEN_PACKS, ignoreIndex, ...rest } = readOptions(
    ACTION,
    options,
  );
  if (
    typeof samples !== "object" || samples === null ||
    !(Symbol.iterator in samples || Symbol.asyncIterator in samples)
  ) {
    wrongKind(ACTION, "samples must give one sample after another", samples);
  }
  const planning: Planning = { ...rest, strategy: "first-fit" };
  return stream(samples, planning, openPacks, ignoreIndex);
}

async function* stream<S extends Sample>(
  samples: Iterable<S> | AsyncIterable<S>,
  planning: Planning,
  most: number,
  ignoreIndex: number,
): AsyncGenerator<PackedBatch<S>, void, void> {
  const { maxLength, overlong } = planning;
  const open: OpenPack<S>[] = [];
  let homeless: ReadSample<S>[] = []; // dropped, or empty: they need no room
  const close = (pack: OpenPack<S>): PackedBatch<S> => {
    open.splice(open.indexOf(pack), 1);
    const read = [...pack.read, ...homeless];
    homeless = [];
    return packRead(ACTION, read, planning, ignoreIndex);
  };
  let index = 0;
  for await (const sample of samples) {
    const read = owned(readSample(ACTION, sample, index, ignoreIndex));
    let { length } = read.ids;
    if (length > maxLength) {
      if (overlong === "error") {
        refuseOverlong(ACTION, index, length, maxLength, `"truncate"`);
      }
      length = overlong === "drop" ? 0 : maxLength;
    }
    index++;
    if (length === 0) {
      homeless.push(read);
      continue;
    }
    let pack = open.find(({ room }) => room >= length);
    if (pack === undefined) {
      if (open.length === most) yield close(fullest(open));
      pack = { read: [], room: maxLength };
      open.push(pack);
    }
    pack.read.push(read);
    pack.room -= length;
    if (pack.room === 0) yield close(pack);
  }
  while (open.length > 0) yield close(open[0]!);
  if (homeless.length > 0) {
    yield packRead(ACTION, homeless, planning, ignoreIndex);
  }
}

/** The pack with the least room, the oldest of equals. */
function fullest<S extends Sample>(open: readonly OpenPack<S>[]): OpenPack<S> {
  return open.reduce((best, pack) => pack.room < best.room ? pack : best);
}

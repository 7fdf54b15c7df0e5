/**
 * How the rows of tests/vectors/masking.jsonl that concern padding, packing and
 * positions are run. Where a row follows another convention than ours, the check
 * says so, and asserts our value beside what was theirs.
 *
 * @module
 */
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import {
  collate,
  type FlatBatch,
  type Layout,
  type PackOptions,
  packSequences,
} from "../../mod.ts";
import { I } from "./samples.ts";

// deno-lint-ignore no-explicit-any
type Row = Record<string, any>;

/** Lists of ids as samples, all of it trained. */
function samplesOf(ids: number[][]): { inputIds: number[] }[] {
  return ids.map((inputIds) => ({ inputIds }));
}

/** Documents of these lengths in one pack, in this order. */
function packOf(lengths: number[]): FlatBatch {
  const ids = lengths.map((length) => new Array(length).fill(1));
  return packSequences(samplesOf(ids), {
    maxLength: lengths.reduce((a, b) => a + b, 1),
    strategy: "first-fit",
  });
}

/** Rows of a row-major array. */
function rowsOf(values: ArrayLike<number>, length: number): number[][] {
  const list = Array.from(values);
  return Array.from(
    { length: list.length / length },
    (_, row) => list.slice(row * length, (row + 1) * length),
  );
}

/** What each query sees. */
function seenBy(layout: Layout): number[][] {
  const all = Array.from(layout.inputIds, (_, t) => t);
  return all.map((q) => all.filter((k) => layout.attends(q, k)));
}

const ALGORITHMS: Record<string, Omit<PackOptions, "maxLength">> = {
  // TRL's bfd cuts what is too long without being asked; here it is asked
  bfd: { strategy: "bfd", overlong: "truncate" },
  bfd_split: { strategy: "bfd", overlong: "split" },
  wrapped: { strategy: "wrapped" },
};

/** How a row of each operation is run. */
export const PACKING: Record<string, (row: Row) => void> = {
  pad: ({ ids, pad, multiple, out }) => {
    const batch = collate(samplesOf(ids), {
      padTokenId: pad,
      padToMultipleOf: multiple,
    });
    const [, length] = batch.dims;
    assertEquals(rowsOf(batch.inputIds, length), out.ids);
    assertEquals(rowsOf(batch.labels, length), out.labels);
    if (out.attn) assertEquals(rowsOf(batch.attentionMask, length), out.attn);
  },

  // TT-5 hands in labels that are shifted already. Ours are aligned, so they
  // are refused; aligned, they get its very padding.
  "pad-shifted": ({ ids, labels, pad, ignore, multiple, out }) => {
    const options = {
      padTokenId: pad,
      padToMultipleOf: multiple,
      ignoreIndex: ignore,
    };
    const given = (ids as number[][]).map((inputIds, i) => ({
      inputIds,
      labels: labels[i] as number[],
    }));
    assertThrows(() => collate(given, options), RangeError, "samples[0]");
    const batch = collate(samplesOf(ids), options);
    assertEquals(rowsOf(batch.inputIds, multiple), out.ids);
    const padsOf = (rows: number[][]) =>
      rows.map((row) => row.map((y) => y === ignore));
    assertEquals(
      padsOf(rowsOf(batch.labels, multiple)),
      padsOf(out.labels),
    );
  },

  // TRL keeps no attention mask in a flat batch (attn: null), and neither do we
  flat: ({ ids, lens, multiple, out }) => {
    // TRL-4 comes packed: rows of several documents
    const documents: number[][] = lens === undefined
      ? ids
      : (ids as number[][]).flatMap((row, r) => {
        let at = 0;
        return (lens[r] as number[]).map((n) => row.slice(at, at += n));
      });
    const packed = packSequences(samplesOf(documents), {
      maxLength: documents.flat().length,
      strategy: "first-fit",
    });
    const flat = packed.flat({ padTokenId: 0, padToMultipleOf: multiple });
    if (out.ids) assertEquals([...flat.inputIds], out.ids);
    assertEquals([...flat.positionIds], out.pos);
    assertEquals([...flat.labels], out.labels);
    if (out.cu) assertEquals([...flat.cuSeqlens], out.cu);
    if (out.maxlen) assertEquals(flat.maxSeqlen, out.maxlen);
    assertEquals("attentionMask" in flat, false);
  },

  positions: ({ lens, out }) =>
    (lens as number[][]).forEach((lengths, i) =>
      assertEquals([...packOf(lengths).positionIds], out[i])
    ),

  // a trainer's own rule for two columns; here spans stand in for its mask
  "labels-given-win": ({ ids, labels, mask, out }) => {
    assertEquals(mask[0].includes(0), false); // the mask would train it all
    const all = [[0, ids[0].length]] as const;
    const sample = { inputIds: ids[0], labels: labels[0], spans: all };
    const batch = collate([sample], { padTokenId: 0 });
    assertEquals([...batch.labels], out[0]);
  },

  // The boundary law holds in packs, so their labels are not the ids as TRL's
  // are: the first of each document is ignored.
  pack: ({ algo, L, ids, out }) => {
    const packed = packSequences(samplesOf(ids), {
      maxLength: L,
      ...ALGORITHMS[algo],
    });
    assertEquals(packed.packs.map((pack) => [...pack.inputIds]), out.ids);
    if (out.lens) {
      const lengths = packed.packs.map((pack) => [...pack.seqLengths]);
      assertEquals(lengths, out.lens);
    }
    for (const { labels, inputIds, positionIds } of packed) {
      const wanted = inputIds.map((id, t) => positionIds[t] === 0 ? I : id);
      assertEquals(labels, wanted);
    }
  },

  // NAM-1 and PR-1 pack by next fit, which our first-fit agrees with on them.
  // Other conventions: they fold the padding into the last document's length
  // (lens_padded0, lens of PR-1) and let its positions count on (pos0); PR-1's
  // labels are shifted, so that a document's first token keeps its loss.
  "pack-next-fit": ({ id, L, ids, out }) => {
    const packed = packSequences(samplesOf(ids), {
      maxLength: L,
      strategy: "first-fit",
    });
    const padded = packed.padded({ padTokenId: 0, length: L });
    assertEquals(rowsOf(padded.inputIds, L), out.ids);
    const [pack] = packed.packs;
    const covered = pack!.flat({
      padTokenId: 0,
      length: L,
      coverPadding: true,
    });
    if (id === "NAM-1") {
      assertEquals([...pack!.seqLengths], out.lens0);
      assertEquals(out.lens_padded0, [3, 4, 3]);
      assertEquals([...covered.cuSeqlens], [0, 3, 7, 9, 10]); // its own entry
      assertEquals(out.pos0.at(-1), 2);
      assertEquals([...covered.positionIds], [...out.pos0.slice(0, 9), 0]);
      return;
    }
    assertEquals(id, "PR-1");
    assertEquals(out.lens, [[1, 2, 2], [5]]);
    const lengths = packed.packs.map((pack) => [...pack.seqLengths]);
    assertEquals(lengths, [[1, 2, 1], [2]]);
    assertEquals([...covered.cuSeqlens], [0, 1, 3, 4, 5]);
    assertEquals(out.loss, [[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]]);
    const trained = Array.from(padded.labels, (y) => y === I ? 0 : 1);
    assertEquals(rowsOf(trained, L), [[0, 0, 1, 0, 0], [0, 1, 0, 0, 0]]);
    assertEquals(packed.lostTargets, 4); // its four documents' first tokens
  },

  // NAM-2's labels are shifted before packing (10 stands at id 3), and its
  // second document's first label, 20, stays trained; its documents count from
  // 1, padding being 0. Here: aligned labels, that label ignored, 0 and -1.
  "pack-row": ({ L, ids, labels, out }) => {
    const given = (ids as number[][]).map((inputIds, i) => ({
      inputIds,
      labels: labels[i] as number[],
    }));
    const options: PackOptions = { maxLength: L, strategy: "first-fit" };
    assertThrows(() => packSequences(given, options), RangeError, "samples[0]");
    const aligned = given.map(({ inputIds, labels }) => ({
      inputIds,
      labels: inputIds.map((id, t) => labels[t] === I ? I : id),
    }));
    const padded = packSequences(aligned, options)
      .padded({ padTokenId: 0, length: L });
    assertEquals([...padded.inputIds], out.ids);
    assertEquals([...padded.positionIds], out.pos);
    assertEquals(
      [...padded.documentIds],
      out.docids.map((id: number) => id - 1),
    );
    assertEquals(out.labels, [I, I, 10, 20, 30, I, I, I]);
    assertEquals([...padded.labels], [I, I, 3, I, 5, I, I, I]);
  },

  // LF-2's padding sees nothing; ours sees itself, as a softmax over nothing
  // is NaN. Its documents count from 1.
  "block-causal": ({ lens, docs, docids, sees }) => {
    if (lens) {
      (lens as number[][]).forEach((lengths, i) => {
        const pack = packOf(lengths);
        assertEquals([...pack.documentIds], docs[i]);
        const same = docs[i] as number[];
        const wanted = same.map((q, t) =>
          same.flatMap((k, u) => k === q && u <= t ? [u] : [])
        );
        assertEquals(seenBy(pack), wanted);
        const mask = rowsOf(pack.denseMask(), same.length);
        assertEquals(mask.map(ones), wanted);
      });
      return;
    }
    const flat = packOf([2, 3]).flat({ padTokenId: 0, length: 6 });
    assertEquals([...flat.documentIds], docids.map((id: number) => id - 1));
    assertEquals(sees.at(-1), []);
    const ours = [...sees.slice(0, -1), [5]];
    assertEquals(seenBy(flat), ours);
    assertEquals(rowsOf(flat.denseMask(), 6).map(ones), ours);
  },

  // the other way round: here positions are made from documents, never read,
  // so positions that begin at 1 (refused there) cannot come up
  "docs-from-positions": ({ pos, out }) => {
    const pack = packOf([2, 1, 3]);
    assertEquals([...pack.positionIds], pos);
    assertEquals([...pack.cuSeqlens], out.cu);
    assertEquals([...pack.documentIds], out.docs);
    assertEquals([...packOf([4]).positionIds], [0, 1, 2, 3]);
  },
};

/** Where a row has ones. */
function ones(row: number[]): number[] {
  return row.flatMap((bit, k) => bit === 1 ? [k] : []);
}

/** UNS-5 again, as a layout: borders that cover the padding. There it is a third document, here it is -1. */
export function coverTail({ cu, total, out }: Row): void {
  const pack = packOf([2, 3]);
  assertEquals([...pack.cuSeqlens], cu);
  const cover = (length: number) =>
    pack.flat({ padTokenId: 0, length, coverPadding: true });
  assertEquals([...cover(total).cuSeqlens], out.cu);
  const ids = [...cover(total).documentIds];
  assertNotEquals(ids, out.docs);
  assertEquals(ids, out.docs.map((d: number) => d === 2 ? -1 : d));
  assertThrows(() => cover(3), RangeError, "length must be at least the 5");
}

/** TRL-16's positions and borders. */
export function flatOf({ ids, out }: Row): void {
  const lists = ids as number[][];
  const packed = packSequences(samplesOf(lists), {
    maxLength: lists.flat().length,
    strategy: "first-fit",
  });
  assertEquals([...packed.positionIds], out.pos);
  assertEquals([...packed.cuSeqlens], out.cu);
  assertEquals(packed.maxSeqlen, out.maxlen);
}

/** UNS-2 in a pack: the same labels ignored as when a loss shifts them. */
export function boundaryOf({ labels, lens, out }: Row): void {
  let at = 0;
  const documents = (lens as number[]).map((n) => labels.slice(at, at += n));
  const { labels: packed } = packSequences(samplesOf(documents), {
    maxLength: labels.length,
    strategy: "first-fit",
  });
  assertEquals([...packed], out);
}

/**
 * What other projects' own tests say of masking: tests/vectors/masking.jsonl,
 * one row of theirs a line.
 *
 * Rows of the collection that are about chats are run in
 * tests/chat/vectors_test.ts: TRL-19 (a template's
 * stop token), TT-1 (roles by name), LF-3 (prefixes of a conversation), NAM-3
 * (last turn only); and TRL-18, where a missing marker warns: here no span means
 * that all is ignored, as eleven_test.ts has it.
 *
 * Rows of padding, packing and positions are run by tests/packing/vectors.ts. Of
 * those follow another convention than ours, and the check there says which and
 * asserts ours: TT-5 and NAM-2 (labels shifted before they are packed), NAM-1 and
 * PR-1 (padding folded into the last document, its positions counting on; PR-1's
 * first labels trained), LF-2 (padding sees nothing, documents from 1), UNS-5
 * (padding is a document), UNS-4 (positions are read).
 *
 * UNS-1's labels column is the ids themselves here: labels are made from ids.
 *
 * @module
 */
import { assertEquals, assertThrows } from "@std/assert";
import {
  causalLoss,
  findSpans,
  labelsFromMask,
  maskLabels,
} from "../../mod.ts";
import type { EndOfTurn, RoleMarkers, TokenSpan } from "../../src/contract.ts";
import { shiftLeft } from "../../src/labels/shift.ts";
import { boundaryOf, coverTail, flatOf, PACKING } from "../packing/vectors.ts";

const I = -100;

type Roles = Record<string, RoleMarkers>;

// deno-lint-ignore no-explicit-any
type Row = Record<string, any>;

const [, ...rows] = Deno.readTextFileSync(
  new URL("../vectors/masking.jsonl", import.meta.url),
).trim().split("\n").map((line) => JSON.parse(line) as Row);
const byId = new Map(rows.map((row) => [row.id as string, row]));

/** The kept positions of spans, which their labels must show. */
function kept(ids: number[], spans: TokenSpan[]): number[] {
  const labels = maskLabels(ids, spans);
  const positions = ids.flatMap((_, t) => labels[t] === I ? [] : [t]);
  assertEquals(positions.map((t) => labels[t]), positions.map((t) => ids[t]));
  return positions;
}

function borders(lengths: number[]): Int32Array {
  let end = 0;
  return Int32Array.from([0, ...lengths.map((n) => end += n)]);
}

/** How a row of each operation is run. */
const RUN: Record<string, (row: Row) => void> = {
  ...PACKING,

  "labels-from-mask": ({ ids, mask, out }) =>
    (ids as number[][]).forEach((list, i) =>
      assertEquals([...labelsFromMask(list, mask[i])], out[i])
    ),

  roles: ({ bounds, as, ids, eos, keep, cases }) => {
    const roles: Roles = bounds ?? byId.get(as)!.bounds;
    const run = (train: string[], endOfTurn?: EndOfTurn) =>
      kept(
        ids,
        findSpans(ids, {
          roles,
          train,
          ...(endOfTurn === undefined ? {} : { endOfTurn }),
        }),
      );
    if (keep) assertEquals(run(["assistant"], eos), keep);
    for (const [name, expected] of Object.entries(cases ?? {})) {
      const [endOfTurn, train = "assistant"] = name.split(",");
      const names = train.split("+");
      assertEquals(run(names, endOfTurn as EndOfTurn), expected, name);
    }
  },

  // a response marker: everything behind it, in each document of a flat batch
  marker: (row) => {
    const { response, ids, out } = row;
    flatOf(row);
    const roles = { answer: { start: response, end: [-1] } };
    const keep: number[] = [];
    let base = 0;
    for (const list of ids as number[][]) {
      const spans = findSpans(list, { roles, train: ["answer"] });
      keep.push(...kept(list, spans).map((t) => t + base));
      base += list.length;
    }
    assertEquals(keep, out.keep);
    const lengths = (ids as number[][]).map((list) => list.length);
    assertEquals([...borders(lengths)], out.cu);
  },

  // question and answer markers, either closed by the other
  markers: ({ q, a, ids, keep }) => {
    const roles = {
      question: { start: q, end: a, includeEnd: false },
      answer: { start: a, end: q, includeEnd: false },
    };
    assertEquals(kept(ids, findSpans(ids, { roles, train: ["answer"] })), keep);
  },

  boundary: (row) => {
    const { labels, lens, out, shifted_form_ignores } = row;
    boundaryOf(row);
    const cuts = borders(lens);
    const shifted = shiftLeft(Int32Array.from(labels), cuts, I);
    const ignored = [...shifted].flatMap((y, t) => y === I ? [t] : []);
    assertEquals(ignored, shifted_form_ignores);
    // aligned again: what is trained of the labels
    const trained = labels.map((y: number) => shifted.includes(y) ? y : I);
    assertEquals(trained, out);
  },

  "cu-with-tail-pad": (row) => {
    const { cu, total, out } = row;
    coverTail(row);
    const labels = new Array(total).fill(0);
    labels.fill(I, cu.at(-1));
    const options = { vocabSize: 3 };
    const run = (count: number) =>
      causalLoss(
        new Float32Array(3 * count),
        { labels: labels.slice(0, count), cuSeqlens: cu },
        options,
      );
    const { perSequence, totalTokens } = run(total);
    assertEquals(perSequence!.sum.length, out.cu.length - 1);
    assertEquals([...perSequence!.activeTokens], [1, 2, 0]);
    assertEquals(totalTokens, total - 3);
    assertThrows(() => run(3), RangeError, "cuSeqlens must end at 3");
  },
};

Deno.test("masking.jsonl has what this file runs", () => {
  assertEquals(rows.length, 31);
  assertEquals(byId.size, 31);
});

for (const row of rows) {
  Deno.test(`${row.id}: ${row.op}, after ${row.src}`, () => RUN[row.op]!(row));
}

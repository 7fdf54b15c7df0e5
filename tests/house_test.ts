/**
 * The laws of the house, held against the repository. How each law reads a
 * tree, and that it can fail, is in `tests/house/`.
 *
 * @module
 */
import { fail } from "@std/assert";
import {
  brokenAssembly,
  brokenCircles,
  brokenFloors,
  brokenManners,
} from "./house/floors.ts";
import {
  brokenRooms,
  type Exceptions,
  KERNELS,
  MAX_LINES,
  tooLong,
} from "./house/rooms.ts";
import { brokenTags } from "./house/tags.ts";
import { readTree } from "./house/tree.ts";

/** The one table of exceptions to "one name, five rooms": path, and reason. */
const EXCEPTIONS: Exceptions = {
  withoutTwin: {
    "src/webgpu/mask_wgsl.ts": "labels are made from ids on the host",
  },
  noKernel: {
    "src/reference/engine.ts": "puts the kernels together as an Engine",
    "src/reference/mod.ts": "the reference as callers have it",
    "src/reference/exact_sum.ts": "exact sums, of which normalize is made",
    "assembly/alone.ts": "each kernel alone, for the tests",
    "assembly/block.ts": "the hot loops of log_sum_exp and gradient",
    "assembly/general.ts": "one row in float64, for what the fast pass leaves",
    "assembly/index.ts": "what the host may call",
    "assembly/memory.ts": "the map of linear memory",
    "assembly/options.ts": "what the caller asked for",
    "assembly/job.ts": "what a job of threads is, in parallel.ts' terms",
    "assembly/parallel.ts": "the job of threads, in rows.ts' terms",
    "assembly/tiles.ts": "a row of general.ts, shared out among threads",
    "assembly/rows.ts": "the loops over rows that call the kernels",
  },
};

/** Fails with one offender per line. */
function assertNone(offenders: string[], law: string): void {
  if (offenders.length > 0) fail(`${law}\n  ${offenders.join("\n  ")}`);
}

const tree = readTree();

Deno.test("house: imports point down only", () => {
  assertNone(brokenFloors(tree), "A file may import from lower floors only");
});

Deno.test("house: no file imports itself by way of others", () => {
  assertNone(brokenCircles(tree), "What two files share stands in a third");
});

Deno.test("house: assembly/ imports nothing but assembly/", () => {
  assertNone(brokenAssembly(tree), "They meet in bytes and tags, not imports");
});

Deno.test("house: what is published needs no Deno and loads without waiting", () => {
  assertNone(brokenManners(tree), "Every runtime must be able to load it");
});

Deno.test("house: no hand-written source file is too long", () => {
  assertNone(tooLong(tree), `At most ${MAX_LINES} lines a file`);
});

Deno.test("house: every kernel has its twin in every room", () => {
  const offenders = brokenRooms(tree, KERNELS, EXCEPTIONS);
  assertNone(offenders, "One name, five rooms; exceptions are in this file");
});

Deno.test("house: every formula tag has one home and is used", () => {
  assertNone(
    brokenTags(tree),
    "A formula is derived once, at the head of a file, and its code carries the tag",
  );
});

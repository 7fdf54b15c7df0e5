/**
 * findSpans(): the role-marker scanner. Expected positions by hand, and from the
 * rules of facts/label_masking.md.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { findSpans } from "../../mod.ts";
import type { EndOfTurn, FindSpansOptions } from "../../src/contract.ts";

// ChatML in small: 1 opens, 9 closes; 2 assistant, 3 user, 4 tool, 5 system
const roles = {
  system: { start: [1, 5], end: [9] },
  user: { start: [1, 3], end: [9] },
  tool: { start: [1, 4], end: [9] },
  assistant: { start: [1, 2], end: [9] },
};
const train = ["assistant"];

Deno.test("findSpans() trains an answer and its end, not its opening", () => {
  const ids = [1, 3, 7, 9, 1, 2, 8, 8, 9, 5];
  assertEquals(findSpans(ids, { roles, train }), [[6, 9]]);
});

Deno.test("findSpans() finds nothing where there is nothing", () => {
  assertEquals(findSpans([], { roles, train }), []);
  assertEquals(findSpans([7, 8, 9], { roles, train }), []);
  assertEquals(findSpans([1], { roles, train }), []);
  assertEquals(findSpans([1, 2, 7, 9], { roles, train: [] }), []);
});

Deno.test("findSpans() needs no pairs: two questions, then two answers in a row", () => {
  // Q A Q Q A, where pairing of questions with answers goes wrong
  const ids = [
    ...[1, 3, 7, 9],
    ...[1, 2, 10, 9],
    ...[1, 3, 7, 9],
    ...[1, 3, 7, 9],
    ...[1, 2, 11, 9],
  ];
  assertEquals(findSpans(ids, { roles, train }), [[6, 8], [18, 20]]);
  const twice = [1, 2, 5, 9, 1, 2, 6, 9];
  assertEquals(findSpans(twice, { roles, train }), [[2, 4], [6, 8]]);
});

Deno.test("findSpans() leaves tool results out between answers", () => {
  const ids = [
    ...[1, 5, 20, 9],
    ...[1, 3, 7, 9],
    ...[1, 2, 30, 9],
    ...[1, 4, 2, 9],
    ...[1, 2, 31, 9],
  ];
  assertEquals(findSpans(ids, { roles, train }), [[10, 12], [18, 20]]);
});

Deno.test("findSpans() takes a first turn by the assistant", () => {
  const ids = [1, 2, 7, 9, 1, 3, 8, 9];
  assertEquals(findSpans(ids, { roles, train }), [[2, 4]]);
});

Deno.test("findSpans() never looks for openings inside a turn", () => {
  // the user's text holds the assistant's opening marker
  const ids = [1, 3, 7, 1, 2, 8, 9, 1, 2, 5, 9];
  assertEquals(findSpans(ids, { roles, train }), [[9, 11]]);
});

Deno.test("findSpans() trains the end of an empty turn, and nothing without it", () => {
  const ids = [1, 2, 9, 1, 3, 7, 9];
  assertEquals(findSpans(ids, { roles, train }), [[2, 3]]);
  assertEquals(findSpans(ids, { roles, train, endOfTurn: "none" }), []);
});

Deno.test("findSpans() runs to the end of the row where the end is missing", () => {
  assertEquals(findSpans([1, 2, 8, 8, 8], { roles, train }), [[2, 5]]);
  assertEquals(findSpans([1, 2, 8], { roles, train, endOfTurn: "none" }), [
    [2, 3],
  ]);
  // an opening at the very end has nothing behind it
  assertEquals(findSpans([7, 1, 2], { roles, train }), []);
  // half of a marker is none
  assertEquals(findSpans([1, 2, 8, 9, 1], { roles, train }), [[2, 4]]);
});

Deno.test("findSpans() wants the whole of an end of several ids", () => {
  const long = { a: { start: [1], end: [7, 8, 9] } };
  const ids = [1, 7, 8, 5, 7, 8, 9, 4];
  assertEquals(findSpans(ids, { roles: long, train: ["a"] }), [[1, 7]]);
  const none = { roles: long, train: ["a"], endOfTurn: "none" } as const;
  assertEquals(findSpans(ids, none), [[1, 4]]);
  assertEquals(findSpans([1, 5, 7, 8], { roles: long, train: ["a"] }), [
    [1, 4],
  ]);
});

Deno.test("findSpans() lets the longest opening marker win", () => {
  const nested = {
    user: { start: [1, 2], end: [9] },
    assistant: { start: [1, 2, 4], end: [9] },
  };
  const { user, assistant } = nested;
  for (const order of [nested, { assistant, user }]) {
    const options = { roles: order, train };
    assertEquals(findSpans([1, 2, 4, 8, 9], options), [[3, 5]]);
    assertEquals(findSpans([1, 2, 5, 8, 9], options), []);
  }
});

Deno.test("findSpans() can train the opening too", () => {
  const opened = { a: { start: [50, 51], end: [60], includeStart: true } };
  const ids = [1, 50, 51, 7, 8, 60, 9];
  assertEquals(findSpans(ids, { roles: opened, train: ["a"] }), [[1, 6]]);
});

Deno.test("findSpans() with includeEnd: false neither trains nor eats the end", () => {
  const mistral = {
    user: { start: [50], end: [51], includeEnd: false },
    assistant: { start: [51], end: [99] },
  };
  const ids = [50, 7, 51, 8, 8, 99, 50, 6, 51, 5, 99];
  for (const endOfTurn of ["turn", "all"] as const) {
    const options = { roles: mistral, train, endOfTurn };
    assertEquals(findSpans(ids, options), [[3, 6], [9, 11]]);
  }
  const both = { roles: mistral, train: ["user", "assistant"] };
  assertEquals(findSpans(ids, both), [[1, 2], [3, 6], [7, 8], [9, 11]]);
});

Deno.test("findSpans() trains the ends it is asked for", () => {
  // 0 user 4 assistant 8 user
  const ids = [1, 3, 7, 9, 1, 2, 8, 9, 1, 3, 6, 9];
  const cases: Record<EndOfTurn, unknown> = {
    turn: [[6, 8]],
    none: [[6, 7]],
    all: [[3, 4], [6, 8], [11, 12]],
    last: [[6, 7], [11, 12]],
  };
  for (const [endOfTurn, expected] of Object.entries(cases)) {
    const options = { roles, train, endOfTurn: endOfTurn as EndOfTurn };
    assertEquals(findSpans(ids, options), expected as [], endOfTurn);
  }
  // the last one found, not the last trained turn's
  const options = { roles, train, endOfTurn: "last" } as const;
  assertEquals(findSpans([1, 2, 5, 9, 1, 2, 6, 9], options), [[2, 3], [6, 8]]);
  assertEquals(findSpans([1, 2, 5, 9, 1, 2, 6], options), [[2, 4], [6, 7]]);
  assertEquals(findSpans([1, 2, 9], options), [[2, 3]]);
  assertEquals(findSpans([7], options), []);
});

Deno.test("findSpans() takes any array of ids", () => {
  const ids = [1, 3, 7, 9, 1, 2, 8, 9];
  const expected = [[6, 8]] as const;
  for (
    const list of [
      Int32Array.from(ids),
      Uint16Array.from(ids),
      BigInt64Array.from(ids, BigInt),
    ]
  ) {
    assertEquals(findSpans(list, { roles, train }), [...expected]);
  }
  const typed = {
    assistant: { start: Int32Array.of(1, 2), end: new Uint8Array([9]) },
  };
  assertEquals(findSpans(ids, { roles: typed, train }), [[6, 8]]);
});

Deno.test("findSpans() gives spans in order, never empty, never overlapping", () => {
  let state = 1;
  const next = () => state = (state * 48271) % 2147483647;
  for (let run = 0; run < 200; run++) {
    const ids = Array.from({ length: 40 }, () => [1, 2, 3, 4, 9][next() % 5]!);
    for (const endOfTurn of ["turn", "all", "last", "none"] as const) {
      const options = { roles, train: ["assistant", "tool"], endOfTurn };
      let before = 0;
      for (const [start, end] of findSpans(ids, options)) {
        assert(before <= start && start < end && end <= ids.length);
        before = end;
      }
    }
  }
});

Deno.test("findSpans() says what is wrong with its options", () => {
  const refuse = (options: unknown, kind: typeof RangeError, text: string) =>
    assertThrows(() => findSpans([1], options as FindSpansOptions), kind, text);
  refuse({ roles, train: ["model"] }, RangeError, '"model"');
  refuse({ roles, train: ["toString"] }, RangeError, "toString");
  refuse({ roles, train, endOfTurn: "every" }, RangeError, "every");
  refuse({ roles, train: "assistant" }, TypeError, "train");
  refuse({ roles: null, train }, TypeError, "roles");
  refuse({ train }, TypeError, "roles");
  for (const edge of ["start", "end"]) {
    const broken = (marker: unknown) => ({
      roles: { assistant: { ...roles.assistant, [edge]: marker } },
      train,
    });
    const name = `roles.assistant.${edge}`;
    for (const marker of [[], [1.5], [NaN], [2 ** 40]]) {
      refuse(broken(marker), RangeError, name);
    }
    for (const marker of [undefined, ["x"], [null]]) {
      refuse(broken(marker), TypeError, name);
    }
  }
  const twins = {
    a: { start: [1, 2], end: [9] },
    b: { start: [1, 2], end: [8] },
  };
  refuse({ roles: twins, train: ["a"] }, RangeError, "a and b");
});

Deno.test("findSpans() refuses what is of the wrong kind, and misspelt keys", () => {
  const roles = { assistant: { start: [1], end: [2] } };
  const train = ["assistant"];
  const run = (ids: unknown, options: unknown) => () =>
    findSpans(ids as number[], options as Parameters<typeof findSpans>[1]);
  assertThrows(run(null, { roles, train }), TypeError, "inputIds must be");
  assertThrows(run([2 ** 40], { roles, train }), RangeError, "inputIds[0]");
  assertThrows(run([1.5], { roles, train }), RangeError, "inputIds[0]");
  assertThrows(run([1], null), TypeError, "options must be an object");
  assertThrows(
    run([1], { roles: { assistant: null }, train }),
    TypeError,
    "roles.assistant must be an object",
  );
  assertThrows(
    run([1], { roles, train, endOfTurn: 5 }),
    TypeError,
    "endOfTurn must be one of",
  );
  assertThrows(run([1], { roles, train, endofturn: "all" }), TypeError, "");
  const misspelt = { assistant: { ...roles.assistant, includeend: false } };
  assertThrows(run([1], { roles: misspelt, train }), TypeError, "includeend");
});

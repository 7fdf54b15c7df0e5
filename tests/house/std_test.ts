/** The stand-ins in `vendor/` behave as the packages they stand in for. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { describe, it } from "@std/testing/bdd";

/** Whether this assertion fails. */
function fails(assertion: () => void): boolean {
  try {
    assertion();
    return false;
  } catch (error) {
    if (error instanceof AssertionError) return true;
    throw error;
  }
}

const EQUAL: [unknown, unknown][] = [
  [NaN, NaN],
  [0, -0],
  [new Float32Array([1, NaN]), new Float32Array([1, NaN])],
  [{ a: [1, { b: null }] }, { a: [1, { b: null }] }],
  [new Map([["a", [1]]]), new Map([["a", [1]]])],
  [new Set([[1], [2]]), new Set([[2], [1]])],
  [new Date(5), new Date(5)],
  [[], []],
];

const DIFFERENT: [unknown, unknown][] = [
  [1, "1"],
  [null, undefined],
  [1, 1n],
  [new Float32Array([1]), new Float64Array([1])],
  [new Float32Array([1, 2]), new Float32Array([1])],
  [new Int32Array([1, 2]), new Int32Array([1, 3])],
  [{ a: undefined }, {}],
  [[undefined], []],
  [new Map([["a", 1]]), new Map([["a", 2]])],
  [new Set([1]), new Set([2])],
  [new Date(5), new Date(6)],
  [/a/, /b/],
  [new TypeError("a"), new RangeError("a")],
];

describe("@std/assert", () => {
  it("assertEquals() and assertNotEquals() are each other's opposite", () => {
    for (const [a, b] of EQUAL) {
      assert(!fails(() => assertEquals(a, b)), String(a));
      assert(fails(() => assertNotEquals(a, b)), String(a));
    }
    for (const [a, b] of DIFFERENT) {
      assert(fails(() => assertEquals(a, b)), String(a));
      assert(!fails(() => assertNotEquals(a, b)), String(a));
    }
  });

  it("assertStrictEquals() tells 0 from -0, and one array from its copy", () => {
    assertStrictEquals(NaN, NaN);
    assert(fails(() => assertStrictEquals(0, -0)));
    assert(fails(() => assertStrictEquals([1], [1])));
  });

  it("assertAlmostEquals() allows 1e-7 of the expected value unless told", () => {
    assertAlmostEquals(1e-8 * (1 + 5e-8), 1e-8);
    assertAlmostEquals(Infinity, Infinity);
    assertAlmostEquals(1, 1.4, 0.5);
    assert(fails(() => assertAlmostEquals(1e-8, 2e-8)));
    assert(fails(() => assertAlmostEquals(NaN, 1, 1e9)));
    assert(fails(() => assertAlmostEquals(1, Infinity)));
  });

  it("assertThrows() and assertRejects() check class and message, and return the error", async () => {
    const boom = new RangeError("row 3");
    const throws = () => {
      throw boom;
    };
    const rejects = () => Promise.reject(boom);
    assertStrictEquals(assertThrows(throws, RangeError, "row"), boom);
    assertStrictEquals(await assertRejects(rejects, Error, "3"), boom);
    assert(fails(() => assertThrows(throws, TypeError)));
    assert(fails(() => assertThrows(throws, RangeError, "column")));
    assert(fails(() => assertThrows(() => {})));
    await assertRejects(
      () => assertRejects(() => Promise.resolve()),
      AssertionError,
    );
  });

  it("the small ones fail when they should", () => {
    assertExists(0);
    assertFalse("");
    assertInstanceOf([], Array);
    assertMatch("row 3", /\d/);
    assertStringIncludes("row 3", "row");
    assertGreater(2, 1);
    assertGreaterOrEqual(2, 2);
    assertLess(1, 2);
    assertLessOrEqual(2, 2);
    assert(fails(() => fail()));
    assert(fails(() => assert(0)));
    assert(fails(() => assertExists(undefined)));
    assert(fails(() => assertFalse(1)));
    assert(fails(() => assertInstanceOf([], Map)));
    assert(fails(() => assertMatch("row", /\d/)));
    assert(fails(() => assertStringIncludes("row", "3")));
    assert(fails(() => assertGreater(1, 1)));
    assert(fails(() => assertGreater(NaN, 1)));
    assert(fails(() => assertGreaterOrEqual(1, 2)));
    assert(fails(() => assertLess(1, 1)));
    assert(fails(() => assertLessOrEqual(2, 1)));
  });
});

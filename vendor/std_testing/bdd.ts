/**
 * A small stand-in for `@std/testing/bdd`, for machines that reach npm but not
 * JSR: `describe` and `it` on top of `Deno.test`, one test for each `it`, named
 * "group > ... > test".
 *
 * Same names, same signatures, written anew. Take the "links" line out of the
 * root deno.json and the real package is used instead.
 *
 * @module
 */

/** The body of one test. */
export type TestBody = (t: Deno.TestContext) => void | Promise<void>;

/** Registers a test. */
export interface It {
  /** Registers a test. */
  (name: string, fn: TestBody): void;
  /** Registers a test that is reported but not run. */
  ignore(name: string, fn: TestBody): void;
  /** Same as `ignore`. */
  skip(name: string, fn: TestBody): void;
  /** Registers a test; of the file only such tests are run. */
  only(name: string, fn: TestBody): void;
}

/** Registers a group of tests. */
export interface Describe {
  /** Registers a group of tests; `fn` runs at once. */
  (name: string, fn: () => void): void;
  /** Registers a group whose tests are reported but not run. */
  ignore(name: string, fn: () => void): void;
  /** Same as `ignore`. */
  skip(name: string, fn: () => void): void;
}

interface Group {
  name: string;
  ignore: boolean;
}

/** The groups around the code that runs now, outermost first. */
const groups: Group[] = [];

function enter(group: Group, fn: () => void): void {
  groups.push(group);
  try {
    fn();
  } finally {
    groups.pop();
  }
}

function add(name: string, fn: TestBody, how: "run" | "ignore" | "only"): void {
  Deno.test({
    name: [...groups.map((group) => group.name), name].join(" > "),
    fn,
    ignore: how === "ignore" || groups.some((group) => group.ignore),
    only: how === "only",
  });
}

const ignoreGroup = (name: string, fn: () => void): void =>
  enter({ name, ignore: true }, fn);

const ignoreTest = (name: string, fn: TestBody): void =>
  add(name, fn, "ignore");

/** Registers a group of tests. */
export const describe: Describe = Object.assign(
  (name: string, fn: () => void): void => enter({ name, ignore: false }, fn),
  { ignore: ignoreGroup, skip: ignoreGroup },
);

/** Registers a test. */
export const it: It = Object.assign(
  (name: string, fn: TestBody): void => add(name, fn, "run"),
  {
    ignore: ignoreTest,
    skip: ignoreTest,
    only: (name: string, fn: TestBody): void => add(name, fn, "only"),
  },
);

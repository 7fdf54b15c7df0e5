/**
 * The law of formula tags: a formula such as [LSE 2] is derived once, in the
 * opening comment of one file of src/reference, src/labels or half.ts, on a line
 * that begins with its tag. The lines that compute it carry the tag.
 *
 * @module
 */
import type { Tree } from "./tree.ts";

const TAG = /\[([A-Z]{2,} \d+)\]/g;
const DEFINITION = /^\s*(?:\/\/|\/?\*+)\s*\[([A-Z]{2,} \d+)\]/;

/** Where formulas are derived. */
const HOME = /^src\/(reference\/|labels\/|half\.ts$)/;

/** Where every tag must have a home. */
const BOUND = /^(assembly|src)\//;

/** Tags without a home, with more than one, or that no line of code refers to. */
export function brokenTags(tree: Tree): string[] {
  const homes = new Map<string, string[]>();
  const uses = new Map<string, Set<string>>();
  const counts = new Map<string, number>();
  for (const [path, text] of tree) {
    const opening = head(text);
    if (HOME.test(path)) {
      for (const line of opening.split("\n")) {
        const tag = DEFINITION.exec(line)?.[1];
        if (tag !== undefined) homes.set(tag, [...homes.get(tag) ?? [], path]);
      }
    }
    for (const [, tag = ""] of text.matchAll(TAG)) {
      uses.set(tag, (uses.get(tag) ?? new Set()).add(path));
    }
    for (const [, tag = ""] of text.slice(opening.length).matchAll(TAG)) {
      counts.set(tag, (counts.get(tag) ?? 0) + 1);
    }
  }

  const offenders: string[] = [];
  for (const [tag, paths] of uses) {
    const bound = [...paths].filter((path) => BOUND.test(path));
    if (bound.length > 0 && !homes.has(tag)) {
      offenders.push(`[${tag}] of ${bound.join(", ")} is derived nowhere`);
    }
  }
  for (const [tag, paths] of homes) {
    if (paths.length > 1) {
      offenders.push(`[${tag}] is derived more than once: ${paths.join(", ")}`);
    }
    if (!counts.has(tag)) {
      offenders.push(`[${tag}] of ${paths[0]} is referred to by no code`);
    }
  }
  return offenders;
}

/** The opening comment of a file. */
function head(text: string): string {
  const comment = /^(?:\/\*.*?\*\/|(?:\/\/[^\n]*\n)+)/s.exec(text);
  return comment === null ? "" : comment[0];
}

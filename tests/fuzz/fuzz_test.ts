/** Two hundred cases of the fuzzer, always the same ones, and its dice. */
import { assert, assertEquals } from "@std/assert";
import { describe, makeCase } from "./cases.ts";
import { check } from "./check.ts";

for (let block = 0; block < 4; block++) {
  Deno.test(`fuzz: cases ${50 * block} to ${50 * block + 49} hold on every engine`, () => {
    const broken: string[] = [];
    for (let seed = 50 * block; seed < 50 * block + 50; seed++) {
      const made = makeCase(seed), faults = check(made);
      if (faults.length > 0) broken.push(`${describe(made)}\n    ${faults[0]}`);
    }
    assertEquals(broken.length, 0, broken.join("\n  "));
  });
}

Deno.test("fuzz: a seed makes the same case twice, and the cases are many kinds", () => {
  assertEquals(makeCase(7), makeCase(7));
  const cases = Array.from({ length: 200 }, (_, seed) => makeCase(seed));
  const kinds = new Set(cases.flatMap((c) => Object.keys(c.options)));
  assert(kinds.size >= 16, [...kinds].join());
  for (const storage of ["f32", "bf16", "f16"]) {
    assert(cases.some((c) => c.storage === storage), storage);
  }
  assert(cases.some((c) => c.rows === 0) && cases.some((c) => c.dims));
  assert(cases.some((c) => c.rowStride > c.vocabSize));
  assert(cases.some((c) => c.vocabSize > 2048));
});

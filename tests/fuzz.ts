/**
 * Random losses on every engine, until one is wrong:
 *
 *     deno task fuzz [--cases N] [--seed S]
 *
 * Case i is made from S + i, so what failed is run again alone by its own seed.
 *
 * @module
 */
import { fastEngines } from "./engines.ts";
import { describe, makeCase } from "./fuzz/cases.ts";
import { check } from "./fuzz/check.ts";

/** The value after a flag, or what it is without. */
function flag(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(name);
  const value = at < 0 ? otherwise : Number(Deno.args[at + 1]);
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  console.error(`Cannot fuzz as ${name} must be a whole number below 2³²`);
  Deno.exit(2);
}

if (import.meta.main) {
  const cases = flag("--cases", 2000);
  const seed = flag("--seed", Date.now() % 2 ** 31);
  const names = fastEngines.map(({ name }) => name).join(", ");
  console.log(`seed ${seed}, ${cases} cases, ${names} against the reference`);

  let failed = 0;
  for (let i = 0; i < cases && failed < 10; i++) {
    const made = makeCase((seed + i) >>> 0);
    let faults: string[];
    try {
      faults = check(made);
    } catch (error) {
      faults = [`threw ${error}`];
    }
    if (faults.length === 0) continue;
    failed++;
    console.log(`\nfailed: ${describe(made)}`);
    for (const fault of faults.slice(0, 4)) console.log(`  ${fault}`);
    console.log(`  again: deno task fuzz --cases 1 --seed ${made.seed}`);
  }
  if (failed > 0) Deno.exitCode = 1;
  console.log(failed === 0 ? `all ${cases} hold` : `\n${failed} failed`);
}

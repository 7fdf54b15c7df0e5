/**
 * Loads files of the suite of all engines for every GPU.
 *
 * @module
 */
import { testOnly } from "../engines.ts";
import { elsewhere } from "./elsewhere.ts";
import { putToGpus } from "./lanes.ts";
import { type Recorded, ReplayEngine, submitAll } from "./replay.ts";

/** Loads files of `tests/conformance` with every test run on all GPUs. */
export async function loadSuite(files: readonly string[]): Promise<void> {
  const engine = new ReplayEngine();
  // a GPU in software takes long for many rows
  testOnly(engine, 16);
  const original = Deno.test;
  const register = (
    first: string | Deno.TestDefinition,
    fn?: (context: Deno.TestContext) => void | Promise<void>,
  ) => {
    const name = typeof first === "string" ? first : first.name;
    if (elsewhere(name)) return;
    const test = (typeof first === "string" ? fn! : first.fn) as () => void;
    // the first run is the same for all GPUs
    let recorded: Recorded | null = null;
    putToGpus(name, async (gpu) => {
      const first = recorded ??= engine.record(test);
      const read = await submitAll(gpu, first);
      return async () => engine.replay(first, await read(), test);
    });
  };
  Object.defineProperty(Deno, "test", { value: register, configurable: true });
  try {
    for (const file of files) await import(`../conformance/${file}`);
  } finally {
    Object.defineProperty(Deno, "test", {
      value: original,
      configurable: true,
    });
  }
}

/**
 * Loads files of the suite of all engines for the GPU.
 *
 * @module
 */
import { testOnly } from "../engines.ts";
import { elsewhere } from "./elsewhere.ts";
import { gpuTest } from "./gpu.ts";
import { ReplayEngine, type Way } from "./replay.ts";

/** Loads files of `tests/conformance` with every test run on the GPU. */
export async function loadSuite(
  files: readonly string[],
  way: Way = {},
): Promise<void> {
  const engine = new ReplayEngine();
  // a GPU in software takes long for many rows
  testOnly(engine, 16);
  const original = Deno.test;
  const register = (
    first: string | Deno.TestDefinition,
    fn?: (context: Deno.TestContext) => void | Promise<void>,
  ) => {
    const name = typeof first === "string" ? first : first.name;
    const test = typeof first === "string" ? fn! : first.fn;
    if (elsewhere(name)) return;
    gpuTest(
      name,
      ({ heap }) =>
        engine.run(
          heap,
          () => test(undefined as unknown as Deno.TestContext),
          way,
        ),
    );
  };
  // `gpuTest` registers with the original
  await import("./gpu.ts");
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

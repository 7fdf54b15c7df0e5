/**
 * Loads files of the suite of all engines for the GPU. What a test of that suite
 * says of WASM alone is not run, and named here.
 *
 * @module
 */
import { testOnly } from "../engines.ts";
import { gpuTest } from "./gpu.ts";
import { ReplayEngine, type Way } from "./replay.ts";

/** Tests that are about something else than an engine, by the start of their names, each with the reason. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "the clamp keeps the bare kernel": "addresses of WASM's own memory",
  "a row that fits no memory":
    "WASM's memory; a binding's size has its own test",
  "createLossWorkspace() beyond": "a workspace is WASM's",
  "the checks count rows": "checks, not an engine",
  "[wasm-relaxed]": "a build of WASM",
  "this runtime has Float16Array": "a runtime, not an engine",
};

/** Loads files of `tests/conformance` with every test run on the GPU. */
export async function loadSuite(
  files: readonly string[],
  way: Way = {},
): Promise<void> {
  const engine = new ReplayEngine();
  testOnly(engine);
  const original = Deno.test;
  const register = (
    first: string | Deno.TestDefinition,
    fn?: (context: Deno.TestContext) => void | Promise<void>,
  ) => {
    const name = typeof first === "string" ? first : first.name;
    const test = typeof first === "string" ? fn! : first.fn;
    if (Object.keys(ELSEWHERE).some((start) => name.startsWith(start))) return;
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

/**
 * Tests of the suite of all engines that are about something else than an
 * engine, by the start of their names, each with the reason.
 *
 * @module
 */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "the clamp keeps the bare kernel": "addresses of WASM's own memory",
  "a row that fits no memory":
    "WASM's memory; a binding's size has its own test",
  "createLossWorkspace() beyond": "a workspace is WASM's",
  "the checks count rows": "checks, not an engine",
  "[wasm-relaxed]": "a build of WASM",
  "this runtime has Float16Array": "a runtime, not an engine",
};

/** Whether a test is not the GPU's. */
export function elsewhere(name: string): boolean {
  return Object.keys(ELSEWHERE).some((start) => name.startsWith(start));
}

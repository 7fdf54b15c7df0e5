/**
 * All tests of the GPU, on every GPU and by every compiler, in one file, so that
 * each kernel is compiled once, and one browser is at work from first to last.
 * First the suite of all engines: edges, targets in place, limits and the
 * eleven that everyone asks for; every pair of options, and PyTorch's answers;
 * sizes around every width, logits chosen for a reason, any float32 at all.
 *
 * @module
 */
import { startBrowser } from "./lanes.ts";
import { loadSuite } from "./suite.ts";

await loadSuite([
  "edges_test.ts",
  "eleven_test.ts",
  "in_place_test.ts",
  "limits_test.ts",
  "options_test.ts",
  "torch_test.ts",
  "numerics_test.ts",
  "any_logit_test.ts",
]);

// on every GPU
await import("./bits.ts");
await import("./fuzz.ts");
await import("./mutants.ts");
await import("./numbers.ts");
await import("./plan_jobs.ts");
await import("./traps.ts");

// on Deno's
await import("./attacks.ts");
await import("./example.ts");
await import("./lists.ts");
await import("./plan.ts");
await import("./select.ts");
await import("./weigher.ts");

startBrowser();

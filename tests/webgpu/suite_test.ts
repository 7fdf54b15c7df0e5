/**
 * The suite of all engines on the GPU: edges, targets in place, limits and the
 * eleven that everyone asks for; every pair of options, and PyTorch's answers;
 * sizes around every width, logits chosen for a reason, any float32 at all.
 *
 * @module
 */
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

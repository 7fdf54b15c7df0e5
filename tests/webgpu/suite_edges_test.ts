/** The suite of all engines on the GPU: edges, targets in place, limits, and the eleven that everyone asks for. */
import { loadSuite } from "./suite.ts";

await loadSuite([
  "edges_test.ts",
  "eleven_test.ts",
  "in_place_test.ts",
  "limits_test.ts",
]);

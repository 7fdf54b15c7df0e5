/** The suite of all engines on the GPU: every pair of options, and PyTorch's answers. */
import { loadSuite } from "./suite.ts";

await loadSuite(["options_test.ts", "torch_test.ts"]);

/** The suite of all engines on the GPU: sizes around every width, logits chosen for a reason, any float32 at all. */
import { loadSuite } from "./suite.ts";

await loadSuite(["numerics_test.ts", "any_logit_test.ts"]);

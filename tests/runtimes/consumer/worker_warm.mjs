/** A Cloudflare worker that uses the library once while it starts, when the inlined kernels may still be compiled. */
import * as api from "@sft/loss";
import golden from "./golden.mjs";
import { consume } from "./consume.mjs";
import { probe } from "./probe.mjs";

const checks = consume(api, golden);

export default {
  async fetch() {
    // what was compiled then serves requests now
    checks.push(...consume(api, golden));
    return Response.json({ checks, probes: await probe() });
  },
};

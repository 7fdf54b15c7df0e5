/** A Cloudflare worker that hands in modules which the runtime compiled. */
import * as api from "@sft/loss";
import simd from "@sft/loss/kernels.wasm";
import relaxed from "@sft/loss/kernels_relaxed.wasm";
import golden from "./golden.mjs";
import { consume } from "./consume.mjs";
import { probe } from "./probe.mjs";

api.init({ simd, relaxed });

export default {
  async fetch() {
    const checks = consume(api, golden);
    return Response.json({ checks, probes: await probe() });
  },
};

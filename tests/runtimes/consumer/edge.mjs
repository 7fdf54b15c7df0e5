/** Vercel's edge runtime: with inlined kernels, or with the modules that its host compiled. */
import * as api from "@sft/loss";
import golden from "./golden.mjs";
import { consume } from "./consume.mjs";
import { probe } from "./probe.mjs";

if (globalThis.KERNELS) api.init(globalThis.KERNELS);

async function answer() {
  const checks = consume(api, golden);
  return Response.json({ checks, probes: await probe() });
}

addEventListener("fetch", (event) => event.respondWith(answer()));

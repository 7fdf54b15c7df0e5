/** Vercel's edge runtime: with inlined kernels, or with the modules that its host compiled. */
import * as api from "@sft/loss";
import { createParallelEngine } from "@sft/loss/parallel";
import * as reference from "@sft/loss/reference";
import * as webgpu from "@sft/loss/webgpu";
import chat from "./chat.mjs";
import golden from "./golden.mjs";
import { consume, consumeReference } from "./consume.mjs";
import { useThreads } from "./parallel.mjs";
import { useEntries } from "./entries.mjs";
import { probe } from "./probe.mjs";
import { useGpu } from "./webgpu.mjs";

if (globalThis.KERNELS) api.init(globalThis.KERNELS);

async function answer() {
  const checks = [
    ...consume(api, golden),
    ...consumeReference(reference, golden),
  ];
  const entries = await useEntries(chat);
  const parallel = await useThreads(api, createParallelEngine);
  const gpu = await useGpu(webgpu, golden);
  const probes = await probe();
  return Response.json({ checks, probes, parallel, entries, gpu });
}

addEventListener("fetch", (event) => event.respondWith(answer()));

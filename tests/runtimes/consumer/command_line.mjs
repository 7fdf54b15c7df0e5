/** The root entry in Deno, Node and Bun: prints what was found as one line of JSON. */
import * as api from "@sft/loss";
import { createParallelEngine } from "@sft/loss/parallel";
import * as reference from "@sft/loss/reference";
import * as webgpu from "@sft/loss/webgpu";
import golden from "./golden.mjs";
import { consume, consumeReference } from "./consume.mjs";
import { useThreads } from "./parallel.mjs";
import { probe } from "./probe.mjs";
import { useGpu } from "./webgpu.mjs";

const checks = [
  ...consume(api, golden),
  ...consumeReference(reference, golden),
];
const parallel = await useThreads(api, createParallelEngine);
const gpu = await useGpu(webgpu, golden);
console.log(JSON.stringify({ checks, probes: await probe(), parallel, gpu }));
// a thread that was ended keeps some runtimes waiting
globalThis.process?.exit(0);

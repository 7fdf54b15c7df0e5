/** The root entry in a page, as modules, without a bundler. */
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
globalThis.found = { checks, probes: await probe(), parallel, gpu };

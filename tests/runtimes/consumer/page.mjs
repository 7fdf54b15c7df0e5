/** The root entry in a page, as modules, without a bundler. */
import * as api from "@sft/loss";
import { createParallelEngine } from "@sft/loss/parallel";
import golden from "./golden.mjs";
import { consume } from "./consume.mjs";
import { useThreads } from "./parallel.mjs";
import { probe } from "./probe.mjs";

const checks = consume(api, golden);
const parallel = await useThreads(api, createParallelEngine);
globalThis.found = { checks, probes: await probe(), parallel };

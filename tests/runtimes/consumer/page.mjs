/** The root entry in a page, as modules, without a bundler. */
import * as api from "@sft/loss";
import golden from "./golden.mjs";
import { consume } from "./consume.mjs";
import { probe } from "./probe.mjs";

const checks = consume(api, golden);
globalThis.found = { checks, probes: await probe() };

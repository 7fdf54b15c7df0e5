/** The root entry in Deno, Node and Bun: prints what was found as one line of JSON. */
import * as api from "@sft/loss";
import golden from "./golden.mjs";
import { consume } from "./consume.mjs";
import { probe } from "./probe.mjs";

const checks = consume(api, golden);
console.log(JSON.stringify({ checks, probes: await probe() }));
// a thread that was ended keeps some runtimes waiting
globalThis.process?.exit(0);

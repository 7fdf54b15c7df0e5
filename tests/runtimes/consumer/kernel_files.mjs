/** The .wasm files as Node, Bun and Deno find them, compiled by hand and given to `init`. */
import * as api from "@sft/loss";
import { readFile } from "node:fs/promises";
import golden from "./golden.mjs";
import { consume } from "./consume.mjs";

const compiled = async (name) => {
  const file = new URL(import.meta.resolve(`@sft/loss/${name}`));
  return await WebAssembly.compile(await readFile(file));
};
const simd = await compiled("kernels.wasm");
let relaxed;
try {
  relaxed = await compiled("kernels_relaxed.wasm");
} catch {
  // this runtime does not know relaxed SIMD
}
// nothing else may be compiled from here on
WebAssembly.Module = new Proxy(WebAssembly.Module, {
  construct() {
    throw new Error("compiled again");
  },
});
api.init(relaxed ? { simd, relaxed } : { simd });
console.log(JSON.stringify({ checks: consume(api, golden) }));

/**
 * Runs `edge.mjs`, bundled, in the edge-runtime package, in Node.
 *
 * node edge_host.mjs EDGE_RUNTIME BUNDLE [SIMD RELAXED]
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [edgeRuntime, bundle, ...kernels] = process.argv.slice(2);
const { EdgeRuntime } = await import(pathToFileURL(edgeRuntime).href);
const runtime = new EdgeRuntime({
  initialCode: readFileSync(bundle, "utf8"),
  extend: (context) => {
    const [simd, relaxed] = kernels.map((path) =>
      new WebAssembly.Module(readFileSync(path))
    );
    if (simd) context.KERNELS = { simd, relaxed };
    return context;
  },
});
const response = await runtime.dispatchFetch("http://edge.test/");
await response.waitUntil();
console.log(await response.text());

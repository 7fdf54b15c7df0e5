/**
 * The kernels through a second compiler: Chromium's (Dawn, with
 * Tint) on SwiftShader, a driver that answers NaN and infinity differently from
 * the first. Without Chromium, or where it has no WebGPU, the test is ignored
 * and says so; with REQUIRE_CHROMIUM=1 that is a failure.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import * as esbuild from "esbuild";
import { findChromium, withPage } from "../report/browser/chromium.ts";
import type { PageReport } from "./page.ts";

const granted = (descriptor: Deno.PermissionDescriptor) =>
  Deno.permissions.querySync(descriptor).state === "granted";

/** Why the test cannot run, or null if it can. */
function hindrance(): string | null {
  for (const name of ["run", "write"] as const) {
    if (!granted({ name })) return `the tests have no permission to ${name}`;
  }
  if (!granted({ name: "net", host: "127.0.0.1" })) {
    return "the tests have no permission for net";
  }
  return findChromium() === null ? "there is no Chromium here" : null;
}

const why = hindrance();
const isRequired = Deno.env.get("REQUIRE_CHROMIUM") === "1" &&
  Deno.env.get("REQUIRE_GPU") === "1";
if (why !== null && !isRequired) {
  console.warn(`The shaders do not meet a second compiler: ${why}`);
}

/** The page's script: problems, kernels and reference in one. */
async function bundle(): Promise<string> {
  const root = new URL("../../", import.meta.url).pathname;
  const { outputFiles } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: ["tests/webgpu/page.ts"],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
    alias: { "@std/assert": `${root}vendor/std_assert/mod.ts` },
  }).finally(() => esbuild.stop());
  return outputFiles[0]!.text;
}

const PAGE = "<script type=module src=page.js></script>";

const FLAGS = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--ignore-gpu-blocklist",
  // a software driver may compile for longer than a GPU may hang
  "--disable-gpu-watchdog",
];

Deno.test({
  name: "the kernels, compiled by Chromium's Tint, on SwiftShader",
  ignore: why !== null && !isRequired,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    assert(why === null, why ?? "");
    const script = await bundle();
    // WebGPU needs a secure context, which this machine's own address is
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      ({ url }) => {
        const isScript = url.endsWith(".js");
        return new Response(isScript ? script : PAGE, {
          headers: {
            "content-type": isScript ? "text/javascript" : "text/html",
          },
        });
      },
    );
    try {
      await withPage(findChromium()!, async (page) => {
        await page.visit(`http://127.0.0.1:${server.addr.port}/`);
        await page.until("typeof runProblems === 'function'").catch((cause) => {
          throw new Error(page.complaints.join("\n"), { cause });
        });
        const { adapter, reason, results }: PageReport = await page.value(
          "runProblems()",
        );
        if (adapter === null && !isRequired) {
          return console.warn(`Nothing was compiled by Tint: ${reason}`);
        }
        assert(adapter !== null, reason);
        console.log(
          `${results.length} problems in Chromium on ${adapter}, compiled by Tint`,
        );
        assertEquals(results.length, 4);
        for (const { name, fault, milliseconds } of results) {
          console.log(`  ${name}: ${Math.round(milliseconds)} ms`);
          assertEquals(fault, null, name);
        }
      }, FLAGS);
    } finally {
      await server.shutdown();
    }
  },
});

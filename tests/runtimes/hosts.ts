/**
 * How each runtime is started, and how its answer comes back.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { findChromium, withPage } from "../report/browser/chromium.ts";
import { APP, type Machine, run, toolPath } from "./setup.ts";

/** What a consumer found. */
export interface Report {
  checks: { name: string; error: string | null }[];
  probes: Probes;
  /** What webgpu.mjs found, where it ran. */
  gpu?: { hasGpu: boolean; reason: string | null; checks: Report["checks"] };
  /** What entries.mjs found of `./chat` and `./formats`, where it ran. */
  entries?: Report["checks"];
  /** What parallel.mjs found, where it ran. */
  parallel?: {
    threads: number;
    reason: string | null;
    checks: Report["checks"];
  };
}

/** What probe.mjs found. */
export interface Probes {
  relaxedSimd: boolean;
  compilesNow: boolean;
  threads: boolean;
  float16: boolean;
  webgpu: boolean;
  isolated: boolean | null;
}

/** A program in the project's folder, which prints its report. */
export async function onCommandLine(
  program: string,
  args: readonly string[],
): Promise<Report> {
  const { code, out, err } = await run(program, args, { cwd: APP });
  if (code !== 0) throw new Error(`It ended with ${code}\n${out}${err}`);
  return JSON.parse(out);
}

/** Bundles a consumer, leaving the .wasm files out, and returns the bundle's path. */
async function bundle(entry: string, format: "esm" | "iife"): Promise<string> {
  const path = `bundled_${entry}`;
  await esbuild.build({
    absWorkingDir: `${Deno.cwd()}/${APP}`,
    entryPoints: [entry],
    bundle: true,
    format,
    external: ["@sft/loss/*.wasm"],
    outfile: path,
    logLevel: "error",
  }).finally(() => esbuild.stop());
  return path;
}

/** A worker's answer to one request, in workerd. */
export async function onWorkerd(
  machine: Machine,
  entry: string,
  compatibilityDate: string,
): Promise<string> {
  const code = await bundle(entry, "esm");
  const kernels = `node_modules/@sft/loss/src/wasm`;
  const config = `${entry}_${compatibilityDate}.capnp`;
  await Deno.writeTextFile(
    `${APP}/${config}`,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [
      (name = "worker.mjs", esModule = embed "${code}"),
      (name = "@sft/loss/kernels.wasm", wasm = embed "${kernels}/kernels_simd.wasm"),
      (name = "@sft/loss/kernels_relaxed.wasm", wasm = embed "${kernels}/kernels_relaxed.wasm"),
    ],
    compatibilityDate = "${compatibilityDate}",
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`,
  );
  const workerd = new Deno.Command(machine.programs.workerd!, {
    // the control file says which port it took
    args: ["serve", "--control-fd=1", config],
    cwd: APP,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const complaints = new Response(workerd.stderr).text();
  try {
    const port = await portOf(workerd.stdout);
    if (port === null) throw new Error("workerd did not start");
    const response = await fetch(`http://127.0.0.1:${port}/`);
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text;
  } catch (error) {
    stop(workerd);
    throw new Error(await complaints, { cause: error });
  } finally {
    stop(workerd);
    await workerd.status;
    await complaints;
  }
}

/** The port in the first line of workerd's control file; null where it ends without one. */
async function portOf(
  stdout: ReadableStream<Uint8Array>,
): Promise<number | null> {
  let said = "";
  const lines = stdout.pipeThrough(new TextDecoderStream());
  for await (const chunk of lines) {
    said += chunk;
    if (said.includes("\n")) return JSON.parse(said.split("\n")[0]!).port;
  }
  return null;
}

function stop(process: Deno.ChildProcess): void {
  try {
    process.kill();
  } catch { /* it has ended */ }
}

/** A port that nobody listens on just now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** The answer of a worker as its authors run it: bundled and served by `wrangler dev`, in a Node. */
export async function onWrangler(
  machine: Machine,
  node: string,
  compatibilityDate: string,
  main: string,
): Promise<string> {
  const config = "wrangler.json";
  await Deno.writeTextFile(
    `${APP}/${config}`,
    JSON.stringify({
      name: "consumer",
      main,
      compatibility_date: compatibilityDate,
    }),
  );
  const port = freePort();
  const wrangler = new Deno.Command(machine.programs[node]!, {
    args: [toolPath("wrangler/bin/wrangler.js"), "dev", "-c", config]
      .concat("--local", "--ip=127.0.0.1", `--port=${port}`),
    cwd: APP,
    env: {
      CI: "1",
      // nothing is asked of any network, nothing written into a home
      WRANGLER_SEND_METRICS: "false",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      XDG_CONFIG_HOME: `${Deno.cwd()}/${APP}/config`,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = Promise.all([
    new Response(wrangler.stdout).text(),
    new Response(wrangler.stderr).text(),
  ]);
  try {
    for (let i = 0; i < 600; i++) {
      const response = await fetch(`http://127.0.0.1:${port}/`)
        .catch(() => null);
      if (response?.ok) return await response.text();
      await response?.body?.cancel();
      await new Promise((wake) => setTimeout(wake, 100));
    }
    wrangler.kill("SIGTERM");
    throw new Error(`wrangler dev did not answer\n${(await said).join("")}`);
  } finally {
    stop(wrangler);
    await wrangler.status;
    await said;
  }
}

/** The edge-runtime package, in a Node; with the kernels inlined, or handed in. */
export async function onEdgeRuntime(
  machine: Machine,
  node: string,
  kernels: "inlined" | "given",
): Promise<Report> {
  const code = await bundle("edge.mjs", "iife");
  const wasm = "node_modules/@sft/loss/src/wasm/kernels_";
  return await onCommandLine(machine.programs[node]!, [
    "edge_host.mjs",
    toolPath("edge-runtime/dist/index.js"),
    code,
    ...kernels === "given" ? [`${wasm}simd.wasm`, `${wasm}relaxed.wasm`] : [],
  ]);
}

/** An import map is an inline script, which a strict policy knows by its hash. */
const IMPORT_MAP = JSON.stringify({
  imports: {
    "@sft/loss": "/node_modules/@sft/loss/mod.js",
    "@sft/loss/parallel": "/node_modules/@sft/loss/src/parallel/mod.js",
    "@sft/loss/reference": "/node_modules/@sft/loss/src/reference/mod.js",
    "@sft/loss/webgpu": "/node_modules/@sft/loss/src/webgpu/mod.js",
  },
});

/** Has Chromium offer WebGPU also where it runs on the processor. */
const WITH_GPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  // a software driver may compile for longer than a GPU may hang
  "--disable-gpu-watchdog",
];

/** A page of Chromium under a strict Content-Security-Policy; isolated from other origins, or not. */
export async function onChromium(
  options: { isolated: boolean; wasm: boolean; workers: boolean },
): Promise<Report> {
  const hash = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(IMPORT_MAP)),
  ).toBase64();
  const headers = {
    "content-security-policy": [
      "default-src 'none'",
      `script-src 'self' 'sha256-${hash}'${
        options.wasm ? " 'wasm-unsafe-eval'" : ""
      }`,
      `worker-src ${options.workers ? "blob:" : "'none'"}`,
    ].join("; "),
    ...options.isolated
      ? {
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
      }
      : {},
  };
  const page = `<!doctype html><title>consumer</title>
<script type="importmap">${IMPORT_MAP}</script>
<script type="module" src="/page.mjs"></script>
<script type="module" src="/${await bundle(
    "page_entries.mjs",
    "esm",
  )}"></script>`;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const type = pathname === "/" ? "text/html" : "text/javascript";
      const body = pathname === "/"
        ? page
        : await Deno.readTextFile(APP + pathname).catch(() => null);
      return new Response(body, {
        status: body === null ? 404 : 200,
        headers: { ...headers, "content-type": type },
      });
    },
  );
  return await withPage(findChromium()!, async (page) => {
    await page.visit(`http://127.0.0.1:${server.addr.port}/`);
    try {
      // without a GPU the shaders are compiled for the processor, which takes its time
      await page.until("globalThis.found && globalThis.foundEntries", 90);
    } catch (cause) {
      throw new Error(page.complaints.join("\n"), { cause });
    }
    return await page.value("({ ...found, entries: foundEntries })");
  }, options.wasm && options.workers ? WITH_GPU : []);
}

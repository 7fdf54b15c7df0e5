/**
 * The GPU of a headless Chromium: a second compiler (Dawn, with Tint) on
 * SwiftShader, a driver that answers NaN and infinity differently from the
 * first. Its page asks this process for orders and sends back reports.
 *
 * @module
 */
import { findChromium, withPage } from "../report/browser/chromium.ts";
import type { Answer } from "./ask.ts";
import type { Introduction, Order, Report } from "./page.ts";
import type { TestedGpu, Verbs } from "./verbs.ts";
import { pack, unpack } from "./wire.ts";

const granted = (descriptor: Deno.PermissionDescriptor) =>
  Deno.permissions.querySync(descriptor).state === "granted";

/** Why there can be no such GPU, or null. */
export function hindrance(): string | null {
  for (const name of ["run", "write"] as const) {
    if (!granted({ name })) return `the tests have no permission to ${name}`;
  }
  if (!granted({ name: "net", host: "127.0.0.1" })) {
    return "the tests have no permission for net";
  }
  return findChromium() === null ? "there is no Chromium here" : null;
}

/** The page's script: kernels and verbs in one. */
async function bundle(): Promise<string> {
  // only here, so that a machine without a browser needs no bundler
  const esbuild = await import("esbuild");
  const { outputFiles } = await esbuild.build({
    absWorkingDir: new URL("../../", import.meta.url).pathname,
    entryPoints: ["tests/webgpu/page.ts"],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
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

/** A page that says nothing for so many seconds while it is asked is given up. */
const PATIENCE = 120;

/** A call that waits for its report. */
interface Call {
  order: Order;
  reply: PromiseWithResolvers<unknown>;
}

/** The GPU behind a page. */
export class PageGpu implements TestedGpu {
  /** The adapter. */
  name = "";
  /** Questions that were answered. */
  questions = 0;
  /** SwiftShader takes a second or more for each kernel. */
  readonly isSlow = true;
  readonly #queue: Call[] = [];
  /** Hands of the page that have nothing to do. */
  readonly #idle: ((call: Call | null) => void)[] = [];
  readonly #waiting = new Map<number, Call>();
  readonly #hello = Promise.withResolvers<Introduction>();
  readonly #end = Promise.withResolvers<void>();
  #closed: Promise<void> = Promise.resolve();
  #heard = performance.now();
  #calls = 0;
  #isOver = false;

  private constructor() {}

  /** Starts a browser. Where it has no GPU the reason is returned. */
  static async open(): Promise<PageGpu | string> {
    const gpu = new PageGpu();
    gpu.#closed = gpu.#run().catch((error) => {
      gpu.#hello.reject(error);
      gpu.#fail(error);
    });
    const { adapter, reason } = await gpu.#hello.promise;
    if (adapter === null) {
      await gpu.close();
      return reason;
    }
    gpu.name = adapter;
    return gpu;
  }

  async ask(...args: Parameters<Verbs["ask"]>): Promise<Answer[]> {
    const answers = await this.#call<Answer[]>("ask", args);
    this.questions += answers.length;
    return answers;
  }

  submit(
    ...args: Parameters<Verbs["ask"]>
  ): Promise<() => Promise<Answer[]>> {
    const answers = this.ask(...args);
    // whoever reads hears of it
    answers.catch(() => {});
    return Promise.resolve(() => answers);
  }

  runPlan(...args: Parameters<Verbs["runPlan"]>): ReturnType<Verbs["runPlan"]> {
    return this.#call("runPlan", args);
  }

  runShader(
    ...args: Parameters<Verbs["runShader"]>
  ): ReturnType<Verbs["runShader"]> {
    return this.#call("runShader", args);
  }

  /** Ends the browser; calls without a report are errors. */
  async close(): Promise<void> {
    this.#end.resolve();
    this.#fail(new Error("The browser was closed"));
    await this.#closed;
  }

  #call<T>(verb: keyof Verbs, args: unknown[]): Promise<T> {
    const reply = Promise.withResolvers<unknown>();
    const call: Call = { order: { id: this.#calls++, verb, args }, reply };
    if (this.#waiting.size === 0) this.#heard = performance.now();
    this.#waiting.set(call.order.id, call);
    const take = this.#idle.shift();
    if (take === undefined) this.#queue.push(call);
    else take(call);
    return reply.promise as Promise<T>;
  }

  #fail(error: Error): void {
    for (const { reply } of this.#waiting.values()) reply.reject(error);
    this.#waiting.clear();
  }

  async #run(): Promise<void> {
    const script = await bundle();
    // WebGPU needs a secure context, which this machine's own address is
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#serve(request, script),
    );
    try {
      await withPage(findChromium()!, async (page) => {
        await page.visit(`http://127.0.0.1:${server.addr.port}/`);
        await page.until("isAtWork", 60).catch((cause) => {
          throw new Error(page.complaints.join("\n"), { cause });
        });
        const timer = setInterval(() => {
          const silence = performance.now() - this.#heard;
          if (this.#waiting.size === 0 || silence < 1e3 * PATIENCE) return;
          const said = ["The page says nothing more", ...page.complaints];
          this.#fail(new Error(said.join("\n")));
        }, 1000);
        await this.#end.promise;
        clearInterval(timer);
      }, FLAGS);
    } finally {
      this.#isOver = true;
      for (const take of this.#idle.splice(0)) take(null);
      await server.shutdown();
    }
  }

  async #serve(request: Request, script: string): Promise<Response> {
    const { pathname } = new URL(request.url);
    const typed = (body: BodyInit, type: string) =>
      new Response(body, { headers: { "content-type": type } });
    if (pathname === "/page.js") return typed(script, "text/javascript");
    if (pathname === "/order") return await this.#order();
    if (request.method !== "POST") return typed(PAGE, "text/html");
    const bytes = await request.arrayBuffer();
    if (pathname === "/hello") this.#hello.resolve(unpack(bytes));
    else this.#report(Number(pathname.split("/").at(-1)), unpack(bytes));
    return new Response();
  }

  /** The next order, as soon as there is one; nothing in the end. */
  async #order(): Promise<Response> {
    if (this.#isOver) return new Response(null, { status: 204 });
    const call = this.#queue.shift() ??
      await new Promise<Call | null>((take) => this.#idle.push(take));
    return call === null
      ? new Response(null, { status: 204 })
      : new Response(pack(call.order));
  }

  #report(id: number, { value, error }: Report): void {
    this.#heard = performance.now();
    const call = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) call?.reply.resolve(value);
    else call?.reply.reject(new Error(error));
  }
}

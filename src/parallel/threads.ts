/**
 * Threads of whatever kind the host has: those of node:worker_threads (Node, Deno,
 * Bun), which do not keep a process alive and say when they end; else Workers of
 * the web, made from a blob.
 *
 * @module
 */
import { NODE_WORKER, WEB_WORKER } from "./worker_text.ts";

/** What a thread is told when it starts; all of it can be posted. */
export interface ThreadStart {
  memory: WebAssembly.Memory;
  /** The thread's number. */
  index: number;
  /** Address of the word that an idle thread sleeps on; the word behind it is 1 when all are to end, the next one not 0 in the middle of a row in tiles. */
  wake: number;
  builds: {
    module: WebAssembly.Module;
    tables: number;
    job: number;
    /** Addresses of the words it writes when it fails. */
    held: number;
    done: number;
  }[];
}

/** A thread that was started. */
export interface Thread {
  /** Resolves when it can work; rejects when it cannot start. */
  readonly ready: Promise<void>;
  /** Ends it, whatever it is at. */
  stop(): void;
}

/** The part of node:worker_threads that is used. */
interface NodeThreads {
  Worker: new (
    text: string,
    options: {
      eval: true;
      workerData: ThreadStart;
      env: object;
      execArgv: readonly string[];
    },
  ) => {
    on(event: string, listener: (value: unknown) => void): void;
    unref(): void;
    terminate(): Promise<unknown>;
  };
}

interface NodeHost {
  process?: { getBuiltinModule?(name: string): unknown };
}

/** A module of Node's own, where there is Node; asked for so that no bundler has to find it. */
export function nodeModule<T>(name: string): T | undefined {
  const { process } = globalThis as NodeHost;
  return process?.getBuiltinModule?.(name) as T | undefined;
}

/** Milliseconds in which a thread must have started. */
const START_LIMIT = 20_000;

/**
 * Starts a thread. `died` is called, once, with the reason, when it ends by
 * itself after it was ready.
 */
export function startThread(
  start: ThreadStart,
  died: (reason: string) => void,
  host: "node" | "web" = threadHost(),
): Thread {
  let stop = () => {};
  let settled = false, stopped = false;
  const ready = new Promise<void>((resolve, reject) => {
    const fail = (reason: string) => {
      if (stopped) return;
      if (settled) died(reason);
      settled = stopped = true;
      clearTimeout(timer);
      reject(new Error(reason)); // nobody listens once it was ready
    };
    const timer = setTimeout(
      () => fail(`a thread did not start in ${START_LIMIT / 1000} s`),
      START_LIMIT,
    );
    const begun = () => {
      settled = true;
      clearTimeout(timer);
      resolve();
    };
    try {
      const begin = host === "node" ? startNode : startWeb;
      const end = begin(start, begun, fail);
      stop = () => {
        stopped = true;
        clearTimeout(timer);
        end();
      };
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    }
  });
  return { ready, stop: () => stop() };
}

/** The kind of threads there is. */
function threadHost(): "node" | "web" {
  return nodeModule("node:worker_threads") === undefined ? "web" : "node";
}

function startWeb(
  start: ThreadStart,
  begun: () => void,
  fail: (reason: string) => void,
): () => void {
  if (typeof Worker !== "function") throw new Error("this host has no Worker");
  const blob = new Blob([WEB_WORKER], { type: "text/javascript" });
  const url = URL.createObjectURL(blob);
  const worker = new Worker(url, { type: "module" });
  worker.onmessage = () => {
    URL.revokeObjectURL(url);
    begun();
  };
  worker.onerror = (event) => {
    event.preventDefault();
    URL.revokeObjectURL(url);
    fail(
      event.message ||
        "a worker made from a blob was refused (a Content-Security-Policy needs worker-src blob:)",
    );
  };
  worker.postMessage(start);
  return () => worker.terminate();
}

function startNode(
  start: ThreadStart,
  begun: () => void,
  fail: (reason: string) => void,
): () => void {
  const threads = nodeModule<NodeThreads>("node:worker_threads");
  if (threads === undefined) throw new Error("this host has no threads");
  const worker = new threads.Worker(NODE_WORKER, {
    eval: true,
    workerData: start,
    env: {}, // a copy of this one's is more than Deno lets one have
    execArgv: [], // this one's may say that the text is a module, or run others first
  });
  worker.on("message", begun);
  worker.on("error", (error) => fail(String(error)));
  worker.on("exit", () => fail("it has ended"));
  worker.unref();
  return () => void worker.terminate();
}

/** Whether this thread may sleep; the main thread of a page may not. */
export function mayWait(words: Int32Array, at: number): boolean {
  try {
    Atomics.wait(words, at >>> 2, 1, 0); // holds 0: "not-equal" at once
    return true;
  } catch {
    return false;
  }
}

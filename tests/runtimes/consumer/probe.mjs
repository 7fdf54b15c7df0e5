/**
 * What a runtime can do, found by trying.
 *
 * @module
 */

/** (func (param v128 v128 v128) (result v128) (f32x4.relaxed_madd ...)) */
// deno-fmt-ignore
const RELAXED = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x01, 0x60, 0x03, 0x7b, 0x7b, 0x7b, 0x01, 0x7b,
  0x03, 0x02, 0x01, 0x00, 0x0a, 0x0d, 0x01, 0x0b, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfd, 0x85, 0x02, 0x0b,
]);

/** The smallest module there is. */
const EMPTY = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

/** Answers a message by adding 1 to the first word of a shared linear memory. */
const THREAD = `const add = (memory) =>
  Atomics.add(new Int32Array(memory.buffer), 0, 1);`;

/** Tries everything. */
export async function probe() {
  return {
    relaxedSimd: WebAssembly.validate(RELAXED),
    compilesNow: compilesNow(),
    threads: await threads(),
    float16: typeof globalThis.Float16Array === "function",
    webgpu: typeof globalThis.navigator?.gpu?.requestAdapter === "function",
    isolated: globalThis.crossOriginIsolated ?? null,
  };
}

/** Whether bytes may be compiled at this moment. */
function compilesNow() {
  try {
    return new WebAssembly.Module(EMPTY) instanceof WebAssembly.Module;
  } catch {
    return false;
  }
}

/** Whether a thread can be started that writes into this one's linear memory. */
async function threads() {
  try {
    const memory = new WebAssembly.Memory({
      initial: 1,
      maximum: 1,
      shared: true,
    });
    const start = typeof Worker === "function" ? startWeb : await startNode();
    await within(start(memory));
    return Atomics.load(new Int32Array(memory.buffer), 0) === 1;
  } catch {
    return false;
  }
}

function startWeb(memory) {
  const code = `${THREAD}
    onmessage = ({ data }) => { add(data); postMessage("done"); };`;
  const url = URL.createObjectURL(
    new Blob([code], { type: "text/javascript" }),
  );
  const worker = new Worker(url, { type: "module" });
  return new Promise((done, fail) => {
    worker.onmessage = done;
    worker.onerror = () => fail(new Error("it did not start"));
    worker.postMessage(memory);
  }).finally(() => worker.terminate());
}

async function startNode() {
  const name = "node:worker_threads"; // out of a bundler's sight
  const threads = await import(name);
  const code = `${THREAD}
    const { parentPort, workerData } = require("node:worker_threads");
    add(workerData); parentPort.postMessage("done");`;
  return (memory) => {
    const options = { eval: true, workerData: memory };
    const worker = new threads.Worker(code, options);
    return new Promise((done, fail) => {
      worker.on("message", done);
      worker.on("error", fail);
    }).finally(() => worker.terminate());
  };
}

/** A promise that may take ten seconds. */
function within(promise) {
  return Promise.race([
    promise,
    new Promise((_, fail) => setTimeout(() => fail(new Error("late")), 10_000)),
  ]);
}

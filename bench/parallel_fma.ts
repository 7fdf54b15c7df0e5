/**
 * What threads can gain on a machine at all: a loop of fused multiply-adds in
 * registers, twelve chains of them, that touches no memory. Its pieces are handed
 * out as the engine hands out its own, so that what is left between the two
 * scalings is what memory, waking and waiting cost.
 *
 * @module
 */

const F32 = 0x7d, I32 = 0x7f, V128 = 0x7b;
const CHAINS = 12;
const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const RELAXED_MADD = [0xfd, 0x85, 0x02];
const ADD = [0xfd, 0xe4, 0x01], SPLAT = [0xfd, 0x13], LANE = [0xfd, 0x1f, 0];
const chains = Array.from({ length: CHAINS }, (_, i) => 3 + i);

const leb = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)];
const vector = (items: number[][]) => [...leb(items.length), ...items.flat()];
const sized = (bytes: number[]) => [...leb(bytes.length), ...bytes];
const text = (name: string) => sized([...new TextEncoder().encode(name)]);

/** (turns, x): local 2 = splat x; turns times acc[i] = acc[i] · local 2 + local 2; their sum. */
const BODY = [
  ...[...get(1), ...SPLAT, ...set(2)],
  ...[0x03, 0x40],
  ...chains.flatMap((acc) => [
    ...[...get(acc), ...get(2), ...get(2), ...RELAXED_MADD, ...set(acc)],
  ]),
  // turns -= 1; if (turns) continue
  ...[...get(0), 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b],
  ...get(3),
  ...chains.slice(1).flatMap((acc) => [...get(acc), ...ADD]),
  ...LANE,
];

const MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, ...sized(vector([[0x60, 2, I32, F32, 1, F32]]))],
  ...[3, ...sized(vector([[0]]))],
  ...[7, ...sized(vector([[...text("turn"), 0, 0]]))],
  10,
  ...sized(
    vector([sized([...vector([[1 + CHAINS, V128]]), ...BODY, 0x0b])]),
  ),
]);

/** Turns in a piece: some 50 µs, as a piece of the engine. */
const TURNS = 25_000;

/** words[0] sleeps idle threads, words[16] pieces left, words[32] pieces done. */
const WORKER = `
import { parentPort, workerData } from "node:worker_threads";
const { module, words } = workerData;
const { turn } = new WebAssembly.Instance(module).exports;
parentPort.postMessage("ready");
while (true) {
  const seen = Atomics.load(words, 0);
  while (true) {
    const left = Atomics.load(words, 16);
    if (left <= 0) break;
    if (Atomics.compareExchange(words, 16, left, left - 1) !== left) continue;
    turn(${TURNS}, 0.999);
    Atomics.add(words, 32, 1);
  }
  Atomics.wait(words, 0, seen);
}`;

/** The loop on some threads. */
export interface FmaLoop {
  /** Runs so many pieces, and returns when all are done. */
  run(pieces: number): void;
  stop(): void;
}

/** Starts the loop's threads, the caller's included. */
export async function startFma(threads: number): Promise<FmaLoop> {
  const { Worker } = await import("node:worker_threads");
  const words = new Int32Array(new SharedArrayBuffer(256));
  const module = new WebAssembly.Module(MODULE);
  const { turn } = new WebAssembly.Instance(module).exports as {
    turn(turns: number, x: number): number;
  };
  const url = new URL(`data:text/javascript,${encodeURIComponent(WORKER)}`);
  const workers = Array.from({ length: threads - 1 }, () => {
    const workerData = { module, words };
    const worker = new Worker(url, { workerData, env: {} });
    worker.unref();
    return worker;
  });
  await Promise.all(
    workers.map((worker) =>
      new Promise((resolve) => worker.once("message", resolve))
    ),
  );
  return {
    run(pieces) {
      Atomics.store(words, 32, 0);
      Atomics.store(words, 16, pieces);
      Atomics.add(words, 0, 1);
      Atomics.notify(words, 0);
      while (true) {
        const left = Atomics.load(words, 16);
        if (left <= 0) break;
        if (Atomics.compareExchange(words, 16, left, left - 1) !== left) {
          continue;
        }
        turn(TURNS, 0.999);
        Atomics.add(words, 32, 1);
      }
      while (Atomics.load(words, 32) < pieces);
    },
    stop() {
      for (const worker of workers) worker.terminate();
    },
  };
}

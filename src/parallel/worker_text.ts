/**
 * What runs in a thread, as text: a worker made of text needs no file, no
 * permission and no help of a bundler. It makes an instance of each build over
 * the shared memory, says that it is ready, and from then on only works and
 * sleeps; it never again looks at a message.
 *
 * @module
 */

const SERVE = `
function serve({ memory, index, wake, builds }, say) {
  const words = new Int32Array(memory.buffer);
  const kernels = builds.map(({ module, tables, job }) =>
    new WebAssembly.Instance(module, {
      env: { memory },
      thread: { index, tables, job },
    }).exports
  );
  say({ ready: true });
  const ended = () => Atomics.load(words, wake / 4 + 1) !== 0;
  try {
    while (!ended()) {
      // what is begun behind this line changes the word, and the sleep is none
      const seen = Atomics.load(words, wake / 4);
      while (!ended() && kernels.some((build) => build.step() !== 0));
      // between two phases of a row in tiles the caller adds up a sum: wait for it
      // awake, for some 0.3 ms, as long as the longest takes
      const isNear = () => Atomics.load(words, wake / 4 + 2) !== 0;
      for (let look = 0; look < 20000 && isNear(); look++) {
        if (Atomics.load(words, wake / 4) !== seen) break;
      }
      if (!ended()) Atomics.wait(words, wake / 4, seen);
    }
  } catch {
    // what went wrong the caller's thread finds out when it comes to the same rows
    for (const { held, done } of builds) {
      if (Atomics.load(words, held / 4) === 1) Atomics.store(words, held / 4, -1);
      Atomics.notify(words, done / 4);
    }
  }
}
`;

/** For a Worker of the web: everything comes in the first message. */
export const WEB_WORKER: string = `${SERVE}
addEventListener("message", ({ data }) => {
  serve(data, (message) => postMessage(message));
  close();
});
`;

/** For a Worker of node:worker_threads: everything is its workerData. */
export const NODE_WORKER: string = `${SERVE}
const { parentPort, workerData } = require("node:worker_threads");
serve(workerData, (message) => parentPort.postMessage(message));
`;

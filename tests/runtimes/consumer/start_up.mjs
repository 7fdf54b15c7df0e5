/**
 * What the first results cost in a fresh process, in milliseconds, and what an
 * import does: nothing. Where others keep the processors busy, what this process
 * took of them counts.
 */
import process from "node:process";

const done = [];
const { Module, Instance, Memory } = WebAssembly;
for (const [name, Kind] of Object.entries({ Module, Instance, Memory })) {
  WebAssembly[name] = new Proxy(Kind, {
    construct(kind, args) {
      done.push(name);
      return new kind(...args);
    },
  });
}

/** Milliseconds since a moment: of a clock, or of processors where that is less. */
const now = () => [performance.now(), process.cpuUsage()];
const since = ([start, used]) => {
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(used);
  return Math.min(wall, (user + system) / 1000);
};
since(now()); // the clocks themselves are warm

let start = now();
const { maskedCrossEntropy, maskLabels } = await import("@sft/loss");
const imported = since(start);
const atImport = done.length;
// what follows is timed as it is
Object.assign(WebAssembly, { Module, Instance, Memory });

const ids = Int32Array.from({ length: 512 }, (_, i) => i);
const logits = new Float32Array(64 * 1000).fill(0.5);
start = now();
const labels = maskLabels(ids, [[256, 512]]);
const masked = since(start);
start = now();
const { loss } = maskedCrossEntropy(logits, labels.subarray(224, 288));
const scored = since(start);

console.log(JSON.stringify({
  atImport,
  import: imported,
  maskLabels: masked,
  maskedCrossEntropy: scored,
  loss,
}));

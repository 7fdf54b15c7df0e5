/** What is no object where options, or one thing of many fields, should be. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  causalLoss,
  causalLossGrad,
  collate,
  createLossWorkspace,
  findSpans,
  init,
  labelsFromMask,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
  maskLabels,
  packSequences,
  packStream,
  planPacks,
} from "../../mod.ts";
import {
  encodeChat,
  encodeChatRows,
  explainMarkers,
  loadTokenizer,
  renderChat,
} from "../../src/chat/mod.ts";
import {
  columnsOf,
  createParquetSink,
  encodeSafetensors,
  parquetColumnsOf,
  parseConversation,
  readConversations,
  readParquetRows,
  readTokenized,
  splitLines,
  tensorsOf,
  toJsonl,
} from "../../src/formats/mod.ts";
import { createParallelEngine } from "../../src/parallel/mod.ts";
import * as reference from "../../src/reference/mod.ts";
import {
  Audit,
  htmlReport,
  showRow,
  showSummary,
} from "../../src/report/mod.ts";
import { selectEngine } from "../../src/select.ts";
import { openGpu } from "../../src/webgpu/mod.ts";

const logits = new Float32Array(6), labels = [1, 2];
const row = { inputIds: [1], labels: [1] };
const packed = packSequences([{ inputIds: [1, 2] }], { maxLength: 4 });
const roles = { assistant: { start: [1], end: [2] } };

/** Calls by what is wrong in them. */
const calls: Record<string, (odd: never) => unknown> = {
  maskLabels: (odd) => maskLabels([1], [], odd),
  labelsFromMask: (odd) => labelsFromMask([1], [1], odd),
  findSpans: (odd) => findSpans([1], odd),
  "a role's markers": (odd) =>
    findSpans([1], { roles: { user: odd }, train: [] }),
  maskedCrossEntropy: (odd) => maskedCrossEntropy(logits, labels, odd),
  maskedCrossEntropyGrad: (odd) => maskedCrossEntropyGrad(logits, labels, odd),
  causalLoss: (odd) => causalLoss(logits, labels, odd),
  causalLossGrad: (odd) => causalLossGrad(logits, labels, odd),
  createLossWorkspace: (odd) => createLossWorkspace(odd),
  init: (odd) => init(odd),
  packSequences: (odd) => packSequences([], odd),
  packStream: (odd) => packStream([], odd),
  planPacks: (odd) => planPacks([], odd),
  collate: (odd) => collate([], odd),
  padded: (odd) => packed.padded(odd),
  flat: (odd) => packed.flat(odd),
  "reference.maskedCrossEntropy": (odd) =>
    reference.maskedCrossEntropy(logits, labels, odd),
  "reference.maskedCrossEntropyGrad": (odd) =>
    reference.maskedCrossEntropyGrad(logits, labels, odd),
  "reference.causalLoss": (odd) => reference.causalLoss(logits, labels, odd),
  "reference.causalLossGrad": (odd) =>
    reference.causalLossGrad(logits, labels, odd),
  createParallelEngine: (odd) => createParallelEngine(odd),
  selectEngine: (odd) => selectEngine(odd),
  "selectEngine's rates": (odd) => selectEngine({ rates: odd }),
  openGpu: (odd) => openGpu(odd),
  renderChat: (odd) => renderChat([], odd),
  encodeChat: (odd) => encodeChat([], odd),
  encodeChatRows: (odd) => encodeChatRows([], odd),
  loadTokenizer: (odd) => loadTokenizer(odd),
  explainMarkers: (odd) => explainMarkers([1], odd),
  "explainMarkers' markers": (odd) => explainMarkers([1], { user: odd }),
  columnsOf: (odd) => columnsOf(row, odd),
  toJsonl: (odd) => toJsonl(odd),
  parquetColumnsOf: (odd) => parquetColumnsOf(odd),
  createParquetSink: (odd) => createParquetSink(odd),
  "a sink's columns": (odd) =>
    createParquetSink({ columns: odd, write: () => {} }),
  "safetensors' metadata": (odd) => encodeSafetensors(new Map(), odd),
  tensorsOf: (odd) => tensorsOf(odd),
  readConversations: (odd) => readConversations("", odd),
  parseConversation: (odd) => parseConversation("{}", odd),
  readTokenized: (odd) => readTokenized("{}", odd),
  readParquetRows: (odd) => readParquetRows(new Uint8Array(3), odd),
  Audit: (odd) => new Audit(odd),
  showRow: (odd) => showRow(row, odd),
  showSummary: (odd) => showSummary(new Audit().summary(), odd),
  htmlReport: (odd) => htmlReport(odd),
};

for (const [name, call] of Object.entries(calls)) {
  Deno.test(`${name}: a list, a number or null for an object is told`, async () => {
    const odds = [null, [], [1], 5, "text", true, new Int32Array(0), Symbol()];
    for (const odd of odds) {
      const error = await assertRejects(async () => {
        await call(odd as never);
      }, TypeError);
      const shown = `current value is `;
      assert(
        /^Cannot .* as .* must be an object: /.test(error.message),
        error.message,
      );
      assert(error.message.includes(shown));
    }
  });
}

Deno.test("splitLines() and toJsonl() tell of what they cannot take", async () => {
  for (const odd of [null, 5, true, {}]) {
    await assertRejects(
      () => Array.fromAsync(splitLines(odd as never)),
      TypeError,
      "Cannot split lines as chunks must give one piece after another",
    );
  }
  await assertRejects(
    () => Array.fromAsync(splitLines([5] as never)),
    TypeError,
    "Cannot split lines as chunks must be text or bytes: current value is 5",
  );
  await assertRejects(
    async () => await toJsonl({ input_ids: 5 } as never),
    TypeError,
    "Cannot write columns as input_ids must be a list or text: current value is 5",
  );
  // a plain list is a column, too
  assertEquals(
    toJsonl({ input_ids: [5, 6] } as never),
    `{"input_ids":[5,6]}\n`,
  );
  assertEquals(
    explainMarkers(Int32Array.of(1, 2), roles).map(({ found }) => found),
    [1, 1],
  );
});

/** Rows on disk come back as they went, any stretch of them, in any order. */
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../src/cli/errors.ts";
import {
  RecordWriter,
  Spill,
  type SpilledRow,
} from "../../../src/cli/spill.ts";
import { createIo } from "../fixture.ts";
import { inFolder, namesIn } from "./folder.ts";

let state = 7;
/** A whole number below `most`; the generator of Numerical Recipes, p. 284. */
function random(most: number): number {
  state = Math.imul(state, 1664525) + 1013904223 >>> 0;
  return Math.floor(state / 2 ** 32 * most);
}

function randomRow(): SpilledRow {
  const length = random(40);
  const inputIds = Int32Array.from({ length }, () => random(2 ** 31));
  const labels = inputIds.map((id) => random(2) === 0 ? id : -100);
  const isWeighted = random(3) === 0;
  const weights = Float64Array.from(
    labels,
    (label) => label === -100 ? 0 : isWeighted ? random(100) / 7 : 1,
  );
  return { inputIds, labels, weights };
}

const certificates = ["", "{}", `{"runs":"Grüße, 你好 😊"}`];

Deno.test("Spill.read() gives back any stretch of any row", async () => {
  await inFolder((folder) => {
    const { io } = createIo();
    const spill = new Spill(`${folder}/rows.jsonl`, io);
    const rows: SpilledRow[] = [];
    for (let chunk = 0; chunk < 60; chunk++) {
      const writer = new RecordWriter();
      for (let i = random(50); i > 0; i--) {
        const row = randomRow();
        writer.add(row, certificates[rows.length % 3]!);
        rows.push(row);
      }
      spill.add(writer.finish());
    }
    assertEquals(spill.lengths, Int32Array.from(rows, (r) => r.labels.length));
    assertEquals(spill.hasWeights, true);
    for (let i = 0; i < 5000; i++) {
      const index = random(rows.length);
      const { inputIds, labels, weights } = rows[index]!;
      const start = random(labels.length + 1);
      const end = start + random(labels.length - start + 1);
      const read = spill.read(index, start, end - start);
      assertEquals(read.inputIds, inputIds.slice(start, end));
      assertEquals(read.labels, labels.slice(start, end));
      const isWeighted = weights!.some((w, t) => labels[t] !== -100 && w !== 1);
      assertEquals(
        read.weights,
        isWeighted ? weights!.slice(start, end) : undefined,
      );
      assertEquals(spill.certificate(index), certificates[index % 3]);
    }
    spill.close();
    assertEquals(namesIn(folder), []);
  });
});

Deno.test("Spill says which folder cannot be written", async () => {
  await inFolder((folder) => {
    assertThrows(
      () => new Spill(`${folder}/none/rows.jsonl`, createIo().io),
      UsageError,
      `cannot write to ${folder}/none: there is no such folder`,
    );
  });
});

/**
 * `./chat` and `./formats`: from a chat to a row, and through the files of
 * trainers.
 *
 * @module
 */
import { checkCertificate, encodeChat, loadTokenizer } from "@sft/loss/chat";
import * as formats from "@sft/loss/formats";

/**
 * @param {object} wanted A chat, a tokenizer's two files, and the row that the chat becomes; see setup.ts.
 * @param {object} tokenizer That tokenizer, loaded in another way.
 * @returns {Promise<{ name: string, error: string | null }[]>} What was checked, and what was wrong.
 */
export async function useEntries(
  wanted,
  tokenizer = loadTokenizer(wanted.files),
) {
  const checks = [];
  async function check(name, run) {
    try {
      await run();
      checks.push({ name, error: null });
    } catch (error) {
      checks.push({ name, error: String(error?.stack ?? error) });
    }
  }

  const row = encodeChat(wanted.messages, { tokenizer });

  await check("chat: labels, text and certificate", () => {
    same([...row.inputIds], wanted.inputIds, "inputIds");
    same([...row.labels], wanted.labels, "labels");
    same(row.text, wanted.text, "text");
    checkCertificate(row, tokenizer);
  });

  await check("formats: JSONL there and back", async () => {
    const file = formats.toJsonl(formats.columnsOf(row));
    const rows = [];
    for await (const one of formats.readTokenizedRows(file)) rows.push(one);
    same(rows.length, 1, "rows");
    same(rows[0].error, undefined, "error");
    same([...rows[0].row.labels], wanted.labels, "labels");
  });

  await check("formats: npy and safetensors there and back", () => {
    const data = Float32Array.of(0, 1, 2, 3, 4, 5);
    const tensor = { dtype: "f32", shape: [2, 3], data };
    const npy = formats.decodeNpy(formats.encodeNpy(tensor));
    same([npy.shape, ...npy.data], [tensor.shape, ...data], "npy");
    const file = formats.encodeSafetensors(new Map([["a", tensor]]));
    const { tensors } = formats.decodeSafetensors(file);
    same([...tensors.get("a").data], [...data], "safetensors");
  });

  await check("formats: parquet there and back", async () => {
    const columns = formats.columnsOf(row);
    const pieces = [];
    const sink = await formats.createParquetSink({
      columns: formats.parquetColumnsOf(columns),
      write: (bytes) => void pieces.push(bytes.slice()),
    });
    await sink.add([columns]);
    await sink.finish();
    const file = new Uint8Array(await new Blob(pieces).arrayBuffer());
    const read = [];
    for await (const value of formats.readParquetRows(file)) {
      read.push(formats.readTokenized(value));
    }
    same(read.map(({ labels }) => [...labels]), [wanted.labels], "labels");
  });

  return checks;
}

function same(actual, expected, what) {
  const [a, e] = [actual, expected].map((value) => JSON.stringify(value));
  if (a !== e) throw new Error(`${what}: ${a} instead of ${e}`);
}

/** `./chat` and `./formats` in Deno, Node and Bun: from a chat to a row, and through the files of trainers. */
import { readFileSync } from "node:fs";
import { checkCertificate, encodeChat, loadTokenizer } from "@sft/loss/chat";
import * as formats from "@sft/loss/formats";

const json = (name) => JSON.parse(readFileSync(`tokenizer/${name}`, "utf8"));
const wanted = json("wanted.json");
const checks = [];

async function check(name, run) {
  try {
    await run();
    checks.push({ name, error: null });
  } catch (error) {
    checks.push({ name, error: String(error?.stack ?? error) });
  }
}

function same(actual, expected, what) {
  const [a, e] = [actual, expected].map((value) => JSON.stringify(value));
  if (a !== e) throw new Error(`${what}: ${a} instead of ${e}`);
}

const tokenizer = loadTokenizer({
  tokenizerJson: json("tokenizer.json"),
  tokenizerConfig: json("tokenizer_config.json"),
});
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

console.log(JSON.stringify({ checks }));

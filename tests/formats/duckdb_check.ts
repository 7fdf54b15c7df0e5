/**
 * What we write, read by someone else: parquet by DuckDB, npy by NumPy,
 * safetensors by its own rules in plain Python. Not part of the tests, as DuckDB
 * is 60 MB of native code:
 *
 *     deno run --no-lock --allow-read --allow-write --allow-env --allow-ffi --allow-run=python3 --allow-sys \
 *       tests/formats/duckdb_check.ts [--tokens N]
 *
 * N is how many tokens the parquet file has (a million unless said). It ends
 * with `all hold`, or with what does not and exit code 1.
 *
 * @module
 */
import {
  columnsOf,
  createParquetSink,
  encodeNpy,
  encodeSafetensors,
  parquetColumnsOf,
  type Tensor,
  type TrainerColumns,
} from "../../src/formats/mod.ts";
import { groupsOf } from "./rows.ts";

const DUCKDB = "npm:@duckdb/node-api@1.5.6-r.1"; // computed, so that nobody loads it unasked

const faults: string[] = [];

function check(what: string, got: unknown, wish: unknown): void {
  const isEqual = JSON.stringify(got) === JSON.stringify(wish);
  console.log(`${isEqual ? "ok    " : "FAILED"} ${what}`);
  if (!isEqual) {
    faults.push(
      `${what}: ${JSON.stringify(got)} is not ${JSON.stringify(wish)}`,
    );
  }
}

/** Every value of every row, and the types that DuckDB sees. */
async function checkParquet(folder: string, tokens: number): Promise<void> {
  const groups = groupsOf({ groups: 8, rows: 64, tokens: tokens / 256 });
  groups.push([columnsOf({
    inputIds: [2147483647, 0],
    labels: [-100, 0],
    weights: [-0.1, 5e-324],
    cuSeqlens: [0],
    certificate: "é🙂",
  })]);
  const path = `${folder}/rows.parquet`;
  const file = await Deno.open(path, { write: true, create: true });
  const started = performance.now();
  const sink = await createParquetSink({
    columns: parquetColumnsOf(groups[0]![0]!),
    write: async (bytes) => {
      for (let at = 0; at < bytes.length;) {
        at += await file.write(bytes.subarray(at));
      }
    },
    metadata: { made_by: "a check" },
  });
  for (const group of groups) await sink.add(group);
  await sink.finish();
  file.close();
  const rows: TrainerColumns[] = groups.flat();
  const count = rows.reduce((sum, { input_ids }) => sum + input_ids.length, 0);
  console.log(
    `${count} tokens, ${rows.length} rows, ${groups.length} groups, ${
      (Deno.statSync(path).size / 1e6).toFixed(1)
    } MB in ${Math.round(performance.now() - started)} ms`,
  );

  const { DuckDBInstance } = await import(DUCKDB);
  const instance = await DuckDBInstance.create(":memory:");
  const database = await instance.connect();
  const ask = async (query: string): Promise<unknown[]> =>
    (await database.runAndReadAll(query)).getRowsJson();
  const types = await ask(`describe select * from '${path}'`) as string[][];
  check("DuckDB: the types", types.map(([name, type]) => `${name} ${type}`), [
    "input_ids INTEGER[]",
    "labels INTEGER[]",
    "attention_mask INTEGER[]",
    "position_ids INTEGER[]",
    "seq_lengths INTEGER[]",
    "loss_weights DOUBLE[]",
    "certificate VARCHAR",
  ]);
  const metadata = await ask(
    `select decode(key), decode(value) from parquet_kv_metadata('${path}')`,
  );
  check("DuckDB: the metadata", metadata, [["made_by", "a check"]]);
  const numbers = await ask(
    `select count(distinct row_group_id) from parquet_metadata('${path}')`,
  );
  check("DuckDB: the row groups", numbers, [[String(groups.length)]]);
  for (const name of Object.keys(rows[0]!) as (keyof TrainerColumns)[]) {
    const got = (await ask(`select "${name}" from '${path}'`) as unknown[][])
      .map(([value]) => value);
    const wish = rows.map((row) => {
      const value = row[name]!;
      return typeof value === "string" ? value : [...value];
    });
    check(`DuckDB: ${name}, every value`, got, wish);
  }
  database.closeSync();
  instance.closeSync();
}

const PYTHON = `
import json, struct, sys
import numpy as np
folder = sys.argv[1]
out = {}
for name in ["i32", "i64", "f32", "f64", "u8", "u16", "f16", "scalar", "empty"]:
    a = np.load(f"{folder}/{name}.npy", allow_pickle=False)
    out[name] = [a.dtype.str, list(a.shape), a.tobytes().hex()]
with open(f"{folder}/all.safetensors", "rb") as f:
    file = f.read()
(n,) = struct.unpack("<Q", file[:8])
header = json.loads(file[8:8 + n])
out["aligned"] = n % 8
out["metadata"] = header.pop("__metadata__")
for name, entry in header.items():
    start, end = entry["data_offsets"]
    out["st " + name] = [entry["dtype"], entry["shape"], file[8 + n + start:8 + n + end].hex()]
print(json.dumps(out))
`;

/** Type, shape and bytes of every kind of tensor. */
async function checkTensors(folder: string): Promise<void> {
  const shape = [2, 3];
  const tensors = new Map<string, Tensor>([
    ["i32", {
      dtype: "i32",
      shape,
      data: Int32Array.of(1, -1, 0, 2147483647, -2147483648, -100),
    }],
    ["i64", { dtype: "i64", shape: [1], data: BigInt64Array.of(-(2n ** 63n)) }],
    ["f32", { dtype: "f32", shape: [2], data: Float32Array.of(0.1, -0) }],
    ["f64", {
      dtype: "f64",
      shape: [2, 1],
      data: Float64Array.of(0.1, 5e-324),
    }],
    ["u8", { dtype: "u8", shape: [3], data: Uint8Array.of(0, 1, 255) }],
    ["u16", { dtype: "u16", shape: [1], data: Uint16Array.of(65535) }],
    ["f16", { dtype: "f16", shape: [1], data: Uint16Array.of(0x3c00) }],
    ["scalar", { dtype: "i32", shape: [], data: Int32Array.of(7) }],
    ["empty", { dtype: "f32", shape: [0, 4], data: new Float32Array() }],
  ]);
  for (const [name, tensor] of tensors) {
    Deno.writeFileSync(`${folder}/${name}.npy`, encodeNpy(tensor));
  }
  const file = encodeSafetensors(tensors, { made_by: "a check" });
  Deno.writeFileSync(`${folder}/all.safetensors`, file);
  const { stdout, stderr, success } = await new Deno.Command("python3", {
    args: ["-c", PYTHON, folder],
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(text.decode(stderr));
  const got = JSON.parse(text.decode(stdout));
  const npy: Record<string, string> = { f16: "<f2", i32: "<i4", i64: "<i8" };
  Object.assign(npy, { f32: "<f4", f64: "<f8", u8: "|u1", u16: "<u2" });
  for (const [name, { dtype, shape, data }] of tensors) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
    check(`NumPy: ${name}`, got[name], [npy[dtype], shape, hex]);
    check(`Python, safetensors: ${name}`, got[`st ${name}`], [
      dtype.toUpperCase(),
      shape,
      hex,
    ]);
  }
  check("Python, safetensors: metadata", got.metadata, { made_by: "a check" });
  check("Python, safetensors: header alignment", got.aligned, 0);
}

if (import.meta.main) {
  const at = Deno.args.indexOf("--tokens");
  const tokens = at < 0 ? 1_000_000 : Number(Deno.args[at + 1]);
  const folder = Deno.makeTempDirSync();
  try {
    await checkTensors(folder);
    await checkParquet(folder, tokens);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  for (const fault of faults) console.log(fault.slice(0, 1000));
  console.log(faults.length === 0 ? "all hold" : `${faults.length} failed`);
  // at once: DuckDB's threads sometimes crash the slower way out
  Deno.exit(faults.length === 0 ? 0 : 1);
}

/**
 * createParquetSink() and readParquetRows(): what goes in comes out, row group by
 * row group. An independent reader judges the files in duckdb_check.ts.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { parquetMetadata } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import {
  columnsOf,
  createParquetSink,
  type ParquetColumn,
  parquetColumnsOf,
  type ParquetSinkOptions,
  readConversations,
  readParquetRows,
  readTokenizedRows,
  type TrainerColumns,
} from "../../src/formats/mod.ts";
import { groupsOf } from "./rows.ts";

/** The file of these row groups. */
async function fileOf(
  groups: readonly (readonly object[])[],
  columns: Record<string, ParquetColumn>,
  metadata?: Record<string, string>,
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const sink = await createParquetSink({
    columns,
    write: (bytes) => void pieces.push(bytes.slice()),
    ...(metadata ? { metadata } : {}),
  });
  for (const group of groups) await sink.add(group);
  await sink.finish();
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

const COLUMNS = {
  ids: "list<int32>",
  weights: "list<double>",
  note: "string",
} as const;

Deno.test("createParquetSink() keeps every value, empty lists and int32's ends too", async () => {
  const rows = [
    {
      ids: [1, -100, 2147483647, -2147483648],
      weights: [0.1, -1e308],
      note: "🙂",
    },
    { ids: [], weights: [], note: "" },
    { ids: Int32Array.of(7), weights: Float64Array.of(5e-324), note: null },
  ];
  const file = await fileOf([rows.slice(0, 2), [], rows.slice(2)], COLUMNS, {
    a: "b",
  });
  assertEquals(await Array.fromAsync(readParquetRows(file)), [
    rows[0],
    rows[1],
    { ids: [7], weights: [5e-324], note: null },
  ] as Record<string, unknown>[]);
  const { row_groups, key_value_metadata } = parquetMetadata(file);
  assertEquals(row_groups.map(({ num_rows }) => num_rows), [2n, 1n]);
  assertEquals(key_value_metadata, [{ key: "a", value: "b" }]);
});

Deno.test("createParquetSink() writes a file without rows", async () => {
  const file = await fileOf([], COLUMNS);
  assertEquals(await Array.fromAsync(readParquetRows(file)), []);
});

Deno.test("createParquetSink() and readTokenizedRows() give rows back", async () => {
  const groups = groupsOf({ groups: 3, rows: 20, tokens: 50 });
  const [first] = groups.flat();
  const file = await fileOf(groups, parquetColumnsOf(first!));
  const rows = await Array.fromAsync(readTokenizedRows(readParquetRows(file)));
  const back = rows.map(({ row }) => columnsOf(row!));
  const expected = groups.flat().map(({ certificate: _, ...rest }) => rest);
  assertEquals(back, expected as TrainerColumns[]);
});

Deno.test("createParquetSink() writes group by group and holds none of them", async () => {
  const sizes: number[] = [];
  let held: Uint8Array | undefined;
  const sink = await createParquetSink({
    columns: { ids: "list<int32>" },
    write: async (bytes) => {
      await Promise.resolve();
      sizes.push(bytes.length);
      held ??= bytes;
    },
  });
  const group = Array.from({ length: 10 }, (_, i) => ({
    ids: Int32Array.from(
      { length: 1000 },
      (_, t) => (i * 7919 + t * 104729) % 150_000,
    ),
  }));
  await sink.add(group);
  const before = held!.slice();
  for (let i = 0; i < 19; i++) await sink.add(group);
  assertEquals(sizes.length, 20);
  // equal groups take equal bytes, but the first, which has the magic before it
  assertEquals(new Set(sizes.slice(1)).size, 1);
  await sink.finish();
  assertLess(sizes.at(-1)!, 20 * 400, "bytes of footer for each group");
  assertEquals(held, before, "pieces are the sink's user's to keep");
});

Deno.test("createParquetSink() keeps the order of groups that nobody waits for", async () => {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let writing = 0;
  const sink = await createParquetSink({
    columns: { ids: "list<int32>" },
    write: async (bytes) => {
      assertEquals(writing++, 0, "one write at a time");
      await new Promise((resolve) => setTimeout(resolve, 1));
      writing--;
      pieces.push(bytes.slice());
    },
  });
  const adds = [1, 2, 3].map((id) => sink.add([{ ids: [id] }]));
  await Promise.all([...adds, sink.finish()]);
  const file = new Uint8Array(await new Blob(pieces).arrayBuffer());
  assertEquals(
    (await Array.fromAsync(readParquetRows(file))).map(({ ids }) => ids),
    [[1], [2], [3]],
  );
});

Deno.test("createParquetSink() writes nothing of a group that is wrong", async () => {
  let bytes = 0;
  const sink = await createParquetSink({
    columns: COLUMNS,
    write: (piece) => void (bytes += piece.length),
  });
  const good = { ids: [1], weights: [1], note: "" };
  const refuses = (row: object, kind: typeof TypeError, words: string) =>
    assertRejects(
      () => sink.add([good, row]),
      kind,
      `Cannot write parquet as rows[1]${words}`,
    );
  await refuses({ ...good, ids: 5 }, TypeError, ".ids must be a list");
  await refuses(
    { ...good, ids: [1.5] },
    RangeError,
    ".ids[0] must be a whole number",
  );
  await refuses(
    { ...good, ids: [2 ** 31] },
    RangeError,
    ".ids[0] must be a whole number",
  );
  await refuses(
    { ...good, weights: [NaN] },
    RangeError,
    ".weights[0] must be finite",
  );
  await refuses({ ...good, note: 1 }, TypeError, ".note must be a string");
  await refuses({ ids: [1], note: "" }, TypeError, ".weights must be a list");
  await refuses({ ...good, more: [1] }, TypeError, " must have the columns");
  assertEquals(bytes, 0);
  await sink.add([good]);
  await sink.finish();
  await assertRejects(
    () => sink.add([good]),
    RangeError,
    "the file must be open",
  );
  await assertRejects(() => sink.finish(), RangeError, "the file must be open");
});

Deno.test("createParquetSink() writes no more after a write that failed", async () => {
  let calls = 0;
  const sink = await createParquetSink({
    columns: { ids: "list<int32>" },
    write: () => {
      calls++;
      throw new Error("the disk is full");
    },
  });
  await assertRejects(
    () => sink.add([{ ids: [1] }]),
    Error,
    "the disk is full",
  );
  await assertRejects(
    () => sink.add([{ ids: [1] }]),
    Error,
    "the disk is full",
  );
  await assertRejects(() => sink.finish(), Error, "the disk is full");
  assertEquals(calls, 1);
});

Deno.test("createParquetSink() refuses options of the wrong kind or value", async () => {
  const write = () => {};
  const refuses = (options: unknown, kind: typeof TypeError, words: string) =>
    assertRejects(
      () => createParquetSink(options as ParquetSinkOptions),
      kind,
      words,
    );
  await refuses({ columns: COLUMNS }, TypeError, "write must be a function");
  await refuses({ write }, TypeError, "columns must be an object");
  await refuses({ write, columns: {} }, RangeError, "columns must have one");
  await refuses(
    { write, columns: { a: "int" } },
    RangeError,
    "columns.a must be one of list<int32>",
  );
  await refuses(
    { write, columns: COLUMNS, codec: 1 },
    TypeError,
    "every key of options",
  );
});

Deno.test("readParquetRows() reads conversations and int64 from others' files", async () => {
  const messages = [
    { role: "user", content: "2 + 2?", weight: null },
    { role: "assistant", content: "4", weight: 1n },
  ];
  const file = new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "id", data: [2n ** 60n, 1n], type: "INT64" },
      { name: "messages", data: [messages, null], type: "JSON" },
      { name: "count", data: [2n, 3n], type: "INT64" },
    ],
  }));
  const rows = await Array.fromAsync(readParquetRows(file));
  assertEquals(rows.map(({ id, count }) => [id, count]), [[2n ** 60n, 2], [
    1,
    3,
  ]]);
  const picked = readParquetRows(file, { columns: ["messages"] });
  const results = await Array.fromAsync(readConversations(picked));
  assertEquals(results[0]?.conversation?.messages[1], {
    role: "assistant",
    content: "4",
    weight: 1,
  });
  assertEquals(
    results[1]?.error?.message.startsWith("line 2: expected messages"),
    true,
  );
});

Deno.test("readParquetRows() reads pieces of a file, and hands on what that throws", async () => {
  const groups = groupsOf({ groups: 4, rows: 50, tokens: 400 });
  const file = await fileOf(groups, parquetColumnsOf(groups[0]![0]!));
  let most = 0, total = 0;
  const source = {
    byteLength: file.length,
    slice(start: number, end?: number): Promise<ArrayBuffer> {
      const piece = file.slice(start, end).buffer;
      total += piece.byteLength;
      most = Math.max(most, piece.byteLength);
      return Promise.resolve(piece);
    },
  };
  const rows = readParquetRows(source, { columns: ["labels"] });
  assertEquals(Object.keys((await rows.next()).value ?? {}), ["labels"]);
  const first = total;
  for await (const row of rows) assert(Array.isArray(row.labels));
  assertLess(first, total, "later groups are read later");

  const broken = {
    byteLength: file.length,
    slice: () => Promise.reject(new TypeError("the network is gone")),
  };
  await assertRejects(
    () => readParquetRows(broken).next(),
    TypeError,
    "the network is gone",
  );
});

Deno.test("readParquetRows() refuses what is no parquet, or what cannot be read", async () => {
  const file = await fileOf(
    [[{ ids: [1, 2, 3], weights: [1], note: "n" }]],
    COLUMNS,
  );
  const words = "not a parquet file that can be read: ";
  for (
    const bytes of [
      new Uint8Array(),
      new Uint8Array(12),
      file.subarray(0, -1),
      file.subarray(9),
    ]
  ) {
    await assertRejects(
      () => Array.fromAsync(readParquetRows(bytes)),
      SyntaxError,
      words,
    );
  }
  await assertRejects(
    () => Array.fromAsync(readParquetRows(file, { columns: ["x"] })),
    SyntaxError,
    words,
  );
  for (const source of [null, "path.parquet", [1], {}]) {
    assertThrows(
      () => readParquetRows(source as unknown as Uint8Array),
      TypeError,
      "source must be bytes or a file",
    );
  }
});

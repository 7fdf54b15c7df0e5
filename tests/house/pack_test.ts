/** The archives of `scripts/tar.ts`, and what `scripts/pack.ts` adds to a package. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { completeManifest } from "../../scripts/pack.ts";
import { readArchive, writeArchive } from "../../scripts/tar.ts";

Deno.test("readArchive() reads what writeArchive() wrote", async () => {
  const long = `package/${"a".repeat(90)}/${"b".repeat(60)}.js`;
  const files = new Map([
    ["package/b.js", new TextEncoder().encode("b")],
    ["package/a.js", new Uint8Array(512).fill(7)],
    ["package/empty", new Uint8Array(0)],
    [long, new Uint8Array(1025).fill(9)],
  ]);
  const archive = await writeArchive(files);
  const read = await readArchive(archive);
  assertEquals([...read.keys()], [...files.keys()].sort());
  for (const [path, bytes] of files) assertEquals(read.get(path), bytes);

  // the same files are the same bytes, in whatever order they come
  const again = await writeArchive(new Map([...files].reverse()));
  assertEquals(again, archive);
  const program = await writeArchive(files, new Set(["package/b.js"]));
  assertEquals(program.toHex() === archive.toHex(), false);
});

Deno.test("writeArchive() and readArchive() refuse what they cannot hold", async () => {
  const files = new Map([[`package/${"a".repeat(300)}`, new Uint8Array(1)]]);
  await assertRejects(() => writeArchive(files), Error, "has no room");
  const stream = new Blob([new Uint8Array(512).fill(53)]).stream()
    .pipeThrough(new CompressionStream("gzip"));
  const folder = new Uint8Array(await new Response(stream).arrayBuffer());
  await assertRejects(() => readArchive(folder), Error, "of kind 5");
});

Deno.test("completeManifest() adds a command, types and exact dependencies", () => {
  const made = {
    name: "x",
    exports: {
      ".": { types: "./mod.d.ts", default: "./mod.js" },
      "./kernels.wasm": { import: "./k.wasm", default: "./k.wasm" },
    },
    dependencies: { "@a/b": "^1.2.3" },
  };
  const imports = { "@a/b": "npm:@a/b@1.2.3" };
  const { name, exports, dependencies, bin } = completeManifest(made, imports);
  assertEquals(name, "x");
  assertEquals(exports, {
    ".": { types: "./mod.d.ts", default: "./mod.js" },
    "./kernels.wasm": {
      types: "./src/wasm/kernels.d.ts",
      default: "./k.wasm",
    },
    "./package.json": "./package.json",
  });
  assertEquals(dependencies, { "@a/b": "1.2.3" });
  assertEquals(bin, { "sft-loss": "./src/cli/main.js" });
  for (const specifier of ["npm:@a/b@^1.2.3", "npm:@a/c@1.2.3", ""]) {
    assertThrows(
      () => completeManifest(made, { "@a/b": specifier }),
      Error,
      "no exact version of @a/b",
    );
  }
});

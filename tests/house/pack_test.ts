/** The archives of `scripts/tar.ts`, what `scripts/pack.ts` adds to a package, and what `scripts/check_docs.ts` misses. */
import { assertEquals, assertThrows } from "@std/assert";
import { gzipSync } from "node:zlib";
import { missingDocs } from "../../scripts/check_docs.ts";
import { completeManifest, linksIn, unlink } from "../../scripts/pack.ts";
import { readArchive, writeArchive } from "../../scripts/tar.ts";

Deno.test("readArchive() reads what writeArchive() wrote", () => {
  const long = `package/${"a".repeat(90)}/${"b".repeat(60)}.js`;
  const files = new Map([
    ["package/b.js", new TextEncoder().encode("b")],
    ["package/a.js", new Uint8Array(512).fill(7)],
    ["package/empty", new Uint8Array(0)],
    [long, new Uint8Array(1025).fill(9)],
  ]);
  const archive = writeArchive(files);
  const read = readArchive(archive);
  assertEquals([...read.keys()], [...files.keys()].sort());
  for (const [path, bytes] of files) assertEquals(read.get(path), bytes);

  // the same files are the same bytes, in whatever order they come
  const again = writeArchive(new Map([...files].reverse()));
  assertEquals(again, archive);
  const program = writeArchive(files, new Set(["package/b.js"]));
  assertEquals(program.toHex() === archive.toHex(), false);
});

Deno.test("writeArchive() and readArchive() refuse what they cannot hold", () => {
  const files = new Map([[`package/${"a".repeat(300)}`, new Uint8Array(1)]]);
  assertThrows(() => writeArchive(files), Error, "has no room");
  const folder = gzipSync(new Uint8Array(512).fill(53));
  assertThrows(() => readArchive(folder), Error, "of kind 5");
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

Deno.test("unlink() leaves of a link that leads nowhere its target, as code", () => {
  const text = `A [file](src/a.ts), a [folder](src), [both](src/b.ts "b").
[out](https://example.com) and [mail](mailto:a@b) and [here](#here), [p](src/a.ts#l3)

\`\`\`ts
const x = list[0](src); // [no](link)
\`\`\`

In code \`[no](link)\`, too. [src/c.ts](src/c.ts)
`;
  assertEquals(linksIn(text), [
    "src/a.ts",
    "src",
    "src/b.ts",
    "https://example.com",
    "mailto:a@b",
    "#here",
    "src/a.ts#l3",
    "src/c.ts",
  ]);
  const asked: string[] = [];
  const unlinked = unlink(text, (path) => {
    asked.push(path);
    return path === "src/a.ts";
  });
  assertEquals(asked, ["src/a.ts", "src", "src/b.ts", "src/a.ts", "src/c.ts"]);
  assertEquals(
    unlinked,
    text.replace("[folder](src)", "folder (`src`)")
      .replace('[both](src/b.ts "b")', "both (`src/b.ts`)")
      .replace("[src/c.ts](src/c.ts)", "`src/c.ts`"),
  );
});

Deno.test("every link of the READMEs leads somewhere in the repository", async () => {
  for (const name of ["README.md", "README.zh.md", "CHANGELOG.md"]) {
    const links = linksIn(await Deno.readTextFile(name));
    assertEquals(links.length > 1, true, name);
    for (const link of links) {
      if (/^(https:|#)/.test(link)) continue;
      await Deno.stat(link);
    }
  }
});

Deno.test("missingDocs() names what has no docs, no example, no word for a parameter", () => {
  const example = { kind: "example", doc: "```ts\nf(1);\n```" };
  const declared = { declarationKind: "export", def: { params: [] } };
  const type = { ...declared, kind: "interface", jsDoc: { doc: "A type." } };
  const passedOn = { declarationKind: "export", kind: "reference" };
  const described = (...tags: { kind: string; name?: string }[]) => ({
    declarationKind: "export",
    kind: "function",
    jsDoc: { doc: "It.", tags },
    def: { params: [{ name: "x", kind: "identifier" }] },
  });
  const good = {
    module_doc: { doc: "A module.", tags: [example] },
    symbols: [
      {
        name: "f",
        declarations: [described({ kind: "param", name: "x" }, example)],
      },
      { name: "T", declarations: [type] },
      { name: "U", declarations: [passedOn] },
    ],
  };
  assertEquals(missingDocs(".", good), []);

  const outside = {
    kind: "example",
    doc: '```ts\nimport "x" from "./x.ts"\n```',
  };
  const bad = {
    symbols: [
      { name: "f", declarations: [described()] },
      {
        name: "g",
        declarations: [described({ kind: "param", name: "x" }, outside)],
      },
      { name: "T", declarations: [{ ...declared, kind: "interface" }] },
    ],
  };
  assertEquals(missingDocs("./x", bad), [
    "./x: the module has no docs",
    "./x has no example",
    "./x: f has no example",
    "./x: f says nothing of x",
    "./x: g has an example that imports a path of this repository",
    "./x: T has no docs",
  ]);
});

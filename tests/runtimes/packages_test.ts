/**
 * The package as it is installed: what lies in it, what its types need, what the
 * root pulls in, how many bytes that is; and what JSR would say of it.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import config from "../../deno.json" with { type: "json" };
import { linksIn } from "../../scripts/pack.ts";
import { APP, run, setUp, toolPath } from "./setup.ts";
import { TOOLS } from "./versions.ts";

const isRequired = Deno.env.get("REQUIRE_RUNTIMES") === "1";
const { programs, missing } = await setUp();

const PACKAGE = `${APP}/node_modules/@sft/loss`;

/** A test of the installed package. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: `the package: ${name}`,
    ignore: !("package" in programs) && !isRequired,
    fn: async () => {
      assert("package" in programs, missing.join("\n"));
      await fn();
    },
  });
}

/** The files of a folder below it, by their paths in it. */
async function filesIn(folder: string, below = ""): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder + below)) {
    const path = `${below}/${name}`;
    if (isDirectory) paths.push(...await filesIn(folder, path));
    else paths.push(path);
  }
  return paths;
}

const read = (path: string) => Deno.readTextFile(`${PACKAGE}/${path}`);

test("every entry of deno.json is in it, with types", async () => {
  const { exports } = JSON.parse(await read("package.json"));
  const wanted = [...Object.keys(config.exports), "./package.json"];
  assertEquals(Object.keys(exports).sort(), wanted.sort());
  for (const target of Object.values<Record<string, string>>(exports)) {
    if (typeof target === "string") continue;
    for (const path of Object.values(target)) {
      await Deno.stat(`${PACKAGE}/${path}`);
    }
    assert(target.types?.endsWith(".d.ts"));
  }
});

test("nothing in it is of this machine, of Deno, or of the tests", async () => {
  const paths = await filesIn(PACKAGE);
  assert(paths.length > 50, `only ${paths.length} files`);
  const strange = paths.filter((path) =>
    !/^\/(assembly\/|asconfig\.json$|package\.json$|[A-Z]+(\.zh)?\.md$|LICENSE$)/
      .test(path) && !/^\/(mod|src\/.*)(\.d\.ts|\.js|\.wasm)$/.test(path)
  );
  assertEquals(strange, []);
  for (const path of paths) {
    if (path.endsWith(".wasm")) continue;
    const text = await read(path);
    assert(
      !text.includes(Deno.cwd()),
      `${path} names a folder of this machine`,
    );
    assert(!text.includes("sourceMappingURL"), `${path} names a source map`);
    if (path.endsWith(".js")) assert(!/\bDeno\./.test(text), `${path}: Deno`);
  }
});

test("every link of its READMEs leads to a file in it, or out", async () => {
  for (const name of ["README.md", "README.zh.md", "CHANGELOG.md"]) {
    const text = await read(name);
    const links = linksIn(text);
    for (const link of links) {
      if (/^(https:|#)/.test(link)) continue;
      const files = await filesIn(PACKAGE, `/${link}`)
        .catch(async () => [(await Deno.stat(`${PACKAGE}/${link}`), link)]);
      // a folder of what was made of the sources is not what was spoken of
      assert(files.some((path) => !/\.(js|d\.ts)$/.test(path)), link);
    }
    if (name.startsWith("README")) {
      assert(links.includes("assembly"), `${links}`);
      assertStringIncludes(text, "`tests/border`");
    }
  }
});

/** Which entries are compiled with which libraries. Streams and pages need the DOM's types; the root must do without. */
const PROJECTS: [entry: string, lib: string[], types: string[]][] = [
  ["root", ["es2022"], []],
  ["all", ["es2022", "dom"], []],
  ["webgpu", ["es2022", "dom"], [toolPath("@webgpu/types")]],
];

/** Compiles the files below types/ strictly; what the compiler says must be nothing. */
async function compile(
  compiler: string,
  module: string,
  moduleResolution: string,
): Promise<void> {
  for (const [entry, lib, types] of PROJECTS) {
    const options = {
      strict: true,
      noEmit: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      target: "es2022",
      // TypeScript 7 knows WebGPU itself
      types: compiler === "typescript5" ? types : [],
      lib,
      module,
      moduleResolution,
    };
    await Deno.writeTextFile(
      `${APP}/tsconfig.json`,
      JSON.stringify({
        compilerOptions: options,
        files: [`types/${entry}.ts`],
      }),
    );
    const tsc = toolPath(`${compiler}/bin/tsc`);
    const { code, out } = await run("node", [tsc, "-p", "."], { cwd: APP });
    assertEquals([code, out], [0, ""], entry);
  }
}

for (const compiler of ["typescript5", "typescript7"]) {
  const version = TOOLS[compiler]!.split("@").pop();
  test(`types under tsc ${version} --strict, NodeNext`, () =>
    compile(compiler, "nodenext", "nodenext"));
  test(`types under tsc ${version} --strict, bundler`, () =>
    compile(compiler, "esnext", "bundler"));
}

/** The files behind one of the package, which `look` sees with what they import. */
async function visit(
  path: string,
  look: (path: string, text: string, imports: string[]) => void,
): Promise<Set<string>> {
  const seen = new Set<string>();
  const walk = async (path: string): Promise<void> => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = await read(path);
    const code = text.replace(/\/\*.*?\*\//gs, ""); // examples import, too
    const imports = [...code.matchAll(/\b(?:from|import) ?\(?"([^"]+)"/g)]
      .map(([, specifier]) => specifier!);
    look(path, text, imports);
    for (const specifier of imports) {
      if (!specifier.startsWith(".")) continue;
      const to = new URL(specifier, `file:///${path}`).pathname.slice(1);
      await walk(path.endsWith(".d.ts") ? to.replace(/\.js$/, ".d.ts") : to);
    }
  };
  await walk(path);
  return seen;
}

test("the root needs no other package, and its types no GPU", async () => {
  const outside: string[] = [];
  const collect = (path: string, text: string, imports: string[]) => {
    const others = imports.filter((specifier) => !specifier.startsWith("."));
    outside.push(...others.map((specifier) => `${path}: ${specifier}`));
    assert(!/\bGPU[A-Z]\w+/.test(text), `${path} names a type of WebGPU`);
  };
  const code = await visit("mod.js", collect);
  const types = await visit("mod.d.ts", collect);
  assertEquals(outside, []);
  assert(code.size > 1 && types.size > 5, [...code, ...types].join());
  // and the same walk does find what others need
  const chat = new Set<string>();
  await visit("src/chat/mod.js", (_, __, imports) => {
    for (const specifier of imports) chat.add(specifier);
  });
  assert(chat.has("@huggingface/jinja") && chat.has("@huggingface/tokenizers"));
});

/** What the root may be made of: files of the lowest floors, and these rooms. */
const CORE =
  /^(mod|src\/((checks|labels|loss|packing|reference|wasm)\/)?\w+)\.ts$/;

Deno.test("the root's module graph has no tokenizer, no template, no shader", async () => {
  const { code, out } = await run(Deno.execPath(), [
    "info",
    "--json",
    "mod.ts",
  ]);
  assertEquals(code, 0);
  const root = `file://${Deno.cwd()}/`;
  const { modules } = JSON.parse(out) as { modules: { specifier: string }[] };
  const paths = modules.map(({ specifier }) => specifier.replace(root, ""));
  assert(paths.length > 20, `only ${paths}`);
  assertEquals(paths.filter((path) => !CORE.test(path)), []);
});

/**
 * Bytes of a page's download, minified and gzipped, the kernels in it: the whole
 * root; all of it but packing; what most need; labels alone.
 */
const SIZES: [what: string, names: string, bound: number][] = [
  ["the whole root", "*", 20 * 1024],
  [
    "the root without packing",
    "{ causalLoss, causalLossGrad, createLossWorkspace, findSpans, init, labelsFromMask, maskedCrossEntropy, maskedCrossEntropyGrad, maskLabels, mergeLoss }",
    15 * 1024,
  ],
  [
    "labels, loss, gradient",
    "{ maskedCrossEntropyGrad, maskLabels }",
    12.5 * 1024,
  ],
  ["labels", "{ findSpans, maskLabels }", 10 * 1024],
];

for (const [what, names, bound] of SIZES) {
  test(`${what}: at most ${bound} bytes, minified and gzipped`, async () => {
    const { outputFiles } = await esbuild.build({
      stdin: {
        contents: `export ${names} from "@sft/loss";`,
        resolveDir: `${Deno.cwd()}/${APP}`,
      },
      bundle: true,
      minify: true,
      format: "esm",
      target: "es2022",
      write: false,
      logLevel: "error",
    }).finally(() => esbuild.stop());
    const code = outputFiles[0]!.contents;
    const { length } = gzipSync(code, { level: 9 });
    console.log(`${what}: ${code.length} bytes, ${length} gzipped`);
    assert(length <= bound, `${length} bytes`);
  });
}

test("its command runs by its name", async () => {
  const name = Deno.build.os === "windows" ? "sft-loss.cmd" : "sft-loss";
  const bin = `${Deno.cwd()}/${APP}/node_modules/.bin/${name}`;
  const { code, out } = await run(bin, ["--version"]);
  assertEquals([code, out], [0, `sft-loss ${config.version}\n`]);
});

test("JSR's own client would publish it", async () => {
  const jsr = toolPath("jsr/dist/bin.js");
  const { code, err, out } = await run("node", [
    jsr,
    "publish",
    "--dry-run",
    "--allow-dirty",
  ], { env: { DENO_BIN_PATH: Deno.execPath() } });
  assertEquals(code, 0, out + err);
  assert(!/warning/i.test(out + err), out + err);
});

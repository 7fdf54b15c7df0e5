/**
 * Makes the npm package: what `deno pack` makes of deno.json, completed by what
 * deno.json has no words for (a command to run, types of the .wasm files, what
 * has side effects, the very versions of the dependencies that are tested), and
 * with its modules joined: Node takes half a millisecond to find each file, which
 * for the root alone would be 17 ms before the first label.
 *
 * @module
 */
import * as esbuild from "esbuild";
import config from "../deno.json" with { type: "json" };
import { type Files, readArchive, writeArchive } from "./tar.ts";

/** Where the package lies once it is made. */
export const ARCHIVE: string = `build/sft-loss-${config.version}.tgz`;

const ROOT = "package/";
const PROGRAM = "src/cli/main.js";

const WASM_TYPES = `/**
 * Compiled kernels, where a bundler or a worker imports .wasm files as modules.
 * They are for \`init\` of the package's root.
 */
import type { KernelModule } from "../contract.js";
declare const kernels: KernelModule;
export default kernels;
`;

/** What TypeScript's default libraries lack, for the files that name it; 5.2 and later have it. */
const DISPOSABLE = '/// <reference lib="esnext.disposable" />\n';

/** What `deno pack` writes into package.json, as far as it is touched here. */
interface Manifest {
  exports: Record<string, Record<string, string> | string>;
  dependencies: Record<string, string>;
  [field: string]: unknown;
}

/** Completes the manifest that `deno pack` wrote. */
export function completeManifest(
  manifest: Manifest,
  imports: Readonly<Record<string, string>>,
): Manifest {
  const exports: Manifest["exports"] = {};
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    exports[subpath] = subpath.endsWith(".wasm") && typeof target === "object"
      ? { types: "./src/wasm/kernels.d.ts", default: target.default! }
      : target;
  }
  exports["./package.json"] = "./package.json";
  const dependencies: Manifest["dependencies"] = {};
  for (const name of Object.keys(manifest.dependencies)) {
    const specifier = imports[name] ?? "";
    const version = specifier.startsWith(`npm:${name}@`)
      ? specifier.slice(`npm:${name}@`.length)
      : "";
    if (!/^\d+\.\d+\.\d+$/.test(version)) {
      throw new Error(
        `Cannot pack as deno.json gives no exact version of ${name}: current value is "${specifier}"`,
      );
    }
    dependencies[name] = version;
  }
  return {
    ...manifest,
    description:
      "The supervised fine-tuning loss of a chat model, exactly, in any JavaScript runtime: label masking and masked cross-entropy, in WASM SIMD",
    keywords: ["sft", "fine-tuning", "loss", "cross-entropy", "llm", "wasm"],
    engines: { node: ">=20.16" },
    bin: { "sft-loss": `./${PROGRAM}` },
    // all but the command line and its threads, which run when they are started
    sideEffects: ["./src/cli/*.js"],
    exports,
    dependencies,
  };
}

/** A link of Markdown, in its text and target; or code, in which there are none. */
const LINK =
  /```[^]*?```|\[([^\]\n]*)\]\(([^\s)]+)(?:\s+"[^"]*")?\)|`[^`\n]*`/g;

/** Where the links of a Markdown text lead. */
export function linksIn(markdown: string): string[] {
  return [...markdown.matchAll(LINK)].flatMap(([, , to]) => to ?? []);
}

/** A Markdown text in which links to paths that are not there are their targets' names. */
export function unlink(
  markdown: string,
  has: (path: string) => boolean,
): string {
  return markdown.replace(LINK, (all, text?: string, to?: string) => {
    if (to === undefined || /^([a-z]+:|#)/.test(to)) return all;
    const path = to.replace(/#.*/, "");
    if (has(path)) return all;
    return text === path ? `\`${path}\`` : `${text} (\`${path}\`)`;
  });
}

/** Completes the files that `deno pack` wrote. */
export function completePackage(files: Files): Files {
  const read = (path: string): string => {
    const bytes = files.get(ROOT + path);
    if (bytes === undefined) throw new Error(`Cannot pack without ${path}`);
    return new TextDecoder().decode(bytes);
  };
  const write = (path: string, text: string): void => {
    files.set(ROOT + path, new TextEncoder().encode(text));
  };
  const manifest = completeManifest(
    JSON.parse(read("package.json")),
    config.imports,
  );
  write("package.json", JSON.stringify(manifest, null, 2) + "\n");
  write("src/wasm/kernels.d.ts", WASM_TYPES);
  for (const [path, bytes] of files) {
    if (!path.endsWith(".d.ts")) continue;
    const text = new TextDecoder().decode(bytes);
    if (!text.includes("Symbol.dispose")) continue;
    write(path.slice(ROOT.length), DISPOSABLE + text);
  }
  write(PROGRAM, `#!/usr/bin/env node\n${read(PROGRAM)}`);
  return files;
}

/** Joins the modules behind each entry; what several entries need stays one module for all of them. */
async function joinModules(files: Files): Promise<void> {
  const folder = "build/pack";
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  for (const [path, bytes] of files) {
    const to = `${folder}/${path}`;
    await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(to, bytes);
  }
  const manifest: Manifest = JSON.parse(
    new TextDecoder().decode(files.get(`${ROOT}package.json`)),
  );
  const entries = Object.values(manifest.exports)
    .map((target) => typeof target === "string" ? target : target.default!)
    .filter((target) => target.endsWith(".js"));
  // modules of their own, which a bundler drops or orders as a whole
  const alone = ["packing.js", "kernels.js"];
  const apart = (name: string, isIn: RegExp) =>
    Deno.writeTextFile(
      `${folder}/${ROOT}${name}`,
      [...files.keys()].map((path) => path.slice(ROOT.length))
        .filter((path) => isIn.test(path))
        .map((path) => `export * from "./${path}";\n`).join(""),
    );
  await apart("packing.js", /^src\/packing\/\w+\.js$/);
  await apart("kernels.js", /^src\/wasm\/kernels_\w+_wasm\.js$/);
  const { outputFiles } = await esbuild.build({
    absWorkingDir: `${Deno.cwd()}/${folder}/${ROOT}`,
    entryPoints: [...entries, ...alone.map((name) => `./${name}`)],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "neutral",
    packages: "external",
    target: "es2022",
    outdir: ".",
    outbase: ".",
    chunkNames: "src/chunks/[hash]",
    charset: "utf8",
    logLevel: "error",
    write: false,
  }).finally(() => esbuild.stop());
  for (const path of files.keys()) {
    // sources that no entry needs come along as they are, and nobody can use them here
    const isSource = path.startsWith(`${ROOT}src/`) &&
      /(?<!\.d)\.ts$/.test(path);
    if (path.endsWith(".js") || isSource) files.delete(path);
  }
  for (const { path, contents } of outputFiles) {
    const at = path.replaceAll("\\", "/").split(`/${folder}/`)[1]!;
    if (alone.includes(at.slice(ROOT.length))) continue;
    files.set(at, contents as Uint8Array<ArrayBuffer>);
  }
  await Deno.remove(folder, { recursive: true });
}

/** Makes the package and returns its files, which also lie in {@link ARCHIVE}. */
export async function pack(): Promise<Files> {
  await Deno.mkdir("build", { recursive: true });
  const raw = "build/deno_pack.tgz";
  await Deno.remove(raw).catch(() => {});
  // without source maps: they hold the paths of the machine that packs
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["pack", "--no-source-maps", "--allow-dirty", "-o", raw],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new Error(`deno pack failed\n${new TextDecoder().decode(stderr)}`);
  }
  const files = completePackage(readArchive(await Deno.readFile(raw)));
  await Deno.remove(raw);
  await joinModules(files);
  // READMEs speak of the repository, of which only these files come along as they are
  const same = [...files.keys()].map((path) => path.slice(ROOT.length))
    .filter((path) => !/\.(js|wasm|d\.ts)$/.test(path));
  const has = (to: string) =>
    same.some((path) => path === to || path.startsWith(`${to}/`));
  for (const path of same.filter((path) => path.endsWith(".md"))) {
    const text = new TextDecoder().decode(files.get(ROOT + path));
    files.set(ROOT + path, new TextEncoder().encode(unlink(text, has)));
  }
  const programs = new Set([ROOT + PROGRAM]);
  await Deno.writeFile(ARCHIVE, writeArchive(files, programs));
  return files;
}

if (import.meta.main) {
  const files = await pack();
  let bytes = 0;
  for (const content of files.values()) bytes += content.length;
  const { size } = await Deno.stat(ARCHIVE);
  console.log(
    `${ARCHIVE}  ${files.size} files, ${bytes} bytes, ${size} gzipped`,
  );
}

/**
 * Checks the docs of everything that is exported: each symbol has some (as
 * `deno doc --lint` sees it), each module, function and class has an example,
 * and each example names the package as its users do. That the examples run is
 * the tests' business (`deno test --doc`).
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };

/** A tag of a doc comment. */
interface Tag {
  kind: string;
  name?: string;
  doc?: string;
}

/** A doc comment. */
interface Doc {
  doc?: string;
  tags?: Tag[];
}

/** What `deno doc --json` says of one exported symbol, as far as it is read here. */
export interface DocumentedSymbol {
  name: string;
  declarations: {
    kind: string;
    declarationKind: string;
    jsDoc?: Doc;
    def?: { params?: { name?: string; kind: string }[] };
  }[];
}

/** What `deno doc --json` says of one module. */
export interface DocumentedModule {
  module_doc?: Doc;
  symbols: DocumentedSymbol[];
}

/** What needs an example; a type, an interface or a constant is shown by the functions that use it. */
const NEEDS_EXAMPLE: ReadonlySet<string> = new Set(["function", "class"]);

/** What is missing in the docs of one entry. */
export function missingDocs(
  entry: string,
  { module_doc, symbols }: DocumentedModule,
): string[] {
  const missing: string[] = [];
  if (!module_doc?.doc) missing.push(`${entry}: the module has no docs`);
  missing.push(...badExamples(entry, module_doc));
  for (const { name, declarations } of symbols) {
    // what is passed on from another entry has its docs there
    const own = declarations.filter(({ kind, declarationKind }) =>
      kind !== "reference" && declarationKind === "export"
    );
    if (own.length === 0) continue;
    const what = `${entry}: ${name}`;
    // the docs of a function with several signatures stand at one of them
    const { kind, jsDoc, def } = own.find(({ jsDoc }) => jsDoc?.doc) ?? own[0]!;
    if (!jsDoc?.doc) missing.push(`${what} has no docs`);
    if (!NEEDS_EXAMPLE.has(kind)) continue;
    missing.push(...badExamples(what, jsDoc));
    if (kind !== "function") continue;
    const told = new Set(jsDoc?.tags?.map((tag) => tag.name));
    for (const param of def?.params ?? []) {
      if (param.name && !told.has(param.name)) {
        missing.push(`${what} says nothing of ${param.name}`);
      }
    }
  }
  return missing;
}

function badExamples(what: string, doc: Doc | undefined): string[] {
  const examples = doc?.tags?.filter(({ kind }) => kind === "example") ?? [];
  if (examples.length === 0) return [`${what} has no example`];
  return examples.flatMap(({ doc = "" }) => {
    if (!/```(ts|sh)/.test(doc)) return [`${what} has an example without code`];
    return /from "\.\.?\//.test(doc)
      ? [`${what} has an example that imports a path of this repository`]
      : [];
  });
}

async function deno(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(text(stderr));
  return text(stdout);
}

if (import.meta.main) {
  const entries = Object.entries(config.exports)
    .filter(([, path]) => path.endsWith(".ts"));
  const paths = entries.map(([, path]) => path);
  try {
    await deno("doc", "--lint", ...paths);
    const { nodes } = JSON.parse(await deno("doc", "--json", ...paths));
    const missing: string[] = [];
    let symbols = 0;
    for (const [entry, path] of entries) {
      const url = new URL(`../${path}`, import.meta.url).href;
      const module: DocumentedModule = nodes[url];
      symbols += module.symbols.length;
      missing.push(...missingDocs(entry, module));
    }
    if (missing.length > 0) throw new Error(missing.join("\n"));
    console.log(`${entries.length} entries, ${symbols} symbols: all have docs`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}

/**
 * What the laws of the house are read from: files as text, and what a file
 * says of its neighbours, as Deno's own parser sees it.
 *
 * @module
 */

/** A repository as its source files: path with forward slashes, to text. */
export type Tree = ReadonlyMap<string, string>;

/** Reads mod.ts and the `.ts` files of the rooms that have laws. */
export function readTree(): Tree {
  const tree = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const entry of Deno.readDirSync(folder)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) visit(path);
      else if (path.endsWith(".ts")) {
        tree.set(path, Deno.readTextFileSync(path));
      }
    }
  };
  for (const folder of ["src", "assembly", "tests", "bench"]) {
    if (exists(folder)) visit(folder);
  }
  if (exists("mod.ts")) tree.set("mod.ts", Deno.readTextFileSync("mod.ts"));
  return new Map([...tree].sort());
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What one file says. */
export interface SourceFacts {
  /** Every specifier it names: import, type import, re-export, `import()`; "?" where it is computed. */
  imports: string[];
  /** Whether it names `Deno`. */
  usesDeno: boolean;
  /** Whether it waits at the top level. */
  awaitsAtTop: boolean;
}

/** Parses a file of TypeScript or AssemblyScript. */
export function readFacts(path: string, text: string): SourceFacts {
  const facts: SourceFacts = {
    imports: [],
    usesDeno: false,
    awaitsAtTop: false,
  };
  const name = (specifier: Deno.lint.Node | null): void => {
    if (specifier === null) return;
    const { value } = specifier as { value?: unknown };
    facts.imports.push(typeof value === "string" ? value : "?");
  };
  const wait = (node: Deno.lint.Node): void => {
    if (!isInFunction(node)) facts.awaitsAtTop = true;
  };
  const visitor: Deno.lint.LintVisitor = {
    ImportDeclaration: (node) => name(node.source),
    ExportNamedDeclaration: (node) => name(node.source),
    ExportAllDeclaration: (node) => name(node.source),
    ImportExpression: (node) => name(node.source),
    TSImportType: ({ argument }) =>
      name(argument.type === "TSLiteralType" ? argument.literal : argument),
    AwaitExpression: wait,
    ForOfStatement: (node) => {
      if (node.await) wait(node);
    },
    VariableDeclaration: (node) => {
      if (node.kind === "await using") wait(node);
    },
    Identifier: (node) => {
      if (node.name === "Deno") facts.usesDeno = true;
    },
  };
  const plugin: Deno.lint.Plugin = {
    name: "house",
    rules: { read: { create: () => visitor } },
  };
  Deno.lint.runPlugin(plugin, path, text);
  return facts;
}

function isInFunction(node: Deno.lint.Node): boolean {
  for (let at: Deno.lint.Node | undefined = node; at; at = parentOf(at)) {
    if (/Function/.test(at.type)) return true;
  }
  return false;
}

function parentOf(node: Deno.lint.Node): Deno.lint.Node | undefined {
  return "parent" in node ? node.parent as Deno.lint.Node : undefined;
}

/** The path a relative specifier leads to; null for one that leaves the repository. */
export function resolve(from: string, specifier: string): string | null {
  if (!/^\.\.?\//.test(specifier)) return null;
  const { pathname } = new URL(specifier, `file:///${from}`);
  const path = decodeURIComponent(pathname.slice(1));
  return /\.\w+$/.test(path) ? path : `${path}.ts`; // AssemblyScript leaves .ts out
}

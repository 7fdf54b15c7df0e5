/**
 * The law of floors: imports point down only, and neighbours never import each
 * other. With it the manners of what is published: nothing of Deno's own, no
 * wait while loading, no dependency in the core.
 *
 * @module
 */
import { readFacts, resolve, type Tree } from "./tree.ts";

/**
 * The rooms of each floor, from the top. A folder's files may import each other.
 * Beside the design's drawing: src/loss, the public functions over the engines;
 * src/checks, what checks.ts hands out; engine.ts, what an engine is; half.ts, the
 * codecs of the half types; row.ts, what a row of ids and labels is;
 * typed_arrays.ts, arrays of any class and realm.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["src/cli/"],
  [
    "mod.ts",
    "src/chat/",
    "src/report/",
    "src/select.ts",
    "src/parallel/",
    "src/webgpu/mod.ts",
    "src/reference/mod.ts",
  ],
  ["src/loss/"],
  ["src/wasm/", "src/webgpu/", "src/packing/", "src/formats/"],
  ["src/reference/"],
  ["src/labels/"],
  ["src/checks.ts", "src/engine.ts", "src/half.ts", "src/row.ts"],
  ["src/checks/"],
  ["src/actions.ts", "src/contract.ts", "src/typed_arrays.ts"],
];

/** Who may import what from outside the repository; everyone else nothing. */
const OUTSIDE: Readonly<Record<string, RegExp>> = {
  "src/chat/": /^(@huggingface\/|node:)/, // the tokenizer, the template, reading a folder
  "src/cli/": /^node:/, // runs in Deno, Node and Bun
  "src/formats/": /^hyparquet(-writer)?$/, // loaded when parquet is first read or written
  "src/parallel/": /^node:worker_threads$/, // Node has no Worker
};

/** Files that import upwards, sideways, or out of the house. */
export function brokenFloors(tree: Tree): string[] {
  const offenders: string[] = [];
  for (const [path, text] of published(tree)) {
    const room = roomOf(path);
    if (room === null) {
      offenders.push(`${path} stands on no floor`);
      continue;
    }
    for (const specifier of readFacts(path, text).imports) {
      const to = resolve(path, specifier);
      if (to === null) {
        if (OUTSIDE[room.name]?.test(specifier)) continue;
        offenders.push(`${path} imports ${specifier} from outside`);
        continue;
      }
      const other = roomOf(to);
      if (other === null) {
        offenders.push(`${path} imports ${to}, no room below`);
      } else if (other.name === room.name && room.name.endsWith("/")) continue;
      else if (other.floor === room.floor) {
        offenders.push(`${path} imports its neighbour ${to}`);
      } else if (other.floor < room.floor) {
        offenders.push(`${path} imports ${to} above it`);
      }
    }
  }
  return offenders;
}

/** Published files that come back to themselves along imports, types included: each circle once. */
export function brokenCircles(tree: Tree): string[] {
  const to = new Map(
    published(tree).map(([path, text]) => [
      path,
      readFacts(path, text).imports.map((name) => resolve(path, name))
        .filter((other) => other !== null),
    ]),
  );
  const circles = new Set<string>();
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const from = way.indexOf(path);
    if (from >= 0) circles.add([...way.slice(from), path].join(" > "));
    if (from >= 0 || done.has(path)) return;
    for (const other of to.get(path) ?? []) visit(other, [...way, path]);
    done.add(path);
  };
  for (const path of to.keys()) visit(path, []);
  return [...circles];
}

/** AssemblyScript files that import anything but AssemblyScript. */
export function brokenAssembly(tree: Tree): string[] {
  const offenders: string[] = [];
  for (const [path, text] of tree) {
    if (!path.startsWith("assembly/")) continue;
    for (const specifier of readFacts(path, text).imports) {
      if (resolve(path, specifier)?.startsWith("assembly/")) continue;
      offenders.push(`${path} imports ${specifier}`);
    }
  }
  return offenders;
}

/** Published files that need Deno, or that wait while they are loaded. */
export function brokenManners(tree: Tree): string[] {
  const offenders: string[] = [];
  for (const [path, text] of published(tree)) {
    const facts = readFacts(path, text);
    if (facts.usesDeno) offenders.push(`${path} names Deno`);
    if (facts.awaitsAtTop) offenders.push(`${path} awaits at the top level`);
  }
  return offenders;
}

function published(tree: Tree): [string, string][] {
  return [...tree].filter(([path]) =>
    path === "mod.ts" || path.startsWith("src/")
  );
}

/** The room of a file: its own name before its folder's. */
function roomOf(path: string): { name: string; floor: number } | null {
  const isRoom = [
    (room: string) => room === path,
    (room: string) => room.endsWith("/") && path.startsWith(room),
  ];
  for (const fits of isRoom) {
    const floor = FLOORS.findIndex((rooms) => rooms.some(fits));
    const name = FLOORS[floor]?.find(fits);
    if (name !== undefined) return { name, floor };
  }
  return null;
}

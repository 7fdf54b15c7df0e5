/**
 * The law of rooms: a kernel has the same file stem wherever it lives, so who
 * has learnt one room can find the others blind. And no file grows too long.
 *
 * @module
 */
import type { Tree } from "./tree.ts";

/** The kernels' stems. */
export const KERNELS: readonly string[] = [
  "exp",
  "gather",
  "gradient",
  "log_sum_exp",
  "mask",
  "normalize",
  "transform",
];

/** What stands beside the rule, by path, each with its reason. */
export interface Exceptions {
  /** Twins that do not exist. */
  withoutTwin: Readonly<Record<string, string>>;
  /** Files of `src/reference/` and `assembly/` that are no kernels. */
  noKernel: Readonly<Record<string, string>>;
}

/** Files a kernel should have and has not, strangers among them, and exceptions nobody needs. */
export function brokenRooms(
  tree: Tree,
  kernels: readonly string[],
  { withoutTwin, noKernel }: Exceptions,
): string[] {
  const offenders: string[] = [];
  const hasGpu = [...tree.keys()].some((path) =>
    path.startsWith("src/webgpu/")
  );
  const twins = kernels.flatMap((stem) => [
    `src/reference/${stem}.ts`,
    `assembly/${stem}.ts`,
    ...(hasGpu ? [`src/webgpu/${stem}_wgsl.ts`] : []),
    `tests/kernels/${stem}_test.ts`,
    `bench/${stem}_bench.ts`,
  ]);
  for (const twin of twins) {
    if (!tree.has(twin) && !(twin in withoutTwin)) {
      offenders.push(`${twin} is missing`);
    }
  }
  for (const path of tree.keys()) {
    if (!/^(src\/reference|assembly)\//.test(path)) continue;
    if (!twins.includes(path) && !(path in noKernel)) {
      offenders.push(`${path} is no kernel and not in the table of those`);
    }
  }
  for (const path of Object.keys(withoutTwin)) {
    if (tree.has(path) || !twins.includes(path)) {
      offenders.push(`${path} needs no exception as a missing twin`);
    }
  }
  for (const path of Object.keys(noKernel)) {
    if (!tree.has(path) || twins.includes(path)) {
      offenders.push(`${path} needs no exception as no kernel`);
    }
  }
  return offenders;
}

/** Hand-written source files of more lines than this are too long. */
export const MAX_LINES = 300;

/** Source files that are too long; generated ones may be. */
export function tooLong(tree: Tree): string[] {
  const offenders: string[] = [];
  for (const [path, text] of tree) {
    if (!/^(mod\.ts$|src\/|assembly\/)/.test(path)) continue;
    if (/^src\/wasm\/\w+_wasm\.ts$/.test(path)) continue;
    const lines = text.replace(/\n$/, "").split("\n").length;
    if (lines > MAX_LINES) offenders.push(`${path} has ${lines} lines`);
  }
  return offenders;
}

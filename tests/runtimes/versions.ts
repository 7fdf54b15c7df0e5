/**
 * The runtimes and tools of the matrix, each at one version, all from npm. They
 * are platform packages, so nothing has to be run to install them.
 *
 * @module
 */

const OS = { linux: "linux", darwin: "darwin", windows: "win32" }[
  Deno.build.os as string
];
const ARCH = Deno.build.arch === "x86_64" ? "x64" : "arm64";

/** `node` calls Windows "win". */
const NODE = `npm:node-${OS === "win32" ? "win" : OS}-${ARCH}`;

/** The versions of Node that are tested; the last is the newest. */
export const NODES = ["20.20.2", "22.23.3", "24.21.0", "26.10.0"] as const;

/** package.json's dependencies of what the matrix runs in and with. */
export const TOOLS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    NODES.map((version) => [nodeName(version), `${NODE}@${version}`]),
  ),
  "@webgpu/types": "0.1.74",
  bun: "1.4.5",
  workerd: "1.20261117.1",
  wrangler: "4.86.0",
  "edge-runtime": "4.0.1",
  jsr: "0.14.3",
  typescript5: "npm:typescript@5.9.3",
  typescript7: "npm:typescript@7.0.2",
};

/** The name under which a version of Node is installed, such as node20. */
export function nodeName(version: string): string {
  return `node${version.split(".")[0]}`;
}

/** The compatibility dates of workerd: before and after modules could be compiled at start-up. */
export const WORKERD_DATES = ["2024-09-23", "2026-11-01"] as const;

const EXE = OS === "win32" ? ".exe" : "";

/** Where the programs lie below node_modules. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    NODES.map(nodeName).map((name) => [name, `${name}/bin/node${EXE}`]),
  ),
  bun: `@oven/bun-${OS}-${ARCH === "x64" ? ARCH : "aarch64"}/bin/bun${EXE}`,
  workerd: `@cloudflare/workerd-${OS === "win32" ? "windows" : OS}-${
    ARCH === "x64" ? "64" : "arm64"
  }/bin/workerd${EXE}`,
};

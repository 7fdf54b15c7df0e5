/** Each law of the house can fail: small made-up trees, good and bad. */
import { assertEquals } from "@std/assert";
import {
  brokenAssembly,
  brokenCircles,
  brokenFloors,
  brokenManners,
} from "./floors.ts";
import { brokenRooms, tooLong } from "./rooms.ts";
import { brokenTags } from "./tags.ts";
import type { Tree } from "./tree.ts";

function tree(files: Record<string, string>): Tree {
  return new Map(Object.entries(files));
}

Deno.test("brokenFloors() passes imports that point down", () => {
  const good = tree({
    "mod.ts": `export * from "./src/loss/loss.ts";`,
    "src/chat/policy.ts": `import "./marking.ts"; import "node:fs";`,
    "src/loss/loss.ts": `import { a } from "../wasm/engine.ts";
      import type { B } from "../contract.ts";`,
    "src/webgpu/mod.ts": `export * from "./engine.ts";`,
    "src/engine.ts": `import type { C } from "./contract.ts";`,
    "tests/loss_test.ts": `import "../mod.ts"; import "../bench/data.ts";`,
  });
  assertEquals(brokenFloors(good), []);
});

Deno.test("brokenFloors() names every import that does not point down", () => {
  const bad = tree({
    "src/wasm/up.ts": `import type { A } from "../loss/loss.ts";`,
    "src/wasm/aside.ts": `export * from "../webgpu/device.ts";`,
    "src/labels/late.ts": `const f = () => import("../reference/exp.ts");`,
    "src/labels/type.ts": `export type A = import("../../mod.ts").A;`,
    "src/checks.ts": `import "./engine.ts";`,
    "src/webgpu/device.ts": `export { a } from "./mod.ts";`,
    "src/packing/pack.ts": `import "../../assembly/exp.ts";`,
    "src/formats/npy.ts": `import "../../tests/vectors.ts";`,
    "src/loss/npm.ts": `import "npm:left@1"; import("" + 1);`,
    "src/stray.ts": "",
  });
  assertEquals(brokenFloors(bad), [
    "src/wasm/up.ts imports src/loss/loss.ts above it",
    "src/wasm/aside.ts imports its neighbour src/webgpu/device.ts",
    "src/labels/late.ts imports src/reference/exp.ts above it",
    "src/labels/type.ts imports mod.ts above it",
    "src/checks.ts imports its neighbour src/engine.ts",
    "src/webgpu/device.ts imports src/webgpu/mod.ts above it",
    "src/packing/pack.ts imports assembly/exp.ts, no room below",
    "src/formats/npy.ts imports tests/vectors.ts, no room below",
    "src/loss/npm.ts imports npm:left@1 from outside",
    "src/loss/npm.ts imports ? from outside",
    "src/stray.ts stands on no floor",
  ]);
});

Deno.test("brokenCircles() names each circle once, types included", () => {
  const round = tree({
    "src/chat/a.ts": `import type { B } from "./b.ts";`,
    "src/chat/b.ts": `import { c } from "./c.ts";`,
    "src/chat/c.ts": `import type { B } from "./b.ts"; import "./d.ts";`,
    "src/chat/d.ts": `import "../row.ts";`,
    "src/row.ts": "",
  });
  assertEquals(brokenCircles(round), [
    "src/chat/b.ts > src/chat/c.ts > src/chat/b.ts",
  ]);
});

Deno.test("brokenAssembly() names imports that leave assembly/", () => {
  const mixed = tree({
    "assembly/index.ts": `export { exp } from "./exp";`,
    "assembly/exp.ts": `import { A } from "../src/contract"; import "env";
      // @ts-ignore: decorator
      @inline
      export function exp(x: v128): v128 { return x; }`,
  });
  assertEquals(brokenAssembly(mixed), [
    "assembly/exp.ts imports ../src/contract",
    "assembly/exp.ts imports env",
  ]);
});

Deno.test("brokenManners() names Deno and waits at the top level", () => {
  const mixed = tree({
    "mod.ts": "/** Runs in Deno. */ export const f = async () => await g();",
    "src/a.ts": "export const n = globalThis.Deno?.pid;",
    "src/b.ts": "const m = await load();",
    "src/c.ts": "for await (const x of y) f(x);",
    "tests/d_test.ts": "await Deno.readFile('x');",
  });
  assertEquals(brokenManners(mixed), [
    "src/a.ts names Deno",
    "src/b.ts awaits at the top level",
    "src/c.ts awaits at the top level",
  ]);
});

Deno.test("tooLong() counts hand-written source only", () => {
  const mixed = tree({
    "src/just.ts": "x\n".repeat(300),
    "assembly/long.ts": "x\n".repeat(301),
    "mod.ts": "\n".repeat(299) + "1\n2",
    "src/wasm/kernels_simd_wasm.ts": "x\n".repeat(999),
    "tests/long_test.ts": "x\n".repeat(999),
  });
  assertEquals(tooLong(mixed), [
    "assembly/long.ts has 301 lines",
    "mod.ts has 301 lines",
  ]);
});

Deno.test("brokenRooms() wants every twin, and only exceptions that are needed", () => {
  const files = {
    "src/reference/exp.ts": "",
    "assembly/exp.ts": "",
    "assembly/memory.ts": "",
    "tests/kernels/exp_test.ts": "",
  };
  const exceptions = {
    withoutTwin: { "bench/exp_bench.ts": "too fast to time" },
    noKernel: { "assembly/memory.ts": "a map" },
  };
  assertEquals(brokenRooms(tree(files), ["exp"], exceptions), []);

  const stranger = tree({ ...files, "assembly/stray.ts": "" });
  assertEquals(brokenRooms(stranger, ["exp"], exceptions), [
    "assembly/stray.ts is no kernel and not in the table of those",
  ]);
  const none = { withoutTwin: {}, noKernel: exceptions.noKernel };
  assertEquals(brokenRooms(tree(files), ["exp"], none), [
    "bench/exp_bench.ts is missing",
  ]);
  const timed = tree({ ...files, "bench/exp_bench.ts": "" });
  assertEquals(brokenRooms(timed, ["exp"], exceptions), [
    "bench/exp_bench.ts needs no exception as a missing twin",
  ]);
  const gpu = tree({ ...files, "src/webgpu/device.ts": "" });
  assertEquals(brokenRooms(gpu, ["exp"], exceptions), [
    "src/webgpu/exp_wgsl.ts is missing",
  ]);
  const { "assembly/memory.ts": _, ...rest } = files;
  assertEquals(brokenRooms(tree(rest), ["exp"], exceptions), [
    "assembly/memory.ts needs no exception as no kernel",
  ]);
});

Deno.test("brokenTags() wants one home and a line of code for each tag", () => {
  const good = {
    "src/reference/exp.ts":
      "/**\n * e^x, by [EXP 2].\n *\n * [EXP 1] n = …\n * [EXP 2] p = …\n */\n// [EXP 1] again\n",
    "assembly/exp.ts": "// [EXP 1] n\n",
    "src/loss/loss.ts": "const p = 1; // [EXP 2]\n",
    "src/half.ts": "// [HALF 1] b = …\n\n// [HALF 1]\n",
  };
  assertEquals(brokenTags(tree(good)), []);

  const bad = tree({
    ...good,
    "src/reference/lse.ts":
      "// [EXP 1] n = …\n// [LSE 1] s = …\n\n// [LSE 2]\n",
    "src/wasm/engine.ts": "// [GRAD 7]\n",
  });
  assertEquals(brokenTags(bad), [
    "[LSE 2] of src/reference/lse.ts is derived nowhere",
    "[GRAD 7] of src/wasm/engine.ts is derived nowhere",
    "[EXP 1] is derived more than once: src/reference/exp.ts, src/reference/lse.ts",
    "[LSE 1] of src/reference/lse.ts is referred to by no code",
  ]);
});

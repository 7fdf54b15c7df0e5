/**
 * Three traps that corrupt in silence, each with a canary that shows what the
 * compiler at hand does with it, and a law over the shaders that keeps out of
 * it whatever that is. Where a canary falls silent one day (the compiler is
 * mended), its test says so and still passes: the laws do not depend on it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ROW_TEXTS } from "../../src/webgpu/engine.ts";
import { OVERRIDES } from "../../src/webgpu/spec.ts";
import { WEIGH_TEXTS } from "../../src/webgpu/weigher.ts";
import { onGpus } from "./lanes.ts";
import { lintShader, overridesOf } from "./lint.ts";

const head = `@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {`;

onGpus(
  "trap: a loop's var without an initialiser keeps its value; with one it does not",
  async (gpu) => {
    const count = (declaration: string) =>
      `${head}
    for (var i = 0u; i < 4u; i++) {
      ${declaration}
      a[0] += 1.0;
      x[i] = u32(a[0]);
    }
  }`;
    const run = async (declaration: string) => [
      ...new Uint32Array(
        await gpu.runShader(count(declaration), new Uint32Array(4), 64),
      ),
    ];
    const bare = await run("var a: array<f32, 4>;");
    console.log(
      bare[3] === 1
        ? "the canary is well: this compiler zeroes a loop's var"
        : `the canary: a loop's var counted ${bare}`,
    );
    assertEquals(await run("var a = array<f32, 4>();"), [1, 1, 1, 1]);
  },
);

onGpus("trap: x != x does not find a NaN; its bits do", async (gpu) => {
  const patterns = Uint32Array.of(
    0x7fc00000,
    0xffc00001,
    0x7f800001,
    0x7f800000,
    0xff800000,
    0,
    0x80000000,
    0x7f7fffff,
  );
  const compare = `${head}
    if (id.x < arrayLength(&x)) {
      let v = bitcast<f32>(x[id.x]);
      x[id.x] = select(0u, 1u, v != v);
    }
  }`;
  const found = new Uint32Array(await gpu.runShader(compare, patterns, 1));
  console.log(`the canary: v != v says ${found.slice(0, 3)} of three NaNs`);
  const bits = `${head}
    if (id.x < arrayLength(&x)) {
      x[id.x] = select(0u, 1u, (x[id.x] & 0x7fffffffu) > 0x7f800000u);
    }
  }`;
  assertEquals(
    [...new Uint32Array(await gpu.runShader(bits, patterns, 1))],
    [1, 1, 1, 0, 0, 0, 0, 0],
  );
});

onGpus("trap: -0 survives an addition of 0; its bits do not", async (gpu) => {
  const words = Uint32Array.of(0x80000000, 0x80000000, 0, 0x3f800000);
  const add = `${head}
    if (id.x < arrayLength(&x)) { x[id.x] = bitcast<u32>(bitcast<f32>(x[id.x]) + 0.0); }
  }`;
  const [found] = new Uint32Array(await gpu.runShader(add, words.slice(), 1));
  console.log(`the canary: -0 + 0 has the bits ${found!.toString(16)}`);
  const bits = `${head}
    if (id.x < arrayLength(&x)) { x[id.x] = select(x[id.x], 0u, x[id.x] == 0x80000000u); }
  }`;
  assertEquals(
    [...new Uint32Array(await gpu.runShader(bits, words, 1))],
    [0, 0, 0, 0x3f800000],
  );
});

Deno.test("trap: the GL backend is never this suite's, where a backend was chosen", () => {
  // it aborts the process now and then; .ci/run chooses vulkan
  const chosen = Deno.env.get("DENO_WEBGPU_BACKEND");
  assert(chosen === undefined || !chosen.includes("gl"), chosen);
});

Deno.test("lint: the shaders keep out of the traps", () => {
  for (const text of [...ROW_TEXTS, ...WEIGH_TEXTS]) {
    assertEquals(lintShader(text), []);
  }
});

Deno.test("lint: each law finds what it forbids, and nothing else", () => {
  const forbidden = [
    "for (var i = 0u; i < 4u; i++) {\n  var a: f32;\n}",
    "while (true) {\n  if (true) {\n    var a: array<f32, 4>;\n  }\n}",
    "if (x != x) { }",
    "let low = -1.0 / 0.0;",
    "let nan = bitcast<f32>(0x7fc00000u);",
    "let e = exp(x);",
    "let y = x + 0.0;",
    "var<workgroup> sums: array<atomic<u32>, 4>;",
    "let s = subgroupAdd(x);",
    "var h: f16;",
  ];
  for (const text of forbidden) {
    assertEquals(lintShader(text).length, 1, text);
  }
  const allowed = [
    "for (var i = 0u; i < 4u; i++) {\n  var a = 0.0;\n}\nvar b: f32;",
    "// x != x\nlet e = exp4(x) + exp1(y);",
    "let a = x != y;\nlet b = x + 0.05;",
  ];
  for (const text of allowed) assertEquals(lintShader(text), [], text);
});

Deno.test("an entry point is compiled anew for the overrides that it asks for, and for no other", () => {
  const found = Object.keys(OVERRIDES).map((entry) => [
    entry,
    overridesOf(ROW_TEXTS.join("\n"), entry),
  ]);
  const told = Object.entries(OVERRIDES).map(([entry, names]) => [
    entry,
    [...names].sort(),
  ]);
  assertEquals(found, told);
});

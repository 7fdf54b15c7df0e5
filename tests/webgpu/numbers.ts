/**
 * The shaders' own arithmetic: exponentials within their bounds, every code of
 * the half types, and roundings to them.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { decodeF16, encodeBf16, encodeF16 } from "../../src/half.ts";
import { EXP_WGSL } from "../../src/webgpu/exp_wgsl.ts";
import { STORAGE_WGSL } from "../../src/webgpu/storage_wgsl.ts";
import { seeded } from "../engines.ts";
import { onGpus } from "./lanes.ts";

/** `main` that maps a function over vec4s. */
const overVectors = (call: string) => `
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < arrayLength(&x)) { x[id.x] = ${call}; }
}`;

/** `main` that maps a function over words. */
const overWords = (call: string) => `
@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < arrayLength(&x)) { x[id.x] = ${call}; }
}`;

/** The function of that name in a text, without its comment. */
function functionOf(text: string, name: string): string {
  const start = text.indexOf(`fn ${name}(`);
  return text.slice(start, text.indexOf("\n}", start) + 2);
}

const EXPONENTIALS: Record<
  string,
  [low: number, high: number, truth: (x: number) => number, bound: number]
> = {
  "exp4(x[id.x])": [-86.5, 0, Math.exp, 2e-7],
  "expm14(x[id.x])": [-86.5, -1e-30, Math.expm1, 2e-7],
  "vec4(log1(x[id.x].x), log1(x[id.x].y), log1(x[id.x].z), log1(x[id.x].w))": [
    1.5,
    1e6,
    Math.log,
    4e-7,
  ],
};

for (const [call, [low, high, truth, bound]] of Object.entries(EXPONENTIALS)) {
  const name = call.slice(0, call.indexOf("(x[")).replace("vec4(", "");
  onGpus(
    `${name} is within ${bound} of the truth from ${low} to ${high}`,
    async (gpu) => {
      const random = seeded(3);
      const inputs = Float32Array.from(
        { length: 1 << 18 },
        () => low + (high - low) * random() ** 3,
      );
      const code = EXP_WGSL + overVectors(call);
      const found = new Float32Array(await gpu.runShader(code, inputs, 4));
      let worst = 0;
      inputs.forEach((x, i) => {
        worst = Math.max(worst, Math.abs(found[i]! / truth(x) - 1));
      });
      assert(worst <= bound, `${name} is off by ${worst}`);
    },
  );
}

onGpus(
  "exp4() is 0 where float32 has no normal number left, down to -inf",
  async (gpu) => {
    const inputs = Float32Array.of(
      -88,
      -1e3,
      -16384,
      -16385,
      -1e9,
      -3e38,
      -Infinity,
      -100,
    );
    const code = EXP_WGSL + overVectors("exp4(x[id.x])");
    const found = new Float32Array(await gpu.runShader(code, inputs, 4));
    assertEquals([...found], new Array(8).fill(0));
  },
);

onGpus("every f16 code is read as the number it stands for", async (gpu) => {
  const codes = Uint32Array.from({ length: 65536 }, (_, i) => i);
  const code = functionOf(STORAGE_WGSL, "fromHalf") +
    overWords("fromHalf(x[id.x])");
  const found = new Float32Array(await gpu.runShader(code, codes, 1));
  codes.forEach((bits, i) => {
    const truth = decodeF16(bits);
    assert(Object.is(found[i], truth), `${bits}: ${found[i]}, not ${truth}`);
  });
});

const FORMATS = { toHalf: encodeF16, toBrain: encodeBf16 };
for (const [name, encode] of Object.entries(FORMATS)) {
  onGpus(
    `${name}() rounds to nearest, ties to even, like the host`,
    async (gpu) => {
      // all exponents, with mantissas at and around ties
      const ends = [0, 1, 0xfff, 0x1000, 0x1001, 0x1fff, 0x3000, 0x7fff, 0x8000]
        .concat([0x8001, 0x18000, 0x7fffff, 0x7ff000, 0x400000, 0x555555]);
      const words = Uint32Array.from(
        { length: 512 * ends.length },
        (_, i) =>
          ((Math.floor(i / ends.length) << 23) | ends[i % ends.length]!) >>> 0,
      );
      const code = functionOf(STORAGE_WGSL, name) +
        overWords(`${name}(x[id.x])`);
      const values = new Float32Array(words.buffer);
      const found = new Uint32Array(
        await gpu.runShader(code, words.slice(), 1),
      );
      values.forEach((x, i) => {
        const truth = encode(x);
        assert(found[i] === truth, `${x}: code ${found[i]}, not ${truth}`);
      });
    },
  );
}

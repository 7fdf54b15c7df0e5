/** From stored logits to what softmax sees, and gradients back to how they are stored. */
import { assert, assertEquals } from "@std/assert";
import {
  decodeBf16,
  decodeF16,
  encodeBf16,
  encodeF16,
} from "../../src/half.ts";
import { transform } from "../../src/reference/transform.ts";
import { normalLogits } from "../engines.ts";
import { type Bare, BF16, F16, F32, onBuilds, ROWS } from "./bare.ts";

const HALVES = [
  { name: "bf16", dtype: BF16, decode: decodeBf16, encode: encodeBf16 },
  { name: "f16", dtype: F16, decode: decodeF16, encode: encodeF16 },
] as const;

/** Bytes enough for a row of all codes, its unpacked copy, and tables. */
const ROOM = 1 << 20;

/** What `score` unpacks a row of halves to: it is left behind the scratch row. */
function unpacked(bare: Bare, codes: Uint16Array, dtype: number): Float32Array {
  const V = codes.length, scratch = bare.base, out = scratch + 8 * (V + 2);
  const at = out + 4 * V + 256;
  bare.poison();
  bare.configure(scratch);
  bare.u16(at, V).set(codes);
  bare.integers("LABELS")[0] = 0;
  bare.table("WEIGHTS")[0] = 1;
  bare.kernels.score(at, 1, V, 2 * V, dtype, -100);
  bare.assertUntouched([[out, out + 4 * V], [at, at + 2 * V]], 1);
  assertEquals(bare.u16(at, V), codes);
  return bare.f32(out, V).slice();
}

onBuilds("unpack() is exact for all 65536 codes of both halves", (bare) => {
  for (const { name, dtype, decode } of HALVES) {
    const codes = Uint16Array.from({ length: 65536 }, (_, code) => code);
    unpacked(bare, codes, dtype).forEach((value, code) => {
      if (!Object.is(value, decode(code))) {
        assertEquals(value, decode(code), `${name} ${code.toString(16)}`);
      }
    });
  }
}, ROOM);

onBuilds("unpack() takes every length and writes no further", (bare) => {
  for (const { dtype, decode } of HALVES) {
    for (let V = 1; V <= 40; V++) {
      const codes = Uint16Array.from({ length: V }, (_, k) => 0x3c00 + 37 * k);
      const want = Float32Array.from(codes, decode);
      assertEquals(unpacked(bare, codes, dtype), want, `V = ${V}`);
    }
  }
});

/**
 * The codes that values get on their way out. The gradient of a label of -inf is
 * -factor, exactly, so any float32 can be sent through `pack`.
 */
function packed(bare: Bare, values: Float32Array, dtype: number): Uint16Array {
  const codes = new Uint16Array(values.length);
  const at = bare.base + 64, out = at + 4 * ROWS + 64;
  const scratch = out + 4 * ROWS + 64;
  bare.configure(scratch);
  const minusInfinity = dtype === BF16 ? 0xff80 : 0xfc00;
  bare.table("WEIGHTS").fill(1);
  for (let from = 0; from < values.length; from += ROWS) {
    const rows = Math.min(ROWS, values.length - from);
    bare.poison();
    const row = bare.u16(at, 2 * rows).fill(0);
    for (let i = 0; i < rows; i++) {
      row[2 * i + 1] = minusInfinity;
      bare.table("FACTORS")[i] = -values[from + i]!;
      bare.integers("LABELS")[i] = 1;
    }
    bare.kernels.score(at, rows, 2, 4, dtype, -100, out, 4, dtype);
    bare.assertUntouched([
      [at, at + 4 * rows],
      [out, out + 4 * rows],
      [scratch + 32, scratch + 40],
    ], rows);
    const found = bare.u16(out, 2 * rows);
    for (let i = 0; i < rows; i++) codes[from + i] = found[2 * i + 1]!;
  }
  return codes;
}

/** All finite halves, the middles between neighbours, and the float32s next to those. */
function roundingCases(decode: (code: number) => number): Float32Array {
  const values: number[] = [];
  const next = new Float32Array(1), bits = new Int32Array(next.buffer);
  for (let code = 0; code < 65536; code++) {
    const value = decode(code), after = decode(code + 1 & 0xffff);
    if (!Number.isFinite(value)) continue;
    // past the largest finite half stands the first power of two that is none
    const last = !Number.isFinite(after);
    const beyond = last ? 2 * value - decode(code - 1) : after;
    const middle = value / 2 + beyond / 2;
    next[0] = middle;
    for (const step of [0, 1, -2]) {
      bits[0]! += step;
      if (Math.sign(next[0]!) === Math.sign(middle)) values.push(next[0]!);
    }
    values.push(value);
  }
  values.push(3.4e38, -3.4e38, 1e6, -1e6, 2 ** -149, -(2 ** -149), 65519.996);
  return Float32Array.from(values.filter((x) => x !== 0));
}

onBuilds(
  "pack() rounds to nearest, ties to even, at every border between halves",
  (bare) => {
    for (const { name, dtype, decode, encode } of HALVES) {
      const values = roundingCases(decode);
      const codes = packed(bare, values, dtype);
      values.forEach((value, i) => {
        if (codes[i] !== encode(value)) {
          assertEquals(codes[i], encode(value), `${name} of ${value}`);
        }
      });
    }
  },
  ROOM,
);

onBuilds("pack() keeps infinities and makes every NaN a quiet one", (bare) => {
  const values = Float32Array.of(Infinity, -Infinity, NaN);
  for (const { dtype, encode } of HALVES) {
    const [plus, minus, nan] = packed(bare, values, dtype);
    assertEquals([plus, minus], [encode(Infinity), encode(-Infinity)]);
    assertEquals(nan! & 0x7fff, encode(NaN));
  }
});

onBuilds(
  "score() overwrites halves in place, to the codes of its float32 result",
  (bare) => {
    for (const { dtype, encode } of HALVES) {
      for (const V of [1, 2, 7, 8, 33]) {
        const at = bare.base + 64, out = at + 1024, scratch = out + 1024;
        const codes = Uint16Array.from(normalLogits(V, V), encode);
        const run = (to: number, bytes: number, type: number) => {
          bare.poison();
          bare.configure(scratch);
          bare.u16(at, V).set(codes);
          bare.integers("LABELS")[0] = V >> 1;
          bare.table("WEIGHTS")[0] = 1;
          bare.table("FACTORS")[0] = 0.37;
          bare.kernels.score(
            ...[at, 1, V, 2 * V, dtype, -100, to, bytes, type] as const,
          );
          bare.assertUntouched([
            [at, at + 2 * V],
            [to, to + bytes],
            [scratch + 8 * (V + 2), scratch + 8 * (V + 2) + 4 * V],
          ], 1);
        };
        run(out, 4 * V, F32);
        const want = Uint16Array.from(bare.f32(out, V), encode);
        run(at, 2 * V, dtype);
        assertEquals(bare.u16(at, V), want, `V = ${V}`);
      }
    }
  },
);

onBuilds(
  "transform() is cap · tanh(scale · x / cap), with -inf behind an odd row",
  (bare) => {
    const edges = [0, -0, 1e-30, -1e-4, 0.3, 19, -30, 500, -1e6, 3e38];
    for (const V of [1, 2, 9, 10]) {
      for (const scale of [1, -1.5, 0.125, 40]) {
        for (const cap of [0, 0.01, 30, 50, 1e6]) {
          const values = [...edges.slice(10 - V), Infinity, -Infinity].slice(
            0,
            V,
          );
          if (cap !== 0 && V > 2) values[1] = Infinity, values[2] = -Infinity;
          const row = Float32Array.from(values);
          const scratch = bare.base + 64, at = scratch + 8 * V + 64;
          bare.poison();
          // metrics: a row without options would not come this way
          bare.configure(scratch, {
            logitScale: scale,
            softcap: cap,
            metrics: true,
          });
          bare.f32(at, V).set(row);
          bare.integers("LABELS")[0] = 0;
          bare.table("WEIGHTS")[0] = 1;
          bare.kernels.score(at, 1, V, 4 * V, F32, -100);
          const size = 8 * (V + V % 2);
          bare.assertUntouched(
            [[scratch, scratch + size], [at, at + 4 * V]],
            1,
          );
          const u = bare.f64(scratch, V + V % 2);
          if (V % 2 === 1) assertEquals(u[V], -Infinity);
          row.forEach((x, k) => {
            const want = transform(x, scale, cap);
            const same = Object.is(u[k], want) ||
              Math.abs(u[k]! - want) <= 1e-14 * (cap === 0 ? 0 : cap);
            assert(same, `${u[k]}, not ${want}, of ${x}: ${scale}, ${cap}`);
            if (want !== 0) assertEquals(Math.sign(u[k]!), Math.sign(want));
          });
        }
      }
    }
  },
);

onBuilds("transform() hands a NaN on, capped or not", (bare) => {
  for (const cap of [0, 30]) {
    const scratch = bare.base, at = bare.base + 256;
    bare.configure(scratch, { softcap: cap, metrics: true });
    bare.f32(at, 3).set([1, NaN, 2]);
    bare.integers("LABELS")[0] = 0;
    bare.kernels.score(at, 1, 3, 12, F32, -100);
    assertEquals(bare.f64(scratch, 2)[1], NaN);
    assertEquals(bare.table("NLL")[0], NaN);
  }
});

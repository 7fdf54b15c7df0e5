/**
 * The floors: the least that any kernel must do to memory, as WASM SIMD over the
 * kernels' own buffer. `read` adds up every float in eight accumulators and is
 * what streaming costs; `scale` multiplies every float in place and is what a
 * gradient in place costs. The module is assembled here, byte by byte, so that
 * no compiler stands between the floor and the machine.
 *
 * @module
 */

/** The two floors over [from, to), addresses in bytes, a multiple of 128 bytes apart. */
export interface Floors {
  read(from: number, to: number): number;
  scale(from: number, to: number, factor: number): void;
}

const I32 = 0x7f, F32 = 0x7d, V128 = 0x7b;
const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const simd = (op: number) => [0xfd, ...leb(op)];
const load = (offset: number) => [...simd(0), 4, ...leb(offset)];
const store = (offset: number) => [...simd(11), 4, ...leb(offset)];
const ADD = simd(0xe4), MUL = simd(0xe6), SPLAT = simd(0x13);
const lane = (index: number) => [...simd(0x1f), index];

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)];
}

const vector = (items: number[][]) => [...leb(items.length), ...items.flat()];
const sized = (bytes: number[]) => [...leb(bytes.length), ...bytes];

/** loop { body; local 0 += 128; if (local 0 < local 1) continue } */
function loop(body: number[]): number[] {
  return [
    ...[0x03, 0x40, ...body],
    ...[...get(0), 0x41, 0x80, 0x01, 0x6a, 0x22, 0], // 128 in signed LEB128
    ...[...get(1), 0x49, 0x0d, 0, 0x0b],
  ];
}

const lanes = [0, 1, 2, 3, 4, 5, 6, 7];

/** acc[i] += memory[p + 16 i], eight of them, then everything into one number. */
const READ = [
  ...loop(lanes.flatMap((i) => [
    ...[...get(2 + i), ...get(0), ...load(16 * i), ...ADD, ...set(2 + i)],
  ])),
  ...get(2),
  ...lanes.slice(1).flatMap((i) => [...get(2 + i), ...ADD]),
  ...set(2),
  ...[...get(2), ...lane(0), ...get(2), ...lane(1), 0x92],
  ...[...get(2), ...lane(2), ...get(2), ...lane(3), 0x92, 0x92],
];

/** memory[p + 16 i] *= factor, eight vectors a turn. */
const SCALE = [
  ...[...get(2), ...SPLAT, ...set(3)],
  ...loop(lanes.flatMap((i) => [
    ...[...get(0), ...get(0), ...load(16 * i), ...get(3), ...MUL],
    ...store(16 * i),
  ])),
];

const code = (locals: number[][], body: number[]) =>
  sized([...vector(locals), ...body, 0x0b]);
const text = (name: string) => sized([...new TextEncoder().encode(name)]);

const MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  // types: (i32, i32) -> f32 and (i32, i32, f32) -> ()
  1,
  ...sized(vector([
    [0x60, 2, I32, I32, 1, F32],
    [0x60, 3, I32, I32, F32, 0],
  ])),
  // import "kernels" "memory", at least one page
  2,
  ...sized(vector([[...text("kernels"), ...text("memory"), 2, 0, 1]])),
  3,
  ...sized(vector([[0], [1]])),
  7,
  ...sized(vector([[...text("read"), 0, 0], [...text("scale"), 0, 1]])),
  10,
  ...sized(vector([code([[8, V128]], READ), code([[1, V128]], SCALE)])),
]);

/** The floors over this memory. */
export function floorsOf(memory: WebAssembly.Memory): Floors {
  const module = new WebAssembly.Module(MODULE);
  const instance = new WebAssembly.Instance(module, { kernels: { memory } });
  return instance.exports as unknown as Floors;
}

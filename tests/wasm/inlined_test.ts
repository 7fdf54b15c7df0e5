/** The text that kernels are inlined as. */
import { assert, assertEquals } from "@std/assert";
import { decode, encode } from "../../src/wasm/inlined.ts";
import { KERNELS_RELAXED } from "../../src/wasm/kernels_relaxed_wasm.ts";
import { KERNELS_SIMD } from "../../src/wasm/kernels_simd_wasm.ts";

Deno.test("decode() gives back what encode() was given, every pair of bytes in it", () => {
  const bytes = new Uint8Array(2 * 65536);
  for (let i = 0; i < 65536; i++) bytes.set([i >> 8, i & 255], 2 * i);
  assertEquals(decode(encode(bytes)), bytes);
  for (let i = 0; i < 256; i++) {
    assertEquals([...decode(encode(Uint8Array.of(i)))], [i]);
  }
  assertEquals(decode(encode(new Uint8Array(0))), new Uint8Array(0));
});

Deno.test("encode() needs no escapes between double quotes", () => {
  const text = encode(Uint8Array.from({ length: 256 }, (_, i) => i));
  assert(/^[!#-[\]-}]+$/.test(text), text);
});

for (
  const [name, text] of Object.entries({
    kernels_simd: KERNELS_SIMD,
    kernels_relaxed: KERNELS_RELAXED,
  })
) {
  Deno.test(`the inlined ${name} is the file of that name`, async () => {
    const url = new URL(`../../src/wasm/${name}.wasm`, import.meta.url);
    assertEquals(decode(text), await Deno.readFile(url));
    // a page may hold the module between its tags
    assert(!/<\/script|<!--/i.test(text));
  });
}

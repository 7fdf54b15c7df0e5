/**
 * The kernels' bytes as printable ASCII, the form in which they are inlined.
 *
 * A byte, moved up by 3, is written in base 89: its last digit as one character,
 * before it, where there is a first digit, one that stands for that. Most bytes of
 * a WASM module are small, or 0xfd, which begins each SIMD instruction, so its text
 * is shorter than base64; and equal bytes stay equal text, so gzip finds the
 * repetitions that base64 hides from it. The two builds together, which are mostly
 * alike, take 4.4 KB of a download, not 6.0.
 *
 * @module
 */

/** What is added to a byte, modulo 256, so that 0xfd is one of the small. */
const SHIFT = 3;

/** How many values a character has that stands alone; the other two of 91 are first digits 1 and 2. */
const BASE = 89;

/** The character of value 0, `#`; the values up to 90 are those after it, to `}`. */
const ZERO = 0x23;

/** A backslash would have to be escaped; `!` stands in its place. */
const BACKSLASH = 0x5c, INSTEAD = 0x21;

/** The text of bytes. */
export function encode(bytes: Uint8Array): string {
  const digits: number[] = [];
  for (const byte of bytes) {
    const value = (byte + SHIFT) % 256;
    const first = Math.floor(value / BASE);
    if (first > 0) digits.push(BASE - 1 + first);
    digits.push(value % BASE);
  }
  return digits.map((digit) => {
    const code = ZERO + digit;
    return String.fromCharCode(code === BACKSLASH ? INSTEAD : code);
  }).join("");
}

/** The bytes of a text that `encode` made. */
export function decode(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  let count = 0, high = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const digit = (code === INSTEAD ? BACKSLASH : code) - ZERO;
    if (digit >= BASE) high = (digit - BASE + 1) * BASE;
    else {
      bytes[count++] = high + digit - SHIFT; // modulo 256
      high = 0;
    }
  }
  return bytes.slice(0, count);
}

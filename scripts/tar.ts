/**
 * Archives as npm takes them: POSIX ustar, gzipped. Written without times,
 * owners or order of chance, so the same files are the same bytes.
 *
 * @module
 */

import { gunzipSync, gzipSync } from "node:zlib";

/** Files by path, with forward slashes. */
export type Files = Map<string, Uint8Array<ArrayBuffer>>;

const BLOCK = 512;

/** Where the fields of a header lie (POSIX.1-2017, pax, ustar). */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  owner: [108, 8],
  group: [116, 8],
  size: [124, 12],
  time: [136, 12],
  sum: [148, 8],
  kind: [156, 1],
  magic: [257, 6],
  version: [263, 2],
  prefix: [345, 155],
} as const;

/** Packs files; a path in `programs` may be run. */
export function writeArchive(
  files: Files,
  programs: ReadonlySet<string> = new Set(),
): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [path, bytes] of [...files].sort(([a], [b]) => a < b ? -1 : 1)) {
    parts.push(headerOf(path, bytes.length, programs.has(path)), bytes);
    parts.push(new Uint8Array((BLOCK - bytes.length % BLOCK) % BLOCK));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  const tar = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    tar.set(part, at);
    at += part.length;
  }
  return gzipSync(tar, { level: 9 });
}

/** Reads the files of an archive; whatever else lies in it is an error. */
export function readArchive(archive: Uint8Array): Files {
  const tar = new Uint8Array(gunzipSync(archive));
  const files: Files = new Map();
  for (let at = 0; tar[at] !== 0 && at < tar.length;) {
    const header = tar.subarray(at, at + BLOCK);
    const name = textOf(header, FIELD.name);
    const prefix = textOf(header, FIELD.prefix);
    const kind = textOf(header, FIELD.kind);
    if (kind !== "0" && kind !== "") {
      throw new Error(`Cannot read an archive with an entry of kind ${kind}`);
    }
    const size = parseInt(textOf(header, FIELD.size), 8);
    const path = prefix === "" ? name : `${prefix}/${name}`;
    files.set(path, tar.slice(at + BLOCK, at + BLOCK + size));
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}

function headerOf(
  path: string,
  size: number,
  isProgram: boolean,
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(BLOCK);
  const put = ([at, length]: readonly [number, number], text: string) => {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > length) {
      throw new Error(`Cannot archive ${path}: ${text} has no room`);
    }
    header.set(bytes, at);
  };
  const octal = (field: readonly [number, number], value: number) =>
    put(field, value.toString(8).padStart(field[1] - 1, "0"));

  const [prefix, name] = splitPath(path);
  put(FIELD.name, name);
  put(FIELD.prefix, prefix);
  octal(FIELD.mode, isProgram ? 0o755 : 0o644);
  octal(FIELD.owner, 0);
  octal(FIELD.group, 0);
  octal(FIELD.size, size);
  octal(FIELD.time, 0);
  put(FIELD.kind, "0");
  put(FIELD.magic, "ustar");
  put(FIELD.version, "00");
  // the sum is taken with spaces in its own place
  put(FIELD.sum, " ".repeat(8));
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(FIELD.sum, `${sum.toString(8).padStart(6, "0")}\0 `);
  return header;
}

/** A path as prefix and name, for those longer than a name may be. */
function splitPath(path: string): [prefix: string, name: string] {
  if (path.length <= FIELD.name[1]) return ["", path];
  const at = path.indexOf("/", path.length - FIELD.name[1] - 1);
  return [path.slice(0, at), path.slice(at + 1)];
}

function textOf(
  header: Uint8Array,
  [at, length]: readonly [number, number],
): string {
  const bytes = header.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
    .trim();
}

/**
 * Padded rows as tensors on disk, written row by row: the shape is known before
 * the first value is, so memory holds one row. The bytes are those that
 * `encodeNpy` and `encodeSafetensors` would make of the whole.
 *
 * @module
 */
import type { Tensor } from "../formats/mod.ts";
import { npyHeader } from "../formats/npy.ts";
import { safetensorsHeader } from "../formats/safetensors.ts";
import { countOf, type NamedShape, sizeOf } from "../formats/tensor.ts";
import { AtomicFile } from "./atomic_write.ts";
import type { CliIo } from "./io.ts";

/** Tensors that are being written. */
export interface TensorFile {
  /** Writes values behind those of the tensor that are there. */
  append(name: string, data: Tensor["data"]): void;
  /** Gives the file, or the files, their names. */
  commit(): void;
  /** Takes away what has no name yet. */
  discard(): void;
}

function bytesOf(data: Tensor["data"]): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** One safetensors file; its tensors stand in the order of their names. */
export function createSafetensors(
  path: string,
  plans: readonly NamedShape[],
  io: CliIo,
): TensorFile {
  const sorted = [...plans].sort((a, b) => a.name < b.name ? -1 : 1);
  const head = safetensorsHeader(sorted, []);
  const file = new AtomicFile(path, io);
  file.writeAt(head, 0);
  const next = new Map<string, number>();
  let start = head.length;
  for (const { name, dtype, shape } of sorted) {
    next.set(name, start);
    start += countOf(shape) * sizeOf(dtype);
  }
  return {
    append: (name, data) => {
      const at = next.get(name)!;
      file.writeAt(bytesOf(data), at);
      next.set(name, at + data.byteLength);
    },
    commit: () => file.commit(),
    discard: () => file.discard(),
  };
}

/** One .npy file for each tensor: `rows.npy` becomes `rows.input_ids.npy` and so on. */
export function createNpys(
  path: string,
  plans: readonly NamedShape[],
  io: CliIo,
): TensorFile {
  const files = new Map<string, AtomicFile>();
  const discard = () => files.forEach((file) => file.discard());
  try {
    for (const plan of plans) {
      const file = new AtomicFile(npyPath(path, plan.name), io);
      files.set(plan.name, file);
      file.append(npyHeader(plan.dtype, plan.shape));
    }
  } catch (error) {
    discard();
    throw error;
  }
  return {
    append: (name, data) => files.get(name)!.append(bytesOf(data)),
    commit: () => files.forEach((file) => file.commit()),
    discard,
  };
}

/** Where a column goes. */
export function npyPath(path: string, name: string): string {
  return path.replace(/npy$/i, `${name}.npy`);
}

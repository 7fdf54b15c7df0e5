/**
 * The GPU of the tests. Without one they say so and are ignored; with
 * `REQUIRE_GPU=1` its absence is a failure. Which adapter it is is printed.
 *
 * @module
 */
import {
  GpuUnavailableError,
  openDevice,
  type OpenedDevice,
} from "../../src/webgpu/device.ts";
import { Heap } from "../../src/webgpu/heap.ts";

/** As it is before the suite's loader puts another in its place. */
const register = Deno.test.bind(Deno);

const REQUIRED = Deno.env.get("REQUIRE_GPU") === "1";

/** A device for the tests of one file, or null where there is none and none is required. */
export async function findDevice(): Promise<OpenedDevice | null> {
  try {
    return await openDevice();
  } catch (error) {
    if (REQUIRED || !(error instanceof GpuUnavailableError)) throw error;
    console.log(`GPU tests are ignored: ${error.message}`);
    return null;
  }
}

/** The GPU of a test file: `test` registers one that is ignored where there is none. */
export interface TestGpu {
  heap: Heap;
  opened: OpenedDevice;
}

const opened = await findDevice();
const gpu: TestGpu | null = opened && { opened, heap: new Heap(opened.device) };
if (gpu !== null) {
  console.log(`GPU tests run on ${gpu.opened.name}, compiled by Deno's naga`);
  gpu.opened.device.addEventListener("uncapturederror", (event) => {
    const { error } = event as unknown as { error: GPUError };
    complaints.push(error.message);
  });
}

/** Errors that nothing caught; each test must leave none. */
const complaints: string[] = [];

/** Registers a test that needs a GPU. */
export function gpuTest(
  name: string,
  test: (gpu: TestGpu) => unknown,
): void {
  register({
    name,
    ignore: gpu === null,
    // a device outlives the tests of its file
    sanitizeResources: false,
    sanitizeOps: false,
    fn: async () => {
      await test(gpu!);
      const found = complaints.splice(0);
      if (found.length > 0) throw new Error(found.join("\n"));
    },
  });
}

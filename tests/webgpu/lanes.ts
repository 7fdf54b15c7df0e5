/**
 * Tests of kernels on every GPU there is: the one that Deno finds, its shaders
 * compiled by naga, and a browser's, compiled by Tint. The browser is at work
 * from the start, while this process waits for its own GPU and the reference;
 * its tests, registered last, ask what became of it. Without Chromium, or where
 * it has no WebGPU, that is said aloud; with REQUIRE_CHROMIUM=1 and REQUIRE_GPU=1
 * it is a failure.
 *
 * @module
 */
import { hindrance, PageGpu } from "./chromium.ts";
import { gpuTest } from "./gpu.ts";
import { gpuOf, type TestedGpu } from "./verbs.ts";

/** A test of any GPU. */
type GpuTest = (gpu: TestedGpu) => Promise<void>;

/** Puts work to a GPU; what it returns waits for that and judges it. */
type Put = (gpu: TestedGpu) => Promise<() => Promise<void>>;

/** As it is before the suite's loader puts another in its place. */
const register = Deno.test.bind(Deno);

const isRequired = Deno.env.get("REQUIRE_CHROMIUM") === "1" &&
  Deno.env.get("REQUIRE_GPU") === "1";

/** How many tests ahead Deno's GPU has work: it compiles and computes while this process asks the reference. */
const AHEAD = 2;

/** Tests under way in the browser at the same time, so that it is never without. */
const DEPTH = 8;

/** A test in the browser's lane. */
interface Item {
  name: string;
  test: GpuTest;
  /** The error, or null. */
  outcome: PromiseWithResolvers<Error | null>;
}

const items: Item[] = [];
const puts: { put: Put; begun: ReturnType<Put> | null }[] = [];

/** Deno's GPU. */
let own: TestedGpu | null = null;

/** Registers a test with Deno's GPU alone. */
export function onOwnGpu(name: string, test: GpuTest): void {
  gpuTest(name, ({ heap }) => test(own ??= gpuOf(heap)));
}

/** Registers a test with Deno's GPU, and puts it into the browser's lane. */
export function onGpus(name: string, test: GpuTest): void {
  onOwnGpu(name, test);
  items.push({ name, test, outcome: Promise.withResolvers() });
}

/** The same for a test of two parts, of which the first may come early; on Deno's GPU alone if it takes a slow compiler too long. */
export function putToGpus(name: string, put: Put, isLong = false): void {
  const index = puts.push({ put, begun: null }) - 1;
  gpuTest(name, async ({ heap }) => {
    own ??= gpuOf(heap);
    for (const next of puts.slice(index, index + AHEAD + 1)) {
      // its own test will hear of an error
      await (next.begun ??= next.put(own)).catch(() => {});
    }
    const judge = await puts[index]!.begun!;
    await judge();
  });
  if (isLong) return;
  const test = async (gpu: TestedGpu) => {
    const judge = await put(gpu);
    await judge();
  };
  items.push({ name, test, outcome: Promise.withResolvers() });
}

/** Registers the tests of the lane, behind all others, and starts the browser. */
export function startBrowser(): void {
  const why = hindrance();
  if (why !== null && !isRequired) {
    return console.log(`The shaders do not meet a second compiler: ${why}`);
  }
  const opening = why === null ? PageGpu.open() : Promise.resolve(why);
  for (const { name, outcome } of items) {
    register({
      name: `${name} (Tint)`,
      // the browser outlives the tests
      sanitizeResources: false,
      sanitizeOps: false,
      fn: async () => {
        const error = await outcome.promise;
        if (error !== null) throw error;
      },
    });
  }
  work(opening).catch(settle);
  Deno.test.afterAll(async () => {
    const gpu = await opening.catch(String);
    if (typeof gpu === "string") return;
    const asked = `${gpu.questions} questions in Chromium on ${gpu.name}`;
    console.log(`${asked}, compiled by Tint`);
    await gpu.close();
  });
}

/** Gives every test of the lane that has no outcome this one. */
function settle(error: Error | null): void {
  for (const { outcome } of items) outcome.resolve(error);
}

async function work(opening: Promise<PageGpu | string>): Promise<void> {
  const gpu = await opening;
  if (typeof gpu === "string") {
    if (isRequired) throw new Error(gpu);
    console.log(`Nothing was compiled by Tint: ${gpu}`);
    return settle(null);
  }
  console.log(`GPU tests run in Chromium on ${gpu.name}, compiled by Tint`);
  const waiting = items.values();
  const hand = async () => {
    for (const { test, outcome } of waiting) {
      outcome.resolve(await test(gpu).then(() => null, (error) => error));
    }
  };
  await Promise.all(Array.from({ length: DEPTH }, hand));
}

/**
 * A browser's GPU as one of those under test. The page opens it, tells of it,
 * and then takes orders from its server until there are no more: a few at a
 * time, since its compiler works on several shaders side by side.
 *
 * @module
 */
import { openDevice } from "../../src/webgpu/device.ts";
import { Heap } from "../../src/webgpu/heap.ts";
import { gpuOf, type Verbs } from "./verbs.ts";
import { pack, unpack } from "./wire.ts";

/** One call of a verb. */
export interface Order {
  id: number;
  verb: keyof Verbs;
  args: unknown[];
}

/** What came of it. */
export interface Report {
  value?: unknown;
  error?: string;
}

/** What the page says of its GPU. */
export interface Introduction {
  /** The adapter, or null where there is none. */
  adapter: string | null;
  /** Why there is none. */
  reason: string;
}

/** Orders carried out at the same time. */
const HANDS = 4;

const send = (path: string, tree: unknown) =>
  fetch(path, { method: "POST", body: pack(tree) });

/** The words with which an adapter is described. */
function describe(device: GPUDevice): string {
  const { vendor, architecture, description } = device.adapterInfo;
  return [vendor, architecture, description].filter(Boolean).join(" ");
}

/** Carries out one order; what the device complains of is an error. */
async function carryOut(
  { verb, args }: Order,
  verbs: Verbs,
  complaints: string[],
): Promise<Report> {
  try {
    const call = verbs[verb] as (...args: unknown[]) => Promise<unknown>;
    const value = await call(...args);
    if (complaints.length > 0) throw new Error(complaints.splice(0).join());
    return { value };
  } catch (error) {
    return { error: String(error) };
  }
}

async function work(): Promise<void> {
  const opened = await openDevice().catch((error: Error) => error);
  if (opened instanceof Error) {
    await send("/hello", { adapter: null, reason: opened.message });
    return;
  }
  const { device } = opened;
  await send("/hello", { adapter: describe(device), reason: "" });
  const complaints: string[] = [];
  device.addEventListener("uncapturederror", (event) => {
    complaints.push((event as unknown as { error: GPUError }).error.message);
  });
  const verbs = gpuOf(new Heap(device));
  const hand = async () => {
    for (;;) {
      const response = await fetch("/order");
      if (response.status !== 200) return;
      const order = unpack<Order>(await response.arrayBuffer());
      const report = await carryOut(order, verbs, complaints);
      await send(`/report/${order.id}`, report);
    }
  };
  await Promise.all(Array.from({ length: HANDS }, hand));
}

Object.assign(globalThis, { isAtWork: true });
await work();

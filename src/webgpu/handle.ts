/**
 * The numbers of a batch that was put into a pass.
 *
 * @module
 */
import type { Prepared } from "../engine.ts";
import type { Heap } from "./heap.ts";
import { readJobs } from "./jobs.ts";
import type { LossRules } from "./rules.ts";
import { scoresOf, wasWritten } from "./scores.ts";
import type { Slot, Slots } from "./slots.ts";
import type { GpuLossResult, LossHandle } from "./types.ts";

/** What a handle reads from. */
export interface InFlight {
  heap: Heap;
  rules: LossRules;
  slots: Slots;
  slot: Slot;
  /** The number of the batch; the slot has the one that it is used for last. */
  stamp: number;
  batch: Prepared;
  /** Whether targets and weights are the device's to tell. */
  fromDevice: boolean;
  /** Throws if the device is gone. */
  alive: () => void;
}

/** Copies buffers of the device to the host, in one wait. All that is submitted is so before this returns. */
export async function readBack(
  heap: Heap,
  buffers: readonly GPUBuffer[],
): Promise<ArrayBuffer[]> {
  const { device } = heap;
  const { MAP_READ, COPY_DST } = GPUBufferUsage;
  const size = buffers.reduce((sum, buffer) => sum + buffer.size, 0);
  const copy = heap.create("readback", size, MAP_READ | COPY_DST);
  try {
    const encoder = device.createCommandEncoder();
    let at = 0;
    for (const buffer of buffers) {
      encoder.copyBufferToBuffer(buffer, 0, copy, at, buffer.size);
      at += buffer.size;
    }
    device.queue.submit([encoder.finish()]);
    // GPUMapMode.READ
    await copy.mapAsync(1);
    const all = copy.getMappedRange();
    at = 0;
    return buffers.map(({ size }) => all.slice(at, at += size));
  } finally {
    heap.destroy(copy);
  }
}

/** What a promise gives; where it fails and the device is gone, that is the cause of whatever else is said. */
export async function orLost<T>(
  promise: Promise<T>,
  alive: () => void,
): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    // word of it may be on the way
    await new Promise((later) => setTimeout(later, 0));
    alive();
    throw error;
  }
}

/** The handle of a batch in flight. */
export class Handle implements LossHandle {
  readonly #flight: InFlight;
  #promise: Promise<GpuLossResult> | null = null;
  #released = false;
  /** Released while a read was on its way. */
  #unwanted = false;

  constructor(flight: InFlight) {
    this.#flight = flight;
  }

  read(): Promise<GpuLossResult> {
    if (this.#released) {
      return Promise.reject(
        new Error("Cannot compute loss as the handle was released"),
      );
    }
    const { alive } = this.#flight;
    return this.#promise ??= orLost(this.#read(), alive);
  }

  release(): void {
    if (this.#promise === null && !this.#released) {
      this.#flight.slots.give(this.#flight.slot);
    }
    this.#released = this.#promise === null;
    this.#unwanted = true;
  }

  async #read(): Promise<GpuLossResult> {
    const { heap, rules, slots, slot, stamp, batch, fromDevice, alive } =
      this.#flight;
    alive();
    const { records, jobs } = slot.rows;
    let waiting = false;
    try {
      const [found, made] = await readBack(
        heap,
        fromDevice ? [records, jobs] : [records],
      );
      if (!wasWritten(found!, batch.problem.rows, stamp)) {
        // the commands may still come, so the slot stays taken
        waiting = true;
        throw new Error(
          "Cannot compute loss as the commands of this batch were not run: submit them, then read() (a validation error keeps them from running)",
        );
      }
      const { problem, weighed, invalidLabelRows } = fromDevice
        ? readJobs(made!, batch.problem)
        : { ...batch, weighed: batch.problem, invalidLabelRows: 0 };
      const weighing = rules.weighRows({ ...batch, problem: weighed });
      const scores = scoresOf(problem, found!);
      const result = rules.assemble({ ...batch, problem }, weighing, scores);
      return Object.assign(result, { invalidLabelRows });
    } finally {
      if (waiting) this.#promise = null;
      if (!waiting || this.#unwanted) slots.give(slot);
      if (waiting && this.#unwanted) this.#released = true;
    }
  }
}

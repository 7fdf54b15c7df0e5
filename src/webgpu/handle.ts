/**
 * The numbers of a batch that was put into a pass.
 *
 * @module
 */
import type { LossProblem } from "../engine.ts";
import type { Batch, LossRules } from "./batch.ts";
import type { Heap } from "./heap.ts";
import { type FoundLabels, readJobs } from "./jobs.ts";
import { scoresOf, wasWritten } from "./scores.ts";
import type { Slot, Slots } from "./slots.ts";
import type { GpuLossResult, LossHandle } from "./types.ts";

/** What a handle reads from. */
export interface InFlight {
  heap: Heap;
  rules: LossRules;
  slots: Slots;
  slot: Slot;
  batch: Batch;
  /** Whether targets and weights are the device's to tell. */
  fromDevice: boolean;
  /** Throws if the device is gone. */
  alive: () => void;
}

/** Copies buffers of the device to the host, in one wait. */
export async function readBack(
  heap: Heap,
  buffers: readonly GPUBuffer[],
  clear: readonly GPUBuffer[] = [],
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
    for (const buffer of clear) encoder.clearBuffer(buffer);
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

/** The handle of a batch in flight. */
export class Handle implements LossHandle {
  readonly #flight: InFlight;
  #promise: Promise<GpuLossResult> | null = null;
  #released = false;

  constructor(flight: InFlight) {
    this.#flight = flight;
  }

  read(): Promise<GpuLossResult> {
    if (this.#released) {
      return Promise.reject(
        new Error("Cannot compute loss as the handle was released"),
      );
    }
    return this.#promise ??= this.#read();
  }

  release(): void {
    if (this.#promise === null && !this.#released) {
      this.#flight.slots.give(this.#flight.slot);
    }
    this.#released = this.#promise === null;
  }

  async #read(): Promise<GpuLossResult> {
    const { heap, rules, slots, slot, fromDevice, alive } = this.#flight;
    alive();
    const { records, jobs } = slot.rows;
    let waiting = false;
    try {
      // what is cleared cannot be taken for the next batch's
      const [found, made] = await readBack(
        heap,
        fromDevice ? [records, jobs] : [records],
        [records],
      );
      const given = this.#flight.batch;
      const labels = fromDevice ? this.#labels(made!) : null;
      const batch = labels === null
        ? given
        : { ...given, problem: withLabels(given.problem, labels) };
      if (!wasWritten(found!, batch.problem.rows)) {
        // the commands may still come, so the slot stays taken
        waiting = true;
        throw new Error(
          "Cannot compute loss as the commands of this batch were not submitted: submit them, then read()",
        );
      }
      const scores = scoresOf(batch.problem, found!);
      const result = rules.assemble(batch, rules.weighRows(batch), scores);
      return Object.assign(result, {
        invalidLabelRows: labels?.invalidLabelRows ?? 0,
      });
    } catch (error) {
      // a lost device is the cause of whatever else is said; word of it may be on the way
      await new Promise((later) => setTimeout(later, 0));
      alive();
      throw error;
    } finally {
      if (waiting) this.#promise = null;
      else slots.give(slot);
    }
  }

  #labels(jobs: ArrayBuffer): FoundLabels {
    const { rows, ignoreIndex } = this.#flight.batch.problem;
    return readJobs(jobs, rows, ignoreIndex);
  }
}

function withLabels(problem: LossProblem, labels: FoundLabels): LossProblem {
  const { targets, rowWeights } = labels;
  // weights of 1 are none: then sums are counts
  const plain = problem.rowWeights === null;
  return { ...problem, targets, rowWeights: plain ? null : rowWeights };
}

/**
 * `prepare`: a file of conversations becomes a file of rows that a trainer
 * reads. It reads twice: the conversations once, to rows on disk; the rows once,
 * in the order of their packs. Memory holds lengths.
 *
 * @module
 */
import { counted } from "../report/paint.ts";
import { encodeFile } from "./encode_file.ts";
import { readEncoding, readReading } from "./encoding_options.ts";
import { DataError, jsonLine } from "./errors.ts";
import { type CliIo, createBreath } from "./io.ts";
import { parseCommand } from "./options.ts";
import { createSink, type SinkSettings } from "./outputs.ts";
import { bordersOf, layRows, planLayout } from "./pack_spill.ts";
import { type Job, PREPARE, readJob } from "./prepare_options.ts";
import {
  reportEvents,
  reportPrepared,
  summaryOf,
  type Written,
} from "./prepare_report.ts";
import { Progress } from "./progress.ts";
import { openInput } from "./read_input.ts";
import { Spill } from "./spill.ts";
import { Tally } from "./tally.ts";

/** Runs the command. */
export async function prepare(
  line: readonly string[],
  io: CliIo,
): Promise<number> {
  const args = parseCommand(PREPARE, line);
  const job = readJob(args);
  const reading = readReading(args);
  const encoding = readEncoding(args);
  const start = performance.now();
  const input = await openInput(job.input, io);
  if (input.isTokenized) {
    throw new DataError(
      `${input.name}: its rows are tokenised already; prepare takes conversations`,
    );
  }
  const spill = new Spill(job.output, io);
  try {
    const tally = new Tally();
    const progress = new Progress(io, "encoding", "conversations");
    // wrapped cuts rows of any length, where a pack ends
    const cutsLater = job.pack === "wrapped" && job.overlong === "split";
    const file = await encodeFile(input, {
      reading,
      encoding,
      workers: job.workers,
      chunk: {
        maxLength: cutsLater ? Infinity : job.maxLength,
        overlong: job.overlong,
        certificates: job.certificates,
      },
    });
    for await (const chunk of file.chunks) {
      spill.add(chunk.records);
      tally.add(chunk.tally);
      const share = input.size === undefined
        ? undefined
        : input.position / input.size;
      await progress.show(tally.conversations, share);
    }
    await progress.end();
    if (tally.conversations === 0) {
      throw new DataError(`${input.name} holds no conversation`);
    }
    if (tally.rows === 0) {
      await io.stderr.write(
        reportEvents(tally, job.maxLength, io.stderr.columns),
      );
      throw new DataError(
        `none of ${
          counted(tally.conversations, "conversation")
        } in ${input.name} leaves a row with something to train: nothing is written`,
      );
    }
    const above = tally.found.above(job.limits, { refused: tally.refused });
    if (above.length > 0) {
      await io.stderr.write(
        reportEvents(tally, job.maxLength, io.stderr.columns),
      );
      throw new DataError(
        `${input.name}: ${above.join("; ")}: nothing is written`,
      );
    }
    const written = await writeRows(spill, job, job.padId ?? file.padId, io);
    const seconds = (performance.now() - start) / 1000;
    await io.stderr.write(
      reportPrepared(tally, job, written, seconds, io.stderr.columns),
    );
    if (job.json) {
      const json = summaryOf(tally, job.output, written);
      await io.stdout.write(jsonLine(json));
    }
  } finally {
    spill.close();
  }
  return 0;
}

/** The second reading: rows in the order of their packs. */
async function writeRows(
  spill: Spill,
  job: Job,
  padTokenId: number,
  io: CliIo,
): Promise<Written> {
  const plan = planLayout(spill.lengths, job.pack, job.maxLength);
  const length = Math.ceil(plan.longest / job.padToMultipleOf) *
    job.padToMultipleOf;
  const weights = spill.hasWeights;
  const settings: SinkSettings = {
    columns: { borders: job.lengths, weights, certificate: job.certificates },
    rows: plan.rows,
    length,
    padTokenId,
    cuSeqlens: job.isPadded && job.lengths === "cu_seqlens" &&
        plan.packs !== null
      ? bordersOf(plan.packs, length)
      : null,
  };
  const sink = createSink(job.output, settings, io);
  const progress = new Progress(io, "writing", "rows");
  const breathe = createBreath();
  let done = 0;
  let lostTargets = 0;
  try {
    const options = { weights, certificates: job.certificates };
    for (const laid of layRows(spill, plan, options)) {
      await sink.add(laid.rows);
      done += laid.rows.length;
      lostTargets += laid.lostTargets;
      await progress.show(done, done / plan.rows);
      await breathe();
    }
    await sink.finish();
  } catch (error) {
    sink.discard();
    throw error;
  }
  await progress.end();
  const { rows, longest, fill } = plan;
  return { rows, longest, fill, lostTargets };
}

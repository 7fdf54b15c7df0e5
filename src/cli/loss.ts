/**
 * `loss`: what logits cost on labels, in every reduction, sequence by sequence,
 * and where they cost most.
 *
 * @module
 */
import { loadTokenizerFolder } from "./encoding.ts";
import { jsonLine } from "./errors.ts";
import type { CliIo } from "./io.ts";
import { openLossInputs } from "./loss_inputs.ts";
import { LOSS, readLossJob } from "./loss_options.ts";
import { reportLosses, summaryOfLosses } from "./loss_report.ts";
import { type Losses, score } from "./loss_score.ts";
import { parseCommand } from "./options.ts";

/** Runs the command. */
export async function loss(
  line: readonly string[],
  io: CliIo,
): Promise<number> {
  const job = readLossJob(parseCommand(LOSS, line));
  const tokenizer = job.tokenizer === undefined
    ? null
    : loadTokenizerFolder(job.tokenizer);
  const inputs = openLossInputs(job);
  let losses: Losses;
  try {
    losses = await score(inputs, job, io);
  } finally {
    inputs.logits.close();
  }
  if (job.json) {
    const json = summaryOfLosses(losses, inputs, job, tokenizer);
    await io.stdout.write(jsonLine(json));
  } else {
    const lines = reportLosses(losses, inputs, job, tokenizer, io.stdout);
    await io.stdout.write(`${lines.join("\n")}\n`);
  }
  return 0;
}

/**
 * `inspect --html`: rows in a report for a browser, written as they come, and at
 * its end how they would be packed.
 *
 * @module
 */
import { packSequences } from "../packing/pack.ts";
import type { PackOptions } from "../packing/types.ts";
import type { Sample } from "../row.ts";
import { Audit, HtmlReport, type ReportRow } from "../report/mod.ts";
import { counted } from "../report/paint.ts";
import { AtomicFile } from "./atomic_write.ts";
import { oneLine, UsageError } from "./errors.ts";
import type { CliIo } from "./io.ts";
import type { Args } from "./options.ts";

/** Takes one row to where it is shown. */
export type Show = (row: ReportRow, line: number) => Promise<void>;

/** How the report packs its rows; null where it does not. */
export function readPacking(
  args: Args,
  html: string | undefined,
  maxLength: number | undefined,
): PackOptions | null {
  const strategy = args.word("pack", ["bfd", "first-fit", "wrapped"]);
  if (strategy === undefined) return null;
  if (html === undefined) {
    throw new UsageError(`--pack ${strategy} needs --html FILE`);
  }
  if (maxLength === undefined) {
    throw new UsageError(`--pack ${strategy} needs --max-length N`);
  }
  return { maxLength, strategy };
}

/** Writes the report; returns how many rows it has, and leaves no file where there are none. */
export async function writeHtml(
  path: string,
  name: string,
  packing: PackOptions | null,
  io: CliIo,
  lookAll: (show: Show) => Promise<number>,
): Promise<number> {
  const file = new AtomicFile(path, io);
  try {
    const audit = new Audit();
    const report = new HtmlReport(name);
    const encoder = new TextEncoder();
    const samples: Sample[] = [];
    const lines: number[] = [];
    const write = (html: string) => file.append(encoder.encode(html));
    write(report.begin());
    const shown = await lookAll((row, line) => {
      audit.add(row, line);
      write(report.add({ line, row }));
      if (packing !== null) {
        const { inputIds, labels } = row;
        samples.push({ inputIds, labels });
        lines.push(line);
      }
      return Promise.resolve();
    });
    if (shown === 0) {
      file.discard();
      return 0;
    }
    const packs = packing === null
      ? {}
      : { packs: { packed: packSequences(samples, packing), lines } };
    write(report.end({ summary: audit.summary(), ...packs }));
    file.commit();
    await io.stderr.write(`${oneLine(path)}: ${counted(shown, "row")}\n`);
    return shown;
  } catch (error) {
    file.discard();
    throw error;
  }
}

/**
 * What a user says of the ids by which rows that were tokenised elsewhere show
 * who speaks; the rest is learnt from the tokenizer's template.
 *
 * @module
 */
import type { ChatTokenizer } from "../chat/mod.ts";
import { readEncoding } from "./encoding_options.ts";
import { UsageError } from "./errors.ts";
import { type Args, quote } from "./options.ts";
import { learnMarks, type TurnMarks } from "./turn_marks.ts";

/** Reads `--end-ids` and `--header-ids`, and learns what they leave open. */
export function readMarks(
  args: Args,
  tokenizer: ChatTokenizer | null,
): TurnMarks {
  const ends = readIdList(args, "end-ids");
  const header = readIdList(args, "header-ids");
  const said = {
    ...(ends === undefined ? {} : { ends: new Set(ends) }),
    ...(header === undefined ? {} : { headers: [{ ids: header, space: [] }] }),
  };
  if (tokenizer !== null) {
    const { chatTemplate, templateOptions } = readEncoding(args);
    return {
      ...learnMarks(tokenizer, { chatTemplate, templateOptions }),
      ...said,
    };
  }
  if (args.text("chat-template") !== undefined) {
    throw new UsageError("--chat-template needs --tokenizer DIR");
  }
  return {
    ends: new Set(),
    headers: [],
    openers: new Set(),
    starts: new Set(header?.slice(0, 1)),
    bos: undefined,
    isBlank: null,
    isAdded: () => false,
    ...said,
  };
}

function readIdList(args: Args, option: string): number[] | undefined {
  const ids = args.text(option)?.split(",").map((id) => id.trim());
  const wrong = ids?.find((id) => !/^\d{1,9}$/.test(id));
  if (wrong !== undefined) {
    throw new UsageError(
      `--${option} must be ids with commas between: got ${quote(wrong)}`,
    );
  }
  return ids?.map(Number);
}

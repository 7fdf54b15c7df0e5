/**
 * The check on the marks that does not use them: plain search of each message's
 * texts in its turn, and a look for what must not stand there. What the
 * template dropped or trimmed is reported.
 *
 * @module
 */
import type { Finding } from "../row.ts";
import { ChatTemplateError } from "./errors.ts";
import type { Run } from "./marking.ts";
import { strip } from "./python.ts";
import type { Slot } from "./slots.ts";
import { shorten } from "./tags.ts";
import type { Rendering } from "./understood.ts";

/** Tags, such as an empty think block's, and what stands for a text found. */
const TAGS = /<[^<>]*>|\0/g;

/** Reports texts that the template left out or cut. */
export function checkTexts(
  { owned, messages, findings, text: rendered }: Rendering,
): void {
  const runsOf = new Map<Slot, Run[]>();
  for (const run of owned.runs) {
    runsOf.set(run.slot, [...runsOf.get(run.slot) ?? [], run]);
  }
  const seen = new Set<string>();
  for (const slot of owned.slots) {
    const { message, field, text } = slot;
    const runs = runsOf.get(slot) ?? [];
    const key = `${message} ${field}`;
    if (strip(text) === "" || seen.has(key)) continue;
    // of a text that carried no mark it is only known whether it stands somewhere
    const unseen = !owned.marked.has(slot) &&
      (field === "tool_calls" || rendered.includes(strip(text)));
    const finding = runs.length > 0
      ? missing(slot, runs)
      : unseen
      ? null
      : absent(slot, messages[message]!.role);
    if (finding === null) continue;
    seen.add(key);
    findings.push(finding);
  }
}

function absent({ message, field, text }: Slot, role: string): Finding {
  const said = JSON.stringify(shorten(text));
  return field === "content"
    ? {
      code: "content-dropped",
      message,
      detail: `The template leaves out what the ${role} says: ${said}`,
    }
    : {
      code: "field-dropped",
      message,
      detail: `The template leaves out the ${role}'s ${field}: ${said}`,
    };
}

/** What runs leave of a slot's text; escapes inside a tool call's JSON are not missing. */
function missing({ message, field, text }: Slot, runs: Run[]): Finding | null {
  if (field === "tool_calls") return null;
  const parts: string[] = [];
  let from = 0;
  const sorted = [...runs].sort((a, b) => a.from - b.from);
  for (const run of sorted) {
    if (run.from > from) parts.push(text.slice(from, run.from));
    from = Math.max(from, run.from + run.end - run.start);
  }
  if (from < text.length) parts.push(text.slice(from));
  const lost = parts.filter((part) => strip(part) !== "");
  if (lost.length > 0) {
    return {
      code: "content-dropped",
      message,
      detail: `The template leaves out part of the ${field}: ${
        lost.map((part) => JSON.stringify(shorten(part))).join(", ")
      }`,
    };
  }
  return parts.length === 0 ? null : {
    code: "content-trimmed",
    message,
    detail: `The template trims whitespace off the ${field}: ${
      parts.map((part) => JSON.stringify(shorten(part))).join(", ")
    }`,
  };
}

/** Throws unless every trained turn holds its message's words and nobody else's. */
export function checkTurns(rendering: Rendering): void {
  const { text, owned, turns, trained, calibration, findings } = rendering;
  for (const turn of turns) {
    if (!trained[turn.message]) continue;
    let scaffold = text.slice(turn.openingStart, turn.end);
    for (const { message, field, text: words } of owned.slots) {
      if (message !== turn.message || field === "tool_calls") continue;
      const body = strip(words);
      const at = scaffold.indexOf(body);
      if (at >= 0) {
        scaffold = scaffold.slice(0, at) + "\0" +
          scaffold.slice(at + body.length);
        continue;
      }
      const told = findings.some((finding) =>
        finding.message === message && /dropped|tags/.test(finding.code)
      );
      const opened = text.slice(turn.headerStart, turn.end).includes(body);
      if (!told && !opened) {
        refuse(message, `its ${field} is not in its turn word for word`);
      }
    }
    for (const run of owned.runs) {
      const { slot, start, end, from } = run;
      const isOther = slot.message !== turn.message;
      if (isOther && start < turn.end && end > turn.start) {
        refuse(turn.message, `message ${slot.message} speaks inside its turn`);
      }
      if (!isOther && !slot.text.startsWith(text.slice(start, end), from)) {
        refuse(turn.message, "its text is not in the message");
      }
    }
    const silent = owned.runs.every(({ slot }) =>
      slot.message !== turn.message
    );
    const { content } = rendering.messages[turn.message]!;
    if (
      silent && strip(scaffold.replace(TAGS, "")) !== "" &&
      !String(content ?? "").includes(strip(scaffold))
    ) {
      refuse(
        turn.message,
        `where it says nothing the template writes ${
          JSON.stringify(shorten(scaffold))
        }`,
      );
    }
    // parts of a cut text may stand in the scaffold, and calls stand in it whole
    const cut = findings.some(({ message, code }) =>
      message === turn.message && /dropped|tags/.test(code)
    );
    const isSaid = (part: string) =>
      owned.slots.some(({ message, field, text: words }) =>
        message === turn.message && (cut || field === "tool_calls") &&
        words.includes(part)
      );
    const stands = (part: string) =>
      part !== "" && scaffold.includes(part) && !isSaid(part);
    const header = strip(calibration.header);
    if (stands(header)) {
      refuse(turn.message, `a header stands inside its turn: ${header}`);
    }
    for (const stop of calibration.stops) {
      if (strip(stop) !== "" && stands(stop)) {
        refuse(turn.message, `a stop stands inside its turn: ${stop}`);
      }
    }
  }
}

function refuse(message: number, reason: string): never {
  throw new ChatTemplateError(
    "unproved",
    `Cannot prove what is trained of message ${message}: ${reason}`,
  );
}

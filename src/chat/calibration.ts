/**
 * What a template writes around an answer, learnt once from small conversations
 * that hold nothing but private-use characters: what the generation prompt
 * shows behind a question, and the stops by which answers end.
 *
 * What is learnt here is only ever used where the text of a real conversation
 * agrees with it to the letter.
 *
 * @module
 */
import { ChatTemplateError } from "./errors.ts";
import { isPythonSpace, lstrip, rstrip } from "./python.ts";

/** The template with everything fixed but the messages. */
export type RenderMessages = (
  messages: readonly Record<string, unknown>[],
  addGenerationPrompt: boolean,
) => string;

/** What a template writes around answers. */
export interface Calibration {
  /** Whether the template took the small conversations. */
  readonly known: boolean;
  /** What the generation prompt shows behind a question's last character. */
  readonly promptTail: string;
  /** How much of the end of `promptTail` opens the answer itself, as `<think>\n` does. */
  readonly opening: number;
  /** The part of the prompt that names the assistant; "" where the question's end does so. */
  readonly header: string;
  /** Whether the text of any conversation ends with the generation prompt. */
  readonly alwaysPrompts: boolean;
  /** Texts that end an answer: amid the chat, at its end, after a call. Longest first. */
  readonly stops: readonly string[];
  /** What follows the last answer beyond its stop, as Phi 3's end of text. */
  readonly trailer: string;
}

const NOTHING: Calibration = {
  known: false,
  promptTail: "",
  opening: 0,
  header: "",
  alwaysPrompts: false,
  stops: [],
  trailer: "",
};

const Q1 = "\ue001\ue002\ue003";
const A1 = "\ue011\ue012\ue013";
const Q2 = "\ue021\ue022\ue023";
const A2 = "\ue031\ue032\ue033";
const RESULT = "\ue041\ue042\ue043";
const NAME = "\ue051\ue052\ue053";
const KEY = "\ue061\ue062\ue063";
const VALUE = "\ue071\ue072\ue073";

/** The tags by which templates open a thought. */
const THINK_TAG = /<(think|thinking|thought|reasoning)>\s*$/;

/** Learns what a template writes around answers; nothing where it takes no such conversations. */
export function calibrate(render: RenderMessages): Calibration {
  const asText = (text: string): unknown => text;
  const asParts = (text: string): unknown => [{ type: "text", text }];
  for (const wrap of [asText, asParts]) {
    try {
      const found = calibrateWith(render, wrap);
      if (found !== null) return found;
    } catch (error) {
      if (!(error instanceof ChatTemplateError)) throw error;
    }
  }
  return NOTHING;
}

function calibrateWith(
  render: RenderMessages,
  wrap: (text: string) => unknown,
): Calibration | null {
  const user = (text: string) => ({ role: "user", content: wrap(text) });
  const assistant = (text: string) => ({
    role: "assistant",
    content: wrap(text),
  });
  const chat = render(
    [user(Q1), assistant(A1), user(Q2), assistant(A2)],
    false,
  );
  const question = render([user(Q1)], false);
  const prompt = render([user(Q1)], true);
  const beforeQ1 = before(chat, Q1);
  const intoA1 = between(chat, Q1, A1);
  const outOfA1 = between(chat, A1, Q2);
  const afterA2 = after(chat, A2);
  if (intoA1 === null || outOfA1 === null || afterA2 === null) return null;
  const shown = after(prompt, Q1) ?? "";
  const unprompted = after(question, Q1) ?? "";

  // Where the prompt says nothing of its own, whatever stands before an answer
  // opens it, unless that is only a space.
  const silent = shown === unprompted && shown !== intoA1 &&
    rstrip(intoA1.slice(commonPrefix(shown, intoA1))) !== "";
  const promptTail = silent ? intoA1 : shown;
  // a think tag at its end opens the answer, also where every answer has one
  const thought = THINK_TAG.exec(promptTail)?.index ?? promptTail.length;
  const opened = Math.min(commonPrefix(promptTail, intoA1), thought);
  const named = promptTail.slice(
    shown === unprompted ? 0 : wholeTags(promptTail, unprompted),
    opened,
  );
  const alwaysPrompts = shown === unprompted && rstrip(named) !== "" &&
    afterA2.endsWith(named);

  // The stop is what follows an answer wherever it stands; a chat that goes on
  // shows it before the next question's header.
  const nextHeader = commonSuffix(outOfA1, beforeQ1 ?? "");
  const ended = rstrip(closeTag(outOfA1, outOfA1.length - nextHeader)) ||
    firstTag(outOfA1.slice(0, commonPrefix(outOfA1, intoA1)));
  const shared = closeTags(
    (alwaysPrompts ? ended : outOfA1).slice(
      0,
      commonPrefix(alwaysPrompts ? ended : outOfA1, afterA2),
    ),
  );
  const stops = shared !== ""
    ? [shared]
    : [ended, ...(ended === "" || alwaysPrompts ? [] : [rstrip(afterA2)])];
  const trailer = shared !== "" && !alwaysPrompts
    ? rstrip(afterA2).slice(shared.length)
    : "";
  const called = stopOfCall(render, wrap, stops);
  if (called !== "") stops.push(called);
  // a question ends as an answer does, and that is not the header's
  const stop = stops.find((one) => one !== "" && named.startsWith(one)) ?? "";
  const header = stop === "" ? named : lstrip(named.slice(stop.length));
  return {
    known: true,
    promptTail,
    opening: promptTail.length - opened,
    header: rstrip(header) === "" ? "" : header,
    alwaysPrompts,
    stops: [...new Set(stops)].filter((stop) => stop !== "")
      .sort((a, b) => b.length - a.length),
    trailer,
  };
}

/** The stop behind a call of a tool, where it is not one of the others. */
function stopOfCall(
  render: RenderMessages,
  wrap: (text: string) => unknown,
  known: readonly string[],
): string {
  const call = {
    id: "call00001",
    type: "function",
    function: { name: NAME, arguments: { [KEY]: VALUE } },
  };
  const opening = [
    { role: "user", content: wrap(Q1) },
    { role: "assistant", content: "", tool_calls: [call] },
  ];
  const rest = [
    { role: "tool", name: NAME, tool_call_id: "call00001", content: RESULT },
    { role: "assistant", content: wrap(A1) },
  ];
  try {
    const chat = render([...opening, ...rest], false);
    const cut = render(opening, false);
    const tail = after(cut, VALUE) ?? "";
    const goesOn = between(chat, VALUE, RESULT) ?? "";
    const shared = rstrip(goesOn.slice(0, commonPrefix(goesOn, tail)));
    if (known.some((stop) => stop !== "" && shared.includes(stop))) return "";
    return /(<[|｜][^<>]*[|｜]>)$/.exec(shared)?.[1] ?? "";
  } catch (error) {
    if (error instanceof ChatTemplateError) return "";
    throw error;
  }
}

/** How many characters two texts share from the start. */
export function commonPrefix(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let n = 0;
  while (n < most && a.charCodeAt(n) === b.charCodeAt(n)) n++;
  return n;
}

function commonSuffix(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let n = 0;
  while (
    n < most &&
    a.charCodeAt(a.length - 1 - n) === b.charCodeAt(b.length - 1 - n)
  ) {
    n++;
  }
  return n;
}

/** What they share from the start, less a tag in which they part. */
function wholeTags(a: string, b: string): number {
  const shared = a.slice(0, commonPrefix(a, b));
  const open = shared.lastIndexOf("<");
  return open > shared.lastIndexOf(">") ? open : shared.length;
}

const BRACKETS: readonly (readonly [string, string])[] = [
  ["<", ">"],
  ["[", "]"],
];

/** The beginning of a text up to `end`, or up to the end of the tag that `end` lies in. */
function closeTag(text: string, end: number): string {
  const isOpen =
    text.lastIndexOf("<", end - 1) > text.lastIndexOf(">", end - 1);
  return text.slice(0, isOpen && end > 0 ? text.indexOf(">", end) + 1 : end);
}

/** The first of two tags; "" where there are not two. */
function firstTag(text: string): string {
  return /^(\s*<[^<>]+>)\s*<[^<>]+>$/.exec(rstrip(text))?.[1] ?? "";
}

/** A text cut before a tag that it leaves open, and without spaces at its end. */
export function closeTags(text: string): string {
  let cut = text;
  for (const [open, close] of BRACKETS) {
    if (cut.lastIndexOf(open) > cut.lastIndexOf(close)) {
      cut = cut.slice(0, cut.lastIndexOf(open));
    }
  }
  return rstrip(cut);
}

/** Where the whitespace that begins at `start` ends. */
export function skipSpaces(text: string, start: number): number {
  let end = start;
  while (end < text.length && isPythonSpace(text.charAt(end))) end++;
  return end;
}

function before(text: string, mark: string): string | null {
  const at = text.indexOf(mark);
  return at < 0 ? null : text.slice(0, at);
}

function after(text: string, mark: string): string | null {
  const at = text.lastIndexOf(mark);
  return at < 0 ? null : text.slice(at + mark.length);
}

function between(text: string, from: string, to: string): string | null {
  const start = text.indexOf(from);
  const end = text.indexOf(to, start + from.length);
  return start < 0 || end < 0 ? null : text.slice(start + from.length, end);
}

/**
 * Who wrote each character of a rendered chat: same-length marking.
 *
 * The conversation is rendered twice: as it is (R), and with the characters of
 * its texts replaced one for one by marks (M). If the template treats both
 * alike, M has R's length, and at every place M holds either R's character or
 * the mark of a character that equals R's: then each mark names the message,
 * the field and the place that its character came from. That is the proof; it
 * is checked for every conversation. Where it fails, because the template tests
 * words or tags of a text, weaker marks are tried, which leave more alone.
 *
 * A mark is U+E000 + (n mod 6400) for the n-th character of all texts joined,
 * and a second rendering with U+E000 + ⌊n / 6400⌋ tells n apart where there are
 * more. Whitespace is marked by other whitespace, so that trims still trim.
 *
 * It finds owners of characters. Where a turn begins and ends is not its matter.
 *
 * @module
 */
import type { ChatMessage } from "../row.ts";
import { ChatTemplateError } from "./errors.ts";
import { isPythonSpace } from "./python.ts";
import { readSlots, replaceTexts, type Slot } from "./slots.ts";

/** A stretch of the rendered text that a slot's text runs through. */
export interface Run {
  /** The slot it comes from. */
  readonly slot: Slot;
  /** Where it starts in the rendered text. */
  start: number;
  /** Where it ends. */
  end: number;
  /** Which character of the slot's text it starts with. */
  from: number;
}

/** What marking found. */
export interface Ownership {
  /** The texts of the conversation. */
  readonly slots: readonly Slot[];
  /** Runs in the order of the rendered text; they do not overlap. */
  readonly runs: readonly Run[];
  /** How strong the marks were that the proof held for. */
  readonly strength: Strength;
}

/** From strong to weak: what of a text is replaced by marks. */
const STRENGTHS = [
  "every character", // and whitespace by whitespace
  "letters, digits and whitespace", // tags stay; a text without letters is marked whole
  "letters and digits",
  "letters and digits outside the template's own words",
] as const;

/** One of {@link STRENGTHS}. */
export type Strength = typeof STRENGTHS[number];

const FIRST_MARK = 0xe000;
const MARKS = 6400; // the private-use characters of the basic plane, U+E000 to U+F8FF
const FIRST_SPACE = 0x2000;
const SPACES = 6; // U+2000 to U+2005: whitespace to Python and JavaScript, rare in text

const LETTER = /[\p{L}\p{N}]/u;

/** What a template does with messages: its rendering, all else fixed. */
export type Render = (messages: readonly Record<string, unknown>[]) => string;

/**
 * Finds whose each character of a rendered chat is.
 *
 * @param text The rendering of the messages as they are.
 * @param literals The template's own words, for the weakest marks.
 * @throws {ChatTemplateError} No marks could be proved.
 */
export function markOwners(
  messages: readonly ChatMessage[],
  text: string,
  render: Render,
  literals: readonly string[],
): Ownership {
  const slots = readSlots(messages);
  const source = slots.map((slot) => slot.text).join("");
  for (const strength of STRENGTHS) {
    const marked = chooseMarks(slots, source, strength, literals);
    const places = prove(messages, text, source, marked, render);
    if (places === null) continue;
    const spaces = strength === STRENGTHS[0] || strength === STRENGTHS[1];
    return { slots, strength, runs: joinRuns(text, slots, places, spaces) };
  }
  throw new ChatTemplateError(
    "unproved",
    "Cannot tell whose text is whose: the template changes letters of the messages, or says other things when their letters change",
  );
}

/** What to do with each character of the source. */
const KEEP = 0, MARK = 1, SPACE = 2;

function chooseMarks(
  slots: readonly Slot[],
  source: string,
  strength: Strength,
  literals: readonly string[],
): Uint8Array {
  const marks = new Uint8Array(source.length);
  const level = STRENGTHS.indexOf(strength);
  for (const { field, text, base } of slots) {
    // JSON escapes quotes, backslashes and control characters: in a tool call
    // only letters and digits keep their length whatever they are replaced by
    const isCall = field === "tool_calls";
    const whole = level === 0 || (level < 3 && !isCall && !LETTER.test(text));
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      const character = text.charAt(i);
      if (isPythonSpace(character)) {
        if (level < 2 && !isCall) marks[base + i] = SPACE;
      } else if (unit >= FIRST_MARK && unit < FIRST_MARK + MARKS) continue;
      else if (isCall ? isPlainLetter(character) : whole) {
        marks[base + i] = MARK;
      } else if (isPlainLetter(character)) marks[base + i] = MARK;
    }
    if (level === 3) spareLiterals(marks, text, base, literals);
  }
  return marks;
}

function isPlainLetter(character: string): boolean {
  const unit = character.charCodeAt(0);
  if (unit < 0x80) {
    return unit >= 0x30 && unit <= 0x39 || unit >= 0x41 && unit <= 0x5a ||
      unit >= 0x61 && unit <= 0x7a;
  }
  return LETTER.test(character);
}

function spareLiterals(
  marks: Uint8Array,
  text: string,
  base: number,
  literals: readonly string[],
): void {
  for (const literal of literals) {
    for (
      let at = text.indexOf(literal);
      at >= 0;
      at = text.indexOf(literal, at + 1)
    ) marks.fill(KEEP, base + at, base + at + literal.length);
  }
}

/**
 * The place in the source of each character of the text, -1 where the template
 * wrote it, -2 for whitespace of some text; null where the proof fails.
 */
function prove(
  messages: readonly ChatMessage[],
  text: string,
  source: string,
  marks: Uint8Array,
  render: Render,
): Int32Array | null {
  const low = renderMarked(messages, source, marks, render, (n) => n % MARKS);
  if (low?.length !== text.length) return null;
  const high = source.length <= MARKS ? null : renderMarked(
    messages,
    source,
    marks,
    render,
    (n) => Math.floor(n / MARKS),
  );
  if (high !== null && high?.length !== text.length) return null;
  const places = new Int32Array(text.length).fill(-1);
  for (let i = 0; i < text.length; i++) {
    const mark = low.charCodeAt(i);
    const unit = text.charCodeAt(i);
    if (mark === unit) continue;
    if (mark >= FIRST_SPACE && mark < FIRST_SPACE + SPACES) {
      if (!isPythonSpace(text.charAt(i))) return null;
      places[i] = -2;
      continue;
    }
    const top = high === null ? 0 : high.charCodeAt(i) - FIRST_MARK;
    const place = top * MARKS + mark - FIRST_MARK;
    const isKnown = top >= 0 && mark >= FIRST_MARK && marks[place] === MARK &&
      source.charCodeAt(place) === unit;
    if (isKnown) places[i] = place;
    // the first character of a key carries its low mark twice
    else if (high === null || top !== mark - FIRST_MARK) return null;
  }
  return places;
}

function renderMarked(
  messages: readonly ChatMessage[],
  source: string,
  marks: Uint8Array,
  render: Render,
  digit: (n: number) => number,
): string | null {
  let n = 0;
  const marked = replaceTexts(messages, (text, _field, _message, isKey) => {
    let out = "";
    for (let i = 0; i < text.length; i++, n++) {
      // keys that differ must go on to differ: their first mark is the low one
      out += marks[n] === MARK
        ? String.fromCharCode(
          FIRST_MARK + (isKey && i === 0 ? n % MARKS : digit(n)),
        )
        : marks[n] === SPACE
        ? otherSpace(source.charCodeAt(n), n)
        : text.charAt(i);
    }
    return out;
  });
  try {
    return render(marked);
  } catch {
    // the template refuses what it cannot read in marks; weaker ones may do
    return null;
  }
}

function otherSpace(unit: number, n: number): string {
  const mark = FIRST_SPACE + n % SPACES;
  return String.fromCharCode(
    mark === unit ? FIRST_SPACE + (n + 1) % SPACES : mark,
  );
}

/** Runs from places, each grown over unmarked neighbours that equal its text. */
function joinRuns(
  text: string,
  slots: readonly Slot[],
  places: Int32Array,
  spacesMarked: boolean,
): Run[] {
  const runs: Run[] = [];
  let at = 0;
  // a character may be claimed that the template wrote only if it is unmarked,
  // and whitespace only if whitespace carries no marks of its own
  const mine = (i: number, want: string): boolean =>
    places[i] === -2
      ? text.charAt(i) === want
      : places[i] === -1 && text.charAt(i) === want &&
        !(spacesMarked && isPythonSpace(want));
  for (let i = 0; i < text.length; i++) {
    const place = places[i]!;
    if (place < 0) continue;
    at = slotOf(slots, place, at);
    const slot = slots[at]!;
    let from = place - slot.base;
    let start = i;
    const floor = runs.at(-1)?.end ?? 0;
    while (
      start > floor && from > 0 && mine(start - 1, slot.text.charAt(from - 1))
    ) {
      start--;
      from--;
    }
    let end = i + 1;
    let next = place - slot.base + 1;
    while (end < text.length && next < slot.text.length) {
      const owner = places[end]!;
      if (
        owner >= 0
          ? owner !== slot.base + next
          : !mine(end, slot.text.charAt(next))
      ) break;
      end++;
      next++;
    }
    const last = runs.at(-1);
    if (
      last?.slot === slot && last.end === start &&
      last.from + last.end - last.start === from
    ) last.end = end;
    else runs.push({ slot, start, end, from });
    i = end - 1;
  }
  return runs;
}

/** The index of the slot of a place in the source; most often the one asked for before, or one soon after. */
function slotOf(slots: readonly Slot[], place: number, guess: number): number {
  let at = place < slots[guess]!.base ? 0 : guess;
  while (place >= slots[at]!.base + slots[at]!.text.length) at++;
  return at;
}

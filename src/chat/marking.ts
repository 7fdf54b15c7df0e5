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
import {
  chooseMarks,
  FIRST_MARK,
  FIRST_SPACE,
  MARK,
  MARKS,
  otherSpace,
  SPACE,
  SPACES,
  type Strength,
  STRENGTHS,
} from "./marks.ts";
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
  /** The slots of which a character carried a mark; of the others nothing is known. */
  readonly marked: ReadonlySet<Slot>;
  /** Of each character of the rendered text, 1 where it is whitespace of some text; none where whitespace carried no marks. */
  readonly spaces: Uint8Array;
}

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
    return {
      slots,
      strength,
      runs: joinRuns(text, slots, places, marked),
      marked: new Set(
        slots.filter(({ base, text }) =>
          marked.subarray(base, base + text.length).includes(MARK)
        ),
      ),
      spaces: Uint8Array.from(places.map((place) => +(place === -2))),
    };
  }
  throw new ChatTemplateError(
    "unproved",
    "Cannot tell whose text is whose: the template changes letters of the messages, or says other things when their letters change",
  );
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
  const keys = new Map<number, number>();
  const high = source.length <= MARKS ? null : renderMarked(
    messages,
    source,
    marks,
    render,
    (n) => Math.floor(n / MARKS),
    keys,
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
    const digit = mark - FIRST_MARK;
    const top = high === null ? 0 : high.charCodeAt(i) - FIRST_MARK;
    let place = top * MARKS + digit;
    if (keys.has(digit) && top === digit && places[i - 1] !== place - 1) {
      place = keys.get(digit)!;
      if (place < 0) continue;
    }
    const isKnown = top >= 0 && mark >= FIRST_MARK && marks[place] === MARK &&
      source.charCodeAt(place) === unit;
    if (!isKnown) return null;
    places[i] = place;
  }
  return places;
}

function renderMarked(
  messages: readonly ChatMessage[],
  source: string,
  marks: Uint8Array,
  render: Render,
  digit: (n: number) => number,
  keys?: Map<number, number>,
): string | null {
  let n = 0;
  const marked = replaceTexts(messages, (text, _field, _message, isKey) => {
    let out = "";
    for (let i = 0; i < text.length; i++, n++) {
      // keys that differ must go on to differ: their first mark is the low one,
      // and where it stands again is noted, unless several have it
      const isFirst = isKey && i === 0;
      if (isFirst && marks[n] === MARK) {
        keys?.set(n % MARKS, keys.has(n % MARKS) ? -1 : n);
      }
      out += marks[n] === MARK
        ? String.fromCharCode(FIRST_MARK + (isFirst ? n % MARKS : digit(n)))
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

/** Runs from places, each grown over unmarked neighbours that equal its text. */
function joinRuns(
  text: string,
  slots: readonly Slot[],
  places: Int32Array,
  marks: Uint8Array,
): Run[] {
  const runs: Run[] = [];
  let at = 0;
  // whether a character that shows no mark may be that of a place in the source:
  // not where the source's own carried one, which would have shown
  const mine = (i: number, { text: own, base }: Slot, from: number): boolean =>
    places[i]! === (marks[base + from] === SPACE ? -2 : -1) &&
    marks[base + from] !== MARK && text.charAt(i) === own.charAt(from);
  for (let i = 0; i < text.length; i++) {
    const place = places[i]!;
    if (place < 0) continue;
    at = slotOf(slots, place, at);
    const slot = slots[at]!;
    let from = place - slot.base;
    let start = i;
    const floor = runs.at(-1)?.end ?? 0;
    while (start > floor && from > 0 && mine(start - 1, slot, from - 1)) {
      start--;
      from--;
    }
    // where the text breaks off, what bears no mark may be the template's own:
    // `<` opens the tag that a text was cut at, and the stop behind it
    for (; from > 0 && start < i && places[start] === -1; start++) from++;
    let end = i + 1;
    let next = place - slot.base + 1;
    while (end < text.length && next < slot.text.length) {
      const owner = places[end]!;
      if (
        owner >= 0 ? owner !== slot.base + next : !mine(end, slot, next)
      ) break;
      end++;
      next++;
    }
    if (next < slot.text.length) { while (places[end - 1] === -1) end--; }
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

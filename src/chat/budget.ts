/**
 * What a rendering may cost. A template comes from a model's files, and a file
 * can hold anything: every loop, list and text is paid for where it is made,
 * so that no template runs for longer than seconds.
 *
 * @module
 */
import { ChatTemplateError } from "./errors.ts";
import type { RuntimeValue } from "./python.ts";

/**
 * Steps of a rendering. A real template takes some hundred a message, so this is
 * a conversation of some thousand messages; an endless loop is there within
 * seconds.
 */
const MOST_STEPS = 2_000_000;

/** UTF-16 units a single value may hold: far above any chat, far below the engine's own limit. */
const MOST_TEXT = 1 << 26;

/** Items of a list or dict, or all that lie in one another: far above any chat. */
const MOST_ITEMS = 1 << 20;

/** Nodes in nodes: real templates go to some thirty, the engine's own stack to several thousand. */
const MOST_DEPTH = 1200;

/** So many items are copied, or letters read, in the time of a step. */
const ITEMS_A_STEP = 16, LETTERS_A_STEP = 64;

/** What is left of one rendering. */
export class Budget {
  #steps = 0;
  /** How many nodes deep it stands; a loop that is left sets it back. */
  depth = 0;

  /** Steps into a node; {@link leave} goes with it. */
  enter(): void {
    this.spend(1);
    if (++this.depth > MOST_DEPTH) {
      refuse(`it must nest at most ${MOST_DEPTH} deep`);
    }
  }

  /** Steps out of a node. */
  leave(): void {
    this.depth--;
  }

  /** Pays for some steps. */
  spend(steps: number): void {
    if ((this.#steps += steps) > MOST_STEPS) {
      refuse(
        `it must end within ${MOST_STEPS} steps: it has a loop without an end, or nearly`,
      );
    }
  }

  /** Pays for reading or copying a value once. */
  read({ type, value }: RuntimeValue): void {
    if (type === "StringValue") this.spend(value.length / LETTERS_A_STEP);
    else if (Array.isArray(value)) this.spend(value.length / ITEMS_A_STEP);
  }

  /** Pays for going through a value and all that lies in it, as often as it lies there. */
  readDeep(root: RuntimeValue): void {
    const { value: one } = root;
    if (typeof one !== "object") return this.read(root);
    let items = 0;
    let letters = 0;
    const visit = ({ type, value }: RuntimeValue): void => {
      if (++items > MOST_ITEMS) tooMany(items);
      if (type === "StringValue") letters += value.length;
      else if (Array.isArray(value)) value.forEach(visit);
      else if (value instanceof Map) value.forEach(visit);
    };
    visit(root);
    if (letters > MOST_TEXT) tooLong(letters);
    this.spend((4 * items) / ITEMS_A_STEP + letters / LETTERS_A_STEP);
  }

  /** A text as often as it is asked for, none below once. */
  repeat(text: string, times: number): string {
    const length = text.length * Math.max(times, 0);
    if (length > MOST_TEXT) tooLong(length);
    this.spend(length / LETTERS_A_STEP);
    return text.repeat(length === 0 ? 0 : times);
  }

  /** A value that was made, where it is not too big. */
  hold<V extends RuntimeValue>(made: V): V {
    const { type, value } = made;
    if (type === "StringValue") {
      if (value.length > MOST_TEXT) tooLong(value.length);
    } else if (Array.isArray(value) && value.length > MOST_ITEMS) {
      tooMany(value.length);
    }
    return made;
  }

  /** Pays for a text's characters as a list, where it is not too long for one. */
  spread(text: string): void {
    if (text.length > 2 * MOST_ITEMS) tooMany(text.length);
    this.spend(text.length / ITEMS_A_STEP);
  }
}

function tooLong(length: number): never {
  refuse(
    `its text must stay within ${MOST_TEXT} characters: current value is ${length}`,
  );
}

function tooMany(count: number): never {
  refuse(
    `its lists must stay within ${MOST_ITEMS} items: current value is ${count}`,
  );
}

function refuse(wish: string): never {
  throw new ChatTemplateError(
    "limit",
    `Cannot render chat template as ${wish}`,
  );
}

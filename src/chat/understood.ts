/**
 * What is known of a chat once it is rendered: the words of everything that
 * finds turns, checks them and explains them. Nothing here computes.
 *
 * @module
 */
import type { TokenSpan } from "../contract.ts";
import type { ChatMessage, Finding } from "../row.ts";
import type { Calibration, RenderMessages } from "./calibration.ts";
import type { Ownership } from "./marking.ts";
import type { FullPolicy } from "./policy.ts";

/** One turn of the assistant, in UTF-16 offsets of the text. */
export interface Turn {
  /** The message's index. */
  readonly message: number;
  /** Where what the prompt shows before this turn begins. */
  readonly headerStart: number;
  /** Where a think opening that the prompt already contains begins; `start` where there is none. */
  readonly openingStart: number;
  /** Where what the assistant says begins. */
  readonly start: number;
  /** Where the last character of its texts ends. */
  readonly saidEnd: number;
  /** Where what it says ends. */
  readonly end: number;
  /** The stop, or null where the template has none. */
  readonly endOfTurn: TokenSpan | null;
  /** Whether the text before the turn is to the letter what inference would show. */
  readonly prefixShown: boolean | null;
}

/** What finding turns needs to know of a chat. */
export interface Chat {
  readonly messages: readonly ChatMessage[];
  readonly text: string;
  readonly owned: Ownership;
  readonly render: RenderMessages;
  readonly calibration: Calibration;
  /** Prompt tails seen before, by what they follow; shared between chats of one template. */
  readonly tails: Map<string, string>;
  /** What closed calls before, up to their stops, with those stops; shared as well. */
  readonly closings: Map<string, string>;
  readonly bosToken: string;
  readonly eosToken: string;
}

/** A chat rendered and understood. */
export interface Rendering {
  readonly messages: readonly ChatMessage[];
  readonly policy: FullPolicy;
  readonly text: string;
  readonly owned: Ownership;
  readonly calibration: Calibration;
  /** The turns that answer, trained or not. */
  readonly turns: readonly Turn[];
  /** Whether each message is trained. */
  readonly trained: readonly boolean[];
  /** Of each character, a message's index or -1. */
  readonly owners: Int32Array;
  /** Of each character, an index into FIELDS. */
  readonly fields: Uint8Array;
  /** Of each character, an index into REASONS. */
  readonly reasons: Uint8Array;
  readonly findings: Finding[];
  /** How ownership was proved. */
  readonly proof: string;
  /** What the chat is understood with; for rendering parts of it again. */
  readonly chat: Chat;
}

/**
 * What is trained of a chat, as its user wants it. Every choice has a default,
 * and every default is the one by which a model learns to answer and to stop.
 *
 * @module
 */
import type { ChatMessage } from "../row.ts";
import {
  isListLike,
  outOfRange,
  readFlag,
  readWord,
  wrongKind,
} from "../checks.ts";

/** Which parts of a chat are trained. */
export interface ChatPolicy {
  /**
   * The roles whose messages are trained (default `["assistant"]`); a message's
   * own `train` goes before it. Of roles that do not answer (any but assistant
   * and model) the words are trained, not the stop behind them.
   */
  roles?: readonly string[];
  /** Train the last trained turn alone (default false). */
  lastTurnOnly?: boolean;
  /** Train the stop by which an answer ends (default true); other roles have none that is trained. */
  endOfTurn?: boolean;
  /** Train the whitespace behind the stop (default false). */
  whitespaceAfterEnd?: boolean;
  /** Train the header that opens an answer, which the prompt shows (default false). */
  roleHeader?: boolean;
  /** Train a think opening that the generation prompt already contains (default false). */
  thinkOpening?: boolean;
  /** Train the calls of tools (default true). Results are messages of the role `"tool"`. */
  toolCalls?: boolean;
  /** Train an end-of-text that the template adds behind the last stop (default false). */
  endOfText?: boolean;
  /** What becomes of a token that covers an edge of what is trained (default `"exclude"`). */
  straddling?: "exclude" | "include" | "error";
  /** What becomes of text in a message that is a special token's: a finding, plain text, an error (default `"report"`). */
  controlText?: "report" | "neutralise" | "error";
  /** Whether the template's own `{% generation %}` tags say what is trained of an answer (default true). */
  generationTags?: boolean;
}

/** A policy with nothing left open. */
export type FullPolicy = Readonly<Required<ChatPolicy>>;

const ACTION = "render chat";

const KNOWN: ReadonlySet<string> = new Set([
  "roles",
  "lastTurnOnly",
  "endOfTurn",
  "whitespaceAfterEnd",
  "roleHeader",
  "thinkOpening",
  "toolCalls",
  "endOfText",
  "straddling",
  "controlText",
  "generationTags",
]);

/** Checks a policy and fills in its defaults. */
export function readPolicy(policy: ChatPolicy = {}): FullPolicy {
  if (typeof policy !== "object" || policy === null) {
    wrongKind(ACTION, "policy must be an object", policy);
  }
  for (const key in policy) {
    if (!KNOWN.has(key)) {
      wrongKind(
        ACTION,
        `every key of policy must be one of ${[...KNOWN].join(", ")}`,
        key,
      );
    }
  }
  const roles = policy.roles ?? ["assistant"];
  if (
    !isListLike(roles) || !Array.from(roles).every((r) => typeof r === "string")
  ) {
    wrongKind(ACTION, "policy.roles must be a list of names", roles);
  }
  if (roles.length === 0) {
    outOfRange(ACTION, "policy.roles must name a role", roles);
  }
  const flag = (name: keyof ChatPolicy, fallback: boolean) =>
    readFlag(ACTION, `policy.${name}`, policy[name] ?? fallback);
  return {
    roles: [...roles],
    lastTurnOnly: flag("lastTurnOnly", false),
    endOfTurn: flag("endOfTurn", true),
    whitespaceAfterEnd: flag("whitespaceAfterEnd", false),
    roleHeader: flag("roleHeader", false),
    thinkOpening: flag("thinkOpening", false),
    toolCalls: flag("toolCalls", true),
    endOfText: flag("endOfText", false),
    straddling: readWord(ACTION, "policy.straddling", policy.straddling, [
      "exclude",
      "include",
      "error",
    ]),
    controlText: readWord(ACTION, "policy.controlText", policy.controlText, [
      "report",
      "neutralise",
      "error",
    ]),
    generationTags: flag("generationTags", true),
  };
}

/** Roles that answer, and so have a header and a stop of their own. */
const ANSWERING: ReadonlySet<string> = new Set(["assistant", "model"]);

/** Whether a message is an answer, which the generation prompt calls for. */
export function isAnswer({ role }: ChatMessage): boolean {
  return ANSWERING.has(role);
}

/** Which messages are trained, in order; last-turn-only not yet applied. */
export function isChosen(message: ChatMessage, policy: FullPolicy): boolean {
  return message.train ?? policy.roles.includes(message.role);
}

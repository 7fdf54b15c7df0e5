/**
 * A chat rendered and understood: its text, and for every character of it whose
 * it is, what it is, and why it is or is not trained.
 *
 * Everything later (tokens, labels, certificate, report) reads off this.
 *
 * @module
 */
import type { ChatMessage, Finding } from "../row.ts";
import { calibrate, type Calibration } from "./calibration.ts";
import { explainCharacters } from "./characters.ts";
import { checkTexts, checkTurns } from "./content_check.ts";
import { checkMessages, checkRenderOptions } from "./conversation.ts";
import { markOwners } from "./marking.ts";
import {
  type ChatPolicy,
  type FullPolicy,
  isAnswer,
  isChosen,
  readPolicy,
} from "./policy.ts";
import { replaceTexts } from "./slots.ts";
import { readTags } from "./tags.ts";
import { type ChatTemplate, compileTemplate, dateOf } from "./template.ts";
import { findTurns } from "./turns.ts";
import type { Chat, Rendering } from "./understood.ts";
import { findUnread } from "./unread_fields.ts";

/** What a chat is rendered with. */
export interface RenderOptions {
  /** The model's chat template, in Jinja. */
  chatTemplate: string;
  /** The text of the token that begins a sequence (default ""). */
  bosToken?: string;
  /** The text of the token that ends one (default ""). */
  eosToken?: string;
  /** Function signatures, handed to the template as they are. */
  tools?: readonly unknown[];
  /** What the template's clock says, in UTC, or its ISO text. Without it, the day of the call; a template that can look at the clock is then a finding. */
  date?: Date | string;
  /** Further variables of the template, such as `enable_thinking`. */
  templateOptions?: Readonly<Record<string, unknown>>;
  /** What is trained. */
  policy?: ChatPolicy;
}

/** What is learnt of a template, by its other inputs; shared by its chats. */
interface Learnt {
  readonly calibration: Calibration;
  readonly tails: Map<string, string>;
  readonly closings: Map<string, string>;
}

const learnt = new WeakMap<ChatTemplate, Map<string, Learnt>>();

/** Renders a chat and finds out whose each character is. */
export function understandChat(
  messages: readonly ChatMessage[],
  options: RenderOptions,
): Rendering {
  checkRenderOptions(options);
  checkMessages(messages);
  const policy = readPolicy(options.policy);
  const template = compileTemplate(options.chatTemplate);
  const date = dateOf(options);
  const { bosToken = "", eosToken = "", tools, templateOptions } = options;
  const input = { bosToken, eosToken, tools, date, templateOptions };
  const render: Chat["render"] = (list, addGenerationPrompt) =>
    template.render({ ...input, messages: list, addGenerationPrompt });

  const seen = replaceTexts(messages, (text) => text);
  const text = render(seen, false);
  const owned = markOwners(
    messages,
    text,
    (marked) => render(marked, false),
    template.literals,
  );
  const { calibration, tails, closings } = learn(template, {
    ...input,
    tools: undefined,
  });
  const chat: Chat = {
    messages,
    text,
    owned,
    render,
    calibration,
    tails,
    closings,
    bosToken,
    eosToken,
  };
  const trained = chooseMessages(messages, policy);
  const findings: Finding[] = [];
  if (options.date === undefined && template.readsClock) {
    findings.push({
      code: "clock-read",
      detail: "The template can write today's date: give a date, so that " +
        "runs agree",
    });
  }
  const tagged = policy.generationTags && template.hasGenerationTags
    ? template.renderTagged({ ...input, messages: seen })
    : null;
  const found = findTurns(chat, isAnswer, (index) => trained[index]!);
  const turns = tagged === null
    ? found
    : readTags(chat, tagged, found, findings);
  const rendering: Rendering = {
    messages,
    policy,
    text,
    owned,
    calibration,
    turns,
    trained,
    findings,
    chat,
    proof: `${
      tagged === null ? "" : "the template's generation tags, and "
    }marks on ${owned.strength}`,
    ...explainCharacters(messages, policy, text, owned, turns, trained, chat),
  };
  checkTexts(rendering);
  checkTurns(rendering);
  findings.push(...findUnread(messages, tools, template.source, text));
  return rendering;
}

function learn(
  template: ChatTemplate,
  input: Omit<Parameters<ChatTemplate["render"]>[0], "messages">,
): Learnt {
  const key = JSON.stringify(input);
  const known = learnt.get(template) ?? new Map<string, Learnt>();
  learnt.set(template, known);
  let found = known.get(key);
  if (found === undefined) {
    found = {
      tails: new Map(),
      closings: new Map(),
      calibration: calibrate((messages, addGenerationPrompt) =>
        template.render({ ...input, messages, addGenerationPrompt })
      ),
    };
    known.set(key, found);
  }
  return found;
}

function chooseMessages(
  messages: readonly ChatMessage[],
  policy: FullPolicy,
): boolean[] {
  const chosen = messages.map((message) => isChosen(message, policy));
  if (!policy.lastTurnOnly) return chosen;
  const last = chosen.lastIndexOf(true);
  return chosen.map((_, index) => index === last);
}

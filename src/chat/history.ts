/**
 * Whether a template rewrites history: shows earlier turns otherwise once a chat
 * goes on, as those do that drop earlier thoughts.
 *
 * @module
 */
import { commonPrefix } from "./calibration.ts";
import { tryRender } from "./turn_ends.ts";
import type { Rendering } from "./understood.ts";

/** Why one row would not show what inference shows; null where it does. Renders each answer's prompt. */
export function whyRewritten(rendering: Rendering): string | null {
  const { chat, turns, trained } = rendering;
  for (const { message, headerStart, prefixShown } of turns) {
    if (!trained[message]) continue;
    if (!(prefixShown ?? isShown(chat, message, headerStart))) {
      return `The template shows what comes before message ${message} otherwise when it is answered`;
    }
  }
  return whyDropped(rendering);
}

/**
 * What a trained answer lost because the chat goes on; null where none did.
 * Renders only where something is missing.
 */
export function whyDropped(
  { chat, turns, trained, findings }: Rendering,
): string | null {
  const last = chat.messages.length - 1;
  for (const turn of turns) {
    const { message } = turn;
    if (!trained[message] || message === last) continue;
    const cut = findings.some((finding) =>
      finding.message === message && /dropped/.test(finding.code)
    );
    if (cut && !isKept(chat, turn)) {
      return `The template drops part of message ${message} once the chat goes on`;
    }
  }
  return null;
}

/** Whether the prompt before a message is, up to its header, the text's own beginning. */
function isShown(
  chat: Rendering["chat"],
  message: number,
  headerStart: number,
): boolean {
  const prompt = tryRender(chat, message, true);
  return prompt === null || commonPrefix(prompt, chat.text) >= headerStart;
}

/** Whether the chat cut behind a turn says nothing more of it than the whole chat does. */
function isKept(
  { text, owned, ...chat }: Rendering["chat"],
  { message, headerStart, end }: Rendering["turns"][number],
): boolean {
  const cut = tryRender(chat, message + 1, false);
  if (cut === null) return true;
  const here = text.slice(headerStart, end);
  const alone = cut.slice(Math.min(headerStart, commonPrefix(cut, text)));
  return owned.slots.every((slot) => {
    const words = slot.text.trim();
    return slot.message !== message || words === "" ||
      !alone.includes(words) || here.includes(words);
  });
}

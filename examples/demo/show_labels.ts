/**
 * What the demo says about labels: one conversation, and the share trained.
 *
 * @module
 */
import { IGNORE_INDEX, type TokenSpan } from "../../mod.ts";
import type { Qwen3 } from "../qwen3.ts";
import type { Conversation } from "./data.ts";
import { bar, paint, table, type Terminal } from "./terminal.ts";
import { showTokens } from "./tokens.ts";

const count = (n: number): string => n.toLocaleString("en");

/** A conversation token by token, with a legend. */
export function showConversation(
  terminal: Terminal,
  conversation: Conversation,
  qwen3: Qwen3,
): string[] {
  const { inputIds, labels } = conversation;
  const trained = labels.filter((label) => label !== IGNORE_INDEX).length;
  const legend = terminal.colour
    ? paint(terminal, "trained", "trained") +
      ": its label is its own id    " +
      paint(terminal, "quiet", "ignored: its label is -100")
    : "⟦trained⟧: its label is its own id    the rest, ignored: its label is -100";
  return [
    `  ${legend}`,
    "  │ parts tokens, · is a space, ↵ a newline",
    "",
    ...showTokens(terminal, conversation, qwen3.decode),
    "",
    `  ${trained} of ${inputIds.length} tokens are trained: what the assistant says, with the`,
    "  <|im_end|> by which it learns to stop. The rest is read, but costs nothing.",
    ...conversation.text.includes("<think>\n\n</think>")
      ? [
        "  An empty <think> block is put there by Qwen3's template; it is trained too.",
      ]
      : [],
  ];
}

/** How much is trained: of all, by file shape, by who speaks. */
export function showShares(
  terminal: Terminal,
  conversations: readonly Conversation[],
): string[] {
  // A row counts the tokens of some spans of each conversation.
  const row = (
    name: string,
    spansOf: (conversation: Conversation) => readonly TokenSpan[],
  ): string[] => {
    let chats = 0, tokens = 0, trained = 0;
    for (const conversation of conversations) {
      const spans = spansOf(conversation);
      if (spans.length > 0) chats++;
      for (const [start, end] of spans) {
        tokens += end - start;
        trained += conversation.labels.subarray(start, end)
          .filter((label) => label !== IGNORE_INDEX).length;
      }
    }
    const share = trained / tokens;
    return [
      name,
      String(chats),
      count(tokens),
      count(trained),
      `${(100 * share).toFixed(0)} %`,
      bar(share, 20),
    ];
  };
  const whole = ({ inputIds }: Conversation): TokenSpan[] => [
    [0, inputIds.length],
  ];
  const shape = (wanted: string) =>
    row(
      `file shape: ${wanted}`,
      (one) => one.chat.shape === wanted ? whole(one) : [],
    );
  const role = (name: string, wanted: string) =>
    row(name, ({ spans }) => spans[wanted] ?? []);
  const right = ["chats", "tokens", "trained", "share"];
  return table(terminal, ["", ...right, " "], [
    row("all", whole),
    shape("messages"),
    shape("sharegpt"),
    shape("prompt"),
    role("said by: system", "system"),
    role("said by: user and tools", "user"),
    role("said by: assistant", "assistant"),
    row("turn openers, newlines", betweenTurns),
  ], right);
}

/** The stretches that no role has said: `<|im_start|>role↵`, and ↵ behind a turn. */
function betweenTurns({ inputIds, spans }: Conversation): TokenSpan[] {
  const turns = Object.values(spans).flat().sort((a, b) => a[0] - b[0]);
  const gaps: TokenSpan[] = [];
  let last = 0;
  for (const [start, end] of [...turns, [inputIds.length, 0] as const]) {
    if (start > last) gaps.push([last, start]);
    last = end;
  }
  return gaps;
}

/**
 * What the demo says about labels: one conversation, and the share trained.
 *
 * @module
 */
import { IGNORE_INDEX, type TokenSpan } from "../../mod.ts";
import { showRow } from "../../src/report/terminal.ts";
import type { Conversation } from "./data.ts";
import { bar, table, type Terminal } from "./terminal.ts";

const count = (n: number): string => n.toLocaleString("en");

/** A conversation token by token, with a legend, its findings and its certificate. */
export function showConversation(
  terminal: Terminal,
  { row }: Conversation,
): string[] {
  return [
    ...showRow(row, { color: terminal.colour, width: terminal.columns }),
    "",
    "  Trained is what the assistant says, with the <|im_end|> by which it learns",
    "  to stop. The rest is read, but costs nothing.",
    ...row.text.includes("<think>\n\n</think>")
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
  // A row of the table counts the tokens of some spans of each conversation.
  const line = (
    name: string,
    spansOf: (conversation: Conversation) => readonly TokenSpan[],
  ): string[] => {
    let chats = 0, tokens = 0, trained = 0;
    for (const conversation of conversations) {
      const spans = spansOf(conversation);
      if (spans.length > 0) chats++;
      for (const [start, end] of spans) {
        tokens += end - start;
        trained += conversation.row.labels.subarray(start, end)
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
  const whole = ({ row }: Conversation): TokenSpan[] => [
    [0, row.inputIds.length],
  ];
  const shape = (wanted: string) =>
    line(
      `file shape: ${wanted}`,
      (one) => one.chat.shape === wanted ? whole(one) : [],
    );
  const role = (name: string, wanted: string) =>
    line(name, ({ spans }) => spans[wanted] ?? []);
  const right = ["chats", "tokens", "trained", "share"];
  return table(terminal, ["", ...right, " "], [
    line("all", whole),
    shape("messages"),
    shape("sharegpt"),
    shape("prompt"),
    role("said by: system", "system"),
    role("said by: user", "user"),
    role("said by: tools", "tool"),
    role("said by: assistant, with stop", "assistant"),
    line("written by the template", betweenTurns),
  ], right);
}

/** The stretches that nobody has said: `<|im_start|>role↵`, a question's `<|im_end|>`, tool lists. */
function betweenTurns({ row, spans }: Conversation): TokenSpan[] {
  const turns = Object.values(spans).flat().sort((a, b) => a[0] - b[0]);
  const gaps: TokenSpan[] = [];
  let last = 0;
  for (const [start, end] of [...turns, [row.inputIds.length, 0] as const]) {
    if (start > last) gaps.push([last, start]);
    last = end;
  }
  return gaps;
}

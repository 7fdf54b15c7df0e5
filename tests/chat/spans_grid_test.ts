/**
 * Spans over the whole grid of real templates and conversations, against an
 * oracle that knows no marks: renderings of the chat cut before and after each
 * answer, plain search of the answer's words, and tables of the stops.
 *
 * A pair is exact, or refused with a reason that its table below knows. No pair
 * may be silently wrong.
 *
 * @module
 */
import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { ChatTemplateError, renderChat } from "../../src/chat/mod.ts";
import { compileTemplate } from "../../src/chat/template.ts";
import { forEachPair, type GridPair } from "./grid/render_grid.ts";

/** Templates that end an answer with nothing, so that there is no stop to train. */
const NO_STOP = new Set([
  "falcon2:11b", // the next "User:" ends it
  "glm4:9b", // the next role's tag ends it
  "granite-code:3b", // the next "Question:" ends it
  "granite3-guardian:2b", // a classifier
  "llama-guard3:1b", // a classifier
  "llama-guard3:8b", // a classifier
  "nemotron-mini:4b", // the next role's tag ends it
  "shieldgemma:27b", // a classifier
]);

/** Templates whose last answer alone has no stop. */
const NO_LAST_STOP = new Set(["qwen:0.5b"]);

/** Stops as templates write them. */
const STOPS = [
  "<|im_end|>",
  "<|eot_id|>",
  "<|EOT|>",
  "<|end_of_turn|>",
  "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
  "<|eot|>",
  "<end_of_turn>",
  "<|END_OF_TURN_TOKEN|>",
  "<｜end▁of▁sentence｜>",
  "<|end_of_text|>",
  "[|endofturn|]",
  "<|endoftext|>",
  "<|end|>",
  "</s>",
];

/** What may stand in a turn beside the message's words. */
const SCAFFOLD = /^\s*(<\/?think>\s*|<\/?reasoning>\s*|\0\s*)*$/;

/** Where no header need stand before an answer: a classifier's chat, and answers that follow no question. */
const HEADERLESS = /^llama-guard3:8b | unruly$/;

/** Pairs that are refused although the template renders them, each with the reason. */
function isTrueReason(
  { template, conversation }: GridPair,
  message: string,
): string | null {
  const name = template.id;
  if (/guardian|shieldgemma/.test(name)) {
    return "a classifier: its generation prompt asks for a verdict, not for an answer";
  }
  if (conversation.id === "parallel" && /None/.test(message)) {
    return "the template writes None for a call without words";
  }
  if (conversation.id === "unruly") {
    return "no header before an answer that follows no question";
  }
  return null;
}

function basename(id: string): string {
  return id.replace(/^ollama\//, "").replace(/#\d+$/, "");
}

Deno.test("renderChat() is exact or refuses, on real templates", async () => {
  const tally = { exact: 0, refusedByTemplate: 0, refused: 0 };
  const wrong: string[] = [];
  const reasons = new Map<string, number>();
  await forEachPair((pair) => {
    const { messages, ...options } = pair.input;
    const chatTemplate = pair.template.template;
    try {
      const chat = renderChat(messages, { ...options, chatTemplate });
      const faults = check(pair, chat);
      if (faults.length === 0) tally.exact++;
      wrong.push(...faults.map((fault) => `${pair.name}: ${fault}`));
    } catch (error) {
      assert(error instanceof ChatTemplateError, `${pair.name}: ${error}`);
      if (error.reason !== "unproved") {
        assert(!("hash" in pair.expected[0]), `${pair.name}: ${error.message}`);
        tally.refusedByTemplate++;
        return;
      }
      const reason = isTrueReason(pair, error.message);
      if (reason === null) wrong.push(`${pair.name}: ${error.message}`);
      else reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      tally.refused++;
    }
  });
  const rendered = tally.exact + tally.refused;
  console.log(
    `${rendered} pairs render: ${tally.exact} exact, ${tally.refused} refused; ` +
      `the templates refuse ${tally.refusedByTemplate}`,
  );
  for (const [reason, count] of reasons) console.log(`  ${count}: ${reason}`);
  for (const w of wrong) console.log("  " + w);
  assertEquals(wrong, []);
  // granted the classifiers and the conversations that no question opens
  assertGreaterOrEqual(tally.exact / rendered, 0.97);
});

type Chat = ReturnType<typeof renderChat>;

/** What is wrong with the turns of one pair, in words. */
function check(
  { template, conversation, input }: GridPair,
  chat: Chat,
): string[] {
  const faults: string[] = [];
  const { messages, ...rest } = input;
  const { render } = compileTemplate(template.template);
  const cut = (count: number, addGenerationPrompt: boolean): string | null => {
    try {
      const list = messages.slice(0, count);
      return render({ ...rest, messages: list, addGenerationPrompt });
    } catch {
      return null;
    }
  };
  const answers = messages.flatMap(({ role }, i) =>
    role === "assistant" ? [i] : []
  );
  for (const index of answers) {
    const message = messages[index]!;
    const words = typeof message.content === "string" ? message.content : "";
    const turn = chat.turns.find((one) => one.message === index);
    const told = chat.findings.filter((one) => one.message === index)
      .map(({ code }) => code);
    if (turn === undefined) {
      if (words.trim() !== "" && !told.includes("content-dropped")) {
        faults.push(`answer ${index} has no turn and no finding`);
      }
      continue;
    }
    const said = chat.text.slice(turn.start, turn.end);
    const name = basename(template.id);
    const label = `answer ${index}, ${JSON.stringify(said.slice(0, 60))}`;

    // 1. its words stand in it, whole, or a finding says otherwise
    const body = [words, words.trim()].find((one) => said.includes(one));
    const prompt = cut(index, true);
    const opened = prompt !== null && /<think>\s*$/.test(prompt); // not trained
    if (
      body === undefined && !told.includes("content-dropped") && !opened
    ) faults.push(`${label}: its words are not in it`);

    // 2. beside its words and calls there is nothing but think tags
    let scaffold = said;
    for (const text of [message.reasoning_content, words, ...thoughts(words)]) {
      const trimmed = text?.trim();
      const at = trimmed ? scaffold.lastIndexOf(trimmed) : -1;
      if (at < 0) continue;
      scaffold = scaffold.slice(0, at) + "\0" +
        scaffold.slice(at + trimmed!.length);
    }
    const calls = (message.tool_calls?.length ?? 0) > 0;
    // the template may leave the end of the words alone
    const rest = /([^\0>]*)$/.exec(scaffold)![1]!.trim();
    if (told.includes("content-dropped") && words.trim().endsWith(rest)) {
      scaffold = scaffold.slice(0, scaffold.lastIndexOf(rest));
    }
    if (!calls && !SCAFFOLD.test(scaffold)) {
      faults.push(
        `${label}: it holds ${JSON.stringify(scaffold.slice(0, 80))}`,
      );
    }
    for (const call of calls ? message.tool_calls! : []) {
      const { name } = call.function;
      if (!said.includes(name) && !told.includes("field-dropped")) {
        faults.push(`${label}: the call of ${name} is not in it`);
      }
    }

    // 3. it begins where the prompt ends, where the prompt can be shown
    if (index > 0 && prompt !== null && chat.text.startsWith(prompt)) {
      if (prompt.length !== turn.start) {
        faults.push(`${label}: the prompt ends at ${prompt.length}`);
      }
    } else if (
      prompt !== null && !HEADERLESS.test(`${name} ${conversation.id}`)
    ) {
      const shown = prompt.replace(/<(think|thought)>\s*$/, "").slice(-6);
      if (!chat.text.slice(0, turn.start).endsWith(shown)) {
        faults.push(`${label}: it does not follow ${JSON.stringify(shown)}`);
      }
    }

    // 4. its stop is the template's
    const isLast = index === messages.length - 1;
    const stop = turn.endOfTurn === null
      ? null
      : chat.text.slice(...turn.endOfTurn).trim();
    const none = NO_STOP.has(name) || (isLast && NO_LAST_STOP.has(name));
    if (none ? stop !== null : !STOPS.includes(stop ?? "")) {
      faults.push(`${label}: it stops with ${JSON.stringify(stop)}`);
    }

    // 5. nobody else's words are in it
    for (const [other, { content, role }] of messages.entries()) {
      if (other === index || typeof content !== "string") continue;
      const theirs = content.trim();
      if (theirs.length < 12 || words.includes(theirs)) continue;
      if (said.includes(theirs)) {
        faults.push(`${label}: it holds what the ${role} says`);
      }
    }
  }
  return faults;
}

/** The thought inside a content, and what follows it. */
function thoughts(content: string): string[] {
  const match = /^\s*<think>(.*?)<\/think>(.*)$/s.exec(content);
  return match === null ? [] : [match[1]!, match[2]!];
}

/**
 * The whole road on real chats: text, ids, labels, loss, gradient, and a model
 * that learns. `deno task demo` runs it; `deno task demo 3` shows the
 * conversation of line 3; `deno task demo --color` keeps the colours in a pipe.
 *
 * @module
 */
import { createLossWorkspace } from "../mod.ts";
import { fastestBuild } from "../src/wasm/loader.ts";
import {
  packBatch,
  readChats,
  readConversation,
  readVocabulary,
} from "./demo/data.ts";
import { showConversation, showShares } from "./demo/show_labels.ts";
import {
  showAgreement,
  showCurves,
  showReductions,
} from "./demo/show_losses.ts";
import { openTerminal, paint, Progress } from "./demo/terminal.ts";
import { logitsOf, type Plan, type Run, train } from "./demo/train.ts";
import { loadQwen3 } from "./qwen3.ts";

/** The last conversations of the file are never trained on. */
const HELD_OUT = 8;
const STEPS = 240;
const BATCH_SIZE = 4;
const MEASURE_EVERY = 5;

/** Held-out conversations of 36, 105, 108 and 239 tokens. */
const MIXED_LINES = [54, 56, 57, 58];

/** A system prompt, two questions, two answers, an emoji. */
const SHOWN_LINE = 30;

async function main(args: readonly string[]): Promise<void> {
  const started = performance.now();
  const terminal = openTerminal(args.includes("--color"));
  const progress = new Progress();
  const say = (heading: string, lines: readonly string[]) => {
    progress.clear();
    console.log(`\n${paint(terminal, "heading", heading)}\n`);
    for (const line of lines) console.log(line);
  };

  const chats = await readChats(
    await Deno.readTextFile(new URL("chats.jsonl", import.meta.url)),
  );
  const line = Number(args.find((arg) => !arg.startsWith("-")) ?? SHOWN_LINE);
  if (!chats.some((chat) => chat.line === line)) {
    throw new RangeError(
      `Cannot show conversation as line must be 1 to ${
        chats.at(-1)?.line
      }: current value is ${line}`,
    );
  }
  progress.stage("Loading the Qwen3 tokenizer and chat template ...");
  const qwen3 = await loadQwen3();
  progress.stage(`Encoding ${chats.length} conversations ...`);
  const conversations = chats.map((chat) => readConversation(chat, qwen3));
  const shown = conversations.find(({ chat }) => chat.line === line)!;
  say(
    `1  What is trained: conversation ${line} of ${chats.length}, as Qwen3 reads it`,
    showConversation(terminal, shown),
  );
  say("2  The share trained", showShares(terminal, conversations));

  const training = conversations.slice(0, -HELD_OUT);
  const heldOut = conversations.slice(-HELD_OUT);
  const vocabulary = readVocabulary(training);
  const longest = Math.max(
    ...conversations.map((one) => one.row.inputIds.length),
  );
  using workspace = createLossWorkspace({
    rows: Math.max(HELD_OUT, BATCH_SIZE) * longest,
    vocabSize: vocabulary.size,
  });
  const plan: Plan = {
    training,
    heldOut,
    vocabulary,
    workspace,
    steps: STEPS,
    batchSize: BATCH_SIZE,
    measureEvery: MEASURE_EVERY,
  };
  const run = (nth: string, what: string, role: string): Run => {
    progress.stage(`Training ${nth} on ${what} ...`);
    return train(plan, role, (step, loss) => {
      progress.tick(
        `Training ${nth} on ${what}: step ${step} of ${STEPS}, loss ${
          loss.toFixed(2)
        }`,
      );
    });
  };
  const before = performance.now();
  const only = run("model 1 of 2", "assistant tokens only", "assistant");
  const everything = run("model 2 of 2", "every token", "everything");
  const seconds = (performance.now() - before) / 1000;
  say(
    "3  Two models that learn: held-out loss, in nats per token",
    showCurves(terminal, plan, only, everything, seconds),
  );

  const mixed = heldOut.filter(({ chat }) => MIXED_LINES.includes(chat.line));
  const batch = packBatch(mixed, vocabulary, "assistant");
  const logits = logitsOf(only.model, batch, workspace);
  say(
    "4  One batch, four reductions (logits of the first model)",
    showReductions(terminal, batch, mixed, logits),
  );
  progress.stage("Comparing with the float64 reference ...");
  say(
    "5  The same batch against the float64 reference",
    showAgreement(terminal, batch, logits, fastestBuild()),
  );
  const took = ((performance.now() - started) / 1000).toFixed(1);
  say(`Done in ${took} s. Next:`, [
    "  deno task test     proves what was shown here, and every edge",
    "  deno task bench    measures how fast it is on this machine",
  ]);
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    Deno.exitCode = 1;
  }
}

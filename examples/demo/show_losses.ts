/**
 * What the demo says about losses: two models' curves, the normalisations side
 * by side, the agreement with the reference.
 *
 * @module
 */
import { causalLoss, mergeLoss } from "../../mod.ts";
import { compare } from "./agreement.ts";
import { drawChart } from "./chart.ts";
import type { Batch, Conversation } from "./data.ts";
import { clip, paint, table, type Terminal } from "./terminal.ts";
import type { Plan, Run } from "./train.ts";

/** Held-out loss per assistant and per user token, of both models. */
export function showCurves(
  terminal: Terminal,
  plan: Plan,
  only: Run,
  everything: Run,
  seconds: number,
): string[] {
  const all = [only, everything].flatMap((run) => [run.assistant, run.user])
    .flat();
  const top = Math.ceil(Math.max(...all));
  const bottom = Math.min(Math.floor(Math.min(...all)), top - 1);
  const columns = Math.floor((terminal.columns - 5) / 2);
  const chart = (role: "assistant" | "user") => [
    paint(terminal, "heading", `     on ${role} tokens`.padEnd(columns)),
    ...drawChart(
      [
        {
          name: "",
          values: everything[role],
          dotted: true,
          paint: (text) => paint(terminal, "second", text),
        },
        {
          name: "",
          values: only[role],
          dotted: false,
          paint: (text) => paint(terminal, "first", text),
        },
      ],
      { columns, lines: 12, range: [bottom, top] },
      "step 0",
      `step ${plan.steps}`,
    ),
  ];
  const left = chart("assistant"), right = chart("user");
  const last = (values: readonly number[]): number => values.at(-1)!;
  const row = (name: string, { assistant, user }: Run) => [
    name,
    last(assistant).toFixed(3),
    last(user).toFixed(3),
  ];
  const guess = Math.log(plan.vocabulary.size);
  const names = ["assistant tokens", "user tokens"];
  const { steps, batchSize, training, heldOut, vocabulary } = plan;
  const count = (n: number) => n.toLocaleString("en");
  return [
    `  Each has ${
      count(only.model.weights.all.length)
    } parameters and sees ${only.model.sizes.context} tokens back; the same first`,
    `  weights, the same ${steps} batches of ${batchSize} conversations; ${
      seconds.toFixed(1)
    } s for both.`,
    `  Learnt from ${training.length} conversations with ${
      count(vocabulary.unseen)
    } different ids, judged on ${heldOut.length} others;`,
    `  an id that the ${training.length} never show is not scored there, as nothing could teach it.`,
    "",
    `  trained on ${paint(terminal, "first", "⠒⠒⠒⠒⠒ assistant tokens only")}` +
    `    ${paint(terminal, "second", "⠂⠐⠂⠐⠂ every token")}`,
    "",
    ...left.map((line, i) => `  ${line} ${right[i]}`.trimEnd()),
    "",
    ...table(terminal, ["held-out loss after training on", ...names], [
      row("assistant tokens only", only),
      row("every token", everything),
      ["nothing (every id equally likely)", guess.toFixed(3), guess.toFixed(3)],
    ], names),
    "",
    ...sayOutcome(plan, only, everything),
  ];
}

/** The outcome in words, read off the numbers. */
function sayOutcome(
  { measureEvery, steps }: Plan,
  only: Run,
  everything: Run,
): string[] {
  const gap = everything.assistant.at(-1)! - only.assistant.at(-1)!;
  const [what, best, other] = gap > 0
    ? ["assistant tokens only", only.assistant, everything.assistant]
    : ["every token", everything.assistant, only.assistant];
  const step = best.findIndex((loss) => loss <= other.at(-1)!) * measureEvery;
  const words = Math.abs(gap) < 0.005
    ? ["  On assistant tokens both end level."]
    : [
      `  On assistant tokens, training on ${what} ends ${
        Math.abs(gap).toFixed(2)
      } nats lower,`,
      `  and reaches the other's last loss by step ${step} of ${steps}.`,
    ];
  if (only.user.at(-1)! > everything.user.at(-1)! + 1) {
    words.push(
      "  The assistant-only model leaves user tokens unlearnt: users write those.",
    );
  }
  return words;
}

/** One batch of mixed lengths under each reduction. */
export function showReductions(
  terminal: Terminal,
  batch: Batch,
  conversations: readonly Conversation[],
  logits: Float32Array,
): string[] {
  const score = (reduction: "token" | "sequence" | "sample" | "sum") =>
    causalLoss(logits, batch, { reduction });
  const { loss, perSequence, activeTokens, totalTokens } = score("token");
  const each = conversations.map(({ chat, row }, i) => {
    const active = perSequence!.activeTokens[i]!;
    const question = chat.messages.find(({ role }) => role === "user")!.content;
    return [
      clip(String(question).replaceAll("\n", " "), 24),
      String(row.inputIds.length),
      String(active),
      (perSequence!.sum[i]! / active).toFixed(3),
      `${(100 * active / activeTokens).toFixed(0)} %`,
      `${(100 / conversations.length).toFixed(0)} %`,
    ];
  });
  const right = [
    "tokens",
    "scored",
    "mean loss",
    "weight: token",
    "sequence",
  ];
  const row = (
    reduction: "token" | "sequence" | "sample" | "sum",
    divisor: string,
    meaning: string,
  ) => [reduction, score(reduction).loss.toFixed(3), divisor, meaning];
  const middle = conversations.length >> 1;
  const merged = mergeLoss([
    causalLoss(...part(batch, logits, 0, middle)),
    causalLoss(...part(batch, logits, middle, conversations.length)),
  ]).loss;
  return [
    "  How much a conversation weighs in the loss is the reduction's choice:",
    "",
    ...table(terminal, ["conversation", ...right], each, right),
    "",
    ...table(terminal, ["reduction", "loss", "divides by", "so that"], [
      row(
        "token",
        `${activeTokens} scored`,
        "every trained token weighs the same",
      ),
      row(
        "sequence",
        `${conversations.length} means`,
        "every conversation weighs the same",
      ),
      row(
        "sample",
        `${totalTokens} positions`,
        "the divisor does not depend on the mask",
      ),
      row("sum", "1", "you divide, when all batches are in"),
    ], ["loss"]),
    "",
    `  As two half batches, merged: ${merged.toFixed(3)}, ${
      merged === loss ? "the same to the last bit." : `off by ${merged - loss}.`
    }`,
  ];
}

/** Some conversations of a packed batch, with their rows of the logits. */
function part(
  { inputIds, labels, cuSeqlens }: Batch,
  logits: Float32Array,
  first: number,
  last: number,
): [Float32Array, Batch] {
  const start = cuSeqlens[first]!, end = cuSeqlens[last]!;
  const vocabSize = logits.length / labels.length;
  return [logits.subarray(start * vocabSize, end * vocabSize), {
    inputIds: inputIds.subarray(start, end),
    labels: labels.subarray(start, end),
    cuSeqlens: cuSeqlens.subarray(first, last + 1).map((at) => at - start),
  }];
}

/** The WASM core's largest errors on a batch, and how much is allowed. */
export function showAgreement(
  terminal: Terminal,
  batch: Batch,
  logits: Float32Array,
  build: string,
): string[] {
  const row = (name: string, deterministic: boolean) => {
    const { lossError, gradientError } = compare(logits, batch, deterministic);
    return [name, lossError.toExponential(1), gradientError.toExponential(1)];
  };
  const right = ["loss error", "gradient error"];
  return [
    ...table(terminal, ["build", ...right], [
      row(`${build} SIMD, which did all of the above`, false),
      ...build === "relaxed"
        ? [row("plain SIMD (deterministic: true)", true)]
        : [],
      ["allowed", "1.0e-6", "2.0e-6"],
    ], right),
    "",
    "  loss: |a - e| / max(1, |e|)",
    "  gradient: the largest |a - e| / (|e| + 1e-4 · max|e| of its row)",
  ];
}

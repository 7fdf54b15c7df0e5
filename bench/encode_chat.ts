/**
 * How fast `encodeChat` makes rows of chats, on one core, with Qwen3:
 *
 *     deno run --allow-read bench/encode_chat.ts [FILE] [--rounds=7]
 *
 * FILE holds chats of any shape that `readConversations` knows; without one the
 * demo's are taken, eight times over. First every row is verified: its ids are
 * those of the text tokenised whole, and its certificate holds. Then it is timed
 * against the floor, `@huggingface/tokenizers` encoding the rendered texts and
 * nothing else, interleaved in this one process:
 *
 * - the first pass of the process, its code not yet compiled;
 * - a fresh tokenizer and a fresh template, nothing remembered;
 * - warm: tokenizer and template have seen these chats.
 *
 * @module
 */
import { Tokenizer } from "@huggingface/tokenizers";
import {
  type ChatTokenizer,
  checkCertificate,
  encodeChat,
  type EncodedChat,
  type EncodeOptions,
  loadTokenizer,
} from "../src/chat/mod.ts";
import { calibrate } from "../src/chat/calibration.ts";
import { certify } from "../src/chat/certificate.ts";
import { encodeRendering, understandOptions } from "../src/chat/encode_chat.ts";
import { markOwners } from "../src/chat/marking.ts";
import { understandChat } from "../src/chat/rendering.ts";
import { compileTemplate } from "../src/chat/template.ts";
import type { Conversation } from "../src/row.ts";
import { EXAMPLES, loadQwen3Files, readChats } from "./chats.ts";
import { verify } from "./data.ts";
import { interleave, machine } from "./harness.ts";

const files = await loadQwen3Files();

/** The day that a template may write. */
const date = new Date(0);

type Model = InstanceType<typeof Tokenizer>;

const freshModel = (): Model =>
  new Tokenizer(files.tokenizerJson, files.tokenizerConfig);

/** A tokenizer with nothing remembered; its template is another text, so that nothing is known of it either. */
let fresh = 0;
const freshTokenizer = (): ChatTokenizer =>
  loadTokenizer({
    ...files,
    chatTemplate: `{# ${fresh++} #}${files.tokenizerConfig.chat_template}`,
  });

function encodeAll(
  chats: readonly Conversation[],
  tokenizer: ChatTokenizer,
): EncodedChat[] {
  return chats.map(({ messages, tools }) =>
    encodeChat(messages, optionsOf(tokenizer, tools))
  );
}

function optionsOf(
  tokenizer: ChatTokenizer,
  tools: Conversation["tools"],
): EncodeOptions {
  return tools === undefined ? { tokenizer, date } : { tokenizer, date, tools };
}

/** The stages, in the order in which `encodeChat` comes to them. */
const STAGES = [
  "render", // the template, every time
  "marks", // all but their renderings
  "calibration", // once a template
  "turns and checks",
  "tokenise", // the tokenizer's own encode
  "cut, walk and join",
  "facts and labels",
  "certificate",
] as const;

/** Milliseconds of each stage. */
type Parts = Record<typeof STAGES[number], number>;

/** Times stages; a stage inside another is not counted to that one. */
class Stopwatch {
  readonly parts = Object.fromEntries(
    STAGES.map((name) => [name, 0]),
  ) as Parts;
  #inside = 0;

  run<T>(name: keyof Parts, work: () => T): T {
    const before = this.#inside;
    this.#inside = 0;
    const start = performance.now();
    const result = work();
    const time = performance.now() - start;
    this.parts[name] += time - this.#inside;
    this.#inside = before + time;
    return result;
  }
}

/** Times the stages of every chat. */
function measureParts(
  chats: readonly Conversation[],
  tokenizer: ChatTokenizer,
  isFresh: boolean,
): Parts {
  const watch = new Stopwatch();
  const apart = new Stopwatch(); // for what lies inside other stages
  const { parts } = watch;
  const template = compileTemplate(tokenizer.chatTemplate!);
  const { render } = template;
  const { encode } = Tokenizer.prototype;
  Object.assign(template, {
    render: (input: Parameters<typeof render>[0]) =>
      watch.run("render", () => render(input)),
  });
  Object.assign(Tokenizer.prototype, {
    encode(this: Model, ...given: Parameters<typeof encode>) {
      return watch.run("tokenise", () => encode.apply(this, given));
    },
  });
  if (isFresh) {
    const options = understandOptions(optionsOf(tokenizer, undefined));
    apart.run(
      "calibration",
      () =>
        calibrate((messages, addGenerationPrompt) =>
          render({ ...options, date, messages, addGenerationPrompt })
        ),
    );
  }
  for (const { messages, tools } of chats) {
    const options = understandOptions(optionsOf(tokenizer, tools));
    const rendering = watch.run(
      "turns and checks",
      () => understandChat(messages, options),
    );
    const { text } = rendering;
    const renderAgain = (list: Parameters<typeof render>[0]["messages"]) =>
      apart.run("render", () => render({ ...options, date, messages: list }));
    apart.run(
      "marks",
      () => markOwners(messages, text, renderAgain, template.literals),
    );
    const tokens = watch.run(
      "cut, walk and join",
      () => tokenizer.encode(text),
    );
    const known = { ...tokenizer, encode: () => tokens };
    const row = watch.run(
      "facts and labels",
      () => encodeRendering(rendering, known),
    );
    const { proof } = row.certificate;
    apart.run("certificate", () => certify(row, known, proof, () => true));
  }
  Object.assign(template, { render });
  Object.assign(Tokenizer.prototype, { encode });
  const { marks, certificate, calibration } = apart.parts;
  parts["turns and checks"] -= marks + calibration;
  parts["facts and labels"] -= certificate;
  return { ...parts, marks, certificate, calibration };
}
function check(chats: readonly Conversation[], tokenizer: ChatTokenizer) {
  const model = freshModel();
  const rows = encodeAll(chats, tokenizer);
  for (const row of rows) {
    const { ids } = model.encode(row.text, { add_special_tokens: false });
    verify("ids", Number(ids.join() === row.inputIds.join()), 1, 0);
    checkCertificate(row, tokenizer);
  }
  return rows;
}

const thousands = (perMillisecond: number) => `${perMillisecond.toFixed(0)}k`;

async function main(): Promise<void> {
  const path = Deno.args.find((arg) => !arg.startsWith("--"));
  const rounds = Number(
    Deno.args.find((arg) => arg.startsWith("--rounds="))?.slice(9) ?? 7,
  );
  const read = await readChats(path ?? EXAMPLES);
  const chats = path === undefined ? Array(8).fill(read).flat() : read;
  const sys = Deno.permissions.querySync({ name: "sys", kind: "cpus" });
  if (sys.state === "granted") console.log(`${machine()}.`);

  const unused = freshTokenizer();
  const start = performance.now();
  const first = encodeAll(chats, unused);
  const firstTime = performance.now() - start;
  const warm = freshTokenizer();
  const rows = check(chats, warm);
  const tokens = rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  verify(
    "tokens",
    first.flatMap(({ inputIds }) => [...inputIds]).length,
    tokens,
    0,
  );
  const trained = rows.reduce(
    (sum, { certificate }) => sum + certificate.trainedTokens,
    0,
  );
  console.log(
    `${rows.length} chats, ${tokens} tokens, ${trained} of them trained; ` +
      "ids are those of the text whole, every certificate holds.\n",
  );

  const texts = rows.map(({ text }) => text);
  const floor = (model: Model) => {
    for (const text of texts) model.encode(text, { add_special_tokens: false });
  };
  let [model, tokenizer] = [freshModel(), warm];
  const warmModel = freshModel();
  const times = interleave([
    {
      name: "fresh floor",
      before: () => model = freshModel(),
      run: () => floor(model),
    },
    {
      name: "fresh",
      before: () => tokenizer = freshTokenizer(),
      run: () => encodeAll(chats, tokenizer),
    },
    { name: "warm floor", run: () => floor(warmModel) },
    { name: "warm", run: () => encodeAll(chats, warm) },
  ], rounds);
  const rate = (name: string, of: "best" | "median") =>
    tokens / times.get(name)![of];
  console.log("| tokens/s | best | median | floor, best | of the floor |");
  console.log("|---|---|---|---|---|");
  console.log(
    `| first pass of the process | ${thousands(tokens / firstTime)} | | | |`,
  );
  for (const name of ["fresh", "warm"]) {
    const floorRate = rate(`${name} floor`, "best");
    const best = rate(name, "best");
    console.log(
      `| ${name} | ${thousands(best)} | ${thousands(rate(name, "median"))} | ` +
        `${thousands(floorRate)} | ${(best / floorRate).toFixed(2)} |`,
    );
  }

  const sum = (parts: Parts) => Object.values(parts).reduce((a, b) => a + b);
  const shares = (isFresh: boolean): Parts =>
    Array.from(
      { length: 3 },
      () => measureParts(chats, isFresh ? freshTokenizer() : warm, isFresh),
    ).reduce((a, b) => sum(a) < sum(b) ? a : b);
  const columns = [shares(true), shares(false)];
  console.log("\n| share of the time, % | fresh | warm |\n|---|---|---|");
  for (const name of STAGES) {
    const cells = columns.map((parts) =>
      (100 * parts[name] / sum(parts)).toFixed(1)
    );
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

if (import.meta.main) await main();

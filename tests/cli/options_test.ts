/** Options: what is parsed, what is refused and in which words. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../src/cli/errors.ts";
import {
  type CommandHelp,
  helpOf,
  nearest,
  parseCommand,
} from "../../src/cli/options.ts";
import { readEncoding } from "../../src/cli/encoding_options.ts";
import { INSPECT } from "../../src/cli/inspect.ts";
import { TOKENIZER } from "./fixture.ts";

const HELP: CommandHelp = {
  name: "try",
  usage: "FILE",
  summary: "",
  about: ["A paragraph."],
  groups: [{
    title: "Some",
    options: {
      count: { short: "n", value: "N", help: "how many" },
      word: { value: "WORD", help: "one of two" },
      many: { value: "X", repeat: true, help: "as many as you like" },
      flag: { help: "yes or no" },
      "a-name-that-takes-a-line": { value: "V", help: "below" },
    },
  }],
  examples: ["try x"],
};

Deno.test("parseCommand() takes options in every way they are written", () => {
  for (const args of [["-n", "3"], ["-n3"], ["--count", "3"], ["--count=3"]]) {
    assertEquals(parseCommand(HELP, args).count("count", 1), 3);
  }
  const args = parseCommand(HELP, [
    "--flag",
    "-",
    "--many",
    "1",
    "--many=2",
    "--",
    "--word",
  ]);
  assertEquals(args.positionals, ["-", "--word"]);
  assertEquals(args.texts("many"), ["1", "2"]);
  assertEquals([args.has("flag"), args.has("word")], [true, false]);
  assertEquals(args.text("word"), undefined);
  assertEquals(parseCommand(HELP, ["--word", "-1"]).text("word"), "-1");
});

Deno.test("parseCommand() refuses in one line", () => {
  const wrong: [string[], string][] = [
    [["--cuont", "3"], "there is no option --cuont: did you mean --count?"],
    [["--zzz"], "there is no option --zzz"],
    [["-x"], "there is no option -x"],
    [["--constructor"], "there is no option --constructor"],
    [["--count"], "--count needs a value: --count N"],
    [["-n"], "-n needs a value: -n N"],
    [["--count="], "--count needs a value"],
    [["--count", "--flag"], "--count needs a value"],
    [["--flag=1"], '--flag takes no value: got "1"'],
    [["-n", "1", "-n", "2"], "--count is said twice"],
    [["--bad\u001b[31m"], "there is no option --bad"],
  ];
  for (const [args, words] of wrong) {
    const error = assertThrows(() => parseCommand(HELP, args), UsageError);
    assertStringIncludes(error.message, words);
    // deno-lint-ignore no-control-regex
    assertEquals(/[\n\x1b]/.test(error.message), false);
  }
});

Deno.test("Args.count() wants whole numbers", () => {
  for (const text of ["0", "-1", "1.5", "", "x", "1e3", "99999999999", " 3"]) {
    if (text === "") continue;
    const error = assertThrows(
      () => parseCommand(HELP, ["-n", text]).count("count", 1),
      UsageError,
    );
    assertStringIncludes(
      error.message,
      "-n must be a whole number of at least 1",
    );
  }
});

Deno.test("Args.word() names the words there are", () => {
  const args = parseCommand(HELP, ["--word", "c"]);
  assertThrows(
    () => args.word("word", ["a", "b"]),
    UsageError,
    '--word must be one of a, b: got "c"',
  );
});

Deno.test("nearest() finds the word that was meant, and none where none was", () => {
  assertEquals(nearest("tokeniser", ["tokenizer", "shape"]), "tokenizer");
  assertEquals(nearest("max-lenght", ["max-length", "date"]), "max-length");
  assertEquals(nearest("q", ["tokenizer", "shape"]), null);
});

Deno.test("helpOf() says every option once, long names on a line of their own", () => {
  assertEquals(
    helpOf(HELP),
    `Usage: sft-loss try FILE

A paragraph.

Some:
  -n, --count N             how many
      --word WORD           one of two
      --many X              as many as you like
      --flag                yes or no
      --a-name-that-takes-a-line V
                            below

Other:
  -h, --help                show this

Examples:
  sft-loss try x
`,
  );
});

/** What `inspect` would encode with. */
function encoding(...args: string[]) {
  return readEncoding(
    parseCommand(INSPECT, ["x", "--tokenizer", TOKENIZER, ...args]),
  );
}

Deno.test("readEncoding() reads every policy", () => {
  assertEquals(encoding().policy, {
    lastTurnOnly: false,
    endOfTurn: true,
    whitespaceAfterEnd: false,
    roleHeader: false,
    thinkOpening: false,
    toolCalls: true,
    endOfText: false,
    straddling: "exclude",
    controlText: "report",
    generationTags: true,
  });
  const all = encoding(
    ..."--train-roles assistant,tool --last-turn-only --no-end-of-turn --train-whitespace"
      .split(" "),
    ..."--role-header --think-opening --no-tool-calls --end-of-text --straddling include"
      .split(" "),
    ..."--control-text neutralise --no-generation-tags --split never --date 2026-02-28"
      .split(" "),
    "--template-option",
    "enable_thinking=false",
    '--template-option=lang="en=US"',
    "--chat-template",
    "tests/cli/tokenizer/tokenizer_config.json",
  );
  assertEquals(all.policy, {
    roles: ["assistant", "tool"],
    lastTurnOnly: true,
    endOfTurn: false,
    whitespaceAfterEnd: true,
    roleHeader: true,
    thinkOpening: true,
    toolCalls: false,
    endOfText: true,
    straddling: "include",
    controlText: "neutralise",
    generationTags: false,
  });
  assertEquals(all.split, "never");
  assertEquals(all.date, new Date("2026-02-28"));
  assertEquals(all.templateOptions, { enable_thinking: false, lang: "en=US" });
  assertStringIncludes(all.chatTemplate!, "chat_template");
});

Deno.test("readEncoding() refuses in one line", () => {
  const wrong: [string[], string][] = [
    [["--date", "2026-02-30"], "--date must be a day, YYYY-MM-DD"],
    [["--date", "today"], "--date must be a day"],
    [["--date", "2026-2-3"], "--date must be a day"],
    [["--template-option", "x"], "--template-option must be KEY=JSON"],
    [["--template-option", "x=en"], "--template-option x must be JSON"],
    [["--template-option", "1=2"], "--template-option must be KEY=JSON"],
    [["--train-roles", "a,,b"], "--train-roles must be names"],
    [["--split", "often"], "--split must be one of auto, never, always"],
    [["--straddling", "x"], "--straddling must be one of"],
    [["--control-text", "x"], "--control-text must be one of"],
    [
      ["--chat-template", "none.jinja"],
      "cannot read --chat-template none.jinja: no such file",
    ],
    [["--chat-template", "tests"], "it is a folder"],
  ];
  for (const [args, words] of wrong) {
    const error = assertThrows(() => encoding(...args), UsageError);
    assertStringIncludes(error.message, words);
  }
});

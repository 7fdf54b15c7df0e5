/**
 * Twelve conversations for a grid of chat templates, written for it: each holds
 * what some template trips over. They are no sample of real chats, and none
 * asks to be rendered by every template: one that refuses has answered too.
 *
 * @module
 */
import type { ChatMessage } from "../../../src/row.ts";

/** One row of the grid. */
export interface GridConversation {
  /** Its name in tests and vectors. */
  readonly id: string;
  /** The turns in order. */
  readonly messages: readonly ChatMessage[];
  /** Function signatures, in the OpenAI format. */
  readonly tools?: readonly unknown[];
}

function system(content: string): ChatMessage {
  return { role: "system", content };
}

function user(content: string): ChatMessage {
  return { role: "user", content };
}

function assistant(
  content: string | null,
  rest: Omit<ChatMessage, "role" | "content"> = {},
): ChatMessage {
  return { role: "assistant", content, ...rest };
}

/** A call. Mistral's templates ask for ids of nine letters and digits. */
function call(id: string, name: string, args: unknown) {
  return { id, type: "function", function: { name, arguments: args } };
}

function result(id: string, name: string, content: string): ChatMessage {
  return { role: "tool", tool_call_id: id, name, content };
}

const TOOLS = [
  {
    type: "function",
    function: {
      name: "tide",
      description: "High water at a harbour; heights in metres, <= 12.",
      parameters: {
        type: "object",
        properties: {
          harbour: { type: "string", description: "Its name, e.g. “Fåborg”" },
          day: { type: "integer", minimum: 1, maximum: 31 },
          datum: { type: "string", enum: ["chart", "mean & more"] },
        },
        required: ["harbour"],
      },
    },
  },
  {
    type: "function",
    function: {
      name: "moor",
      description: "Reserves a berth.\nAsk before you call it.",
      parameters: {
        type: "object",
        properties: {
          length: { type: "number", default: 7.5 },
          power: { type: "boolean", default: false },
          crew: { type: "array", items: { type: "string" } },
        },
        required: ["length", "power"],
      },
    },
  },
];

/** Prose of numbered sentences: no two lines alike, so that a cut shows where. */
function prose(lines: number): string {
  return Array.from(
    { length: lines },
    (_, i) =>
      `${i + 1}. Plank ${i * 7 + 3} is fastened with ${
        i % 9 + 2
      } copper nails, ` +
      `caulked, and left to swell for ${i % 5 + 1} days.`,
  ).join("\n");
}

const CODE = `Here is a reader of tide tables:

\`\`\`python
def read(path):
    """One row per line; '#' opens a comment."""
    with open(path) as lines:
        for line in lines:
\t\t\t# a tab before this comment
            text, _, _ = line.partition("#")
            if text.strip():
                yield [float(x) for x in text.split(",")]
\`\`\`

and the same in a template: \`{{ rows | join(", ") }}{% if x %}…{% endif %}{# none #}\`.

`;

/** The twelve conversations. */
export const CONVERSATIONS: readonly GridConversation[] = [
  {
    id: "plain",
    messages: [
      user("Which wood is best for a keel?"),
      assistant("Oak: it is heavy, and it keeps under water."),
    ],
  },
  {
    id: "system",
    messages: [
      system("You are a boatbuilder.\nAnswer in one sentence."),
      user("What is a strake?"),
      assistant("A line of planking from stem to stern."),
      user("And the one next to the keel?"),
      assistant("That is the garboard."),
      user("The top one?"),
      assistant("The sheer strake."),
    ],
  },
  {
    // answers that a search for their text finds in the wrong place, or nowhere
    id: "short",
    messages: [
      user("Say OK."),
      assistant("OK"),
      user("OK, again."),
      assistant("OK"),
      user("Now say nothing."),
      assistant(""),
      user("Who are you?"),
      assistant("assistant"),
      user("And I?"),
      assistant("user"),
      user("Good?"),
      assistant("👍"),
      user("..."),
      assistant("..."),
    ],
  },
  {
    id: "edges",
    messages: [
      system("  Indent by two.  "),
      user(" A space before, a newline behind.\n"),
      assistant("  two spaces before, three behind   "),
      user("\nNewlines?\n\n"),
      assistant("\n\nTwo before, one behind\n"),
      user("\tTabs?\t"),
      assistant("\t- tab\r\n\t- CRLF\u00a0"),
      user("Only whitespace?"),
      assistant(" \n "),
    ],
  },
  {
    id: "reasoning",
    messages: [
      user("Is 91 prime?"),
      assistant("No: 7 × 13.", {
        reasoning_content: "Try 2, 3, 5, 7.\n\n7 × 13 = 91.",
      }),
      user("And 97?"),
      assistant("Yes.", {
        reasoning_content: "\nNone of 2, 3, 5, 7 divides it.\n",
      }),
      user("And 1?"),
      assistant("By convention, no.", {
        reasoning_content: "A unit. <think>Not a prime</think>, then.",
      }),
    ],
  },
  {
    id: "think",
    messages: [
      user("How long is the shadow of a 10 m mast at 45°?"),
      assistant("<think>\ntan 45° = 1\n</think>\n\n10 m."),
      user("At 30°?"),
      assistant("<think>\n\n</think>\n\nAbout 17.3 m."),
      user("What does </think> mean?"),
      assistant(
        "<think>They ask about the tag.</think>It closes a <think> block: </think>.",
      ),
    ],
  },
  {
    // one call a turn, as Llama 3.1 wants it; content is text, as most want it
    id: "tools",
    messages: [
      system("Use the tools."),
      user("When is high water at Fåborg on the 3rd?"),
      assistant("", {
        tool_calls: [
          call("t1d3aaaa1", "tide", { harbour: "Fåborg", day: 3 }),
        ],
      }),
      result("t1d3aaaa1", "tide", '{"time": "06:41", "height": 0.4}'),
      assistant("At 06:41, 0.4 m."),
      user("Moor me there: 7.5 m, no power."),
      assistant("One moment.", {
        tool_calls: [
          call("m00raaaa2", "moor", {
            length: 7.5,
            power: false,
            crew: ["Åse", "<Bo & Co>"],
          }),
        ],
      }),
      result("m00raaaa2", "moor", "berth 12"),
      assistant("Berth 12 is yours."),
    ],
    tools: TOOLS,
  },
  {
    // content null and arguments as JSON text, as the OpenAI format has them
    id: "parallel",
    messages: [
      user("High water at Ribe and at Esbjerg?"),
      assistant(null, {
        reasoning_content: "Two calls, one answer.",
        tool_calls: [
          call(
            "t1d3bbbb1",
            "tide",
            '{"harbour": "Ribe", "datum": "mean & more"}',
          ),
          call("t1d3bbbb2", "tide", '{"harbour": "Esbjerg", "day": null}'),
        ],
      }),
      result("t1d3bbbb1", "tide", '{"time": "11:02", "height": 1.7}'),
      result("t1d3bbbb2", "tide", '{"time": "10:48",\n "height": 1.5}'),
      assistant("Ribe 11:02, Esbjerg 10:48."),
      user("Thanks."),
      assistant("Fair winds."),
    ],
    tools: TOOLS,
  },
  {
    id: "control",
    messages: [
      system("Quote <|im_start|>system and <<SYS>> as they are."),
      user(
        "Which texts end a turn? [INST] is one. <|im_end|>\n<|im_start|>user",
      ),
      assistant(
        "`<|im_end|>`, `[/INST]`, `</s>`, `<|eot_id|>` and <end_of_turn>\n" +
          "<|im_start|>assistant\nare such texts.",
      ),
      user("<|start_header_id|>assistant<|end_header_id|>\n\nAnd in HTML?"),
      assistant("<p class=\"end\">None &amp; no <br/>; 'quotes' \\n stay.</p>"),
      user("<tool_response>\nYes?\n</tool_response>"),
      assistant("<tool_call>\n{}\n</tool_call><|endoftext|></s>"),
    ],
  },
  {
    id: "scripts",
    messages: [
      system("用中文回答。"),
      user("港口在哪里？（請用繁體）"),
      assistant("港口在東邊，離這裡三公里。"),
      user("أين الميناء؟"),
      assistant("المِيناءُ شرقًا، على بُعد ٣ كم\u200f."),
      user("Cafe\u0301, हिन्दी, ไทย?"),
      assistant("Cafe\u0301 (e + U+0301), नाव, เรือ, 한국어 \u1112\u1161\u11ab"),
      user("And beyond the BMP?"),
      assistant("𝔐𝔞𝔰𝔱 𠮷 👩‍👩‍👧 🇩🇰 ⛵️ ½ ǅ ß İ"),
    ],
  },
  {
    id: "long",
    messages: [
      user("Write the whole plan.\n\n" + prose(60)),
      assistant(prose(110)),
      user("Now as code."),
      assistant(CODE),
    ],
  },
  {
    // the assistant first, then twice in a row, and the user last
    id: "unruly",
    messages: [
      assistant("Ahoy! Ask me about boats."),
      user("Which knot for the jib?"),
      assistant("A bowline."),
      assistant("Or a soft shackle."),
      user("Which is lighter?"),
    ],
  },
];

/**
 * Rendering against an oracle: Python's Jinja2, set up as Hugging Face sets it
 * up, has rendered every pair of the grid, and every pair must agree to the
 * last byte, or both must refuse it. What differs is named here, with the reason.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ChatTemplateError } from "../../src/chat/errors.ts";
import { compileTemplate } from "../../src/chat/template.ts";
import { CONVERSATIONS } from "./grid/conversations.ts";
import {
  forEachPair,
  GRID_DATE,
  isText,
  LEFT_OUT,
  readVectors,
  sha256,
  type Verdict,
} from "./grid/render_grid.ts";

/** The pairs that differ and are known to, each with the reason. */
const KNOWN: Readonly<Record<string, string>> = {};

/** At least this share of the pairs that Jinja2 renders must be equal. */
const LEAST_EQUAL = 0.97;

/** A text, or what refused to make one. */
type Outcome = { text: string } | { error: unknown };

/** "equal", "both refuse", or how the two differ. */
async function compare(outcome: Outcome, expected: Verdict): Promise<string> {
  const wordsOf = (error: unknown) =>
    error instanceof ChatTemplateError
      ? `${error.reason}: ${error.message}`
      : `not a ChatTemplateError: ${error}`;
  if ("hash" in expected) {
    if ("error" in outcome) return `only we refuse: ${wordsOf(outcome.error)}`;
    return await isText(outcome.text, expected) ? "equal" : "another text";
  }
  const words = "refused" in expected ? expected.refused : expected.error;
  if ("text" in outcome) return `only Jinja2 refuses: ${words}`;
  const { error } = outcome;
  if (!(error instanceof ChatTemplateError)) return wordsOf(error);
  if (!("refused" in expected)) {
    return error.reason === "template" ? "both refuse" : wordsOf(error);
  }
  // the template's own words must come through
  return error.reason === "refused" && error.message.includes(words)
    ? "both refuse"
    : `Jinja2 says ${words}, we say ${wordsOf(error)}`;
}

function attempt(render: () => string): Outcome {
  try {
    return { text: render() };
  } catch (error) {
    return { error };
  }
}

Deno.test("render() agrees with Jinja2 on real templates", async () => {
  const compared = await forEachPair(
    async ({ name, template, input, expected }) => {
      const outcomes = [false, true].map((addGenerationPrompt) =>
        attempt(() =>
          compileTemplate(template.template).render({
            ...input,
            addGenerationPrompt,
          })
        )
      );
      const [plain, prompted] = await Promise.all(
        outcomes.map((outcome, i) => compare(outcome, expected[i]!)),
      );
      return [
        [name, plain!] as const,
        [`${name} + prompt`, prompted!] as const,
      ];
    },
  );

  const verdicts = compared.flat();
  const count = (what: string) =>
    verdicts.filter(([, verdict]) => verdict === what).length;
  const [equal, refused] = [count("equal"), count("both refuse")];
  const differing = verdicts.filter(([, verdict]) =>
    verdict !== "equal" && verdict !== "both refuse"
  );
  console.log(
    `${verdicts.length} texts: ${equal} equal, ${refused} refused by both, ` +
      `${differing.length} differ`,
  );
  const list = differing.map(([name, verdict]) => {
    const reason = KNOWN[name.replace(/ \+ prompt$/, "")] ?? "UNEXPLAINED";
    return `${name}: ${verdict} (${reason})`;
  });
  for (const line of list) console.log(`  ${line}`);

  assertEquals(list.filter((line) => line.endsWith("(UNEXPLAINED)")), []);
  const names = new Set(
    differing.map(([name]) => name.replace(/ \+ prompt$/, "")),
  );
  const isHere = (name: string) =>
    !LEFT_OUT.some((id) => name.startsWith(`${id} × `));
  assertEquals(
    Object.keys(KNOWN).filter((name) => isHere(name) && !names.has(name)),
    [],
    "these pairs no longer differ",
  );
  assert(
    equal / (verdicts.length - refused) >= LEAST_EQUAL,
    `only ${equal} of ${verdicts.length - refused} are equal`,
  );
});

Deno.test("chat_render.jsonl belongs to this grid", async () => {
  const { head, lines } = readVectors();
  assertEquals(CONVERSATIONS.length, 12);
  assertEquals(lines.size, 103);
  assertEquals(new Date(head.date), GRID_DATE);
  const hashes = await Promise.all(
    CONVERSATIONS.map(async (conversation) => [
      conversation.id,
      (await sha256(JSON.stringify(conversation))).slice(0, 16),
    ]),
  );
  assertEquals(
    Object.fromEntries(hashes),
    head.conversations,
    "run scripts/export_templates.ts and scripts/make_chat_vectors.py",
  );
});

Deno.test({
  name: `render() on the templates of big packages (set GRID=all): ${
    LEFT_OUT.join(", ") || "all are in"
  }`,
  ignore: LEFT_OUT.length > 0,
  fn: () => assertEquals(LEFT_OUT, []),
});

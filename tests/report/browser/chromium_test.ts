/**
 * The HTML report in a browser: what a chat says is text and never runs, nothing
 * is asked of any network, and filters, panel and keys do what they say.
 *
 * It needs Chromium, and the permissions to run it, to write a folder for its
 * profile and the report, and to talk to it on this machine:
 * `deno test --allow-run --allow-read --allow-write --allow-env --allow-net=127.0.0.1`.
 * Where there is no Chromium it is ignored and says so; with REQUIRE_CHROMIUM=1
 * that is a failure.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { packSequences } from "../../../src/packing/pack.ts";
import { Audit } from "../../../src/report/findings.ts";
import { htmlParts, type HtmlReportInput } from "../../../src/report/html.ts";
import { inline, reveal } from "../../../src/report/visible.ts";
import { chatRow, chop, HOSTILE, sampleRows } from "../rows.ts";
import { findChromium, type Page, withPage } from "./chromium.ts";

const granted = (name: "run" | "write" | "net") =>
  Deno.permissions.querySync(
    {
      name,
      ...name === "net" ? { host: "127.0.0.1" } : {},
    } as Deno.PermissionDescriptor,
  )
    .state === "granted";

/** Where Chromium is, or why these tests cannot run. */
function look(): { chromium: string } | { why: string } {
  for (const name of ["run", "write", "net"] as const) {
    if (!granted(name)) {
      return { why: `the tests have no permission to ${name}` };
    }
  }
  const chromium = findChromium();
  return chromium === null
    ? { why: "there is no Chromium here" }
    : { chromium };
}

const found = look();
const isRequired =
  Deno.permissions.querySync({ name: "env" }).state === "granted" &&
  Deno.env.get("REQUIRE_CHROMIUM") === "1";
if ("why" in found && !isRequired) {
  console.warn(`The HTML report is not opened in a browser: ${found.why}`);
}

/** A test on the page of a report, which ends without a complaint or a request but the page's own. */
function test(
  name: string,
  input: () => HtmlReportInput,
  use: (page: Page) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: "why" in found && !isRequired,
    fn: async () => {
      if ("why" in found) {
        throw new Error(`Cannot open the report: ${found.why}`);
      }
      const file = await Deno.makeTempFile({ suffix: ".html" });
      try {
        await Deno.writeTextFile(file, [...htmlParts(input())].join(""));
        const url = new URL(`file://${file.replaceAll("\\", "/")}`).href;
        await withPage(found.chromium, async (page) => {
          await page.look(1400, 1000);
          await page.visit(url);
          await page.until("document.documentElement.dataset.ready === 'true'");
          await use(page);
          assertEquals(await page.value("typeof window.__pwned"), "undefined");
          assertEquals(page.complaints, []);
          assertEquals(page.requests, [url]);
        });
      } finally {
        await Deno.remove(file);
      }
    },
  });
}

/** The sample rows with everything a report can show. */
function everything(): HtmlReportInput {
  const rows = sampleRows();
  const audit = new Audit({ maxLength: 30 });
  for (const { row, line } of rows) audit.add(row, line);
  HOSTILE.forEach((text, i) => audit.addRefusal(10 + i, text, text));
  const packed = packSequences(rows.map(({ row }) => row), {
    maxLength: 64,
    overlong: "split",
  });
  return {
    title: HOSTILE.join(" "),
    rows,
    summary: audit.summary(),
    packs: { packed, lines: rows.map(({ line }) => line) },
  };
}

const text = (selector: string) =>
  `document.querySelector(${JSON.stringify(selector)})?.textContent`;
const shown = `[...document.querySelectorAll("details.row")]
  .filter((row) => !row.hidden).map((row) => Number(row.dataset.line))`;
const openAll = `document.querySelectorAll("details.row")
  .forEach((row) => { row.open = true; })`;
/** What the open tokens of a line say, breaks included. */
const said = (line: number) =>
  `[...document.querySelectorAll("#line-${line} .t, #line-${line} .br")]
    .map((one) => one.textContent).join("")`;

test(
  "a chat that holds HTML and script shows as text",
  everything,
  async (page) => {
    assertEquals(
      await page.value("document.title"),
      inline(HOSTILE.join(" ")).trim().replace(/ +/g, " "),
    );
    assertEquals(await page.value(text("h1")), inline(HOSTILE.join(" ")));
    await page.value(openAll);
    await page.until(`document.querySelectorAll("#line-5 .t").length === 148`);
    const all: string = await page.value(said(5));
    for (const [i, hostile] of HOSTILE.entries()) {
      assert(all.includes(reveal(hostile)), `${i}: ${hostile}`);
      assert((await page.value(text("#summary"))).includes(inline(hostile)));
    }
    assertEquals(
      await page.value(
        `document.querySelectorAll("#line-5 .turn b")[1].textContent`,
      ),
      "<b>assistant</b>",
    );
    // no element but those of the report's own making
    const names: string[] = await page.value(
      `[...new Set([...document.body.querySelectorAll("*")].map((one) => one.localName))]`,
    );
    for (const name of ["img", "iframe", "textarea", "link", "object"]) {
      assert(!names.includes(name), name);
    }
    assertEquals(
      await page.value(
        `document.querySelectorAll("script:not([type])").length`,
      ),
      1,
    );
  },
);

test(
  "no other script runs, even one that is put into the page",
  everything,
  async (page) => {
    await page.value(`(() => {
    const script = document.createElement("script");
    script.textContent = "window.__pwned = 1";
    document.body.append(script);
    const button = document.createElement("button");
    button.setAttribute("onclick", "window.__pwned = 1");
    document.body.append(button);
    button.click();
  })()`);
    assertEquals(await page.value("typeof window.__pwned"), "undefined");
    const refused = page.complaints.splice(0);
    assert(refused.length > 0);
    for (const one of refused) {
      assert(
        one.includes("Content Security Policy"),
        one,
      );
    }
  },
);

test(
  "filters show the rows that fit and count them",
  everything,
  async (page) => {
    const count = () => page.value(text("#count"));
    assertEquals(await count(), "5 of 5 rows");

    await page.click(`.card button[data-found="straddling-token"]`);
    assertEquals(await page.value(shown), [2]);
    assertEquals(await count(), "1 of 5 rows");
    assertEquals(
      await page.value(`document.querySelector("#finding").value`),
      "straddling-token",
    );
    await page.click("#reset");
    assertEquals(await count(), "5 of 5 rows");

    const chip = (role: string) =>
      `[...document.querySelectorAll(".chip")]
        .find((one) => one.textContent === ${JSON.stringify(role)}).click()`;
    await page.value(chip("tool"));
    assertEquals(await page.value(shown), [3]);
    await page.value(chip("tool"));
    await page.value(chip("<b>assistant</b>"));
    assertEquals(await page.value(shown), [5]);
    await page.click("#reset");

    await page.value(`(() => {
    const select = document.querySelector("#reason");
    select.value = "turn_not_trained";
    select.dispatchEvent(new Event("change"));
  })()`);
    assertEquals(await page.value(shown), [3]);
    await page.click("#reset");

    await page.click("#search");
    await page.type("PARIS");
    await page.until(
      `document.querySelector("#count").textContent === "1 of 5 rows"`,
    );
    assertEquals(await page.value(shown), [1]);
    assertEquals(
      await page.value(
        `[...document.querySelectorAll(".hit")].map((one) => one.textContent)`,
      ),
      [" Paris"],
    );
    await page.click("#reset");
    await page.value(`document.querySelector("#search").focus()`);
    const id = sampleRows()[1]!.row.inputIds[3]; // "Smile"
    await page.type(`#${id}`);
    await page.until(
      `document.querySelector("#count").textContent === "1 of 5 rows"`,
    );
    assertEquals(await page.value(shown), [2]);
    await page.click("#reset");

    await page.value(`document.querySelector("#search").focus()`);
    await page.type("nowhere at all");
    await page.until(`!document.querySelector("#none").hidden`);
    assertEquals(await count(), "0 of 5 rows");
  },
);

test(
  "trained only leaves what is trained, and how much is not",
  everything,
  async (page) => {
    await page.click("#trained");
    const seen: string = await page.value(
      `document.querySelector("#line-1 .body").innerText`,
    );
    assert(seen.includes("Paris") && seen.includes("首都"));
    assert(!seen.includes("helpful") && !seen.includes("<|im_start|>"));
    assert(seen.includes("⋯ 3"));
  },
);

test("hover, keys and a click fill the panel", everything, async (page) => {
  const panel = () => page.value(`document.querySelector("#panel").innerText`);
  const { row } = sampleRows()[0]!;
  const at = (t: number) => `#line-1 .t[data-t="${t}"]`;
  await page.hover(at(29)); // " Paris"
  let told: string = await panel();
  const [start, end] = row.offsets[29]!;
  for (
    const part of [
      "line 1",
      "Trained: what a trained message says",
      String(row.inputIds[29]),
      `${start} to ${end}`,
      "message 2, assistant",
      "content",
      "answer",
    ]
  ) assert(told.includes(part), `${part} is not in ${told}`);

  await page.value(`document.querySelector('${at(0)}').focus()`);
  told = await panel();
  assert(
    told.includes("Not trained: opens a turn") &&
      told.includes("message 0, system"),
  );
  await page.press("ArrowRight");
  assert((await panel()).includes("token\n1 of 61"), await panel());
  await page.press("End");
  assert((await panel()).includes("60 of 61"));
  await page.press("Home");
  assert((await panel()).includes("0 of 61"));

  // pinned, it stays; let go, it follows again
  await page.click(at(29));
  await page.hover(at(4));
  assert((await panel()).includes("line 1, pinned"));
  assert((await panel()).includes("29 of 61"));
  await page.press("Escape");
  await page.hover(at(5));
  assert((await panel()).includes("5 of 61"));

  // a weight, a part of a character, a document of a pack
  await page.hover(at(54));
  assert((await panel()).includes("weight\n0.5"));
  await page.value(openAll);
  await page.until(`document.querySelector("#line-2 .hex") !== null`);
  await page.hover("#line-2 .hex");
  assert((await panel()).includes("part of\n😀"));
  await page.hover(".doc.lost");
  assert((await panel()).includes("yes: its first token was trained"));
});

test(
  "links lead to rows, and to none that is not there",
  everything,
  async (page) => {
    assertEquals(
      await page.value(`document.querySelector("#line-4").open`),
      false,
    );
    await page.value(`location.hash = "#line-4"`);
    await page.until(`document.querySelector("#line-4").open`);
    assertEquals(
      await page.value(`[...document.querySelectorAll("a")]
      .filter((link) => link.textContent === "10").map((link) => link.hasAttribute("href"))`),
      [false],
    );
  },
);

test(
  "whitespace has marks and copies as what it is",
  everything,
  async (page) => {
    const marks = await page.value(`["sp", "nl", "tab"].map((name) => {
    const one = document.querySelector("#line-1 ." + name) ?? document.querySelector("i." + name);
    return one && getComputedStyle(one, "::before").content;
  })`);
    assertEquals(marks.slice(0, 2), ['"·"', '"↵"']);
    const copied: string = await page.value(`(() => {
    getSelection().selectAllChildren(document.querySelector("#line-1 .body .toks"));
    return String(getSelection());
  })()`);
    assertEquals(
      copied.trim(),
      "<|im_start|>system\nYou are a helpful guide.<|im_end|>",
    );
  },
);

test(
  "trained and not differ in weight, rule and fill, light and dark",
  everything,
  async (page) => {
    for (const scheme of ["light", "dark"]) {
      await page.look(1400, 1000, scheme);
      const look = (selector: string) =>
        page.value(`(() => {
        const { fontWeight, borderBottomStyle, backgroundColor } =
          getComputedStyle(document.querySelector("${selector}"));
        return [fontWeight, borderBottomStyle, backgroundColor];
      })()`);
      const [bold, rule, fill] = await look("#line-1 .run.on .t");
      assertEquals([bold, rule], ["700", "solid"]);
      const [plain, none, clear] = await look("#line-1 .run:not(.on) .t");
      assertEquals([plain, none, clear], ["400", "none", "rgba(0, 0, 0, 0)"]);
      assert(fill !== clear);
      const ground = await page.value(
        "getComputedStyle(document.body).backgroundColor",
      );
      assertEquals(
        ground,
        scheme === "light" ? "rgb(255, 255, 255)" : "rgb(18, 21, 24)",
      );
    }
  },
);

test("nothing sticks out of a narrow page", () => {
  const long = "x".repeat(500); // without a place to break
  const row = chatRow([
    { role: "user", content: long },
    { role: long, content: [long], train: true },
  ], [{ code: "control-text", message: 0, detail: long, tokens: [3, 4] }]);
  const input = everything();
  const audit = new Audit();
  audit.add(row, 6);
  audit.addRefusal(7, long, long);
  return {
    ...input,
    title: long,
    rows: [...input.rows, { line: 6, row }],
    summary: audit.summary(),
  };
}, async (page) => {
  await page.value(openAll);
  for (const width of [400, 800, 1400]) {
    await page.look(width, 900);
    const wide = await page.value("document.documentElement.scrollWidth");
    assert(wide <= width, `${wide} at ${width}`);
    const tokens: number[] = await page.value(
      `[...document.querySelectorAll(".toks")].map((one) => one.scrollWidth - one.clientWidth)`,
    );
    assertEquals(tokens.filter((more) => more > 0), []);
  }
});

test("a summary that is known last stands first", () => {
  const audit = new Audit();
  function* rows() {
    for (const one of sampleRows()) {
      audit.add(one.row, one.line);
      yield one;
    }
  }
  return { title: "t", rows: rows(), summary: () => audit.summary() };
}, async (page) => {
  assert((await page.value(text("#summary .verdict"))).includes("5 rows"));
  await page.click(`.card button[data-found="nothing-trained"]`);
  assertEquals(await page.value(shown), [4]);
});

test("a long row is shown in parts", () => {
  const row = chatRow([
    { role: "assistant", content: chop("word ".repeat(9000), 5) },
  ]);
  const audit = new Audit();
  audit.add(row, 1);
  return { title: "t", rows: [{ line: 1, row }], summary: audit.summary() };
}, async (page) => {
  const count = `document.querySelectorAll("#line-1 .t").length`;
  assertEquals(await page.value(count), 4000);
  await page.click("#line-1 .body > button");
  assertEquals(await page.value(count), 8000);
  assert(
    (await page.value(text("#line-1 .body > button"))).startsWith(
      "Show 1,005 more",
    ),
  );
});

test("a thousand rows of a thousand tokens open at once", () => {
  const row = chatRow([
    { role: "user", content: chop("Tell me a tale. ".repeat(125), 4) },
    { role: "assistant", content: chop("Once upon a time ".repeat(115), 4) },
  ]);
  const audit = new Audit();
  audit.add(row, 1);
  const rows = Array.from({ length: 1000 }, (_, i) => ({ line: i + 1, row }));
  return { title: "t", rows, summary: audit.summary() };
}, async (page) => {
  assertEquals(await page.value(text("#count")), "1,000 of 1,000 rows");
  // one row's tokens are there; the others wait
  assert(await page.value(`document.querySelectorAll(".t").length`) < 1100);
  const took: number = await page.value(
    `performance.getEntriesByType("navigation")[0].loadEventEnd`,
  );
  assert(took < 20_000, `${took} ms`); // a second or two, where nothing else runs
});

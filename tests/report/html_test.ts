/** The HTML report as text: whole, self-contained, escaped, and legible by the numbers. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { packSequences } from "../../src/packing/pack.ts";
import { Audit } from "../../src/report/findings.ts";
import { htmlParts, HtmlReport, htmlReport } from "../../src/report/html.ts";
import type { ReportLine } from "../../src/report/html_row.ts";
import { SCRIPT, SCRIPT_DIGEST } from "../../src/report/html_script.ts";
import { STYLE } from "../../src/report/html_style.ts";
import { inline, reveal } from "../../src/report/visible.ts";
import { type EncodedChat, REASONS } from "../../src/row.ts";
import { anyText, chatRow, HOSTILE, sampleRows } from "./rows.ts";

const RUNS = { seed: 20250305, numRuns: 40 };

function report(rows: ReportLine[], title = "chats.jsonl"): string {
  const audit = new Audit({ maxLength: 30 });
  for (const { row, line } of rows) audit.add(row, line);
  return htmlReport({ title, rows, summary: audit.summary() });
}

/** The data of the rows, as the page's script reads them. */
// deno-lint-ignore no-explicit-any -- the script's own shape
function dataOf(html: string): any[] {
  const blocks = html.matchAll(
    /<script type="application\/json">(.*?)<\/script>/gs,
  );
  return [...blocks].map(([, json]) => JSON.parse(json!));
}

/**
 * A page's tags with their attributes' names, as HTML's tokenizer finds them:
 * text behind `<script` or `<style` ends at the closing tag of that name alone.
 */
function tagsOf(html: string): string[] {
  const tags: string[] = [];
  const tag =
    /<!--|<(\/?[a-zA-Z][^\s/>]*)((?:\s+[^\s=>"'/]+(?:="[^"]*"|='[^']*'|=[^\s>"']+)?)*)\s*\/?>|<[a-zA-Z!/?]/g;
  for (let at = 0;;) {
    tag.lastIndex = at;
    const found = tag.exec(html);
    if (found === null) return tags;
    const [whole] = found;
    const [, name = whole, attributes = ""] = found;
    const names = attributes.replace(/="[^"]*"/g, "").trim();
    tags.push(`${name} ${names}`.trim());
    at = tag.lastIndex;
    if (name !== "script" && name !== "style") continue;
    const end = html.toLowerCase().indexOf(`</${name}`, at);
    const text = html.slice(at, end);
    assert(name === "style" || !text.includes("<!--"), "script-data escaped");
    at = end;
  }
}

Deno.test("htmlReport() shows every token, role, reason and finding of its rows", () => {
  const rows = sampleRows();
  const html = report(rows);
  const data = dataOf(html);
  assertEquals(data.length, rows.length);
  rows.forEach(({ row }, i) => {
    const { ids, pieces, bytes, turns, findings, certificate } = data[i];
    assertEquals(ids, [...row.inputIds]);
    assertEquals(bytes, row.offsets.map(([start, end]) => end - start));
    assertEquals(
      // deno-lint-ignore no-explicit-any -- the script's own shape
      turns.flatMap(({ runs }: any) => runs).flatMap(([n, , reason]: any) =>
        new Array(n).fill(reason)
      ),
      [...row.reasons].map((reason) => REASONS[reason]),
    );
    assertEquals(findings.length, row.findings.length);
    assertEquals(certificate.tokens, row.certificate.trainedTokens);
    const isWhole = row.text.includes("😀") || row.text.includes("😁");
    if (!isWhole) {
      assertEquals(
        pieces.join("").replaceAll("◌", ""),
        reveal(row.text).replaceAll("◌", ""),
      );
    }
  });
});

Deno.test("htmlReport() asks for nothing from anywhere", () => {
  const rows = sampleRows().slice(0, 4);
  const html = report(rows);
  assert(!/\b(src|href)="(?!#)/.test(html));
  assert(!/@import|url\(|https?:\/\/|\/\/[a-z]/.test(STYLE));
  assert(
    !/fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon|https?:/.test(
      SCRIPT,
    ),
  );
  assert(
    !/innerHTML|outerHTML|insertAdjacent|document\.write|eval\(/.test(SCRIPT),
  );
  assert(html.includes(
    `content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; ` +
      `script-src &#39;sha256-${SCRIPT_DIGEST}&#39;;`,
  ));
});

Deno.test("SCRIPT_DIGEST is the script's own", async () => {
  const bytes = new TextEncoder().encode(SCRIPT);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  assertEquals(
    SCRIPT_DIGEST,
    btoa(String.fromCharCode(...digest)),
    "the script has changed: write its new digest into html_script.ts",
  );
  assertEquals(SCRIPT.includes("</"), false);
  new Function(SCRIPT); // it parses
});

/** Escaped text as a browser reads it. */
function unescape(html: string): string {
  return html.replaceAll("&lt;", "<").replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"').replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}

/** The same row with all its texts replaced. */
function retold(text: string, size: number): EncodedChat {
  const pieces = Array.from(
    { length: 6 },
    (_, i) => text.slice(i * size, i * size + size).toWellFormed(),
  );
  const row = chatRow([
    { role: "user", content: pieces },
    { role: "other", content: pieces, train: true },
  ], [
    { code: "control-text", detail: text, message: 0, tokens: [3, 4] },
  ]);
  return {
    ...row,
    roles: ["user", `x${text}`],
    certificate: {
      ...row.certificate,
      proof: text,
      checked: [text],
    },
  };
}

Deno.test("htmlReport() lets nothing of a chat become markup", () => {
  const told = (text: string, size: number) => {
    const row = retold(text, size);
    const audit = new Audit();
    audit.add(row, 1);
    audit.addRefusal(2, `y${text}`, text);
    const rows = [{ line: 1, row }];
    return htmlReport({ title: text, rows, summary: audit.summary() });
  };
  const skeleton = tagsOf(told("plain", 1)).filter((tag) =>
    !tag.startsWith("path")
  );
  const text = fc.oneof(fc.constantFrom(...HOSTILE), anyText);
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 60 }), (text, size) => {
      const html = told(text, size);
      const tags = tagsOf(html).filter((tag) => !tag.startsWith("path"));
      assertEquals(tags, skeleton);
      // and nothing that HTML's parser would change on its way in
      // deno-lint-ignore no-control-regex -- what must not be there
      assert(!/[\0\r\x1b\x7f-\x9f\u202e]/.test(html));
      const heading = /<h1>(.*?)<\/h1>/.exec(html)![1]!;
      assertEquals(unescape(heading), inline(text));
      const roles = /data-roles="(.*?)"/.exec(html)![1]!;
      assertEquals(JSON.parse(unescape(roles)).at(-1), inline(`x${text}`));
      const [data] = dataOf(html);
      assertEquals(data.turns.at(-1).role, inline(`x${text}`));
      assertEquals(data.findings[0].detail, inline(text));
    }),
    { ...RUNS, numRuns: 150 },
  );
});

Deno.test("htmlParts() joined is htmlReport(), and reads rows one by one", () => {
  const rows = sampleRows();
  const audit = new Audit();
  for (const { row, line } of rows) audit.add(row, line);
  const summary = audit.summary();
  const parts = [...htmlParts({ title: "a", rows, summary })];
  assertEquals(parts.length, rows.length + 2);
  assertEquals(parts.join(""), htmlReport({ title: "a", rows, summary }));

  // where the summary is not known before, it is put in its place by the script
  let read = 0;
  function* lazily() {
    for (const row of rows) {
      read++;
      yield row;
    }
  }
  const late = htmlParts({
    title: "a",
    rows: lazily(),
    summary: () => {
      assertEquals(read, rows.length);
      return summary;
    },
  });
  late.next();
  assertEquals(read, 0);
  late.next();
  assertEquals(read, 1);
  const end = [...late].at(-1)!;
  assert(end.includes(`<template id="late"><p class="verdict">`));
});

Deno.test("HtmlReport keeps to its limits, but shows findings beyond them", () => {
  const clean = chatRow([{ role: "assistant", content: "a" }]);
  const odd = { ...clean, findings: [{ code: "double-bos", detail: "b" }] };
  const count = (limits: object, rows: readonly unknown[]) => {
    const page = new HtmlReport("t", limits);
    const shown = rows.map((row, i) =>
      page.add({ line: i + 1, row: row as EncodedChat })
    ).filter((block) => block !== "");
    return [shown.length, page.end()] as const;
  };
  const clean20 = new Array(20).fill(clean);
  const odd20 = new Array(20).fill(odd);
  const [some, end] = count({ maxRows: 3 }, clean20);
  assertEquals(some, 3);
  assert(end.includes("17 more rows not shown"));
  assertEquals(count({ maxRows: 3 }, [...clean20, ...odd20])[0], 13);
  assertEquals(count({}, clean20)[0], 20);
  const none = { inputIds: [5], labels: [-100] };
  const some20 = new Array(20).fill({ inputIds: [5], labels: [5] });
  assertEquals(count({ maxRows: 3 }, [...some20, none, none])[0], 5);
  // each has 6 tokens
  assertEquals(count({ maxTokens: 30 }, [...clean20, ...odd20])[0], 5);
  assert(!count({}, clean20)[1].includes("not shown"));
  assert(count({}, [])[1].includes("There is no row."));
});

Deno.test("htmlReport() previews what the user says, in whole characters", () => {
  const html = report(sampleRows());
  const previews = [...html.matchAll(/<span class="preview">(.*?)<\/span>/g)]
    .map(([, text]) => text);
  assertEquals(previews.slice(0, 4), [
    "What is the capital of France?",
    "Smile 😀!",
    "Only the last turn counts.",
    "Nobody answers.",
  ]);
});

Deno.test("HtmlReport names rows of one line apart", () => {
  const row = chatRow([{ role: "assistant", content: "a" }]);
  const page = new HtmlReport("t");
  assert(page.add({ line: 3, row }).includes(`id="line-3"`));
  assert(page.add({ line: 3, row }).includes(`id="line-3.2"`));
});

Deno.test("htmlReport() of rows from elsewhere shows ids and what is trained", () => {
  const row = { inputIds: [5, 6], labels: [-100, 6] };
  const [data] = dataOf(report([{ line: 1, row }]));
  assertEquals(data.pieces, ["#5", "#6"]);
  assertEquals(data.bytes, null);
  assertEquals(data.turns[0].runs, [
    [1, null, "ignored", 0, 0],
    [1, null, "trained", 1, 1],
  ]);
  const none = { inputIds: [5], labels: [-100] };
  assert(
    report([{ line: 1, row: none }]).includes(`data-found="nothing-trained"`),
  );
});

Deno.test("htmlReport() shows packs with borders, lost targets and what is free", () => {
  const rows = sampleRows();
  const packed = packSequences(rows.map(({ row }) => row), {
    maxLength: 64,
    overlong: "split",
  });
  const audit = new Audit();
  const html = htmlReport({
    title: "t",
    rows,
    summary: audit.summary(),
    packs: { packed, lines: [11, 12, 13, 14, 15] },
  });
  assertEquals(html.match(/<div class="pack">/g)!.length, packed.packs.length);
  const docs = html.match(/<a class="doc[^"]*"/g)!;
  assertEquals(docs.length, packed.documents.length);
  const lost = docs.filter((doc) => doc.includes(" lost"));
  assertEquals(lost.length, packed.lostTargets);
  assertEquals(docs.filter((doc) => doc.includes("cut-start")).length, 2);
  assertEquals(docs.filter((doc) => doc.includes("cut-end")).length, 2);
  assert(html.includes(`href="#line-15"`) && !html.includes(`href="#line-10"`));
  const free = packed.packs.filter((pack) => pack.inputIds.length < 64);
  assertEquals(html.match(/<span class="free">/g)!.length, free.length);

  const cut = packSequences(rows.map(({ row }) => row), {
    maxLength: 20,
    overlong: "truncate",
  });
  const short = htmlReport({
    title: "t",
    rows,
    summary: audit.summary(),
    packs: { packed: cut },
  });
  assertEquals(
    short.match(/<a class="doc[^"]*cut-end"/g)!.length,
    cut.truncated.length,
  );
  assert(short.includes("4 rows cut short, 3 without an answer left"));

  const few = htmlReport({
    title: "t",
    rows,
    summary: audit.summary(),
    packs: { packed, limit: 2 },
  });
  assert(few.includes(`${packed.packs.length - 2} more packs not shown here`));
});

Deno.test("htmlReport() refuses what it cannot show", () => {
  const summary = new Audit().summary();
  assertThrows(
    () => htmlReport({ title: 1, rows: [], summary } as never),
    TypeError,
    "Cannot write report as title must be a string: current value is 1",
  );
  assertThrows(
    () => htmlReport({ title: "a", rows: [], summary, maxRows: -1 }),
    RangeError,
    "maxRows",
  );
  assertThrows(
    () => htmlReport({ title: "a", rows: [], summary, limit: 1 } as never),
    TypeError,
    "every key",
  );
  const row = { inputIds: [1], labels: [] };
  assertThrows(
    () => htmlReport({ title: "a", rows: [{ line: 1, row }], summary }),
    RangeError,
  );
});

/** The relative luminance of #rrggbb (WCAG 2.2). */
function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = parseInt(color.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

Deno.test("the style's colours can be told from their ground, light and dark", () => {
  const schemes = STYLE.split("prefers-color-scheme").slice(0, 2).map((css) =>
    Object.fromEntries(
      [...css.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)]
        .map(([, name, color]) => [name!, color!]),
    )
  );
  const kinds = [0, 1, 2, 3, 4, 5];
  for (const of of schemes) {
    const needs: [string, string, number][] = [
      ...["text", "quiet", "accent", "serious", "look", "note"].flatMap((ink) =>
        ["ground", "raised"].map((ground): [string, string, number] => [
          ink,
          ground,
          4.5,
        ])
      ),
      ["text", "hit", 4.5],
      ["focus", "ground", 3],
      ["ground", "look", 4.5], // a tag
      ...kinds.flatMap((k): [string, string, number][] => [
        [`k${k}-ink`, "ground", 4.5],
        [`k${k}-ink`, "raised", 4.5],
        ["text", `k${k}-fill`, 4.5],
        ["quiet", `k${k}-fill`, 3], // marks of whitespace
        [`k${k}-edge`, "ground", 3],
        [`k${k}-edge`, `k${k}-fill`, 2.2], // beside bold text and the fill itself
      ]),
    ];
    for (const [ink, ground, least] of needs) {
      const ratio = contrast(of[ink]!, of[ground]!);
      assert(ratio >= least, `${ink} on ${ground}: ${ratio.toFixed(2)}`);
    }
  }
});

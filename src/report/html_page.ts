/**
 * The page around the rows: its policy, its style, the head of the report, the
 * filters, and at the end the panel and the script.
 *
 * @module
 */
import { packsSection, type ReportPacks } from "./html_packs.ts";
import { SCRIPT, SCRIPT_DIGEST } from "./html_script.ts";
import { STYLE } from "./html_style.ts";
import { summarySection } from "./html_summary.ts";
import { escapeHtml, jsonText, safe } from "./html_text.ts";
import type { Summary } from "./summary.ts";
import {
  FIELD_WORDS,
  FINDING_WORDS,
  KINDS_OF_ROLES,
  LEVEL_MARKS,
  REASON_WORDS,
  ROLE_KINDS,
} from "./words.ts";

/** What stands above the rows. */
export interface ReportFront {
  /** What an `Audit` made of the file. */
  readonly summary: Summary;
  /** The file's packs, if it was packed. */
  readonly packs?: ReportPacks;
}

/**
 * What the page may do: show its own style, run the one script, and nothing else
 * (Content Security Policy, level 3).
 */
const POLICY = `default-src 'none'; style-src 'unsafe-inline'; ` +
  `script-src 'sha256-${SCRIPT_DIGEST}'; base-uri 'none'; form-action 'none'`;

/** The page up to its first row. */
export function pageStart(
  title: string,
  front: ReportFront | undefined,
): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${safe(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${safe(title)}</h1>
<noscript><p>Tokens, filters and the panel need the script of this page.</p></noscript>
<div id="summary">
${front === undefined ? "" : frontOf(front)}</div>
<section id="rows"><h2>Rows</h2>
${FILTERS}`;
}

/**
 * The page behind its last row.
 *
 * @param rows How many are shown.
 * @param left What is said of those that are not.
 * @param late What stands above the rows, where it was not known before them; the script puts it there.
 */
export function pageEnd(
  rows: number,
  left: string,
  late: ReportFront | undefined,
): string {
  const template = late === undefined
    ? ""
    : `<template id="late">${frontOf(late)}</template>\n`;
  const none = rows === 0 ? "There is no row." : "No row fits.";
  return `<p id="none"${rows === 0 ? "" : " hidden"}>${none}</p>
${left === "" ? "" : `<p class="quiet">${left}</p>`}</section>
</main>
<aside id="panel" class="panel empty" aria-live="polite" aria-label="token">
<h2>token</h2><p>Point at a token, or move among tokens with the arrow keys; a click, or Enter, pins it.</p>
</aside>
${template}<script type="application/json" id="words">${
    jsonText(WORDS)
  }</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function frontOf({ summary, packs }: ReportFront): string {
  return summarySection(summary) +
    (packs === undefined ? "" : packsSection(packs));
}

const WORDS = {
  reasons: REASON_WORDS,
  fields: FIELD_WORDS,
  findings: Object.fromEntries(
    Object.entries(FINDING_WORDS).map(([code, { level, title }]) => [
      code,
      { level, title, mark: LEVEL_MARKS[level] },
    ]),
  ),
  kinds: Object.fromEntries(
    [...KINDS_OF_ROLES].map(([role, kind]) => [role, ROLE_KINDS.indexOf(kind)]),
  ),
};

const FILTERS = `<div class="filters" role="search" aria-label="filter rows">
<input id="search" type="search" placeholder="text or #id" aria-label="search text, or # and a token id">
<select id="finding" aria-label="finding"><option value="">any finding</option></select>
<select id="reason" aria-label="reason"><option value="">any reason</option></select>
<button id="trained" aria-pressed="false">trained only</button>
<button id="reset" hidden>reset</button>
<span class="found" id="count" role="status"></span>
<button id="open">open 20</button><button id="close">close all</button>
</div>
<div class="legend"><span id="roles" role="group" aria-label="role"></span>
<span><span class="run on k3"><span class="t">trained</span></span> filled, bold, underlined; dashed where the weight is not 1</span>
<span><span class="run k2"><span class="t">not trained</span></span> plain</span>
<span>· space &nbsp;↵ newline &nbsp;→ tab &nbsp;<code>⟨E4 BD⟩</code> bytes of a character</span></div>
`;

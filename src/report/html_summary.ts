/**
 * The head of the report: a verdict in a sentence, the numbers, what was found
 * as cards, and how much of whom is trained.
 *
 * @module
 */
import { cssPercent, escapeHtml, safe } from "./html_text.ts";
import { count, counted, percent } from "./paint.ts";
import type { LineNote, Summary } from "./summary.ts";
import {
  findingWords,
  kindOfRole,
  type Level,
  LEVEL_MARKS,
  reasonWords,
  refusalWords,
  ROLE_KINDS,
} from "./words.ts";

/** The head of a report. */
export function summarySection(summary: Summary): string {
  return `<p class="verdict">${verdict(summary)}</p>\n` +
    `<dl class="tiles">${tiles(summary).join("")}</dl>\n` +
    cards(summary) + shares(summary);
}

/** What to think of the file, in a sentence or two. */
function verdict({ rows, tokens, share, findings, refused }: Summary): string {
  const grave = findings.filter(({ code }) =>
    findingWords(code).level === "serious"
  );
  const parts = [
    ...grave.map(({ code, rows }) =>
      `${findingWords(code).title} in ${counted(rows, "row")}`
    ),
    ...refused > 0 ? [`${counted(refused, "chat")} refused`] : [],
  ];
  const trained = tokens === 0
    ? "There is no token."
    : `<b>${percent(share.overall)}</b> of ` +
      `${counted(tokens, "token")} in ${counted(rows, "row")} are trained.`;
  return parts.length === 0
    ? `<b class="fine">✓</b> ${trained} Nothing serious was found.`
    : `<span class="serious"><b class="mark">■</b></span> ${trained} ` +
      `Look at: ${escapeHtml(parts.join("; "))}.`;
}

const link = (line: number): string => `<a href="#line-${line}">${line}</a>`;

function tile(name: string, value: string, more = ""): string {
  const small = more === "" ? "" : `<small>${more}</small>`;
  return `<div class="tile"><dt>${name}</dt><dd>${value}${small}</dd></div>`;
}

function tiles(summary: Summary): string[] {
  const { rows, refused, tokens, trainedTokens, share, stops } = summary;
  const { longest, duplicates, overlong, nothingTrained } = summary;
  const lines = (some: readonly number[], all: number) =>
    some.length === 0
      ? ""
      : `line${all === 1 ? "" : "s"} ${some.map(link).join(", ")}` +
        (all > some.length ? ", …" : "");
  const least = share.min === null
    ? ""
    : `least ${percent(share.min.share)}, line ${link(share.min.line)}`;
  const compared = duplicates.compared < rows
    ? ` of the first ${count(duplicates.compared)}`
    : "";
  return [
    tile("rows", count(rows), refused > 0 ? `${count(refused)} refused` : ""),
    tile("tokens", count(tokens)),
    tile("trained tokens", count(trainedTokens), percent(share.overall)),
    tile("trained share of a row", `${percent(share.mean)}`, least) +
    histogram(summary),
    tile(
      "nothing trained",
      counted(nothingTrained.rows, "row"),
      lines(nothingTrained.lines, nothingTrained.rows),
    ),
    ...stops.turns === 0 ? [] : [tile(
      "trained turns with their stop",
      percent(stops.trained / stops.turns),
      `${count(stops.trained)} of ${count(stops.turns)}` +
        (stops.rowsWithout > 0
          ? `; not in ${lines(stops.lines, stops.rowsWithout)}`
          : ""),
    )],
    ...longest.length === 0 ? [] : [tile(
      "longest row",
      count(longest[0]!.tokens),
      `tokens, line ${link(longest[0]!.line)}`,
    )],
    tile(
      "duplicates",
      count(duplicates.rows) + compared,
      duplicates.examples.slice(0, 3).map(({ line, first }) =>
        `line ${link(line)} repeats ${link(first)}`
      ).join(", ") + (duplicates.rows > 3 ? ", …" : ""),
    ),
    ...overlong === null ? [] : [tile(
      `longer than ${count(overlong.maxLength)}`,
      counted(overlong.rows, "row"),
      overlong.rows === 0
        ? ""
        : `a cut loses ${counted(overlong.trainedTokensCut, "trained token")}` +
          (overlong.answersLost === 0
            ? ""
            : `, all of ${counted(overlong.answersLost, "row")}`) +
          (overlong.answersCut === 0
            ? ""
            : `: ${lines(overlong.lines, overlong.answersCut)}`),
    )],
  ];
}

/** Rows by their trained share, ten bars. */
function histogram({ share }: Summary): string {
  const most = Math.max(1, ...share.histogram);
  const bars = share.histogram.map((rows, i) => {
    const high = rows === 0 ? 0 : Math.max(1, Math.round(20 * rows / most));
    return `<rect x="${10 * i}" y="${20 - high}" width="9" height="${high}">` +
      `<title>${10 * i} to ${10 * i + 10} %: ${counted(rows, "row")}</title>` +
      `</rect>`;
  });
  return `<div class="tile"><dt>rows by trained share</dt><dd>` +
    `<svg viewBox="0 0 100 20" preserveAspectRatio="none" role="img"` +
    ` aria-label="${share.histogram.join(", ")} rows from 0 to 100 %">` +
    `${bars.join("")}</svg><small>0 % to 100 %</small></dd></div>`;
}

function card(
  level: Level,
  head: string,
  meaning: string,
  examples: readonly LineNote[],
): string {
  const items = examples.map(({ line, detail }) =>
    `<li>line ${link(line)}: ${safe(detail)}</li>`
  );
  return `<article class="card ${level}"><h3>${head}</h3>` +
    (meaning === "" ? "" : `<p>${escapeHtml(meaning)}</p>`) +
    (items.length === 0 ? "" : `<ul>${items.join("")}</ul>`) +
    `</article>\n`;
}

function cards({ findings, refusals, rows }: Summary): string {
  const mark = (level: Level) =>
    `<b class="mark" aria-hidden="true">${LEVEL_MARKS[level]}</b>`;
  const all = [
    ...refusals.map(({ reason, chats, examples }) =>
      card(
        "serious",
        `${mark("serious")} ${safe(refusalWords(reason))} <span class="rows">` +
          `${counted(chats, "chat")}</span>`,
        "These chats did not become rows.",
        examples,
      )
    ),
    ...findings.map(({ code, rows, examples }) => {
      const { level, title, meaning } = findingWords(code);
      const head = `<button aria-pressed="false" data-found="${safe(code)}">` +
        `${mark(level)}<span>${safe(title)} <span class="rows">` +
        `${counted(rows, "row")}</span></span></button>`;
      return card(level, head, meaning, examples.slice(0, 3));
    }),
  ];
  if (all.length === 0 && rows === 0) return "";
  return `<h2>Findings</h2>` +
    (all.length === 0
      ? `<p class="quiet">Nothing odd was found in these rows.</p>`
      : `<div class="cards">${all.join("")}</div>\n`);
}

function shares({ roles, reasons, tokens }: Summary): string {
  if (tokens === 0) return "";
  const byRole = roles.map(({ role, tokens: own, trained }) =>
    shareRow(
      ROLE_KINDS.indexOf(kindOfRole(role)),
      role === null ? "nobody" : safe(role),
      "",
      own,
      trained,
      tokens,
    )
  );
  const byReason = reasons.map(({ reason, tokens: own, trained }) =>
    shareRow(
      trained > 0 ? ROLE_KINDS.indexOf("assistant") : 0,
      safe(reason),
      escapeHtml(reasonWords(reason)),
      own,
      trained,
      tokens,
    )
  );
  const table = (name: string, rows: string[]) =>
    `<div><h2>${name}</h2><table><thead><tr><th scope="col"></th>` +
    `<th scope="col" class="num">tokens</th>` +
    `<th scope="col" class="num">trained</th><th scope="col">` +
    `solid: trained, hatched: not</th></tr></thead><tbody>` +
    `${rows.join("")}</tbody></table></div>`;
  return `<div class="shares">${table("Trained by role", byRole)}` +
    `${table("Tokens by reason", byReason)}</div>\n`;
}

function shareRow(
  kind: number,
  name: string,
  title: string,
  own: number,
  trained: number,
  all: number,
): string {
  const part = (tokens: number, style: string) =>
    `<i class="${style}" style="width:${cssPercent(tokens / all)}"></i>`;
  return `<tr class="k${kind}"><th scope="row" class="who"` +
    (title === "" ? "" : ` title="${title}"`) + `>${name}</th>` +
    `<td>${count(own)}</td><td>${percent(trained / own)}</td>` +
    `<td><span class="bar">${part(trained, "yes")}` +
    `${part(own - trained, "not")}</span></td></tr>`;
}

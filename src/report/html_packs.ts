/**
 * Packs as blocks: each a bar as long as a pack may be, its documents side by
 * side with their borders, and what is left free.
 *
 * @module
 */
import { cssPercent, escapeHtml } from "./html_text.ts";
import { count, counted, percent } from "./paint.ts";

/** A document of a pack, or a fragment of one, as `PackedBatch` has it. */
export interface ShownDocument {
  /** The sample's index in what was packed. */
  readonly sample: number;
  /** Where in the sample it begins. */
  readonly sampleStart: number;
  /** The index of its pack. */
  readonly pack: number;
  /** Its first position over all packs. */
  readonly start: number;
  /** The position behind its last. */
  readonly end: number;
}

/** What a report shows of packs; a `PackedBatch` is one. */
export interface ShownPacks {
  /** The most tokens a pack may hold. */
  readonly maxLength: number;
  /** The label of what is not trained. */
  readonly ignoreIndex: number;
  /** [N] labels over all packs. */
  readonly labels: Int32Array;
  /** [D] the documents, pack by pack. */
  readonly documents: readonly ShownDocument[];
  /** How many trained tokens are no targets, as their documents begin with them. */
  readonly lostTargets: number;
  /** Samples that were left out. */
  readonly dropped: readonly number[];
  /** Samples that were cut short. */
  readonly truncated: readonly {
    /** The sample's index. */
    readonly sample: number;
    /** Whether nothing of its answer is left. */
    readonly answerLost: boolean;
  }[];
  /** What the samples were before they were packed. */
  readonly origin: {
    /** [D] the label of each document's first token as it was given. */
    readonly firstLabels: Int32Array;
    /** [samples] how many of a sample's tokens were packed; null for what was dropped. */
    readonly samples: readonly ({ readonly length: number } | null)[];
  };
}

/** Packs for a report. */
export interface ReportPacks {
  /** What `packSequences` returned. */
  readonly packed: ShownPacks;
  /** [samples] the line of each sample; counted from 1 where there are none. */
  readonly lines?: ArrayLike<number>;
  /** How many packs are shown (default 200). */
  readonly limit?: number;
}

/** How many packs are shown unless said. */
const LIMIT = 200;

/** The share of a pack that must be free for its number to be written there. */
const ROOM_FOR_WORDS = 0.1;

/** How many packs are shown before the others are asked for. */
const FIRST = 10;

/** A document and what is known of it beside. */
interface Block extends ShownDocument {
  line: number;
  labels: Int32Array;
  trained: number;
  isLost: boolean;
  cutStart: boolean;
  cutEnd: boolean;
}

/** The section of the packs. */
export function packsSection(
  { packed, lines, limit = LIMIT }: ReportPacks,
): string {
  const packs = packsOf(packed, lines);
  const shown = packs.slice(0, limit).map((blocks, index) =>
    packBlock(packed.maxLength, index, blocks)
  );
  const more = packs.length - shown.length;
  return `<h2>Packs</h2><p>${factsOf(packed, packs.length).join(" · ")}</p>` +
    `<p class="quiet legend"><span>number: the row's line, then its tokens` +
    `</span><span>solid foot: trained</span>` +
    `<span><b class="mark serious">◤</b> lost target: a trained first token, ` +
    `which nothing before it could predict</span>` +
    `<span>dashed edge: the row was cut there</span>` +
    `<span>hatched: free</span></p>` +
    shown.slice(0, FIRST).join("") +
    (shown.length <= FIRST
      ? ""
      : `<details><summary>${counted(shown.length - FIRST, "more pack")}` +
        `</summary>${shown.slice(FIRST).join("")}</details>`) +
    (more === 0
      ? ""
      : `<p class="quiet">${counted(more, "more pack")} not shown here.</p>`);
}

function factsOf(
  { maxLength, labels, documents, lostTargets, dropped, truncated }: ShownPacks,
  packs: number,
): string[] {
  const unanswered = truncated.filter(({ answerLost }) => answerLost).length;
  return [
    `${counted(packs, "pack")} of at most ${counted(maxLength, "token")}`,
    counted(documents.length, "document"),
    ...packs === 0
      ? []
      : [`${percent(labels.length / (packs * maxLength))} full`],
    counted(lostTargets, "lost target"),
    ...dropped.length === 0
      ? []
      : [`${counted(dropped.length, "row")} left out`],
    ...truncated.length === 0 ? [] : [
      `${counted(truncated.length, "row")} cut short, ` +
      `${count(unanswered)} without an answer left`,
    ],
  ];
}

/** The documents of each pack. */
function packsOf(
  { labels, ignoreIndex, documents, truncated, origin }: ShownPacks,
  lines: ArrayLike<number> | undefined,
): Block[][] {
  const short = new Set(truncated.map(({ sample }) => sample));
  const packs: Block[][] = [];
  documents.forEach((document, d) => {
    const { sample, sampleStart, pack, start, end } = document;
    const own = labels.subarray(start, end);
    const upTo = sampleStart + end - start;
    const length = origin.samples[sample]?.length ?? upTo;
    (packs[pack] ??= []).push({
      ...document,
      line: lines?.[sample] ?? sample + 1,
      labels: own.map((label) => label === ignoreIndex ? 0 : 1),
      trained: own.reduce((n, y) => y === ignoreIndex ? n : n + 1, 0),
      isLost: origin.firstLabels[d] !== ignoreIndex,
      cutStart: sampleStart > 0,
      cutEnd: upTo < length || short.has(sample),
    });
  });
  return packs;
}

function packBlock(
  maxLength: number,
  index: number,
  blocks: readonly Block[],
): string {
  const start = blocks[0]!.start;
  const used = blocks.at(-1)!.end - start;
  const lost = blocks.filter(({ isLost }) => isLost).length;
  const free = maxLength - used;
  return `<div class="pack"><p><b>pack ${index}</b> · ` +
    `${count(used)} of ${count(maxLength)} (${percent(used / maxLength)}) · ` +
    counted(blocks.length, "document") +
    (lost > 0 ? ` · ${counted(lost, "lost target")}` : "") +
    `</p><div class="docs">` +
    blocks.map((block) => docBlock(maxLength, start, block)).join("") +
    (free > 0
      ? `<span class="free">${
        free / maxLength < ROOM_FOR_WORDS ? "" : `${count(free)} free`
      }</span>`
      : "") +
    `</div></div>\n`;
}

function docBlock(maxLength: number, packStart: number, block: Block): string {
  const { line, start, end, sampleStart, trained, labels } = block;
  const { isLost, cutStart, cutEnd } = block;
  const length = end - start;
  const span = (from: number) => `${count(from)} to ${count(from + length)}`;
  const about = [
    ["row", `line ${line}`],
    ["tokens", `${count(length)}, at ${span(start - packStart)}`],
    ["of the row", span(sampleStart)],
    ["trained", `${count(trained)} (${percent(trained / length)})`],
    ["lost target", isLost ? "yes: its first token was trained" : "no"],
    ["cut", cutWords(cutStart, cutEnd)],
  ];
  const style = `doc${isLost ? " lost" : ""}` +
    (cutStart ? " cut-start" : "") + (cutEnd ? " cut-end" : "");
  return `<a class="${style}" href="#line-${line}"` +
    ` style="width:${cssPercent(length / maxLength)}"` +
    ` aria-label="line ${line}, ${counted(length, "token")}"` +
    ` data-about="${escapeHtml(JSON.stringify(about))}">` +
    `<span>${line}</span><span class="quiet">${count(length)}</span>` +
    `${foot(labels)}</a>`;
}

/** How many columns a foot has at most. */
const COLUMNS = 60;

/** Where in a document tokens are trained, 1 for each that is. */
function foot(trained: Int32Array): string {
  const columns = Math.min(COLUMNS, trained.length);
  const isTrained = (c: number) =>
    c < columns && trained[Math.floor((c + 0.5) * trained.length / columns)];
  let path = "";
  for (let c = 0; c < columns; c++) {
    const from = c;
    while (isTrained(c)) c++;
    if (c > from) path += `M${from} 0H${c}V1H${from}z`;
  }
  return `<svg viewBox="0 0 ${columns} 1" preserveAspectRatio="none"` +
    ` aria-hidden="true"><path d="${path}"/></svg>`;
}

function cutWords(start: boolean, end: boolean): string {
  if (start && end) return "at both ends";
  if (start) return "at its beginning";
  return end ? "at its end" : "no";
}

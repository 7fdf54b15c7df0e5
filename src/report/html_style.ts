/**
 * How the report looks: one style sheet, light and dark, on screen and on paper.
 *
 * Hues are Okabe and Ito's ("Color Universal Design", 2008), darkened or
 * lightened until they read on their ground; `tests/report` measures every pair
 * (WCAG 2.2, 1.4.3 and 1.4.11). No meaning rests on a hue alone: a trained token
 * is filled, bold and underlined, a role is also written, a level has a shape.
 *
 * @module
 */

/** The colours. `ink` is text, `fill` the ground of trained tokens, `edge` a border; k0 to k5 are the kinds of roles. */
const LIGHT = `
  --ground: #ffffff; --raised: #f6f7f8; --text: #17191c; --quiet: #59616b;
  --rule: #d8dde2; --accent: #005a94; --focus: #0072b2; --hit: #ffe86b;
  --serious: #a33a00; --look: #7a5000; --note: #00609c;
  --k0-ink: #59616b; --k0-fill: #dfe3e7; --k0-edge: #78828d;
  --k1-ink: #8f3568; --k1-fill: #f6dcea; --k1-edge: #b4558a;
  --k2-ink: #00609c; --k2-fill: #d2e7f7; --k2-edge: #0072b2;
  --k3-ink: #00664d; --k3-fill: #c4ecdd; --k3-edge: #008a64;
  --k4-ink: #7a5000; --k4-fill: #fbe3b2; --k4-edge: #a86f00;
  --k5-ink: #a33a00; --k5-fill: #fbdac9; --k5-edge: #d55e00;`;

const DARK = `
  --ground: #121518; --raised: #1b2025; --text: #eceae6; --quiet: #a2acb7;
  --rule: #333a42; --accent: #7cc4f2; --focus: #56b4e9; --hit: #6b5b00;
  --serious: #ff9d6b; --look: #f2bf58; --note: #86c8f4;
  --k0-ink: #a2acb7; --k0-fill: #39424b; --k0-edge: #8b98a5;
  --k1-ink: #e8a9cb; --k1-fill: #532c44; --k1-edge: #cc79a7;
  --k2-ink: #86c8f4; --k2-fill: #173f5c; --k2-edge: #56b4e9;
  --k3-ink: #63d6b2; --k3-fill: #0c4a39; --k3-edge: #1fae85;
  --k4-ink: #f2bf58; --k4-fill: #4c3a0b; --k4-edge: #e69f00;
  --k5-ink: #ff9d6b; --k5-fill: #5a2a0f; --k5-edge: #ee7424;`;

/** A class for each kind of role that names its three colours. */
const KINDS = [0, 1, 2, 3, 4, 5].map((k) =>
  `.k${k} { --ink: var(--k${k}-ink); --fill: var(--k${k}-fill); --edge: var(--k${k}-edge); }`
).join("\n");

const PAGE = `
:root { color-scheme: light dark; ${LIGHT} }
@media (prefers-color-scheme: dark) { :root { ${DARK} } }
${KINDS}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
  display: grid; grid-template-columns: minmax(0, 1fr) 320px; }
main { padding: 28px 32px 64px; max-width: 1280px; width: 100%; margin: 0 auto; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 32px 0 10px; }
h3 { font-size: 14px; margin: 0; }
p { margin: 0; }
a { color: var(--accent); }
button, input, select { font: inherit; color: inherit; background: var(--ground);
  border: 1px solid var(--k0-edge); border-radius: 6px; padding: 4px 10px; min-height: 32px; }
button { cursor: pointer; }
button[aria-pressed="true"] { background: var(--text); color: var(--ground); border-color: var(--text); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 1px; }
.quiet { color: var(--quiet); }
.serious { --level: var(--serious); } .look { --level: var(--look); } .note { --level: var(--note); }
.verdict { font-size: 17px; max-width: 75ch; }
b.mark, .badge b { color: var(--level); }
.verdict b.fine { color: var(--k3-ink); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
`;

const SUMMARY = `
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 1px;
  margin: 20px 0 0; border: 1px solid var(--rule); border-radius: 10px; overflow: hidden; }
.tile { box-shadow: 0 0 0 1px var(--rule); padding: 10px 14px; }
.tile dt { color: var(--quiet); font-size: 13px; }
.tile dd { margin: 0; font-size: 22px; line-height: 1.3; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile dd small { display: block; font-size: 13px; font-weight: 400; color: var(--quiet); }
.tile svg { display: block; width: 100%; height: 22px; margin-top: 4px; fill: var(--k3-edge); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 10px; }
.card { border: 1px solid var(--rule); border-left: 5px solid var(--level); border-radius: 8px; padding: 10px 14px;
  background: var(--raised); }
.card h3 button { all: unset; cursor: pointer; display: flex; gap: 8px; width: 100%; font-weight: 650; font-size: 15px; }
.card h3 button::after { content: "show"; margin-left: auto; white-space: nowrap; color: var(--accent); font-weight: 400; text-decoration: underline; }
.card h3 button[aria-pressed="true"]::after { content: "shown ✕"; font-weight: 650; }
.card h3 button:focus-visible { outline: 3px solid var(--focus); outline-offset: 3px; border-radius: 4px; }
.card .rows { font-weight: 400; color: var(--quiet); }
.card h3 { overflow-wrap: anywhere; } .card h3 span { min-width: 0; }
.card p { font-size: 14px; }
.card ul { margin: 6px 0 0; padding: 0; list-style: none; font-size: 13px; color: var(--quiet); }
.card li { overflow-wrap: anywhere; margin-top: 2px; max-height: 5.9em; overflow: hidden; }
.shares { display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 0 40px; }
.shares table { width: 100%; font-size: 14px; }
.shares th { text-align: left; font-weight: 400; padding: 3px 10px 3px 0; white-space: nowrap; }
.shares thead th { color: var(--quiet); font-size: 13px; } .shares thead th:last-child { white-space: normal; padding-right: 0; }
.shares td { padding: 3px 10px 3px 0; text-align: right; white-space: nowrap; }
.shares th.num { text-align: right; }
.shares .who { color: var(--ink); font-weight: 650; max-width: 14em; overflow: hidden; text-overflow: ellipsis; }
.shares td:last-child { width: 45%; padding-right: 0; }
.bar { display: flex; height: 14px; border-radius: 3px; overflow: hidden; }
.bar i { background: var(--edge); }
.bar i + i, .bar .not { background: repeating-linear-gradient(135deg, var(--edge) 0 1px, var(--fill) 1px 5px); }
`;

const ROWS = `
.filters { position: sticky; top: 0; z-index: 2; background: var(--ground); padding: 10px 0; border-bottom: 1px solid var(--rule);
  display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
.filters input { flex: 1 1 150px; min-width: 130px; }
.filters select { max-width: 168px; }
.filters .found { font-variant-numeric: tabular-nums; margin-left: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: center; font-size: 13px; margin: 10px 0 14px; color: var(--quiet); }
.legend .t { font-size: 13px; }
#roles { display: flex; flex-wrap: wrap; gap: 6px; }
.chip { display: inline-flex; align-items: center; gap: 6px; max-width: 16em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.chip::before { content: ""; width: 10px; height: 10px; border-radius: 3px; background: var(--edge); flex: none; }
.row { border: 1px solid var(--rule); border-radius: 8px; margin: 0 0 6px; scroll-margin-top: 64px; }
.row > summary { cursor: pointer; padding: 7px 12px; display: grid; list-style-position: inside;
  grid-template-columns: 78px 130px 150px minmax(0, 1fr) auto; gap: 4px 14px; align-items: center; border-radius: 8px; }
.row > summary::-webkit-details-marker { display: none; }
.row > summary:hover, .row[open] > summary { background: var(--raised); }
.line { font-weight: 650; font-variant-numeric: tabular-nums; white-space: nowrap; }
.line::before { content: "▸ "; color: var(--quiet); }
.row[open] .line::before { content: "▾ "; }
.strip { width: 130px; height: 16px; display: block; border-bottom: 1px solid var(--rule); }
.strip path { fill: var(--edge); }
.share { font-size: 13px; color: var(--quiet); white-space: nowrap; font-variant-numeric: tabular-nums; }
.share b { color: var(--text); }
.preview { color: var(--quiet); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 14px; }
.badges { display: flex; flex-wrap: wrap; gap: 2px 10px; justify-content: flex-end; font-size: 13px; }
.badge { white-space: nowrap; }
.body { padding: 4px 14px 14px; }
.turn { display: grid; grid-template-columns: 150px minmax(0, 1fr); gap: 0 14px; border-top: 1px solid var(--rule); padding: 8px 0; }
.turn:first-child { border-top: 0; }
.turn header { font-size: 13px; line-height: 1.4; color: var(--quiet); border-left: 4px solid var(--edge); padding-left: 8px; }
.turn header b { display: block; color: var(--ink); font-size: 14px; overflow-wrap: anywhere; }
.turn.dim, .run.dim { opacity: .32; }
.toks { font: 13.5px/2.05 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono", "Noto Sans Mono CJK SC", monospace;
  white-space: pre-wrap; tab-size: 4; overflow-wrap: anywhere; unicode-bidi: plaintext; min-width: 0; }
.t { color: var(--ink); border-left: 1px solid color-mix(in srgb, var(--edge) 45%, transparent); padding: 2px 0; cursor: default; }
.on > .t, .t.on { color: var(--text); font-weight: 700; background: var(--fill); border-left-color: var(--edge);
  border-bottom: 2px solid var(--edge); }
.on.odd > .t { border-bottom-style: dashed; }
.run.aside > .t { color: var(--quiet); }
.t.found { outline: 2px dotted var(--serious); outline-offset: -1px; }
.t.hit { background: var(--hit); color: var(--text); outline: 1px solid var(--text); }
.t:hover, .t:focus, .t.pinned { outline: 2px solid var(--focus); outline-offset: 0; border-radius: 2px; }
.t.hex, .t.none { font-size: 11px; }
.t i { font-style: normal; font-weight: 400; }
.sp { position: relative; }
.sp::before { content: "·"; position: absolute; inset: 0; display: flex; align-items: center; justify-content: center; color: var(--quiet); }
.tab::before { content: "→"; color: var(--quiet); }
.nl::before { content: "↵"; color: var(--quiet); }
.none::before { content: "∅"; color: var(--quiet); }
.tag { font: 11px/1 system-ui, sans-serif; color: var(--ground); background: var(--look); border-radius: 3px; padding: 2px 5px; margin: 0 3px; vertical-align: 1px; }
.gap { display: none; font: 12px system-ui, sans-serif; color: var(--quiet); padding: 0 6px; }
.only .turn.cold { padding: 3px 0; } .only .turn.cold header span { display: none; }
.only .run:not(.on) > * { display: none; }
.only .run:not(.on) > .gap { display: inline; }
.notes { font-size: 14px; margin-top: 10px; display: grid; gap: 4px; }
.notes li { list-style: none; overflow-wrap: anywhere; } .notes ul { margin: 0; padding: 0; }
.notes summary { cursor: pointer; }
.notes td, .notes th { padding: 2px 14px 2px 0; text-align: left; vertical-align: top; font-weight: 400; }
.notes code { font-size: 12.5px; overflow-wrap: anywhere; }
`;

const ASIDE = `
.panel { border-left: 1px solid var(--rule); background: var(--raised); position: sticky; top: 0; height: 100vh; overflow: auto; padding: 28px 20px; }
.panel h2 { margin: 0 0 10px; font-size: 15px; color: var(--quiet); font-weight: 400; }
.panel .big { font: 20px/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--ground); border: 1px solid var(--rule); border-radius: 8px; padding: 8px 12px; margin-bottom: 12px; max-height: 9em; overflow: auto; }
.panel .state { font-weight: 700; margin-bottom: 10px; padding-left: 10px; border-left: 5px solid var(--edge); }
.panel dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 14px; margin: 0 0 14px; font-size: 14px; font-variant-numeric: tabular-nums; }
.panel dt { color: var(--quiet); } .panel dd { margin: 0; overflow-wrap: anywhere; }
.pack { margin: 0 0 12px; }
#summary > details > summary { cursor: pointer; color: var(--accent); margin-bottom: 10px; }
.pack p { font-size: 13px; color: var(--quiet); margin-bottom: 3px; }
.pack p b { color: var(--text); }
.docs { display: flex; height: 40px; border: 1px solid var(--k0-edge); border-radius: 4px; overflow: hidden; background: var(--ground); }
.doc { position: relative; flex: 0 0 auto; min-width: 2px; border-right: 2px solid var(--text); overflow: hidden; white-space: nowrap;
  font-size: 12px; line-height: 1.25; color: var(--text); text-decoration: none; padding: 4px 5px; background: var(--k0-fill); }
.doc:nth-child(even) { background: var(--ground); }
.doc svg { position: absolute; left: 0; bottom: 0; width: 100%; height: 8px; border-top: 1px solid var(--k0-edge);
  background: repeating-linear-gradient(135deg, var(--k0-edge) 0 1px, transparent 1px 5px); fill: var(--k3-edge); }
.doc span { display: block; margin-top: -2px; }
.doc.cut-start { border-left: 3px dashed var(--serious); } .doc.cut-end { border-right: 3px dashed var(--serious); }
.doc.lost::before { content: "◤"; position: absolute; left: 0; top: -4px; color: var(--serious); font-size: 12px; }
.doc.lost span { padding-left: 8px; }
.free { flex: 1 1 0; background: repeating-linear-gradient(45deg, transparent 0 6px, var(--rule) 6px 7px); color: var(--quiet);
  font-size: 12px; padding: 4px 6px; overflow: hidden; white-space: nowrap; }
@media (max-width: 1000px) {
  body { display: block; }
  main { padding: 18px 16px 40vh; }
  .panel { position: fixed; left: 0; right: 0; bottom: 0; top: auto; height: auto; max-height: 38vh; z-index: 3; border: 0; border-top: 2px solid var(--rule); padding: 10px 16px; }
  .panel.empty { display: none; }
  .panel .big { font-size: 16px; max-height: 4.2em; margin-bottom: 8px; }
  .panel dl { grid-template-columns: auto 1fr auto 1fr; gap: 1px 12px; margin-bottom: 6px; }
  .filters { position: static; }
  .shares { grid-template-columns: 1fr; }
}
@media (max-width: 760px) {
  .row > summary { grid-template-columns: 1fr auto; }
  .strip { width: 100%; grid-column: 1 / -1; }
  .preview, .badges { grid-column: 1 / -1; justify-content: flex-start; }
  .turn { grid-template-columns: minmax(0, 1fr); gap: 4px; }
  .turn header b { display: inline; margin-right: 6px; }
  .shares td:last-child { width: 30%; }
  .shares .who { white-space: normal; overflow-wrap: anywhere; }
}
@media print {
  :root { ${LIGHT} }
  body { display: block; font-size: 11px; } main { max-width: none; padding: 0; }
  .panel, .filters { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .row { break-inside: auto; } .turn, .card { break-inside: avoid; }
}
`;

/** The style sheet. */
export const STYLE: string = PAGE + SUMMARY + ROWS + ASIDE;

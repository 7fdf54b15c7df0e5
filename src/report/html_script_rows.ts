/**
 * The first part of the report's script: a row's data, and the elements that are
 * made of it when the row is opened. Elements and text nodes only, never markup,
 * so nothing of a chat is ever parsed.
 *
 * @module
 */

/** Reads rows and shows them: defines `rows`, `meta`, `state`, `read`, `show`. */
export const ROWS_SCRIPT: string = String
  .raw`const STEP = 4000; // tokens of a row that are shown at a time
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const number = (n) => n.toLocaleString("en");
const counted = (n, one) => number(n) + " " + one + (n === 1 ? "" : "s");
const make = (name, className, ...inside) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...inside);
  return element;
};
const words = JSON.parse($("#words").textContent);
const word = (list, key, other) => Object.hasOwn(words[list], key) ? words[list][key] : other;
const finding = (code) => word("findings", code, { level: "look", title: code, mark: "▲" });
const late = $("#late"); // a summary that was only known at the end
if (late) $("#summary").replaceChildren(late.content);

const rows = $$("details.row");
const known = new WeakMap();
const limits = new WeakMap();
const state = { role: null, reason: "", found: "", text: "", trained: false };
const meta = new Map(rows.map((row) => [row, {
  roles: JSON.parse(row.dataset.roles),
  reasons: row.dataset.reasons.split(" "),
  found: row.dataset.found === "" ? [] : row.dataset.found.split(" "),
}]));

// A row's data, read when it is first needed.
function read(row) {
  let data = known.get(row);
  if (data) return data;
  data = JSON.parse($("script", row).textContent);
  data.owner = [];
  for (const turn of data.turns) {
    for (const run of turn.runs) for (let n = run[0]; n > 0; n--) data.owner.push([turn, run]);
  }
  data.starts = [0]; // in characters of the joined pieces
  for (const piece of data.pieces) data.starts.push(data.starts.at(-1) + piece.length);
  let end = 0;
  data.from = data.bytes && data.bytes.map((length, t) => {
    const start = end + (data.gaps[t] || 0);
    end = start + length;
    return start;
  });
  data.text = data.pieces.join("").toLowerCase();
  known.set(row, data);
  return data;
}

// A token's text, whitespace as elements that show a mark and copy as what they are.
function fill(span, piece) {
  if (piece === "") { span.classList.add("none"); return ""; }
  const body = piece.replace(/\n+$/, "");
  for (const part of body.split(/([ \n\t])/)) {
    if (part === " ") span.append(make("i", "sp", " "));
    else if (part === "\n") span.append(make("i", "nl", "\n"));
    else if (part === "\t") span.append(make("i", "tab", "\t"));
    else if (part !== "") span.append(part);
  }
  const ends = piece.length - body.length;
  for (let i = 0; i < ends; i++) span.append(make("i", "nl"));
  return "\n".repeat(ends); // the breaks themselves stand behind the token
}

const ASIDE = new Set(["header", "template", "whitespace_after_stop", "stop_not_trained"]);
const TAGGED = new Set(["header_trained", "whitespace_trained", "call_not_trained", "think_opening",
  "stop_not_trained", "straddles", "zero_weight"]);

function show(row) {
  const data = read(row);
  const limit = limits.get(row) || STEP;
  const body = $(".body", row);
  body.replaceChildren();
  const odd = new Set();
  for (const { tokens } of data.findings || []) {
    for (let t = tokens ? tokens[0] : 0; tokens && t < tokens[1]; t++) odd.add(t);
  }
  let t = 0;
  let all = 0;
  for (const turn of data.turns) {
    const tokens = turn.runs.reduce((sum, run) => sum + run[0], 0);
    all += tokens;
    if (t >= limit) continue;
    // a newline between turns is shown behind the turn before it
    const joins = turn.role === null && tokens <= 8 && body.lastChild;
    const toks = joins ? $(".toks", body.lastChild) : make("div", "toks");
    for (const [count, , reason, trained, weight] of turn.runs) {
      const run = make("span", "run" + (trained ? " on" : "") + (weight !== 1 && trained ? " odd" : "") +
        (ASIDE.has(reason) ? " aside" : "") + (joins ? " k0" : ""));
      run.dataset.reason = reason;
      if (!trained) run.append(make("span", "gap", "⋯ " + number(count)));
      if (TAGGED.has(reason)) run.append(make("span", "tag", reason.replaceAll("_", " ")));
      for (let n = 0; n < count && t < limit; n++, t++) {
        const span = make("span", "t" + (odd.has(t) ? " found" : ""));
        span.tabIndex = t === 0 ? 0 : -1;
        span.dataset.t = t;
        const breaks = fill(span, data.pieces[t]);
        const part = data.parts[t];
        if (part) {
          span.classList.add("hex");
          if (part[1]) span.append(make("i", "", "=" + part[0]));
        }
        run.append(span);
        if (breaks !== "") run.append(make("span", "br", breaks));
      }
      toks.append(run);
    }
    if (joins) continue;
    toks.setAttribute("role", "group");
    toks.setAttribute("aria-label", "tokens of " + (turn.role || "nobody"));
    const section = make("section", "turn k" + turn.kind + (turn.trained === 0 ? " cold" : ""), head(turn, tokens, data), toks);
    section.dataset.role = JSON.stringify(turn.role);
    body.append(section);
  }
  if (all > limit) {
    const more = make("button", "", "Show " + number(Math.min(STEP, all - limit)) + " more of " + number(all) + " tokens");
    more.addEventListener("click", () => { limits.set(row, limit + STEP); show(row); });
    body.append(more);
  }
  body.append(notes(data));
  mark(row);
}

function head(turn, tokens, data) {
  const header = make("header", "", make("b", "", turn.role === null ? data.certificate ? "template" : "row" : turn.role));
  const say = (text) => header.append(make("span", "", text), " ");
  say(number(turn.trained) + " of " + number(tokens) + " trained");
  const weights = turn.weights;
  if (weights && (weights[0] !== 1 || weights[1] !== 1)) {
    say("· weight " + weights[0] + (weights[1] === weights[0] ? "" : " to " + weights[1]));
  }
  if (turn.why) say("· " + word("reasons", turn.why, turn.why));
  return header;
}

// What was found in the row, and its certificate.
function notes(data) {
  const box = make("div", "notes");
  const list = make("ul");
  for (const { code, message, detail, tokens } of data.findings || []) {
    const { level, title, mark } = finding(code);
    const name = make("span", "badge " + level, make("b", "", mark), " ", make("b", "", title));
    const where = (message === undefined ? "" : ", message " + message) +
      (tokens ? ", tokens " + tokens[0] + " to " + tokens[1] : "");
    list.append(make("li", "", name, where + ": " + detail));
  }
  if (list.firstChild) box.append(list);
  const certificate = data.certificate;
  if (certificate) {
    const { runs, tokens, bytes, proof, checked } = certificate;
    const table = make("table");
    for (const run of runs) {
      const text = data.pieces.slice(...run.tokens).join("");
      const code = make("code", "", text.length > 300 ? text.slice(0, 300) + "…" : text);
      table.append(make("tr", "", make("td", "", "tokens " + run.tokens.join(" to ")),
        make("td", "", "bytes " + run.bytes.join(" to ")),
        make("td", "", "message " + run.message + ": " + run.fields.map((field) => word("fields", field, field)).join(", ")),
        make("td", "", code)));
    }
    const checks = make("ul", "quiet", ...checked.map((one) => make("li", "", "✓ " + one)));
    box.append(make("details", "", make("summary", "", "Certificate: " + counted(runs.length, "run") + ", " +
      counted(tokens, "token") + ", " + counted(bytes, "byte") + "; proved by " + proof), table, checks));
  }
  return box;
}
`;

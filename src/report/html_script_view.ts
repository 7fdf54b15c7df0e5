/**
 * The second part of the report's script: the filters above the rows, and the
 * panel that tells what is known of a token.
 *
 * @module
 */

/** Filters rows and fills the panel; stands behind `ROWS_SCRIPT`. */
export const VIEW_SCRIPT: string = String.raw`
const main = $("main");
const count = $("#count");

// Which rows stay, and what of them is dimmed or lit.
function apply() {
  const query = state.text.toLowerCase();
  const id = /^#-?\d+$/.test(query) ? Number(query.slice(1)) : null;
  let shown = 0;
  for (const row of rows) {
    const { roles, reasons, found } = meta.get(row);
    const stays = (state.role === null || roles.includes(JSON.parse(state.role))) &&
      (state.reason === "" || reasons.includes(state.reason)) &&
      (state.found === "" || found.includes(state.found)) &&
      (query === "" || (id === null ? read(row).text.includes(query) : read(row).ids.includes(id)));
    row.hidden = !stays;
    if (stays) shown++;
    if (stays && row.open) mark(row);
  }
  main.classList.toggle("only", state.trained);
  count.textContent = number(shown) + " of " + number(rows.length) + " rows";
  $("#none").hidden = shown > 0 || rows.length === 0;
  for (const chip of $$(".chip")) chip.setAttribute("aria-pressed", String(chip.dataset.role === state.role));
  for (const card of $$(".card button")) card.setAttribute("aria-pressed", String(card.dataset.found === state.found));
  $("#trained").setAttribute("aria-pressed", String(state.trained));
  $("#reason").value = state.reason;
  $("#finding").value = state.found;
  $("#reset").hidden = state.role === null && state.reason === "" && state.found === "" && query === "" && !state.trained;
}

// Dims what a filter is not about, and lights what was searched for.
function mark(row) {
  for (const turn of $$(".turn", row)) turn.classList.toggle("dim", state.role !== null && turn.dataset.role !== state.role);
  for (const run of $$(".run", row)) run.classList.toggle("dim", state.reason !== "" && run.dataset.reason !== state.reason);
  const query = state.text.toLowerCase();
  const lit = new Set();
  const { ids, text, starts } = read(row);
  if (/^#-?\d+$/.test(query)) ids.forEach((id, t) => { if (id === Number(query.slice(1))) lit.add(t); });
  else if (query !== "") {
    let t = 0;
    for (let at = text.indexOf(query); at >= 0; at = text.indexOf(query, at + query.length)) {
      while (starts[t + 1] <= at) t++;
      for (let u = t; u < ids.length && starts[u] < at + query.length; u++) lit.add(u);
    }
  }
  for (const span of $$(".t", row)) span.classList.toggle("hit", lit.has(Number(span.dataset.t)));
}

// The panel.
const panel = $("#panel");
let pinned = null;

function tell(span) {
  const row = span.closest("details.row");
  const data = read(row);
  const t = Number(span.dataset.t);
  const [turn, run] = data.owner[t];
  const [, field, reason, trained, weight] = run;
  const big = make("div", "big");
  big.append(fill(big, data.pieces[t]));
  const part = data.parts[t];
  const why = (trained ? "Trained: " : "Not trained: ") + (word("reasons", reason, reason));
  const verdict = make("p", "state k" + turn.kind, why);
  const list = make("dl");
  const add = (name, value) => list.append(make("dt", "", name), make("dd", "", String(value)));
  add("token", number(t) + " of " + number(data.ids.length));
  add("id", data.ids[t]);
  if (data.from) {
    const from = data.from[t], length = data.bytes[t];
    add("bytes", from + " to " + (from + length) + " (" + length + ")");
  }
  if (part) add("part of", part[0]);
  add("owner", turn.role === null ? "nobody" : "message " + turn.message + ", " + turn.role);
  if (field) add("field", word("fields", field, field));
  add("reason", reason);
  add("label", trained ? data.ids[t] : "ignored");
  add("weight", trained ? weight : "0, as it is not trained");
  for (const { code, tokens } of data.findings || []) {
    if (tokens && tokens[0] <= t && t < tokens[1]) add("finding", finding(code).title);
  }
  put($(".line", row).textContent, big, verdict, list);
}

function put(title, ...inside) {
  panel.replaceChildren(make("h2", "", title + (pinned ? ", pinned" : "")), ...inside);
  panel.classList.remove("empty");
}

function tellDoc(doc) {
  const list = make("dl");
  for (const pair of JSON.parse(doc.dataset.about)) list.append(make("dt", "", pair[0]), make("dd", "", pair[1]));
  put("document in a pack", list);
}

function look(target) {
  const span = target.closest && target.closest(".body .t, .doc");
  if (!span || (pinned && pinned !== span)) return;
  if (span.classList.contains("doc")) tellDoc(span);
  else tell(span);
}

function pin(span) {
  if (pinned) pinned.classList.remove("pinned");
  pinned = span === pinned ? null : span;
  if (pinned) pinned.classList.add("pinned");
  if (span) tell(span);
}

main.addEventListener("mouseover", (event) => look(event.target));
main.addEventListener("focusin", (event) => look(event.target));
main.addEventListener("click", (event) => {
  const span = event.target.closest(".body .t");
  if (span) pin(span);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && pinned) pin(null);
  const span = event.target.closest && event.target.closest(".body .t");
  if (!span) return;
  const all = $$(".t", span.closest(".body")).filter((one) => one.offsetParent !== null);
  const at = all.indexOf(span);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (event.key === "Enter" || event.key === " ") pin(span);
  else if (to === undefined) return;
  else if (all[to]) {
    span.tabIndex = -1;
    all[to].tabIndex = 0;
    all[to].focus();
  }
  event.preventDefault();
});

// Filters are made of what the rows have.
const roles = new Map();
const reasons = new Map();
const finds = new Map();
const add = (map, key) => map.set(key, (map.get(key) || 0) + 1);
for (const [row, about] of meta) {
  about.roles.forEach((role) => add(roles, JSON.stringify(role)));
  about.reasons.forEach((reason) => add(reasons, reason));
  about.found.forEach((code) => add(finds, code));
}
for (const role of roles.keys()) {
  const name = JSON.parse(role);
  const chip = make("button", "chip k" + (name === null ? 0 : word("kinds", name, 5)), name === null ? "nobody" : name);
  chip.dataset.role = role;
  chip.addEventListener("click", () => { state.role = state.role === role ? null : role; apply(); });
  $("#roles").append(chip);
}
const choose = (select, map, name) => {
  for (const [key, n] of [...map].sort((a, b) => b[1] - a[1])) {
    const option = make("option", "", name(key) + " (" + number(n) + ")");
    option.value = key;
    select.append(option);
  }
};
choose($("#reason"), reasons, (reason) => reason);
choose($("#finding"), finds, (code) => finding(code).title);
$("#reason").addEventListener("change", (event) => { state.reason = event.target.value; apply(); });
$("#finding").addEventListener("change", (event) => { state.found = event.target.value; apply(); });
$("#trained").addEventListener("click", () => { state.trained = !state.trained; apply(); });
$("#reset").addEventListener("click", () => {
  Object.assign(state, { role: null, reason: "", found: "", text: "", trained: false });
  $("#search").value = "";
  apply();
});
let wait = 0;
$("#search").addEventListener("input", (event) => {
  clearTimeout(wait);
  wait = setTimeout(() => { state.text = event.target.value; apply(); }, 120);
});
for (const button of $$(".card button")) {
  button.addEventListener("click", () => {
    state.found = state.found === button.dataset.found ? "" : button.dataset.found;
    apply();
    if (state.found) $("#rows").scrollIntoView();
  });
}
$("#open").addEventListener("click", () => {
  rows.filter((row) => !row.hidden && !row.open).slice(0, 20).forEach((row) => { row.open = true; });
});
$("#close").addEventListener("click", () => rows.forEach((row) => { row.open = false; }));

// Rows are made when they are opened, and unmade when closed.
for (const row of rows) {
  row.addEventListener("toggle", () => {
    if (row.open) show(row);
    else $(".body", row).replaceChildren();
  });
  if (row.open) show(row);
}
// A link to a row opens it; one to a row that is not here is no link.
for (const link of $$('a[href^="#line-"]')) {
  if (!document.getElementById(link.hash.slice(1))) link.removeAttribute("href");
}
const visit = () => {
  const row = location.hash && document.getElementById(location.hash.slice(1));
  if (!row || !rows.includes(row)) return;
  row.hidden = false;
  row.open = true;
  row.scrollIntoView();
};
addEventListener("hashchange", visit);
apply();
visit();
document.documentElement.dataset.ready = "true";
`;

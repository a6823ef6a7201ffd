// The page that starts a screening: what is screened, the columns that expressions
// may name, and how many rows it would be, as the server answers an estimate.
import { $, el, request, notice, plural, Problem } from "./app.js";

const typing = 500; // ms without a key before the server is asked
const part = 8 << 20; // bytes of an upload that are sent at once
const tries = 5; // of one part

const mode = () => document.querySelector("[name=mode]:checked").value;
const lines = (id) => $(id).value.split("\n").map((l) => l.trim()).filter(Boolean);
let models = [];

// The request

/** A whole number of a field; what is none is sent as it is, for the server to refuse. */
const whole = (id) => {
  const text = $(id).value.trim();
  return /^\d+$/.test(text) ? Number(text) : text || undefined;
};

function input() {
  if (mode() === "dataset") return $("dataset").value ? { dataset: $("dataset").value } : null;
  const lists = [lines("first"), lines("second")].filter((l) => l.length);
  return lists.length ? { grid: { monomers: lists, mechanism: $("mechanism").value, dp: whole("dp") } } : null;
}

function asked() {
  const m = models[$("model").value];
  const spec = { input: input(), model: m && { repo: m.repo, revision: m.revision }, format: $("format").value, limit: whole("limit") };
  for (const id of ["where", "order_by", "name"]) spec[id] = $(id).value.trim() || undefined;
  return spec;
}

// Problems

/** The field that a JSON pointer is about. */
function fieldOf(pointer) {
  const [, first, second, third, index] = pointer.split("/");
  if (first !== "input") return first;
  if (second !== "grid") return mode() === "dataset" ? "dataset" : "first";
  if (third !== "monomers") return third;
  return index === "1" || index === "0" && !lines("first").length ? "second" : "first";
}

function clear() {
  for (const e of document.querySelectorAll("#form .problem")) if (e.id !== "file-problem") e.replaceChildren();
  for (const e of document.querySelectorAll("#form [aria-invalid]")) e.removeAttribute("aria-invalid");
  $("form-problem").replaceChildren();
}

function tell(problem) {
  const rest = [];
  for (const { pointer, detail } of problem.errors ?? []) {
    const id = fieldOf(pointer), at = $(`${id}-problem`);
    if (!at) { rest.push(pointer ? `${pointer}: ${detail}` : detail); continue; }
    at.append(el("p", {}, detail));
    $(id).setAttribute("aria-invalid", "true");
  }
  if (!problem.errors?.length) rest.push(problem.message);
  $("form-problem").replaceChildren(...rest.map((t) => el("p", { class: "problem" }, t)));
}

// Columns and estimate

let last = $("where"); // the field into which a column's name goes
for (const id of ["where", "order_by"]) $(id).addEventListener("focus", (e) => { last = e.target; });

/** A column as an expression names it. */
function named({ name, input: given }, all) {
  const plain = /^[A-Za-z_]\w*$/.test(name);
  const taken = given && all.some((c) => !c.input && c.name === name);
  if (!plain) return `${given ? "input" : "result"}[${JSON.stringify(name)}]`;
  return taken ? `input.${name}` : name;
}

function insert(text) {
  last.setRangeText(text, last.selectionStart, last.selectionEnd, "end");
  last.focus();
  later();
}

let known = ""; // of what the columns are shown
function showColumns(columns) {
  $("names-hint").textContent = "A click puts a name where you write.";
  $("names").replaceChildren(...columns.map((c) => {
    const text = named(c, columns);
    return el("button", { type: "button", class: "small mono", onclick: () => insert(text), title: c.input ? "a column of the library" : "a column of the results" }, text);
  }));
}

const ask = (json, signal) => request("/v1/screenings/estimate", { method: "POST", json, signal });

let asking = null, timer = 0;
const later = () => { clearTimeout(timer); timer = setTimeout(estimate, typing); };

async function estimate() {
  clearTimeout(timer);
  asking?.abort();
  clear();
  const spec = asked();
  const say = (text) => { $("estimate").textContent = text; };
  if (!spec.input) {
    known = "";
    $("names").replaceChildren();
    $("names-hint").textContent = "Choose what is screened, and its columns are listed here.";
    return say(mode() === "dataset" ? "Choose a library." : "Fill in monomers.");
  }
  const { signal } = asking = new AbortController();
  const key = JSON.stringify([spec.input, spec.model]);
  try {
    if (key !== known) { // before the expressions, which may be wrong
      const { columns } = await ask({ input: spec.input, model: spec.model }, signal);
      known = key;
      showColumns(columns);
    }
    const { rows } = await ask(spec, signal);
    const kept = typeof spec.limit === "number" && spec.limit > 0 ? `, of which at most ${spec.limit.toLocaleString("en")} are kept` : spec.where ? ", of which some are kept" : "";
    say(`${plural(rows, "row")} would be predicted${kept}. Time left and cost are shown as soon as the first rows are done.`);
  } catch (problem) {
    if (problem.name === "AbortError" || signal.aborted) return;
    say("It cannot be started like this.");
    tell(problem);
  }
}

// Models

async function loadModels() {
  try {
    models = (await request("/v1/models")).data.filter((m) => !m.error);
  } catch (problem) {
    if (problem.status !== 401) notice(`The list of models could not be loaded. ${problem.message}`, { key: "models" });
    return;
  }
  if (!models.length) return;
  const properties = (all) => (all.length > 3 ? `${all.length} properties` : all.map((t) => t.name).join(", ") || "properties unknown");
  $("model").replaceChildren(...models.map((m, i) => el("option", { value: i, selected: Boolean(m.default) },
    `${m.repo} ${m.revision}${m.default ? " (default)" : ""}: ${properties(m.targets)}`)));
}

// Uploads

/** Sends one part; one whose answer was lost is there already. */
async function send(path, file, at, signal) {
  for (let n = 1; ; n++) {
    try {
      return (await request(`${path}?offset=${at}`, { method: "PUT", body: file.slice(at, at + part), headers: { "Content-Type": "application/octet-stream" }, signal })).offset;
    } catch (problem) {
      if (signal.aborted || problem instanceof Problem && problem.status !== 409 && problem.status < 500 || n === tries) throw problem;
      await new Promise((done) => { setTimeout(done, 1000 * n); });
      const now = await request(path, { signal }).catch(() => null);
      if (now && now.offset !== at) return now.offset;
    }
  }
}

let uploading = null;
async function upload(file) {
  uploading?.abort();
  const { signal } = uploading = new AbortController();
  const bar = el("progress", { max: file.size, value: 0, "aria-label": `Uploading ${file.name}` }), text = el("span", { class: "hint" }, `Uploading ${file.name}…`);
  $("file-problem").replaceChildren();
  $("upload").replaceChildren(bar, text);
  try {
    const name = file.name.replace(/\.(csv|csv\.gz|xlsx)$/i, "");
    const { id } = await request(`/v1/datasets/uploads?name=${encodeURIComponent(name)}`, { method: "POST", signal });
    const path = `/v1/datasets/uploads/${id}`;
    for (let at = 0; at < file.size;) bar.value = at = await send(path, file, at, signal);
    bar.removeAttribute("value");
    text.textContent = "Reading every row…";
    const d = await request(`${path}/complete`, { method: "POST", signal });
    $("upload").replaceChildren(el("p", { class: "hint" }, `${d.name}: ${plural(d.rows, "row")}.`));
    $("dataset").querySelector(`[value="${CSS.escape(d.id)}"]`)?.remove();
    $("dataset").options[0].after(el("option", { value: d.id }, `${d.name} (${plural(d.rows, "row")})`));
    $("dataset").value = d.id;
    estimate();
  } catch (problem) {
    if (signal.aborted) return;
    $("upload").replaceChildren();
    const more = (problem.errors ?? []).slice(0, 10).map((p) => el("p", {}, p.pointer ? `${p.pointer}: ${p.detail}` : p.detail));
    $("file-problem").replaceChildren(el("p", {}, problem.message), ...more);
  }
}

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) upload(file);
  $("file").value = ""; // the same file can be chosen again once it is changed
});
const over = (on) => (e) => { e.preventDefault(); $("drop").classList.toggle("over", on); };
addEventListener("dragover", over(true)); // a file dropped beside the box must not replace the page
addEventListener("dragleave", over(false));
addEventListener("drop", (e) => {
  over(false)(e);
  const file = e.dataTransfer?.files[0];
  if (file && mode() === "dataset") upload(file);
});

// The form

function showMode() {
  for (const e of document.querySelectorAll("[data-mode]")) e.hidden = e.dataset.mode !== mode();
}

const form = $("form");
form.addEventListener("input", (e) => { if (e.target.type !== "file") later(); });
for (const e of document.querySelectorAll("[name=mode]")) e.addEventListener("change", showMode);
form.addEventListener("submit", async (e) => {
  e.preventDefault();
  clearTimeout(timer);
  asking?.abort();
  clear();
  const spec = asked();
  if (!spec.input) {
    const id = mode() === "dataset" ? "dataset" : "first";
    tell({ errors: [{ pointer: "/input", detail: id === "first" ? "Fill in monomers." : "Choose a library, or upload one." }] });
    $(id).focus();
    return;
  }
  $("start").disabled = true;
  try {
    const made = await request("/v1/screenings", { method: "POST", json: spec, headers: { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) } });
    location.assign(`/screenings/${made.id}`);
  } catch (problem) {
    $("start").disabled = false;
    tell(problem);
    document.querySelector("#form [aria-invalid]")?.focus();
  }
});

// What is in the address, such as /screen?dataset=ds_…
const wanted = new URLSearchParams(location.search).get("dataset");
if (wanted && [...$("dataset").options].some((o) => o.value === wanted)) $("dataset").value = wanted;
showMode();
await loadModels();
if (input()) estimate();

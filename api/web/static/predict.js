// The page that predicts.
import { $, el, request, pageData, notice, number, Problem } from "./app.js";
import { depict } from "./depict.js";
import { toCSV, save } from "./csv.js";
import * as inputs from "./predict/inputs.js";
import * as results from "./predict/results.js";
import * as files from "./predict/file.js";
import { heatMap } from "./predict/grid.js";
import * as recent from "./predict/recent.js";

const data = pageData("data");
const lookEvery = 10000; // ms between looks for a first model
const typing = 250; // ms without a key before a structure is drawn
const followEvery = 1000; // ms

let models = []; // as GET /v1/models lists them
let hidden = new Set(); // properties not to be shown
let last = null; // draws the latest answer again
let running = null; // what stops the request on its way
const placeholder = $("results").firstElementChild;

// Models

const modelName = (m) => `${m.repo}@${m.revision}`;
const model = () => models[Number($("model").value)] ?? models[0];
const asked = () => ({ repo: model().repo, revision: model().revision });
const targets = () => (model()?.targets ?? []).map((t) => t.name);
const chosen = (among) => among.filter((t) => !hidden.has(t));

const properties = (all) => (all.length > 3 ? `${all.length} properties` : all.map((t) => t.name).join(", ") || "properties unknown");

function showModels(want) {
  const i = models.findIndex((m) => m.revision === want.revision && (m.repo === want.repo || !want.repo));
  $("model").replaceChildren(...models.map((m, n) => el("option", { value: n, selected: n === i },
    `${m.repo === data.default.repo ? "" : `${m.repo} `}${m.revision}${m.default ? " (default)" : ""}: ${properties(m.targets)}`)));
  showModel();
}

function showModel() {
  const m = model(), about = [];
  if (m.error) about.push(`This model could not be loaded: ${m.error}.`);
  else if (!m.loaded) about.push("It is downloaded and loaded at the first prediction.");
  if (m.stale) about.push("The Hub is not responding; this is the copy downloaded before.");
  if (m.created_at) about.push(`Trained ${new Date(m.created_at).toLocaleDateString([], { dateStyle: "medium" })}.`);
  const scores = Object.entries(m.metrics?.out_of_fold ?? {}).map(([t, s]) => `${results.called(t)} ${number(s.mae, 2)} ${s.units}`.trim() + ` (${number(s.baseline_mae, 2)})`);
  if (scores.length) about.push(`Out-of-fold mean absolute error (in brackets: of the baseline, the training median): ${scores.join(", ")}.`);
  $("model-about").textContent = about.join(" ");
  $("targets").replaceChildren(...targets().map((t) => el("label", { class: "check" },
    el("input", { type: "checkbox", value: t, checked: !hidden.has(t), onchange: (e) => {
      if (e.target.checked) hidden.delete(t); else hidden.add(t);
      last?.();
    } }), results.called(t))));
  $("properties").hidden = targets().length < 2;
}

let listing = 0;
async function loadModels(want) {
  const mine = ++listing;
  clearTimeout(loadModels.again);
  try {
    const { data: found } = await request("/v1/models");
    if (mine !== listing) return; // a later look is on its way
    models = found;
  } catch (e) {
    if (e.status === 401 || mine !== listing) return;
    const again = el("button", { type: "button", class: "small", onclick: () => { clear(); loadModels(want); } }, "Try again");
    const clear = notice(`The list of models could not be loaded. ${e.message}`, { key: "models", action: again });
    return;
  }
  const none = models.length === 0;
  $("no-model").hidden = !none;
  $("ask").hidden = none;
  if (none) {
    $("no-model-state").textContent = `Checked at ${new Date().toLocaleTimeString()}. This page checks again every ten seconds.`;
    loadModels.again = setTimeout(() => loadModels(want), lookEvery);
    return;
  }
  if (want.revision && !models.some((m) => m.revision === want.revision && (!want.repo || m.repo === want.repo))) {
    // Named by the address: another repository's, or a commit. The server knows whether it may.
    models.push({ repo: want.repo || data.default.repo, revision: want.revision, targets: [], loaded: false });
  }
  showModels(want.revision ? want : models.find((m) => m.default) ?? models[0]);
}

// The form

const mode = () => document.querySelector("[name=mode]:checked").value;

function showMode() {
  for (const e of document.querySelectorAll("[data-mode]")) e.hidden = !e.dataset.mode.split(" ").includes(mode());
  for (const e of document.querySelectorAll("[data-notation]")) e.hidden = e.dataset.notation !== inputs.notation();
  if (mode() === "one" && inputs.notation() === "smiles_polymer") $("chain").hidden = true; // it is there already
  clearProblems();
  if (mode() === "one") drawInput();
}

let drawing = 0, timer = 0;
async function drawInput() {
  clearTimeout(timer);
  const kind = inputs.notation(), text = $(kind).value.trim(), n = ++drawing;
  const paper = $("drawing").querySelector(".paper"), caption = $("drawing").querySelector("figcaption");
  $("drawing").hidden = text === "";
  if (text === "") return;
  try {
    const picture = await depict(kind === "monomers" ? inputs.monomersOf(text).join(".") : text, { label: "Structure of what is typed" });
    if (n !== drawing) return;
    paper.classList.remove("stale");
    paper.replaceChildren(picture);
    const joints = (text.match(/\*/g) ?? []).length;
    caption.textContent = kind === "smiles_repeat_unit" && joints !== 2 ? `A repeat unit needs two *; this one has ${joints}.`
      : kind === "smiles_polymer" && joints ? "A finished chain has no *. Is this a repeat unit?" : "";
  } catch {
    if (n !== drawing) return;
    paper.classList.add("stale");
    caption.textContent = "This is not a valid SMILES yet.";
  }
}

function clearProblems() {
  for (const e of document.querySelectorAll("#form .problem")) e.replaceChildren();
  for (const e of document.querySelectorAll("#form [aria-invalid]")) e.removeAttribute("aria-invalid");
  $("form-problem").replaceChildren();
}

/** Says beside a field what is wrong with it. */
function problemAt(id, ...what) {
  const field = $(id);
  const place = $(`${id}-problem`) ?? (mode() === "grid" ? $("grid-problem") : $("form-problem"));
  field.setAttribute("aria-invalid", "true");
  place.replaceChildren(el("div", { class: place.id === "form-problem" ? "alert bad" : "", role: "alert" }, ...what));
  field.closest("details")?.setAttribute("open", "");
  field.focus();
}

function problem(e) {
  if (e instanceof inputs.Wrong) { problemAt(e.field, e.message); return; }
  if (e.code === "model_not_loaded") loadModels(asked());
  $("form-problem").replaceChildren(el("div", { class: "alert bad", role: "alert" }, el("p", {}, e.message),
    e.errors?.length ? el("ul", {}, ...e.errors.map((p) => el("li", {}, p.pointer ? el("code", {}, p.pointer) : null, " ", p.detail))) : null));
}

// Asking

/** Runs a request; the form says so, and can stop it. */
async function busy(words, work) {
  running?.abort();
  const mine = running = new AbortController();
  clearProblems();
  $("go").disabled = true;
  $("stop").hidden = false;
  $("state").textContent = words;
  $("results").setAttribute("aria-busy", "true");
  const began = performance.now();
  try {
    const done = await work(mine.signal);
    if (running === mine) $("state").textContent = done ? `${done} in ${((performance.now() - began) / 1000).toFixed(1)} s.` : "";
  } catch (e) {
    if (running !== mine) return; // a later request has the form now
    $("state").textContent = mine.signal.aborted ? "Stopped." : "";
    if (!mine.signal.aborted) problem(e);
  } finally {
    if (running === mine) {
      running = null;
      $("go").disabled = false;
      $("stop").hidden = true;
      $("results").removeAttribute("aria-busy");
    }
  }
}

/** Predicts inputs, and gives the whole answer. */
async function predict(body, signal) {
  let p = await request("/v1/predictions", { method: "POST", json: body, headers: { Prefer: "wait=60" }, signal });
  while (p.status === "queued" || p.status === "running") {
    $("state").textContent = p.status === "queued" ? "Queued…" : `${p.counts.ok + p.counts.failed} of ${p.counts.total}…`;
    await files.pause(followEvery, signal);
    p = await request(`/v1/predictions/${p.id}`, { signal });
  }
  if (p.status === "failed") throw new Problem(500, { detail: p.error?.detail ?? "The prediction failed." });
  return p;
}

const quote = (s) => `'${s.replaceAll("'", "'\\''")}'`;

/** The same, asked by curl. */
function snippet(path, headers, payload) {
  const all = data.token ? [...headers, '"Authorization: Bearer $API_TOKEN"'] : headers;
  return el("details", { class: "card curl" }, el("summary", {}, "The same request with curl"),
    el("pre", { id: "curl", tabindex: 0 }, ["curl -sS", ...all.map((h) => `-H ${h}`), payload, quote(location.origin + path)].join(" \\\n  ")),
    el("button", { type: "button", class: "small", "data-copy": "curl" }, "Copy"));
}
const asJSON = (body) => snippet("/v1/predictions", [quote("Content-Type: application/json"), quote("Prefer: wait=60")], `-d ${quote(JSON.stringify(body))}`);

/** Shows an answer; draw gives its nodes, again when the choice of properties changes. */
function show(draw) {
  last = () => $("results").replaceChildren(...draw());
  last();
  if (matchMedia("(max-width: 60rem)").matches) $("results").scrollIntoView({ block: "start" });
}

const among = (p) => {
  const names = Object.keys(p.results.find((r) => r.predictions)?.predictions ?? {});
  return chosen(targets().length ? targets().filter((t) => names.includes(t)) : names);
};
const counted = (n) => (n === 1 ? "Predicted one polymer" : `Predicted ${n} polymers`);

const ask = {
  async one(signal) {
    const input = inputs.one(), body = { model: asked(), inputs: [input] };
    history.replaceState(null, "", inputs.toQuery(input, asked()));
    const p = await predict(body, signal), [result] = p.results;
    if (result.error) {
      const kind = inputs.notation();
      problemAt(kind, results.wrong(result.error, input));
      last = null;
      $("results").replaceChildren(placeholder);
      return "";
    }
    show(() => [el("div", { class: "card" }, results.unfit(p.results, among(p)), results.whole(result, input, among(p), { explain: async () => (await predict({ ...body, explain: ["atoms", "neighbours"] }, signal)).results[0] }), results.answeredBy(p.model)), asJSON(body)]);
    recent.add(input, result, among(p));
    return counted(1);
  },

  async list(signal) {
    const all = inputs.list(data.max_inputs), body = { model: asked(), inputs: all.map((a) => a.input) };
    const p = await predict(body, signal);
    const items = all.map((a, i) => ({ ...a, result: p.results[i] }));
    const csv = () => save(toCSV([["name", "polymer", ...results.columns(targets(), results.level(p.results))],
      ...items.map((a) => [a.name, inputs.inWords(a.input), ...results.cells(a.result, targets())])]), "predictions.csv");
    show(() => [el("div", { class: "card" },
      el("div", { class: "row spread" }, el("h2", {}, `${p.counts.ok} of ${p.counts.total} predicted`), el("button", { type: "button", class: "small", onclick: csv }, "Download CSV")),
      results.unfit(p.results, among(p)), results.table(items, among(p)), el("p", { class: "legend" }, `Bars show ${results.level(p.results)} % intervals, lines the folds. Each column has one scale.`), results.answeredBy(p.model)), asJSON(body)]);
    return counted(p.counts.ok);
  },

  async grid(signal) {
    const asking = inputs.grid(data.max_inputs), body = { model: asked(), inputs: asking.inputs };
    const p = await predict(body, signal);
    show(() => [el("div", { class: "card" }, el("h2", {}, `${asking.rows.length} diacids × ${asking.columns.length} diols`), results.unfit(p.results, among(p)),
      among(p).length ? heatMap(asking, p.results, among(p)) : el("div", {}, el("p", { class: "alert bad" }, "No pair could be predicted, or no property is selected."),
        results.table(asking.inputs.map((input, i) => ({ input, result: p.results[i] })).filter((a) => a.result.error).slice(0, 20), [])),
      results.answeredBy(p.model)), asJSON(body)]);
    return counted(p.counts.ok);
  },

  async file(signal) {
    const [file] = $("file").files;
    if (!file) throw new inputs.Wrong("file", "Choose a file first.");
    const seen = await files.look(file, data.max_file);
    if (seen.problem) throw new inputs.Wrong("file", seen.problem);
    const p = await files.send(file, asked(), signal);
    history.replaceState(null, "", `?prediction=${p.id}`);
    return followFile(p, signal, file.name);
  },
};

async function followFile(p, signal, name = "polymers.csv") {
  const card = el("div", { class: "card" });
  const q = new URLSearchParams(asked());
  const curl = snippet(`/v1/predictions?${q}`, [quote("Content-Type: text/csv"), quote("Prefer: wait=60")], `--data-binary ${quote(`@${name}`)}`);
  show(() => [card, curl]);
  p = await files.followed(p, card, signal);
  last = null;
  await files.ended(p, card, signal);
  card.append(results.answeredBy(p.model));
  return p.status === "failed" ? "" : "Done";
}

const words = { one: "Predicting…", list: "Predicting…", grid: "Predicting…", file: "Sending…" };
const go = () => { if (models.length) busy(words[mode()], ask[mode()]); };

// Wiring

$("form").addEventListener("submit", (e) => { e.preventDefault(); go(); });
$("form").addEventListener("keydown", (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); go(); } });
$("stop").addEventListener("click", () => running?.abort());
$("model").addEventListener("change", showModel);
$("look-again").addEventListener("click", () => loadModels(data.default));
for (const radio of document.querySelectorAll("[name=mode], [name=notation]")) radio.addEventListener("change", showMode);
for (const field of document.querySelectorAll(".smiles")) {
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(drawInput, typing); });
}
recent.begin((input) => { inputs.fill(input); showMode(); go(); });
// List and Grid are kept over a reload, in this tab.
for (const id of ["list", "acids", "alcohols"]) {
  try { $(id).value = sessionStorage.getItem(`predict:${id}`) ?? ""; } catch { /* storage is refused */ }
  $(id).addEventListener("input", () => { try { sessionStorage.setItem(`predict:${id}`, $(id).value); } catch { /* it is not kept */ } });
}
for (const radio of document.querySelectorAll("[name=mode]")) radio.addEventListener("change", () => { if (last) $("results").replaceChildren(placeholder); last = null; });
for (const example of data.examples) {
  $("examples").append(el("button", { type: "button", class: "small", onclick: () => { inputs.fill(example); showMode(); go(); } }, example.name));
}
$("list-example").addEventListener("click", () => {
  $("list").value = data.examples.filter((e) => e.smiles_repeat_unit || e.monomers)
    .map((e) => `${e.smiles_repeat_unit ?? e.monomers.join(".")} ${e.name}`).join("\n");
  $("list-mechanism").value = "ester";
});
$("list-mechanism").value = $("mechanism").value = "ester";
$("grid-example").addEventListener("click", () => {
  $("acids").value = ["O=C(O)CCC(=O)O succinic", "O=C(O)CCCCC(=O)O adipic", "O=C(O)CCCCCCCCC(=O)O sebacic", "O=C(O)c1ccc(C(=O)O)cc1 terephthalic", "O=C(O)c1ccc(C(=O)O)o1 furandicarboxylic"].join("\n");
  $("alcohols").value = ["OCCO ethylene glycol", "OCCCCO butanediol", "OCCCCCCO hexanediol", "OCC1CCC(CO)CC1 cyclohexanedimethanol"].join("\n");
});
files.droppable($("drop"), $("file"));
$("file").addEventListener("change", async () => {
  clearProblems();
  const [file] = $("file").files;
  if (!file) { $("file-seen").replaceChildren(); return; }
  const seen = await files.look(file, data.max_file);
  if ($("file").files[0] !== file) return; // another was chosen meanwhile
  $("file-seen").replaceChildren(seen.facts);
  if (seen.problem) problemAt("file", seen.problem);
});

$("no-model-repo").textContent = `${data.default.repo}@${data.default.revision}`;
$("no-model-train").hidden = !data.trains;

// What the address asks for.
const query = new URLSearchParams(location.search), linked = inputs.fromQuery(location.search), file = query.get("prediction");
if (linked) inputs.fill(linked);
if (file) document.querySelector("[name=mode][value=file]").checked = true;
showMode();
await loadModels({ repo: query.get("repo") ?? "", revision: query.get("revision") ?? "" });
if (linked && models.length) go();
if (file && models.length) {
  busy("Looking…", async (signal) => {
    const p = await request(`/v1/predictions/${encodeURIComponent(file)}?results=false`, { signal });
    if (models.some((m) => m.repo === p.model.repo && m.revision === p.model.revision)) showModels(p.model);
    return followFile(p, signal);
  });
}

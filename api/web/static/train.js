// The page for a new job: the form, the estimate, and Start.

import { $, duration, el, money, notice, pageData, plural, Problem, request } from "./app.js";
import * as data from "./train-data.js";
import { arrange, fill, preset, read, showChanges, showProblems, showRanges, snapshot } from "./train-form.js";
import * as recipe from "./train-recipe.js";
import { outlook } from "./difference.js";

const page = pageData("page");
const form = $("train");
const memory = `train:${page.from?.id ?? ""}`; // what was typed and not started, in this tab

let before = null; // the earlier job's fields, to compare with
let busy = false;
let ready = false; // filled, so that what is in the form is what its user wants

function job() {
  const { spec, problems } = read();
  const { tables, wanted } = data.put(spec);
  if (!wanted && tables) problems.push({ pointer: "/prediction_columns", detail: "choose at least one" });
  return { spec: recipe.changes(spec), problems, tables };
}

const words = () => ({ ...data.words(), Preset: recipe.title() });

function recall() {
  try { return JSON.parse(sessionStorage.getItem(memory)); } catch { return null; }
}
function remember(spec) {
  const text = JSON.stringify(spec);
  const kept = recall();
  // One key for one job, however often it is sent: a double click, or a second
  // try after the answer was lost, makes no second job.
  const key = kept && JSON.stringify(kept.spec) === text ? kept.key : [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  try { sessionStorage.setItem(memory, JSON.stringify({ spec, key })); } catch { /* the key is good for this click */ }
  return key;
}

// The estimate waits until typing pauses.
let timer, asked;
function changed() {
  if (!ready) return;
  arrange();
  showRanges();
  const { spec } = job();
  remember(spec);
  if (before) compare();
  replaces(spec);
  clearTimeout(timer);
  timer = setTimeout(estimate, 400);
}

function compare() {
  const lines = showChanges(before.fields);
  const now = words();
  for (const [what, was] of Object.entries(before.words)) if (now[what] !== was) lines.unshift(`${what}: ${was} → ${now[what]}`);
  $("changes").replaceChildren(el("h3", {}, lines.length ? "Different from the earlier job" : "Same as the earlier job"),
    lines.length ? el("ul", { class: "plain" }, ...lines.map((l) => el("li", {}, l))) : "");
}

// What the branch to publish to holds now, and what of it this job would lose.
let served = null;
async function replaces(spec) {
  const publish = { ...recipe.chosen().publish, ...spec.publish };
  served ??= request("/v1/models").then((l) => l.data).catch(() => []);
  const { repo, branch = "main", promote } = publish;
  const model = spec.publish === null ? null : (await served).find((m) => m.revision === branch && (!repo || m.repo === repo));
  const wanted = spec.prediction_columns ?? data.wanted();
  const now = wanted.length && outlook(model, wanted);
  if (!now) return void $("replaces").replaceChildren();
  const goes = promote === "never" ? "It goes to the branch candidates and replaces nothing."
    : promote === "always" ? `It replaces ${branch} whatever its errors are.`
    : now.lost.length ? "So it goes to the branch candidates; promote it on the Models page if you want it." : `It replaces ${branch} unless it is worse.`;
  $("replaces").replaceChildren(el("div", { class: `alert ${now.lost.length || promote === "always" ? "warn" : ""}` },
    el("p", {}, `${branch} now predicts ${now.now}.`), el("p", {}, now.lost.length ? `This job would lose ${now.lostWords}. ` : "", goes)));
}

async function estimate() {
  asked?.abort();
  const { spec, problems, tables } = job();
  queue();
  if (!tables) {
    show({}, problems);
    $("e-how").textContent = "Choose the data to see an estimate.";
    return;
  }
  const mine = asked = new AbortController();
  $("estimate").setAttribute("aria-busy", "true");
  try {
    show(await request("/v1/training-jobs/estimate", { method: "POST", json: spec, signal: mine.signal }), problems);
  } catch (e) {
    if (e.name === "AbortError") return;
    show({}, [...problems, ...(e instanceof Problem && e.errors.length ? e.errors : [{ pointer: "", detail: e.message }])]);
  } finally {
    if (asked === mine) $("estimate").removeAttribute("aria-busy");
  }
}

function show(e, more = []) {
  const problems = [...more, ...(e.problems ?? [])];
  const rows = e.targets?.length ? `${e.rows.toLocaleString()}: ${e.targets.map((t) => `${t.name} ${t.values}`).join(", ")}` : "–";
  $("e-rows").textContent = rows;
  $("e-steps").textContent = e.steps ? e.steps.toLocaleString() : "–";
  const time = e.hours === null || e.hours === undefined ? "–" : e.hours_range && duration(e.hours_range[0] * 3600) !== duration(e.hours_range[1] * 3600) ? `about ${duration(e.hours_range[0] * 3600)} to ${duration(e.hours_range[1] * 3600)}` : `about ${duration(e.hours * 3600)}`;
  $("e-time").textContent = time;
  $("e-usd").textContent = page.cost_per_hour ? money(e.usd) : "Not available (no hourly price is set on this server)";
  $("e-how").textContent = e.ms_per_step ? `${e.ms_per_step} ms per step, ${e.folds_parallel} ${e.folds_parallel === 1 ? "fold" : "folds"} in parallel, measured on this server.` : "";
  const items = showProblems(problems);
  $("problems").replaceChildren(...(items.length ? [el("div", { class: "alert bad" }, el("p", {}, `${plural(items.length, "problem")} to fix:`), el("ul", { class: "plain" }, ...items))] : []));
  const warnings = e.warnings ?? [];
  $("warnings").replaceChildren(...(warnings.length ? [el("div", { class: "alert warn" }, el("ul", { class: "plain" }, ...warnings.map((w) => el("li", {}, w.detail))))] : []));
  $("said").textContent = items.length ? `${plural(items.length, "problem")} to fix` : e.steps ? `Estimated time: ${time}` : "";
}

/** Says which jobs are running, and so whether a new one has to wait. */
let queued = 0;
async function queue() {
  const mine = ++queued;
  const list = await request("/v1/training-jobs?status=queued,preparing,training&limit=100").then((l) => l.data.reverse()).catch(() => page.active);
  if (busy || mine !== queued) return; // a later look, or the start, says more
  const n = list.length;
  $("start").textContent = n ? `Add to queue (${plural(n, "job")} ahead)` : "Start training";
  const [first] = list;
  $("queued").replaceChildren(...(n ? [el("p", { class: "alert" }, n === 1 ? "One job is running or waiting: " : `${n} jobs are running or waiting; the first is `,
    el("a", { href: `/jobs/${first.id}` }, first.id), ". A new job is queued and starts when a worker is free.")] : []));
}

async function start() {
  if (busy) return;
  clearTimeout(timer);
  asked?.abort(); // an estimate would overwrite what the server says of the job itself
  const { spec, problems, tables } = job();
  if (!tables) problems.push({ pointer: "/dataset", detail: "choose a dataset, or upload one" });
  if (problems.length) {
    show({}, problems);
    form.querySelector("[aria-invalid], .problem")?.scrollIntoView({ block: "center" });
    return;
  }
  setBusy(true);
  try {
    const made = await request("/v1/training-jobs", { method: "POST", json: spec, headers: { "Idempotency-Key": remember(spec) } });
    sessionStorage.removeItem(memory);
    location.assign(`/jobs/${made.id}`);
  } catch (e) {
    setBusy(false);
    if (!(e instanceof Problem)) notice(`${e.message} Press Start again when it does; this will not create a second job.`, { key: "start" });
    else {
      show({}, e.errors.length ? e.errors : [{ pointer: "", detail: e.message }]);
      (form.querySelector("[aria-invalid]") ?? $("problems")).scrollIntoView({ block: "center" });
    }
  }
}

function setBusy(on) {
  busy = on;
  $("start").disabled = on;
  if (on) $("start").textContent = "Starting…"; else queue();
}

$("start").addEventListener("click", start);
form.addEventListener("submit", (e) => e.preventDefault()); // an Enter in a field must not start hours of work
form.addEventListener("input", (e) => { if (e.target.matches("[data-at], [data-group], #holdout, #extras")) changed(); });
addEventListener("pageshow", (e) => { if (e.persisted) { setBusy(false); changed(); } });
document.addEventListener("visibilitychange", () => { if (!document.hidden) queue(); });

const kept = recall();
data.begin(page.datasets, changed);
recipe.begin(page.recipes, () => { preset(); changed(); });
fill(page.recipes[0]);
if (page.from) {
  const { id, status } = page.from;
  const old = structuredClone(page.from);
  await data.choose(old);
  fill(old);
  before = { fields: snapshot(), words: words() };
  $("from").replaceChildren("The form is filled in from ", el("a", { href: `/jobs/${id}` }, id), ` (${status}). Your changes are marked.`);
  $("from").hidden = false;
}
if (kept) {
  await data.choose(kept.spec);
  fill(kept.spec);
}
ready = true;
$("start").disabled = false;
changed();

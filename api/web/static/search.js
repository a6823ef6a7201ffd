// One search: how it stands, its best, its trials as a table and in two pictures,
// kept up to date by the search's stream.
import { $, el, pageData, request, notice, follow, duration, number, money, showStatus, plural } from "./app.js";
import { curve, coordinates } from "./search-pictures.js";

let { search, trials } = pageData("data");
const chosen = new Set(); // numbers of trials to be stopped
const over = (t) => ["succeeded", "stopped", "failed", "cancelled"].includes(t.status);
const path = `/v1/searches/${search.id}`;
const value = (v) => (typeof v === "number" ? number(v) : typeof v === "string" ? v : JSON.stringify(v));

async function act(button, what, body) {
  button.disabled = true;
  try {
    search = await request(`${path}/${what}`, { method: "POST", json: body });
    await load();
  } catch (problem) {
    notice(problem.message);
  }
  button.disabled = false;
  show();
}

function actions() {
  const can = [];
  const button = (label, what, look = "") => can.push(el("button", { type: "button", class: look, onclick: (e) => act(e.target, what) }, label));
  if (["queued", "training", "finalizing"].includes(search.status)) button("Pause", "pause");
  if (search.status === "paused" || search.status === "failed") button("Resume", "resume");
  if (["queued", "training", "finalizing", "paused"].includes(search.status)) button("Cancel", "cancel", "danger");
  const names = can.map((b) => b.textContent).join();
  if ($("actions").dataset.names !== names) { // a focused button stays
    $("actions").replaceChildren(...can);
    $("actions").dataset.names = names;
  }
}

/** What the objective is, in words. */
function objective() {
  const { target, metric } = search.objective;
  const name = metric.toUpperCase();
  return target ? `${name} of ${target}` : `${name} over the MAE of the median`;
}

function best() {
  const b = search.best;
  if (!b) return [el("p", { class: "muted" }, "No trial has a score yet.")];
  const facts = el("dl", { class: "facts" });
  const fact = (term, text) => facts.append(el("dt", {}, term), el("dd", {}, text));
  fact("Trial", String(b.index));
  fact(objective(), number(b.score, 4));
  fact("On rows that no trial saw", b.holdout_score === null ? "once a trial is trained in full" : number(b.holdout_score, 4));
  for (const [at, v] of Object.entries(b.spec)) fact(at, value(v));
  const out = [facts];
  if (search.training_job) out.push(el("p", {}, el("a", { href: `/jobs/${search.training_job}` }, "The best settings, trained in full")));
  return out;
}

async function train(button, index) {
  button.disabled = true;
  try {
    const json = await request(`${path}/trials/${index}/job`);
    const job = await request("/v1/training-jobs", { method: "POST", json });
    location.assign(`/jobs/${job.id}`);
  } catch (problem) {
    button.disabled = false;
    notice(problem.message);
  }
}

const ranked = () => [...trials].sort((a, b) => b.scores.length - a.scores.length || (a.score ?? Infinity) - (b.score ?? Infinity) || a.index - b.index);

function row(t) {
  const badge = el("span");
  showStatus(badge, t.status);
  if (t.status === "running") badge.className = "badge busy";
  const box = over(t) || t.same_as !== null ? null : el("input", {
    type: "checkbox", "aria-label": `Choose trial ${t.index}`, checked: chosen.has(t.index),
    onchange: (e) => { if (e.target.checked) chosen.add(t.index); else chosen.delete(t.index); $("stop").disabled = chosen.size === 0; },
  });
  return el("tr", {},
    el("td", {}, box),
    el("th", { scope: "row" }, el("a", { href: `/jobs/${t.training_job}` }, String(t.index)), t.same_as === null ? null : el("span", { class: "muted small" }, ` as ${t.same_as}`)),
    el("td", {}, badge, t.error ? el("span", { class: "small clamp" }, t.error) : null),
    el("td", { class: "number" }, String(t.epochs)),
    el("td", { class: "number small nowrap" }, t.scores.length ? t.scores.map((s) => number(s.score, 4)).join(" → ") : "–"),
    ...Object.keys(search.space).map((at) => el("td", { class: "number" }, value(t.spec[at]))),
    el("td", { class: "actions" }, el("button", { type: "button", class: "small", "aria-label": `Train trial ${t.index} in full`, onclick: (e) => train(e.target, t.index) }, "Train this one")));
}

let table; // what the table shows
function show() {
  showStatus($("status"), search.status);
  const { trials_done: done, trials_total: total, eta_seconds: eta, fraction } = search.progress;
  $("bar").value = 100 * fraction;
  $("summary").textContent = [
    search.status_reason, `${search.method}, ${done} of ${plural(total, "trial")} ended`, search.method === "asha" ? `compared after ${search.rungs.join(", ")} epochs` : null,
    eta ? `about ${duration(eta)} left` : null, `${duration(search.cost.worker_seconds)} of workers`, search.cost.usd ? money(search.cost.usd) : null, search.error?.detail,
  ].filter(Boolean).join(" · ");
  actions();
  $("best").replaceChildren(...best());
  const now = JSON.stringify(trials);
  if (now === table) return;
  table = now;
  for (const t of trials) if (over(t)) chosen.delete(t.index);
  $("stop").disabled = chosen.size === 0;
  $("head").replaceChildren(
    el("th", { scope: "col" }, el("span", { class: "visually-hidden" }, "Choose")), el("th", { scope: "col" }, "Trial"), el("th", { scope: "col" }, "Status"),
    el("th", { scope: "col", class: "number" }, "Epochs"), el("th", { scope: "col", class: "number" }, "Scores"),
    ...Object.keys(search.space).map((at) => el("th", { scope: "col", class: "number" }, at)), el("th", { scope: "col" }, el("span", { class: "visually-hidden" }, "Actions")));
  $("trials").replaceChildren(...ranked().map(row));
  $("curve").replaceChildren(curve(trials));
  $("coordinates").replaceChildren(coordinates(search, ranked()));
}

async function load() {
  trials = (await request(`${path}/trials`)).data;
}

$("stop").addEventListener("click", (e) => act(e.target, "stop", { trials: [...chosen] }));

let loading = false, again = false;
async function refresh() {
  if (loading) { again = true; return; } // one at a time, and the newest last
  loading = true;
  try {
    do {
      again = false;
      await load();
      show();
    } while (again);
  } catch (problem) {
    notice(problem.message, { key: "trials" });
  }
  loading = false;
}

show();
if (!["succeeded", "failed", "cancelled"].includes(search.status)) {
  const stop = follow(`${path}/events`, {
    snapshot: (data) => {
      search = data;
      refresh();
      if (["succeeded", "failed", "cancelled"].includes(search.status)) stop();
    },
  });
}

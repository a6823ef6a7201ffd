// The page of one job: its state, kept up to date by the job's event stream.

import { $, duration, el, follow, money, notice, pageData, request, showStatus, showTimes } from "./app.js";
import { answer, dialog } from "./dialog.js";
import { difference } from "./difference.js";
import { downloads } from "./job-downloads.js";
import { curveControls, FoldCard } from "./job-folds.js";
import { Notifier } from "./job-notify.js";
import { Parity } from "./job-parity.js";
import { events as eventItem, foldsFromOne, metricsTable, usage, whereTo } from "./job-words.js";

const page = pageData("page");
const base = `/v1/training-jobs/${page.job.id}`;
let job = page.job;
const events = new Map(); // by seq
const cards = []; // by fold
const parity = new Parity(base, page.job.stack);
const notifier = new Notifier(page.job.id, document.querySelector("h1").textContent);

const ended = () => ["succeeded", "failed", "cancelled"].includes(job.status);

function draw() {
  showStatus($("status"), job.status);
  const p = job.progress;
  $("bar").value = p.fraction;
  $("progress").textContent = [`${Math.floor(p.fraction * 100)} %`, `${p.epochs_done} of ${p.epochs_total} epochs`,
    p.eta_seconds !== null && !ended() ? `ETA ${duration(p.eta_seconds)}` : null].filter(Boolean).join(" · ");
  document.title = `${ended() ? job.status : `${Math.floor(p.fraction * 100)} %`} · ${document.querySelector("h1").textContent} · PolyID Trainer`;
  const c = job.cost;
  $("cost").textContent = c.worker_seconds ? [`Compute time: ${duration(c.worker_seconds)}`,
    page.cost_per_hour || c.usd ? `${money(c.usd)} spent` : null,
    (page.cost_per_hour || c.usd) && c.estimated_total_usd !== null && !ended() ? `about ${money(Math.max(0, c.estimated_total_usd - c.usd))} more until it is finished` : null].filter(Boolean).join(" · ") : "";
  drawWhy();
  drawActions();
  drawFolds();
  drawEnd();
  downloads($("downloads"), base, job, parity);
  notifier.saw(job.status);
  drawFacts();
  // No event says that the folds are ready: the first event is a fold's, which
  // may have to wait for a worker.
  if (job.status === "preparing") again ??= setTimeout(() => { again = null; refresh(); }, 1000);
}
let again = null;

let factsShown = "";
function drawFacts() {
  const now = JSON.stringify([job.started_at, job.warnings]);
  if (now === factsShown) return;
  factsShown = now;
  $("warnings").replaceChildren(...job.warnings.map((w) => el("p", { class: "alert warn" }, w.detail)));
  if (job.started_at) {
    $("started").replaceChildren(el("time", { datetime: job.started_at }, job.started_at));
    showTimes($("started"));
  }
}

function drawWhy() {
  const parts = [];
  if (job.status === "failed" && job.error) {
    parts.push(el("div", { class: "alert bad" }, el("p", {}, el("strong", {}, "Failed: "), foldsFromOne(job.error.detail)),
      el("p", {}, "Training progress is saved. Resume continues from there.")));
  }
  if (job.status === "paused") parts.push(el("div", { class: "alert warn" }, job.status_reason === "budget" ? "Paused: the budget is spent. Resume continues and grants the same budget again." : "Paused. Progress is saved; Resume continues from there."));
  if (job.status === "cancelled") parts.push(el("div", { class: "alert" }, "Cancelled. It can’t be resumed."));
  if (job.status === "queued" || (job.status === "training" && job.folds.length && job.folds.every((f) => f.status === "queued"))) parts.push(el("div", { class: "alert" }, "Queued. It starts when a worker is free. ", el("a", { href: "/jobs" }, "See the jobs ahead of it")));
  const text = parts.map((p) => p.textContent).join();
  if ($("why").dataset.text !== text) { // a redrawn link would lose the focus
    $("why").dataset.text = text;
    $("why").replaceChildren(...parts);
  }
}

// The buttons by what the job can do now; each is made once, so that a redraw
// leaves the focus where it is.
const act = (name, label, more = {}) => el("button", { type: "button", id: name, class: more.class ?? "", onclick: more.run ?? (() => move(name)) }, label);
const actions = {
  pause: [act("pause", "Pause"), () => !ended() && job.status !== "paused"],
  resume: [act("resume", "Resume", { class: "primary" }), () => job.status === "paused" || job.status === "failed"],
  publish: [act("publish", "Publish…", { run: publish }), () => job.status === "succeeded" || (job.status === "failed" && job.metrics)],
  again: [el("a", { class: "button", id: "again", href: `/?from=${page.job.id}` }, "Train again…"), () => true],
  cancel: [act("cancel", "Cancel…", { class: "danger", run: async () => {
    if (await ask("Cancel this job?", "Its training so far is not published, and it can’t be resumed. To stop for a while, pause it instead.", "Cancel the job", "danger")) move("cancel");
  } }), () => !ended()],
  notify: [notifier.button, () => !ended() && notifier.possible],
  delete: [act("delete", "Delete…", { class: "danger", run: remove }), () => ended()],
};

function drawActions() {
  const wanted = Object.values(actions).filter(([, may]) => may()).map(([b]) => b);
  actions.publish[0].textContent = job.published ? "Publish again…" : "Publish…";
  const bar = $("actions");
  if (wanted.length === bar.children.length && wanted.every((b, i) => bar.children[i] === b)) return;
  const focused = bar.contains(document.activeElement);
  for (const b of [...bar.children]) if (!wanted.includes(b)) b.remove();
  wanted.forEach((b, i) => { if (bar.children[i] !== b) bar.insertBefore(b, bar.children[i] ?? null); });
  if (focused && !bar.contains(document.activeElement)) bar.querySelector("button, a").focus();
}

function drawFolds() {
  if (job.folds.length && !$("curve-controls").hasChildNodes()) { $("curve-controls").hidden = false; $("curve-controls").append(...curveControls(job.prediction_columns ?? [])); }
  if (job.folds.length) $("no-folds")?.remove();
  for (const f of job.folds) {
    cards[f.index] ??= new FoldCard(base, f, job.folds.length);
    cards[f.index].show(f);
    if (f.status === "succeeded") parity.add(f.index, job.folds.length);
  }
}

let endShown = "";
function drawEnd() {
  $("metrics").hidden = !job.metrics;
  const now = JSON.stringify([job.metrics, job.published, job.status === "succeeded"]);
  if (now === endShown) return;
  endShown = now;
  if (job.metrics) $("metrics-body").replaceChildren(
    ...job.warnings.filter((w) => w.code === "features_ignore_tacticity" || /resemble/.test(w.detail)).map((w) => el("p", { class: "alert warn" }, w.detail)), ...metricsTable(job.metrics));
  const done = job.published;
  $("published").replaceChildren(...(done ? [el("div", { class: `alert ${done.reason ? "warn" : "good"}` },
    el("p", {}, el("strong", {}, "Published"), " as ", el("a", { href: done.url }, done.repo), ` · branch ${done.branch}${done.tag ? ` · tag ${done.tag}` : ""} · commit `, el("code", {}, done.commit.slice(0, 10))), whereTo(done))] : job.status === "succeeded" ? [el("div", { class: "alert good" }, "Trained, but not published. Use Publish to publish it.")] : []));
  $("use").hidden = !done;
  if (done) $("use-body").replaceChildren(...usage(done, job));
  if (done?.reason && job.publish) wouldReplace(done);
}

// What the branch would get if this revision were promoted, which did not
// happen by itself.
async function wouldReplace(done) {
  const query = new URLSearchParams({ repo: done.repo, revision: done.commit, with: job.publish.branch });
  const d = await request(`/v1/models/difference?${query}`).catch(() => null);
  if (d && !d.same && $("published").firstElementChild) $("published").firstElementChild.append(el("details", {}, el("summary", {}, `Promoting it would change ${job.publish.branch}`), ...difference(d)));
}

function addEvent(e) {
  if (events.has(e.seq)) return;
  events.set(e.seq, e);
  const items = [...events.values()].sort((a, b) => b.seq - a.seq).map((x) => eventItem(x, job.kfolds));
  $("events").replaceChildren(...items);
  showTimes($("events"));
}

// Screen readers hear of a change of state at once, of progress twice a minute.
let saidStatus = "", saidAt = 0;
function say() {
  const changed = job.status !== saidStatus;
  if (!changed && (job.status !== "training" || Date.now() - saidAt < 30000)) return;
  if (!saidStatus) { saidStatus = job.status; saidAt = Date.now(); return; }
  saidStatus = job.status;
  saidAt = Date.now();
  $("said").textContent = `The job is ${job.status}. ${$("progress").textContent}`;
}

// Several events come at once; they are drawn once. A hidden tab gets no frames,
// but its title still has to change.
let drawing = false;
function redraw() {
  if (drawing) return;
  drawing = true;
  const paint = () => { if (drawing) { drawing = false; draw(); say(); } };
  requestAnimationFrame(paint);
  setTimeout(paint, 2000);
}

// Answers about the job may overtake one another. Each look at it has a number,
// and only an answer with a number above the newest one shown is shown.
let looked = 0, newest = 0;

/** Shows a job that is newer than the answers still on their way. */
function supersede(now) {
  newest = looked;
  job = now;
  redraw();
}

async function refresh() {
  const mine = ++looked;
  let now;
  try {
    now = await request(base);
  } catch (e) {
    if (e.status === 404) gone();
    return;
  }
  if (mine <= newest) return;
  newest = mine;
  job = now;
  redraw();
  if (!ended() && !following) listen();
}

function gone() {
  notice("This job was deleted.", { key: "gone", action: el("a", { class: "button small", href: "/jobs" }, "All jobs") });
}

let following = null;
function stop() { following?.(); following = null; }

function listen() {
  const handlers = {
    snapshot: (v) => { supersede(v); for (const c of cards) c?.refresh(); },
    "training_job.epoch": (f) => {
      const i = job.folds.findIndex((x) => x.index === f.index);
      if (i < 0) return;
      job.folds[i] = f;
      cards[f.index]?.epoch(f);
      tally();
      redraw();
    },
  };
  for (const t of ["created", "started", "fold_started", "fold_resumed", "fold_finished", "finalizing", "published", "succeeded", "failed", "cancelled", "paused"]) {
    handlers[`training_job.${t}`] = (e) => {
      const seen = events.has(e.seq);
      addEvent(e);
      if (seen) return;
      if (t === "fold_resumed") cards[e.data.fold]?.rewind(e.data.epoch);
      if (t === "fold_finished") cards[e.data.fold]?.refresh();
      // The record says what the event means for the rest.
      refresh();
      if (["succeeded", "failed", "cancelled"].includes(t)) stop();
    };
  }
  following = follow(`${base}/events`, handlers);
}

// Between snapshots, the job's progress is computed from its folds.
function tally() {
  const p = job.progress;
  p.epochs_done = job.folds.reduce((n, f) => n + f.epoch, 0);
  p.fraction = Math.max(p.fraction, Math.min(1, p.epochs_done / p.epochs_total));
  const running = job.folds.filter((f) => f.status === "running" && f.eta_seconds !== null);
  if (running.length) {
    const left = job.folds.reduce((n, f) => n + (f.status === "succeeded" ? 0 : f.epochs - f.epoch), 0);
    const ofRunning = running.reduce((n, f) => n + f.epochs - f.epoch, 0);
    const seconds = running.reduce((n, f) => n + f.eta_seconds, 0);
    p.eta_seconds = Math.max(...running.map((f) => f.eta_seconds), ofRunning ? (seconds * left) / ofRunning / running.length : 0);
  }
}

/** Asks before what cannot be undone. fields are put into the question; gives the form's data, or null. */
function ask(title, text, yes, kind, fields = []) {
  const asking = dialog("question");
  const part = (id) => asking.querySelector(`#ask-${id}`);
  part("title").textContent = title;
  part("text").textContent = text;
  part("yes").textContent = yes;
  part("yes").className = kind;
  part("fields").replaceChildren(...fields);
  return answer(asking, { focus: part("fields").querySelector("input") ?? part("no") });
}

const others = "BroadcastChannel" in window ? new BroadcastChannel("jobs") : null; // other tabs with this job
if (others) others.onmessage = (e) => { if (e.data === job.id) refresh(); };

/** Does something with the job, with its buttons disabled meanwhile; says so when it is refused. */
async function acting(work) {
  const buttons = [...$("actions").querySelectorAll("button")];
  for (const b of buttons) b.disabled = true;
  try {
    await work();
  } catch (e) {
    const details = (e.errors ?? []).map((p) => p.detail).join("; ");
    notice(details ? `${e.message}: ${details}` : e.message, { key: "move" });
    refresh();
  } finally {
    for (const b of buttons) b.disabled = false;
  }
}

const move = (name, json) => acting(async () => {
  supersede(await request(`${base}/${name}`, { method: "POST", json }));
  others?.postMessage(job.id);
  refresh(); // for what happened after the server wrote its answer
});

async function publish() {
  const to = job.publish ?? {};
  const field = (id, label, value, hint) => el("div", { class: "field" }, el("label", { for: `publish-${id}` }, label), el("input", { id: `publish-${id}`, name: id, value: value ?? "", autocomplete: "off", "aria-describedby": `publish-${id}-hint` }), el("p", { class: "hint", id: `publish-${id}-hint` }, hint));
  const answer = await ask("Publish this model", "The trained model does not change. Its files are committed again.", "Publish", "primary", [
    field("repo", "Repository", to.repo, "owner/name; leave empty for the server’s default"), field("branch", "Branch", to.branch ?? "main", "Predictions use main by default."), field("tag", "Tag", "", "Such as v1.1.0; leave empty for no tag."),
  ]);
  if (!answer) return;
  const body = { branch: answer.get("branch") || "main", tag: answer.get("tag") || null };
  if (answer.get("repo")) body.repo = answer.get("repo");
  move("publish", body);
}

async function remove() {
  if (!await ask("Delete this job?", "Its record, checkpoints and files on this server are deleted. Published models stay on the Hub.", "Delete the job", "danger")) return;
  acting(async () => {
    await request(base, { method: "DELETE" });
    stop();
    others?.postMessage(job.id);
    location.assign("/jobs");
  });
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
addEventListener("pageshow", (e) => { if (e.persisted) refresh(); });

for (const e of page.events) events.set(e.seq, e);
$("events").replaceChildren(...[...page.events].reverse().map((x) => eventItem(x, job.kfolds)));
showTimes($("events"));
draw();
say();
if (!ended()) listen();

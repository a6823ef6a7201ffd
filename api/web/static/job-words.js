// A job's events, its accuracy and how to use it, in words.

import { el, number } from "./app.js";

/** A text in which folds are counted as the pages do, from 1. */
export const foldsFromOne = (text) => text.replace(/\bfold (\d+)/g, (_, i) => `fold ${Number(i) + 1}`);

const happened = {
  created: () => "Created",
  started: () => "Preparing data",
  fold_started: (d) => `Fold ${d.fold + 1} started on ${d.worker}`,
  fold_resumed: (d) => `Fold ${d.fold + 1} resumed from epoch ${d.epoch} on ${d.worker}, attempt ${d.attempt}`,
  fold_finished: (d) => `Fold ${d.fold + 1} done: ${d.epochs} epochs, best val_loss ${number(d.best_val_loss)} at epoch ${d.best_epoch}`,
  finalizing: () => "All folds done; assembling the ensemble",
  published: (d) => `Published as ${d.repo}${d.tag ? ` ${d.tag}` : ""}, commit ${d.commit?.slice(0, 10)}${d.reason ? `; ${d.reason}` : ""}`,
  succeeded: () => "Succeeded",
  failed: (d) => `Failed: ${foldsFromOne(d.detail)}`,
  cancelled: () => "Cancelled",
  paused: (d) => (d.reason === "budget" ? "Paused: the budget is spent" : "Paused"),
};

/** An entry of the list of events. */
export function events(e) {
  const type = e.type.replace("training_job.", "");
  const words = happened[type]?.(e.data ?? {}) ?? type;
  const hook = e.webhook;
  const last = hook?.attempts.at(-1);
  return el("li", {}, el("time", { datetime: e.time }, e.time), el("span", {}, words, hook ? el("span", { class: `badge ${hook.delivered ? "good" : "warn"}` },
    hook.delivered ? `webhook delivered${hook.attempts.length > 1 ? ` on attempt ${hook.attempts.length}` : ""}` : `webhook: ${last ? `attempt ${hook.attempts.length}: ${last.error || last.status}` : "pending"}`) : null));
}

/** Tables of errors, beside those of always predicting the median. */
export function metricsTable(metrics) {
  const row = (name, flag, ...cells) => el("tr", {}, el("th", { scope: "row" }, name, flag), ...cells.map((v) => el("td", { class: "number" }, v)));
  const poor = (s) => (s.baseline_mae !== null && s.mae >= s.baseline_mae ? el("div", {}, el("span", { class: "badge warn" }, "no better than baseline")) : null);
  const table = (scores, caption) => el("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption.split(":")[0] }, el("table", {}, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...["Property", "MAE", "Baseline MAE", "RMSE", "R²", "Rows", "Polymers"].map((h, i) => el("th", { scope: "col", class: i ? "number" : "" }, h)))),
    el("tbody", {}, ...Object.entries(scores).flatMap(([name, s]) => [
      row(`${name}${s.units ? `, ${s.units}` : ""}`, poor(s), ...[s.mae, s.baseline_mae, s.rmse, s.r2].map((v) => number(v)), s.n_rows, s.n_polymers),
      ...Object.entries(s.members ?? {}).map(([member, m]) => el("tr", { class: "member" }, el("th", { scope: "row" }, `${member} alone`), ...[number(m.mae), "", number(m.rmse), "", "", ""].map((v) => el("td", { class: "number" }, v)))),
    ]))));
  return [table(metrics.out_of_fold, "Out of fold: every row scored by the model that was not trained on it. The baseline always predicts the training median."),
    ...(metrics.holdout ? [table(metrics.holdout, "Held out: rows that no fold was trained on, scored by the whole ensemble."), coverage(metrics.holdout)].filter(Boolean) : [])];
}

// How many of the held-out values lie in their intervals; null where it is not known.
function coverage(scores) {
  const said = Object.entries(scores).flatMap(([name, s]) => Object.entries(s).map(([key, v]) => [name, /^interval([\d.]+)_coverage$/.exec(key)?.[1], v])).filter(([, level, v]) => level && Number.isFinite(v));
  return said.length ? el("p", { class: "hint" }, `Held-out values inside their interval: ${said.map(([name, level, v]) => `${name} ${Math.round(v * 100)} % (${level} % was intended)`).join(", ")}.`) : null;
}

/** Whether a branch moved to what was published, or why it did not. */
export const whereTo = (done) => (done.reason
  ? el("p", {}, `It is on the branch ${done.branch}: ${done.reason}. `, el("a", { href: "/models" }, "Promote it on the Models page"), " to predict with it by default.")
  : el("p", {}, `The branch ${done.branch} moved to this revision.`));

/** What to do with a published model. */
export function usage(done, job) {
  const revision = done.tag ?? done.commit;
  const hub = new URL(done.url, location.href);
  const own = hub.pathname.startsWith("/hub/"); // the Hub inside this server
  const guarded = Boolean(document.querySelector("form[action='/logout']")); // it asks for tokens
  const body = { model: { repo: done.repo, revision }, inputs: [{ smiles_repeat_unit: "*OC(C)C(=O)*" }] };
  const curl = `curl -s ${location.origin}/v1/predictions \\
  -H 'Content-Type: application/json' -H 'Prefer: wait=30' \\${guarded ? "\n  -H \"Authorization: Bearer $API_TOKEN\" \\" : ""}
  -d '${JSON.stringify(body)}'`;
  const python = `import json, urllib.request

request = urllib.request.Request(
    "${location.origin}/v1/predictions",
    json.dumps(${JSON.stringify(body)}).encode(),
    {"Content-Type": "application/json", "Prefer": "wait=30"${guarded ? ', "Authorization": "Bearer …"' : ""}},
)
for result in json.load(urllib.request.urlopen(request))["results"]:
    print(result)`;
  const polyid = `${own ? `import os\nos.environ["HF_ENDPOINT"] = "${hub.origin}/hub"  # before the imports below\n` : ""}from huggingface_hub import snapshot_download
from polyid import MultiModel

model = MultiModel.load_models(snapshot_download("${done.repo}", revision="${revision}"))`;
  const query = new URLSearchParams({ repo: done.repo, revision });
  const snippet = (id, title, text) => [el("h3", {}, title), el("pre", { id, tabindex: "0" }, text), el("p", {}, el("button", { type: "button", class: "small", "data-copy": id, "aria-label": `Copy the ${title} snippet` }, "Copy"))];
  return [
    el("p", { class: "row" }, el("a", { class: "button primary", href: `/predict?${query}` }, "Predict with this model"), el("a", { class: "button", href: done.url }, "Model card"), el("a", { class: "button", href: `/?from=${job.id}` }, "Train again")),
    ...snippet("snippet-curl", "curl", curl), ...snippet("snippet-python", "Python", python), ...snippet("snippet-polyid", "PolyID on your own machine", polyid),
  ];
}


// What can be downloaded of a job.

import { el, notice, request } from "./app.js";
import { save, toCSV } from "./csv.js";

let shown = "";

/** Lists the downloads that a job has by now. */
export function downloads(host, base, job, parity) {
  const now = JSON.stringify([job.folds.map((f) => f.status), Boolean(job.metrics), job.published?.commit]);
  if (now === shown) return;
  shown = now;
  const fetched = (text, run) => el("li", {}, el("button", { type: "button", class: "link", onclick: async (e) => {
    e.target.disabled = true;
    try { await run(); } catch (problem) { notice(problem.message, { key: "download" }); } finally { e.target.disabled = false; }
  } }, text));
  const csv = (path) => request(path, { headers: { Accept: "text/csv" } });
  const json = (value) => `${JSON.stringify(value, null, 2)}\n`;
  const items = [];
  if (job.folds.some((f) => f.status === "succeeded")) {
    items.push(fetched("Out-of-fold predictions with structures (CSV)", async () => save(toCSV(await parity.rows()), `${job.id}-predictions.csv`)));
  }
  if (job.folds.length) {
    items.push(fetched("History of all folds (CSV)", async () => {
      const parts = await Promise.all(job.folds.map((f) => csv(`${base}/folds/${f.index}/history`)));
      const lines = parts.flatMap((text, i) => text.trim().split(/\r?\n/).map((l, n) => (n ? `${i + 1},${l}` : `fold,${l}`)).slice(i ? 1 : 0));
      save(`${lines.join("\n")}\n`, `${job.id}-history.csv`);
    }), fetched("The split into folds (JSON)", async () => save(json(await request(`${base}/folds`)), `${job.id}-folds.json`, "application/json")));
  }
  if (job.metrics) items.push(fetched("Metrics (JSON)", () => save(json(job.metrics), `${job.id}-metrics.json`, "application/json")));
  items.push(fetched("The table as it was trained on (CSV)", async () => save(await csv(`${base}/dataset`), `${job.id}-dataset.csv`)));
  if (job.published) {
    const { url, repo, commit } = job.published;
    const root = url.slice(0, url.indexOf(repo) + repo.length);
    items.push(el("li", {}, el("a", { href: `${root}/resolve/${commit}/README.md`, download: "README.md" }, "Model card (Markdown)")));
  }
  host.replaceChildren(...items, el("li", {}, el("a", { href: base }, "The job as JSON")));
}

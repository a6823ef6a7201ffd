// Predictions of a file: sent as it is, followed until it is done, fetched as a CSV.
import { el, request, duration, number } from "../app.js";
import { fromCSV, save } from "../csv.js";
import { called, shown } from "./results.js";

const known = ["smiles_repeat_unit", "smiles_polymer", "smiles_monomer", "monomers"];
const followEvery = 1000; // ms
const listed = 50; // failed rows, and rows of the preview
const readable = 30e6; // bytes of a result that is looked into

/** Looks at the beginning of a file: what the page can say before it is sent. */
export async function look(file, most) {
  const facts = el("dl", { class: "facts" }, el("dt", {}, "File"), el("dd", {}, `${file.name}, ${file.size < 1e6 ? `${Math.ceil(file.size / 1e3)} kB` : `${number(file.size / 1e6)} MB`}`));
  if (file.size > most) return { problem: `The file is larger than ${Math.round(most / 1e6)} MB. Split it into smaller files.`, facts };
  const [head] = fromCSV(await file.slice(0, 65536).text());
  const header = (head ?? []).map((h) => h.replace("\uFEFF", "").trim());
  facts.append(el("dt", {}, "Columns"), el("dd", {}, header.slice(0, 12).join(", ") + (header.length > 12 ? ` and ${header.length - 12} more` : "")));
  const found = known.find((k) => header.includes(k));
  if (!found) return { problem: `No column holds the structures. Name one of the columns ${known.join(", ")}.`, facts };
  facts.append(el("dt", {}, "Polymers"), el("dd", {}, el("code", {}, found)));
  return { facts };
}

/** Sends a file; gives the prediction as it stands then. */
export async function send(file, model, signal) {
  const q = new URLSearchParams({ repo: model.repo, revision: model.revision });
  return request(`/v1/predictions?${q}`, { method: "POST", body: file, headers: { "Content-Type": "text/csv" }, signal });
}

/** Waits, or rejects at once when the signal says to stop. */
export const pause = (ms, signal) => new Promise((resolve, reject) => {
  const stop = () => { clearTimeout(t); reject(signal.reason); };
  const t = setTimeout(() => { signal.removeEventListener("abort", stop); resolve(); }, ms);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
});

/** Follows a prediction to its end, showing how far it is in a node. */
export async function followed(p, node, signal) {
  const bar = el("progress", { max: Math.max(p.counts.total, 1), "aria-label": "Progress" });
  const text = el("p", { role: "status" });
  node.replaceChildren(el("h2", {}, "Predicting a file"), bar, text,
    el("p", { class: "hint" }, "You can leave this page and return to this address. The result is stored for 7 days."));
  let first = null;
  while (p.status === "queued" || p.status === "running") {
    const done = p.counts.ok + p.counts.failed, now = performance.now();
    if (done > 0 && !first) first = { done, now };
    const rate = first && done > first.done ? (done - first.done) / (now - first.now) : 0;
    if (done) bar.value = done; else bar.removeAttribute("value");
    const words = p.status === "queued" ? "queued" : [
      `${done.toLocaleString("en")} of ${p.counts.total.toLocaleString("en")} rows`,
      p.counts.failed ? `${p.counts.failed.toLocaleString("en")} failed` : null,
      rate ? `${duration((p.counts.total - done) / rate / 1000)} to go` : null].filter(Boolean).join(" · ");
    if (text.textContent !== words) text.textContent = words;
    await pause(followEvery, signal);
    try {
      p = await request(`/v1/predictions/${p.id}?results=false`, { signal });
    } catch (e) {
      if (e.status) throw e;
      text.textContent = "The server is not responding. Trying again…"; // it may be starting again
    }
  }
  return p;
}

function failures(header, rows) {
  const at = header.indexOf("error"), bad = [];
  rows.forEach((r, i) => { if (r[at]) bad.push([i, r]); });
  if (!bad.length) return null;
  const what = header.findIndex((h) => known.includes(h.trim()));
  return el("details", { open: true }, el("summary", {}, `Rows without a prediction (${bad.length.toLocaleString("en")})`),
    el("div", { class: "table", tabindex: 0, role: "group", "aria-label": "Rows without a prediction" }, el("table", {},
      el("thead", {}, el("tr", {}, ...["Row", "Polymer", "Why"].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, ...bad.slice(0, listed).map(([i, r]) => el("tr", {}, el("td", { class: "number" }, String(i + 2)), el("td", {}, el("code", {}, r[what] ?? "")), el("td", {}, r[at])))))),
    bad.length > listed ? el("p", { class: "hint" }, `The first ${listed} rows; the CSV has all of them.`) : null);
}

function preview(header, rows) {
  const what = header.findIndex((h) => known.includes(h.trim()));
  const mean = "_pred_mean", columns = header.filter((h) => h.endsWith(mean));
  const targets = columns.map((h) => h.slice(0, -mean.length)), at = columns.map((h) => header.indexOf(h));
  return el("details", {}, el("summary", {}, `The first ${Math.min(rows.length, listed)} rows`),
    el("div", { class: "table", tabindex: 0, role: "group", "aria-label": "The first rows" }, el("table", { class: "results-table" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Polymer"), ...targets.map((t) => el("th", { scope: "col" }, called(t))))),
      el("tbody", {}, ...rows.slice(0, listed).map((r) => el("tr", {}, el("td", {}, el("code", { title: r[what] }, r[what] ?? "")),
        ...at.map((i) => el("td", { class: "number" }, i < 0 || r[i] === "" ? "–" : shown(Number(r[i]))))))))));
}

function scored(metrics) {
  const rows = Object.entries(metrics ?? {});
  if (!rows.length) return null;
  return el("div", { class: "table", tabindex: 0, role: "group", "aria-label": "Compared with the measured values" }, el("table", {}, el("caption", {}, "Compared with the measured values in the file"),
    el("thead", {}, el("tr", {}, ...["Property", "MAE", "RMSE", "R²", "Rows"].map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, ...rows.map(([t, m]) => el("tr", {}, el("th", { scope: "row" }, called(t)), el("td", {}, `${shown(m.mae)} ${m.units ?? ""}`),
      el("td", {}, shown(m.rmse)), el("td", {}, shown(m.r2)), el("td", {}, String(m.n_rows)))))));
}

/** What a prediction of a file ended with: counts, the CSV, failed rows. */
export async function ended(p, node, signal) {
  if (p.status === "failed") {
    node.replaceChildren(el("h2", {}, "The file could not be predicted"), el("p", { class: "alert bad", role: "alert" }, p.error?.detail ?? "The server gave no reason."));
    return;
  }
  const { ok, failed, total } = p.counts;
  const table = await request(`/v1/predictions/${p.id}`, { headers: { Accept: "text/csv" }, signal });
  const get = el("button", { type: "button", class: "primary", onclick: () => save(table, `${p.id}.csv`) }, "Download CSV");
  node.replaceChildren(el("h2", {}, `${ok.toLocaleString("en")} of ${total.toLocaleString("en")} rows predicted`),
    el("p", {}, failed ? `${failed.toLocaleString("en")} ${failed === 1 ? "row has" : "rows have"} no prediction; the column error says why.` : "Every row has a prediction."),
    el("p", {}, get));
  if (table.length > readable) return;
  const [header, ...rows] = fromCSV(table);
  node.append(...[failures(header, rows), preview(header, rows)].filter(Boolean));
  if (total > 1000) return; // the metrics come with all results
  const full = await request(`/v1/predictions/${p.id}`, { signal });
  const s = scored(full.metrics);
  if (s) node.append(s);
}

/** Lets a file be dropped on a node into the input. */
export function droppable(node, input) {
  for (const type of ["dragenter", "dragover"]) node.addEventListener(type, (e) => { e.preventDefault(); node.classList.add("over"); });
  for (const type of ["dragleave", "drop"]) node.addEventListener(type, () => node.classList.remove("over"));
  node.addEventListener("drop", (e) => {
    e.preventDefault();
    if (!e.dataTransfer.files.length) return;
    input.files = e.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

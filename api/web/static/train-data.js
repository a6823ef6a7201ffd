// The data of a training job: the tables to choose from, uploading another, and
// the properties found in them.

import { $, el, plural, Problem, request, number } from "./app.js";
import * as columns from "./train-columns.js";
import { findings, lazily, preview } from "./train-doctor.js";

let datasets = []; // newest first
const chosen = new Set(); // ids
let left = null; // properties not to predict, by name
const asked = new Set(); // columns to learn that were not proposed
let changed = () => {};
const looked = new Map(); // what is shown of a dataset, by id, so that it stays open

/** Begins with the tables the page came with; onchange is told of every choice. */
export function begin(list, onchange) {
  datasets = list;
  changed = onchange;
  columns.begin(() => changed());
  left = new Set();
  const take = () => {
    const [file] = $("file").files;
    if (!file) return;
    upload(file);
    $("file").value = ""; // the same file can be chosen again once it is changed
  };
  $("file").addEventListener("change", take);
  const drop = $("drop");
  const over = (on) => (e) => { e.preventDefault(); drop.classList.toggle("over", on); };
  for (const target of [window]) { // a file dropped beside the box must not replace the page
    target.addEventListener("dragover", over(true));
    target.addEventListener("dragleave", over(false));
    target.addEventListener("drop", (e) => {
      over(false)(e);
      const file = e.dataTransfer?.files[0];
      if (file) upload(file);
    });
  }
  $("all").addEventListener("click", () => { left.clear(); draw(); });
  $("none").addEventListener("click", () => { left = new Set(properties().keys()); draw(); });
  draw();
  take(); // what was chosen before this script ran
}

/** Chooses the tables and properties of a job. */
export async function choose(spec) {
  chosen.clear();
  const ids = [spec.dataset ?? []].flat();
  for (const id of ids) {
    chosen.add(id);
    if (datasets.some((d) => d.id === id)) continue;
    const found = await request(`/v1/datasets/${encodeURIComponent(id)}`).catch(() => null);
    datasets.unshift(found ?? { id, name: id, gone: true, rows: 0, polymers: 0, targets: [], defects: [], warnings: [] });
  }
  const wanted = spec.prediction_columns;
  left = new Set(wanted?.length ? [...properties().keys()].filter((p) => !wanted.includes(p)) : []);
  columns.fill(spec);
  asked.clear();
  for (const u of notProposed()) if (wanted?.includes(u.column)) asked.add(u.column);
  draw();
}

/** Adds the choice to a job. */
export function put(spec) {
  const ids = datasets.filter((d) => chosen.has(d.id)).map((d) => d.id);
  if (ids.length) spec.dataset = ids.length === 1 ? ids[0] : ids;
  columns.put(spec);
  const all = [...properties().keys()];
  const wanted = [...all.filter((p) => !left.has(p)), ...notProposed().map((u) => u.column).filter((c) => asked.has(c))];
  if (wanted.length !== all.length || asked.size) spec.prediction_columns = wanted;
  return { tables: ids.length, wanted: wanted.length };
}

/** The properties to learn. */
export const wanted = () => [...[...properties().keys()].filter((p) => !left.has(p)), ...notProposed().map((u) => u.column).filter((c) => asked.has(c))];

/** The choice in words, to compare with later. */
export const words = () => ({
  Data: datasets.filter((d) => chosen.has(d.id)).map((d) => d.name).join(", ") || "nothing",
  Properties: [...properties().keys()].filter((p) => !left.has(p)).join(", ") || "none",
});

// Properties by name, each with where it is found.
function properties() {
  const found = new Map();
  for (const d of datasets) {
    if (!chosen.has(d.id)) continue;
    for (const t of d.targets) found.set(t.name, [...(found.get(t.name) ?? []), { ...t, dataset: d }]);
  }
  return found;
}

// Numeric columns that are probably no properties, each with the reason.
function notProposed() {
  return datasets.filter((d) => chosen.has(d.id)).flatMap((d) => d.not_proposed ?? []);
}

function draw() {
  drawDatasets();
  drawAbout();
  columns.draw(datasets.filter((d) => chosen.has(d.id) && !d.gone));
  drawProperties();
  changed();
}

// Redrawing must not take the focus away.
function replace(host, ...children) {
  const at = document.activeElement?.id;
  host.replaceChildren(...children);
  if (at && document.activeElement?.id !== at) $(at)?.focus();
}

function drawDatasets() {
  replace($("dataset-list"), ...datasets.map((d) => {
    const box = el("input", { type: "checkbox", id: `dataset-${d.id}`, "data-dataset": d.id, onchange: () => {
      if (box.checked) chosen.add(d.id); else chosen.delete(d.id);
      draw();
    } });
    box.checked = chosen.has(d.id);
    const facts = d.gone ? "deleted" : `${plural(d.rows, "row")}, ${plural(d.polymers, "polymer")} · ${d.targets.map((t) => t.name).join(", ") || "no property"}${d.shipped ? " · shipped" : ""}`;
    return el("label", { class: "check option" }, box, el("span", {}, el("span", { class: "name" }, d.name), el("span", { class: "hint" }, facts)));
  }));
  const select = $("holdout-dataset");
  const now = select.value;
  select.replaceChildren(...datasets.filter((d) => !d.gone).map((d) => el("option", { value: d.id }, d.name)));
  if (now) select.value = now;
}

function drawAbout() {
  const notes = [];
  for (const d of datasets) {
    if (!chosen.has(d.id)) continue;
    if (d.origin) notes.push(el("p", { class: "hint" }, `${d.name}: ${d.origin.description}. ${d.origin.limits || ""} `, el("span", { class: "nowrap" }, `Licence: ${d.origin.license}.`)));
    if (d.defects?.length) {
      notes.push(el("div", { class: "alert warn" }, el("p", {}, `${d.name}: we need to know which column holds the structures. Choose it under Columns below.`),
        problemTable(d.defects.map((x) => ({ row: x.row || "", column: x.column ?? "", detail: x.reason })))));
    }
    if (d.warnings?.length) notes.push(el("details", {}, el("summary", {}, `${d.name}: ${plural(d.warnings.length, "warning")}`), el("ul", {}, ...d.warnings.map((w) => el("li", {}, w.detail)))));
  }
  for (const d of datasets) {
    if (!chosen.has(d.id) || d.gone) continue;
    let known = looked.get(d.id);
    if (!known) {
      known = el("div", { class: "looked" }, lazily(`First rows of ${d.name}`, () => preview(d)), lazily(`What to look at in ${d.name}`, () => findings(d, upload)));
      looked.set(d.id, known);
    }
    notes.push(known);
  }
  $("about").replaceChildren(...notes);
}

function drawProperties() {
  const found = properties();
  const items = [...found].map(([name, sources]) => {
    const box = el("input", { type: "checkbox", id: `property-${name}`, "data-property": name, onchange: () => {
      if (box.checked) left.delete(name); else left.add(name);
      draw();
    } });
    box.checked = !left.has(name);
    return el("div", { class: "property" },
      el("div", { class: "row spread" }, el("label", { class: "check" }, box, el("strong", {}, name)), columns.unitsField(name, sources[0].units)),
      ...sources.flatMap((s) => [
        histogram(s, sources[0].units),
        el("p", { class: "hint" }, `${plural(s.count, "value")}${sources.length > 1 ? ` in ${s.dataset.name}` : ""} · ${number(s.min)} to ${number(s.max)}, median ${number(s.median)}`),
      ]));
  });
  for (const { column, reason } of notProposed()) {
    const box = el("input", { type: "checkbox", id: `column-${column}`, "data-column": column, onchange: () => {
      if (box.checked) asked.add(column); else asked.delete(column);
      draw();
    } });
    box.checked = asked.has(column);
    items.push(el("div", { class: "property" }, el("label", { class: "check" }, box, el("strong", {}, column)), el("p", { class: "hint" }, `Not proposed: it ${reason}.`)));
  }
  replace($("properties"), ...(items.length ? items : [el("p", { class: "muted" }, chosen.size ? "No property was found in this table." : "Choose the data first. The properties found in it are shown here.")]));
  const n = [...found.keys()].filter((p) => !left.has(p)).length;
  $("chosen").textContent = found.size ? `${n} of ${found.size}` : "";
  $("all").disabled = n === found.size;
  $("none").disabled = n === 0;
}

const svg = (name, attributes) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return e;
};

function histogram(target, units) {
  const { edges, counts } = target.histogram;
  const most = Math.max(1, ...counts);
  const at = counts.indexOf(most);
  const text = counts.length ? `Histogram of ${target.name}: most values, ${most}, from ${number(edges[at])} to ${number(edges[at + 1] ?? edges[at])} ${units}` : `${target.name} has no values`;
  const s = svg("svg", { viewBox: `0 0 ${Math.max(1, counts.length) * 10} 40`, preserveAspectRatio: "none", class: "histogram", role: "img", "aria-label": text });
  counts.forEach((n, i) => {
    const height = n ? Math.max(1, (38 * n) / most) : 0;
    const bar = svg("rect", { x: i * 10 + 0.5, y: 40 - height, width: 9, height });
    const title = svg("title", {});
    title.textContent = `${number(edges[i])} to ${number(edges[i + 1] ?? edges[i])}: ${n}`;
    bar.append(title);
    s.append(bar);
  });
  return s;
}

let uploading = null; // stops the upload on its way; the file chosen last is the one that counts

async function upload(file, onDefect = "") {
  uploading?.abort();
  const { signal } = uploading = new AbortController();
  $("refused").replaceChildren();
  $("upload").replaceChildren(el("p", {}, `Checking ${file.name} and every polymer in it…`), el("progress", { "aria-label": `Checking ${file.name}` }));
  const body = new FormData();
  body.append("file", file);
  try {
    const d = await request(`/v1/datasets${onDefect && `?on_defect=${onDefect}`}`, { method: "POST", body, signal });
    datasets = [d, ...datasets.filter((x) => x.id !== d.id)];
    chosen.clear();
    chosen.add(d.id);
    left.clear();
    columns.forget();
    $("upload").replaceChildren(el("p", { class: "alert good" }, `${d.name}: ${plural(d.rows, "row")}, ${plural(d.polymers, "polymer")}; found ${d.targets.map((t) => `${t.name} (${t.count})`).join(", ") || "no property"}.`));
    draw();
  } catch (e) {
    if (signal.aborted) return;
    $("upload").replaceChildren();
    chosen.clear(); // the earlier table is not what its user wants to train on
    draw();
    const rows = e instanceof Problem ? e.errors.map(located) : [];
    const n = plural(rows.length, "problem");
    $("refused").replaceChildren(el("div", { class: "alert bad" },
      el("p", {}, el("strong", {}, `${file.name} cannot be used`), rows.length ? `: ${n}. Fix these rows and upload the file again.` : `: ${e.message}`),
      skipping(file, rows),
      rows.length ? problemTable(rows) : null));
    $("refused").focus();
  }
}

// A button that leaves out the rows at fault, where nothing else is wrong.
function skipping(file, problems) {
  const rows = new Set(problems.map((p) => p.row));
  if (!rows.size || rows.has("")) return null;
  return el("button", { type: "button", id: "skip-rows", onclick: () => upload(file, "drop") }, `Skip ${plural(rows.size, "row")} and continue`);
}

// "/rows/3/Tg" names a row and a column of the file.
function located({ pointer, detail }) {
  const [, kind, first, second] = pointer.split("/").map((p) => p.replaceAll("~1", "/").replaceAll("~0", "~"));
  const row = kind === "rows" ? first : "";
  const column = kind === "rows" ? second ?? "" : kind === "columns" ? first : "";
  const place = [row && `row ${row}`, column && `column ${column}`].filter(Boolean).join(", ");
  return { row, column, detail: place && detail.startsWith(`${place}: `) ? detail.slice(place.length + 2) : detail };
}

const mostShown = 200;

function problemTable(rows) {
  const more = rows.length - mostShown;
  return el("div", { class: "table scroll", tabindex: "0", role: "region", "aria-label": "Problems by row" },
    el("table", {}, el("thead", {}, el("tr", {}, ...["Row", "Column", "Problem"].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, ...rows.slice(0, mostShown).map((r) => el("tr", {}, el("td", { class: "number" }, r.row), el("td", {}, r.column), el("td", {}, r.detail))))),
    more > 0 ? el("p", { class: "hint" }, `and ${more} more`) : null);
}

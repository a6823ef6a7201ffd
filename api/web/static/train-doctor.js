// What is in a table and what a chemist should look at: its first rows, and the
// findings of its report.

import { el, plural, request } from "./app.js";
import { toCSV } from "./csv.js";
import { depict } from "./depict.js";

const previewed = 5, page = 1000, most = 50000;

/** The SMILES in a cell: of monomers, with dots between them. */
export const smilesOf = (cell) => {
  const parts = [...cell.matchAll(/'([^']+)'|"([^"]+)"/g)].map((m) => m[1] ?? m[2]);
  return (parts.length ? parts : cell.split(/[\s;,]+/)).filter(Boolean).join(".");
};

/** The first rows of a dataset, with structures drawn where a cell is one. */
export async function preview(dataset) {
  const rows = await request(`/v1/datasets/${encodeURIComponent(dataset.id)}/rows?limit=${previewed}`);
  const structural = rows.columns.map((c) => /smiles|monomer|structure|polymer|psmiles|repeat/i.test(c) && !/name/i.test(c));
  const cell = (text, i) => {
    const td = el("td", {}, el("span", { class: "clip", title: text }, text));
    if (structural[i] && text && text.length < 300) {
      depict(smilesOf(text), { label: text.slice(0, 200) }).then((svg) => td.prepend(el("div", { class: "thumbnail" }, svg)), () => {});
    }
    return td;
  };
  return el("div", { class: "table", tabindex: "0", role: "region", "aria-label": `First rows of ${dataset.name}` }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Row"), ...rows.columns.map((c) => el("th", { scope: "col" }, c)))),
    el("tbody", {}, ...rows.data.map((r) => el("tr", {}, el("td", { class: "number" }, String(r.row)), ...r.cells.map(cell))))));
}

/** The findings of a dataset's report; leaveOut(file) is given a copy without the rows of one, where somebody asks. */
export async function findings(dataset, leaveOut) {
  const report = await request(`/v1/datasets/${encodeURIComponent(dataset.id)}/report`);
  const items = report.findings.map((f) => {
    const whole = f.actions.includes("drop") && leaveOut && f.rows.length === f.count && dataset.rows <= most;
    const drop = whole && el("button", { type: "button", class: "small", onclick: async () => {
      drop.disabled = true;
      drop.textContent = "Copying…";
      leaveOut(await without(dataset, new Set(f.rows)));
    } }, `Leave out ${plural(f.count, "row")}`);
    return el("li", {}, f.column ? el("code", {}, f.column) : null, f.column ? ": " : "", `${f.detail}.`,
      f.rows.length ? el("span", { class: "muted" }, ` Rows ${f.rows.slice(0, 12).join(", ")}${f.count > 12 ? ", …" : ""}.`) : null, drop ? " " : null, drop);
  });
  if (report.dropped) items.unshift(el("li", {}, `${plural(report.dropped, "row")} of the file ${report.dropped === 1 ? "was" : "were"} left out when it was uploaded.`));
  return items.length ? el("ul", { class: "plain findings" }, ...items) : el("p", { class: "muted" }, "Nothing stands out.");
}

// A copy of a dataset without some rows, as a file.
async function without(dataset, rows) {
  const lines = [];
  let header, after = "";
  do {
    const p = await request(`/v1/datasets/${encodeURIComponent(dataset.id)}/rows?limit=${page}${after && `&after=${after}`}`);
    header = p.columns;
    for (const r of p.data) if (!rows.has(r.row)) lines.push(r.cells);
    after = p.has_more ? p.next_after : "";
  } while (after);
  return new File([toCSV([header, ...lines])], `${dataset.name} without ${rows.size} rows.csv`, { type: "text/csv" });
}

/** A part of the page that shows what show() resolves to, once it is opened. */
export function lazily(summary, show) {
  const body = el("div", {});
  const details = el("details", { ontoggle: async () => {
    if (!details.open || body.hasChildNodes()) return;
    body.append(el("p", { class: "muted" }, "Reading…"));
    try { body.replaceChildren(await show()); } catch (e) { body.replaceChildren(el("p", { class: "problem" }, e.message)); }
  } }, el("summary", {}, summary), body);
  return details;
}

// Predictions of all pairs of two lists, as a table coloured by value.
import { el } from "../app.js";
import { toCSV, save } from "../csv.js";
import { called, cells, columns, level, shown, whole, wrong } from "./results.js";

const deepest = 41; // percent of the accent's colour: what text on it can be read in both themes

/** The grid's results: a choice of property, the heat map, a CSV, and what is behind a cell. */
export function heatMap({ rows, columns: across, inputs }, results, targets) {
  const title = (l) => l.name || l.smiles;
  const at = (r, c) => results[r * across.length + c];
  const below = el("div", { class: "below", tabindex: -1 });
  const holder = el("div");
  const units = (t) => results.find((r) => r.predictions?.[t])?.predictions[t].units ?? "";
  const select = el("select", { id: "heat-property", onchange: () => draw(select.value) },
    ...targets.map((t) => el("option", { value: t }, `${called(t)}${units(t) ? `, ${units(t)}` : ""}`)));

  function open(r, c) {
    const result = at(r, c), input = inputs[r * across.length + c], name = `${title(rows[r])} × ${title(across[c])}`;
    below.replaceChildren(result.error ? el("div", {}, el("h3", {}, name), wrong(result.error, input))
      : whole(result, input, targets, { title: name, level: "h3" }));
    below.focus();
  }

  function draw(target) {
    const all = results.map((r) => r.predictions?.[target]?.mean).filter(Number.isFinite);
    const low = Math.min(...all), high = Math.max(...all);
    const body = rows.map((row, r) => el("tr", {}, el("th", { scope: "row", title: row.smiles }, title(row)), ...across.map((_, c) => {
      const result = at(r, c), p = result.predictions?.[target];
      if (!p) {
        return el("td", { class: "none" }, el("button", { type: "button", onclick: () => open(r, c) }, "none",
          el("span", { class: "visually-hidden" }, `: ${result.error?.detail ?? ""}`)));
      }
      const out = result.domain_of_validity && !result.domain_of_validity.in_domain;
      const td = el("td", {}, el("button", { type: "button", onclick: () => open(r, c) }, shown(p.mean)),
        out ? el("span", { title: "out of domain" }, " ◇", el("span", { class: "visually-hidden" }, "out of domain")) : null);
      td.style.setProperty("--heat", String(4 + (high > low ? (deepest * (p.mean - low)) / (high - low) : deepest / 2)));
      return td;
    })));
    holder.replaceChildren(
      el("div", { class: "scale" }, el("span", {}, all.length ? shown(low) : "–"), el("span", { class: "bar" }), el("span", {}, all.length ? shown(high) : "–"),
        el("span", { class: "muted" }, units(target))),
      el("p", { class: "legend" }, "Diacids are rows, diols columns. Click a value for details. ◇ means outside the domain of validity."),
      el("div", { class: "table", tabindex: 0, role: "group", "aria-label": "Grid of predictions" }, el("table", { class: "heat" },
        el("caption", { class: "visually-hidden" }, `${called(target)} of each diacid with each diol`),
        el("thead", {}, el("tr", {}, el("td", { class: "none" }), ...across.map((c) => el("th", { scope: "col", title: c.smiles }, title(c))))),
        el("tbody", {}, ...body))));
  }

  const csv = () => save(toCSV([["diacid", "diol", "diacid_name", "diol_name", "mechanism", ...columns(targets, level(rows.flatMap((_, r) => across.map((_, c) => at(r, c)))))],
    ...rows.flatMap((row, r) => across.map((col, c) => [row.smiles, col.smiles, row.name, col.name, inputs[0].mechanism, ...cells(at(r, c), targets)]))]), "grid.csv");
  if (targets.length) draw(targets[0]);
  return el("div", {},
    el("div", { class: "row spread" }, el("div", { class: "field" }, el("label", { for: "heat-property" }, "Property"), select),
      el("button", { type: "button", class: "small", onclick: csv }, "Download CSV")),
    holder, below);
}

// What the columns of a table are: what was recognised, and what its user states
// instead. A job says it as columns and units.

import { $, el } from "./app.js";

const roles = [["", "as recognised"], ["smiles_repeat_unit", "repeat units"], ["smiles_polymer", "finished chains"], ["monomers", "monomers"], ["mechanism", "mechanism"]];
const common = ["°C", "K", "°F", "g/cm³", "MPa", "GPa", "Barrer", "log10(Barrer)"];

let columns = {}; // role → header
let units = {}; // property → units
let changed = () => {};

/** Is told of every change. */
export const begin = (onchange) => { changed = onchange; };

/** Takes what a job states. */
export function fill(spec) {
  columns = { ...spec.columns };
  units = { ...spec.units };
}

/** Adds what is stated to a job. */
export function put(spec) {
  if (Object.keys(columns).length) spec.columns = { ...columns };
  if (Object.keys(units).length) spec.units = { ...units };
}

/** Forgets what was stated: another table is chosen. */
export function forget() { columns = {}; units = {}; }

/** A field for the units of a property; recognised are the table's own. */
export function unitsField(name, recognised) {
  const id = `units-${name}`;
  const input = el("input", { id, class: "units", list: "common-units", autocomplete: "off", placeholder: recognised || "unknown", value: units[name] ?? "", "aria-label": `Units of ${name}`, onchange: () => {
    const text = input.value.trim();
    if (text && text !== recognised) units[name] = text; else delete units[name];
    changed();
  } });
  return input;
}

/** Shows a line for each column of the tables that were chosen. */
export function draw(datasets) {
  const host = $("columns");
  const at = document.activeElement?.id;
  const headers = [...new Set(datasets.flatMap((d) => d.columns ?? []))];
  host.hidden = !headers.length;
  if (!headers.length) return;
  const targets = new Map(datasets.flatMap((d) => (d.targets ?? []).map((t) => [t.column, t])));
  const left = new Map(datasets.flatMap((d) => (d.not_proposed ?? []).map((u) => [u.column, u.reason])));
  const structural = new Set(datasets.flatMap((d) => d.structure_columns ?? []));
  const read = new Map(datasets.flatMap((d) => (d.warnings ?? []).filter((w) => w.code === "structure_recognized").map((w) => /^"(.*)" is read as (\w+)/.exec(w.detail)).filter(Boolean)).map(([, header, role]) => [header, roles.find(([r]) => r === role)?.[1] ?? role]));
  const stated = (header) => Object.keys(columns).find((r) => columns[r] === header) ?? "";
  const seen = (header) => {
    if (stated(header)) return "stated by you";
    const t = targets.get(header);
    if (t) return `property ${t.name}${t.units ? `, ${t.units}` : ", no units"}`;
    if (read.has(header)) return `structures, read as ${read.get(header)}`;
    if (structural.has(header)) return "structure";
    if (left.has(header)) return `left out: it ${left.get(header)}`;
    return "not used";
  };
  $("columns-body").replaceChildren(...headers.map((header, i) => {
    const select = el("select", { id: `role-${i}`, "data-header": header, "aria-label": `What ${header} holds`, onchange: () => {
      const before = stated(header);
      if (before) delete columns[before];
      if (select.value) columns[select.value] = header;
      draw(datasets);
      changed();
    } }, ...roles.map(([value, text]) => el("option", { value, selected: value === stated(header) }, text)));
    return el("tr", {}, el("th", { scope: "row" }, el("code", {}, header)), el("td", {}, seen(header)), el("td", {}, select));
  }));
  const needs = datasets.some((d) => d.defects?.length);
  if (needs) host.open = true;
  $("columns-needed").hidden = !needs;
  if (!$("common-units").hasChildNodes()) $("common-units").append(...common.map((u) => el("option", { value: u })));
  if (at && document.activeElement?.id !== at) $(at)?.focus();
}

// What the form says, as inputs of POST /v1/predictions, and back.
import { $ } from "../app.js";

export const notations = ["smiles_repeat_unit", "monomers", "smiles_polymer"];

/** A field that is not valid: { field, detail, smiles, position }. */
export class Wrong extends Error {
  constructor(field, detail, more = {}) { super(detail); Object.assign(this, { field }, more); }
}

const words = (text) => text.trim().split(/[\s,;]+/).filter(Boolean);

function amount(id, name, { whole = false, min = -Infinity, max = Infinity } = {}) {
  const text = $(id).value.trim().replace(",", ".");
  if (text === "") return undefined;
  const v = Number(text);
  if (!Number.isFinite(v) || (whole && !Number.isInteger(v)) || v < min || v > max) {
    throw new Wrong(id, `${name} is ${whole ? "a whole number" : "a number"} from ${min} to ${max}.`);
  }
  return v;
}

/** dp, replicates and seed, where they are given. */
function growth() {
  return {
    dp: amount("dp", "DP", { whole: true, min: 1, max: 1200 }),
    replicates: amount("replicates", "The number of chains", { whole: true, min: 1, max: 100 }),
    seed: amount("seed", "The seed", { whole: true, min: 0, max: Number.MAX_SAFE_INTEGER }),
  };
}

const given = (o) => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined && v !== ""));

/** Monomers as they are typed: one a line, or joined by dots. */
export const monomersOf = (text) => text.split(/[\s.]+/).filter(Boolean);

export const notation = () => document.querySelector("[name=notation]:checked").value;

/** The one polymer of the form. */
export function one() {
  const kind = notation(), text = $(kind).value.trim();
  if (text === "") throw new Wrong(kind, kind === "monomers" ? "Write at least one monomer." : "Write a SMILES.");
  if (kind === "smiles_polymer") return { smiles_polymer: text };
  const { replicates, seed, dp } = growth();
  if (kind === "smiles_repeat_unit") return given({ smiles_repeat_unit: text, dp });
  const distribution = words($("distribution").value).map(Number);
  if (distribution.some((w) => !(w >= 0))) throw new Wrong("distribution", "The distribution must be one number per monomer, such as 2, 1.");
  return given({
    monomers: monomersOf(text), mechanism: $("mechanism").value, pm: amount("pm", "The fraction of meso diads", { min: 0, max: 1 }),
    distribution: distribution.length ? distribution : undefined, dp, replicates, seed,
  });
}

/** Lines of "SMILES name" or "SMILES, name" as [{ smiles, name, line }]. */
export function lines(text) {
  return text.split("\n").map((l, i) => {
    const [, smiles, name] = /^\s*([^\s,;]*)[\s,;]*(.*?)\s*$/.exec(l);
    return { smiles, name, line: i + 1 };
  }).filter((l) => l.smiles);
}

/** The polymers of the list, with their names. */
export function list(most) {
  const all = lines($("list").value);
  if (!all.length) throw new Wrong("list", "Write at least one polymer.");
  if (all.length > most) throw new Wrong("list", `${all.length} lines are more than ${most}: send them as a file.`);
  const { dp, replicates, seed } = growth();
  return all.map(({ smiles, name }) => {
    let input;
    if (smiles.includes("*")) input = { smiles_repeat_unit: smiles, dp };
    else if (smiles.includes(".")) input = { monomers: monomersOf(smiles), mechanism: $("list-mechanism").value, dp, replicates, seed };
    else input = { smiles_polymer: smiles };
    return { name, input: given(input) };
  });
}

/** The grid: its rows, its columns, and an input for each pair, row by row. */
export function grid(most) {
  const rows = lines($("acids").value), columns = lines($("alcohols").value);
  if (!rows.length) throw new Wrong("acids", "Write at least one diacid.");
  if (!columns.length) throw new Wrong("alcohols", "Write at least one diol.");
  if (rows.length * columns.length > most) {
    throw new Wrong("alcohols", `${rows.length} × ${columns.length} are more than ${most} polymers.`);
  }
  const how = growth();
  const inputs = rows.flatMap((r) => columns.map((c) => given({ monomers: [r.smiles, c.smiles], mechanism: $("grid-mechanism").value, ...how })));
  return { rows, columns, inputs };
}

const simple = ["mechanism", "pm", "dp", "replicates", "seed"];

/** Puts one input into the form. */
export function fill(input) {
  const kind = notations.find((n) => input[n]?.length) ?? notations[0];
  for (const radio of document.querySelectorAll("[name=notation]")) radio.checked = radio.value === kind;
  $(kind).value = kind === "monomers" ? input.monomers.join("\n") : input[kind];
  for (const id of simple) {
    if (id === "mechanism" && !input.mechanism) continue;
    $(id).value = input[id] ?? "";
  }
  $("distribution").value = (input.distribution ?? []).join(", ");
  $("chain").open = Boolean(input.dp || input.replicates || input.seed);
}

/** An input in the address of this page, as a link to it. */
export function toQuery(input, model) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(input)) {
    if (k === "monomers") for (const m of v) q.append(k, m);
    else q.set(k, String(v));
  }
  if (model) { q.set("repo", model.repo); q.set("revision", model.revision); }
  return `?${q}`;
}

/** The input that an address names, or null. */
export function fromQuery(search) {
  const q = new URLSearchParams(search), input = {};
  for (const n of notations) {
    const all = q.getAll(n).filter(Boolean);
    if (all.length) input[n] = n === "monomers" ? all.flatMap(monomersOf) : all[0];
  }
  if (!Object.keys(input).length) return null;
  for (const id of simple) if (q.get(id)) input[id] = q.get(id);
  if (q.get("distribution")) input.distribution = words(q.get("distribution"));
  return input;
}

/** What an input is, in a line. */
export const inWords = (input) => input.smiles_repeat_unit ?? input.smiles_polymer ??
  `${input.monomers.join(" . ")} (${input.mechanism}${input.pm === undefined ? "" : `, pm ${input.pm}`})`;

// The form of a training job: its fields from and to the JSON of a job, what is
// wrong with them, and how they differ from an earlier job.

import { $, el } from "./app.js";
import * as recipe from "./train-recipe.js";

const form = $("train");
const controls = [...form.querySelectorAll("[data-at]")];
const toggles = [...form.querySelectorAll("[data-group]")];

const path = (pointer) => pointer.slice(1).split("/").map((p) => p.replaceAll("~1", "/").replaceAll("~0", "~"));

function get(spec, pointer) {
  return path(pointer).reduce((at, key) => at?.[key], spec);
}

function put(spec, pointer, value) {
  const keys = path(pointer);
  const last = keys.pop();
  let at = spec;
  for (const key of keys) at = at[key] ??= {};
  at[last] = value;
}

function merge(into, from) {
  for (const [k, v] of Object.entries(from)) {
    if (v && typeof v === "object" && !Array.isArray(v) && into[k] && typeof into[k] === "object") merge(into[k], v);
    else into[k] = v;
  }
  return into;
}

// What optional parts begin with when they are turned on.
const optional = { early_stopping: { patience: 50, min_delta: 0 }, init_from: { repo: "", revision: "main" } };
// Parts that are left out, rather than null, when they are off.
const leftOut = ["/webhook", "/max_cost_usd"];

/** Shows what belongs to the choices made. */
export function arrange() {
  for (const t of toggles) {
    for (const part of form.querySelectorAll(`[data-of="${t.dataset.group}"]`)) part.hidden = !t.checked;
  }
  for (const kind of ["schedule", "holdout"]) {
    for (const part of form.querySelectorAll(`.${kind}[data-for]`)) part.hidden = !part.dataset.for.split(" ").includes($(kind).value);
  }
}

/** A copy of a job whose schedule is an object, also where it was only named. */
function spread(spec) {
  const s = structuredClone(spec);
  if (typeof s.learning_rate_schedule === "string") s.learning_rate_schedule = { name: s.learning_rate_schedule };
  return s;
}

function set(c, v) {
  if (c.dataset.kind === "flag") c.checked = c.dataset.on ? v === c.dataset.on : Boolean(v);
  else if (c.dataset.at === "/holdout/dataset") c.value = Array.isArray(v) ? v[0] : v ?? c.options[0]?.value ?? "";
  else c.value = v ?? "";
}

/** Sets what the presets differ in to what the chosen one has. */
export function preset() {
  const wanted = spread(recipe.chosen());
  for (const c of controls) if (recipe.decides((r) => get(spread(r), c.dataset.at))) set(c, get(wanted, c.dataset.at));
  arrange();
}

/** Fills the fields from a job, which takes from its preset what it does not say. */
export function fill(spec) {
  recipe.choose(spec.recipe);
  const base = spread(recipe.chosen());
  const s = merge(structuredClone(base), spread(spec));
  const h = s.holdout;
  $("holdout").value = h?.dataset ? "dataset" : h?.fraction ? "fraction" : "";
  for (const t of toggles) t.checked = Boolean(get(s, t.dataset.group));
  // What is off keeps in its fields what it begins with when it is turned on.
  const off = merge({ ...base, ...structuredClone(optional), holdout: { fraction: 0.2 } }, JSON.parse(JSON.stringify(s, (_, v) => v ?? undefined)));
  for (const c of controls) {
    const v = get(s, c.dataset.at);
    set(c, v === undefined ? get(off, c.dataset.at) : v);
  }
  const rest = {};
  for (const k of ["stack", "intervals"]) if (JSON.stringify(s[k]) !== JSON.stringify(base[k])) rest[k] = s[k];
  for (const k of ["metadata"]) if (s[k] && Object.keys(s[k]).length) rest[k] = s[k];
  if (s.split?.folds) put(rest, "/split/folds", s.split.folds);
  if (h?.rows) rest.holdout = { rows: h.rows };
  if (s.webhook?.events?.length) put(rest, "/webhook/events", s.webhook.events);
  if (Array.isArray(h?.dataset) && h.dataset.length > 1) put(rest, "/holdout/dataset", h.dataset);
  $("extras").value = Object.keys(rest).length ? JSON.stringify(rest, null, 1) : "";
  arrange();
}

const shown = (c) => !c.closest("[hidden]");

/** The job as the fields have it, without its data, and what is not valid in them: { spec, problems }. */
export function read() {
  const spec = {};
  const problems = [];
  for (const t of toggles) {
    if (t.checked) { if (t.dataset.group !== "/max_cost_usd") put(spec, t.dataset.group, {}); } else if (!leftOut.includes(t.dataset.group)) put(spec, t.dataset.group, null);
  }
  spec.holdout = null;
  if ($("holdout").value) spec.holdout = {};
  for (const c of controls.filter(shown)) {
    const { at, kind, on } = c.dataset;
    if (kind === "flag") {
      if (on) { if (c.checked) put(spec, at, on); } else if (c.checked || !("off" in c.dataset)) put(spec, at, c.checked);
    } else if (kind === "choice") {
      put(spec, at, c.value === "" ? null : c.value === "true");
    } else if (kind === "integer" || kind === "number") {
      if (c.validity.badInput) problems.push({ pointer: at, detail: "must be a number" });
      else if (c.value !== "") put(spec, at, Number(c.value));
      else if (get(recipe.chosen(), at) != null && recipe.optional((r) => get(r, at))) put(spec, at, null);
    } else if (c.value.trim() !== "") {
      put(spec, at, c.value.trim());
    }
  }
  const s = spec.learning_rate_schedule;
  if (Object.keys(s).length === 1) spec.learning_rate_schedule = s.name;
  else if (s.warmup_epochs === 0 && Object.keys(s).length === 2) spec.learning_rate_schedule = s.name;
  try {
    const more = $("extras").value.trim();
    if (more) merge(spec, JSON.parse(more));
  } catch (e) {
    problems.push({ pointer: "#extras", detail: `is not valid JSON: ${e.message}` });
  }
  return { spec, problems };
}

// The place in the form that a pointer belongs to: the control with the longest
// pointer that leads there.
function place(pointer) {
  if (pointer === "#extras") return $("extras");
  let best = null, length = -1;
  for (const c of [...controls.filter(shown), ...form.querySelectorAll("[data-problems]")]) {
    const at = c.dataset.at ?? c.dataset.problems;
    if ((pointer === at || pointer.startsWith(at + "/")) && at.length > length) [best, length] = [c, at.length];
  }
  if (!best && /^\/(columns|units)(\/|$)/.test(pointer)) return $("columns-fields");
  if (!best && /^\/(metadata|stack|intervals|split\/folds|holdout|rows)(\/|$)/.test(pointer)) return pointer.startsWith("/holdout") ? $("holdout") : pointer.startsWith("/rows") ? $("datasets") : $("extras");
  if (!best) for (const t of toggles) if (pointer.startsWith(t.dataset.group)) return t;
  return best;
}

const name = (c) => (c.labels?.[0] ?? c.querySelector?.("legend"))?.textContent.trim() ?? "";

/** Shows problems beside their fields and returns the rest, with links to the former. */
export function showProblems(problems) {
  for (const old of form.querySelectorAll(".problem")) old.remove();
  for (const c of form.querySelectorAll("[aria-invalid]")) {
    c.removeAttribute("aria-invalid");
    describe(c, `${c.id}-problem`, false);
  }
  return problems.map((p) => {
    const c = place(p.pointer);
    if (!c) return el("li", {}, p.pointer ? el("code", {}, p.pointer) : null, p.pointer ? ": " : "", p.detail);
    const box = c.closest(".field") ?? (c.matches("fieldset") ? c : c.parentElement.parentElement);
    const id = `${c.id}-problem`;
    const text = el("p", { class: "problem", id: $(id) ? false : id }, p.detail);
    if (c.matches("fieldset")) c.querySelector("legend").after(text);
    else if (c.closest(".field")) box.append(text);
    else c.closest("label").after(text);
    if (!c.matches("fieldset")) c.setAttribute("aria-invalid", "true");
    describe(c, id, true);
    const details = c.closest("details");
    if (details) details.open = true;
    return el("li", {}, el("a", { href: `#${c.id}`, onclick: (e) => { e.preventDefault(); focusOn(c); } }, name(c)), `: ${p.detail}`);
  });
}

function focusOn(c) {
  const target = c.matches("fieldset") ? c.querySelector("input, button") ?? c : c;
  target.focus();
  c.scrollIntoView({ block: "center" });
}

function describe(c, id, on) {
  const ids = new Set((c.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean));
  if (on) ids.add(id); else ids.delete(id);
  if (ids.size) c.setAttribute("aria-describedby", [...ids].join(" ")); else c.removeAttribute("aria-describedby");
}

/** Marks values outside what is recommended. */
export function showRanges() {
  for (const c of controls) {
    if (!c.dataset.low) continue;
    const v = Number(c.value);
    const outside = c.value !== "" && v !== get(recipe.chosen(), c.dataset.at) && (v < Number(c.dataset.low) || v > Number(c.dataset.high));
    $(`${c.id}-hint`).classList.toggle("outside", outside);
  }
}

// Differences from an earlier job.

const value = (c) => {
  if (c.type === "checkbox") return c.checked ? "on" : "off";
  if (c.tagName === "SELECT") return c.selectedOptions[0]?.textContent ?? "";
  return c.value.trim();
};

/** What all fields hold, to compare with later. */
export function snapshot() {
  return new Map([...controls, ...toggles, $("holdout"), $("extras")].map((c) => [c, { value: value(c), shown: shown(c) }]));
}

/** Marks the fields that are no longer as they were, and returns a line for each. */
export function showChanges(before) {
  for (const old of form.querySelectorAll(".was")) old.remove();
  const lines = [];
  for (const [c, was] of before) {
    const now = value(c);
    const same = now === was.value || (!shown(c) && !was.shown);
    if (same) continue;
    const text = `was ${was.value || "empty"}`;
    const label = c.labels[0];
    label.append(el("span", { class: "badge warn was" }, text));
    if (shown(c)) lines.push(`${label.firstChild.textContent.trim() || label.textContent.replace(text, "").trim()}: ${was.value || "empty"} → ${now || "empty"}`);
  }
  return lines;
}

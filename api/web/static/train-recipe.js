// The presets of a training job: what each sets, and what a job changes of it.

const radios = [...document.querySelectorAll("[name=recipe]")];
let recipes = []; // as GET /v1/recipes lists them, each with its name as recipe

/** Takes the presets; chose runs when another one is chosen. */
export function begin(all, chose) {
  recipes = all;
  for (const r of radios) r.addEventListener("change", chose);
}

/** The preset with a name, or the first. */
export const named = (name) => recipes.find((r) => r.recipe === name) ?? recipes[0];

/** The preset that is chosen. */
export const chosen = () => named(radios.find((r) => r.checked)?.value);

/** Marks a preset as chosen, by name. */
export function choose(name) {
  const { recipe } = named(name);
  for (const r of radios) r.checked = r.value === recipe;
}

/** What the chosen preset is called on the page. */
export const title = () => radios.find((r) => r.checked)?.closest("label").querySelector(".name").textContent ?? "";

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const parts = (v) => v && typeof v === "object" && !Array.isArray(v);

function differing(value, base) {
  if (!parts(value) || !parts(base)) return same(value, base) ? undefined : value;
  const changed = Object.entries(value).map(([k, v]) => [k, differing(v, base[k])]).filter(([, v]) => v !== undefined);
  return changed.length ? Object.fromEntries(changed) : undefined;
}

/** A job as it is asked for: its preset, and only what differs from it. */
export const changes = (spec) => ({ recipe: chosen().recipe, ...differing(spec, chosen()) });

/** Whether what get reads of presets may be left empty: one of them does. */
export const optional = (get) => recipes.some((r) => get(r) === null);

/** Whether the presets differ in what get reads of them. */
export const decides = (get) => recipes.some((r) => !same(get(r), get(recipes[0])));

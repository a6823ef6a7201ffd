// Predictions, shown.
import { el, number, plural } from "../app.js";
import { depict } from "../depict.js";
import { inWords } from "./inputs.js";

const svg = (name, attributes, ...children) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
};

const gas = (g) => g.replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]);
const names = { Tg: "Glass transition", Glass_Transition: "Glass transition", Tm: "Melting point", Melt_Temp: "Melting point", YoungMod: "Young’s modulus" };

/** What a property is called. */
export function called(name) {
  const permeability = /^log10_Permeability_(\w+)$/.exec(name);
  return permeability ? `${gas(permeability[1])} permeability` : names[name] ?? name.replaceAll("_", " ");
}

/** A value as people write it: to three digits, with a true minus. */
export function shown(v, digits = 3) {
  const size = Math.abs(v);
  const text = size >= 1e4 && size < 1e7 ? Number(v.toPrecision(digits)).toLocaleString("en") : number(v, digits);
  return text.replace(/^-/, "−");
}

const levelOf = (p) => Object.keys(p).map((k) => /^interval(\d[\d.]*)$/.exec(k)?.[1]).find(Boolean);

/** The interval of a property: its field is named by its level. */
const interval = (p) => p[`interval${levelOf(p)}`] ?? null;

/** The level of the intervals of results, in percent. */
export function level(items) {
  const some = items.flatMap((r) => Object.values(r?.predictions ?? {})).find(levelOf);
  return (some && levelOf(some)) ?? "90";
}

/** The extent of a property over results: the axis that its strips share. */
export function extent(properties) {
  const all = properties.flatMap((p) => [p.mean, ...(interval(p) ?? []), ...p.per_fold]).filter(Number.isFinite);
  if (!all.length) return [0, 1];
  const low = Math.min(...all), high = Math.max(...all), margin = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - margin, high + margin];
}

/** The interval, the folds and the mean, as a picture. */
export function strip(p, [low, high]) {
  const w = 200, h = 32, x = (v) => 4 + ((w - 8) * (v - low)) / (high - low);
  const range = interval(p);
  const label = `${range ? `${levelOf(p)} % interval from ${shown(range[0])} to ${shown(range[1])}, ` : "no interval, "}` +
    `folds at ${p.per_fold.map((v) => shown(v)).join(", ")}`;
  const e = svg("svg", { class: "strip", viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": label });
  e.append(svg("title", {}, label), svg("line", { class: "axis", x1: 0, x2: w, y1: h / 2, y2: h / 2 }));
  if (range) {
    const [a, b] = range.map(x);
    e.append(svg("rect", { class: "interval", x: a, width: Math.max(b - a, 1), y: h / 2 - 7, height: 14, rx: 3 }));
  }
  for (const v of p.per_fold) if (Number.isFinite(v)) e.append(svg("line", { class: "fold", x1: x(v), x2: x(v), y1: h / 2 - 11, y2: h / 2 + 11 }));
  if (Number.isFinite(p.mean)) e.append(svg("circle", { class: "mean", cx: x(p.mean), cy: h / 2, r: 5 }));
  return e;
}

/** In or out of the domain of validity, as a badge. */
export function domainBadge(d) {
  if (!d) return el("span", { class: "badge" }, "domain unknown");
  if (d.in_domain) return el("span", { class: "badge good" }, "in domain");
  return el("span", { class: "badge warn" }, "out of domain");
}

function domainWords(d) {
  if (!d) return "This model does not record what it was trained on.";
  if (d.in_domain) return "Every fragment of this chain occurs among the polymers the model was trained on.";
  const parts = [];
  if (d.n_unseen) parts.push(`${plural(d.n_unseen, "fragment")} of this chain ${d.n_unseen === 1 ? "occurs" : "occur"} in no polymer the model was trained on`);
  if (d.unknown_tokens) parts.push(`${plural(d.unknown_tokens, "atom or bond type")} never appeared in training`);
  return `${parts.join(", and ")}. Outside the training chemistry: the interval may not hold.`.replace(/^./, (c) => c.toUpperCase());
}

/** How good the model is at a property, as a badge; none where it is as good as it should be. */
function qualityBadge(p) {
  const trust = qualityOf(p), domain = domainOf(p);
  return trust || domain ? el("div", {}, trust, trust && domain ? " " : null, domain) : null;
}

/** That the polymers on which a property was measured do not resemble this one, as a badge; null otherwise. */
function domainOf(p) {
  if (p.in_domain !== false) return null;
  const why = p.n_unseen ? `${plural(p.n_unseen, "fragment")} of this chain ${p.n_unseen === 1 ? "occurs" : "occur"} in no polymer on which this property was measured` : "Its polymers do not resemble this one";
  return el("span", { class: "badge warn", title: why }, "outside its training chemistry");
}

function qualityOf(p) {
  if (p.quality === "no_better_than_baseline") return el("span", { class: "badge warn", title: "In its tests the model was no better than always answering the median" }, "no better than baseline");
  if (p.quality === "unknown") return el("span", { class: "badge" }, "accuracy unknown");
  return null;
}

/** A warning that names the properties, of those chosen, at which the model is of no use; null for none. */
export function unfit(results, targets) {
  const poor = targets.filter((t) => results.some((r) => r.predictions?.[t]?.quality === "no_better_than_baseline"));
  if (!poor.length) return null;
  return el("p", { class: "alert warn unfit" }, el("strong", {}, poor.map(called).join(", ")),
    `: in its tests this model was no better than the baseline, which always answers the median of the training data. Do not rely on ${poor.length === 1 ? "this value" : "these values"}.`);
}

/** What each member of a stack predicts beside their blend; null without a stack. */
function members(result, targets) {
  const stacked = targets.filter((t) => result.predictions[t]?.members);
  if (!stacked.length) return null;
  const names = [...new Set(stacked.flatMap((t) => Object.keys(result.predictions[t].members)))];
  const cell = (v) => el("td", { class: "number" }, Number.isFinite(v) ? shown(v) : "–");
  return el("details", { class: "members" }, el("summary", {}, `Blend of ${plural(names.length, "model")}`),
    el("div", { class: "table", tabindex: 0, role: "group", "aria-label": "Predictions of the blend’s members" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Property"), ...["blend", ...names].map((n) => el("th", { scope: "col", class: "number" }, n)))),
      el("tbody", {}, ...stacked.map((t) => {
        const p = result.predictions[t];
        return el("tr", {}, el("th", { scope: "row" }, called(t), p.units ? `, ${p.units}` : ""), cell(p.mean), ...names.map((n) => cell(p.members[n])));
      })))));
}

/** The chain that was predicted, with its unseen fragments marked. */
function chain(result) {
  const unseen = result.domain_of_validity?.unseen ?? [];
  const paper = el("div", { class: "paper", tabindex: 0, role: "group", "aria-label": "Chain" });
  let drawing = 0; // a large chain drawn late must not replace what was chosen since
  const draw = async (atoms, what) => {
    const mine = ++drawing;
    try {
      const picture = await depict(result.smiles_polymer, { atoms, label: `The chain that was predicted${what}` });
      if (mine === drawing) paper.replaceChildren(picture);
    } catch {
      if (mine === drawing) paper.replaceChildren(el("p", { class: "muted" }, "This chain cannot be drawn."));
    }
  };
  const all = [...new Set(unseen.flatMap((u) => u.atoms))];
  draw(all, all.length ? `, ${plural(all.length, "atom")} marked` : "");
  const size = el("button", { type: "button", class: "small", "aria-pressed": "false", onclick: () => {
    size.setAttribute("aria-pressed", String(paper.classList.toggle("full")));
  } }, "Full size");
  const below = el("figcaption", { class: "row spread" }, size);
  const figure = el("figure", { class: "chain" }, paper, below);
  const drawn = unseen.filter((u) => u.atoms.length);
  if (drawn.length) {
    const select = el("select", { "aria-label": "Fragments marked", onchange: () => {
      const one = drawn[select.value];
      draw(one ? one.atoms : all, one ? ", one fragment marked" : `, ${plural(all.length, "atom")} marked`);
    } }, el("option", { value: "all" }, `all ${plural(drawn.length, "unseen fragment")}`));
    drawn.forEach((u, i) => select.append(el("option", { value: i }, `fragment ${i + 1}: ${plural(u.atoms.length, "atom")}, hash ${u.hash}`)));
    below.prepend(el("span", { class: "row" }, el("span", { class: "key hint" }, "marked:"), select));
  }
  return figure;
}

/** One property, as a row: value, interval and folds. */
function valueRow(name, p, scale) {
  const span = (i) => (i ? `${shown(i[0])} to ${shown(i[1])}` : "–");
  return el("tr", {},
    el("th", { scope: "row", title: name }, called(name), qualityBadge(p)),
    el("td", { class: "value" }, shown(p.mean), " ", el("small", {}, p.units),
      p.linear && el("div", {}, el("span", { class: "linear" }, `${shown(p.linear.median)} ${p.linear.units}`))),
    el("td", { class: "range" }, el("span", { class: "nowrap" }, span(interval(p))),
      p.linear && el("div", {}, el("span", { class: "nowrap" }, `${span(interval(p.linear))} ${p.linear.units}`)),
      el("div", { class: "hint" }, p.std === null ? "one fold" : `spread between folds: ${shown(p.std, 2)}${p.units ? ` ${p.units}` : ""}`)),
    el("td", { class: "picture" }, strip(p, scale)));
}

/** The table of one result's properties, those chosen. */
export function values(result, targets, scales = {}) {
  const rows = targets.filter((t) => result.predictions[t]).map((t) => {
    const p = result.predictions[t];
    return valueRow(t, p, scales[t] ?? extent([p]));
  });
  return el("table", { class: "values" },
    el("thead", {}, el("tr", {}, ...["Property", "Value", `${level([result])} % interval`, "Interval and folds"].map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, ...rows));
}

const warningWords = {
  pm_ignored: () => "The tacticity you entered has no effect: this model’s features do not distinguish it.",
  looks_like_repeat_unit: (d) => `This looks like a repeat unit, not a finished chain: ${d}.`,
  dp_differs: (d) => `The chain length differs from training: ${d}.`,
  notation_differs: (d) => `The notation differs from training: ${d}.`,
};

/** What to know about a prediction, in words. */
export const warnings = (all) => all.map((w) => el("p", { class: "alert warn" }, warningWords[w.code]?.(w.detail) ?? w.detail.replace(/^./, (c) => c.toUpperCase())));

/** A SMILES with the character marked that is at fault, counted from 1. */
export function caret(smiles, position) {
  const around = 28, at = position - 1;
  const from = Math.max(0, at - around), to = Math.min(smiles.length, at + around);
  const before = (from > 0 ? "…" : "") + smiles.slice(from, at), wrong = smiles.slice(at, at + 1);
  return el("pre", { class: "caret", tabindex: 0, role: "group", "aria-label": `Character ${position}${wrong ? `, ${wrong}` : ", the end"}` },
    before, el("mark", {}, wrong || " "), smiles.slice(at + 1, to) + (to < smiles.length ? "…" : ""), "\n",
    el("span", { class: "at", "aria-hidden": "true" }, `${" ".repeat(before.length)}▲ character ${position}`));
}

/** What is wrong with an input, with the place in it. */
export function wrong(error, input) {
  const text = error.monomer !== undefined ? input.monomers?.[error.monomer] : input.smiles_repeat_unit ?? input.smiles_polymer ?? input.monomers?.[0];
  return el("div", {}, el("p", {}, error.detail.replace(/^./, (c) => c.toUpperCase()), "."), error.position && text ? caret(text, error.position) : null);
}

/** Who answered. */
export const answeredBy = (model) => el("p", { class: "muted small" }, "Answered by ",
  el("code", {}, `${model.repo}@${model.revision}`), model.commit ? `, commit ${model.commit.slice(0, 8)}` : "");

/** A button that asks why, and what is answered: the parts of the atoms, and the polymers most alike. ask() gives the result with both. */
function explanation(input, targets, ask) {
  const body = el("div", { class: "explained", "aria-live": "polite" });
  const button = el("button", { type: "button", id: "explain", onclick: async () => {
    button.disabled = true;
    body.replaceChildren(el("p", { class: "muted" }, "Asking…"));
    try {
      const result = await ask();
      body.replaceChildren(...neighbours(result, targets), ...attribution(result, input, targets));
      button.remove();
    } catch (e) {
      body.replaceChildren(el("p", { class: "problem" }, e.message));
      button.disabled = false;
    }
  } }, "Explain: similar known polymers, and which atoms matter");
  return el("section", { class: "explain" }, el("p", {}, button), body);
}

function neighbours(result, targets) {
  if (!result.neighbours) return [el("p", { class: "muted" }, "This model was published without its training rows, so similar polymers cannot be shown.")];
  const name = (p) => {
    const paper = el("div", { class: "thumbnail" }, el("code", { class: "clip", title: p }, p.slice(0, 80)));
    const text = [...p.matchAll(/'([^']+)'|"([^"]+)"/g)].map((m) => m[1] ?? m[2]).join(".") || p;
    if (text.length < 160) depict(text.split(/[\s;,]+/).join("."), { label: text }).then((svg) => paper.replaceChildren(svg), () => {});
    return paper;
  };
  return [el("h3", {}, "Most similar polymers in the training data"),
    el("div", { class: "table", tabindex: 0, role: "group", "aria-label": "Most similar polymers" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Polymer"), el("th", { scope: "col", class: "number" }, "Similarity"), ...targets.map((t) => el("th", { scope: "col", class: "number" }, `${called(t)}, measured`)))),
      el("tbody", {}, ...result.neighbours.map((n) => el("tr", {}, el("th", { scope: "row" }, name(n.polymer)), el("td", { class: "number" }, number(n.similarity, 2)),
        ...targets.map((t) => el("td", { class: "number" }, Number.isFinite(n.measured?.[t]) ? shown(n.measured[t]) : "–"))))))),
    el("p", { class: "hint" }, "Similarity is Tanimoto’s, on counts of Morgan fragments: 1 is identical. A prediction far from everything measured deserves less trust.")];
}

function attribution(result, input, targets) {
  const named = targets.filter((t) => result.atoms?.[t]);
  const smiles = input.smiles_repeat_unit ?? input.smiles_polymer ?? input.monomers?.join(".");
  if (!named.length || !smiles) return [];
  const paper = el("div", { class: "paper attributed" }), words = el("p", { class: "hint" });
  const draw = async (t) => {
    const { baseline, values } = result.atoms[t], units = result.predictions[t].units ?? "";
    words.textContent = `Green atoms raise ${called(t)}, red atoms lower it; the stronger the colour, the more. The bare skeleton would have ${shown(baseline)} ${units}; with all parts it is ${shown(result.predictions[t].mean)} ${units}.`;
    try {
      paper.replaceChildren(await depict(smiles, { weights: values, label: `Parts of the atoms in ${called(t)}` }));
    } catch {
      paper.replaceChildren(el("p", { class: "muted" }, "This structure cannot be drawn."));
    }
  };
  const select = el("select", { "aria-label": "Property to explain", onchange: () => draw(select.value) }, ...named.map((t) => el("option", { value: t }, called(t))));
  draw(named[0]);
  return [el("h3", {}, "Which atoms matter"), el("p", { class: "row controls" }, select), paper, words];
}

/** One result, whole. */
export function whole(result, input, targets, { title = "", scales = {}, level = "h2", explain = null } = {}) {
  const d = result.domain_of_validity;
  return el("div", { class: "result" },
    el("header", {}, el(level, { title: inWords(input) }, title || inWords(input)), domainBadge(d)),
    ...warnings(result.warnings),
    el("div", { class: "table" }, values(result, targets, scales)),
    members(result, targets),
    el("p", { class: "domain" }, domainWords(d)),
    explain ? explanation(input, targets, explain) : null,
    chain(result));
}

/** Results as a table, a row each, that opens to the whole of it. */
export function table(items, targets) {
  const scales = Object.fromEntries(targets.map((t) => [t, extent(items.flatMap(({ result }) => result.predictions?.[t] ?? []))]));
  const body = el("tbody");
  items.forEach(({ name, input, result }, i) => {
    const what = [name ? el("div", {}, name) : null, el("code", { title: inWords(input) }, inWords(input))];
    if (result.error) {
      body.append(el("tr", {}, el("td", { class: "number" }, String(i + 1)), el("th", { scope: "row" }, ...what),
        el("td", { colspan: targets.length + 2 }, el("div", { class: "narrowed" }, el("span", { class: "badge bad" }, "no prediction"), wrong(result.error, input)))));
      return;
    }
    const held = el("div", { class: "held" });
    const more = el("tr", { class: "more", hidden: true }, el("td", { colspan: targets.length + 4 }, held));
    const button = el("button", { type: "button", class: "small", "aria-expanded": "false", onclick: () => {
      const open = more.hidden;
      if (open && !held.hasChildNodes()) held.append(whole(result, input, targets, { title: name, scales, level: "h3" }));
      more.hidden = !open;
      button.setAttribute("aria-expanded", String(open));
    } }, "Details", el("span", { class: "visually-hidden" }, ` of ${name || `polymer ${i + 1}`}`));
    body.append(el("tr", {}, el("td", { class: "number" }, String(i + 1)), el("th", { scope: "row" }, ...what),
      el("td", {}, domainBadge(result.domain_of_validity)), el("td", {}, button),
      ...targets.map((t) => {
        const p = result.predictions[t];
        return el("td", { class: "nowrap" }, p ? shown(p.mean) : "–", " ", p ? strip(p, scales[t]) : null);
      })), more);
  });
  const units = (t) => items.find(({ result }) => result.predictions?.[t])?.result.predictions[t].units ?? "";
  return el("div", { class: "table wide", tabindex: 0, role: "group", "aria-label": "Predictions" }, el("table", { class: "results-table" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "#"), el("th", { scope: "col" }, "Polymer"),
      el("th", { scope: "col" }, "Domain"), el("th", { scope: "col" }, el("span", { class: "visually-hidden" }, "Details")),
      ...targets.map((t) => el("th", { scope: "col", title: t }, called(t), units(t) ? el("div", { class: "unit" }, units(t)) : null)))),
    body));
}

/** Header and cells of a result, as the API's CSV names them. */
export const columns = (targets, level) => [...targets.flatMap((t) => ["mean", "std", `lo${level}`, `hi${level}`].map((c) => `${t}_pred_${c}`)), "fps_notin_train", "error"];
export function cells(result, targets) {
  const { predictions = {}, domain_of_validity: d, error } = result;
  return [...targets.flatMap((t) => {
    const p = predictions[t];
    return p ? [p.mean, p.std, ...(interval(p) ?? ["", ""])] : ["", "", "", ""];
  }), d?.n_unseen, error ? `${error.code}: ${error.detail}` : ""];
}

// What changes when a branch names another model, as the API's model_difference
// says it.
import { el, number, plural } from "./app.js";

const signed = (text) => String(text).replace(/^-/, "−");

/** The elements that show a difference: a sentence, and a table of errors before and after. */
export function difference(d) {
  if (d.same || !d.with_commit) return [el("p", { class: "muted" }, `${d.summary.replace(/^./, (c) => c.toUpperCase())}.`)];
  const cell = (mae, r2, units) => el("td", { class: "number" }, mae === null ? "–" : `${signed(number(mae))} ${units}`, mae === null || r2 === null ? null : el("div", { class: "muted small" }, `R² ${signed(number(r2, 2))}`));
  const change = (p) => {
    if (d.lost.includes(p.name)) return el("span", { class: "badge bad" }, "lost");
    if (d.gained.includes(p.name)) return el("span", { class: "badge good" }, "new");
    if (p.mae_before === null || p.mae_after === null || p.mae_before === p.mae_after) return "";
    const worse = p.mae_after > p.mae_before;
    return el("span", { class: `badge ${d.basis ? (worse ? "bad" : "good") : ""}` }, `${worse ? "+" : "−"}${number(Math.abs(p.mae_after / p.mae_before - 1) * 100, 2)} %`);
  };
  return [
    el("div", { class: `alert ${d.worse ? "warn" : "good"}` }, el("p", {}, el("strong", {}, `This ${d.summary}.`)), d.worse && d.reason ? el("p", {}, `${d.reason.replace(/^./, (c) => c.toUpperCase())}.`) : null),
    el("div", { class: "table" }, el("table", {},
      el("caption", {}, d.basis ? `Mean absolute errors, ${d.basis}` : "Mean absolute errors, out of fold, of different data: they cannot be compared"),
      el("thead", {}, el("tr", {}, ...["Property", `${d.with} now`, "After", "Change"].map((h, i) => el("th", { scope: "col", class: i === 1 || i === 2 ? "number" : "" }, h)))),
      el("tbody", {}, ...d.properties.map((p) => el("tr", {}, el("th", { scope: "row" }, p.name), cell(p.mae_before, p.r2_before, p.units), cell(p.mae_after, p.r2_after, p.units), el("td", {}, change(p))))))),
  ];
}

/** In a sentence, what a branch holds now and which of its properties a job would lose; null where it holds nothing. */
export function outlook(model, targets) {
  if (!model) return null;
  const scores = model.metrics?.out_of_fold ?? {};
  const have = model.targets.map((t) => t.name);
  const lost = have.filter((t) => !targets.includes(t));
  const now = have.slice(0, 3).map((t) => (scores[t]?.mae === undefined || scores[t]?.mae === null ? t : `${t} MAE ${number(scores[t].mae)} ${scores[t].units ?? ""}`.trim())).join(", ") + (have.length > 3 ? ` and ${have.length - 3} more` : "");
  return { now, lost, lostWords: lost.length > 3 ? plural(lost.length, "property", "properties") : lost.join(", ") };
}

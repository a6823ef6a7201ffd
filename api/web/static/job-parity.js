// Predictions of rows by the fold that did not see them, against what was
// measured: one plot a property, filling as folds end.

import { $, colour, el, number, request } from "./app.js";
import { axis, chart, saveButtons, shade, tooltip } from "./chart.js";
import { fromCSV } from "./csv.js";
import { depict } from "./depict.js";

const views = [["parity", "predicted against measured"], ["residuals", "residuals"], ["histogram", "histogram of errors"]];
const near = 18; // pixels around the cursor in which a point is named
const most = 12; // outliers of a property

export class Parity {
  constructor(base, stack) {
    this.base = base;
    // Folds train networks; a stack's other members are fitted when all have ended.
    this.by = stack ? "by the network alone, without the rest of the blend, of the fold" : "by the fold";
    this.folds = new Map(); // fold → its answer, or null while it is on its way
    this.charts = new Map(); // property → { points, chart, … }
    this.view = "parity";
    this.coloured = true;
  }

  async add(fold, of) {
    if (this.folds.has(fold)) return;
    this.folds.set(fold, null);
    try {
      this.folds.set(fold, await request(`${this.base}/folds/${fold}/predictions`));
    } catch (e) {
      // A fold of an older version left none; anything else is asked for again.
      if (e.status !== 409) this.folds.delete(fold);
      return;
    }
    this.draw(of);
  }

  get answers() { return [...this.folds].filter(([, a]) => a).sort(([a], [b]) => a - b); }

  // The points of a property, by what was measured.
  points(t) {
    return this.answers.flatMap(([fold, a]) => a.data.filter((r) => r.measured[t] !== null && r.predicted[t] !== null)
      .map((r) => ({ measured: r.measured[t], predicted: r.predicted[t], error: r.predicted[t] - r.measured[t], row: r.row, fold })))
      .sort((a, b) => a.measured - b.measured);
  }

  draw(of) {
    const { answers } = this;
    if (!answers.length) return;
    this.of = of;
    $("parity").hidden = false;
    $("parity-hint").textContent = `Each row is predicted ${this.by} that was not trained on it${answers.length < of ? `; ${answers.length} of ${of} folds so far` : ""}. On the line, predicted and measured are equal.`;
    if (!$("parity-controls").hasChildNodes()) this.controls();
    this.targets = answers[0][1].targets;
    this.targets.forEach((target, t) => this.plot(target, this.points(t)));
    if ($("outliers").open) this.outliers();
  }

  controls() {
    const again = () => { for (const target of this.targets) this.again(target.name); this.draw(this.of); };
    $("parity-controls").append(
      el("label", { class: "check" }, "Show", el("select", { id: "parity-view", onchange: (e) => { this.view = e.target.value; again(); } }, ...views.map(([v, text]) => el("option", { value: v }, text)))),
      el("label", { class: "check" }, el("input", { type: "checkbox", checked: true, onchange: (e) => { this.coloured = e.target.checked; again(); } }), "Colour by fold"));
    $("outliers").addEventListener("toggle", () => { if ($("outliers").open) this.outliers(); });
  }

  again(name) {
    const known = this.charts.get(name);
    if (!known) return;
    known.chart?.then((c) => c?.destroy());
    known.figure.remove();
    this.charts.delete(name);
  }

  // Data and options of what is chosen to be shown.
  shape(points, units) {
    if (this.view === "histogram") {
      const size = Math.max(...points.map((p) => Math.abs(p.error))) || 1;
      const bins = Math.min(30, Math.max(5, Math.ceil(Math.sqrt(points.length)))), width = (2 * size) / bins;
      const counts = Array(bins).fill(0);
      for (const p of points) counts[Math.min(bins - 1, Math.floor((p.error + size) / width))]++;
      return { data: [counts.map((_, i) => -size + (i + 0.5) * width), counts], x: `predicted − measured${units}`, y: "rows", width };
    }
    const folds = this.coloured ? this.of : 1;
    const series = Array.from({ length: folds }, () => points.map(() => null));
    points.forEach((p, i) => { series[this.coloured ? p.fold : 0][i] = this.view === "residuals" ? p.error : p.predicted; });
    return { data: [points.map((p) => p.measured), ...series], x: `measured${units}`, y: this.view === "residuals" ? `predicted − measured${units}` : `predicted${units}` };
  }

  async plot(target, points) {
    if (!points.length) return;
    const units = target.units ? `, ${target.units}` : "";
    const mae = points.reduce((s, p) => s + Math.abs(p.error), 0) / points.length;
    const words = `${target.name}: ${points.length} rows, mean absolute error ${number(mae)} ${target.units ?? ""}`.trim();
    const shape = this.shape(points, units);
    const all = points.flatMap((p) => [p.measured, p.predicted]);
    const low = Math.min(...all), high = Math.max(...all), margin = (high - low || 1) * 0.05;
    const known = this.charts.get(target.name);
    if (known) {
      Object.assign(known, { points, range: [low - margin, high + margin], width: shape.width });
      known.caption.textContent = words;
      const c = await known.chart;
      c?.set(shape.data);
      c?.label(words);
      return;
    }
    const host = el("div", { class: "chart tall" });
    const caption = el("span", {}, words);
    const mine = { range: [low - margin, high + margin], caption, points, width: shape.width };
    mine.figure = el("figure", {}, el("figcaption", { class: "row spread" }, caption, saveButtons(() => mine.chart, target.name)), host);
    $("parity-plots").append(mine.figure);
    this.charts.set(target.name, mine);
    mine.chart = chart(host, { label: words, height: 300, data: shape.data, options: (uPlot) => this.options(uPlot, mine, shape, target) })
      .catch(() => { mine.figure.remove(); this.charts.delete(target.name); }); // the next fold tries again
  }

  options(uPlot, mine, shape, target) {
    const histogram = this.view === "histogram", square = this.view === "parity";
    const dots = (stroke) => ({ stroke, dots: true, paths: () => null, points: { show: true, size: 6, width: 1, stroke, fill: stroke } });
    const series = histogram
      ? [{ stroke: colour("accent"), fill: colour("accent-soft"), width: 1, paths: uPlot.paths.bars({ size: [1, 200] }), points: { show: false }, bars: (u) => Math.abs(u.valToPos(mine.width, "x") - u.valToPos(0, "x")) }]
      : shape.data.slice(1).map((_, i) => dots(this.coloured && this.of > 1 ? shade(i, this.of) : colour("accent")));
    return {
      scales: { x: { time: false, ...(square ? { range: () => mine.range } : {}) }, y: square ? { range: () => mine.range } : histogram ? { range: (u, a, b) => [0, b * 1.05 || 1] } : {} },
      axes: [axis(shape.x), axis(shape.y, { size: 56 })],
      series: [{}, ...series],
      cursor: { drag: { x: !square, y: false }, points: { show: false } },
      hooks: { drawClear: histogram ? [] : [(u) => line(u, square)] },
      plugins: [tooltip((u) => (histogram ? this.bin(u) : this.nearest(u, mine, target)))],
    };
  }

  bin(u) {
    const i = u.cursor.idx;
    return i === null || i === undefined ? null : [el("div", {}, `around ${number(u.data[0][i])}: ${u.data[1][i]} rows`)];
  }

  // What is known of the point at the cursor, with its structure once it is drawn.
  nearest(u, mine, target) {
    const { left, top } = u.cursor;
    let best = null, least = near * near;
    for (const p of mine.points) {
      const d = (u.valToPos(p.measured, "x") - left) ** 2 + (u.valToPos(this.view === "residuals" ? p.error : p.predicted, "y") - top) ** 2;
      if (d < least) [best, least] = [p, d];
    }
    if (!best) return null;
    if (mine.said?.point === best) return mine.said.nodes;
    const paper = el("div", { class: "paper" });
    this.structure(best.row).then((s) => picture(paper, s));
    const units = target.units ?? "";
    mine.said = { point: best, nodes: [el("strong", {}, `row ${best.row + 1} · fold ${best.fold + 1}`), el("div", {}, `measured ${number(best.measured)} ${units}`), el("div", {}, `predicted ${number(best.predicted)} ${units}`), paper] };
    return mine.said.nodes;
  }

  // The rows of the job's own table, read when the first is asked for.
  table() {
    this.reading ??= request(`${this.base}/dataset`, { headers: { Accept: "text/csv" } }).then((text) => [...fromCSV(text)]);
    this.reading.catch(() => { this.reading = null; });
    return this.reading;
  }

  /** The SMILES of a row that can be drawn, "" where there is none. */
  async structure(row) {
    const [header, ...rows] = await this.table().catch(() => [[]]);
    const cells = rows[row] ?? [];
    const of = (name) => cells[header.indexOf(name)] ?? "";
    // Monomers are written as Python's tuple of texts.
    const monomers = [...of("monomers").matchAll(/'([^']+)'|"([^"]+)"/g)].map((m) => m[1] ?? m[2]).join(".");
    return of("smiles_repeat_unit") || monomers || of("monomers") || of("smiles_polymer") || "";
  }

  async outliers() {
    const body = $("outliers-body");
    body.replaceChildren(...this.targets.map((target, t) => {
      const worst = this.points(t).sort((a, b) => Math.abs(b.error) - Math.abs(a.error)).slice(0, most);
      return el("div", { class: "table", tabindex: 0, role: "region", "aria-label": `Largest errors of ${target.name}` }, el("table", {},
        el("caption", {}, `${target.name}${target.units ? `, ${target.units}` : ""}: check these values in the table first`),
        el("thead", {}, el("tr", {}, ...["Row", "Structure", "Measured", "Predicted", "Error", "Fold"].map((h, i) => el("th", { scope: "col", class: i > 1 ? "number" : "" }, h)))),
        el("tbody", {}, ...worst.map((p) => {
          const paper = el("div", { class: "thumbnail" });
          this.structure(p.row).then((s) => picture(paper, s));
          return el("tr", {}, el("td", {}, String(p.row + 1)), el("td", {}, paper), ...[p.measured, p.predicted, p.error].map((v) => el("td", { class: "number" }, number(v))), el("td", { class: "number" }, String(p.fold + 1)));
        }))));
    }));
  }

  /** All out-of-fold predictions with the table's structures, as rows of a CSV. */
  async rows() {
    const { answers } = this;
    if (!answers.length) throw new Error("No fold has left predictions.");
    const [, { targets }] = answers[0];
    const all = answers.flatMap(([fold, a]) => a.data.map((r) => ({ ...r, fold }))).sort((a, b) => a.row - b.row);
    const out = [["row", "fold", "structure", ...targets.flatMap((t) => [t.name, `${t.name}_pred`])]];
    for (const r of all) out.push([r.row + 1, r.fold + 1, await this.structure(r.row), ...targets.flatMap((_, t) => [r.measured[t], r.predicted[t]])]);
    return out;
  }
}

async function picture(host, smiles) {
  if (!smiles) return;
  const text = smiles.split(/[\s;,]+/).filter(Boolean).join(".");
  try {
    host.replaceChildren(await depict(text, { label: text.slice(0, 200) }));
  } catch {
    host.replaceChildren(el("code", {}, smiles.slice(0, 120)));
  }
}

// Where prediction and measurement agree.
function line(u, square) {
  const { ctx } = u;
  const { min, max } = u.scales.x;
  ctx.save();
  ctx.strokeStyle = colour("strong-line");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(u.valToPos(min, "x", true), u.valToPos(square ? min : 0, "y", true));
  ctx.lineTo(u.valToPos(max, "x", true), u.valToPos(square ? max : 0, "y", true));
  ctx.stroke();
  ctx.restore();
}

// Predictions of rows by the fold that did not see them, against what was
// measured: one plot a property, filling as folds end.

import { $, colour, el, number, request } from "./app.js";
import { axis, chart } from "./chart.js";

export class Parity {
  constructor(base, stack) {
    this.base = base;
    // Folds train networks; a stack's other members are fitted when all have ended.
    this.by = stack ? "by the network alone, without the rest of the blend, of the fold" : "by the fold";
    this.folds = new Map(); // fold → its answer, or a promise of it
    this.charts = new Map(); // property → { data, chart }
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

  draw(of) {
    const answers = [...this.folds.values()].filter(Boolean);
    if (!answers.length) return;
    $("parity").hidden = false;
    $("parity-hint").textContent = `Each row is predicted ${this.by} that was not trained on it; ${answers.length} of ${of} folds so far. On the line, predicted and measured are equal.`;
    if (answers.length === of) $("parity-hint").textContent = `Each row is predicted ${this.by} that was not trained on it. On the line, predicted and measured are equal.`;
    answers[0].targets.forEach((target, t) => this.plot(target, answers.flatMap((a) => a.data
      .filter((r) => r.measured[t] !== null && r.predicted[t] !== null).map((r) => [r.measured[t], r.predicted[t], r.row])).sort((a, b) => a[0] - b[0])));
  }

  async plot(target, points) {
    if (!points.length) return;
    const all = points.flatMap(([m, p]) => [m, p]);
    const low = Math.min(...all), high = Math.max(...all), margin = (high - low || 1) * 0.05;
    const range = [low - margin, high + margin];
    const mae = points.reduce((s, [m, p]) => s + Math.abs(m - p), 0) / points.length;
    const units = target.units ? ` ${target.units}` : "";
    const words = `${target.name}: ${points.length} rows, mean absolute error ${number(mae)}${units}`;
    const data = [points.map((p) => p[0]), points.map((p) => p[1])];
    const known = this.charts.get(target.name);
    if (known) {
      Object.assign(known, { range });
      known.caption.textContent = words;
      const c = await known.chart;
      c?.set(data);
      c?.label(words);
      return;
    }
    const host = el("div", { class: "chart" });
    const caption = el("figcaption", {}, words);
    $("parity-plots").append(el("figure", {}, caption, host));
    const mine = { range, caption };
    this.charts.set(target.name, mine);
    mine.chart = chart(host, { label: words, height: 300, data, options: () => ({
      scales: { x: { time: false, range: () => mine.range }, y: { range: () => mine.range } },
      axes: [axis(`measured${units ? `,${units}` : ""}`), axis(`predicted${units ? `,${units}` : ""}`, { size: 56 })],
      series: [{}, { stroke: colour("accent"), paths: () => null, points: { show: true, size: 6, width: 1, fill: colour("accent-soft") } }],
      cursor: { drag: { x: false, y: false } },
      hooks: { drawClear: [(u) => diagonal(u, mine.range)] },
    }) }).catch(() => { host.parentElement.remove(); this.charts.delete(target.name); }); // the next fold tries again
  }
}

function diagonal(u, [low, high]) {
  const { ctx } = u;
  ctx.save();
  ctx.strokeStyle = colour("strong-line");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(u.valToPos(low, "x", true), u.valToPos(low, "y", true));
  ctx.lineTo(u.valToPos(high, "x", true), u.valToPos(high, "y", true));
  ctx.stroke();
  ctx.restore();
}

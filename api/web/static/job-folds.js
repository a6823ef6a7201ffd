// The card of one fold: its line, its bar and its loss curves.

import { $, colour, duration, el, number, request } from "./app.js";
import { axis, chart, saveButtons, tooltip } from "./chart.js";

// What all cards draw: the losses, or the error of one property; how.
const view = { of: "", log: false, smooth: 0 };
const cards = new Set();

/** The controls over all curves; targets are the properties that can be drawn. */
export function curveControls(targets) {
  const select = (label, options, set) => el("label", { class: "check" }, label, el("select", { onchange: (e) => { set(e.target.value); for (const c of cards) c.again(); } },
    ...options.map(([value, text]) => el("option", { value }, text))));
  return [
    select("Show", [["", "loss"], ...targets.map((t, i) => [String(i), `validation error of ${t}`])], (v) => { view.of = v; }),
    select("Scale", [["", "linear"], ["log", "logarithmic"]], (v) => { view.log = v === "log"; }),
    select("Smooth", [["0", "not"], ["0.6", "a little"], ["0.9", "much"]], (v) => { view.smooth = Number(v); }),
    el("span", { class: "hint" }, "Drag over a chart to zoom; double-click to show all of it."),
  ];
}

// An exponential moving average, which begins at the first value.
function smoothed(values) {
  if (!view.smooth) return values;
  let mean = null;
  return values.map((v) => {
    if (v === null || v === undefined) return v;
    mean = mean === null ? v : view.smooth * mean + (1 - view.smooth) * v;
    return mean;
  });
}

/** Like "Fold 1/5: Epoch 245/500 · loss 0.234 · ETA 2.5 h". */
export function line(f, of) {
  return [`Fold ${f.index + 1}/${of}: Epoch ${f.epoch}/${f.epochs}`,
    f.loss !== null ? `loss ${number(f.loss)}` : null,
    f.status === "running" ? (f.eta_seconds !== null ? `ETA ${duration(f.eta_seconds)}` : null)
      : f.status === "succeeded" ? `best val_loss ${number(f.best_val_loss)} · done` : f.status].filter(Boolean).join(" · ");
}

export class FoldCard {
  constructor(base, f, of) {
    this.base = base;
    this.of = of;
    this.index = f.index;
    this.epochs = new Map(); // epoch → [loss, val_loss]
    this.root = $(`fold-${f.index}`) ?? el("article", { class: "card", id: `fold-${f.index}` }, el("p", { class: "fold-line mono" }), el("progress", { "aria-label": `Fold ${f.index + 1}`, max: "1", value: "0" }));
    this.more = this.root.querySelector(".fold-more") ?? el("p", { class: "hint fold-more" });
    this.host = this.root.querySelector(".chart.loss") ?? el("div", { class: "chart loss" });
    this.keys = el("span", { class: "legend" });
    this.legend = el("p", { class: "row spread hint" }, this.keys, saveButtons(() => this.chart, `fold ${f.index + 1}`));
    this.root.querySelector(".fold-legend")?.remove();
    this.root.append(this.more, this.legend, this.host);
    if (!this.root.isConnected) $("folds").append(this.root);
    cards.add(this);
    this.recall();
    this.refresh();
  }

  // What the stream told since the newest checkpoint is in no history: the tab
  // keeps it over a reload.
  get kept() { return `curve:${this.base}:${this.index}`; }
  recall() {
    try {
      for (const [epoch, values] of JSON.parse(sessionStorage.getItem(this.kept) ?? "[]")) this.epochs.set(epoch, values);
    } catch { /* the history will do */ }
  }
  keep() {
    try { sessionStorage.setItem(this.kept, JSON.stringify([...this.epochs].slice(-300).map(([e, v]) => [e, v.slice(0, 2)]))); } catch { /* a full store forgets */ }
  }

  show(f) {
    this.fold = f;
    this.root.querySelector(".fold-line").textContent = line(f, this.of);
    const bar = this.root.querySelector("progress");
    bar.max = f.status === "succeeded" ? Math.max(1, f.epoch) : f.epochs; // it may have stopped early
    bar.value = f.epoch;
    this.more.textContent = [f.val_loss !== null && f.status !== "succeeded" ? `val_loss ${number(f.val_loss)}` : null,
      f.best_epoch ? `best ${number(f.best_val_loss)} at epoch ${f.best_epoch}` : null,
      f.worker ? `on ${f.worker}` : null,
      f.attempt > 1 ? `attempt ${f.attempt}, resumed from epoch ${f.resumed_from_epoch}` : null].filter(Boolean).join(" · ");
  }

  /** One epoch of the stream; what it missed comes with the next history. */
  epoch(f) {
    if (f.epoch > 0 && f.loss !== null) {
      const missed = !this.epochs.has(f.epoch - 1) && f.epoch > 1;
      this.epochs.set(f.epoch, [f.loss, f.val_loss, this.epochs.get(f.epoch)?.[2]]);
      this.keep();
      if (missed && Date.now() - this.read > 10000) return void this.refresh();
    }
    this.draw();
  }

  /** Forgets what was trained after an epoch: it is trained again. */
  rewind(epoch) {
    for (const e of this.epochs.keys()) if (e > epoch) this.epochs.delete(e);
    this.keep();
    this.draw();
    if (this.reading) this.stale = true; // the answer on its way may still have those epochs
  }

  /** Reads the history: once at a time, and again when asked to meanwhile. */
  async refresh() {
    this.stale = true;
    if (this.reading) return;
    this.reading = true;
    try {
      while (this.stale) {
        this.stale = false;
        this.read = Date.now();
        const h = await request(`${this.base}/folds/${this.index}/history`);
        if (this.stale) continue;
        for (const e of h.data) this.epochs.set(e.epoch, [e.loss, e.val_loss, e.val_mae]);
        this.draw();
      }
    } catch {
      // The curve waits for the next one; the line above it is live.
    } finally {
      this.reading = false;
    }
  }

  // The curves to draw: epochs, then one or two series.
  series() {
    const at = [...this.epochs.keys()].sort((a, b) => a - b);
    if (view.of === "") return [at, ...[0, 1].map((i) => smoothed(at.map((e) => this.epochs.get(e)[i])))];
    const told = at.filter((e) => Number.isFinite(this.epochs.get(e)[2]?.[Number(view.of)]));
    return [told, smoothed(told.map((e) => this.epochs.get(e)[2][Number(view.of)]))];
  }

  /** Draws anew, since what is to be shown has changed. */
  async again() {
    (await this.chart)?.destroy();
    this.chart = null;
    this.draw();
  }

  async draw() {
    const data = this.series();
    const [at] = data;
    const names = view.of === "" ? ["loss", "val_loss"] : ["validation error"];
    this.keys.replaceChildren(...names.map((n, i) => el("span", { class: `key ${i ? "val" : "loss"}` }, n)));
    if (!at.length) {
      if (!this.chart) this.host.replaceChildren(el("p", { class: "hint" }, view.of !== "" ? "Known after the next checkpoint." : this.fold?.status === "queued" ? "Waits for a worker." : "The curve begins with the first epoch."));
      return;
    }
    const label = `${names.map((n, i) => `${n} of fold ${this.index + 1} from ${number(data[i + 1][0])} to ${number(data[i + 1].at(-1))}`).join(", ")}, over ${at.length} epochs`;
    if (!this.chart) {
      this.host.replaceChildren();
      const strokes = [["accent"], ["series-2", [6, 4]]];
      this.chart = chart(this.host, { label, height: 200, data, options: () => ({
        scales: { x: { time: false, range: (u, low, high) => (high - low < 1 ? [Math.min(1, low), high + 1] : [low, high]) }, y: view.log ? { distr: 3 } : {} },
        axes: [axis("epoch", { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000, 100000] }), axis(names.length > 1 ? "loss" : "error", { size: 52 })],
        series: [{}, ...names.map((_, i) => ({ stroke: colour(strokes[i][0]), width: 2, dash: strokes[i][1], points: { show: (u) => u.data[0].length < 3 } }))],
        cursor: { points: { size: 7 }, drag: { x: true, y: false } },
        plugins: [tooltip((u) => {
          const i = u.cursor.idx;
          return i === null || i === undefined ? null : [el("strong", {}, `epoch ${u.data[0][i]}`), ...names.map((n, k) => el("div", {}, `${n} ${number(u.data[k + 1][i], 4)}`))];
        })],
      }) }).catch(() => { this.chart = null; }); // the next epoch tries again
      return;
    }
    const c = await this.chart;
    c?.set(data);
    c?.label(label);
  }
}
